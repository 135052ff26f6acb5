#include "base/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"

static void assert_text(struct bytes in, const char *want)
{
	AUTO(buf_fini) struct buf out = buf_init(1000);
	char room[200];

	assert_int_equal(escape_add(&out, in, NULL), 0);
	if (!bytes_equal(buf_bytes(&out), bytes_str(want)))
		fail_msg("\"%.*s\" instead of \"%s\"", BYTES_FMT(buf_bytes(&out)), want);
	assert_string_equal(escape_to(room, sizeof(room), in), want);
}

static void assert_json(struct bytes in, const char *want)
{
	AUTO(buf_fini) struct buf out = buf_init(1000);

	assert_int_equal(escape_json(&out, in, NULL), 0);
	if (!bytes_equal(buf_bytes(&out), bytes_str(want)))
		fail_msg("\"%.*s\" instead of \"%s\"", BYTES_FMT(buf_bytes(&out)), want);
}

static void ordinary_text_passes(void **state)
{
	static const char *const same[] = {
		"",
		"GET /index.html?a=%20",
		"\"quoted\"",
		"Gr\303\274\303\237e",
		"\xe2\x82\xac 3",
		"\xe6\x97\xa5\xe6\x9c\xac",
		"\xf0\x9f\x94\x92",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		assert_text(bytes_str(same[i]), same[i]);
	assert_json(bytes_str("Gr\xc3\xbc\xc3\x9f"), "Gr\xc3\xbc\xc3\x9f");
}

static void control_characters_become_hex(void **state)
{
	(void)state;
	assert_text(bytes_of("a\0b", 3), "a\\x00b");
	assert_text(bytes_str("\x1b[31mred\x1b[0m"), "\\x1b[31mred\\x1b[0m");
	assert_text(bytes_str("a\r\nb\tc\x7f"), "a\\x0d\\x0ab\\x09c\\x7f");
	assert_text(bytes_str("\xc2\x9b"
			      "31m"),
		    "\\xc2\\x9b31m"); /* C1: CSI in one character */
	assert_text(bytes_str("\xc2\x85"), "\\xc2\\x85");
	assert_json(bytes_of("a\0\n\x1b\x7f", 5), "a\\u0000\\u000a\\u001b\\u007f");
	assert_json(bytes_str("\xc2\x9b"), "\\u009b");
}

static void marks_of_direction_and_invisible_characters_become_hex(void **state)
{
	static const struct {
		const char *in, *text, *json;
	} cases[] = {
		{ "\xd8\x9c", "\\xd8\\x9c", "\\u061c" },
		{ "\xe2\x80\x8b", "\\xe2\\x80\\x8b", "\\u200b" },
		{ "\xe2\x80\x8e", "\\xe2\\x80\\x8e", "\\u200e" },
		{ "\xe2\x80\xa8", "\\xe2\\x80\\xa8", "\\u2028" },
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae", "\\u202e" },
		{ "\xe2\x81\xa6", "\\xe2\\x81\\xa6", "\\u2066" },
		{ "\xe2\x81\xa9", "\\xe2\\x81\\xa9", "\\u2069" },
		{ "\xef\xbb\xbf", "\\xef\\xbb\\xbf", "\\ufeff" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_text(bytes_str(cases[i].in), cases[i].text);
		assert_json(bytes_str(cases[i].in), cases[i].json);
	}
	assert_text(bytes_str("\xe2\x80\x90"), "\xe2\x80\x90"); /* U+2010, a hyphen */
}

static void invalid_utf8_becomes_hex_byte_by_byte(void **state)
{
	static const struct {
		const char *in, *text, *json;
	} cases[] = {
		{ "\x80", "\\x80", "\xef\xbf\xbd" },
		{ "a\xc3", "a\\xc3", "a\xef\xbf\xbd" },
		{ "\xc3(", "\\xc3(", "\xef\xbf\xbd(" },
		{ "\xc0\xaf", "\\xc0\\xaf", "\xef\xbf\xbd\xef\xbf\xbd" }, /* overlong / */
		{ "\xe0\x80\x8a", "\\xe0\\x80\\x8a", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80",
		  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xf0\x9f\x94", "\\xf0\\x9f\\x94", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xff", "\\xff", "\xef\xbf\xbd" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_text(bytes_str(cases[i].in), cases[i].text);
		assert_json(bytes_str(cases[i].in), cases[i].json);
	}
}

static void the_backslash_is_doubled_so_that_nothing_is_forged(void **state)
{
	(void)state;
	assert_text(bytes_str("\\x1b"), "\\\\x1b");
	assert_json(bytes_str("\\u0041\"/"), "\\\\u0041\\\"/");
}

static void what_fits_exactly_is_not_cut(void **state)
{
	char room[8];

	(void)state;
	for (size_t n = 0; n < sizeof(room); n++)
		assert_int_equal(strlen(escape_to(room, sizeof(room), bytes_of("abcdefghij", n))),
				 n);
	assert_string_equal(escape_to(room, sizeof(room), bytes_str("abcdefgh")), "abcd...");
	assert_string_equal(escape_to(room, sizeof(room), bytes_str("abc\n")), "abc\\x0a");
	assert_string_equal(escape_to(room, sizeof(room), bytes_str("abcd\n")), "abcd...");
}

static void a_small_room_is_never_overrun(void **state)
{
	static const char text[] = "\xe2\x82\xac\n\\\xc3\xbcx";

	(void)state;
	for (size_t size = 0; size < 24; size++) {
		char room[32];
		size_t n;

		memset(room, '#', sizeof(room));
		escape_to(room, size, bytes_str(text));
		assert_int_equal(room[size], '#');
		if (size == 0)
			continue;
		n = strlen(room);
		assert_true(n < size);
		if (n < 12 && size >= 4)
			assert_string_equal(room + n - 3, "...");
	}
}

static void cuts_between_characters(void **state)
{
	char room[7];

	(void)state;
	assert_string_equal(escape_to(room, sizeof(room),
				      bytes_str("\xe2\x82\xac\xe2\x82\xac\xe2")),
			    "\xe2\x82\xac...");
	assert_string_equal(escape_to(room, 6, bytes_str("\xe2\x82\xac\xe2\x82\xac")), "...");
	assert_string_equal(escape_to(room, 3, bytes_str("abc")), "");
	assert_string_equal(escape_to(room, 3, bytes_str("ab")), "ab");
}

static void a_full_buffer_fails(void **state)
{
	AUTO(buf_fini) struct buf out = buf_init(4);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(escape_add(&out, bytes_str("abc\n"), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_clear(&out);
	assert_int_equal(escape_json(&out, bytes_str("\n"), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(escape_json(&out, bytes_str("abcde"), &e), -1);
}

static void missing_memory_fails(void **state)
{
	AUTO(buf_fini) struct buf out = buf_init(100);
	struct err e = { 0 };

	(void)state;
	mem_fail_at(1);
	assert_int_equal(escape_add(&out, bytes_str("\n"), &e), -1);
	assert_int_equal(escape_json(&out, bytes_str("abc"), &e), -1);
	mem_fail_at(0);
	assert_int_equal(e.code, ERR_NOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_text_passes),
		cmocka_unit_test(control_characters_become_hex),
		cmocka_unit_test(marks_of_direction_and_invisible_characters_become_hex),
		cmocka_unit_test(invalid_utf8_becomes_hex_byte_by_byte),
		cmocka_unit_test(the_backslash_is_doubled_so_that_nothing_is_forged),
		cmocka_unit_test(what_fits_exactly_is_not_cut),
		cmocka_unit_test(a_small_room_is_never_overrun),
		cmocka_unit_test(cuts_between_characters),
		cmocka_unit_test(a_full_buffer_fails),
		cmocka_unit_test(missing_memory_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
