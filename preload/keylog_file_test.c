#include "preload/keylog_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LINE "CLIENT_RANDOM 00 11"

static char folder[64], file[128];

/* The module remembers its descriptor; each test has a process of its own. */
static void alone(void (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* In the child a wrong outcome is a status; cmocka's own way out is the parent's. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/oriel-preload-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/keys", folder);
	setenv("ORIEL_KEYLOG", file, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(file);
	rmdir(folder);
	return 0;
}

static size_t content(char *out, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);

	if (fd >= 0)
		close(fd);
	out[n < 0 ? 0 : n] = 0;
	return n < 0 ? 0 : (size_t)n;
}

static void add_one(void)
{
	umask(0777); /* which takes all of it */
	errno = 77;
	keylog_file_init();
	keylog_file_add(LINE);
	MUST(errno == 77);
}

static void makes_the_file_for_its_owner_only_and_leaves_errno(void **state)
{
	char got[256];
	struct stat st;

	(void)state;
	alone(add_one);
	content(got, sizeof(got));
	assert_string_equal(got, LINE "\n");
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void add_relative(void)
{
	MUST(chdir(folder) == 0 && setenv("ORIEL_KEYLOG", "keys", 1) == 0);
	keylog_file_init();
	MUST(chdir("/") == 0);
	keylog_file_add(LINE);
}

static void a_relative_path_is_that_of_the_start(void **state)
{
	char got[256];

	(void)state;
	alone(add_relative);
	content(got, sizeof(got));
	assert_string_equal(got, LINE "\n");
}

static void add_plain(void)
{
	keylog_file_init();
	errno = 77;
	keylog_file_add(LINE);
	MUST(errno == 77);
}

static void nothing_goes_where_others_could_read_or_have_led_us(void **state)
{
	char got[256], other[160];

	(void)state;
	snprintf(other, sizeof(other), "%s/other", folder);
	close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(chmod(file, 0640), 0);
	alone(add_plain);
	assert_int_equal(content(got, sizeof(got)), 0);
	assert_int_equal(chmod(file, 0600), 0);
	assert_int_equal(link(file, other), 0);
	alone(add_plain);
	assert_int_equal(content(got, sizeof(got)), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink(other, file), 0);
	alone(add_plain);
	assert_int_equal(content(got, sizeof(got)), 0);
	assert_int_equal(unlink(file), 0);
	/* And the same file, alone, is taken. */
	assert_int_equal(rename(other, file), 0);
	alone(add_plain);
	assert_int_equal(content(got, sizeof(got)), strlen(LINE) + 1);
}

static void add_unwanted(void)
{
	MUST(unsetenv("ORIEL_KEYLOG") == 0);
	keylog_file_init();
	MUST(!keylog_file_wanted());
	keylog_file_add(LINE);
}

static void without_a_name_there_is_no_file(void **state)
{
	(void)state;
	alone(add_unwanted);
	assert_int_equal(access(file, F_OK), -1);
}

/* As a daemon does it: all descriptors closed, the numbers used again for something else. */
static void close_and_reuse(void)
{
	char got[8];
	int ends[2];

	keylog_file_init();
	keylog_file_add("first");
	close_range(3, ~0U, 0);
	MUST(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	for (int fd = ends[1] + 1; fd < 1000; fd++)
		(void)dup2(ends[1], fd);
	keylog_file_add("second");
	MUST(read(ends[0], got, sizeof(got)) < 0 && errno == EAGAIN);
}

static void what_got_our_number_never_sees_a_secret(void **state)
{
	char got[256];

	(void)state;
	alone(close_and_reuse);
	content(got, sizeof(got));
	assert_string_equal(got, "first\nsecond\n");
}

static void grow_too_far(void)
{
	struct rlimit none = { 0, 0 };

	MUST(setrlimit(RLIMIT_FSIZE, &none) == 0);
	add_plain();
}

static void a_limit_on_files_does_not_end_the_program(void **state)
{
	char got[256];

	(void)state;
	alone(grow_too_far);
	assert_int_equal(content(got, sizeof(got)), 0);
}

enum { THREADS = 8, EACH = 500 };

static void *many(void *arg)
{
	char line[600];

	memset(line, 'a' + *(int *)arg, sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	for (int i = 0; i < EACH; i++)
		keylog_file_add(line);
	return NULL;
}

static void from_threads_and_children(void)
{
	int numbers[THREADS];
	pthread_t threads[THREADS];
	int status;

	keylog_file_init();
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		MUST(pthread_create(&threads[i], NULL, many, &numbers[i]) == 0);
	}
	if (fork() == 0) {
		many(&numbers[0]);
		_exit(0);
	}
	for (int i = 0; i < THREADS; i++)
		MUST(pthread_join(threads[i], NULL) == 0);
	MUST(wait(&status) > 0 && status == 0);
}

static void lines_of_threads_and_children_stay_whole(void **state)
{
	char line[700];
	int lines = 0;
	FILE *f;

	(void)state;
	alone(from_threads_and_children);
	f = fopen(file, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		assert_int_equal(strlen(line), 600);
		assert_int_equal(strspn(line, (char[]){ line[0], 0 }), 599);
		lines++;
	}
	fclose(f);
	assert_int_equal(lines, (THREADS + 1) * EACH);
}

static void add_long(void)
{
	char line[KEYLOG_FILE_LINE_MAX + 1];

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	keylog_file_init();
	keylog_file_add(line);
	line[KEYLOG_FILE_LINE_MAX - 1] = 0;
	keylog_file_add(line);
}

static void a_line_that_is_too_long_is_left_out_whole(void **state)
{
	char got[2 * KEYLOG_FILE_LINE_MAX];

	(void)state;
	alone(add_long);
	assert_int_equal(content(got, sizeof(got)), KEYLOG_FILE_LINE_MAX);
}

static void ask_usual(void)
{
	keylog_file_init();
	MUST(unsetenv("SSLKEYLOGFILE") == 0 && !keylog_file_is_usual());
	MUST(setenv("SSLKEYLOGFILE", folder, 1) == 0 && !keylog_file_is_usual());
	MUST(setenv("SSLKEYLOGFILE", file, 1) == 0 && keylog_file_is_usual());
}

static void the_usual_variable_is_known_when_it_names_the_same_file(void **state)
{
	(void)state;
	alone(ask_usual);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(makes_the_file_for_its_owner_only_and_leaves_errno),
		TEST(a_relative_path_is_that_of_the_start),
		TEST(nothing_goes_where_others_could_read_or_have_led_us),
		TEST(without_a_name_there_is_no_file),
		TEST(what_got_our_number_never_sees_a_secret),
		TEST(a_limit_on_files_does_not_end_the_program),
		TEST(lines_of_threads_and_children_stay_whole),
		TEST(a_line_that_is_too_long_is_left_out_whole),
		TEST(the_usual_variable_is_known_when_it_names_the_same_file),
	};

	return cmocka_run_group_tests_name("preload/keylog_file", tests, NULL, NULL);
}
