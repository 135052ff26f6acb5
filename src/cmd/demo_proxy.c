#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/demo.h"
#include "net/loop.h"
#include "proc/child.h"
#include "proc/file.h"

#define WAIT_NS ((int64_t)5 * 1000000000)
#define TICK_MS 5

/* Nothing else is dialled, whatever a stranger on this machine asks for meanwhile. */
static const char config[] = "listeners:\n"
			     "  - bind: 127.0.0.1:0\n"
			     "    rules:\n"
			     "      - {match: {target: [\"*.oriel.test\"]}, do: bump}\n"
			     "    default: block\n"
			     "hosts: {" DEMO_GOOD ": 127.0.0.1, " DEMO_EXPIRED ": 127.0.0.1}\n"
			     "threads: 1\n";

static void set(const char *name, const char *value)
{
	if (setenv(name, value, 1) < 0)
		_exit(127);
}

static void become(const struct demo_proxy *p, const char *dir)
{
	const char *argv[] = { "oriel", "run", p->config, "--admin", p->admin, NULL };
	union {
		const char *const *given;
		char *const *wanted; /* execv changes nothing of it */
	} words = { .given = argv };
	int log = open(p->log, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (log < 0 || dup2(log, STDERR_FILENO) < 0)
		_exit(127);
	set("HOME", dir);
	set("XDG_STATE_HOME", dir);
	set("SSL_CERT_FILE", p->roots);
	set("SSLKEYLOGFILE", p->keys);
	unsetenv("SSL_CERT_DIR");
	execv("/proc/self/exe", words.wanted);
	_exit(127);
}

static int prepare(struct demo_proxy *p, const char *dir, struct bytes roots_pem, struct err *e)
{
	if (paths_join(p->config, dir, "oriel.yaml", e) < 0 ||
	    paths_join(p->admin, dir, "admin.sock", e) < 0 ||
	    paths_join(p->keys, dir, "keys", e) < 0 ||
	    paths_join(p->roots, dir, "roots.pem", e) < 0 ||
	    paths_join(p->log, dir, "log", e) < 0 ||
	    file_write(p->config, bytes_str(config), 0600, e) < 0)
		return -1;
	return file_write(p->roots, roots_pem, 0600, e);
}

static bool has_ended(struct demo_proxy *p)
{
	int status;

	if (!p->pid || child_reap(p->pid, &status) != CHILD_RUNNING)
		p->pid = 0;
	return p->pid == 0;
}

static int wait_ready(struct demo_proxy *p, struct err *e)
{
	int64_t until = clock_mono_ns() + WAIT_NS;

	while (settings_ask_proxy(p->admin, &p->settings, e) < 0) {
		if (e->code != ERR_CONNECT)
			return -1;
		if (has_ended(p))
			return FAIL(e, SYSTEM, "oriel run ended at its start");
		if (clock_mono_ns() > until)
			return FAIL(e, TIMEOUT, "oriel run does not answer");
		poll(NULL, 0, TICK_MS);
	}
	return 0;
}

int demo_proxy_start(struct demo_proxy *p, const char *dir, struct bytes roots_pem, struct err *e)
{
	*p = (struct demo_proxy){ .pid = 0 };
	if (prepare(p, dir, roots_pem, e) < 0)
		return -1;
	p->pid = fork();
	if (p->pid < 0) {
		p->pid = 0;
		return FAIL_SYS(e, SYSTEM, "oriel run");
	}
	if (p->pid == 0)
		become(p, dir);
	return wait_ready(p, e);
}

int demo_proxy_stop(struct demo_proxy *p, struct err *e)
{
	int64_t until = clock_mono_ns() + WAIT_NS;

	if (p->pid)
		kill(p->pid, SIGTERM);
	while (!has_ended(p)) {
		if (clock_mono_ns() > until) {
			kill(p->pid, SIGKILL);
			(void)waitpid(p->pid, NULL, 0);
			p->pid = 0;
			return FAIL(e, TIMEOUT, "oriel run does not end");
		}
		poll(NULL, 0, TICK_MS);
	}
	return 0;
}
