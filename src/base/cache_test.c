#include "base/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"

static int freed[16]; /* how often each value left */

static void on_free(void *value)
{
	freed[*(int *)value]++;
}

static int values[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

static struct cache *new_cache(size_t entries, int64_t age)
{
	struct cache_options options = { .max_entries = entries,
					 .max_age_ns = age,
					 .free_value = on_free };
	struct cache *c = NULL;

	memset(freed, 0, sizeof(freed));
	assert_int_equal(cache_new(&options, &c, NULL), 0);
	return c;
}

static void put(struct cache *c, const char *key, int value, int64_t now)
{
	assert_int_equal(cache_put(c, bytes_str(key), &values[value], now, NULL), 0);
}

/* The number of the value, -1 when there is none. */
static int get(struct cache *c, const char *key, int64_t now)
{
	int *value = cache_find(c, bytes_str(key), now);

	return value ? *value : -1;
}

static void finds_what_was_put(void **state)
{
	struct cache *c = new_cache(4, 0);

	(void)state;
	put(c, "a", 1, 0);
	put(c, "ab", 2, 0);
	put(c, "", 3, 0);
	assert_int_equal(get(c, "a", 0), 1);
	assert_int_equal(get(c, "ab", 0), 2);
	assert_int_equal(get(c, "", INT64_MAX), 3);
	assert_int_equal(get(c, "b", 0), -1);
	assert_int_equal(cache_count(c), 3);
	cache_free(c);
	assert_int_equal(freed[1] + freed[2] + freed[3], 3);
	cache_free(NULL);
}

static void the_least_recently_used_leaves_first(void **state)
{
	struct cache *c = new_cache(3, 0);

	(void)state;
	put(c, "a", 1, 0);
	put(c, "b", 2, 0);
	put(c, "c", 3, 0);
	assert_int_equal(get(c, "a", 0), 1);
	put(c, "d", 4, 0);
	assert_int_equal(get(c, "b", 0), -1);
	assert_int_equal(freed[2], 1);
	assert_int_equal(get(c, "a", 0), 1);
	assert_int_equal(get(c, "c", 0), 3);
	assert_int_equal(cache_count(c), 3);
	cache_free(c);
}

static void a_new_value_replaces_the_old_of_the_same_key(void **state)
{
	struct cache *c = new_cache(2, 0);

	(void)state;
	put(c, "a", 1, 0);
	put(c, "b", 2, 0);
	put(c, "a", 3, 0);
	assert_int_equal(freed[1], 1);
	assert_int_equal(freed[2], 0); /* replacing needs no room */
	assert_int_equal(get(c, "a", 0), 3);
	assert_int_equal(cache_count(c), 2);
	cache_free(c);
}

static void what_is_too_old_is_not_found_however_often_it_was_used(void **state)
{
	struct cache *c = new_cache(4, 100);

	(void)state;
	put(c, "a", 1, 1000);
	assert_int_equal(get(c, "a", 1050), 1);
	assert_int_equal(get(c, "a", 1100), 1);
	assert_int_equal(get(c, "a", 1101), -1);
	assert_int_equal(freed[1], 1);
	assert_int_equal(cache_count(c), 0);
	put(c, "a", 2, 2000);
	assert_null(cache_take(c, bytes_str("a"), 2101));
	assert_int_equal(freed[2], 1);
	cache_free(c);
}

static void take_hands_the_value_over(void **state)
{
	struct cache *c = new_cache(4, 0);

	(void)state;
	put(c, "a", 1, 0);
	assert_ptr_equal(cache_take(c, bytes_str("a"), 0), &values[1]);
	assert_null(cache_take(c, bytes_str("a"), 0));
	assert_int_equal(cache_count(c), 0);
	cache_free(c);
	assert_int_equal(freed[1], 0);
}

static void remove_frees_the_value(void **state)
{
	struct cache *c = new_cache(4, 0);

	(void)state;
	put(c, "a", 1, 0);
	cache_remove(c, bytes_str("a"));
	cache_remove(c, bytes_str("a"));
	assert_int_equal(freed[1], 1);
	assert_int_equal(get(c, "a", 0), -1);
	cache_free(c);
}

static void the_key_is_copied(void **state)
{
	struct cache *c = new_cache(4, 0);
	char key[] = "key";

	(void)state;
	put(c, key, 1, 0);
	key[0] = 'x';
	assert_int_equal(get(c, "key", 0), 1);
	assert_int_equal(get(c, key, 0), -1);
	cache_free(c);
}

/* More entries than buckets, so that chains form and entries leave from their middle. */
static void many_entries_stay_bounded_and_right(void **state)
{
	struct cache *c = new_cache(50, 0);
	char key[8] = { 0 };

	(void)state;
	for (int i = 0; i < 10000; i++) {
		memcpy(key, &i, sizeof(i));
		assert_int_equal(cache_put(c, bytes_of(key, 8), &values[i % 16], i, NULL), 0);
		assert_true(cache_count(c) <= 50);
		if (i % 3 == 0)
			cache_remove(c, bytes_of(key, 8));
	}
	for (int i = 9950; i < 10000; i++) {
		int *found;

		memcpy(key, &i, sizeof(i));
		found = cache_find(c, bytes_of(key, 8), i);
		assert_ptr_equal(found, i % 3 ? &values[i % 16] : NULL);
	}
	cache_free(c);
}

static void each_allocation_may_fail(void **state)
{
	struct cache_options options = { .max_entries = 2, .free_value = on_free };
	struct cache *c = NULL;
	struct err e = { 0 };

	(void)state;
	for (size_t at = 1; at <= 2; at++) {
		mem_fail_at(at);
		assert_int_equal(cache_new(&options, &c, &e), -1);
		assert_int_equal(e.code, ERR_NOMEM);
		assert_null(c);
	}
	mem_fail_at(0);
	c = new_cache(2, 0);
	put(c, "a", 1, 0);
	mem_fail_at(1);
	assert_int_equal(cache_put(c, bytes_str("a"), &values[2], 0, &e), -1);
	mem_fail_at(0);
	assert_int_equal(freed[2], 1); /* the cache's all the same */
	assert_int_equal(get(c, "a", 0), 1);
	cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_put),
		cmocka_unit_test(the_least_recently_used_leaves_first),
		cmocka_unit_test(a_new_value_replaces_the_old_of_the_same_key),
		cmocka_unit_test(what_is_too_old_is_not_found_however_often_it_was_used),
		cmocka_unit_test(take_hands_the_value_over),
		cmocka_unit_test(remove_frees_the_value),
		cmocka_unit_test(the_key_is_copied),
		cmocka_unit_test(many_entries_stay_bounded_and_right),
		cmocka_unit_test(each_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
