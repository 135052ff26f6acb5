#include "cmd/read_crew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "tap/sessions.h"

/* What a lane is to do with one unit, in unit.pid: the packet is unit.order. */
enum task {
	TASK_SAY,   /* the packet's number into the output */
	TASK_PUT,   /* a session is learned */
	TASK_FIND,  /* the session is looked for: "found" or "not" into the output */
	TASK_DWELL, /* take long */
	TASK_FAIL,
};

struct lane {
	struct tap_sessions *sessions;
	size_t batches;
};

struct lab {
	struct lane lanes[3];
	struct crew_work work;
	struct crew *crew;
	char said[65536]; /* of all lanes, batch after batch */
	size_t said_n;
	size_t given;
	size_t fail_at; /* done fails with this batch; 0: never */
	uint64_t packet;
};

static const uint8_t master[MASTER_SIZE] = "a master secret, or what could be one of course";

static int say(struct read_batch *b, const char *word, uint64_t packet)
{
	return buf_printf(&b->out[READ_LINES], &b->e, "%s%llu ", word, (unsigned long long)packet);
}

static int work_at(struct lane *l, struct read_batch *b, const struct unit *u)
{
	struct tap_at at = { .packet = u->order };
	struct bytes key = bytes_str("session");
	uint8_t got[MASTER_SIZE];

	switch ((enum task)u->pid) {
	case TASK_SAY:
		return say(b, "", u->order);
	case TASK_PUT:
		l->sessions->put(l->sessions->ctx, key, bytes_of(master, sizeof(master)), at);
		return say(b, "put", u->order);
	case TASK_FIND:
		if (!l->sessions->find(l->sessions->ctx, key, at, got))
			return say(b, "not", u->order);
		return say(b, memcmp(got, master, sizeof(got)) ? "wrong" : "found", u->order);
	case TASK_DWELL:
		for (volatile unsigned i = 0; i < 2000000; i++)
			;
		return say(b, "", u->order);
	case TASK_FAIL:
		break;
	}
	return FAIL(&b->e, FILE, "packet %llu", (unsigned long long)u->order);
}

static void run(void *ctx, struct read_batch *b)
{
	struct lane *l = ctx;

	l->batches++;
	for (size_t i = 0; i < b->count && !b->failed; i++)
		b->failed = work_at(l, b, &b->units[i]) < 0;
}

static int done(void *ctx, struct read_batch *const *batches, size_t count, struct err *e)
{
	struct lab *lab = ctx;

	lab->given++;
	for (size_t i = 0; i < count; i++) {
		struct bytes text = buf_bytes(&batches[i]->out[READ_LINES]);

		if (lab->said_n + text.n < sizeof(lab->said) && text.n)
			memcpy(lab->said + lab->said_n, text.p, text.n);
		lab->said_n += text.n;
	}
	for (size_t i = 0; i < count; i++)
		if (batches[i]->failed)
			return FAIL(e, FILE, "%s", batches[i]->e.sentence);
	if (lab->given == lab->fail_at)
		return FAIL(e, FILE, "the disk is full");
	return 0;
}

static void begin(struct lab *lab, size_t count)
{
	*lab = (struct lab){ .work = { .run = run, .count = count, .done = done, .ctx = lab } };
	assert_int_equal(crew_new(&lab->work, &lab->crew, NULL), 0);
	for (size_t i = 0; i < count; i++) {
		lab->lanes[i].sessions = crew_sessions(lab->crew, i);
		lab->work.lanes[i] = &lab->lanes[i];
	}
}

/* The next packet is this lane's. */
static void deal(struct lab *lab, size_t lane, enum task task)
{
	struct read_batch *b = crew_batch(lab->crew, lane);
	struct unit u = { .order = ++lab->packet, .pid = (int64_t)task };
	struct err e = { 0 };

	assert_false(read_batch_full(b));
	assert_int_equal(read_batch_add(b, &u, NULL, (struct bytes){ 0 }, &e), 0);
}

static void submit(struct lab *lab)
{
	assert_int_equal(crew_submit(lab->crew, lab->packet, NULL), 0);
}

static void finish(struct lab *lab, const char *expected)
{
	assert_int_equal(crew_drain(lab->crew, NULL), 0);
	crew_free(lab->crew);
	assert_true(lab->said_n < sizeof(lab->said));
	assert_string_equal(lab->said, expected);
}

static void one_lane_works_in_the_callers_thread(void **state)
{
	static struct lab lab;

	(void)state;
	begin(&lab, 1);
	deal(&lab, 0, TASK_SAY);
	submit(&lab);
	assert_string_equal(lab.said, "1 ");
	deal(&lab, 0, TASK_SAY);
	deal(&lab, 0, TASK_SAY);
	submit(&lab);
	finish(&lab, "1 2 3 ");
}

static void many_batches_come_back_in_their_order(void **state)
{
	static struct lab lab;
	static char expected[sizeof(lab.said)];
	size_t n = 0;

	(void)state;
	begin(&lab, 3);
	for (int i = 0; i < 50 * CREW_RING; i++) {
		size_t lane = (size_t)i % 3;

		deal(&lab, lane, i % 97 == 0 ? TASK_DWELL : TASK_SAY);
		n += (size_t)snprintf(expected + n, sizeof(expected) - n, "%d ", i + 1);
		submit(&lab);
		assert_true(lab.given + CREW_RING > (size_t)i + 1);
	}
	finish(&lab, expected);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(lab.lanes[i].batches, 50 * CREW_RING);
}

static void a_lane_finds_what_another_learned_before(void **state)
{
	static struct lab lab;

	(void)state;
	for (int i = 0; i < 20; i++) {
		begin(&lab, 2);
		deal(&lab, 0, TASK_DWELL);
		deal(&lab, 0, TASK_PUT);
		deal(&lab, 1, TASK_FIND);
		submit(&lab);
		finish(&lab, "1 put2 found3 ");
	}
}

static void and_not_what_it_learns_later(void **state)
{
	static struct lab lab;

	(void)state;
	for (int i = 0; i < 20; i++) {
		begin(&lab, 2);
		deal(&lab, 1, TASK_DWELL);
		deal(&lab, 1, TASK_FIND);
		deal(&lab, 0, TASK_PUT);
		submit(&lab);
		finish(&lab, "put3 1 not2 ");
	}
}

static void lanes_that_wait_for_each_other_go_on(void **state)
{
	static struct lab lab;
	static char expected[sizeof(lab.said)];
	size_t n = 0;

	(void)state;
	begin(&lab, 2);
	for (int i = 0; i < 10 * CREW_RING; i++) {
		deal(&lab, 0, TASK_FIND);
		deal(&lab, 1, TASK_FIND);
		deal(&lab, 0, TASK_FIND);
		n += (size_t)snprintf(expected + n, sizeof(expected) - n, "not%d not%d not%d ",
				      3 * i + 1, 3 * i + 3, 3 * i + 2);
		submit(&lab);
	}
	finish(&lab, expected);
}

static void a_lane_that_fails_ends_it_and_what_it_said_before_is_given(void **state)
{
	static struct lab lab;
	struct err e = { 0 };

	(void)state;
	begin(&lab, 2);
	deal(&lab, 0, TASK_SAY);
	deal(&lab, 1, TASK_SAY);
	deal(&lab, 1, TASK_FAIL);
	deal(&lab, 1, TASK_SAY);
	submit(&lab);
	assert_int_equal(crew_drain(lab.crew, &e), -1);
	assert_string_equal(e.sentence, "packet 3");
	assert_string_equal(lab.said, "1 2 ");
	crew_free(lab.crew);
}

static void an_output_that_fails_ends_it(void **state)
{
	static struct lab lab;
	struct err e = { 0 };
	int failed = 0;

	(void)state;
	for (size_t count = 1; count <= 2; count++) {
		begin(&lab, count);
		lab.fail_at = 3;
		for (int i = 0; i < 10 * CREW_RING && !failed; i++) {
			deal(&lab, 0, TASK_SAY);
			failed = crew_submit(lab.crew, lab.packet, &e);
		}
		assert_int_equal(failed, -1);
		assert_string_equal(e.sentence, "the disk is full");
		assert_int_equal(lab.given, 3);
		crew_free(lab.crew);
		failed = 0;
	}
}

static void it_can_be_stopped_while_everything_is_under_way(void **state)
{
	static struct lab lab;

	(void)state;
	for (int i = 0; i < 20; i++) {
		begin(&lab, 2);
		/* The second waits for the first, which dwells. */
		for (int k = 0; k < CREW_RING - 1; k++) {
			deal(&lab, 0, TASK_DWELL);
			deal(&lab, 1, TASK_FIND);
			submit(&lab);
		}
		crew_free(lab.crew);
	}
}

static void without_memory_there_is_no_crew(void **state)
{
	struct crew_work work = { .run = run, .count = 2, .done = done };
	struct crew *c;

	(void)state;
	for (size_t n = 1;; n++) {
		struct err e = { 0 };
		int failed;

		mem_fail_at(n);
		failed = crew_new(&work, &c, &e);
		mem_fail_at(0);
		if (failed == 0)
			break;
		assert_int_equal(e.code, ERR_NOMEM);
		assert_true(n < 100);
	}
	crew_free(c);
	crew_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_lane_works_in_the_callers_thread),
		cmocka_unit_test(many_batches_come_back_in_their_order),
		cmocka_unit_test(a_lane_finds_what_another_learned_before),
		cmocka_unit_test(and_not_what_it_learns_later),
		cmocka_unit_test(lanes_that_wait_for_each_other_go_on),
		cmocka_unit_test(a_lane_that_fails_ends_it_and_what_it_said_before_is_given),
		cmocka_unit_test(an_output_that_fails_ends_it),
		cmocka_unit_test(it_can_be_stopped_while_everything_is_under_way),
		cmocka_unit_test(without_memory_there_is_no_crew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
