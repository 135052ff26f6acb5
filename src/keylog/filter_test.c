#include "keylog/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static struct addr ip(const char *text)
{
	struct addr a;

	assert_true(addr_parse_ip(bytes_str(text), 443, &a));
	return a;
}

static struct addr_range range(const char *text)
{
	struct addr_range r;

	assert_int_equal(addr_range_parse(bytes_str(text), &r, NULL), 0);
	return r;
}

static void an_empty_filter_lets_everything_through(void **state)
{
	struct keylog_filter filter = { 0 };
	struct addr a = ip("10.0.0.1"), none = { 0 };

	(void)state;
	assert_true(keylog_filter_match(&filter, &a, &a));
	assert_true(keylog_filter_match(&filter, &none, &none));
}

static void both_addresses_must_be_in_a_range_of_their_list(void **state)
{
	struct addr_range local[] = { range("10.0.0.0/8"), range("fd00::/8") };
	struct addr_range remote[] = { range("192.0.2.0/24") };
	struct keylog_filter filter = { local, 2, remote, 1 };
	struct addr ten = ip("10.1.2.3"), ula = ip("fd00::1"), there = ip("192.0.2.9");
	struct addr other = ip("11.0.0.1"), none = { 0 };

	(void)state;
	assert_true(keylog_filter_match(&filter, &ten, &there));
	assert_true(keylog_filter_match(&filter, &ula, &there));
	assert_false(keylog_filter_match(&filter, &there, &ten));
	assert_false(keylog_filter_match(&filter, &other, &there));
	assert_false(keylog_filter_match(&filter, &ten, &other));
	assert_false(keylog_filter_match(&filter, &none, &there));
	assert_false(keylog_filter_match(&filter, &ten, &none));
	filter.local_count = 0;
	assert_true(keylog_filter_match(&filter, &other, &there));
	assert_false(keylog_filter_match(&filter, &other, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_filter_lets_everything_through),
		cmocka_unit_test(both_addresses_must_be_in_a_range_of_their_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
