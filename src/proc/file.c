#include "proc/file.h"

#include "base/mem.h"
#include "net/sock.h"
#include "proc/drop.h"
#include "proc/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every check is made on the open descriptor, never on the path: between two looks at a path it may
 * have become another file. */

#define READ_STEP 65536

static int read_all(int fd, const char *path, struct buf *out, struct err *e)
{
	size_t before = out->n;

	for (;;) {
		/* A byte more than the limit allows, to tell a file that fits from one that does not. */
		size_t room = buf_room(out), n = room < READ_STEP ? room : READ_STEP;
		uint8_t extra, *to = &extra;
		ssize_t got;

		if (n && buf_reserve(out, n, &to, e) < 0)
			return -1;
		do
			got = read(fd, to, n ? n : 1);
		while (got < 0 && errno == EINTR);
		if (got == 0)
			return 0;
		if (got > 0 && n) {
			buf_commit(out, (size_t)got);
			continue;
		}
		/* As it was: nothing of a file that cannot be read whole is kept. */
		out->n = before;
		if (got < 0)
			return FAIL_SYS(e, FILE, "%s", path);
		return FAIL(e, LIMIT, "%s is larger than %zu bytes", path, out->max - before);
	}
}

static int open_read(const char *path, struct stat *st, struct err *e)
{
	/* Opening a FIFO would wait for a writer. */
	AUTO(sock_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0 || fstat(fd, st) < 0)
		return FAIL_SYS(e, FILE, "%s", path);
	/* From here on reading may wait, as for /dev/stdin or <(a program). */
	if (fcntl(fd, F_SETFL, 0) < 0)
		return FAIL_SYS(e, FILE, "%s", path);
	return sock_take(&fd);
}

int file_read(const char *path, struct buf *out, struct err *e)
{
	struct stat st;
	AUTO(sock_close) int fd = open_read(path, &st, e);

	return fd < 0 ? -1 : read_all(fd, path, out, e);
}

/* Ours, or root's; under sudo also the invoker's. */
static bool is_trusted_owner(uid_t uid)
{
	struct invoker by = invoker_get();

	return uid == geteuid() || uid == 0 || (by.sudo && uid == by.uid);
}

static int unsafe(struct err *e, const char *path, const char *reason)
{
	return FAIL(e, UNSAFE_FILE, "%s %s", path, reason);
}

int file_read_secret(const char *path, struct buf *out, struct err *e)
{
	struct stat st;
	AUTO(sock_close) int fd = open_read(path, &st, e);

	if (fd < 0)
		return -1;
	if (!S_ISREG(st.st_mode))
		return unsafe(e, path, "is not a regular file");
	if (!is_trusted_owner(st.st_uid))
		return unsafe(e, path, "belongs to another user");
	if (st.st_mode & 077)
		return FAIL(e, UNSAFE_FILE,
			    "%s may be read or changed by others (mode %04o): chmod 600 it", path,
			    (unsigned)(st.st_mode & 07777));
	return read_all(fd, path, out, e);
}

/* Writing */

int file_put(int fd, struct bytes b)
{
	while (b.n) {
		ssize_t n = write(fd, b.p, b.n);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			b = bytes_slice(b, (size_t)n, b.n);
	}
	return 0;
}

/* The folder that path lies in: "." for a plain name. */
static void folder_of(char out[PATHS_MAX], const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	if (slash && n == 0)
		n = 1; /* the root */
	snprintf(out, PATHS_MAX, "%.*s", slash ? (int)n : 1, slash ? path : ".");
}

static int sync_folder(const char *path)
{
	char folder[PATHS_MAX];
	int fd, result;

	folder_of(folder, path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	result = fsync(fd);
	/* Some file systems cannot sync a folder, and need not. */
	if (result < 0 && (errno == EINVAL || errno == ENOTSUP))
		result = 0;
	sock_close(&fd);
	return result;
}

/* A draft */

static void draft_init(struct file_draft *d, const char *path)
{
	*d = (struct file_draft){ .fd = -1 };
	snprintf(d->path, sizeof(d->path), "%s", path);
}

static int make_temporary(struct file_draft *d, mode_t mode, struct err *e)
{
	int n = snprintf(d->temporary, sizeof(d->temporary), "%s.XXXXXX", d->path);

	if (n < 0 || (size_t)n >= sizeof(d->temporary)) {
		d->temporary[0] = 0;
		return FAIL(e, FILE, "%.200s…: the path is too long", d->path);
	}
	d->fd = mkostemp(d->temporary, O_CLOEXEC); /* 0600, O_EXCL */
	if (d->fd < 0)
		d->temporary[0] = 0; /* nothing to remove */
	if (d->fd < 0 || fchmod(d->fd, mode) < 0)
		return FAIL_SYS(e, FILE, "%s", d->path);
	return 0;
}

int file_draft_open(const char *path, mode_t mode, struct file_draft *d, struct err *e)
{
	AUTO(file_draft_discard) struct file_draft made;
	struct stat st;

	draft_init(&made, path);
	if (stat(path, &st) < 0 || S_ISREG(st.st_mode)) {
		if (make_temporary(&made, mode, e) < 0)
			return -1;
		if (invoker_own(made.fd, e) < 0)
			return err_ctx(e, "%s", path);
	} else {
		made.fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		if (made.fd < 0)
			return FAIL_SYS(e, FILE, "%s", path);
	}
	*d = made;
	draft_init(&made, path); /* it is the caller's now */
	return 0;
}

int file_draft_write(struct file_draft *d, struct bytes b, struct err *e)
{
	return file_put(d->fd, b) < 0 ? FAIL_SYS(e, FILE, "%s", d->path) : 0;
}

int file_draft_commit(struct file_draft *d, struct err *e)
{
	bool replaces = d->temporary[0];

	if (replaces && (fsync(d->fd) < 0 || rename(d->temporary, d->path) < 0))
		return FAIL_SYS(e, FILE, "%s", d->path);
	d->temporary[0] = 0;
	sock_close(&d->fd);
	/* The new content is there now; only that it outlives a crash is not sure yet. */
	if (replaces && sync_folder(d->path) < 0)
		return FAIL_SYS(e, FILE, "%s: its folder cannot be synced", d->path);
	return 0;
}

void file_draft_discard(struct file_draft *d)
{
	if (d->temporary[0])
		(void)unlink(d->temporary);
	d->temporary[0] = 0;
	sock_close(&d->fd);
}

int file_write(const char *path, struct bytes content, mode_t mode, struct err *e)
{
	AUTO(file_draft_discard) struct file_draft d;

	draft_init(&d, path);
	if (make_temporary(&d, mode, e) < 0 || file_draft_write(&d, content, e) < 0)
		return -1;
	return file_draft_commit(&d, e);
}

/* Secrets */

int file_make_secret(const char *path, int *fd, struct err *e)
{
	int flags = O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_WRONLY | O_APPEND;
	AUTO(sock_close) int made = open(path, flags, 0600);

	if (made < 0 && (errno == EEXIST || errno == ELOOP))
		return unsafe(e, path, "is there already");
	/* The mode is set again, since the umask may have taken from it. */
	if (made < 0 || fchmod(made, 0600) < 0)
		return FAIL_SYS(e, FILE, "%s", path);
	if (invoker_own(made, e) < 0)
		return err_ctx(e, "%s", path);
	*fd = sock_take(&made);
	return 0;
}

static int check_append(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return FAIL_SYS(e, FILE, "%s", path);
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return unsafe(e, path, "is neither a regular file nor a FIFO");
	if (st.st_uid != geteuid() && !(invoker_get().sudo && st.st_uid == invoker_get().uid))
		return unsafe(e, path, "belongs to another user");
	if (S_ISFIFO(st.st_mode) && !(st.st_mode & 077))
		return 0;
	if (S_ISREG(st.st_mode) && st.st_nlink != 1)
		return unsafe(e, path, "has a second name (a hard link)");
	if (S_ISFIFO(st.st_mode) || (st.st_mode & 07777) != 0600)
		return FAIL(e, UNSAFE_FILE, "%s has mode %04o, which is not 0600: chmod 600 it",
			    path, (unsigned)(st.st_mode & 07777));
	return 0;
}

/* A FIFO is opened for reading too: otherwise it could not be opened before somebody reads, and a
 * reader that goes away would end us with SIGPIPE. Only a FIFO: a file need not be readable. */
static int open_append(const char *path)
{
	int flags = O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISFIFO(st.st_mode))
		return open(path, flags | O_RDWR);
	return open(path, flags | O_WRONLY);
}

int file_open_secret_append(const char *path, int *fd, struct err *e)
{
	AUTO(sock_close) int opened = open_append(path);

	if (opened < 0 && errno == ENOENT)
		return file_make_secret(path, fd, e);
	if (opened < 0 && errno == ELOOP)
		return unsafe(e, path, "is a symbolic link");
	if (opened < 0)
		return FAIL_SYS(e, FILE, "%s", path);
	if (check_append(opened, path, e) < 0)
		return -1;
	*fd = sock_take(&opened);
	return 0;
}

/* Folders */

static int close_folder(const char *path, struct err *e)
{
	AUTO(sock_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return FAIL_SYS(e, FILE, "%s", path);
	if (st.st_uid != geteuid())
		return unsafe(e, path, "belongs to another user");
	if ((st.st_mode & 077) && fchmod(fd, 0700) < 0)
		return FAIL_SYS(e, FILE, "%s", path);
	return 0;
}

int file_make_private_dir(const char *path, struct err *e)
{
	char part[PATHS_MAX];
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(part))
		return FAIL(e, FILE, "a folder's path has 1 to %zu bytes, not %zu",
			    sizeof(part) - 1, n);
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != 0)
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return FAIL_SYS(e, FILE, "%s", part);
	}
	return close_folder(path, e);
}
