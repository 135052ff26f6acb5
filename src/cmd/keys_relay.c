#include "cmd/keys_relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/keys_command.h"
#include "cmd/tempdir.h"
#include "net/sock.h"

enum { ROOM = 1 << 20 };

int keys_relay_init(struct keys_relay *r, struct err *e)
{
	*r = (struct keys_relay){ .fd = -1 };
	if (tempdir_make(r->folder, e) < 0) {
		r->folder[0] = 0;
		return -1;
	}
	if (paths_join(r->file, r->folder, "keys", e) < 0)
		return -1;
	/* For writing too: it never ends while nobody writes. */
	if (mkfifo(r->file, 0600) < 0 ||
	    (r->fd = open(r->file, O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0)
		return FAIL_SYS(e, FILE, "%s", r->file);
	(void)fcntl(r->fd, F_SETPIPE_SZ, ROOM); /* what does not fit is lost to whoever writes it */
	return 0;
}

void keys_relay_fini(struct keys_relay *r)
{
	struct err e = { 0 };

	sock_close(&r->fd);
	if (r->folder[0] && tempdir_remove(r->folder, &e) < 0)
		fprintf(stderr, "oriel: %s\n", e.sentence);
	r->folder[0] = 0;
}

/* All that is there. Once standard output takes no more, it is read and dropped. */
static void hand_on(int fd, int *failed)
{
	char room[65536];
	ssize_t n;

	while ((n = read(fd, room, sizeof(room))) > 0) {
		for (ssize_t at = 0; at < n && !*failed;) {
			ssize_t done = write(STDOUT_FILENO, room + at, (size_t)(n - at));

			if (done < 0 && errno != EINTR)
				*failed = errno;
			else if (done > 0)
				at += done;
		}
	}
	explicit_bzero(room, sizeof(room));
}

static void until_it_ends(struct keys_relay *r, int process, int *failed)
{
	struct pollfd wait[] = { { .fd = r->fd, .events = POLLIN },
				 { .fd = process, .events = POLLIN } };

	while (!wait[1].revents) {
		if (poll(wait, ARRAY_LEN(wait), -1) < 0)
			wait[0].revents = wait[1].revents = 0;
		if (wait[0].revents)
			hand_on(r->fd, failed);
	}
	hand_on(r->fd, failed);
}

static pid_t start(char **command)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		_exit(KEYS_CANNOT_RUN);
	_exit(keys_command_run(command));
}

static volatile sig_atomic_t command_pid;

static void pass_on(int number)
{
	kill((pid_t)command_pid, number);
}

/* The terminal's signals reach the command too; those that are sent to us are passed on. We end after it. */
static void take_signals(pid_t pid)
{
	const struct sigaction pass = { .sa_handler = pass_on, .sa_flags = SA_RESTART };

	command_pid = pid;
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &pass, NULL);
	sigaction(SIGHUP, &pass, NULL);
}

int keys_relay_run(struct keys_relay *r, char **command, int *status, struct err *e)
{
	AUTO(sock_close) int process = -1;
	int failed = 0, raw = 0;
	pid_t pid = start(command);

	if (pid < 0)
		return FAIL_SYS(e, SYSTEM, "fork");
	take_signals(pid);
	process = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process >= 0)
		until_it_ends(r, process, &failed);
	while (waitpid(pid, &raw, 0) < 0) {
		if (errno != EINTR)
			return FAIL_SYS(e, SYSTEM, "waiting for the command");
	}
	*status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
	errno = failed;
	return failed ? FAIL_SYS(e, FILE, "standard output") : 0;
}
