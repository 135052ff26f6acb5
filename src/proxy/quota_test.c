#include "proxy/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct addr client(const char *ip)
{
	struct addr a;

	assert_true(addr_parse_ip(bytes_str(ip), 1234, &a));
	return a;
}

static void counts_each_client_for_itself(void **state)
{
	struct addr a = client("10.9.0.5"), b = client("fd00::5");
	struct quota *q;

	(void)state;
	assert_int_equal(quota_new(10, &q, NULL), 0);
	assert_true(quota_take(q, &a, 2));
	assert_true(quota_take(q, &a, 2));
	assert_false(quota_take(q, &a, 2));
	assert_true(quota_take(q, &b, 2));
	quota_give(q, &a);
	assert_true(quota_take(q, &a, 2));
	quota_free(q);
}

static void the_port_does_not_matter(void **state)
{
	struct addr a = client("10.9.0.5"), same = a;
	struct quota *q;

	(void)state;
	same.port = 99;
	assert_int_equal(quota_new(10, &q, NULL), 0);
	assert_true(quota_take(q, &a, 1));
	assert_false(quota_take(q, &same, 1));
	quota_free(q);
}

static void forgets_nobody_for_want_of_room(void **state)
{
	struct addr a = client("10.9.0.5"), b = client("10.9.0.6");
	struct quota *q;

	(void)state;
	assert_int_equal(quota_new(1, &q, NULL), 0);
	assert_true(quota_take(q, &a, 1));
	assert_false(quota_take(q, &b, 1));
	quota_give(q, &a);
	assert_true(quota_take(q, &b, 1));
	quota_give(q, &a); /* one too many does nothing */
	quota_free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_each_client_for_itself),
		cmocka_unit_test(the_port_does_not_matter),
		cmocka_unit_test(forgets_nobody_for_want_of_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
