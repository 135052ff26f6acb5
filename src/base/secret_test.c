#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void copies_up_to_its_room(void **state)
{
	uint8_t in[SECRET_MAX + 1];
	AUTO(secret_wipe) struct secret s = { 0 };
	struct err e = { 0 };

	(void)state;
	memset(in, 7, sizeof(in));
	assert_int_equal(secret_set(&s, bytes_of(in, SECRET_MAX), NULL), 0);
	assert_true(bytes_equal(secret_bytes(&s), bytes_of(in, SECRET_MAX)));
	assert_int_equal(secret_set(&s, bytes_of(NULL, 0), NULL), 0);
	assert_int_equal(s.n, 0);
	assert_int_equal(secret_set(&s, bytes_str("key"), NULL), 0);
	assert_int_equal(secret_set(&s, bytes_of(in, sizeof(in)), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_true(bytes_equal(secret_bytes(&s), bytes_str("key"))); /* as it was */
}

static void a_shorter_secret_leaves_nothing_of_the_longer(void **state)
{
	struct secret s = { 0 };

	(void)state;
	assert_int_equal(secret_set(&s, bytes_str("long-secret"), NULL), 0);
	assert_int_equal(secret_set(&s, bytes_str("abc"), NULL), 0);
	for (size_t i = 3; i < SECRET_MAX; i++)
		assert_int_equal(s.b[i], 0);
}

static void may_be_set_from_a_part_of_itself(void **state)
{
	struct secret s = { 0 };

	(void)state;
	assert_int_equal(secret_set(&s, bytes_str("0123456789"), NULL), 0);
	assert_int_equal(secret_set(&s, bytes_slice(secret_bytes(&s), 2, 5), NULL), 0);
	assert_true(bytes_equal(secret_bytes(&s), bytes_str("23456")));
}

static void wiping_leaves_zeros(void **state)
{
	static const struct secret zero;
	struct secret s = { 0 };

	(void)state;
	assert_int_equal(secret_set(&s, bytes_str("key"), NULL), 0);
	secret_wipe(&s);
	assert_memory_equal(&s, &zero, sizeof(s));
}

static void compares_every_byte(void **state)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 };

	(void)state;
	assert_true(secret_equal(bytes_of(a, 32), bytes_of(b, 32)));
	for (size_t i = 0; i < sizeof(b); i++) {
		b[i] = 1;
		assert_false(secret_equal(bytes_of(a, 32), bytes_of(b, 32)));
		b[i] = 0;
	}
	assert_false(secret_equal(bytes_of(a, 32), bytes_of(b, 31)));
	assert_true(secret_equal(bytes_of(NULL, 0), bytes_of(NULL, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_up_to_its_room),
		cmocka_unit_test(a_shorter_secret_leaves_nothing_of_the_longer),
		cmocka_unit_test(may_be_set_from_a_part_of_itself),
		cmocka_unit_test(wiping_leaves_zeros),
		cmocka_unit_test(compares_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
