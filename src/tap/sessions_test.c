#include "tap/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"

static uint8_t one[MASTER_SIZE] = "one", two[MASTER_SIZE] = "two";

static struct sessions *store(void)
{
	struct sessions *s;

	assert_int_equal(sessions_new(&s, NULL), 0);
	return s;
}

static void put(struct sessions *s, const char *key, const uint8_t *master, uint64_t packet)
{
	sessions_put(s, bytes_str(key), bytes_of(master, MASTER_SIZE), packet);
}

static const char *find(struct sessions *s, const char *key, uint64_t packet)
{
	static uint8_t master[MASTER_SIZE];

	return sessions_find(s, bytes_str(key), packet, master) ? (const char *)master : "";
}

static void a_session_is_known_at_later_packets(void **state)
{
	struct sessions *s = store();

	(void)state;
	put(s, "a", one, 10);
	put(s, "b", two, 20);
	assert_string_equal(find(s, "a", 11), "one");
	assert_string_equal(find(s, "b", 1000), "two");
	assert_string_equal(find(s, "a", 10), "");
	assert_string_equal(find(s, "b", 11), "");
	assert_string_equal(find(s, "c", 1000), "");
	sessions_free(s);
}

/* Lanes put in any order: what is found must not depend on it. */
static void the_earliest_packet_counts(void **state)
{
	struct sessions *s = store();

	(void)state;
	put(s, "a", two, 20);
	put(s, "a", one, 10);
	put(s, "a", two, 30);
	assert_string_equal(find(s, "a", 11), "one");
	assert_string_equal(find(s, "a", 31), "one");
	sessions_free(s);
}

static void what_is_no_session_is_not_kept(void **state)
{
	struct sessions *s = store();

	(void)state;
	put(s, "", one, 1);
	sessions_put(s, bytes_str("a"), bytes_of(one, MASTER_SIZE - 1), 1);
	assert_string_equal(find(s, "", 2), "");
	assert_string_equal(find(s, "a", 2), "");
	sessions_free(s);
	sessions_free(NULL);
}

static void there_are_so_many_and_no_more(void **state)
{
	struct sessions *s = store();
	uint8_t master[MASTER_SIZE];
	size_t known = 0;

	(void)state;
	for (uint32_t i = 0; i < SESSIONS_MAX + 100; i++)
		sessions_put(s, bytes_of(&i, sizeof(i)), bytes_of(one, MASTER_SIZE), 1);
	for (uint32_t i = 0; i < SESSIONS_MAX + 100; i++)
		known += sessions_find(s, bytes_of(&i, sizeof(i)), 2, master);
	assert_int_equal(known, SESSIONS_MAX);
	sessions_free(s);
}

static void without_memory_a_session_is_not_known(void **state)
{
	struct sessions *s = NULL;
	struct err e = { 0 };
	size_t n;

	(void)state;
	for (n = 1; n < 20; n++) {
		int failed;

		mem_fail_at(n);
		failed = sessions_new(&s, &e);
		mem_fail_at(0);
		if (failed == 0)
			break;
		assert_int_equal(e.code, ERR_NOMEM);
	}
	assert_true(n > 1 && n < 20);
	for (n = 1; n < 20; n++) {
		mem_fail_at(n);
		put(s, "a", one, 1);
		mem_fail_at(0);
		if (*find(s, "a", 2))
			break;
	}
	assert_true(n > 1 && n < 20);
	sessions_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_known_at_later_packets),
		cmocka_unit_test(the_earliest_packet_counts),
		cmocka_unit_test(what_is_no_session_is_not_kept),
		cmocka_unit_test(there_are_so_many_and_no_more),
		cmocka_unit_test(without_memory_a_session_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
