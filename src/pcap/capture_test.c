#include "pcap/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "pcap/testkit.h"

static void what_is_no_capture_is_said_to_be_none(void **state)
{
	struct maker m = kit_new(false);
	struct reader r;

	(void)state;
	kit_read(&r, &m);
	assert_string_equal(kit_sentence(&r, CAPTURE_LOST),
			    "not a capture (pcap or pcapng): it is empty");
	kit_expect_end(&r);
	capture_free(r.c);
	kit_text(&m, "GET / HTTP/1.1\r\n");
	kit_read(&r, &m);
	assert_string_equal(kit_sentence(&r, CAPTURE_LOST),
			    "not a capture (pcap or pcapng): it begins with the bytes 47455420");
	assert_int_equal(capture_bad(r.c), 0);
	kit_expect_end(&r);
	kit_end(&r, &m);
}

static struct maker a_bit_of_all(bool ng)
{
	struct maker m = kit_new(ng);

	if (!ng) {
		kit_pcap_header(&m, 0xa1b2c3d4, 1);
		kit_pcap_record(&m, 1, "one");
		kit_pcap_record(&m, 2, "two");
		return m;
	}
	kit_section(&m);
	kit_interface(&m, 1, 0, 0);
	kit_custom_process(&m, 32622, 3, 1);
	kit_packet(&m, 0, 1, "one");
	kit_packet(&m, 0, 2, "two!");
	return m;
}

/* Where blocks of a good capture begin. */
static bool is_border(const struct maker *m, size_t at)
{
	struct reader r;
	bool found = at == 0;

	kit_read(&r, m);
	while (kit_next(&r) == CAPTURE_ITEM)
		found |= capture_offset(r.c) == at;
	capture_free(r.c);
	return found;
}

static void every_cut_is_told_once(void **state)
{
	(void)state;
	for (int ng = 0; ng < 2; ng++) {
		struct maker m = a_bit_of_all(ng);

		for (size_t n = 1; n < m.b.n; n++) {
			struct reader r;
			enum capture_outcome o;

			kit_read(&r, &m);
			r.step.in.n = n;
			while ((o = kit_next(&r)) == CAPTURE_ITEM)
				;
			if (is_border(&m, n)) {
				assert_int_equal(o, CAPTURE_MORE);
			} else {
				assert_int_equal(o, CAPTURE_LOST);
				assert_true(strstr(r.e.sentence, "cut off") ||
					    strstr(r.e.sentence, "not a capture") ||
					    strstr(r.e.sentence, "pcap file header"));
				assert_true(capture_offset(r.c) <= n);
			}
			kit_expect_end(&r);
			capture_free(r.c);
		}
		buf_fini(&m.b);
	}
}

static void what_comes_byte_by_byte_is_waited_for(void **state)
{
	(void)state;
	for (int ng = 0; ng < 2; ng++) {
		struct maker m = a_bit_of_all(ng);
		size_t at = 0, end = 0, packets = 0;
		struct reader r;

		kit_read(&r, &m);
		while (at < m.b.n) {
			size_t shown = end - at;
			enum capture_outcome o;

			r.step.in = bytes_slice(buf_bytes(&m.b), at, shown);
			r.step.last = false;
			o = kit_next(&r);
			at += shown - r.step.in.n;
			if (o == CAPTURE_ITEM) {
				packets += r.item.kind == CAPTURE_PACKET;
				continue;
			}
			assert_int_equal(o, CAPTURE_MORE);
			assert_true(r.step.need > r.step.in.n);
			end++;
		}
		assert_int_equal(packets, 2);
		kit_end(&r, &m);
	}
}

static void memory_that_is_not_there_ends_it(void **state)
{
	struct maker m = a_bit_of_all(true);
	struct capture *c = NULL;
	struct reader r;

	(void)state;
	mem_fail_at(1);
	assert_int_equal(capture_new(&c, NULL), -1);
	mem_fail_at(0);
	kit_read(&r, &m);
	mem_fail_at(1);
	kit_expect(&r, CAPTURE_HEADER);
	assert_int_equal(kit_next(&r), CAPTURE_LOST);
	assert_int_equal(r.e.code, ERR_NOMEM);
	mem_fail_at(0);
	kit_expect_end(&r);
	kit_end(&r, &m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_capture_is_said_to_be_none),
		cmocka_unit_test(every_cut_is_told_once),
		cmocka_unit_test(what_comes_byte_by_byte_is_waited_for),
		cmocka_unit_test(memory_that_is_not_there_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
