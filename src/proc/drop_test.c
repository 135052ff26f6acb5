#include "proc/drop.h"

#include "proc/child.h"

#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <netinet/in.h>

#include <cmocka.h>

enum { NOBODY = 65534 };

static int run(int (*fn)(void *ctx), void *ctx)
{
	struct child_options o = { .role = "test", .run = fn, .ctx = ctx };
	struct err e = { 0 };
	int status = -1;
	pid_t pid;

	if (child_start(&o, &pid, &e) < 0)
		fail_msg("%s", e.sentence);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Each check is a number, so that a failure in the child can be told. */
static int check_nobody(unsigned keep)
{
	struct drop_user nobody = { NOBODY, NOBODY };
	struct err e = { 0 };
	const gid_t groups[] = { 1, 2, 3 };
	int signum = 0;

	if (setgroups(3, groups) < 0)
		return 1;
	if (drop_privileges(&nobody, keep, &e) < 0) {
		fprintf(stderr, "%s\n", e.sentence);
		return 2;
	}
	if (getuid() != NOBODY || geteuid() != NOBODY || getgid() != NOBODY)
		return 3;
	if (getgroups(0, NULL) != 0 || setuid(0) == 0 || setgroups(1, groups) == 0)
		return 4;
	if (open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0)
		return 5;
	/* A change of user makes the kernel forget this. */
	if (prctl(PR_GET_PDEATHSIG, &signum) < 0 || signum != SIGKILL)
		return 6;
	return drop_has_net_admin() != (keep == DROP_KEEP_NET_ADMIN) ? 7 : 0;
}

static int become_nobody(void *ctx)
{
	(void)ctx;
	return check_nobody(DROP_KEEP_NONE);
}

static int become_nobody_with_net_admin(void *ctx)
{
	int on = 1, s, failed;

	(void)ctx;
	failed = check_nobody(DROP_KEEP_NET_ADMIN);
	if (failed)
		return failed;
	/* It is of use. */
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return setsockopt(s, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on)) < 0 ? 8 : 0;
}

static void root_becomes_another_user_for_good(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(run(become_nobody, NULL), 0);
}

static void one_capability_may_be_kept(void **state)
{
	(void)state;
	if (geteuid() != 0 || !drop_has_net_admin())
		skip();
	assert_int_equal(run(become_nobody_with_net_admin, NULL), 0);
}

static int drop_capabilities(void *ctx)
{
	uid_t before = geteuid();

	(void)ctx;
	if (drop_privileges(NULL, DROP_KEEP_NONE, NULL) < 0)
		return 1;
	if (geteuid() != before || drop_has_net_admin())
		return 2;
	/* Nothing is left to be dropped: it still succeeds, and there is nothing to keep. */
	if (drop_privileges(NULL, DROP_KEEP_NET_ADMIN, NULL) < 0)
		return 3;
	return drop_has_net_admin() ? 4 : 0;
}

static void staying_who_we_are_gives_up_the_capabilities(void **state)
{
	(void)state;
	assert_int_equal(run(drop_capabilities, NULL), 0);
}

static int try_another_user(void *ctx)
{
	struct drop_user other = { 12345, 12345 };

	(void)ctx;
	if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return 1;
	return drop_privileges(&other, DROP_KEEP_NONE, NULL) < 0 ? 0 : 2;
}

static void an_ordinary_user_cannot_become_another(void **state)
{
	(void)state;
	assert_int_equal(run(try_another_user, NULL), 0);
}

static void users_are_found_by_name_and_number(void **state)
{
	struct drop_user u;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(drop_user_find("root", &u, &e), 0);
	assert_int_equal(u.uid, 0);
	assert_int_equal(drop_user_find("0", &u, &e), 0);
	assert_int_equal(u.uid, 0);
	assert_int_equal(drop_user_find("nobody", &u, &e), 0);
	assert_int_equal(u.uid, NOBODY);
	assert_int_equal(drop_user_find("no such user", &u, &e), -1);
	assert_non_null(strstr(e.sentence, "no such user"));
	assert_int_equal(drop_user_find("4294967295", &u, &e), -1);
}

static void sudo_is_believed_only_as_root(void **state)
{
	static const char *const bad[] = { "",		 "x",	  "-1",
					   "4294967295", "1000 ", "99999999999999999999" };
	struct invoker by;

	(void)state;
	unsetenv("SUDO_UID");
	assert_false(invoker_get().sudo);
	setenv("SUDO_UID", "1000", 1);
	unsetenv("SUDO_GID");
	assert_false(invoker_get().sudo);
	setenv("SUDO_GID", "1001", 1);
	by = invoker_get();
	assert_int_equal(by.sudo, geteuid() == 0);
	if (by.sudo) {
		assert_int_equal(by.uid, 1000);
		assert_int_equal(by.gid, 1001);
	} else {
		assert_int_equal(by.uid, geteuid());
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		setenv("SUDO_UID", bad[i], 1);
		assert_false(invoker_get().sudo);
	}
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_becomes_another_user_for_good),
		cmocka_unit_test(one_capability_may_be_kept),
		cmocka_unit_test(staying_who_we_are_gives_up_the_capabilities),
		cmocka_unit_test(an_ordinary_user_cannot_become_another),
		cmocka_unit_test(users_are_found_by_name_and_number),
		cmocka_unit_test(sudo_is_believed_only_as_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
