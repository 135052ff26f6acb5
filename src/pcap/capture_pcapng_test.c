#include "pcap/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "pcap/testkit.h"

static void reads_sections_of_either_order_in_one_file(void **state)
{
	struct maker m = kit_new(false);
	struct reader r;

	(void)state;
	for (int i = 0; i < 2; i++) {
		m.big = i;
		kit_section(&m);
		kit_interface(&m, i ? 101 : 1, 0, 0);
		kit_interface(&m, 113, 9, 0);
		kit_packet(&m, 1, 1700000000000000001, "nano");
		kit_packet(&m, 0, 1700000000000001, "micro");
	}
	kit_read(&r, &m);
	for (int i = 0; i < 2; i++) {
		kit_expect(&r, CAPTURE_HEADER);
		assert_int_equal(r.item.big_endian, i);
		kit_expect(&r, CAPTURE_INTERFACE);
		assert_int_equal(r.item.u.interface.number, 0);
		assert_int_equal(r.item.u.interface.link, i ? 101 : 1);
		assert_int_equal(r.item.u.interface.snaplen, 96);
		assert_true(bytes_equal(r.item.u.interface.name, bytes_str("eth0")));
		kit_expect(&r, CAPTURE_INTERFACE);
		assert_int_equal(r.item.u.interface.number, 1);
		kit_expect_packet(&r, (uint64_t)i * 2 + 1, 1700000000000000001, "nano");
		assert_int_equal(r.item.u.packet.interface, 1);
		assert_int_equal(r.item.u.packet.link, 113);
		assert_int_equal(r.item.u.packet.wire_n, 1500);
		assert_int_equal(r.item.u.packet.pid, 0);
		kit_expect_packet(&r, (uint64_t)i * 2 + 2, 1700000000000001000, "micro");
	}
	kit_expect_end(&r);
	kit_end(&r, &m);
}

static void every_resolution_of_time_becomes_nanoseconds(void **state)
{
	static const struct {
		uint8_t resolution;
		int64_t offset;
		uint64_t count;
		int64_t wall_ns;
	} cases[] = {
		{ 0, 0, 1, 1000 }, /* not said: microseconds */
		{ 3, 0, 1700000000123, 1700000000123000000 },
		{ 9, 0, 1700000000123456789, 1700000000123456789 },
		{ 12, 0, 1700000000123456789, 1700000000123456 },
		{ 29, 0, UINT64_MAX, 0 },
		{ 0x7f, 0, UINT64_MAX, 0 },
		{ 0x80, 0, 1700000000, 1700000000000000000 }, /* 2^0: seconds */
		{ 0x8a, 0, 1700000000 * 1024ull + 512, 1700000000500000000 },
		{ 0x94, 0, (1700000000ull << 20) + (1 << 18), 1700000000250000000 },
		{ 0xa8, 0, (1000000ull << 40) + (1ull << 39), 1000000500000000 },
		{ 0xbf, 0, (1ull << 63) + (1ull << 62), 1500000000 },
		{ 0xc0, 0, 1ull << 63, 500000000 },
		{ 0xff, 0, UINT64_MAX, 0 },
		{ 6, 1700000000, 5, 1700000000000005000 },
		{ 6, -1, 5, -999995000 },
		{ 6, 0, UINT64_MAX, INT64_MAX },
		{ 0x81, 0, UINT64_MAX, INT64_MAX },
		{ 6, INT64_MAX, 5, INT64_MAX },
		{ 9, INT64_MIN, 0, INT64_MIN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct maker m = kit_new(i & 1);
		struct reader r;

		kit_section(&m);
		kit_interface(&m, 1, cases[i].resolution, cases[i].offset);
		kit_packet(&m, 0, cases[i].count, "x");
		kit_read(&r, &m);
		kit_expect(&r, CAPTURE_HEADER);
		kit_expect(&r, CAPTURE_INTERFACE);
		kit_expect_packet(&r, 1, cases[i].wall_ns, "x");
		kit_end(&r, &m);
	}
}

static void simple_packets_are_of_the_first_interface(void **state)
{
	struct maker m = kit_new(false);
	struct reader r;
	size_t at;

	(void)state;
	kit_section(&m);
	kit_interface(&m, 101, 9, 0);
	kit_packet(&m, 0, 77, "before");
	at = kit_block(&m, 3);
	kit_put(&m, 5, 4);
	kit_text(&m, "simple");
	m.b.n--; /* five bytes, and padding */
	kit_block_end(&m, at);
	at = kit_block(&m, 3);
	kit_put(&m, 2000, 4); /* the interface's limit is 96 */
	for (int i = 0; i < 96; i++)
		kit_text(&m, "x");
	kit_block_end(&m, at);
	kit_read(&r, &m);
	kit_expect(&r, CAPTURE_HEADER);
	kit_expect(&r, CAPTURE_INTERFACE);
	kit_expect_packet(&r, 1, 77, "before");
	kit_expect_packet(&r, 2, 77, "simpl");
	assert_int_equal(r.item.u.packet.link, 101);
	kit_expect(&r, CAPTURE_PACKET);
	assert_int_equal(r.item.u.packet.bytes.n, 96);
	assert_int_equal(r.item.u.packet.wire_n, 2000);
	kit_expect_end(&r);
	kit_end(&r, &m);
}

static void obsolete_packets_are_read(void **state)
{
	struct maker m = kit_new(true);
	struct reader r;
	size_t at;

	(void)state;
	kit_section(&m);
	kit_interface(&m, 1, 0, 0);
	kit_interface(&m, 101, 0, 0);
	at = kit_block(&m, 2);
	kit_put(&m, 1, 2);
	kit_put(&m, 99, 2); /* lost before it */
	kit_put(&m, 0, 4);
	kit_put(&m, 7, 4);
	kit_put(&m, 3, 4);
	kit_put(&m, 4, 4);
	kit_text(&m, "old");
	kit_block_end(&m, at);
	kit_read(&r, &m);
	for (int i = 0; i < 3; i++)
		assert_int_equal(kit_next(&r), CAPTURE_ITEM);
	kit_expect_packet(&r, 1, 7000, "old");
	assert_int_equal(r.item.u.packet.link, 101);
	assert_int_equal(r.item.u.packet.wire_n, 4);
	kit_end(&r, &m);
}

static void secrets_and_statistics_are_handed_out(void **state)
{
	struct maker m = kit_new(false);
	struct reader r;
	size_t at;

	(void)state;
	kit_section(&m);
	at = kit_block(&m, 10);
	kit_put(&m, CAPTURE_SECRETS_TLS, 4);
	kit_put(&m, 5, 4);
	kit_text(&m, "LINE\n");
	kit_block_end(&m, at);
	at = kit_block(&m, 5);
	kit_put(&m, 3, 4);
	kit_put(&m, 0, 8);
	kit_option_number(&m, 5, 1ull << 32, 8);
	kit_option_number(&m, 4, 1000, 8); /* received */
	kit_option_number(&m, 7, 2, 8);
	kit_option(&m, 0, bytes_str(""));
	kit_block_end(&m, at);
	kit_read(&r, &m);
	kit_expect(&r, CAPTURE_HEADER);
	kit_expect(&r, CAPTURE_SECRETS);
	assert_int_equal(r.item.u.secrets.type, CAPTURE_SECRETS_TLS);
	assert_true(bytes_equal(r.item.u.secrets.data, bytes_str("LINE\n")));
	kit_expect(&r, CAPTURE_STATISTICS);
	assert_int_equal(r.item.u.statistics.interface, 3);
	assert_int_equal(r.item.u.statistics.dropped, (1ull << 32) + 2);
	kit_expect_end(&r);
	kit_end(&r, &m);
}

static void a_packet_names_its_process(void **state)
{
	struct maker m = kit_new(true);
	struct reader r;
	size_t at;

	(void)state;
	kit_section(&m);
	kit_interface(&m, 1, 0, 0);
	at = kit_packet_begin(&m, 0, 0, "odd");
	kit_option(&m, 1, bytes_str("a comment"));
	kit_put(&m, 8, 2); /* process and thread */
	kit_put(&m, 8, 2);
	kit_put(&m, 1234, 4);
	kit_put(&m, 5678, 4);
	kit_option(&m, 0, bytes_str(""));
	kit_block_end(&m, at);
	kit_read(&r, &m);
	kit_expect(&r, CAPTURE_HEADER);
	kit_expect(&r, CAPTURE_INTERFACE);
	kit_expect_packet(&r, 1, 0, "odd");
	assert_int_equal(r.item.u.packet.pid, 1234);
	kit_end(&r, &m);
}

static void wiresharks_process_blocks_are_read(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct maker m = kit_new(i);
		struct reader r;

		kit_section(&m);
		kit_custom_process(&m, 32622, 3, 1234);
		kit_custom_process(&m, 32622, 99, 1);
		kit_custom_process(&m, 1, 3, 1);
		kit_read(&r, &m);
		kit_expect(&r, CAPTURE_HEADER);
		kit_expect(&r, CAPTURE_PROCESS);
		assert_int_equal(r.item.u.process.pid, 1234);
		assert_true(bytes_equal(r.item.u.process.name, bytes_str("curl")));
		kit_expect(&r, CAPTURE_SKIPPED);
		kit_expect(&r, CAPTURE_SKIPPED);
		kit_expect_end(&r);
		kit_end(&r, &m);
	}
}

static void apples_process_blocks_are_numbered(void **state)
{
	struct maker m = kit_new(false);
	struct reader r;

	(void)state;
	kit_section(&m);
	kit_interface(&m, 1, 0, 0);
	for (uint32_t i = 0; i < 10; i++) {
		size_t at = kit_block(&m, 0x80000001);

		kit_put(&m, 500 + i, 4);
		kit_option(&m, 2, bytes_str("Safari"));
		kit_block_end(&m, at);
	}
	for (uint32_t i = 8; i < 11; i++) {
		size_t at = kit_packet_begin(&m, 0, 0, "four");

		kit_option_number(&m, 32771, 0, 4);
		kit_option_number(&m, 32769, i, 4);
		kit_block_end(&m, at);
	}
	kit_read(&r, &m);
	kit_expect(&r, CAPTURE_HEADER);
	kit_expect(&r, CAPTURE_INTERFACE);
	for (uint32_t i = 0; i < 10; i++) {
		kit_expect(&r, CAPTURE_PROCESS);
		assert_int_equal(r.item.u.process.pid, 500 + i);
		assert_true(bytes_equal(r.item.u.process.name, bytes_str("Safari")));
	}
	for (int64_t i = 8; i < 11; i++) {
		kit_expect(&r, CAPTURE_PACKET);
		/* There is no eleventh: for whom it was done is known, at least. */
		assert_int_equal(r.item.u.packet.pid, i < 10 ? 500 + i : 500);
	}
	kit_end(&r, &m);
}

static void unknown_blocks_are_stepped_over(void **state)
{
	struct maker m = kit_new(true);
	struct reader r;

	(void)state;
	kit_section(&m);
	kit_block_end(&m, kit_block(&m, 4));
	kit_block_end(&m, kit_block(&m, 0xdeadbeef));
	kit_read(&r, &m);
	kit_expect(&r, CAPTURE_HEADER);
	kit_expect(&r, CAPTURE_SKIPPED);
	assert_int_equal(r.item.block_type, 4);
	assert_int_equal(r.item.raw.n, 12);
	kit_expect(&r, CAPTURE_SKIPPED);
	assert_int_equal(r.item.block_type, 0xdeadbeef);
	kit_expect_end(&r);
	kit_end(&r, &m);
}

static void a_length_without_the_padding_is_understood(void **state)
{
	struct maker m = kit_new(false);
	struct reader r;
	size_t at;

	(void)state;
	kit_section(&m);
	kit_interface(&m, 1, 0, 0);
	at = kit_packet_begin(&m, 0, 0, "odd");
	kit_put(&m, m.b.n - at + 3, 4);
	kit_put_at(&m, at + 4, (uint32_t)(m.b.n - at - 1));
	kit_packet(&m, 0, 1, "even");
	kit_read(&r, &m);
	kit_expect(&r, CAPTURE_HEADER);
	kit_expect(&r, CAPTURE_INTERFACE);
	kit_expect_packet(&r, 1, 0, "odd");
	kit_expect_packet(&r, 2, 1000, "even");
	kit_expect_end(&r);
	kit_end(&r, &m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_sections_of_either_order_in_one_file),
		cmocka_unit_test(every_resolution_of_time_becomes_nanoseconds),
		cmocka_unit_test(simple_packets_are_of_the_first_interface),
		cmocka_unit_test(obsolete_packets_are_read),
		cmocka_unit_test(secrets_and_statistics_are_handed_out),
		cmocka_unit_test(a_packet_names_its_process),
		cmocka_unit_test(wiresharks_process_blocks_are_read),
		cmocka_unit_test(apples_process_blocks_are_numbered),
		cmocka_unit_test(unknown_blocks_are_stepped_over),
		cmocka_unit_test(a_length_without_the_padding_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
