#include "pcap/pcapng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/rd.h"

/* The next block: its type, and a reader of its body. Asserts that both lengths agree. */
static uint32_t next_block(struct rd *r, struct rd *body)
{
	uint32_t type = rd_u32(r), length = rd_u32(r);

	assert_int_equal(length % 4, 0);
	assert_true(length >= 12);
	*body = rd_init(rd_take(r, length - 12), r->bad);
	assert_int_equal(rd_u32(r), length);
	return type;
}

static struct bytes next_option(struct rd *r, uint16_t *code)
{
	uint16_t n;
	struct bytes value;

	*code = rd_u16(r);
	n = rd_u16(r);
	value = rd_take(r, n);
	rd_skip(r, (4 - n % 4) % 4);
	return value;
}

static void assert_option(struct rd *r, uint16_t code, const char *value)
{
	uint16_t got;
	struct bytes b = next_option(r, &got);

	assert_int_equal(got, code);
	assert_true(bytes_equal(b, bytes_str(value)));
}

static void assert_options_end(struct rd *r)
{
	uint16_t code;
	struct bytes value = next_option(r, &code);

	assert_int_equal(code, 0);
	assert_int_equal(value.n, 0);
	rd_end(r);
}

static void a_section_says_its_byte_order_and_who_wrote_it(void **state)
{
	AUTO(buf_fini) struct buf out = buf_init(1000);
	bool bad = false;
	struct rd r, body;

	(void)state;
	assert_int_equal(pcapng_section(&out, "oriel 9", NULL), 0);
	r = rd_init(buf_bytes(&out), &bad);
	assert_int_equal(next_block(&r, &body), 0x0a0d0d0a);
	assert_int_equal(rd_u32(&body), 0x1a2b3c4d);
	assert_int_equal(rd_u16(&body), 1);
	assert_int_equal(rd_u16(&body), 0);
	assert_true(rd_u64(&body) == UINT64_MAX);
	assert_option(&body, 4, "oriel 9");
	assert_options_end(&body);
	rd_end(&r);
	assert_false(bad);
}

static void an_interface_says_its_link_and_counts_nanoseconds(void **state)
{
	AUTO(buf_fini) struct buf out = buf_init(1000);
	bool bad = false;
	struct rd r, body;

	(void)state;
	assert_int_equal(pcapng_interface(&out, PCAPNG_IP, "client leg", NULL), 0);
	r = rd_init(buf_bytes(&out), &bad);
	assert_int_equal(next_block(&r, &body), 1);
	assert_int_equal(rd_u16(&body), 101);
	assert_int_equal(rd_u16(&body), 0);
	assert_int_equal(rd_u32(&body), 0);
	assert_option(&body, 2, "client leg");
	assert_option(&body, 9, "\x09");
	assert_options_end(&body);
	rd_end(&r);
	assert_false(bad);
}

static void secrets_of_every_length_are_padded_and_counted_without_it(void **state)
{
	static const char line[] = "CLIENT_RANDOM 00 11\n";

	(void)state;
	for (size_t n = 0; n < sizeof(line); n++) {
		AUTO(buf_fini) struct buf out = buf_init(1000);
		bool bad = false;
		struct rd r, body;

		assert_int_equal(pcapng_secrets(&out, bytes_of(line, n), NULL), 0);
		r = rd_init(buf_bytes(&out), &bad);
		assert_int_equal(next_block(&r, &body), 10);
		assert_int_equal(rd_u32(&body), 0x544c534b);
		assert_int_equal(rd_u32(&body), n);
		assert_true(bytes_equal(rd_take(&body, n), bytes_of(line, n)));
		assert_true(body.n < 4);
		rd_skip(&body, body.n);
		rd_end(&r);
		assert_false(bad);
	}
}

static void a_packet_has_its_time_in_two_halves(void **state)
{
	static const struct pcapng_packet p = { .interface = 1,
						.wall_ns = 0x0123456789abcdef,
						.bytes = { (const uint8_t *)"hello", 5 },
						.comment = "what it is" };
	AUTO(buf_fini) struct buf out = buf_init(1000);
	bool bad = false;
	struct rd r, body;

	(void)state;
	assert_int_equal(pcapng_packet(&out, &p, NULL), 0);
	r = rd_init(buf_bytes(&out), &bad);
	assert_int_equal(next_block(&r, &body), 6);
	assert_int_equal(rd_u32(&body), 1);
	assert_int_equal(rd_u32(&body), 0x01234567);
	assert_int_equal(rd_u32(&body), 0x89abcdef);
	assert_int_equal(rd_u32(&body), 5);
	assert_int_equal(rd_u32(&body), 5);
	assert_true(bytes_equal(rd_take(&body, 5), bytes_str("hello")));
	rd_skip(&body, 3);
	assert_option(&body, 1, "what it is");
	assert_options_end(&body);
	rd_end(&r);
	assert_false(bad);
}

static void a_packet_without_comment_has_no_options(void **state)
{
	static const struct pcapng_packet p = { .bytes = { (const uint8_t *)"four", 4 } };
	AUTO(buf_fini) struct buf out = buf_init(1000);

	(void)state;
	assert_int_equal(pcapng_packet(&out, &p, NULL), 0);
	assert_int_equal(out.n, 12 + 20 + 4);
}

static int write_all(struct buf *out, struct err *e)
{
	static const struct pcapng_packet p = { .bytes = { (const uint8_t *)"hello", 5 } };

	if (pcapng_section(out, "oriel", e) < 0 || pcapng_interface(out, PCAPNG_IP, "lo", e) < 0 ||
	    pcapng_secrets(out, bytes_str("line\n"), e) < 0)
		return -1;
	return pcapng_packet(out, &p, e);
}

static bool are_whole_blocks(struct bytes b)
{
	bool bad = false;
	struct rd r = rd_init(b, &bad);

	while (r.n) {
		rd_skip(&r, 4);
		rd_skip(&r, (size_t)rd_u32(&r) - 8);
	}
	return !bad;
}

static void a_full_buffer_holds_whole_blocks_only(void **state)
{
	AUTO(buf_fini) struct buf all = buf_init(1000);

	(void)state;
	assert_int_equal(write_all(&all, NULL), 0);
	for (size_t max = 0; max < all.n; max++) {
		AUTO(buf_fini) struct buf out = buf_init(max);
		struct err e = { 0 };

		assert_int_equal(write_all(&out, &e), -1);
		assert_int_equal(e.code, ERR_LIMIT);
		assert_true(are_whole_blocks(buf_bytes(&out)));
	}
}

static void each_allocation_may_fail(void **state)
{
	size_t n = 1;

	(void)state;
	for (;; n++) {
		AUTO(buf_fini) struct buf out = buf_init(1000);
		struct err e = { 0 };
		int r;

		mem_fail_at(n);
		r = write_all(&out, &e);
		mem_fail_at(0);
		assert_true(are_whole_blocks(buf_bytes(&out)));
		if (r == 0)
			break;
		assert_int_equal(e.code, ERR_NOMEM);
	}
	assert_true(n > 1);
}

static void secrets_are_written_in_the_order_of_their_section(void **state)
{
	static const uint8_t little[] = { 10, 0, 0, 0, 24,  0,	 0, 0, 'K', 'S', 'L', 'T',
					  2,  0, 0, 0, 'h', 'i', 0, 0, 24,  0,	 0,   0 };
	AUTO(buf_fini) struct buf out = buf_init(24), big = buf_init(24), same = buf_init(24);

	(void)state;
	assert_int_equal(pcapng_secrets_in(&out, false, bytes_str("hi"), NULL), 0);
	assert_true(bytes_equal(buf_bytes(&out), bytes_of(little, sizeof(little))));
	assert_int_equal(pcapng_secrets_in(&big, true, bytes_str("hi"), NULL), 0);
	assert_int_equal(pcapng_secrets(&same, bytes_str("hi"), NULL), 0);
	assert_true(bytes_equal(buf_bytes(&big), buf_bytes(&same)));
	assert_int_equal(pcapng_secrets_in(&out, false, bytes_str("hi"), NULL), -1);
	assert_int_equal(out.n, 24);
}

static void a_part_of_a_packet_says_how_long_it_was(void **state)
{
	struct pcapng_packet p = { .bytes = bytes_str("part"), .wire_n = 1500 };
	AUTO(buf_fini) struct buf out = buf_init(1000);
	bool bad = false;
	struct rd r, body;

	(void)state;
	assert_int_equal(pcapng_packet(&out, &p, NULL), 0);
	r = rd_init(buf_bytes(&out), &bad);
	assert_int_equal(next_block(&r, &body), 6);
	rd_skip(&body, 12);
	assert_int_equal(rd_u32(&body), 4);
	assert_int_equal(rd_u32(&body), 1500);
	assert_false(bad);
}

static void an_interface_may_have_no_name(void **state)
{
	AUTO(buf_fini) struct buf out = buf_init(1000);
	uint16_t code;
	bool bad = false;
	struct rd r, body;

	(void)state;
	assert_int_equal(pcapng_interface(&out, PCAPNG_ETHERNET, NULL, NULL), 0);
	r = rd_init(buf_bytes(&out), &bad);
	assert_int_equal(next_block(&r, &body), 1);
	rd_skip(&body, 8);
	assert_int_equal(next_option(&body, &code).n, 1);
	assert_int_equal(code, 9);
	assert_options_end(&body);
	assert_false(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_section_says_its_byte_order_and_who_wrote_it),
		cmocka_unit_test(an_interface_says_its_link_and_counts_nanoseconds),
		cmocka_unit_test(secrets_of_every_length_are_padded_and_counted_without_it),
		cmocka_unit_test(a_packet_has_its_time_in_two_halves),
		cmocka_unit_test(a_packet_without_comment_has_no_options),
		cmocka_unit_test(a_full_buffer_holds_whole_blocks_only),
		cmocka_unit_test(each_allocation_may_fail),
		cmocka_unit_test(secrets_are_written_in_the_order_of_their_section),
		cmocka_unit_test(a_part_of_a_packet_says_how_long_it_was),
		cmocka_unit_test(an_interface_may_have_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
