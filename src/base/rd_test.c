#include "base/rd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const uint8_t sample[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
				  0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12 };

static void numbers_are_big_endian(void **state)
{
	bool bad = false;
	struct rd r = rd_init(bytes_of(sample, sizeof(sample)), &bad);

	(void)state;
	assert_int_equal(rd_u8(&r), 0x01);
	assert_int_equal(rd_u16(&r), 0x0203);
	assert_int_equal(rd_u24(&r), 0x040506);
	assert_int_equal(rd_u32(&r), 0x0708090a);
	assert_true(rd_u64(&r) == UINT64_C(0x0b0c0d0e0f101112));
	rd_end(&r);
	assert_false(bad);
}

static void past_the_end_are_zeros_and_one_flag(void **state)
{
	bool bad = false;
	struct rd r = rd_init(bytes_of(sample, 3), &bad);

	(void)state;
	assert_int_equal(rd_u32(&r), 0);
	assert_true(bad);
	assert_int_equal(r.n, 0);
	assert_int_equal(rd_u8(&r), 0); /* nothing comes back */
	assert_int_equal(rd_take(&r, 1).n, 0);
	assert_int_equal(rd_rest(&r).n, 0);
}

static void the_flag_stays_up(void **state)
{
	bool bad = false;
	struct rd r = rd_init(bytes_of(sample, 1), &bad);

	(void)state;
	rd_skip(&r, 2);
	rd_end(&r);
	rd_skip(&r, 0);
	assert_true(bad);
}

static void a_huge_length_is_past_the_end(void **state)
{
	bool bad = false;
	struct rd r = rd_init(bytes_of(sample, sizeof(sample)), &bad);

	(void)state;
	assert_null(rd_take(&r, SIZE_MAX).p);
	assert_true(bad);
}

static void an_empty_reader_yields_empty_pieces(void **state)
{
	bool bad = false;
	struct rd r = rd_init(bytes_of(NULL, 0), &bad);

	(void)state;
	assert_int_equal(rd_take(&r, 0).n, 0);
	rd_end(&r);
	assert_false(bad);
}

static void left_over_bytes_raise_the_flag(void **state)
{
	bool bad = false;
	struct rd r = rd_init(bytes_of(sample, 2), &bad);

	(void)state;
	rd_skip(&r, 1);
	rd_end(&r);
	assert_true(bad);
}

static void vectors_have_their_length_before_them(void **state)
{
	static const uint8_t in[] = { 2, 'a', 'b', 0, 1, 'c', 0, 0, 2, 'd', 'e', 0 };
	bool bad = false;
	struct rd r = rd_init(bytes_of(in, sizeof(in)), &bad);
	struct rd one = rd_vec8(&r), two = rd_vec16(&r), three = rd_vec24(&r), none = rd_vec8(&r);

	(void)state;
	assert_true(bytes_equal(rd_rest(&one), bytes_str("ab")));
	assert_true(bytes_equal(rd_rest(&two), bytes_str("c")));
	assert_true(bytes_equal(rd_rest(&three), bytes_str("de")));
	assert_int_equal(none.n, 0);
	rd_end(&r);
	assert_false(bad);
}

static void every_truncation_of_a_vector_raises_the_flag(void **state)
{
	static const uint8_t in[] = { 0, 0, 3, 'a', 'b', 'c' };

	(void)state;
	for (size_t n = 0; n <= sizeof(in); n++) {
		bool bad = false;
		struct rd r = rd_init(bytes_of(in, n), &bad);
		struct rd v = rd_vec24(&r);

		assert_int_equal(bad, n < sizeof(in));
		assert_int_equal(v.n, n < sizeof(in) ? 0 : 3);
	}
}

static void a_part_shares_the_flag_of_the_whole_but_not_its_bytes(void **state)
{
	static const uint8_t in[] = { 1, 'a', 'b' };
	bool bad = false;
	struct rd r = rd_init(bytes_of(in, sizeof(in)), &bad);
	struct rd part = rd_vec8(&r);

	(void)state;
	assert_int_equal(rd_u16(&part), 0); /* would need the 'b' after the part */
	assert_true(bad);
	assert_int_equal(rd_u8(&r), 'b'); /* the whole reads on; whoever asks the flag knows */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_big_endian),
		cmocka_unit_test(past_the_end_are_zeros_and_one_flag),
		cmocka_unit_test(the_flag_stays_up),
		cmocka_unit_test(a_huge_length_is_past_the_end),
		cmocka_unit_test(an_empty_reader_yields_empty_pieces),
		cmocka_unit_test(left_over_bytes_raise_the_flag),
		cmocka_unit_test(vectors_have_their_length_before_them),
		cmocka_unit_test(every_truncation_of_a_vector_raises_the_flag),
		cmocka_unit_test(a_part_shares_the_flag_of_the_whole_but_not_its_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
