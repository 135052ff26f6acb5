#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void says_what_happened_and_where(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(FAIL(&e, TLS_DECODE, "record %d of %s", 3, "client"), -1);
	assert_int_equal(e.code, ERR_TLS_DECODE);
	assert_int_equal(e.sys, 0);
	assert_string_equal(e.sentence, "record 3 of client");
	assert_non_null(strstr(e.origin, "err_test.c:"));
}

static void adds_the_systems_word(void **state)
{
	struct err e = { 0 };

	(void)state;
	errno = ENOENT;
	assert_int_equal(FAIL_SYS(&e, FILE, "cannot open %s", "x.pem"), -1);
	assert_int_equal(e.sys, ENOENT);
	assert_string_equal(e.sentence, "cannot open x.pem: No such file or directory");
}

static void context_goes_in_front(void **state)
{
	struct err e = { 0 };

	(void)state;
	FAIL(&e, DER, "tag 0x30 expected");
	assert_int_equal(err_ctx(&e, "certificate %d", 2), -1);
	err_ctx(&e, "chain of %s", "a.test");
	assert_string_equal(e.sentence, "chain of a.test: certificate 2: tag 0x30 expected");
	assert_int_equal(e.code, ERR_DER);
}

static void a_sentence_may_be_unwanted(void **state)
{
	(void)state;
	assert_int_equal(FAIL(NULL, LIMIT, "x"), -1);
	assert_int_equal(err_ctx(NULL, "x"), -1);
}

static void long_sentences_are_cut_and_never_overrun(void **state)
{
	struct {
		struct err e;
		char after[8];
	} guarded = { .after = "guard" };
	size_t room = sizeof(guarded.e.sentence) - 1;

	(void)state;
	FAIL(&guarded.e, LIMIT, "%1000s", "x");
	assert_int_equal(strlen(guarded.e.sentence), room);
	err_ctx(&guarded.e, "%399s", "y");
	assert_int_equal(strlen(guarded.e.sentence), room);
	FAIL(&guarded.e, LIMIT, "%398s", "z");
	err_ctx(&guarded.e, "where");
	assert_int_equal(strlen(guarded.e.sentence), room);
	assert_memory_equal(guarded.e.sentence, "where: ", 7);
	errno = ENOENT;
	FAIL_SYS(&guarded.e, FILE, "%395s", "z");
	assert_int_equal(strlen(guarded.e.sentence), room);
	assert_string_equal(guarded.after, "guard");
}

static void a_cut_never_leaves_half_a_character(void **state)
{
	struct err e = { 0 };

	(void)state;
	for (int before = 392; before < 400; before++) {
		size_t n;

		FAIL(&e, LIMIT, "%*s\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", before, "x");
		n = strlen(e.sentence);
		assert_int_equal((n - (size_t)before) % 3, 0);
		assert_true(n > sizeof(e.sentence) - 4);
	}
}

static void every_code_has_a_name_a_sentence_and_a_status(void **state)
{
	(void)state;
	for (int code = 0; code < ERR_COUNT; code++) {
		struct err e = { .code = (enum err_code)code };

		assert_non_null(err_name(e.code));
		assert_true(strlen(err_first_sentence(e.code)) > 3);
		assert_int_equal(err_exit_status(&e) == EXIT_OK, code == ERR_NONE);
	}
	assert_string_equal(err_name(ERR_TLS_DECODE), "TLS_DECODE");
	assert_string_equal(err_first_sentence(ERR_TLS_DECODE), "malformed TLS");
	assert_int_equal(err_exit_status(&(struct err){ .code = ERR_CONFIG }), EXIT_CONFIG);
	assert_int_equal(err_exit_status(&(struct err){ .code = ERR_USAGE }), EXIT_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_happened_and_where),
		cmocka_unit_test(adds_the_systems_word),
		cmocka_unit_test(context_goes_in_front),
		cmocka_unit_test(a_sentence_may_be_unwanted),
		cmocka_unit_test(long_sentences_are_cut_and_never_overrun),
		cmocka_unit_test(a_cut_never_leaves_half_a_character),
		cmocka_unit_test(every_code_has_a_name_a_sentence_and_a_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
