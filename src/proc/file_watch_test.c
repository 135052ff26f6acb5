#include "proc/file_watch.h"

#include "net/sock.h"
#include "proc/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char before[PATHS_MAX];

/* Each test is in an empty folder of its own. */
static int go_in(void **state)
{
	static char dir[64];

	snprintf(dir, sizeof(dir), "/tmp/oriel-watch-XXXXXX");
	*state = mkdtemp(dir);
	return *state && getcwd(before, sizeof(before)) && chdir(dir) == 0 ? 0 : -1;
}

static int go_out(void **state)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf '%s'", (const char *)*state);
	return chdir(before) == 0 && system(command) == 0 ? 0 : -1;
}

static void write_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	sock_close(&fd);
}

static struct file_watch *watch(const char *path)
{
	struct file_watch *w;

	assert_int_equal(file_watch_new(path, &w, NULL), 0);
	assert_false(file_watch_run(w));
	return w;
}

/* inotify's events are there as soon as the call that made them returns. */
static bool heard(struct file_watch *w)
{
	struct pollfd p = { .fd = file_watch_fd(w), .events = POLLIN };
	bool readable = poll(&p, 1, 0) == 1;
	bool changed = file_watch_run(w);

	assert_true(readable || !changed);
	assert_false(file_watch_run(w));
	return changed;
}

static void hears_of_a_file_written_or_replaced(void **state)
{
	static const char *const paths[] = { "a.yaml", "./a.yaml", ".//./a.yaml" };

	(void)state;
	write_file("a.yaml");
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct file_watch *w = watch(paths[i]);

		write_file("a.yaml");
		assert_true(heard(w));
		write_file("new");
		assert_false(heard(w));
		assert_int_equal(rename("new", "a.yaml"), 0);
		assert_true(heard(w));
		file_watch_free(w);
	}
}

static void takes_a_file_being_made_only_when_it_is_closed(void **state)
{
	struct file_watch *w = watch("a.yaml");
	int fd = open("a.yaml", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_false(heard(w));
	sock_close(&fd);
	assert_true(heard(w));
	file_watch_free(w);
}

static void hears_of_the_target_of_a_link(void **state)
{
	struct file_watch *w;

	(void)state;
	assert_int_equal(mkdir("target", 0700), 0);
	write_file("target/b.yaml");
	assert_int_equal(symlink("target/b.yaml", "a.yaml"), 0);
	w = watch("a.yaml");
	write_file("target/b.yaml");
	assert_true(heard(w));
	write_file("target/a.yaml");
	assert_false(heard(w));
	/* The link leads elsewhere: so does the watch. */
	write_file("c.yaml");
	assert_int_equal(symlink("c.yaml", "new"), 0);
	assert_int_equal(rename("new", "a.yaml"), 0);
	assert_true(heard(w));
	write_file("target/b.yaml");
	assert_false(heard(w));
	write_file("c.yaml");
	assert_true(heard(w));
	/* As `ln -sf` of old makes it. */
	assert_int_equal(unlink("a.yaml"), 0);
	assert_false(heard(w));
	assert_int_equal(symlink("target/b.yaml", "a.yaml"), 0);
	assert_true(heard(w));
	file_watch_free(w);
}

/* ./a.yaml -> ..data/a.yaml, ..data -> ..1: the kubelet makes ..2 and renames a new ..data. */
static void hears_of_a_config_map_that_is_swapped(void **state)
{
	char path[PATHS_MAX];
	struct file_watch *w;

	(void)state;
	assert_int_equal(mkdir("..1", 0700), 0);
	write_file("..1/a.yaml");
	assert_int_equal(symlink("..1", "..data"), 0);
	assert_int_equal(symlink("..data/a.yaml", "a.yaml"), 0);
	snprintf(path, sizeof(path), "%s/a.yaml", (const char *)*state);
	w = watch(path);
	for (int i = 2; i < 5; i++) {
		char old[8], dir[8], file[20];

		snprintf(old, sizeof(old), "..%d", i - 1);
		snprintf(dir, sizeof(dir), "..%d", i);
		snprintf(file, sizeof(file), "%s/a.yaml", dir);
		assert_int_equal(mkdir(dir, 0700), 0);
		write_file(file);
		assert_int_equal(symlink(dir, "..data_tmp"), 0);
		assert_false(heard(w));
		assert_int_equal(rename("..data_tmp", "..data"), 0);
		assert_true(heard(w));
		snprintf(file, sizeof(file), "%s/a.yaml", old);
		assert_int_equal(unlink(file), 0);
		assert_int_equal(rmdir(old), 0);
		assert_false(heard(w));
	}
	file_watch_free(w);
}

static void waits_for_what_is_not_there_yet(void **state)
{
	struct file_watch *w = watch("d/a.yaml");

	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	assert_true(heard(w));
	write_file("d/a.yaml");
	assert_true(heard(w));
	/* The folder goes, and comes again. */
	assert_int_equal(unlink("d/a.yaml"), 0);
	assert_int_equal(rmdir("d"), 0);
	assert_true(heard(w));
	assert_int_equal(mkdir("d", 0700), 0);
	assert_true(heard(w));
	write_file("d/a.yaml");
	assert_true(heard(w));
	file_watch_free(w);
}

static void links_in_a_ring_come_to_an_end(void **state)
{
	struct file_watch *w;

	(void)state;
	assert_int_equal(symlink("b.yaml", "a.yaml"), 0);
	assert_int_equal(symlink("a.yaml", "b.yaml"), 0);
	w = watch("a.yaml");
	write_file("new");
	assert_int_equal(rename("new", "b.yaml"), 0);
	assert_true(heard(w));
	write_file("b.yaml");
	assert_true(heard(w));
	file_watch_free(w);
}

static void refuses_a_path_that_is_too_long(void **state)
{
	char path[PATHS_MAX + 1];
	struct file_watch *w = NULL;
	struct err e = { 0 };

	(void)state;
	memset(path, 'a', PATHS_MAX);
	path[PATHS_MAX] = 0;
	assert_int_equal(file_watch_new(path, &w, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_null(w);
	file_watch_free(NULL);
	/* A name that no file can have is no way to one. */
	path[PATHS_MAX - 1] = 0;
	assert_int_equal(file_watch_new(path, &w, &e), 0);
	assert_false(heard(w));
	file_watch_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hears_of_a_file_written_or_replaced, go_in, go_out),
		cmocka_unit_test_setup_teardown(takes_a_file_being_made_only_when_it_is_closed,
						go_in, go_out),
		cmocka_unit_test_setup_teardown(hears_of_the_target_of_a_link, go_in, go_out),
		cmocka_unit_test_setup_teardown(hears_of_a_config_map_that_is_swapped, go_in,
						go_out),
		cmocka_unit_test_setup_teardown(waits_for_what_is_not_there_yet, go_in, go_out),
		cmocka_unit_test_setup_teardown(links_in_a_ring_come_to_an_end, go_in, go_out),
		cmocka_unit_test_setup_teardown(refuses_a_path_that_is_too_long, go_in, go_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
