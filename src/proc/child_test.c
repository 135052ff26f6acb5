#include "proc/child.h"

#include "net/sock.h"
#include "proc/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int wait_for(pid_t pid)
{
	int status = -1;

	for (int i = 0; i < 5000; i++) {
		enum child_state s = child_reap(pid, &status);

		if (s == CHILD_ENDED)
			return status;
		assert_int_equal(s, CHILD_RUNNING);
		usleep(1000);
	}
	kill(pid, SIGKILL);
	fail_msg("the child does not end");
	return status;
}

static pid_t start(const struct child_options *o)
{
	struct err e = { 0 };
	pid_t pid = -1;

	if (child_start(o, &pid, &e) < 0)
		fail_msg("%s", e.sentence);
	return pid;
}

static int run(int (*fn)(void *ctx), void *ctx)
{
	struct child_options o = { .role = "worker", .run = fn, .ctx = ctx };

	return wait_for(start(&o));
}

static int return_ctx(void *ctx)
{
	return *(int *)ctx;
}

static void the_result_is_the_exit_status(void **state)
{
	int zero = 0, three = 3, status;
	char text[CHILD_TEXT_MAX];

	(void)state;
	assert_true(child_ended_well(run(return_ctx, &zero)));
	status = run(return_ctx, &three);
	assert_false(child_ended_well(status));
	assert_string_equal(child_end_text(status, text), "ended with status 3");
}

static int raise_ctx(void *ctx)
{
	raise(*(int *)ctx);
	return 0;
}

static void a_signal_is_named(void **state)
{
	int term = SIGTERM, sys = SIGSYS;
	char text[CHILD_TEXT_MAX];

	(void)state;
	assert_string_equal(child_end_text(run(raise_ctx, &term), text),
			    "was killed by signal 15 (Terminated)");
	int status = run(raise_ctx, &sys);
	assert_true(child_ended_by_sandbox(status));
	assert_non_null(strstr(child_end_text(status, text), "ended by the sandbox"));
	assert_false(child_ended_well(status));
}

static void is_asked_for_once(void **state)
{
	int zero = 0, status;
	struct child_options o = { .role = "worker", .run = return_ctx, .ctx = &zero };
	pid_t pid = start(&o);

	(void)state;
	wait_for(pid);
	assert_int_equal(child_reap(pid, &status), CHILD_GONE);
}

/* Descriptors: each that is open becomes one letter, 'k' for those below 3. */
static int list_descriptors(void *ctx)
{
	int to = *(int *)ctx;
	char text[64];
	size_t n = 0;

	for (int fd = 3; fd < 1000; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 && n < sizeof(text) - 8)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%d ", fd);
	}
	return write(to, text, n) == (ssize_t)n ? 0 : 1;
}

static void only_what_is_listed_stays_open(void **state)
{
	int fds[2], one, other, kept[3];
	char text[64] = "", expected[64];
	struct child_options o = { .role = "worker",
				   .run = list_descriptors,
				   .keep = kept,
				   .keep_count = ARRAY_LEN(kept) };

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	one = fcntl(0, F_DUPFD, 700);
	other = fcntl(0, F_DUPFD, 600);
	assert_true(one >= 0 && other >= 0);
	kept[0] = one; /* in no order, and one of them twice */
	kept[1] = fds[1];
	kept[2] = one;
	o.ctx = &fds[1];
	assert_true(child_ended_well(wait_for(start(&o))));
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	snprintf(expected, sizeof(expected), "%d %d ", fds[1], one);
	assert_string_equal(text, expected);
	close(fds[0]);
	close(fds[1]);
	close(one);
	close(other);
}

static int check_signals(void *ctx)
{
	struct sigaction a;
	sigset_t mask;

	(void)ctx;
	for (int i = 1; i < 32; i++) {
		if (sigaction(i, NULL, &a) == 0 &&
		    a.sa_handler != (i == SIGPIPE ? SIG_IGN : SIG_DFL))
			return i;
	}
	sigprocmask(SIG_SETMASK, NULL, &mask);
	return sigismember(&mask, SIGTERM) || sigismember(&mask, SIGUSR1);
}

static void on_signal(int signum)
{
	(void)signum;
}

static void starts_with_plain_signals(void **state)
{
	struct sigaction a = { .sa_handler = on_signal }, old;
	sigset_t block, before, after;
	int status;

	(void)state;
	assert_int_equal(sigaction(SIGTERM, &a, &old), 0);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, &before);
	status = run(check_signals, NULL);
	/* The parent's are as they were. */
	sigprocmask(SIG_SETMASK, &before, &after);
	assert_true(sigismember(&after, SIGUSR1));
	assert_false(sigismember(&after, SIGTERM));
	assert_int_equal(sigaction(SIGTERM, &old, &a), 0);
	assert_ptr_equal(a.sa_handler, on_signal);
	assert_int_equal(status, 0);
}

static int check_hidden(void *ctx)
{
	struct rlimit core;

	(void)ctx;
	if (!sandbox_available())
		return 0;
	return prctl(PR_GET_DUMPABLE) != 0 || getrlimit(RLIMIT_CORE, &core) < 0 ||
	       core.rlim_max != 0;
}

static void a_hidden_child_leaves_no_core(void **state)
{
	struct child_options o = { .role = "keeper", .run = check_hidden, .hidden = true };

	(void)state;
	assert_int_equal(wait_for(start(&o)), 0);
}

static void read_file(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, out, size - 1);
	assert_true(n >= 0);
	out[n] = 0;
	close(fd);
}

static int wait_for_input(void *ctx)
{
	char c;

	return read(*(int *)ctx, &c, 1) == 1 ? 0 : 1;
}

/* The title is written right after the fork: not before fork returns. */
static void read_until(const char *path, const char *wanted, char *out, size_t size)
{
	for (int i = 0; i < 5000; i++) {
		read_file(path, out, size);
		if (strcmp(out, wanted) == 0)
			return;
		usleep(1000);
	}
}

static void is_named_in_the_process_list(void **state)
{
	int fds[2];
	struct child_options o = { .role = "worker", .run = wait_for_input, .keep_count = 1 };
	char path[64], text[512];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	o.keep = o.ctx = &fds[0];
	pid = start(&o);
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	read_until(path, "oriel-worker\n", text, sizeof(text));
	assert_string_equal(text, "oriel-worker\n");
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	read_until(path, "oriel: worker", text, sizeof(text));
	assert_string_equal(text, "oriel: worker");
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_true(child_ended_well(wait_for(pid)));
	/* Ours is as it was. */
	read_file("/proc/self/cmdline", text, sizeof(text));
	assert_null(strstr(text, "oriel: "));
	close(fds[0]);
	close(fds[1]);
}

/* A parent whose child would live for ever; it tells the child's pid and is then killed. */
static int sleep_long(void *ctx)
{
	(void)ctx;
	pause();
	return 0;
}

static int start_one_and_wait(void *ctx)
{
	int to = *(int *)ctx;
	struct child_options o = {
		.role = "keeper", .run = sleep_long, .keep = &to, .keep_count = 1
	};
	pid_t pid;

	if (child_start(&o, &pid, NULL) < 0 || write(to, &pid, sizeof(pid)) != sizeof(pid))
		return 1;
	pause();
	return 0;
}

static void is_gone_when_its_parent_is(void **state)
{
	int fds[2];
	struct child_options o = { .role = "worker", .run = start_one_and_wait, .keep_count = 1 };
	pid_t parent, child;
	char c;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	o.keep = o.ctx = &fds[1];
	parent = start(&o);
	sock_close(&fds[1]);
	assert_int_equal(read(fds[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(kill(parent, SIGKILL), 0);
	wait_for(parent);
	/* The child holds the other end of the pipe: its end is the pipe's. */
	assert_int_equal(read(fds[0], &c, 1), 0);
	close(fds[0]);
}

static int return_at_once(void *ctx)
{
	(void)ctx;
	return 0;
}

static void what_waits_in_stdio_is_written_once(void **state)
{
	char path[] = "/tmp/oriel-child-XXXXXX", text[64];
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	struct child_options o = {
		.role = "test", .run = return_at_once, .keep = &fd, .keep_count = 1
	};

	(void)state;
	assert_non_null(f);
	fputs("once\n", f);
	assert_int_equal(wait_for(start(&o)), 0);
	fclose(f);
	read_file(path, text, sizeof(text));
	assert_string_equal(text, "once\n");
	unlink(path);
}

static char **arguments;

static void arguments_survive_the_title(void **state)
{
	(void)state;
	/* main has called child_title_init: they lie elsewhere now. */
	assert_non_null(strstr(arguments[0], "child"));
	assert_non_null(getenv("PATH"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_result_is_the_exit_status),
		cmocka_unit_test(a_signal_is_named),
		cmocka_unit_test(is_asked_for_once),
		cmocka_unit_test(only_what_is_listed_stays_open),
		cmocka_unit_test(starts_with_plain_signals),
		cmocka_unit_test(a_hidden_child_leaves_no_core),
		cmocka_unit_test(is_named_in_the_process_list),
		cmocka_unit_test(is_gone_when_its_parent_is),
		cmocka_unit_test(what_waits_in_stdio_is_written_once),
		cmocka_unit_test(arguments_survive_the_title),
	};

	child_title_init(argc, argv);
	arguments = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
