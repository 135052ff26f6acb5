#include "proc/paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void set(const char *name, const char *value)
{
	if (value)
		assert_int_equal(setenv(name, value, 1), 0);
	else
		assert_int_equal(unsetenv(name), 0);
}

static const char *state_dir(void)
{
	static char path[PATHS_MAX];
	struct err e = { 0 };

	if (paths_state_dir(path, &e) < 0)
		fail_msg("%s", e.sentence);
	return path;
}

static const char *runtime_dir(void)
{
	static char path[PATHS_MAX];
	struct err e = { 0 };

	if (paths_runtime_dir(path, &e) < 0)
		fail_msg("%s", e.sentence);
	return path;
}

static int forget(void **state)
{
	(void)state;
	set("XDG_STATE_HOME", NULL);
	set("XDG_RUNTIME_DIR", NULL);
	set("HOME", "/home/somebody");
	return 0;
}

static void state_is_kept_where_the_standard_says(void **state)
{
	(void)state;
	assert_string_equal(state_dir(), "/home/somebody/.local/state/oriel");
	set("XDG_STATE_HOME", "/var/state/");
	assert_string_equal(state_dir(), "/var/state/oriel");
}

static void relative_and_empty_values_are_ignored(void **state)
{
	(void)state;
	set("XDG_STATE_HOME", "state");
	set("XDG_RUNTIME_DIR", "");
	assert_string_equal(state_dir(), "/home/somebody/.local/state/oriel");
	set("SSLKEYLOGFILE", "keys.log");
	assert_null(paths_env("SSLKEYLOGFILE", false));
	assert_string_equal(paths_env("SSLKEYLOGFILE", true), "keys.log");
	set("SSLKEYLOGFILE", NULL);
	assert_null(paths_env("SSLKEYLOGFILE", true));
}

static void without_home_the_user_database_is_asked(void **state)
{
	(void)state;
	set("HOME", NULL);
	if (geteuid() == 0)
		assert_string_equal(state_dir(), "/root/.local/state/oriel");
	else
		assert_int_equal(state_dir()[0], '/');
}

static void sockets_lie_in_the_runtime_folder(void **state)
{
	(void)state;
	set("XDG_RUNTIME_DIR", "/run/user/1000");
	assert_string_equal(runtime_dir(), "/run/user/1000/oriel");
	set("XDG_RUNTIME_DIR", NULL);
	assert_string_equal(runtime_dir(), geteuid() == 0
						   ? "/run/oriel"
						   : "/home/somebody/.local/state/oriel/run");
}

static void joins_with_one_slash(void **state)
{
	char path[PATHS_MAX];

	(void)state;
	assert_int_equal(paths_join(path, "/a", "b", NULL), 0);
	assert_string_equal(path, "/a/b");
	assert_int_equal(paths_join(path, path, "c", NULL), 0);
	assert_string_equal(path, "/a/b/c");
	assert_int_equal(paths_join(path, "/", "b", NULL), 0);
	assert_string_equal(path, "/b");
	assert_int_equal(paths_join(path, "/a/b", "", NULL), 0);
	assert_string_equal(path, "/a/b");
	assert_int_equal(paths_join(path, "", "b", NULL), 0);
	assert_string_equal(path, "b");
}

static void never_cuts_a_path_off(void **state)
{
	static char name[PATHS_MAX + 1];
	char path[PATHS_MAX];
	struct err e = { 0 };

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[PATHS_MAX - 3] = 0;
	assert_int_equal(paths_join(path, "/", name, &e), 0);
	assert_int_equal(paths_join(path, "/b", name, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	set("XDG_STATE_HOME", "/");
	name[0] = '/';
	set("XDG_STATE_HOME", name);
	assert_int_equal(paths_state_dir(path, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(state_is_kept_where_the_standard_says, forget),
		cmocka_unit_test_setup(relative_and_empty_values_are_ignored, forget),
		cmocka_unit_test_setup(without_home_the_user_database_is_asked, forget),
		cmocka_unit_test_setup(sockets_lie_in_the_runtime_folder, forget),
		cmocka_unit_test(joins_with_one_slash),
		cmocka_unit_test_setup(never_cuts_a_path_off, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
