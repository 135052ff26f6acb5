#include "base/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *nearest(const char *word)
{
	static const char *const words[] = { "listen",	"listeners", "keylog",
					     "observe", "hosts",     "do" };
	struct suggest s = suggest_init(bytes_str(word));

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		suggest_offer(&s, words[i]);
	return s.best ? s.best : "";
}

static void finds_what_a_slip_was_meant_for(void **state)
{
	static const char *const cases[][2] = {
		{ "lisen", "listen" },	      { "listten", "listen" }, { "lsiten", "listen" },
		{ "listeners", "listeners" }, { "Listen", "listen" },  { "listener", "listeners" },
		{ "observ", "observe" },      { "obsrve", "observe" }, { "host", "hosts" },
		{ "key", "keylog" },	      { "key_log", "keylog" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(nearest(cases[i][0]), cases[i][1]);
}

static void says_nothing_when_nothing_is_near(void **state)
{
	static const char *const words[] = {
		"", "x", "zz", "banana", "kl", "sob", "a-word-of-more-than-forty-letters-is-no-slip"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		assert_string_equal(nearest(words[i]), "");
}

static void the_sentence_names_the_nearest(void **state)
{
	struct suggest s = suggest_init(bytes_str("hots"));
	char text[SUGGEST_MAX];

	(void)state;
	assert_string_equal(suggest_text(&s, "--", text), "");
	suggest_offer(&s, "hosts");
	assert_string_equal(suggest_text(&s, "--", text), " (did you mean --hosts?)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_a_slip_was_meant_for),
		cmocka_unit_test(says_nothing_when_nothing_is_near),
		cmocka_unit_test(the_sentence_names_the_nearest),
	};

	return cmocka_run_group_tests_name("base/suggest", tests, NULL, NULL);
}
