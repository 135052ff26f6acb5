#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void new_memory_is_zero(void **state)
{
	uint8_t *p = mem_new(100);
	uint32_t *q = mem_new_array(10, sizeof(*q));

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(q[i], 0);
	mem_free(p);
	mem_free(q);
	mem_free(NULL);
}

static void nothing_is_an_allocation_like_any_other(void **state)
{
	void *p = mem_new(0), *q = mem_new_array(0, 8);

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	p = mem_resize(p, 0);
	assert_non_null(p);
	mem_free(p);
	mem_free(q);
}

static void a_product_that_overflows_is_refused(void **state)
{
	volatile size_t half = SIZE_MAX / 2 + 1; /* volatile: the compiler would warn of the size */

	(void)state;
	assert_null(mem_new_array(half, 2));
}

static void resizing_keeps_the_bytes(void **state)
{
	uint8_t *p = mem_dup(bytes_str("abc")), *bigger;

	(void)state;
	assert_non_null(p);
	mem_fail_at(1);
	assert_null(mem_resize(p, 1000));
	mem_fail_at(0);
	assert_string_equal(p, "abc");
	bigger = mem_resize(p, 1000);
	assert_non_null(bigger);
	assert_string_equal(bigger, "abc");
	mem_free(bigger);
}

static void copies_end_with_a_nul(void **state)
{
	char *a = mem_dup(bytes_of("abcdef", 3)), *b = mem_str("xyz"),
	     *c = mem_dup(bytes_of(NULL, 0));

	(void)state;
	assert_string_equal(a, "abc");
	assert_string_equal(b, "xyz");
	assert_string_equal(c, "");
	mem_free(a);
	mem_free(b);
	mem_free(c);
}

static void pointers_clean_themselves_up(void **state)
{
	AUTO(mem_freep) char *p = mem_str("LeakSanitizer would tell");
	AUTO(mem_freep) char *none = NULL;

	(void)state;
	assert_non_null(p);
	assert_null(none);
}

static void wiping_zeroes(void **state)
{
	uint8_t key[4] = { 1, 2, 3, 4 };

	(void)state;
	mem_wipe(key, 3);
	assert_int_equal(key[0] + key[1] + key[2], 0);
	assert_int_equal(key[3], 4);
	mem_wipe(NULL, 0);
}

static void the_nth_allocation_and_all_after_it_fail(void **state)
{
	void *p, *q;

	(void)state;
	mem_fail_at(3);
	p = mem_new(1);
	q = mem_str("x");
	assert_non_null(p);
	assert_non_null(q);
	assert_null(mem_new(1));
	assert_null(mem_new_array(1, 1));
	assert_null(mem_dup(bytes_str("x")));
	assert_null(mem_resize(NULL, 1));
	mem_fail_at(0);
	mem_free(p);
	mem_free(q);
	p = mem_new(1);
	assert_non_null(p);
	mem_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_memory_is_zero),
		cmocka_unit_test(nothing_is_an_allocation_like_any_other),
		cmocka_unit_test(a_product_that_overflows_is_refused),
		cmocka_unit_test(resizing_keeps_the_bytes),
		cmocka_unit_test(copies_end_with_a_nul),
		cmocka_unit_test(pointers_clean_themselves_up),
		cmocka_unit_test(wiping_zeroes),
		cmocka_unit_test(the_nth_allocation_and_all_after_it_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
