#include "flow/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"

static bool matches(const char *pattern, const char *text)
{
	struct regex *r = NULL;
	bool yes;

	assert_int_equal(regex_new(bytes_str(pattern), &r, NULL), 0);
	yes = regex_matches(r, bytes_str(text));
	regex_free(r);
	return yes;
}

static void it_looks_anywhere_and_without_case(void **state)
{
	(void)state;
	assert_true(matches("b+c", "aBBc"));
	assert_false(matches("b+c", "ac"));
	assert_true(matches("^a.*z$", "a\nz"));
	assert_true(matches("", ""));
	assert_true(matches("\\.org(:\\d+)?$", "example.org:443"));
}

static void a_wrong_one_is_refused_with_its_place(void **state)
{
	struct regex *r = NULL;
	struct err e;

	(void)state;
	assert_int_equal(regex_new(bytes_str("a(b"), &r, &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
	assert_string_equal(e.sentence, "the regular expression is wrong at its character 4: "
					"missing closing parenthesis");
	assert_null(r);
}

static void a_hungry_one_gives_up(void **state)
{
	struct regex *r = NULL;
	char text[60];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(regex_new(bytes_str("^(a|a)*b$"), &r, NULL), 0);
	assert_false(regex_matches(r, bytes_of(text, sizeof(text))));
	/* And can be asked again. */
	assert_true(regex_matches(r, bytes_str("aab")));
	regex_free(r);
}

static void a_code_unit_and_too_long_a_pattern_are_refused(void **state)
{
	static char big[5000];
	struct regex *r = NULL;

	(void)state;
	memset(big, 'a', sizeof(big));
	assert_int_equal(regex_new(bytes_str("\\C"), &r, NULL), -1);
	assert_int_equal(regex_new(bytes_of(big, sizeof(big)), &r, NULL), -1);
}

static void missing_memory_is_an_error(void **state)
{
	struct regex *r = NULL;
	struct err e;
	size_t i;

	(void)state;
	for (i = 1; i < 50; i++) {
		int done;

		mem_fail_at(i);
		done = regex_new(bytes_str("(a|b)+c"), &r, &e);
		if (done == 0)
			(void)regex_matches(r, bytes_str("ababc"));
		mem_fail_at(0);
		if (done < 0) {
			assert_int_equal(e.code, ERR_NOMEM);
			continue;
		}
		assert_true(regex_matches(r, bytes_str("ababc")));
		regex_free(r);
		break;
	}
	assert_in_range(i, 4, 49);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_looks_anywhere_and_without_case),
		cmocka_unit_test(a_wrong_one_is_refused_with_its_place),
		cmocka_unit_test(a_hungry_one_gives_up),
		cmocka_unit_test(a_code_unit_and_too_long_a_pattern_are_refused),
		cmocka_unit_test(missing_memory_is_an_error),
	};

	return cmocka_run_group_tests_name("flow/regex", tests, NULL, NULL);
}
