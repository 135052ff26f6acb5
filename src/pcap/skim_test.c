#include "pcap/skim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static const uint8_t big_section[] = {
	0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d
};
static const uint8_t little_section[] = { 0x0a, 0x0d, 0x0d, 0x0a, 28,	0,
					  0,	0,    0x4d, 0x3c, 0x2b, 0x1a };
/* The length is 22: two bytes of padding are not counted. */
static const uint8_t block[] = { 10, 0, 0, 0, 22,  0,	0, 0, 'K', 'S', 'L', 'T',
				 2,  0, 0, 0, 'h', 'i', 0, 0, 22,  0,	0,   0 };

static struct bytes of(const uint8_t *p, size_t n)
{
	return bytes_of(p, n);
}

static void sections_of_either_order_begin_a_file(void **state)
{
	struct skim s = { 0 };
	struct skim_block b;

	(void)state;
	assert_true(skim_next(&s, of(big_section, 12), &b));
	assert_true(s.big_endian);
	assert_int_equal(b.n, 28);
	assert_true(skim_next(&s, of(little_section, 12), &b));
	assert_false(s.big_endian);
	assert_int_equal(b.type, 0x0a0d0d0a);
	assert_int_equal(b.n, 28);
	assert_false(b.secrets);
}

static void what_is_no_block_ends_it(void **state)
{
	uint8_t bad[12];
	struct skim s = { 0 };
	struct skim_block b;

	(void)state;
	assert_false(skim_next(&s, of(block, 12), &b)); /* without a section */
	for (size_t n = 0; n < 12; n++)
		assert_false(skim_next(&s, of(big_section, n), &b));
	memcpy(bad, big_section, sizeof(bad));
	bad[8] = 0; /* the byte-order magic */
	assert_false(skim_next(&s, of(bad, 12), &b));
	assert_true(skim_next(&s, of(little_section, 12), &b));
	memcpy(bad, block, sizeof(bad));
	bad[4] = 11; /* the length */
	assert_false(skim_next(&s, of(bad, 12), &b));
}

static void secrets_are_told_by_type_and_size(void **state)
{
	uint8_t long_block[12];
	struct skim s = { 0 };
	struct skim_block b;

	(void)state;
	assert_true(skim_next(&s, of(little_section, 12), &b));
	assert_true(skim_next(&s, of(block, 12), &b));
	assert_int_equal(b.type, 10);
	assert_int_equal(b.n, 24);
	assert_true(b.secrets);
	memcpy(long_block, block, sizeof(long_block));
	long_block[7] = 0xff;
	assert_true(skim_next(&s, of(long_block, 12), &b));
	assert_int_equal(b.n, 0xff000018);
	assert_false(b.secrets);
}

static void secrets_lie_within_their_block(void **state)
{
	struct skim s = { .begun = true };
	uint8_t bad[sizeof(block)];
	struct capture_secrets found;

	(void)state;
	assert_true(skim_secrets(&s, of(block, sizeof(block)), &found));
	assert_int_equal(found.type, CAPTURE_SECRETS_TLS);
	assert_true(bytes_equal(found.data, bytes_str("hi")));
	for (size_t n = 0; n < sizeof(block); n++)
		assert_false(skim_secrets(&s, of(block, n), &found));
	memcpy(bad, block, sizeof(bad));
	bad[12] = 5; /* more than there is */
	assert_false(skim_secrets(&s, of(bad, sizeof(bad)), &found));
	memcpy(bad, block, sizeof(bad));
	bad[20] = 21; /* lengths that differ */
	assert_false(skim_secrets(&s, of(bad, sizeof(bad)), &found));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_of_either_order_begin_a_file),
		cmocka_unit_test(what_is_no_block_ends_it),
		cmocka_unit_test(secrets_are_told_by_type_and_size),
		cmocka_unit_test(secrets_lie_within_their_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
