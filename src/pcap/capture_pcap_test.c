#include "pcap/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "pcap/testkit.h"

static void reads_pcap_in_either_order_and_resolution(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct maker m = kit_new(i & 1);
		bool nano = i & 2;
		struct reader r;

		kit_pcap_header(&m, nano ? 0xa1b23c4d : 0xa1b2c3d4, 276);
		kit_pcap_record(&m, 123456, "one");
		kit_pcap_record(&m, 999999, "");
		kit_read(&r, &m);
		kit_expect(&r, CAPTURE_HEADER);
		assert_int_equal(r.item.raw.n, 24);
		assert_int_equal(r.item.big_endian, m.big);
		assert_int_equal(capture_format(r.c), CAPTURE_PCAP);
		assert_int_equal(r.item.u.interface.link, 276);
		kit_expect_packet(&r, 1, 1600000000000000000 + (nano ? 123456 : 123456000), "one");
		assert_int_equal(r.item.u.packet.link, 276);
		assert_int_equal(r.item.u.packet.wire_n, 13);
		assert_int_equal(r.item.raw.n, 19);
		kit_expect_packet(&r, 2, 1600000000000000000 + (nano ? 999999 : 999999000), "");
		kit_expect_end(&r);
		assert_int_equal(capture_offset(r.c), m.b.n);
		assert_int_equal(capture_bad(r.c), 0);
		kit_end(&r, &m);
	}
}

static void reads_the_longer_records_of_modified_pcap(void **state)
{
	struct maker m = kit_new(false);
	struct reader r;

	(void)state;
	kit_pcap_header(&m, 0xa1b2cd34, 1);
	for (int i = 1; i < 3; i++) {
		kit_put(&m, (uint64_t)i, 4);
		kit_put(&m, 5, 4);
		kit_put(&m, 3, 4);
		kit_put(&m, 3, 4);
		kit_put(&m, 0x0102030405060708, 8);
		kit_text(&m, "abc");
	}
	kit_read(&r, &m);
	kit_expect(&r, CAPTURE_HEADER);
	kit_expect_packet(&r, 1, 1000005000, "abc");
	kit_expect_packet(&r, 2, 2000005000, "abc");
	kit_expect_end(&r);
	kit_end(&r, &m);
}

static void the_frame_check_sequence_is_not_part_of_the_link_type(void **state)
{
	struct maker m = kit_new(true);
	struct reader r;

	(void)state;
	kit_pcap_header(&m, 0xa1b2c3d4, 0x24000001);
	kit_pcap_record(&m, 0, "x");
	kit_read(&r, &m);
	kit_expect(&r, CAPTURE_HEADER);
	kit_expect(&r, CAPTURE_PACKET);
	assert_int_equal(r.item.u.packet.link, 1);
	kit_end(&r, &m);
}

static void more_captured_than_there_was_counts_as_there(void **state)
{
	struct maker m = kit_new(false);
	struct reader r;

	(void)state;
	kit_pcap_header(&m, 0xa1b2c3d4, 1);
	kit_put(&m, 0, 8);
	kit_put(&m, 3, 4);
	kit_put(&m, 1, 4);
	kit_text(&m, "abc");
	kit_read(&r, &m);
	kit_expect(&r, CAPTURE_HEADER);
	kit_expect_packet(&r, 1, 0, "abc");
	assert_int_equal(r.item.u.packet.wire_n, 3);
	kit_end(&r, &m);
}

static void refuses_pcap_of_another_version(void **state)
{
	struct maker m = kit_new(false);
	struct reader r;

	(void)state;
	kit_pcap_header(&m, 0xa1b2c3d4, 1);
	m.b.p[4] = 3;
	kit_read(&r, &m);
	assert_string_equal(kit_sentence(&r, CAPTURE_LOST),
			    "pcap of version 3.4: 2.4 is what there is");
	kit_expect_end(&r);
	kit_end(&r, &m);
}

static void a_length_of_four_gigabytes_ends_pcap(void **state)
{
	struct maker m = kit_new(false);
	struct reader r;

	(void)state;
	kit_pcap_header(&m, 0xa1b2c3d4, 1);
	kit_pcap_record(&m, 0, "good");
	kit_pcap_record(&m, 0, "bad");
	kit_put_at(&m, 24 + 20 + 8, UINT32_MAX);
	kit_read(&r, &m);
	kit_expect(&r, CAPTURE_HEADER);
	kit_expect(&r, CAPTURE_PACKET);
	assert_string_equal(
		kit_sentence(&r, CAPTURE_LOST),
		"packet 2 at offset 44 says that 4294967295 bytes of it were captured, "
		"more than the 16777216 that are possible: the rest of the capture cannot "
		"be read");
	assert_int_equal(capture_bad(r.c), 1);
	kit_expect_end(&r);
	kit_end(&r, &m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_pcap_in_either_order_and_resolution),
		cmocka_unit_test(reads_the_longer_records_of_modified_pcap),
		cmocka_unit_test(the_frame_check_sequence_is_not_part_of_the_link_type),
		cmocka_unit_test(more_captured_than_there_was_counts_as_there),
		cmocka_unit_test(refuses_pcap_of_another_version),
		cmocka_unit_test(a_length_of_four_gigabytes_ends_pcap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
