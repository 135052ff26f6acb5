#include "base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdalign.h>

#include "base/mem.h"

static void hands_out_zeroed_and_aligned_memory(void **state)
{
	struct arena a = arena_init(1 << 20);

	(void)state;
	for (size_t n = 1; n < 300; n++) {
		uint8_t *p = arena_new(&a, n, 7);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t i = 0; i < n * 7; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, n * 7);
	}
	arena_fini(&a);
	assert_null(a.chunks);
}

static void what_was_handed_out_stays_in_place(void **state)
{
	struct arena a = arena_init(1 << 20);
	char *first = arena_dup(&a, bytes_str("first"));

	(void)state;
	assert_non_null(first);
	for (int i = 0; i < 1000; i++)
		assert_non_null(arena_dup(&a, bytes_str("another text of some length")));
	assert_string_equal(first, "first");
	assert_string_equal(arena_dup(&a, (struct bytes){ 0 }), "");
	arena_fini(&a);
}

static void one_piece_may_be_larger_than_a_chunk(void **state)
{
	struct arena a = arena_init(1 << 20);
	uint8_t *p = arena_new(&a, 100, 1000);

	(void)state;
	assert_non_null(p);
	p[99999] = 1;
	arena_fini(&a);
}

static void never_hands_out_more_than_its_limit(void **state)
{
	struct arena a = arena_init(64);

	(void)state;
	assert_null(arena_new(&a, 65, 1));
	assert_non_null(arena_new(&a, 48, 1));
	assert_null(arena_new(&a, 17, 1));
	assert_non_null(arena_new(&a, 16, 1));
	assert_null(arena_new(&a, 1, 1));
	arena_fini(&a);
	assert_non_null(arena_new(&a, 64, 1));
	arena_fini(&a);
}

static void a_product_that_overflows_is_refused(void **state)
{
	struct arena a = arena_init(SIZE_MAX);

	(void)state;
	assert_null(arena_new(&a, SIZE_MAX / 2, 3));
	assert_null(arena_new(&a, SIZE_MAX, 1));
	assert_null(a.chunks);
}

static void survives_a_failed_allocation(void **state)
{
	struct arena a = arena_init(1 << 20);

	(void)state;
	mem_fail_at(1);
	assert_null(arena_new(&a, 1, 1));
	mem_fail_at(0);
	assert_int_equal(a.used, 0);
	assert_non_null(arena_new(&a, 1, 1));
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hands_out_zeroed_and_aligned_memory),
		cmocka_unit_test(what_was_handed_out_stays_in_place),
		cmocka_unit_test(one_piece_may_be_larger_than_a_chunk),
		cmocka_unit_test(never_hands_out_more_than_its_limit),
		cmocka_unit_test(a_product_that_overflows_is_refused),
		cmocka_unit_test(survives_a_failed_allocation),
	};

	return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}
