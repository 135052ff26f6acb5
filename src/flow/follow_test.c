#include "flow/follow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "flow/testkit.h"

struct rig {
	struct kit kit;
	struct event_bus bus;
	struct follow follow;
	struct buf out;
};

static void rig_init(struct rig *r, struct follow_options o)
{
	*r = (struct rig){ .out = buf_init(1 << 16) };
	o.out = &r->out;
	o.flow = 12;
	r->follow = follow_init(&o);
	r->kit.bus = &r->bus;
	assert_int_equal(event_bus_add(&r->bus, follow_sink(&r->follow), NULL), 0);
}

static void assert_shows(struct rig *r, const char *want)
{
	if (!bytes_equal(buf_bytes(&r->out), bytes_str(want)))
		fail_msg("shown is\n%.*s\ninstead of\n%s", BYTES_FMT(buf_bytes(&r->out)), want);
	assert_false(r->follow.failed);
	buf_fini(&r->out);
}

static void play(struct rig *r)
{
	kit_capture(&r->kit, 11);
	kit_capture(&r->kit, 12);
	kit_data(&r->kit, 11, DIR_UP, "another flow\n");
	kit_data(&r->kit, 12, DIR_UP, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	kit_data(&r->kit, 12, DIR_DOWN, "HTTP/1.1 200 OK\r\n\r\n\tnot");
	kit_data(&r->kit, 12, DIR_DOWN, " ended");
	kit_data(&r->kit, 12, DIR_UP, "\033[1m");
	kit_capture_end(&r->kit, 12, END_CLEAN, false);
}

static void both_sides_are_marked(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, (struct follow_options){ 0 });
	play(&r);
	assert_true(r.follow.seen);
	assert_int_equal(r.follow.bytes[DIR_UP], 31);
	assert_int_equal(r.follow.bytes[DIR_DOWN], 29);
	assert_shows(&r, "> GET / HTTP/1.1\n> Host: a\n> \n"
			 "< HTTP/1.1 200 OK\n< \n<     not ended\n"
			 "> \\x1b[1m\n");
}

static void colours_take_the_place_of_marks(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, (struct follow_options){ .colour = true });
	kit_capture(&r.kit, 12);
	kit_data(&r.kit, 12, DIR_UP, "a\n\nb");
	kit_data(&r.kit, 12, DIR_DOWN, "c");
	kit_capture_end(&r.kit, 12, END_CLEAN, false);
	assert_shows(&r, "\033[36ma\033[0m\n\n\033[36mb\033[0m\n\033[32mc\033[0m\n");
}

static void one_side_may_be_left_out(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, (struct follow_options){ .no_client = true });
	play(&r);
	assert_shows(&r, "< HTTP/1.1 200 OK\n< \n<     not ended\n");
	rig_init(&r, (struct follow_options){ .no_server = true, .form = FOLLOW_RAW });
	play(&r);
	assert_shows(&r, "GET / HTTP/1.1\r\nHost: a\r\n\r\n\033[1m");
}

static void raw_is_nothing_but_the_bytes(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, (struct follow_options){ .form = FOLLOW_RAW });
	play(&r);
	kit_gap(&r.kit, 12, DIR_UP, 5);
	kit_dark(&r.kit, 12, DARK_TAG, "why");
	assert_shows(&r,
		     "GET / HTTP/1.1\r\nHost: a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n\tnot ended\033[1m");
}

static void a_dump_counts_each_direction(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, (struct follow_options){ .form = FOLLOW_HEX });
	kit_capture(&r.kit, 12);
	kit_data(&r.kit, 12, DIR_UP, "0123456789abcdefgh");
	kit_data(&r.kit, 12, DIR_DOWN, "\xff\n");
	kit_data(&r.kit, 12, DIR_UP, "z");
	kit_data(&r.kit, 12, DIR_DOWN, "y");
	kit_capture_end(&r.kit, 12, END_CLEAN, false);
	assert_shows(
		&r, "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef\n"
		    "00000010  67 68                                             gh\n"
		    "    00000000  ff 0a                                             ..\n"
		    "00000012  7a                                                z\n"
		    "    00000002  79                                                y\n");
}

static void characters_may_come_in_pieces(void **state)
{
	static const char text[] = "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80!\xe2\x82x\xc3\n\x80\xff";
	struct rig r;

	(void)state;
	rig_init(&r, (struct follow_options){ 0 });
	kit_capture(&r.kit, 12);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		kit_data(&r.kit, 12, DIR_UP, (char[]){ text[i], 0 });
	kit_data(&r.kit, 12, DIR_UP, "\xe2\x82");
	kit_data(&r.kit, 12, DIR_DOWN, "\xac\xe2");
	kit_capture_end(&r.kit, 12, END_CLEAN, false);
	assert_shows(&r, "> \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80!\\xe2\\x82x\\xc3\n"
			 "> \\x80\\xff\\xe2\\x82\n"
			 "< \\xac\\xe2\n");
}

static void what_is_missing_is_told_in_its_place(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, (struct follow_options){ 0 });
	kit_capture(&r.kit, 12);
	kit_data(&r.kit, 12, DIR_DOWN, "before");
	kit_gap(&r.kit, 12, DIR_DOWN, 1400);
	kit_data(&r.kit, 12, DIR_DOWN, "after\n");
	kit_dark(&r.kit, 12, DARK_GAP, "one record could not be read");
	kit_capture_end(&r.kit, 12, END_CLEAN, false);
	assert_shows(&r, "< before\n"
			 "[1400 bytes of the server are not in the capture]\n"
			 "< after\n"
			 "[one record could not be read]\n");
}

static void a_full_buffer_is_noticed(void **state)
{
	struct buf small = buf_init(5);
	struct event_bus bus = { 0 };
	struct kit k = { .bus = &bus };
	struct follow f = follow_init(
		&(struct follow_options){ .out = &small, .flow = 1, .form = FOLLOW_RAW });

	(void)state;
	assert_int_equal(event_bus_add(&bus, follow_sink(&f), NULL), 0);
	kit_data(&k, 1, DIR_UP, "12345");
	assert_false(f.failed);
	kit_data(&k, 1, DIR_UP, "6");
	assert_true(f.failed);
	assert_int_equal(f.e.code, ERR_LIMIT);
	buf_fini(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_are_marked),
		cmocka_unit_test(colours_take_the_place_of_marks),
		cmocka_unit_test(one_side_may_be_left_out),
		cmocka_unit_test(raw_is_nothing_but_the_bytes),
		cmocka_unit_test(a_dump_counts_each_direction),
		cmocka_unit_test(characters_may_come_in_pieces),
		cmocka_unit_test(what_is_missing_is_told_in_its_place),
		cmocka_unit_test(a_full_buffer_is_noticed),
	};

	return cmocka_run_group_tests_name("flow/follow", tests, NULL, NULL);
}
