#include "proxy/keeper_link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <unistd.h>

#include "net/loop.h"
#include "proc/channel.h"

/* A link, and the end of its line that a keeper would hold. */
struct rig {
	struct loop *loop;
	struct keeper_link *link;
	struct leaf_minter minter;
	struct channel *keeper;
};

static struct rig rig_new(void)
{
	struct rig r = { 0 };

	assert_int_equal(loop_new(&r.loop, NULL), 0);
	assert_int_equal(keeper_link_new(r.loop, &r.link, NULL), 0);
	r.minter = keeper_link_minter(r.link);
	return r;
}

static void join(struct rig *r)
{
	int pair[2];

	channel_free(r->keeper);
	r->keeper = NULL;
	assert_int_equal(channel_pair(pair, NULL), 0);
	assert_int_equal(channel_new(pair[0], &(struct channel_options){ 0 }, &r->keeper, NULL), 0);
	assert_int_equal(keeper_link_join(r->link, pair[1], NULL), 0);
}

static void rig_free(struct rig *r)
{
	keeper_link_free(r->link);
	channel_free(r->keeper);
	loop_free(r->loop);
}

static int ask(struct rig *r, uint32_t id, struct err *e)
{
	struct leaf_ask a = { .origin_der = bytes_str("an origin"), .mode = MINT_TWIN };

	return r->minter.send(r->minter.ctx, id, &a, e);
}

static void expect_asked(struct rig *r, uint32_t id)
{
	struct channel_message cm;
	struct keeper_message m;

	assert_int_equal(channel_receive(r->keeper, &cm, NULL), CHANNEL_OK);
	assert_int_equal(keeper_message_parse(cm.payload, &m, NULL), 0);
	assert_int_equal(m.type, KEEPER_MINT);
	assert_int_equal(m.id, id);
	assert_int_equal(m.mode, MINT_TWIN);
	assert_true(bytes_equal(m.der, bytes_str("an origin")));
	channel_message_fini(&cm);
}

static void expect_nothing_more(struct rig *r)
{
	struct channel_message cm;

	assert_int_equal(channel_receive(r->keeper, &cm, NULL), CHANNEL_AGAIN);
}

static void what_is_asked_before_there_is_a_line_is_sent_when_there_is(void **state)
{
	struct rig r = rig_new();

	(void)state;
	assert_int_equal(ask(&r, 7, NULL), 0);
	assert_int_equal(ask(&r, 8, NULL), 0);
	join(&r);
	assert_int_equal(ask(&r, 9, NULL), 0);
	for (uint32_t id = 7; id <= 9; id++)
		expect_asked(&r, id);
	expect_nothing_more(&r);
	/* Once only. */
	join(&r);
	expect_nothing_more(&r);
	rig_free(&r);
}

static void only_so_many_may_wait_for_the_first_line(void **state)
{
	struct rig r = rig_new();
	struct err e = { 0 };
	uint32_t n = 0;

	(void)state;
	while (ask(&r, n, &e) == 0 && n < 10000)
		n++;
	assert_in_range(n, 16, 9999);
	assert_int_equal(e.code, ERR_LIMIT);
	join(&r);
	for (uint32_t id = 0; id < n; id++)
		expect_asked(&r, id);
	expect_nothing_more(&r);
	rig_free(&r);
}

static void stop(void *loop)
{
	loop_stop(loop);
}

static void nobody_waits_for_a_keeper_that_was_there_and_is_gone(void **state)
{
	struct rig r = rig_new();
	struct err e = { 0 };

	(void)state;
	join(&r);
	channel_free(r.keeper);
	r.keeper = NULL;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(loop_post(r.loop, stop, r.loop, NULL), 0);
		loop_run(r.loop);
	}
	assert_int_equal(ask(&r, 1, &e), -1);
	assert_int_equal(e.code, ERR_CLOSED);
	assert_non_null(strstr(e.sentence, "until it is back"));
	join(&r);
	expect_nothing_more(&r);
	assert_int_equal(ask(&r, 2, NULL), 0);
	expect_asked(&r, 2);
	rig_free(&r);
}

static void what_waits_is_freed_with_the_link(void **state)
{
	struct rig r = rig_new();

	(void)state;
	assert_int_equal(ask(&r, 1, NULL), 0);
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_before_there_is_a_line_is_sent_when_there_is),
		cmocka_unit_test(only_so_many_may_wait_for_the_first_line),
		cmocka_unit_test(nobody_waits_for_a_keeper_that_was_there_and_is_gone),
		cmocka_unit_test(what_waits_is_freed_with_the_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
