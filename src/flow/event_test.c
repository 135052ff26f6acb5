#include "flow/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct seen {
	uint32_t types;
	size_t count;
};

static void note(void *ctx, const struct event *ev)
{
	struct seen *s = ctx;

	s->types |= EV_BIT(ev->type);
	s->count++;
}

static void each_consumer_gets_what_it_asked_for(void **state)
{
	struct seen heads = { 0 }, all = { 0 };
	struct event_bus bus = { 0 };
	const uint32_t wanted = EV_BIT(EV_MESSAGE_HEAD) | EV_BIT(EV_FLOW_END);

	(void)state;
	assert_int_equal(event_bus_add(&bus, (struct event_sink){ wanted, note, &heads }, NULL), 0);
	assert_false(event_bus_wants(&bus, EV_BODY_CHUNK));
	assert_true(event_bus_wants(&bus, EV_FLOW_END));
	event_bus_emit(&bus, &(struct event){ .type = EV_BODY_CHUNK });
	assert_int_equal(heads.count, 0);
	assert_int_equal(event_bus_add(&bus, (struct event_sink){ EV_ALL, note, &all }, NULL), 0);
	for (unsigned type = 0; type < EV_COUNT; type++)
		event_bus_emit(&bus, &(struct event){ .type = (enum event_type)type });
	assert_int_equal(heads.types, wanted);
	assert_int_equal(heads.count, 2);
	assert_int_equal(all.types, EV_ALL);
	assert_int_equal(all.count, EV_COUNT);
}

static void a_full_bus_refuses(void **state)
{
	struct event_bus bus = { 0 };
	struct seen seen = { 0 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < EVENT_SINKS_MAX; i++)
		assert_int_equal(event_bus_add(&bus, (struct event_sink){ 1, note, &seen }, &e), 0);
	assert_int_equal(event_bus_add(&bus, (struct event_sink){ EV_ALL, note, &seen }, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(bus.mask, 1);
}

/* Words go into JSON and metrics as they are. */
static void assert_word(const char *word)
{
	assert_true(strlen(word) > 1);
	for (const char *p = word; *p; p++)
		assert_true(*p == '-' || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9'));
}

static void every_member_has_a_word_and_others_are_unknown(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= PROTO_BYTES; i++)
		assert_word(flow_proto_text((enum flow_proto)i));
	for (unsigned i = 0; i <= WAY_CAPTURE; i++)
		assert_word(flow_way_text((enum flow_way)i));
	for (unsigned i = 0; i <= ACTION_PLAIN; i++)
		assert_word(flow_action_text((enum flow_action)i));
	for (unsigned i = 0; i <= END_LOCAL; i++)
		assert_word(leg_end_text((enum leg_end)i));
	for (unsigned i = 0; i <= CHAIN_OTHER; i++)
		assert_word(chain_verdict_text((enum chain_verdict)i));
	assert_string_equal(flow_proto_text((enum flow_proto)99), "unknown");
	assert_string_equal(flow_way_text((enum flow_way)99), "unknown");
	assert_string_equal(flow_action_text((enum flow_action)99), "unknown");
	assert_string_equal(leg_end_text((enum leg_end)99), "unknown");
	assert_string_equal(chain_verdict_text((enum chain_verdict)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_consumer_gets_what_it_asked_for),
		cmocka_unit_test(a_full_bus_refuses),
		cmocka_unit_test(every_member_has_a_word_and_others_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
