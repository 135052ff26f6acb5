#include "tap/tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"

/* What was told, a word each: "+1" flow 1 begins, "-1" it ends, "1:GET" its data, "?" it goes dark. */
struct lab {
	struct event_bus bus;
	struct tap *tap;
	struct tap_at at;
	char log[4096];
	size_t n;
	unsigned open;
};

static void word(struct lab *lab, const struct event *ev, const char *before, struct bytes after)
{
	int n = snprintf(lab->log + lab->n, sizeof(lab->log) - lab->n, "%s%s%s%llu%.*s",
			 lab->n ? " " : "", before, ev->flow & FLOW_UDP ? "u" : "",
			 (unsigned long long)(ev->flow & ~FLOW_UDP), (int)after.n,
			 (const char *)after.p);

	assert_true(n > 0 && (size_t)n < sizeof(lab->log) - lab->n);
	lab->n += (size_t)n;
}

static void on_event(void *ctx, const struct event *ev)
{
	struct lab *lab = ctx;

	switch (ev->type) {
	case EV_FLOW_OPEN:
		lab->open++;
		word(lab, ev, "+", (struct bytes){ 0 });
		break;
	case EV_FLOW_END:
		assert_true(lab->open > 0);
		lab->open--;
		word(lab, ev, ev->u.flow_end.open ? "~" : "-", (struct bytes){ 0 });
		break;
	case EV_DATA:
		word(lab, ev, "", bytes_str(":"));
		break;
	case EV_DARK:
		word(lab, ev, "?", (struct bytes){ 0 });
		break;
	case EV_PROCESS:
		word(lab, ev, "@", ev->u.process.name);
		break;
	default:
		break;
	}
}

static int begin(struct lab *lab)
{
	struct tap_options o = { .bus = &lab->bus, .secrets_may_come = true };

	*lab = (struct lab){ .at = { .wall_ns = 1 } };
	o.bus = &lab->bus;
	assert_int_equal(event_bus_add(&lab->bus, (struct event_sink){ EV_ALL, on_event, lab },
				       NULL),
			 0);
	return tap_new(&o, &lab->tap, NULL);
}

static struct tap_at next(struct lab *lab)
{
	lab->at.packet++;
	lab->at.wall_ns += 1000;
	return lab->at;
}

static void give(struct lab *lab, struct tap_segment s)
{
	s.at = next(lab);
	tap_segment(lab->tap, &s);
}

static void opens(struct lab *lab, uint64_t flow)
{
	give(lab, (struct tap_segment){ .flow = flow, .first = true, .flags = TCP_SYN, .seq = 99 });
	give(lab, (struct tap_segment){
			  .flow = flow, .dir = DIR_DOWN, .flags = TCP_SYN | TCP_ACK, .ack = 100 });
}

static void says(struct lab *lab, uint64_t flow, const char *text)
{
	give(lab, (struct tap_segment){ .flow = flow,
					.flags = TCP_ACK,
					.seq = 100,
					.ack = 1,
					.payload = bytes_str(text) });
}

static void ends(struct lab *lab, const char *expected)
{
	while (tap_finish(lab->tap, lab->at))
		;
	tap_free(lab->tap);
	assert_int_equal(lab->open, 0);
	assert_string_equal(lab->log, expected);
}

#define REQUEST "GET / HTTP/1.1\r\n\r\n"

static void flows_that_are_open_end_with_the_capture_by_number(void **state)
{
	static struct lab lab;

	(void)state;
	assert_int_equal(begin(&lab), 0);
	give(&lab, (struct tap_segment){ .flow = FLOW_UDP | 1, .first = true });
	opens(&lab, 1);
	opens(&lab, 2);
	opens(&lab, 3);
	says(&lab, 2, REQUEST);
	assert_int_equal(tap_finish(lab.tap, lab.at), 1);
	assert_int_equal(tap_finish(lab.tap, lab.at), 2);
	assert_int_equal(tap_finish(lab.tap, lab.at), 3);
	assert_int_equal(tap_finish(lab.tap, lab.at), FLOW_UDP | 1);
	assert_int_equal(tap_finish(lab.tap, lab.at), 0);
	ends(&lab, "+u1 +1 +2 +3 2: ~1 ~2 ~3 -u1");
}

static void a_flow_ends_when_both_said_so_or_it_is_reset(void **state)
{
	static struct lab lab;

	(void)state;
	assert_int_equal(begin(&lab), 0);
	opens(&lab, 1);
	opens(&lab, 2);
	give(&lab,
	     (struct tap_segment){ .flow = 1, .flags = TCP_FIN | TCP_ACK, .seq = 100, .ack = 1 });
	give(&lab, (struct tap_segment){ .flow = 1,
					 .dir = DIR_DOWN,
					 .flags = TCP_FIN | TCP_ACK,
					 .seq = 1,
					 .ack = 101 });
	give(&lab, (struct tap_segment){ .flow = 2, .flags = TCP_RST, .seq = 100 });
	ends(&lab, "+1 +2 -1 -2");
}

static void what_comes_after_the_end_is_nobodys(void **state)
{
	static struct lab lab;

	(void)state;
	assert_int_equal(begin(&lab), 0);
	opens(&lab, 1);
	give(&lab, (struct tap_segment){ .flow = 1, .over = true });
	says(&lab, 1, REQUEST);
	give(&lab, (struct tap_segment){ .flow = 1, .over = true });
	give(&lab, (struct tap_segment){ .flow = 7, .over = true, .first = true });
	ends(&lab, "+1 ~1");
}

static void the_process_of_an_end_is_told_once(void **state)
{
	static struct lab lab;
	struct tap_segment s = { .flow = 1, .first = true, .flags = TCP_SYN, .pid = 42 };

	(void)state;
	assert_int_equal(begin(&lab), 0);
	assert_int_equal(tap_process(lab.tap, 42, bytes_str("=curl"), NULL), 0);
	give(&lab, s);
	s.first = false;
	give(&lab, s);
	ends(&lab, "+1 @1=curl ~1");
}

static void quic_is_dark(void **state)
{
	static const uint8_t initial[] = { 0xc3, 0, 0, 0, 1, 0, 0 };
	static struct lab lab;

	(void)state;
	assert_int_equal(begin(&lab), 0);
	for (int i = 0; i < 2; i++)
		give(&lab, (struct tap_segment){ .flow = FLOW_UDP | 1,
						 .first = i == 0,
						 .payload = bytes_of(initial, sizeof(initial)) });
	ends(&lab, "+u1 ?u1 -u1");
}

static void secrets_that_nobody_waits_for_wake_nobody(void **state)
{
	static struct lab lab;

	(void)state;
	assert_int_equal(begin(&lab), 0);
	opens(&lab, 1);
	assert_int_equal(tap_secrets(lab.tap, bytes_str("RSA 0011223344556677 0303\ngarbage\n"),
				     NULL),
			 0);
	assert_int_equal(tap_wake(lab.tap, lab.at), 0);
	ends(&lab, "+1 ~1");
}

static void play(struct lab *lab)
{
	struct err e = { 0 };

	opens(lab, 1);
	give(lab, (struct tap_segment){ .flow = FLOW_UDP | 1, .first = true });
	says(lab, 1, REQUEST);
	(void)!tap_process(lab->tap, 1, bytes_str("a"), &e);
	(void)!tap_secrets(lab->tap, bytes_str("RSA 0011223344556677 0303\n"), &e);
	while (tap_wake(lab->tap, lab->at))
		;
	while (tap_finish(lab->tap, lab->at))
		;
}

static void without_memory_what_was_opened_ends(void **state)
{
	static struct lab lab;
	size_t failed = 0;

	(void)state;
	for (size_t n = 1; n < 300; n++) {
		int made;

		mem_fail_at(n);
		made = begin(&lab);
		if (made == 0)
			play(&lab);
		mem_fail_at(0);
		failed += made < 0;
		assert_int_equal(lab.open, 0);
		if (made == 0)
			tap_free(lab.tap);
	}
	assert_true(failed > 0 && failed < 299);
	tap_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_that_are_open_end_with_the_capture_by_number),
		cmocka_unit_test(a_flow_ends_when_both_said_so_or_it_is_reset),
		cmocka_unit_test(what_comes_after_the_end_is_nobodys),
		cmocka_unit_test(the_process_of_an_end_is_told_once),
		cmocka_unit_test(quic_is_dark),
		cmocka_unit_test(secrets_that_nobody_waits_for_wake_nobody),
		cmocka_unit_test(without_memory_what_was_opened_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
