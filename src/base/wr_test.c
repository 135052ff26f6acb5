#include "base/wr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/rd.h"

static void numbers_are_big_endian(void **state)
{
	static const uint8_t want[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
					0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12 };
	AUTO(buf_fini) struct buf b = buf_init(100);
	struct wr w = wr_init(&b);

	(void)state;
	wr_u8(&w, 0x01);
	wr_u16(&w, 0x0203);
	wr_u24(&w, 0x040506);
	wr_u32(&w, 0x0708090a);
	wr_u64(&w, UINT64_C(0x0b0c0d0e0f101112));
	assert_int_equal(wr_end(&w, NULL), 0);
	assert_true(bytes_equal(buf_bytes(&b), bytes_of(want, sizeof(want))));
}

static void vectors_nest(void **state)
{
	static const uint8_t want[] = { 'x', 0, 6, 0, 0, 1, 'a', 1, 'b' };
	AUTO(buf_fini) struct buf b = buf_init(100);
	struct wr w = wr_init(&b);
	struct wr_mark outer, inner;

	(void)state;
	wr_str(&w, "x");
	outer = wr_open(&w, 2);
	inner = wr_open(&w, 3);
	wr_str(&w, "a");
	wr_close(&w, inner);
	inner = wr_open(&w, 1);
	wr_str(&w, "b");
	wr_close(&w, inner);
	wr_close(&w, outer);
	assert_int_equal(wr_end(&w, NULL), 0);
	assert_true(bytes_equal(buf_bytes(&b), bytes_of(want, sizeof(want))));
}

static void a_vector_survives_the_growth_of_its_buffer(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(100000);
	struct wr w = wr_init(&b);
	struct wr_mark m;
	bool bad = false;
	struct rd r, v;

	(void)state;
	wr_str(&w, "front");
	buf_take(&b, 5);
	m = wr_open(&w, 2);
	for (int i = 0; i < 50000; i++)
		wr_u8(&w, (uint8_t)i);
	wr_close(&w, m);
	assert_int_equal(wr_end(&w, NULL), 0);
	r = rd_init(buf_bytes(&b), &bad);
	v = rd_vec16(&r);
	rd_end(&r);
	assert_false(bad);
	assert_int_equal(v.n, 50000);
}

static int vector_of(size_t size, size_t n)
{
	static const uint8_t zeros[1 << 16];
	AUTO(buf_fini) struct buf b = buf_init(1 << 20);
	struct wr w = wr_init(&b);
	struct wr_mark m = wr_open(&w, size);

	wr_bytes(&w, bytes_of(zeros, n));
	wr_close(&w, m);
	return wr_end(&w, NULL);
}

static void refuses_a_vector_too_long_for_its_prefix(void **state)
{
	(void)state;
	assert_int_equal(vector_of(1, 255), 0);
	assert_int_equal(vector_of(1, 256), -1);
	assert_int_equal(vector_of(2, 65535), 0);
	assert_int_equal(vector_of(2, 65536), -1);
	assert_int_equal(vector_of(3, 65536), 0);
}

static void a_failure_sticks_and_says_which(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(3);
	struct wr w = wr_init(&b);
	struct wr_mark m = wr_open(&w, 2);
	struct err e = { 0 };

	(void)state;
	wr_u16(&w, 1); /* does not fit */
	wr_u8(&w, 2);  /* would, but nothing is written after a failure */
	wr_close(&w, m);
	assert_int_equal(b.n, 2);
	assert_int_equal(wr_end(&w, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_non_null(strstr(e.sentence, "3 bytes"));
}

static void missing_memory_is_told_from_a_limit(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(100);
	struct wr w = wr_init(&b);
	struct err e = { 0 };

	(void)state;
	mem_fail_at(1);
	wr_str(&w, "abc");
	mem_fail_at(0);
	assert_int_equal(wr_end(&w, &e), -1);
	assert_int_equal(e.code, ERR_NOMEM);
	assert_int_equal(b.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_big_endian),
		cmocka_unit_test(vectors_nest),
		cmocka_unit_test(a_vector_survives_the_growth_of_its_buffer),
		cmocka_unit_test(refuses_a_vector_too_long_for_its_prefix),
		cmocka_unit_test(a_failure_sticks_and_says_which),
		cmocka_unit_test(missing_memory_is_told_from_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
