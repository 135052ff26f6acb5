#include "proc/child.h"

#include "base/mem.h"
#include "proc/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The memory in which the kernel laid the arguments and, behind them, the environment: what ps reads. */
static struct {
	char *p;
	size_t n;
} title_area;

/* Copies the strings of a NULL-terminated vector that lie at *end one after another, and moves *end
 * behind them. What cannot be copied stays where it is and ends the area. */
static void move_strings(char **strings, char **end)
{
	for (size_t i = 0; strings[i] && strings[i] == *end; i++) {
		size_t n = strlen(strings[i]) + 1;
		char *copy = mem_str(strings[i]);

		if (!copy)
			return;
		strings[i] = copy;
		*end += n;
	}
}

/* Whoever kept a pointer to an argument must not read the title there: arguments and environment get
 * a new home, which lasts as long as the process. */
void child_title_init(int argc, char **argv)
{
	char *end;

	if (argc < 1 || title_area.p)
		return;
	title_area.p = end = argv[0];
	move_strings(argv, &end);
	if (environ && !argv[argc])
		move_strings(environ, &end);
	title_area.n = (size_t)(end - title_area.p);
}

void child_title(const char *role)
{
	char name[16];

	snprintf(name, sizeof(name), "oriel-%s", role);
	(void)prctl(PR_SET_NAME, name);
	if (title_area.n < 2)
		return;
	memset(title_area.p, 0, title_area.n);
	snprintf(title_area.p, title_area.n, "oriel: %s", role);
}

/* Descriptors */

static void close_gap(unsigned first, unsigned last)
{
	struct rlimit limit = { .rlim_cur = 1024 };

	if (first > last || close_range(first, last, 0) == 0)
		return;
	/* Linux before 5.9. */
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	for (unsigned fd = first; fd <= last && fd < limit.rlim_cur; fd++)
		close((int)fd);
}

/* The smallest of keep that is not below from; -1: none. */
static int next_kept(const struct child_options *o, int from)
{
	int best = -1;

	for (size_t i = 0; i < o->keep_count; i++) {
		if (o->keep[i] >= from && (best < 0 || o->keep[i] < best))
			best = o->keep[i];
	}
	return best;
}

static void close_others(const struct child_options *o)
{
	int from = 3, kept;

	while ((kept = next_kept(o, from)) >= 0) {
		close_gap((unsigned)from, (unsigned)kept - 1);
		from = kept + 1;
	}
	close_gap((unsigned)from, ~0u);
}

/* The child's side */

static void signals_to_default(void)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &plain, NULL); /* fails for KILL and STOP */
	(void)sigaction(SIGPIPE, &ignore, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Core files and memory hold keys. Not in builds with sanitizers, which look into their own process. */
static void hide(void)
{
	struct rlimit none = { 0 };

	if (!sandbox_available())
		return;
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
}

static _Noreturn void live(const struct child_options *o, pid_t parent)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It may have ended before the line above: then nobody would ever end this one. */
	if (getppid() != parent)
		_exit(1);
	signals_to_default();
	close_others(o);
	child_title(o->role);
	if (o->hidden)
		hide();
	exit(o->run(o->ctx));
}

int child_start(const struct child_options *o, pid_t *pid, struct err *e)
{
	sigset_t all, old;
	pid_t parent = getpid(), started;

	/* What waits in the buffers of stdio would be written by both. */
	fflush(NULL);
	/* A signal between fork and signals_to_default would run the parent's handler in the child. */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	started = fork();
	if (started == 0)
		live(o, parent);
	int failed = started < 0 ? FAIL_SYS(e, SYSTEM, "starting the %s", o->role) : 0;
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	if (failed)
		return -1;
	*pid = started;
	return 0;
}

/* The end */

enum child_state child_reap(pid_t pid, int *status)
{
	pid_t got;

	do
		got = waitpid(pid, status, WNOHANG);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		return CHILD_RUNNING;
	return got == pid ? CHILD_ENDED : CHILD_GONE;
}

const char *child_end_text(int status, char out[CHILD_TEXT_MAX])
{
	int signum = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	const char *what = sigdescr_np(signum);

	if (!signum)
		snprintf(out, CHILD_TEXT_MAX, "ended with status %d", WEXITSTATUS(status));
	else if (child_ended_by_sandbox(status))
		snprintf(out, CHILD_TEXT_MAX,
			 "was ended by the sandbox: it made a system call that is forbidden to it "
			 "(the kernel's log has its number: audit type=1326)");
	else
		snprintf(out, CHILD_TEXT_MAX, "was killed by signal %d (%s)", signum,
			 what ? what : "unknown");
	return out;
}

bool child_ended_well(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool child_ended_by_sandbox(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}
