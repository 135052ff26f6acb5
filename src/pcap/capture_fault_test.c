#include "pcap/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "pcap/testkit.h"

/* A good packet after a block that something is wrong with. */
static void assert_costs_itself_only(struct maker *m, const char *sentence)
{
	struct reader r;

	kit_packet(m, 0, 5, "after");
	kit_read(&r, m);
	kit_expect(&r, CAPTURE_HEADER);
	kit_expect(&r, CAPTURE_INTERFACE);
	assert_string_equal(kit_sentence(&r, CAPTURE_BAD), sentence);
	/* As it stands in the file, for who copies it. */
	assert_int_equal(r.item.block_type, m->b.p[60] | m->b.p[61] << 8 | m->b.p[62] << 16 |
						    (uint32_t)m->b.p[63] << 24);
	assert_true(r.item.raw.n == 0 || r.item.raw.p == m->b.p + 60);
	kit_expect_packet(&r, 1, 5000, "after");
	kit_expect_end(&r);
	assert_int_equal(capture_bad(r.c), 1);
	kit_end(&r, m);
}

static struct maker good_beginning(void)
{
	struct maker m = kit_new(false);

	kit_section(&m);
	kit_interface(&m, 1, 0, 0);
	return m; /* the next block is 3, at offset 60 */
}

static void a_bad_block_costs_itself_only(void **state)
{
	struct maker m = good_beginning();
	size_t at;

	(void)state;
	kit_packet(&m, 7, 0, "x");
	assert_costs_itself_only(&m, "block 3 at offset 60: a packet of interface 7, but the "
				     "section has 1 so far");

	m = good_beginning();
	kit_packet(&m, 0, 0, "1234");
	kit_put_at(&m, 60 + 20, 5);
	assert_costs_itself_only(&m, "block 3 at offset 60: a packet of 5 bytes in 4");

	m = good_beginning();
	kit_packet(&m, 0, 0, "");
	kit_put_at(&m, 60 + 20, UINT32_MAX);
	assert_costs_itself_only(&m, "block 3 at offset 60: a packet of 4294967295 bytes in 0");

	m = good_beginning();
	at = kit_block(&m, 6);
	kit_put(&m, 0, 8);
	kit_block_end(&m, at);
	assert_costs_itself_only(&m, "block 3 at offset 60: a packet without all of its header");

	m = good_beginning();
	at = kit_block(&m, 3);
	kit_put(&m, 5, 4);
	kit_text(&m, "1234");
	kit_block_end(&m, at);
	assert_costs_itself_only(&m, "block 3 at offset 60: a packet of 5 bytes in 4");

	m = good_beginning();
	at = kit_block(&m, 10);
	kit_put(&m, CAPTURE_SECRETS_TLS, 4);
	kit_put(&m, 5, 4);
	kit_text(&m, "1234");
	kit_block_end(&m, at);
	assert_costs_itself_only(
		&m, "block 3 at offset 60: secrets of 5 bytes in a block with room for 4");

	m = good_beginning();
	at = kit_block(&m, 5);
	kit_put(&m, 0, 8);
	kit_block_end(&m, at);
	assert_costs_itself_only(&m,
				 "block 3 at offset 60: statistics in 8 bytes, less than the 12 "
				 "they need");

	m = good_beginning();
	kit_block_end(&m, kit_block(&m, 0x80000001));
	assert_costs_itself_only(&m, "block 3 at offset 60: a process without a number");

	m = good_beginning();
	at = kit_block(&m, 0xbad);
	kit_put(&m, 32622, 4);
	kit_put(&m, 3, 4);
	kit_put(&m, 8, 4);
	kit_put(&m, 1, 4);
	kit_block_end(&m, at);
	assert_costs_itself_only(
		&m, "block 3 at offset 60: a process of 8 bytes in a block with room for 4");
}

static void a_bad_interface_keeps_its_number(void **state)
{
	struct maker m = kit_new(false);
	struct reader r;
	size_t at;

	(void)state;
	kit_section(&m);
	at = kit_block(&m, 1);
	kit_put(&m, 1, 4);
	kit_block_end(&m, at);
	kit_interface(&m, 101, 0, 0);
	kit_packet(&m, 1, 0, "x");
	kit_packet(&m, 0, 0, "y");
	kit_read(&r, &m);
	kit_expect(&r, CAPTURE_HEADER);
	assert_string_equal(
		kit_sentence(&r, CAPTURE_BAD),
		"block 2 at offset 28: an interface in 4 bytes, less than the 8 it needs");
	kit_expect(&r, CAPTURE_INTERFACE);
	assert_int_equal(r.item.u.interface.number, 1);
	kit_expect_packet(&r, 1, 0, "x");
	assert_int_equal(r.item.u.packet.link, 101);
	kit_expect_packet(&r, 2, 0, "y");
	assert_int_equal(r.item.u.packet.link, CAPTURE_LINK_NONE);
	kit_end(&r, &m);
}

static void options_that_make_no_sense_cost_nothing_else(void **state)
{
	struct maker m = good_beginning();
	struct reader r;
	size_t at;

	(void)state;
	at = kit_packet_begin(&m, 0, 0, "x");
	kit_put(&m, 8, 2);
	kit_put(&m, 999, 2);
	kit_put(&m, 1, 8);
	kit_block_end(&m, at);
	kit_read(&r, &m);
	kit_expect(&r, CAPTURE_HEADER);
	kit_expect(&r, CAPTURE_INTERFACE);
	kit_expect_packet(&r, 1, 0, "x");
	assert_int_equal(r.item.u.packet.pid, 0);
	kit_expect_end(&r);
	kit_end(&r, &m);
}

static void a_section_of_another_version_is_skipped_whole(void **state)
{
	struct maker m = kit_new(false);
	struct reader r;

	(void)state;
	kit_section(&m);
	m.b.p[12] = 2;
	kit_packet(&m, 0, 0, "what may this be");
	kit_section(&m);
	kit_interface(&m, 1, 0, 0);
	kit_packet(&m, 0, 0, "x");
	kit_read(&r, &m);
	assert_string_equal(kit_sentence(&r, CAPTURE_BAD),
			    "block 1 at offset 0: a section of version 2.0: 1.0 is what there is");
	kit_expect(&r, CAPTURE_SKIPPED);
	kit_expect(&r, CAPTURE_HEADER);
	kit_expect(&r, CAPTURE_INTERFACE);
	kit_expect_packet(&r, 1, 0, "x");
	kit_end(&r, &m);
}

static void assert_is_lost(struct maker *m, const char *sentence)
{
	struct reader r;

	kit_read(&r, m);
	kit_expect(&r, CAPTURE_HEADER);
	kit_expect(&r, CAPTURE_INTERFACE);
	assert_string_equal(kit_sentence(&r, CAPTURE_LOST), sentence);
	kit_expect_end(&r);
	assert_int_equal(capture_bad(r.c), 1);
	kit_end(&r, m);
}

static void without_framing_the_rest_is_lost(void **state)
{
	struct maker m = good_beginning();

	(void)state;
	kit_packet(&m, 0, 0, "x");
	kit_put_at(&m, m.b.n - 4, 4711);
	assert_is_lost(&m, "block 3 at offset 60: its length is 36 at the front, but 4711 at the "
			   "end: the rest of the capture cannot be read");

	m = good_beginning();
	kit_packet(&m, 0, 0, "x");
	kit_put_at(&m, 60 + 4, 8);
	assert_is_lost(&m, "block 3 at offset 60: its length is 8, less than any block has: the "
			   "rest of the capture cannot be read");

	m = good_beginning();
	kit_section(&m);
	kit_put_at(&m, 60 + 8, 0x11223344);
	assert_is_lost(&m, "block 3 at offset 60: a section header without its byte-order magic: "
			   "the rest of the capture cannot be read");

	m = good_beginning();
	kit_packet(&m, 0, 0, "x");
	kit_put_at(&m, 60 + 4, UINT32_MAX - 3);
	assert_is_lost(&m, "block 3 at offset 60: it says that it has 4294967292 bytes, but the "
			   "input ends after 36");
}

static void a_block_that_is_too_long_is_stepped_over(void **state)
{
	struct maker m = good_beginning();
	static uint8_t much[CAPTURE_BLOCK_MAX];
	size_t at = kit_block(&m, 10);

	(void)state;
	assert_int_equal(buf_add(&m.b, bytes_of(much, sizeof(much)), NULL), 0);
	kit_block_end(&m, at);
	assert_costs_itself_only(&m, "block 3 at offset 60: it has 16777228 bytes, more than the "
				     "16777216 that are read");

	m = good_beginning();
	at = kit_block(&m, 10);
	assert_int_equal(buf_add(&m.b, bytes_of(much, sizeof(much)), NULL), 0);
	kit_block_end(&m, at);
	kit_put_at(&m, m.b.n - 4, 12);
	kit_packet(&m, 0, 0, "x");
	assert_is_lost(&m, "block 3 at offset 60: it says that it has 16777228 bytes, but does not "
			   "end there: the rest of the capture cannot be read");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_block_costs_itself_only),
		cmocka_unit_test(a_bad_interface_keeps_its_number),
		cmocka_unit_test(options_that_make_no_sense_cost_nothing_else),
		cmocka_unit_test(a_section_of_another_version_is_skipped_whole),
		cmocka_unit_test(without_framing_the_rest_is_lost),
		cmocka_unit_test(a_block_that_is_too_long_is_stepped_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
