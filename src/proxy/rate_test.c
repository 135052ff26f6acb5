#include "proxy/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define S ((int64_t)1000000000)

static unsigned take_all(struct rate *r, int64_t now)
{
	unsigned n = 0;

	while (rate_take(r, now) && n < 1000)
		n++;
	return n;
}

static void a_burst_is_there_at_once_and_no_more(void **state)
{
	struct rate r = { .per_s = 10, .burst = 30 };

	(void)state;
	assert_int_equal(take_all(&r, 1000 * S), 30);
	assert_int_equal(take_all(&r, 1000 * S), 0);
}

static void afterwards_there_are_so_many_a_second(void **state)
{
	struct rate r = { .per_s = 10, .burst = 30 };
	unsigned n = 0;

	(void)state;
	take_all(&r, 1000 * S);
	assert_int_equal(take_all(&r, 1000 * S + S / 10 - 1), 0);
	assert_int_equal(take_all(&r, 1000 * S + S / 10), 1);
	for (int64_t now = 1000 * S + S / 10; now <= 1002 * S; now += S / 1000)
		n += take_all(&r, now);
	assert_int_equal(n, 19);
}

static void what_is_not_used_is_saved_up_to_the_burst(void **state)
{
	struct rate r = { .per_s = 10, .burst = 30 };

	(void)state;
	take_all(&r, 1000 * S);
	assert_int_equal(take_all(&r, 1001 * S), 10);
	assert_int_equal(take_all(&r, 5000 * S), 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_there_at_once_and_no_more),
		cmocka_unit_test(afterwards_there_are_so_many_a_second),
		cmocka_unit_test(what_is_not_used_is_saved_up_to_the_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
