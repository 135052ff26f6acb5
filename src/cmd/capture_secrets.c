/* The search for secrets in a capture file, before it is read. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/capture_input.h"
#include "net/sock.h"
#include "pcap/skim.h"

/* Small blocks are many to a read; of large ones only the header is read. */
#define WINDOW_MANY ((size_t)64 << 10)
#define WINDOW_ONE ((size_t)4 << 10)
#define SMALL 8192

struct search {
	int fd;
	const char *path;
	uint64_t size;	 /* of the file */
	uint64_t before; /* where the last block was */
	struct buf window;
	uint64_t from;	  /* where it stands */
	struct buf block; /* one that was found */
};

/* What stands at an offset, appended to out: fewer than n bytes at the end of the file. */
static int read_at(const struct search *s, uint64_t at, size_t n, struct buf *out, struct err *e)
{
	while (n) {
		uint8_t *room;
		ssize_t got;

		if (buf_reserve(out, n, &room, e) < 0)
			return -1;
		got = pread(s->fd, room, n, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return FAIL_SYS(e, FILE, "%s", s->path);
		if (got == 0)
			break;
		buf_commit(out, (size_t)got);
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

/* The header of the block there; empty at the end of the file. */
static int show(struct search *s, uint64_t at, struct bytes *header, struct err *e)
{
	size_t window = at - s->before < SMALL ? WINDOW_MANY : WINDOW_ONE;

	s->before = at;
	*header = bytes_of(NULL, 0);
	if (at > s->size || s->size - at < SKIM_HEADER)
		return 0;
	if (at + SKIM_HEADER > s->from + s->window.n) {
		s->from = at;
		buf_clear(&s->window);
		if (read_at(s, at, window, &s->window, e) < 0)
			return -1;
	}
	*header = bytes_slice(buf_bytes(&s->window), (size_t)(at - s->from), SKIM_HEADER);
	return 0;
}

static int give(const struct search *s, const struct skim *skim,
		const struct capture_secrets_sink *sink, struct err *e)
{
	struct capture_secrets found;

	if (!skim_secrets(skim, buf_bytes(&s->block), &found) || found.type != CAPTURE_SECRETS_TLS)
		return 0;
	return sink->found(sink->ctx, found.data, e);
}

static int walk(struct search *s, const struct capture_secrets_sink *sink, struct err *e)
{
	struct skim skim = { 0 };
	struct skim_block block;
	struct bytes header;

	for (uint64_t at = 0;; at += block.n) {
		if (show(s, at, &header, e) < 0)
			return -1;
		if (!skim_next(&skim, header, &block))
			return 0;
		if (!block.secrets)
			continue;
		buf_clear(&s->block);
		if (read_at(s, at, (size_t)block.n, &s->block, e) < 0 ||
		    give(s, &skim, sink, e) < 0)
			return -1;
	}
}

int capture_input_secrets(const char *path, const struct capture_secrets_sink *sink, struct err *e)
{
	struct search s = { .path = path };
	AUTO(sock_close) int fd = -1;
	struct stat st;
	int r;

	if (strcmp(path, "-") == 0)
		return 0;
	/* A FIFO is left alone: whoever opens it must read it. */
	if (stat(path, &st) < 0)
		return FAIL_SYS(e, FILE, "%s", path);
	if (!S_ISREG(st.st_mode))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return FAIL_SYS(e, FILE, "%s", path);
	s.fd = fd;
	s.size = (uint64_t)st.st_size;
	s.window = buf_init(WINDOW_MANY);
	s.block = buf_init_secret(CAPTURE_BLOCK_MAX);
	r = walk(&s, sink, e);
	buf_fini(&s.window);
	buf_fini(&s.block);
	return r;
}
