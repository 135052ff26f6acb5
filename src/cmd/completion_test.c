#include "cmd/completion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"

static const struct args_option go_options[] = {
	{ "where", 'w', "DIR", "the folder's place [here: there]" },
	{ "from", 0, "FILE", "a file" },
	{ "with", 0, "PROGRAM", "a program" },
	{ "name", 0, "WORD", "a word" },
	{ "quick", 0, NULL, "no value" },
	{ 0 },
};
static const char *const actions[] = { "put", "take", NULL };
static const struct args_verb verbs[] = {
	{ .name = "go", .help = "goes", .operands = "[go.yaml]", .max = 1, .options = go_options },
	{ .name = "store", .help = "stores", .actions = actions, .operands = "put|take" },
	{ .name = "exec", .help = "runs", .command = "CMD...", .command_needed = true },
	{ 0 },
};

static char text[1 << 16];

static const char *script(const char *shell)
{
	struct buf out = buf_init(sizeof(text) - 1);
	struct err e = { 0 };

	assert_int_equal(completion_write(verbs, shell, &out, &e), 0);
	memcpy(text, out.p, out.n);
	text[out.n] = 0;
	buf_fini(&out);
	return text;
}

static void has(const char *part)
{
	if (!strstr(text, part))
		fail_msg("not there: %s\n%s", part, text);
}

static void bash_has_verbs_options_letters_and_actions(void **state)
{
	(void)state;
	script("bash");
	has("verbs='go store exec help version'");
	has("words='--where= -w --from= --with= --name= --quick --help -h --version '");
	has("--help -h --version put take'");
}

static void bash_knows_what_a_value_is(void **state)
{
	(void)state;
	script("bash");
	has("--where) what='directory'");
	has("--from) what='file'");
	has("--with) what='command'");
	has("--name) what='text'");
	assert_null(strstr(text, "--quick)"));
}

static void zsh_names_both_forms_of_an_option_once(void **state)
{
	(void)state;
	script("zsh");
	has("'(-w --where)'{-w+,--where=}'[");
	has("'--quick[no value]'");
	has("'1:what:(put take)'");
	has("'--from=[a file]:FILE:_files'");
}

static void zsh_brackets_and_quotes_in_a_text_stay_text(void **state)
{
	(void)state;
	script("zsh");
	has("the folder'\\''s place \\[here\\: there\\]");
}

static void fish_has_letters_actions_and_quotes(void **state)
{
	(void)state;
	script("fish");
	has("-l where -s w -x -a '(__fish_complete_directories)' -d 'the folder'\\''s place [here");
	has("__fish_seen_subcommand_from store' -a 'put take'");
	has("__fish_seen_subcommand_from help' -a 'go store exec help version'");
}

static void operands_are_files_only_where_the_verb_takes_some(void **state)
{
	(void)state;
	script("fish");
	has("__fish_seen_subcommand_from go' -F\n");
	assert_null(strstr(text, "__fish_seen_subcommand_from store' -F"));
}

static void another_shell_is_refused_by_name(void **state)
{
	struct buf out = buf_init(100);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(completion_write(verbs, "tcsh", &out, &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
	assert_string_equal(e.sentence, "completion: there are bash, zsh and fish; not tcsh");
	assert_int_equal(out.n, 0);
}

static void every_limit_short_of_the_whole_is_a_failure(void **state)
{
	static const char *const shells[] = { "bash", "zsh", "fish" };

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shells); s++) {
		size_t whole = strlen(script(shells[s]));

		for (size_t max = 0; max < whole; max++) {
			struct buf out = buf_init(max);
			struct err e = { 0 };

			assert_int_equal(completion_write(verbs, shells[s], &out, &e), -1);
			assert_int_equal(e.code, ERR_LIMIT);
			buf_fini(&out);
		}
	}
}

static void without_memory_it_says_so(void **state)
{
	struct buf out = buf_init(1 << 16);
	struct err e = { 0 };

	(void)state;
	mem_fail_at(1);
	assert_int_equal(completion_write(verbs, "fish", &out, &e), -1);
	mem_fail_at(0);
	assert_int_equal(e.code, ERR_NOMEM);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bash_has_verbs_options_letters_and_actions),
		cmocka_unit_test(bash_knows_what_a_value_is),
		cmocka_unit_test(zsh_names_both_forms_of_an_option_once),
		cmocka_unit_test(zsh_brackets_and_quotes_in_a_text_stay_text),
		cmocka_unit_test(fish_has_letters_actions_and_quotes),
		cmocka_unit_test(operands_are_files_only_where_the_verb_takes_some),
		cmocka_unit_test(another_shell_is_refused_by_name),
		cmocka_unit_test(every_limit_short_of_the_whole_is_a_failure),
		cmocka_unit_test(without_memory_it_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
