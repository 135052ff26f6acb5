#include "tap/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "wire/packet.h"

#define MS INT64_C(1000000)
#define UP 1000u   /* the first byte of the client */
#define DOWN 5000u /* … of the server */
#define PLAIN (TCP_ACK | TCP_PSH)

/* Two directions, and what came out of both, in order: bytes as they are, "[n]" a gap, "[~n]" what was
 * cut off, "!n" a conflict, "." FIN, "#" RST. */
struct lab {
	struct stream_pool pool;
	struct stream up, down;
	struct tap_at at, last;
	char log[4096];
	size_t n;
};

static void write_log(struct lab *lab, const char *text, size_t n)
{
	assert_true(lab->n + n < sizeof(lab->log));
	memcpy(lab->log + lab->n, text, n);
	lab->n += n;
	lab->log[lab->n] = 0;
}

static void on_bytes(void *ctx, struct bytes b, struct tap_at at)
{
	struct lab *lab = ctx;

	assert_true(b.n > 0);
	lab->last = at;
	write_log(lab, (const char *)b.p, b.n);
}

static void on_gap(void *ctx, uint64_t n, bool truncated, struct tap_at at)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "[%s%u]", truncated ? "~" : "", (unsigned)n);

	((struct lab *)ctx)->last = at;
	write_log(ctx, text, (size_t)len);
}

static void on_conflict(void *ctx, uint64_t offset, struct tap_at at)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "!%u", (unsigned)offset);

	(void)at;
	write_log(ctx, text, (size_t)len);
}

static void on_end(void *ctx, bool reset, struct tap_at at)
{
	(void)at;
	write_log(ctx, reset ? "#" : ".", 1);
}

static const struct stream_hooks hooks = { on_bytes, on_gap, on_conflict, on_end };

static int set_up(void **state)
{
	static struct lab lab;

	lab = (struct lab){ .pool = { .max = 8 * 1024 * 1024 } };
	stream_init(&lab.up, &hooks, &lab, &lab.pool);
	stream_init(&lab.down, &hooks, &lab, &lab.pool);
	stream_pair(&lab.up, &lab.down);
	*state = &lab;
	return 0;
}

static int tear_down(void **state)
{
	struct lab *lab = *state;

	stream_fini(&lab->up);
	stream_fini(&lab->down);
	assert_int_equal(lab->pool.used, 0);
	return 0;
}

static void wait(struct lab *lab, int64_t ns, uint64_t packets)
{
	lab->at.wall_ns += ns;
	lab->at.packet += packets;
}

/* From a copy that ASan watches: the stream keeps nothing of it. */
static void give(struct lab *lab, struct stream *s, struct stream_segment in)
{
	uint8_t *copy = mem_dup(in.payload);

	assert_non_null(copy);
	in.payload.p = copy;
	wait(lab, MS, 1);
	in.at = lab->at;
	stream_segment(s, &in);
	mem_free(copy);
}

static void data(struct lab *lab, uint32_t offset, const char *text)
{
	give(lab, &lab->up,
	     (struct stream_segment){
		     .seq = UP + offset, .ack = DOWN, .flags = PLAIN, .payload = bytes_str(text) });
}

static void flag(struct lab *lab, uint32_t offset, uint8_t flags)
{
	give(lab, &lab->up,
	     (struct stream_segment){ .seq = UP + offset, .ack = DOWN, .flags = flags });
}

/* The server acknowledges so many bytes, and answers from its byte at. */
static void answer(struct lab *lab, uint32_t acked, uint32_t at, const char *text)
{
	give(lab, &lab->down,
	     (struct stream_segment){ .seq = DOWN + at,
				      .ack = UP + acked,
				      .flags = PLAIN,
				      .payload = bytes_str(text) });
}

static void ack(struct lab *lab, uint32_t acked)
{
	answer(lab, acked, 0, "");
}

static void open_up(struct lab *lab)
{
	flag(lab, (uint32_t)-1, TCP_SYN);
}

static void open_both(struct lab *lab)
{
	open_up(lab);
	give(lab, &lab->down,
	     (struct stream_segment){ .seq = DOWN - 1, .ack = UP, .flags = TCP_SYN | TCP_ACK });
	flag(lab, 0, TCP_ACK);
}

static void flush(struct lab *lab)
{
	wait(lab, MS, 1);
	stream_flush(&lab->up, lab->at);
	stream_flush(&lab->down, lab->at);
}

#define expect(lab, text) assert_string_equal((lab)->log, text)

static void hands_out_what_comes_in_order_at_once(void **state)
{
	struct lab *lab = *state;

	open_both(lab);
	mem_fail_at(3); /* the copies of this test are two */
	data(lab, 0, "abc");
	data(lab, 3, "def");
	mem_fail_at(0);
	expect(lab, "abcdef");
	assert_int_equal(lab->up.offset, 6);
	flag(lab, 6, TCP_FIN | TCP_ACK);
	expect(lab, "abcdef.");
	data(lab, 7, "behind the end");
	data(lab, 6, "x");
	flush(lab);
	expect(lab, "abcdef.");
}

static void puts_what_comes_early_in_its_place(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, 6, "ghi");
	data(lab, 3, "def");
	data(lab, 9, "jkl");
	expect(lab, "");
	data(lab, 0, "abc");
	expect(lab, "abcdefghijkl");
	assert_int_equal(lab->pool.used, 0);
}

static void sequence_numbers_wrap(void **state)
{
	struct lab *lab = *state;
	const uint32_t high = (uint32_t)-4 - UP;

	flag(lab, high - 1, TCP_SYN);
	data(lab, high + 6, "ghi");
	data(lab, high, "abc");
	data(lab, high + 3, "def");
	data(lab, high + 9, "jkl");
	expect(lab, "abcdefghijkl");
}

static void retransmissions_have_other_boundaries(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, 0, "abc");
	data(lab, 0, "abc");
	data(lab, 2, "cdef");
	data(lab, 8, "ij");
	data(lab, 12, "mn");
	data(lab, 7, "hijklmno");
	data(lab, 5, "fg");
	expect(lab, "abcdefghijklmno");
	data(lab, 0, "abcdefghijklmnop");
	expect(lab, "abcdefghijklmnop");
}

static void the_first_version_counts_and_another_is_told(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, 3, "def");
	data(lab, 2, "cdXfg");
	expect(lab, "!4");
	data(lab, 0, "abcdeX");
	expect(lab, "!4ab!5cdefg");
}

static void another_version_of_what_was_handed_out_is_told_too(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, 0, "abc");
	data(lab, 3, "def");
	data(lab, 3, "dEf");
	data(lab, 0, "abcdef");
	data(lab, 0, "abcdXf");
	data(lab, 4, "Xf"); /* a part of a piece: nothing is known of it */
	expect(lab, "abcdef!3!3");
}

static void another_version_of_a_long_piece_is_told_too(void **state)
{
	struct lab *lab = *state;
	char text[1400];

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = 0;
	open_up(lab);
	data(lab, 0, text);
	data(lab, 0, text);
	assert_null(strchr(lab->log, '!'));
	memset(text + 100, 'b', 700);
	data(lab, 0, text);
	assert_non_null(strstr(lab->log, "!0"));
}

static void of_what_was_handed_out_long_ago_nothing_is_known(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	for (uint32_t i = 0; i < STREAM_PAST; i++)
		data(lab, 2 * i, "ab");
	data(lab, 0, "XX");
	expect(lab, "abababababababababababababababab!0");
	data(lab, 2 * STREAM_PAST, "ab");
	data(lab, 0, "XX");
	expect(lab, "abababababababababababababababab!0ab");
}

static void a_syn_may_bring_data(void **state)
{
	struct lab *lab = *state;

	give(lab, &lab->up,
	     (struct stream_segment){
		     .seq = UP - 1, .flags = TCP_SYN, .payload = bytes_str("abc") });
	expect(lab, "abc");
	data(lab, 0, "abcd"); /* the server did not want it then */
	expect(lab, "abcd");
}

static void an_answer_may_come_before_the_syn(void **state)
{
	struct lab *lab = *state;

	give(lab, &lab->down,
	     (struct stream_segment){ .seq = DOWN - 1, .ack = UP, .flags = TCP_SYN | TCP_ACK });
	open_up(lab);
	data(lab, 0, "abc");
	expect(lab, "abc");
}

static void without_a_syn_its_answer_says_where_to_begin(void **state)
{
	struct lab *lab = *state;

	give(lab, &lab->down,
	     (struct stream_segment){ .seq = DOWN - 1, .ack = UP, .flags = TCP_SYN | TCP_ACK });
	data(lab, 3, "def");
	expect(lab, "");
	data(lab, 0, "abc");
	expect(lab, "abcdef");
}

static void in_the_middle_what_was_acknowledged_is_the_beginning(void **state)
{
	struct lab *lab = *state;

	ack(lab, 0);
	data(lab, 0, "abc");
	expect(lab, "abc");
}

static void in_the_middle_the_first_bytes_wait_for_earlier_ones(void **state)
{
	struct lab *lab = *state;

	data(lab, 6, "ghi");
	data(lab, 0, "abc");
	data(lab, 3, "def");
	expect(lab, "");
	ack(lab, 9);
	expect(lab, "abcdefghi");
	data(lab, (uint32_t)-3, "xyz"); /* too late */
	data(lab, 9, "jkl");
	expect(lab, "abcdefghijkl");
}

static void in_the_middle_a_few_segments_are_enough(void **state)
{
	static const char text[] = "abcdefghijklmnopqrstuvwxyz";
	struct lab *lab = *state;

	for (uint32_t i = 1; i < STREAM_START_SEGMENTS; i++)
		data(lab, 20 - i, text + 20 - i);
	expect(lab, "");
	data(lab, 20, text + 20);
	expect(lab, text + 21 - STREAM_START_SEGMENTS);
}

static void in_the_middle_a_moment_is_enough(void **state)
{
	struct lab *lab = *state;

	data(lab, 0, "abc");
	wait(lab, STREAM_START_NS, 0);
	data(lab, 3, "def");
	expect(lab, "abcdef");
}

static void in_the_middle_a_probe_is_no_beginning(void **state)
{
	struct lab *lab = *state;

	give(lab, &lab->up,
	     (struct stream_segment){ .seq = UP - 1, .flags = TCP_ACK, .payload = bytes_str("x") });
	data(lab, 0, "abc");
	ack(lab, 3);
	expect(lab, "abc");
}

static void keep_alive_brings_nothing(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, 0, "abc");
	flag(lab, 2, TCP_ACK);
	data(lab, 2, "?");
	data(lab, 3, "d"); /* a probe of a window of zero brings the next byte */
	data(lab, 3, "def");
	expect(lab, "abcdef");
}

static void a_gap_needs_an_acknowledgement_some_time_and_packets(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, 0, "abc");
	data(lab, 6, "ghi");
	ack(lab, 9);
	wait(lab, 10 * STREAM_SETTLE_NS, 10);
	ack(lab, 9);
	expect(lab, "abc");
	wait(lab, 0, STREAM_SETTLE_PACKETS);
	ack(lab, 9);
	wait(lab, STREAM_SETTLE_NS, STREAM_SETTLE_PACKETS);
	ack(lab, 9);
	expect(lab, "abc[3]ghi");
	data(lab, 3, "def"); /* too late */
	expect(lab, "abc[3]ghi");
	assert_int_equal(lab->up.offset, 9);
}

static void an_acknowledgement_may_be_captured_first(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, 6, "ghi");
	ack(lab, 9);
	wait(lab, 100 * MS, 1000);
	ack(lab, 9);
	data(lab, 0, "abcdef");
	expect(lab, "abcdefghi");
}

static void nobody_acknowledges_for_ten_seconds(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, 3, "def");
	wait(lab, STREAM_LOST_NS - 2 * MS, 100);
	data(lab, 6, "ghi");
	expect(lab, "");
	wait(lab, 2 * MS, 1);
	data(lab, 9, "jkl");
	expect(lab, "[3]defghijkl");
}

static void where_the_clock_stands_packets_are_the_time(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, 3, "def");
	wait(lab, 0, 65536);
	data(lab, 6, "ghi");
	expect(lab, "[3]defghi");
}

static void a_flush_hands_out_everything(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, 3, "def");
	data(lab, 9, "jkl");
	flag(lab, 14, TCP_FIN | TCP_ACK);
	flush(lab);
	expect(lab, "[3]def[3]jkl[2].");
}

static void the_last_bytes_may_be_lost(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, 0, "abc");
	ack(lab, 7);
	expect(lab, "abc");
	flush(lab);
	expect(lab, "abc[4]");
}

static void what_nothing_follows_is_lost_some_time_after_it_was_acknowledged(void **state)
{
	struct lab *lab = *state;

	open_both(lab);
	data(lab, 0, "abc");
	ack(lab, 7);
	for (uint32_t i = 0; i < 3; i++) {
		wait(lab, STREAM_SETTLE_NS, STREAM_SETTLE_PACKETS);
		ack(lab, 8 + i);
	}
	expect(lab, "abc[5][1]"); /* the last one was acknowledged just now */
}

static void what_was_cut_off_is_a_gap_too(void **state)
{
	struct lab *lab = *state;
	struct stream_segment in = {
		.seq = UP, .ack = DOWN, .flags = PLAIN, .payload = bytes_str("abc"), .missing = 4
	};

	open_up(lab);
	give(lab, &lab->up, in);
	expect(lab, "abc");
	data(lab, 7, "hij");
	data(lab, 12, "mno");
	flush(lab);
	expect(lab, "abc[~4]hij[2]mno");
}

static void a_retransmission_fills_what_was_cut_off(void **state)
{
	struct lab *lab = *state;
	struct stream_segment in = {
		.seq = UP, .ack = DOWN, .flags = PLAIN, .payload = bytes_str("abc"), .missing = 6
	};

	open_up(lab);
	give(lab, &lab->up, in);
	data(lab, 9, "jkl");
	data(lab, 5, "fg");
	expect(lab, "abc");
	data(lab, 2, "cd");
	expect(lab, "abcd");
	flush(lab);
	expect(lab, "abcd[~1]fg[~2]jkl");
}

static void fin_waits_for_its_place(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	flag(lab, 6, TCP_FIN | TCP_ACK);
	data(lab, 3, "def");
	flag(lab, 6, TCP_FIN | TCP_ACK);
	data(lab, 6, "xyz"); /* not after FIN */
	data(lab, 0, "abc");
	expect(lab, "abcdef.");
}

static void a_fin_before_what_came_already_is_none(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, 3, "def");
	flag(lab, 4, TCP_FIN | TCP_ACK);
	data(lab, 0, "abc");
	flag(lab, 5, TCP_FIN | TCP_ACK);
	expect(lab, "abcdef");
}

static void a_reset_counts_where_the_receiver_may_be(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, 0, "abc");
	flag(lab, 2, TCP_RST);
	flag(lab, 3 + STREAM_QUEUE_MAX + 1, TCP_RST);
	expect(lab, "abc");
	flag(lab, 3, TCP_RST);
	expect(lab, "abc#");
}

static void a_reset_may_stand_where_the_other_side_had_come_to(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, 0, "abc");
	ack(lab, 3);
	data(lab, 3, "def");
	flag(lab, 3, TCP_RST);
	expect(lab, "abcdef#");
}

static void a_reset_waits_for_what_is_before_it(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	flag(lab, 6, TCP_RST | TCP_ACK);
	data(lab, 3, "def");
	data(lab, 0, "abc");
	expect(lab, "abcdef#");
}

static void a_reset_that_the_sender_goes_on_behind_was_none(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, 0, "abc");
	flag(lab, 7, TCP_RST);
	data(lab, 3, "defghi");
	expect(lab, "abcdefghi");
	flag(lab, 9, TCP_FIN | TCP_ACK);
	expect(lab, "abcdefghi.");
}

static void a_refused_connection_ends_with_a_reset(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	give(lab, &lab->down,
	     (struct stream_segment){ .seq = 0, .ack = UP, .flags = TCP_RST | TCP_ACK });
	expect(lab, "#");
	flush(lab);
	expect(lab, "#");
}

static void what_is_too_far_ahead_is_not_of_this_stream(void **state)
{
	struct lab *lab = *state;

	open_up(lab);
	data(lab, (1u << 30) + 1, "far");
	data(lab, 0, "abc");
	ack(lab, 3 + (1u << 30) + 1);
	flush(lab);
	expect(lab, "abc");
}

static void an_answer_waits_for_its_question(void **state)
{
	struct lab *lab = *state;

	open_both(lab);
	data(lab, 3, "def");
	answer(lab, 6, 0, "DEF");
	answer(lab, 6, 3, "GHI");
	expect(lab, "");
	data(lab, 0, "abc");
	expect(lab, "abcdefDEFGHI");
	assert_int_equal(lab->pool.used, 0);
}

static void an_answer_waits_for_a_gap_too(void **state)
{
	struct lab *lab = *state;

	open_both(lab);
	data(lab, 3, "def");
	answer(lab, 6, 0, "DEF");
	give(lab, &lab->up,
	     (struct stream_segment){
		     .seq = UP + 6, .ack = DOWN + 3, .flags = PLAIN, .payload = bytes_str("ghi") });
	answer(lab, 9, 3, "GHI");
	give(lab, &lab->down,
	     (struct stream_segment){ .seq = DOWN + 6, .ack = UP + 9, .flags = TCP_FIN | TCP_ACK });
	expect(lab, "");
	flush(lab);
	expect(lab, "[3]defDEFghiGHI.");
}

static void bytes_that_acknowledge_nothing_new_wait_for_nothing(void **state)
{
	struct lab *lab = *state;

	open_both(lab);
	data(lab, 3, "def");
	answer(lab, 0, 0, "DEF");
	expect(lab, "DEF");
}

static void nothing_waits_for_the_other_direction_for_long(void **state)
{
	struct lab *lab = *state;

	open_both(lab);
	data(lab, 0, "abc");
	answer(lab, 1u << 20, 0, "DEF"); /* more than was ever sent */
	expect(lab, "abc");
	wait(lab, STREAM_HELD_NS, STREAM_SETTLE_PACKETS);
	flag(lab, 3, TCP_ACK);
	expect(lab, "abcDEF");
}

static void a_question_in_the_middle_comes_before_its_answer(void **state)
{
	struct lab *lab = *state;

	data(lab, 0, "abc");
	answer(lab, 3, 0, "ABC");
	give(lab, &lab->up,
	     (struct stream_segment){ .seq = UP + 3, .ack = DOWN + 3, .flags = TCP_ACK });
	expect(lab, "abcABC");
}

static void time_never_goes_back(void **state)
{
	struct lab *lab = *state;
	struct tap_at early;

	open_up(lab);
	data(lab, 3, "def");
	wait(lab, 1000 * MS, 5);
	data(lab, 0, "abc");
	expect(lab, "abcdef");
	assert_true(lab->last.wall_ns == lab->at.wall_ns && lab->last.packet == lab->at.packet);
	data(lab, 9, "jkl");
	early = lab->at;
	wait(lab, 5000 * MS, 5);
	flush(lab);
	expect(lab, "abcdef[3]jkl");
	assert_true(lab->last.wall_ns == early.wall_ns && lab->last.packet == early.packet);
}

static uint64_t counted, lost;

static void count_bytes(void *ctx, struct bytes b, struct tap_at at)
{
	(void)ctx;
	(void)at;
	counted += b.n;
}

static void count_gap(void *ctx, uint64_t n, bool truncated, struct tap_at at)
{
	(void)ctx;
	(void)at;
	(void)truncated;
	lost += n;
}

static const struct stream_hooks counting = { count_bytes, count_gap, on_conflict, on_end };

static void memory_is_bounded_and_nothing_is_lost_but_the_gap(void **state)
{
	static const size_t sizes[] = { 1, 100, 1448, 65000 };
	static uint8_t much[65000];
	struct lab *lab = *state;

	for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
		struct stream_segment in = { .payload = bytes_of(much, sizes[k]) };
		struct stream s;
		uint64_t given = 0;

		counted = lost = 0;
		lab->pool = (struct stream_pool){ .max = 1024 * 1024 };
		stream_init(&s, &counting, lab, &lab->pool);
		in.flags = TCP_SYN;
		in.payload.n = 0;
		stream_segment(&s, &in);
		in.flags = 0;
		in.payload.n = sizes[k];
		in.seq = 11; /* 10 bytes never come */
		for (int i = 0; i < 3000; i++) {
			stream_segment(&s, &in);
			in.seq += (uint32_t)sizes[k];
			given += sizes[k];
			assert_true(lab->pool.used <= lab->pool.max);
		}
		stream_flush(&s, in.at);
		assert_int_equal(counted, given);
		assert_int_equal(lost, 10);
		stream_fini(&s);
		assert_int_equal(lab->pool.used, 0);
	}
}

static void survives_without_memory(void **state)
{
	struct lab *lab = *state;
	struct stream_segment in = { .seq = UP + 3, .flags = TCP_ACK, .payload = bytes_str("def") };

	open_up(lab);
	mem_fail_at(1);
	stream_segment(&lab->up, &in);
	expect(lab, "[3]def");
	in.seq = UP + 6;
	in.missing = 3;
	stream_segment(&lab->up, &in);
	in.missing = 0;
	in.seq = UP + 12;
	stream_segment(&lab->up, &in);
	mem_fail_at(0);
	expect(lab, "[3]defdef[3]def");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hands_out_what_comes_in_order_at_once),
		TEST(puts_what_comes_early_in_its_place),
		TEST(sequence_numbers_wrap),
		TEST(retransmissions_have_other_boundaries),
		TEST(the_first_version_counts_and_another_is_told),
		TEST(another_version_of_what_was_handed_out_is_told_too),
		TEST(another_version_of_a_long_piece_is_told_too),
		TEST(of_what_was_handed_out_long_ago_nothing_is_known),
		TEST(a_syn_may_bring_data),
		TEST(an_answer_may_come_before_the_syn),
		TEST(without_a_syn_its_answer_says_where_to_begin),
		TEST(in_the_middle_what_was_acknowledged_is_the_beginning),
		TEST(in_the_middle_the_first_bytes_wait_for_earlier_ones),
		TEST(in_the_middle_a_few_segments_are_enough),
		TEST(in_the_middle_a_moment_is_enough),
		TEST(in_the_middle_a_probe_is_no_beginning),
		TEST(keep_alive_brings_nothing),
		TEST(a_gap_needs_an_acknowledgement_some_time_and_packets),
		TEST(an_acknowledgement_may_be_captured_first),
		TEST(nobody_acknowledges_for_ten_seconds),
		TEST(where_the_clock_stands_packets_are_the_time),
		TEST(a_flush_hands_out_everything),
		TEST(the_last_bytes_may_be_lost),
		TEST(what_nothing_follows_is_lost_some_time_after_it_was_acknowledged),
		TEST(what_was_cut_off_is_a_gap_too),
		TEST(a_retransmission_fills_what_was_cut_off),
		TEST(fin_waits_for_its_place),
		TEST(a_fin_before_what_came_already_is_none),
		TEST(a_reset_counts_where_the_receiver_may_be),
		TEST(a_reset_may_stand_where_the_other_side_had_come_to),
		TEST(a_reset_waits_for_what_is_before_it),
		TEST(a_reset_that_the_sender_goes_on_behind_was_none),
		TEST(a_refused_connection_ends_with_a_reset),
		TEST(what_is_too_far_ahead_is_not_of_this_stream),
		TEST(an_answer_waits_for_its_question),
		TEST(an_answer_waits_for_a_gap_too),
		TEST(bytes_that_acknowledge_nothing_new_wait_for_nothing),
		TEST(nothing_waits_for_the_other_direction_for_long),
		TEST(a_question_in_the_middle_comes_before_its_answer),
		TEST(time_never_goes_back),
		TEST(memory_is_bounded_and_nothing_is_lost_but_the_gap),
		TEST(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
