#include "cmd/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct args_option run_options[] = {
	{ "listen", 'l', "ADDR:PORT", "where to listen" },
	{ "verbose", 'v', NULL, "show headers" },
	{ "json", 0, NULL, "one JSON object a line" },
	{ "keylog", 'k', "FILE", "write the keys" },
	{ "a-name-that-is-rather-long", 0, "VALUE", "goes to a line of its own" },
	{ NULL },
};
static const char *const trust_actions[] = { "install", "remove", "status", NULL };

static const struct args_verb verbs[] = {
	{ .name = "run",
	  .help = "Run the proxy",
	  .operands = "[oriel.yaml]",
	  .max = 1,
	  .options = run_options },
	{ .name = "exec",
	  .help = "Run a command through the proxy",
	  .command = "CMD...",
	  .command_needed = true },
	{ .name = "watch", .help = "Watch", .command = "CMD..." },
	{ .name = "trust",
	  .help = "Put the root where programs look",
	  .actions = trust_actions,
	  .operands = "install|remove|status",
	  .min = 1,
	  .max = 1 },
	{ .name = "doctor", .help = "Say what works here" },
	{ NULL },
};

static struct args args;
static enum args_want want;
static struct err err;

static int parse(const char *const *argv)
{
	return args_parse(verbs, (char **)argv, &args, &want, &err);
}

#define PARSE(...) parse((const char *const[]){ "oriel", __VA_ARGS__, NULL })

#define REFUSES(text, ...)                                                                         \
	do {                                                                                       \
		assert_int_equal(PARSE(__VA_ARGS__), -1);                                          \
		assert_string_equal(err.sentence, text);                                           \
		assert_int_equal(err.code, ERR_USAGE);                                             \
		assert_int_equal(err_exit_status(&err), 2);                                        \
	} while (0)

static void takes_options_in_every_form(void **state)
{
	(void)state;
	assert_int_equal(PARSE("run", "--listen", "a:1", "-v", "oriel.yaml", "--keylog=k",
			       "--json"),
			 0);
	assert_int_equal(want, ARGS_RUN);
	assert_ptr_equal(args.verb, &verbs[0]);
	assert_string_equal(args_value(&args, "listen"), "a:1");
	assert_string_equal(args_value(&args, "keylog"), "k");
	assert_true(args_has(&args, "json"));
	assert_true(args_has(&args, "verbose"));
	assert_int_equal(args.operand_count, 1);
	assert_string_equal(args.operands[0], "oriel.yaml");
	assert_null(args.command);

	assert_int_equal(PARSE("run", "-vl", "a:1", "-kfile"), 0);
	assert_true(args_has(&args, "verbose"));
	assert_string_equal(args_value(&args, "listen"), "a:1");
	assert_string_equal(args_value(&args, "keylog"), "file");
	assert_false(args_has(&args, "json"));
	assert_int_equal(args.operand_count, 0);
}

static void the_last_of_several_values_counts_and_all_can_be_had(void **state)
{
	(void)state;
	assert_int_equal(PARSE("run", "-l", "a", "--listen=b", "-v", "-lc"), 0);
	assert_int_equal(args_count(&args, "listen"), 3);
	assert_string_equal(args_value(&args, "listen"), "c");
	assert_string_equal(args_nth(&args, "listen", 0), "a");
	assert_string_equal(args_nth(&args, "listen", 1), "b");
	assert_null(args_nth(&args, "listen", 3));
	assert_null(args_value(&args, "keylog"));
}

static void a_value_may_be_empty_a_dash_or_hold_an_equals_sign(void **state)
{
	(void)state;
	assert_int_equal(PARSE("run", "--keylog", "-", "--listen=", "-"), 0);
	assert_string_equal(args_value(&args, "keylog"), "-");
	assert_string_equal(args_value(&args, "listen"), "");
	assert_string_equal(args.operands[0], "-");
	assert_int_equal(PARSE("run", "--keylog=a=b"), 0);
	assert_string_equal(args_value(&args, "keylog"), "a=b");
	assert_int_equal(PARSE("run", "--keylog=--json", "-l-v"), 0);
	assert_string_equal(args_value(&args, "keylog"), "--json");
	assert_string_equal(args_value(&args, "listen"), "-v");
	assert_int_equal(PARSE("run", "--listen", "-5"), 0);
	assert_string_equal(args_value(&args, "listen"), "-5");
}

static void two_dashes_end_the_options(void **state)
{
	(void)state;
	assert_int_equal(PARSE("run", "-v", "--", "--json"), 0);
	assert_false(args_has(&args, "json"));
	assert_string_equal(args.operands[0], "--json");
	assert_null(args.command);
}

static void two_dashes_begin_a_command(void **state)
{
	(void)state;
	assert_int_equal(PARSE("exec", "--", "curl", "-v", "--help", "--"), 0);
	assert_int_equal(want, ARGS_RUN);
	assert_string_equal(args.command[0], "curl");
	assert_string_equal(args.command[3], "--");
	assert_null(args.command[4]);
	assert_int_equal(PARSE("watch"), 0);
	assert_null(args.command);
	REFUSES("exec: a command is needed: oriel exec -- CMD...", "exec");
	REFUSES("exec: a command is needed: oriel exec -- CMD...", "exec", "--");
	REFUSES("watch: a command is needed: oriel watch -- CMD...", "watch", "--");
	REFUSES("exec: curl is one too many; it takes nothing, and a command only after --", "exec",
		"curl");
}

static void an_unknown_option_is_refused_with_the_nearest(void **state)
{
	(void)state;
	REFUSES("run: there is no option --lisen (did you mean --listen?); oriel run --help "
		"lists them",
		"run", "--lisen=a");
	REFUSES("run: there is no option --key (did you mean --keylog?); oriel run --help "
		"lists them",
		"run", "--key");
	REFUSES("run: there is no option --JSON (did you mean --json?); oriel run --help "
		"lists them",
		"run", "--JSON");
	REFUSES("run: there is no option --vebrose (did you mean --verbose?); oriel run "
		"--help lists them",
		"run", "--vebrose");
	REFUSES("run: there is no option --hlep (did you mean --help?); oriel run --help "
		"lists them",
		"run", "--hlep");
	REFUSES("run: there is no option --zzz; oriel run --help lists them", "run", "--zzz");
	REFUSES("doctor: there is no option --listen; oriel doctor --help lists them", "doctor",
		"--listen");
	REFUSES("run: there is no option -x; oriel run --help lists them", "run", "-vx");
	REFUSES("run: there is no option --\\x1b[31m; oriel run --help lists them", "run",
		"--\x1b[31m");
}

static void values_that_are_missing_or_too_many_are_refused(void **state)
{
	(void)state;
	REFUSES("run: --listen needs ADDR:PORT", "run", "--listen");
	REFUSES("run: --listen needs ADDR:PORT", "run", "-vl");
	REFUSES("run: --listen needs ADDR:PORT, but --json follows; if that is meant, write "
		"--listen=--json",
		"run", "--listen", "--json");
	REFUSES("run: --json takes no value", "run", "--json=yes");
	REFUSES("run: b is one too many; it takes [oriel.yaml]", "run", "a", "b");
	REFUSES("doctor: a is one too many; it takes nothing", "doctor", "a");
	REFUSES("doctor: a is one too many; it takes nothing", "doctor", "--", "a");
}

static void actions_come_from_the_table(void **state)
{
	(void)state;
	assert_int_equal(PARSE("trust", "status"), 0);
	assert_string_equal(args.operands[0], "status");
	REFUSES("trust: it needs install|remove|status; oriel trust --help tells more", "trust");
	REFUSES("trust: there is no instal (did you mean install?); it takes "
		"install|remove|status",
		"trust", "instal");
	REFUSES("trust: there is no x; it takes install|remove|status", "trust", "x", "y");
	REFUSES("trust: y is one too many; it takes install|remove|status", "trust", "status", "y");
}

static void verbs_are_known_by_name_only(void **state)
{
	(void)state;
	REFUSES("there is no verb rum (did you mean run?); oriel --help lists what there is",
		"rum");
	REFUSES("there is no verb bananas; oriel --help lists what there is", "bananas");
	REFUSES("there is no verb --verbose; oriel --help lists what there is", "--verbose");
	REFUSES("there is no verb ; oriel --help lists what there is", "");
	assert_int_equal(parse((const char *const[]){ "oriel", NULL }), -1);
	assert_string_equal(err.sentence, "say what to do; oriel --help lists what there is");
	assert_int_equal(parse((const char *const[]){ NULL }), -1);
}

static void help_and_version_win_over_what_follows(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--help"), 0);
	assert_int_equal(want, ARGS_HELP);
	assert_null(args.verb);
	assert_int_equal(PARSE("help", "run"), 0);
	assert_int_equal(want, ARGS_HELP);
	assert_ptr_equal(args.verb, &verbs[0]);
	REFUSES("there is no verb rum (did you mean run?); oriel --help lists what there is",
		"help", "rum");
	assert_int_equal(PARSE("trust", "--help", "--nonsense"), 0);
	assert_int_equal(want, ARGS_HELP);
	assert_ptr_equal(args.verb, &verbs[3]);
	assert_int_equal(PARSE("run", "-vh"), 0);
	assert_int_equal(want, ARGS_HELP);
	assert_int_equal(PARSE("run", "--version"), 0);
	assert_int_equal(want, ARGS_VERSION);
	assert_int_equal(PARSE("--version"), 0);
	assert_int_equal(want, ARGS_VERSION);
	assert_int_equal(PARSE("version"), 0);
	assert_int_equal(want, ARGS_VERSION);
	REFUSES("run: --help takes no value", "run", "--help=me");
}

static void numbers_keep_their_bounds(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_int_equal(PARSE("run"), 0);
	assert_int_equal(args_number(&args, "listen", (struct args_bounds){ 1, 9 }, &n, &err), 0);
	assert_int_equal(n, 7);
	assert_int_equal(PARSE("run", "-l9"), 0);
	assert_int_equal(args_number(&args, "listen", (struct args_bounds){ 1, 9 }, &n, &err), 0);
	assert_int_equal(n, 9);
	for (const char *const *bad = (const char *const[]){ "0", "10", "", "x", "1x", NULL }; *bad;
	     bad++) {
		char word[16] = "-l";

		memcpy(word + 2, *bad, strlen(*bad) + 1);
		if (**bad == 0)
			memcpy(word, "--listen=", 10);
		assert_int_equal(PARSE("run", word), 0);
		assert_int_equal(args_number(&args, "listen", (struct args_bounds){ 1, 9 }, &n,
					     &err),
				 -1);
	}
	assert_string_equal(err.sentence, "run: --listen 1x: expected a number from 1 to 9");
}

static void too_many_words_are_refused(void **state)
{
	static const char *words[ARGS_MAX + 4] = { "oriel", "run" };

	(void)state;
	for (size_t i = 2; i < ARGS_MAX + 3; i++)
		words[i] = "-v";
	assert_int_equal(parse(words), -1);
	assert_string_equal(err.sentence, "run: more than 256 options");
	words[ARGS_MAX + 2] = NULL;
	assert_int_equal(parse(words), 0);
	for (size_t i = 2; i < ARGS_MAX + 3; i++)
		words[i] = "x";
	assert_int_equal(parse(words), -1);
	assert_string_equal(err.sentence, "run: more than 256 operands");
}

static void the_usage_comes_from_the_table(void **state)
{
	struct buf b = buf_init(4096);

	(void)state;
	assert_int_equal(args_usage(verbs, &verbs[0], &b, NULL), 0);
	assert_int_equal(buf_printf(&b, NULL, "%c", 0), 0);
	assert_string_equal((char *)b.p, "Usage: oriel run [OPTION]... [oriel.yaml]\n"
					 "\n"
					 "Run the proxy.\n"
					 "\n"
					 "  -l, --listen ADDR:PORT  where to listen\n"
					 "  -v, --verbose           show headers\n"
					 "      --json              one JSON object a line\n"
					 "  -k, --keylog FILE       write the keys\n"
					 "      --a-name-that-is-rather-long VALUE\n"
					 "                          goes to a line of its own\n"
					 "  -h, --help              show this text\n"
					 "      --version           show the version\n");
	buf_clear(&b);
	assert_int_equal(args_usage(verbs, NULL, &b, NULL), 0);
	assert_int_equal(buf_printf(&b, NULL, "%c", 0), 0);
	assert_string_equal((char *)b.p, "Usage: oriel VERB [OPTION]... [OPERAND]...\n"
					 "\n"
					 "  oriel run     Run the proxy\n"
					 "  oriel exec    Run a command through the proxy\n"
					 "  oriel watch   Watch\n"
					 "  oriel trust   Put the root where programs look\n"
					 "  oriel doctor  Say what works here\n"
					 "\n"
					 "oriel help VERB tells more about one.\n");
	buf_clear(&b);
	assert_int_equal(args_usage(verbs, &verbs[1], &b, NULL), 0);
	assert_true(bytes_starts(buf_bytes(&b),
				 bytes_str("Usage: oriel exec [OPTION]... -- CMD...\n")));
	buf_fini(&b);
	for (size_t max = 0; max < 300; max += 7) {
		b = buf_init(max);
		assert_int_equal(args_usage(verbs, &verbs[0], &b, &err), -1);
		assert_int_equal(err.code, ERR_LIMIT);
		buf_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_options_in_every_form),
		cmocka_unit_test(the_last_of_several_values_counts_and_all_can_be_had),
		cmocka_unit_test(a_value_may_be_empty_a_dash_or_hold_an_equals_sign),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(two_dashes_begin_a_command),
		cmocka_unit_test(an_unknown_option_is_refused_with_the_nearest),
		cmocka_unit_test(values_that_are_missing_or_too_many_are_refused),
		cmocka_unit_test(actions_come_from_the_table),
		cmocka_unit_test(verbs_are_known_by_name_only),
		cmocka_unit_test(help_and_version_win_over_what_follows),
		cmocka_unit_test(numbers_keep_their_bounds),
		cmocka_unit_test(too_many_words_are_refused),
		cmocka_unit_test(the_usage_comes_from_the_table),
	};

	return cmocka_run_group_tests_name("cmd/args", tests, NULL, NULL);
}
