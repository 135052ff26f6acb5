#include "preload/keylog_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Above what programs number by themselves: some rely on getting the lowest number that is free. */
enum { HIGH_DESCRIPTOR = 700 };

static char path[PATH_MAX];
/* Whose file may be appended to besides our own: whoever called sudo. */
static uid_t invoker;
static bool has_invoker;

/* The descriptor, plus one; 0: not open. What it is, so that a program which closes descriptors that
 * it does not know, and gets the number again for something else, never finds secrets there. */
static atomic_int opened;
static _Atomic uint64_t device, inode;

static void remember_invoker(void)
{
	const char *text = secure_getenv("SUDO_UID");
	char *end = NULL;
	unsigned long uid = text ? strtoul(text, &end, 10) : 0;

	has_invoker = text && *text && *end == 0 && uid < UINT32_MAX && geteuid() == 0;
	invoker = (uid_t)uid;
}

void keylog_file_init(void)
{
	int before = errno;
	const char *name = secure_getenv("ORIEL_KEYLOG");
	char folder[PATH_MAX];
	int n;

	path[0] = 0;
	if (!name || !*name)
		return;
	if (name[0] == '/')
		n = snprintf(path, sizeof(path), "%s", name);
	else if (getcwd(folder, sizeof(folder)))
		n = snprintf(path, sizeof(path), "%s/%s", folder, name);
	else
		n = -1;
	if (n < 0 || (size_t)n >= sizeof(path))
		path[0] = 0;
	remember_invoker();
	errno = before;
}

bool keylog_file_wanted(void)
{
	return path[0] != 0;
}

bool keylog_file_is_usual(void)
{
	const char *name = secure_getenv("SSLKEYLOGFILE");

	return name && keylog_file_wanted() && strcmp(name, path) == 0;
}

static bool is_safe(const struct stat *st)
{
	bool ours = st->st_uid == geteuid() || (has_invoker && st->st_uid == invoker);

	if (S_ISFIFO(st->st_mode))
		return ours && (st->st_mode & 077) == 0;
	return S_ISREG(st->st_mode) && ours && st->st_nlink == 1 && (st->st_mode & 07777) == 0600;
}

/* A FIFO is opened for reading too, or a reader that goes away would end the program by SIGPIPE. */
static int open_or_make(void)
{
	int flags = O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct stat st;
	int fd;

	if (lstat(path, &st) == 0)
		return open(path, flags | (S_ISFIFO(st.st_mode) ? O_RDWR : O_WRONLY));
	fd = open(path, flags | O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd >= 0)
		(void)fchmod(fd, 0600); /* the umask may have taken from it */
	else if (errno == EEXIST)	/* another process was faster */
		fd = open(path, flags | O_WRONLY);
	return fd;
}

static int move_up(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);

	if (high < 0)
		return fd; /* the limit is lower */
	close(fd);
	return high;
}

static bool still_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* -1 when there is none. Two threads may both open it: it is the same file, one of them closes. */
static int descriptor(void)
{
	int known = atomic_load(&opened);
	struct stat st;
	int fd;

	if (known > 0 && still_ours(known - 1))
		return known - 1;
	fd = open_or_make();
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !is_safe(&st)) {
		close(fd);
		return -1;
	}
	fd = move_up(fd);
	atomic_store(&device, st.st_dev);
	atomic_store(&inode, st.st_ino);
	if (atomic_compare_exchange_strong(&opened, &known, fd + 1))
		return fd;
	close(fd);
	return known > 0 && still_ours(known - 1) ? known - 1 : -1;
}

void keylog_file_open(void)
{
	int before = errno;

	if (keylog_file_wanted())
		(void)descriptor();
	errno = before;
}

/* A file that may not grow (RLIMIT_FSIZE) ends a process by SIGXFSZ: not on our account. */
static void write_quietly(int fd, const char *text, size_t n)
{
	const struct timespec now = { 0 };
	sigset_t one, old;
	ssize_t done;

	sigemptyset(&one);
	sigaddset(&one, SIGXFSZ);
	if (pthread_sigmask(SIG_BLOCK, &one, &old) != 0)
		return;
	do
		done = write(fd, text, n);
	while (done < 0 && errno == EINTR);
	if (done < 0 && errno == EFBIG && !sigismember(&old, SIGXFSZ))
		(void)sigtimedwait(&one, NULL, &now);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void keylog_file_add(const char *line)
{
	int before = errno;
	char text[KEYLOG_FILE_LINE_MAX];
	size_t n = strnlen(line, sizeof(text));
	int fd;

	if (keylog_file_wanted() && n < sizeof(text) && (fd = descriptor()) >= 0) {
		memcpy(text, line, n);
		text[n] = '\n';
		write_quietly(fd, text, n + 1);
		explicit_bzero(text, sizeof(text));
	}
	errno = before;
}
