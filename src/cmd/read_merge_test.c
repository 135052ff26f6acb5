#include "cmd/read_merge.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"

struct lab {
	struct read_merge merge;
	struct read_batch batches[2];
	struct buf har, plain;
	bool har_fails;
};

static int on_har(void *ctx, struct bytes text, struct err *e)
{
	struct lab *lab = ctx;

	if (lab->har_fails)
		return FAIL(e, FILE, "the disk is full");
	return buf_add(&lab->har, text, e);
}

static int on_plain(void *ctx, struct bytes text, struct err *e)
{
	struct lab *lab = ctx;

	return buf_add(&lab->plain, text, e);
}

static int set_up(void **state)
{
	static struct lab lab;

	lab = (struct lab){ .merge = { .lines = buf_init((size_t)1 << 20),
				       .har = on_har,
				       .plain = on_plain,
				       .ctx = &lab },
			    .har = buf_init(256),
			    .plain = buf_init(256) };
	for (int i = 0; i < 2; i++)
		read_batch_init(&lab.batches[i]);
	*state = &lab;
	return 0;
}

static int tear_down(void **state)
{
	struct lab *lab = *state;

	for (int i = 0; i < 2; i++)
		read_batch_fini(&lab->batches[i]);
	buf_fini(&lab->merge.lines);
	buf_fini(&lab->har);
	buf_fini(&lab->plain);
	return 0;
}

static void put(struct lab *lab, int lane, struct piece p, const char *text)
{
	struct read_batch *b = &lab->batches[lane];

	p.n = strlen(text);
	assert_int_equal(buf_add(&b->out[p.to], bytes_str(text), NULL), 0);
	assert_int_equal(read_batch_piece(b, &p, NULL), 0);
}

static int take(struct lab *lab, struct err *e)
{
	struct read_batch *batches[] = { &lab->batches[0], &lab->batches[1] };

	return read_merge_take(&lab->merge, batches, 2, e);
}

static void what_came_first_is_first(void **state)
{
	struct lab *lab = *state;

	put(lab, 0, (struct piece){ .order = 1, .flow = 2 }, "a");
	put(lab, 1, (struct piece){ .order = 2, .flow = 1 }, "b");
	put(lab, 1, (struct piece){ .order = 3, .flow = 1 }, "c");
	put(lab, 0, (struct piece){ .order = 4, .flow = 2 }, "d");
	/* At the end all lanes speak at once: then the flows' numbers count. */
	put(lab, 0, (struct piece){ .order = 9, .flow = 2 }, "f");
	put(lab, 0, (struct piece){ .order = 9, .flow = 4 }, "h");
	put(lab, 1, (struct piece){ .order = 9, .flow = 1 }, "e");
	put(lab, 1, (struct piece){ .order = 9, .flow = 3 }, "g");
	assert_int_equal(take(lab, NULL), 0);
	assert_int_equal(lab->merge.lines.n, 8);
	assert_memory_equal(lab->merge.lines.p, "abcdefgh", 8);
}

static void each_goes_where_it_belongs(void **state)
{
	struct lab *lab = *state;

	put(lab, 0, (struct piece){ .order = 1, .to = READ_HAR }, "{1}");
	put(lab, 0, (struct piece){ .order = 1, .to = READ_PLAIN }, "packet1");
	put(lab, 1, (struct piece){ .order = 2, .to = READ_LINES }, "line\n");
	put(lab, 1, (struct piece){ .order = 3, .to = READ_PLAIN }, "packet3");
	put(lab, 0, (struct piece){ .order = 4, .to = READ_HAR }, "{4}");
	assert_int_equal(take(lab, NULL), 0);
	assert_true(bytes_equal(buf_bytes(&lab->har), bytes_str("{1}{4}")));
	assert_true(bytes_equal(buf_bytes(&lab->plain), bytes_str("packet1packet3")));
	assert_int_equal(lab->merge.lines.n, 5);
}

static void a_batch_that_failed_fails_after_what_was_good(void **state)
{
	struct lab *lab = *state;
	struct err e = { 0 };

	put(lab, 0, (struct piece){ .order = 1 }, "good");
	put(lab, 1, (struct piece){ .order = 2 }, "too");
	lab->batches[1].failed = true;
	(void)FAIL(&lab->batches[1].e, NOMEM, "a flow");
	assert_int_equal(take(lab, &e), -1);
	assert_int_equal(e.code, ERR_NOMEM);
	assert_int_equal(lab->merge.lines.n, 7);
}

static void an_output_that_fails_is_told(void **state)
{
	struct lab *lab = *state;
	struct err e = { 0 };

	lab->har_fails = true;
	put(lab, 0, (struct piece){ .order = 1, .to = READ_HAR }, "{1}");
	assert_int_equal(take(lab, &e), -1);
	assert_string_equal(e.sentence, "the disk is full");
}

/* Flushes with this as standard output. */
static int flush_to(struct lab *lab, int fd, struct err *e)
{
	int kept = dup(STDOUT_FILENO), failed;

	fflush(stdout);
	assert_true(kept >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
	failed = read_merge_flush(&lab->merge, e);
	assert_true(dup2(kept, STDOUT_FILENO) >= 0);
	close(kept);
	return failed;
}

static void lines_are_written(void **state)
{
	struct lab *lab = *state;
	char got[16] = { 0 };
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	put(lab, 0, (struct piece){ .order = 1 }, "one\n");
	put(lab, 1, (struct piece){ .order = 2 }, "two\n");
	assert_int_equal(take(lab, NULL), 0);
	assert_int_equal(flush_to(lab, ends[1], NULL), 0);
	assert_int_equal(read(ends[0], got, sizeof(got)), 8);
	assert_string_equal(got, "one\ntwo\n");
	assert_int_equal(lab->merge.lines.n, 0);
	close(ends[0]);
	close(ends[1]);
}

static void nobody_reads_any_more(void **state)
{
	struct lab *lab = *state;
	struct err e = { 0 };
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	put(lab, 0, (struct piece){ .order = 1 }, "one\n");
	assert_int_equal(take(lab, NULL), 0);
	assert_int_equal(flush_to(lab, ends[1], &e), -1);
	assert_int_equal(e.code, ERR_CLOSED);
	close(ends[1]);
}

static void the_disk_is_full(void **state)
{
	struct lab *lab = *state;
	struct err e = { 0 };
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		skip();
	put(lab, 0, (struct piece){ .order = 1 }, "one\n");
	assert_int_equal(take(lab, NULL), 0);
	assert_int_equal(flush_to(lab, fd, &e), -1);
	assert_int_equal(e.code, ERR_FILE);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_came_first_is_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_goes_where_it_belongs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_batch_that_failed_fails_after_what_was_good,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_output_that_fails_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lines_are_written, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_reads_any_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_disk_is_full, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
