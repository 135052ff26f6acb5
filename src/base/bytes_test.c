#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct bytes str(const char *s)
{
	return bytes_str(s);
}

static void a_missing_string_is_empty(void **state)
{
	(void)state;
	assert_int_equal(bytes_str(NULL).n, 0);
	assert_null(bytes_str(NULL).p);
	assert_int_equal(str("").n, 0);
	assert_int_equal(str("abc").n, 3);
}

static void equality_is_of_length_and_content(void **state)
{
	(void)state;
	assert_true(bytes_equal(str(""), bytes_of(NULL, 0)));
	assert_true(bytes_equal(str("ab"), bytes_of("abc", 2)));
	assert_false(bytes_equal(str("ab"), str("abc")));
	assert_false(bytes_equal(str("ab"), str("aB")));
	assert_true(bytes_equal(bytes_of("a\0b", 3), bytes_of("a\0b", 3)));
	assert_false(bytes_equal(bytes_of("a\0b", 3), bytes_of("a\0c", 3)));
}

static void only_ascii_letters_fold_case(void **state)
{
	(void)state;
	assert_true(bytes_equal_nocase(str("wWw.AZ"), str("WwW.az")));
	assert_false(bytes_equal_nocase(str("@["), str("`{"))); /* the neighbours of A and Z */
	assert_false(bytes_equal_nocase(str("\xc3\x84"), str("\xc3\xa4")));
	assert_false(bytes_equal_nocase(str("a"), str("ab")));
	assert_true(bytes_equal_nocase(bytes_of(NULL, 0), str("")));
}

static void prefixes_and_suffixes(void **state)
{
	(void)state;
	assert_true(bytes_starts(str("GET /"), str("GET ")));
	assert_false(bytes_starts(str("GET"), str("GET ")));
	assert_false(bytes_starts(str("get /"), str("GET ")));
	assert_true(bytes_starts(bytes_of(NULL, 0), bytes_of(NULL, 0)));
	assert_true(bytes_ends_nocase(str("www.Bank.EXAMPLE"), str(".bank.example")));
	assert_false(bytes_ends_nocase(str("bank.example"), str(".bank.example")));
	assert_false(bytes_ends_nocase(str("wwwxbank.example"), str(".bank.example")));
	assert_true(bytes_ends_nocase(str("x"), str("")));
}

static void index_is_the_length_when_there_is_none(void **state)
{
	(void)state;
	assert_int_equal(bytes_index(str("a:b:c"), ':'), 1);
	assert_int_equal(bytes_index(str("abc"), ':'), 3);
	assert_int_equal(bytes_index(bytes_of(NULL, 0), ':'), 0);
	assert_int_equal(bytes_index(bytes_of("a\0b", 3), 0), 1);
	assert_int_equal(bytes_index(bytes_of("abcd", 3), 'd'), 3);
}

static void slices_are_clamped(void **state)
{
	struct bytes b = str("abcdef");

	(void)state;
	assert_true(bytes_equal(bytes_slice(b, 2, 3), str("cde")));
	assert_true(bytes_equal(bytes_slice(b, 4, 100), str("ef")));
	assert_true(bytes_equal(bytes_slice(b, 4, SIZE_MAX), str("ef")));
	assert_int_equal(bytes_slice(b, 6, 1).n, 0);
	assert_int_equal(bytes_slice(b, SIZE_MAX, SIZE_MAX).n, 0);
	assert_int_equal(bytes_slice(bytes_of(NULL, 0), 1, 1).n, 0);
}

static void trim_removes_spaces_and_tabs_only(void **state)
{
	(void)state;
	assert_true(bytes_equal(bytes_trim(str(" \t a b\t ")), str("a b")));
	assert_true(bytes_equal(bytes_trim(str("\r\nx\r\n")), str("\r\nx\r\n")));
	assert_int_equal(bytes_trim(str(" \t ")).n, 0);
	assert_int_equal(bytes_trim(bytes_of(NULL, 0)).n, 0);
}

static void reads_whole_decimal_numbers(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_true(bytes_decimal(str("0"), 0, &v));
	assert_int_equal(v, 0);
	assert_true(bytes_decimal(str("65535"), 65535, &v));
	assert_int_equal(v, 65535);
	assert_true(bytes_decimal(str("0000000000000000042"), 100, &v));
	assert_int_equal(v, 42);
	assert_true(bytes_decimal(str("9999999999999999999"), UINT64_MAX, &v));
	assert_true(v == UINT64_C(9999999999999999999));
}

static void refuses_what_is_no_decimal_number(void **state)
{
	static const char *const bad[] = {
		"", "-1", "+1", " 1", "1 ", "0x1", "1a", "65536", "00000000000000000001",
	};
	uint64_t v = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(bytes_decimal(str(bad[i]), 65535, &v));
	assert_int_equal(v, 7);
}

static void stealing_leaves_nothing(void **state)
{
	int thing = 0, *p = &thing;
	int *stolen = STEAL(p);

	(void)state;
	assert_ptr_equal(stolen, &thing);
	assert_null(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_string_is_empty),
		cmocka_unit_test(equality_is_of_length_and_content),
		cmocka_unit_test(only_ascii_letters_fold_case),
		cmocka_unit_test(prefixes_and_suffixes),
		cmocka_unit_test(index_is_the_length_when_there_is_none),
		cmocka_unit_test(slices_are_clamped),
		cmocka_unit_test(trim_removes_spaces_and_tabs_only),
		cmocka_unit_test(reads_whole_decimal_numbers),
		cmocka_unit_test(refuses_what_is_no_decimal_number),
		cmocka_unit_test(stealing_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
