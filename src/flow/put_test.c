#include "flow/put.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/escape.h"
#include "base/mem.h"

static struct buf out = { .max = 2000 };

#define assert_put(want, call)                                                                     \
	do {                                                                                       \
		struct put w = put_init(&out, NULL);                                               \
		call;                                                                              \
		assert_int_equal(put_end(&w), 0);                                                  \
		if (!bytes_equal(buf_bytes(&out), bytes_str(want)))                                \
			fail_msg("\"%.*s\" instead of \"%s\"", BYTES_FMT(buf_bytes(&out)), want);  \
		buf_clear(&out);                                                                   \
	} while (0)

static void numbers_are_written_as_people_read_them(void **state)
{
	(void)state;
	assert_put("0", put_u64(&w, 0));
	assert_put("18446744073709551615", put_u64(&w, UINT64_MAX));
	assert_put("007", put_padded(&w, 7, 3));
	assert_put("1234", put_padded(&w, 1234, 3));
	assert_put("00ff", put_hex(&w, 255, 4));
	assert_put("12.345", put_ms(&w, 12345678));
	assert_put("0.000", put_ms(&w, 999));
	assert_put("0.000", put_ms(&w, -5));
	assert_put("   ", put_fill(&w, ' ', 3));
	assert_put("", put_fill(&w, ' ', 0));
}

static void times_are_written_in_utc_and_with_an_offset(void **state)
{
	const int64_t s = 1000000000, leap = 951782400 * s; /* 2000-02-29 */

	(void)state;
	assert_put("1970-01-01T00:00:00.000Z", put_time(&w, 0));
	assert_put("1969-12-31T23:59:59.999Z", put_time(&w, -1000000));
	assert_put("2000-02-29T00:00:00.000Z", put_time(&w, leap));
	assert_put("2000-03-01T00:00:00.000Z", put_time(&w, leap + 86400 * s));
	assert_put("2024-12-31T23:59:59.999Z", put_time(&w, 1735689599 * s + 999999999));
	assert_put("2026-03-01T12:34:56.123Z", put_time(&w, 1772368496123456789));
	assert_put("2100-03-01T00:00:00.000Z", put_time(&w, 4107542400 * s));
	assert_put("12:34:56.123", put_clock(&w, 1772368496123456789, 0));
	assert_put("00:34:56.123", put_clock(&w, 1772368496123456789, 12 * 3600));
	assert_put("23:34:56.123", put_clock(&w, 1772368496123456789, -13 * 3600));
}

static void text_is_escaped_for_where_it_goes(void **state)
{
	(void)state;
	assert_put("a\\x1b[0mb\\\\", put_escaped(&w, bytes_str("a\x1b[0mb\\")));
	assert_put("\"a\\u001b\\\"\\\\\"", put_json(&w, bytes_str("a\x1b\"\\")));
	assert_put("\"\"", put_json(&w, (struct bytes){ 0 }));
	assert_put("aGVsbG8=", put_base64(&w, bytes_str("hello")));
}

/* The fast way over eight bytes at a time finds what the slow one finds, wherever it stands. */
static void every_byte_is_escaped_wherever_it_stands(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		for (size_t at = 0; at < 20; at++) {
			for (unsigned before = '!'; before <= '~'; before += '~' - '!') {
				AUTO(buf_fini) struct buf want = buf_init(200);
				char text[21];

				memset(text, (int)before, sizeof(text) - 1);
				text[20] = 0;
				text[at] = (char)c;
				assert_int_equal(escape_add(&want, bytes_of(text, 20), NULL), 0);
				assert_int_equal(buf_add(&want, bytes_of("", 1), NULL), 0);
				assert_put((const char *)want.p,
					   put_escaped(&w, bytes_of(text, 20)));
			}
		}
	}
}

static void addresses_are_written_as_elsewhere(void **state)
{
	static const char *const text[] = { "127.0.0.1:80", "255.10.0.99:65535",
					    "[2001:db8::1]:443" };
	char room[ADDR_TEXT_MAX];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(text); i++) {
		assert_int_equal(addr_parse(bytes_str(text[i]), &a, NULL), 0);
		assert_put(text[i], put_addr(&w, &a, true));
		assert_put(addr_ip_text(&a, room), put_addr(&w, &a, false));
	}
}

static void keys_have_a_comma_before_all_but_the_first(void **state)
{
	(void)state;
	assert_put("{\"a\":1,\"b\":\"x\\u000a\",\"c\":{\"d\":2}}", put_str(&w, "{");
		   put_key(&w, "a"); put_u64(&w, 1); put_key(&w, "b");
		   put_json(&w, bytes_str("x\n")); put_key(&w, "c"); put_str(&w, "{");
		   put_key(&w, "d"); put_u64(&w, 2); put_str(&w, "}}"));
}

static void a_failure_takes_everything_back(void **state)
{
	struct err e;

	(void)state;
	for (size_t max = 3; max < 60; max++) {
		AUTO(buf_fini) struct buf small = buf_init(max);
		struct put w;

		assert_int_equal(buf_add(&small, bytes_str("abc"), NULL), 0);
		w = put_init(&small, &e);
		for (int i = 0; i < 5; i++) {
			put_u64(&w, 12345);
			put_json(&w, bytes_str("\x01"));
			put_base64(&w, bytes_str("x"));
			put_fill(&w, '-', 2);
		}
		put_str(&w, "end");
		assert_int_equal(put_end(&w), -1);
		assert_int_equal(e.code, ERR_LIMIT);
		assert_true(bytes_equal(buf_bytes(&small), bytes_str("abc")));
	}
}

static void what_fits_exactly_is_written(void **state)
{
	AUTO(buf_fini) struct buf exact = buf_init(10);
	struct put w = put_init(&exact, NULL);

	(void)state;
	put_str(&w, "12345");
	put_json(&w, bytes_str("678"));
	assert_int_equal(put_end(&w), 0);
	assert_int_equal(exact.n, 10);
}

static void missing_memory_takes_everything_back(void **state)
{
	struct err e;

	(void)state;
	for (size_t i = 1; i <= 3; i++) {
		AUTO(buf_fini) struct buf b = buf_init(100000);
		struct put w = put_init(&b, &e);

		mem_fail_at(i);
		for (int k = 0; k < 300; k++)
			put_str(&w, "0123456789");
		assert_int_equal(put_end(&w), -1);
		mem_fail_at(0);
		assert_int_equal(e.code, ERR_NOMEM);
		assert_int_equal(b.n, 0);
	}
}

static int finish(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_written_as_people_read_them),
		cmocka_unit_test(times_are_written_in_utc_and_with_an_offset),
		cmocka_unit_test(text_is_escaped_for_where_it_goes),
		cmocka_unit_test(every_byte_is_escaped_wherever_it_stands),
		cmocka_unit_test(addresses_are_written_as_elsewhere),
		cmocka_unit_test(keys_have_a_comma_before_all_but_the_first),
		cmocka_unit_test(a_failure_takes_everything_back),
		cmocka_unit_test(what_fits_exactly_is_written),
		cmocka_unit_test(missing_memory_takes_everything_back),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
