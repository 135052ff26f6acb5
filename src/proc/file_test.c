#include "proc/file.h"

#include "base/mem.h"
#include "net/sock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static const char *in_dir(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % ARRAY_LEN(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/oriel-file-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static void remove_tree(const char *path)
{
	struct dirent *entry;
	DIR *d = opendir(path);

	while (d && (entry = readdir(d))) {
		char below[512];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (unlink(below) < 0)
			remove_tree(below);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static int remove_dir(void **state)
{
	(void)state;
	remove_tree(dir);
	return 0;
}

static void put(const char *name, const char *content, mode_t mode)
{
	int fd = open(in_dir(name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void check_content(const char *name, const char *content)
{
	struct buf b = buf_init(1000);
	struct err e = { 0 };

	if (file_read(in_dir(name), &b, &e) < 0)
		fail_msg("%s", e.sentence);
	assert_true(bytes_equal(buf_bytes(&b), bytes_str(content)));
	buf_fini(&b);
}

static unsigned mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(in_dir(name), &st), 0);
	return st.st_mode & 07777;
}

static size_t entries(void)
{
	size_t n = 0;
	DIR *d = opendir(dir);

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void reads_a_whole_file_up_to_its_limit(void **state)
{
	struct buf b = buf_init(5);
	struct err e = { 0 };

	(void)state;
	put("five", "12345", 0644);
	put("six", "123456", 0644);
	put("none", "", 0644);
	assert_int_equal(file_read(in_dir("five"), &b, &e), 0);
	assert_true(bytes_equal(buf_bytes(&b), bytes_str("12345")));
	assert_int_equal(file_read(in_dir("none"), &b, &e), 0); /* full, but nothing comes */
	buf_clear(&b);
	assert_int_equal(file_read(in_dir("six"), &b, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(b.n, 0);
	buf_fini(&b);
}

static void tells_why_a_file_cannot_be_read(void **state)
{
	struct buf b = buf_init(100);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(file_read(in_dir("missing"), &b, &e), -1);
	assert_int_equal(e.code, ERR_FILE);
	assert_int_equal(e.sys, ENOENT);
	assert_non_null(strstr(e.sentence, "missing"));
	assert_int_equal(file_read(dir, &b, &e), -1);
	assert_int_equal(e.sys, EISDIR);
	put("five", "12345", 0644);
	buf_fini(&b);
	mem_fail_at(1);
	assert_int_equal(file_read(in_dir("five"), &b, &e), -1);
	mem_fail_at(0);
	assert_int_equal(e.code, ERR_NOMEM);
	buf_fini(&b);
}

static void a_secret_that_others_can_read_is_refused(void **state)
{
	static const mode_t bad[] = { 0640, 0604, 0620, 0602, 0644, 0610 };
	struct buf b = buf_init_secret(100);
	struct err e = { 0 };

	(void)state;
	put("key", "secret", 0600);
	assert_int_equal(file_read_secret(in_dir("key"), &b, &e), 0);
	assert_true(bytes_equal(buf_bytes(&b), bytes_str("secret")));
	buf_clear(&b);
	assert_int_equal(chmod(in_dir("key"), 0400), 0);
	assert_int_equal(file_read_secret(in_dir("key"), &b, &e), 0);
	buf_clear(&b);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(chmod(in_dir("key"), bad[i]), 0);
		e = (struct err){ 0 };
		assert_int_equal(file_read_secret(in_dir("key"), &b, &e), -1);
		assert_int_equal(e.code, ERR_UNSAFE_FILE);
		assert_int_equal(b.n, 0);
	}
	assert_int_equal(file_read_secret(dir, &b, &e), -1);
	buf_fini(&b);
}

static void a_secret_of_another_user_is_refused(void **state)
{
	struct buf b = buf_init_secret(100);
	struct err e = { 0 };
	int fd = -1;

	(void)state;
	if (geteuid() != 0)
		skip();
	put("key", "secret", 0600);
	assert_int_equal(chown(in_dir("key"), 65534, 65534), 0);
	assert_int_equal(file_read_secret(in_dir("key"), &b, &e), -1);
	assert_int_equal(e.code, ERR_UNSAFE_FILE);
	assert_int_equal(file_open_secret_append(in_dir("key"), &fd, &e), -1);
	assert_int_equal(e.code, ERR_UNSAFE_FILE);
	assert_non_null(strstr(e.sentence, "another user"));
	buf_fini(&b);
}

static void writes_and_replaces_whole_files(void **state)
{
	struct err e = { 0 };

	(void)state;
	umask(077);
	assert_int_equal(file_write(in_dir("f"), bytes_str("first"), 0644, &e), 0);
	check_content("f", "first");
	assert_int_equal(mode_of("f"), 0644); /* whatever the umask */
	assert_int_equal(file_write(in_dir("f"), bytes_str("2"), 0600, &e), 0);
	check_content("f", "2");
	assert_int_equal(mode_of("f"), 0600);
	assert_int_equal(entries(), 1); /* nothing temporary stays */
}

static void a_write_that_fails_leaves_the_old_file(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(mkdir(in_dir("f"), 0700), 0);
	put("f/old", "old", 0600);
	assert_int_equal(file_write(in_dir("f"), bytes_str("new"), 0600, &e), -1); /* EISDIR */
	assert_int_equal(e.code, ERR_FILE);
	check_content("f/old", "old");
	assert_int_equal(entries(), 1);
	assert_int_equal(file_write(in_dir("none/f"), bytes_str("new"), 0600, &e), -1);
	assert_int_equal(e.sys, ENOENT);
}

static void a_link_at_the_place_is_replaced_not_followed(void **state)
{
	struct stat st;

	(void)state;
	put("target", "old", 0600);
	assert_int_equal(symlink("target", in_dir("link")), 0);
	assert_int_equal(file_write(in_dir("link"), bytes_str("new"), 0600, NULL), 0);
	check_content("target", "old");
	check_content("link", "new");
	assert_int_equal(lstat(in_dir("link"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void makes_a_file_for_secrets_only_where_none_is(void **state)
{
	struct err e = { 0 };
	int fd = -1;

	(void)state;
	umask(0777);
	assert_int_equal(file_make_secret(in_dir("keys"), &fd, &e), 0);
	umask(022);
	assert_int_equal(mode_of("keys"), 0600);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	sock_close(&fd);
	assert_int_equal(file_make_secret(in_dir("keys"), &fd, &e), -1);
	assert_int_equal(e.code, ERR_UNSAFE_FILE);
	assert_int_equal(symlink("nowhere", in_dir("link")), 0);
	assert_int_equal(file_make_secret(in_dir("link"), &fd, &e), -1);
	assert_int_equal(e.code, ERR_UNSAFE_FILE);
	assert_int_equal(access(in_dir("nowhere"), F_OK), -1);
	assert_int_equal(fd, -1);
}

static void append(const char *name, const char *text)
{
	struct err e = { 0 };
	int fd = -1;

	if (file_open_secret_append(in_dir(name), &fd, &e) < 0)
		fail_msg("%s", e.sentence);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void appends_to_its_own_file(void **state)
{
	(void)state;
	append("keys", "one\n");
	append("keys", "two\n");
	check_content("keys", "one\ntwo\n");
	assert_int_equal(mode_of("keys"), 0600);
}

static void refused_append(const char *name, const char *reason)
{
	struct err e = { 0 };
	int fd = -1;

	assert_int_equal(file_open_secret_append(in_dir(name), &fd, &e), -1);
	assert_int_equal(e.code, ERR_UNSAFE_FILE);
	if (!strstr(e.sentence, reason))
		fail_msg("\"%s\" does not say \"%s\"", e.sentence, reason);
	assert_int_equal(fd, -1);
}

static void refuses_to_append_where_others_may_look(void **state)
{
	(void)state;
	put("open", "", 0644);
	refused_append("open", "0644");
	put("group", "", 0660);
	refused_append("group", "0660");
	put("two-names", "", 0600);
	assert_int_equal(link(in_dir("two-names"), in_dir("other")), 0);
	refused_append("two-names", "hard link");
	assert_int_equal(symlink("two-names", in_dir("link")), 0);
	refused_append("link", "symbolic link");
	assert_int_equal(symlink("missing", in_dir("dangling")), 0);
	refused_append("dangling", "symbolic link");
	assert_int_equal(access(in_dir("missing"), F_OK), -1);
	check_content("two-names", "");
}

static void refuses_to_append_to_devices(void **state)
{
	struct err e = { 0 };
	int fd = -1;

	(void)state;
	assert_int_equal(file_open_secret_append("/dev/null", &fd, &e), -1);
	assert_int_equal(e.code, ERR_UNSAFE_FILE);
	assert_int_equal(file_open_secret_append(dir, &fd, &e), -1);
	assert_int_equal(e.sys, EISDIR);
}

static void a_fifo_of_ours_may_be_opened_before_anybody_reads(void **state)
{
	struct err e = { 0 };
	int fd = -1, reader;
	char room[8] = "";
	static const char much[65536];
	ssize_t n = 1;

	(void)state;
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_int_equal(file_open_secret_append(in_dir("fifo"), &fd, &e), 0);
	assert_int_equal(write(fd, "line\n", 5), 5);
	reader = open(in_dir("fifo"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(reader, room, sizeof(room)), 5);
	close(reader);
	/* The reader is gone: no signal, and no waiting when it is full. */
	for (int i = 0; i < 100 && n > 0; i++)
		n = write(fd, much, sizeof(much));
	assert_int_equal(n, -1);
	assert_int_equal(errno, EAGAIN);
	sock_close(&fd);
	assert_int_equal(chmod(in_dir("fifo"), 0620), 0);
	refused_append("fifo", "0620");
}

static void under_sudo_new_files_belong_to_who_called_it(void **state)
{
	struct err e = { 0 };
	struct stat st;
	int fd = -1;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(setenv("SUDO_UID", "1234", 1) | setenv("SUDO_GID", "1235", 1), 0);
	assert_int_equal(file_make_secret(in_dir("keys"), &fd, &e), 0);
	assert_int_equal(fstat(fd, &st), 0);
	sock_close(&fd);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 1235);
	append("keys", "again\n"); /* it is not ours, but the invoker's */
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	refused_append("keys", "another user");
}

static void makes_private_folders(void **state)
{
	struct err e = { 0 };

	(void)state;
	umask(0);
	assert_int_equal(file_make_private_dir(in_dir("a/b/c"), &e), 0);
	umask(022);
	assert_int_equal(mode_of("a"), 0700);
	assert_int_equal(mode_of("a/b/c"), 0700);
	assert_int_equal(file_make_private_dir(in_dir("a/b/c/"), &e), 0); /* it is there */
	assert_int_equal(mkdir(in_dir("open"), 0755), 0);
	assert_int_equal(file_make_private_dir(in_dir("open"), &e), 0);
	assert_int_equal(mode_of("open"), 0700);
	put("file", "", 0600);
	assert_int_equal(file_make_private_dir(in_dir("file"), &e), -1);
	assert_int_equal(file_make_private_dir(in_dir("file/x"), &e), -1);
	assert_int_equal(e.code, ERR_FILE);
	assert_int_equal(file_make_private_dir("", &e), -1);
	if (geteuid() == 0) {
		assert_int_equal(chown(in_dir("open"), 65534, 65534), 0);
		assert_int_equal(file_make_private_dir(in_dir("open"), &e), -1);
		assert_int_equal(e.code, ERR_UNSAFE_FILE);
	}
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

static size_t files_in_dir(void)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	size_t n = 0;

	assert_non_null(d);
	while ((entry = readdir(d)))
		n += entry->d_name[0] != '.';
	closedir(d);
	return n;
}

static void a_draft_is_there_when_it_is_committed(void **state)
{
	const char *path = in_dir("draft");
	AUTO(buf_fini) struct buf b = buf_init(100);
	size_t before = files_in_dir();
	struct file_draft d;
	struct stat st;

	(void)state;
	assert_int_equal(file_draft_open(path, 0600, &d, NULL), 0);
	assert_int_equal(file_draft_write(&d, bytes_str("one "), NULL), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(file_draft_write(&d, bytes_str("two"), NULL), 0);
	assert_int_equal(file_draft_commit(&d, NULL), 0);
	file_draft_discard(&d);
	assert_int_equal(file_read(path, &b, NULL), 0);
	assert_true(bytes_equal(buf_bytes(&b), bytes_str("one two")));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* What was there stays when the next one is not finished. */
	assert_int_equal(file_draft_open(path, 0600, &d, NULL), 0);
	assert_int_equal(file_draft_write(&d, bytes_str("three"), NULL), 0);
	file_draft_discard(&d);
	buf_clear(&b);
	assert_int_equal(file_read(path, &b, NULL), 0);
	assert_true(bytes_equal(buf_bytes(&b), bytes_str("one two")));
	assert_int_equal(files_in_dir(), before + 1);
}

static void a_draft_does_not_replace_a_device(void **state)
{
	struct file_draft d;
	struct stat st;

	(void)state;
	assert_int_equal(file_draft_open("/dev/null", 0600, &d, NULL), 0);
	assert_int_equal(file_draft_write(&d, bytes_str("gone"), NULL), 0);
	assert_int_equal(file_draft_commit(&d, NULL), 0);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
}

static void a_draft_without_a_folder_is_refused(void **state)
{
	struct err e = { 0 };
	struct file_draft d;

	(void)state;
	assert_int_equal(file_draft_open(in_dir("none/draft"), 0600, &d, &e), -1);
	assert_int_equal(e.code, ERR_FILE);
	assert_int_equal(e.sys, ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(reads_a_whole_file_up_to_its_limit),
		FILE_TEST(tells_why_a_file_cannot_be_read),
		FILE_TEST(a_secret_that_others_can_read_is_refused),
		FILE_TEST(a_secret_of_another_user_is_refused),
		FILE_TEST(writes_and_replaces_whole_files),
		FILE_TEST(a_write_that_fails_leaves_the_old_file),
		FILE_TEST(a_link_at_the_place_is_replaced_not_followed),
		FILE_TEST(makes_a_file_for_secrets_only_where_none_is),
		FILE_TEST(appends_to_its_own_file),
		FILE_TEST(refuses_to_append_where_others_may_look),
		FILE_TEST(refuses_to_append_to_devices),
		FILE_TEST(a_fifo_of_ours_may_be_opened_before_anybody_reads),
		FILE_TEST(under_sudo_new_files_belong_to_who_called_it),
		FILE_TEST(makes_private_folders),
		FILE_TEST(a_draft_is_there_when_it_is_committed),
		FILE_TEST(a_draft_does_not_replace_a_device),
		FILE_TEST(a_draft_without_a_folder_is_refused),
	};

	unsetenv("SUDO_UID");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
