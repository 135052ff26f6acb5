#include "cmd/capture_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/sock.h"
#include "proc/paths.h"

#define PACKED_MAX ((size_t)64 << 10)
#define PLAIN_MAX ((size_t)256 << 10)
/* A pipe whose writer is a little slower than we are is not quiet. */
#define PIPE_GRACE_MS 20

struct capture_source {
	struct capture_input_options options;
	const char *path;
	int fd;
	int watch; /* inotify; -1: none, then the file is looked at now and then */
	struct stat st;
	bool regular;
	bool quiet;	   /* was told; the next read waits first */
	bool quiet_told;   /* and nothing came since */
	bool ended;	   /* of the file as it is */
	uint64_t position; /* in it */
	enum unpack_coding coding;
	struct unpack *unpack;
	struct buf packed; /* read, and not unpacked yet; of a file as it is, its first bytes */
	struct buf plain;
	bool damaged;
	struct err damage; /* told once what is good was read */
	bool dead;	   /* and was told */
};

static bool is_stopped(const struct capture_source *s)
{
	return s->options.stop && *s->options.stop;
}

static bool is_standard_input(const struct capture_source *s)
{
	return strcmp(s->options.path, "-") == 0;
}

/* Opening a FIFO waits for its writer, as it should. */
static int open_file(struct capture_source *s, struct err *e)
{
	if (is_standard_input(s))
		s->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	else
		s->fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (s->fd < 0 || fstat(s->fd, &s->st) < 0)
		return FAIL_SYS(e, FILE, "%s", s->path);
	if (S_ISDIR(s->st.st_mode))
		return FAIL(e, FILE, "%s is a folder, not a capture", s->path);
	s->regular = S_ISREG(s->st.st_mode);
	(void)posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

/* Of the folder: so a new file of that name is seen too. Without it the waiting ends by its limit. */
static void watch_folder(struct capture_source *s)
{
	uint32_t events = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ATTRIB;
	const char *slash = strrchr(s->path, '/');
	char folder[PATHS_MAX];
	int n;

	if (!s->options.tail || !s->regular || is_standard_input(s))
		return;
	n = slash ? snprintf(folder, sizeof(folder), "%.*s", (int)(slash - s->path + 1), s->path)
		  : snprintf(folder, sizeof(folder), ".");
	s->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (s->watch < 0 || n < 0 || (size_t)n >= sizeof(folder))
		return;
	if (inotify_add_watch(s->watch, folder, events) < 0)
		sock_close(&s->watch);
}

int capture_source_open(const struct capture_input_options *o, struct capture_source **out,
			struct err *e)
{
	struct capture_source *s = mem_new(sizeof(*s));

	if (!s)
		return FAIL(e, NOMEM, "reading %s", o->path);
	s->options = *o;
	s->fd = s->watch = -1;
	s->path = is_standard_input(s) ? "standard input" : o->path;
	s->packed = buf_init(PACKED_MAX);
	s->plain = buf_init(PLAIN_MAX);
	if (open_file(s, e) < 0) {
		capture_source_close(s);
		return -1;
	}
	watch_folder(s);
	*out = s;
	return 0;
}

void capture_source_close(struct capture_source *s)
{
	if (!s)
		return;
	sock_close(&s->fd);
	sock_close(&s->watch);
	unpack_free(s->unpack);
	buf_fini(&s->packed);
	buf_fini(&s->plain);
	mem_free(s);
}

/* Another file stands at the path, or this one was cut off and begins anew. */
static bool is_replaced(const struct capture_source *s)
{
	struct stat st;

	if (!s->options.tail || !s->regular || is_standard_input(s) || stat(s->path, &st) < 0)
		return false;
	return st.st_dev != s->st.st_dev || st.st_ino != s->st.st_ino ||
	       (uint64_t)st.st_size < s->position;
}

static enum source_outcome be_quiet(struct capture_source *s)
{
	s->quiet = s->quiet_told = true;
	return SOURCE_QUIET;
}

static enum source_outcome renew(struct capture_source *s, struct err *e)
{
	int old = sock_take(&s->fd);

	if (open_file(s, e) < 0) {
		if (e->sys != ENOENT) {
			sock_close(&old);
			return SOURCE_FAULT;
		}
		/* It is being replaced right now: another time. */
		s->fd = old;
		return be_quiet(s);
	}
	sock_close(&old);
	unpack_free(s->unpack);
	s->unpack = NULL;
	s->coding = UNPACK_UNKNOWN;
	s->ended = s->damaged = s->dead = false;
	s->position = 0;
	buf_clear(&s->packed);
	buf_clear(&s->plain);
	return SOURCE_RENEWED;
}

/* Until something happens in the folder, or for long enough. */
static void wait_for_growth(struct capture_source *s)
{
	struct pollfd p = { .fd = s->watch, .events = POLLIN };
	char events[4096];

	if (poll(&p, 1, CAPTURE_INPUT_WAIT_MS) > 0)
		while (read(s->watch, events, sizeof(events)) > 0)
			;
}

/* A pipe or the like has something for us (its end, too). */
static bool is_readable(const struct capture_source *s, int wait_ms)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	return poll(&p, 1, wait_ms) > 0;
}

/* SOURCE_GOT: something can be read. */
static enum source_outcome wait_for_pipe(struct capture_source *s)
{
	int wait_ms = s->quiet ? CAPTURE_INPUT_WAIT_MS : PIPE_GRACE_MS;

	s->quiet = false;
	for (;;) {
		if (is_stopped(s))
			return SOURCE_STOPPED;
		if (is_readable(s, wait_ms))
			return SOURCE_GOT;
		if (s->options.tail || !s->quiet_told)
			return be_quiet(s);
		wait_ms = CAPTURE_INPUT_WAIT_MS;
	}
}

static enum source_outcome wait_before_read(struct capture_source *s)
{
	if (!s->regular)
		return wait_for_pipe(s);
	if (s->quiet)
		wait_for_growth(s);
	s->quiet = false;
	return is_stopped(s) ? SOURCE_STOPPED : SOURCE_GOT;
}

/* The bytes of the file as they are in it. */
static enum source_outcome read_file(struct capture_source *s, struct source_room *room,
				     struct err *e)
{
	for (;;) {
		enum source_outcome r = wait_before_read(s);
		/* Asked first: what was written before the file was replaced is read. */
		bool replaced = r == SOURCE_GOT && is_replaced(s);
		ssize_t n;

		if (r != SOURCE_GOT)
			return r;
		n = read(s->fd, room->to, room->n);
		if (n > 0) {
			room->got = (size_t)n;
			s->position += (uint64_t)n;
			s->quiet_told = false;
			return SOURCE_GOT;
		}
		if (n < 0 && errno != EINTR && errno != EAGAIN) {
			(void)FAIL_SYS(e, FILE, "%s", s->path);
			return SOURCE_FAULT;
		}
		if (n < 0)
			continue;
		if (replaced)
			return renew(s, e);
		if (!s->options.tail || !s->regular)
			return SOURCE_END;
		return be_quiet(s);
	}
}

/* More of the file behind what is in packed. */
static enum source_outcome read_packed(struct capture_source *s, struct err *e)
{
	struct source_room room = { .n = buf_room(&s->packed) };
	enum source_outcome r;

	if (s->ended)
		return SOURCE_END;
	if (buf_reserve(&s->packed, room.n, &room.to, e) < 0)
		return SOURCE_FAULT;
	r = read_file(s, &room, e);
	if (r == SOURCE_GOT)
		buf_commit(&s->packed, room.got);
	s->ended = r == SOURCE_END;
	return r;
}

static enum source_outcome find_coding(struct capture_source *s, struct err *e)
{
	while (s->coding == UNPACK_UNKNOWN) {
		enum source_outcome r = read_packed(s, e);

		if (r == SOURCE_END)
			s->coding = UNPACK_NONE; /* too short for anything */
		else if (r != SOURCE_GOT)
			return r;
		else
			s->coding = unpack_sniff(buf_bytes(&s->packed));
	}
	if (s->coding != UNPACK_NONE && unpack_new(s->coding, &s->unpack, e) < 0)
		return SOURCE_FAULT;
	return SOURCE_GOT;
}

static void move(struct buf *from, struct source_room *room)
{
	room->got = from->n < room->n ? from->n : room->n;
	memcpy(room->to, from->p, room->got);
	buf_take(from, room->got);
}

static enum source_outcome unpack_some(struct capture_source *s, struct source_room *room,
				       struct err *e)
{
	while (s->plain.n == 0) {
		enum source_outcome r;
		size_t used;

		if (s->damaged) {
			*e = s->damage;
			s->dead = true;
			return e->code == ERR_WIRE_DECODE ? SOURCE_DAMAGED : SOURCE_FAULT;
		}
		s->damaged = unpack_feed(s->unpack, buf_bytes(&s->packed), &used, &s->plain,
					 &s->damage) < 0;
		buf_take(&s->packed, used);
		if (s->plain.n || s->damaged)
			continue;
		r = read_packed(s, e);
		if (r == SOURCE_END)
			s->damaged = unpack_end(s->unpack, &s->damage) < 0;
		if (r != SOURCE_GOT && !s->damaged)
			return r;
	}
	move(&s->plain, room);
	return SOURCE_GOT;
}

/* Nothing of this file can be unpacked any more. */
static enum source_outcome skip_rest(struct capture_source *s, struct err *e)
{
	enum source_outcome r;

	do {
		buf_clear(&s->packed);
		r = read_packed(s, e);
	} while (r == SOURCE_GOT);
	return r;
}

enum source_outcome capture_source_read(struct capture_source *s, struct source_room *room,
					struct err *e)
{
	if (s->dead)
		return skip_rest(s, e);
	if (s->coding == UNPACK_UNKNOWN) {
		enum source_outcome r = find_coding(s, e);

		if (r != SOURCE_GOT)
			return r;
	}
	if (s->unpack)
		return unpack_some(s, room, e);
	if (s->packed.n) {
		move(&s->packed, room);
		return SOURCE_GOT;
	}
	return s->ended ? SOURCE_END : read_file(s, room, e);
}

enum unpack_coding capture_source_coding(const struct capture_source *s)
{
	return s->coding;
}

uint64_t capture_source_position(const struct capture_source *s)
{
	return s->position;
}

uint64_t capture_source_ignored(const struct capture_source *s)
{
	return s->unpack ? unpack_ignored(s->unpack) : 0;
}
