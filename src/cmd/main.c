/* oriel: the table of verbs. */
#include <stdio.h>

#include "cmd/args.h"
#include "cmd/completion.h"
#include "cmd/run.h"
#include "cmd/verbs.h"
#include "proc/child.h"

static const char *const completion_shells[] = { "bash", "zsh", "fish", NULL };
static int completion_verb(const struct args_verb *verb, void *args);

static const struct args_verb verbs[] = {
	{ .name = "run",
	  .help = "the proxy: see, and decide on, the TLS traffic of your programs",
	  .operands = "[oriel.yaml]",
	  .max = 1,
	  .options = run_options,
	  .run = run_verb },
	{ .name = "env",
	  .help = "shell lines that send programs through the proxy",
	  .options = env_options,
	  .run = env_verb },
	{ .name = "exec",
	  .help = "run one command through the proxy",
	  .command = "CMD...",
	  .command_needed = true,
	  .options = exec_options,
	  .run = exec_verb },
	{ .name = "browser",
	  .help = "a browser that goes through the proxy, with a throwaway profile",
	  .operands = "[URL]",
	  .max = 1,
	  .command = "BROWSER-OPTION...",
	  .options = browser_options,
	  .run = browser_verb },
	{ .name = "trust",
	  .help = "put the bump root where programs look, or take it out again",
	  .actions = trust_actions,
	  .operands = "install|remove|status",
	  .min = 1,
	  .max = 1,
	  .options = trust_options,
	  .run = trust_verb },
	{ .name = "demo",
	  .help = "server, proxy and client on loopback: what it looks like, and a capture of it",
	  .run = demo_verb },
	{ .name = "doctor",
	  .help = "what works on this machine, and what to do about the rest",
	  .run = doctor_verb },
	{ .name = "flows",
	  .help = "the last exchanges of the proxy that runs",
	  .options = flows_options,
	  .run = flows_verb },
	{ .name = "secrets",
	  .help = "the secrets that a capture carries along: put in, shown, taken out",
	  .actions = secrets_actions,
	  .operands = "add|list|drop FILE",
	  .min = 2,
	  .max = 2,
	  .options = secrets_options,
	  .run = secrets_verb },
	{ .name = "read",
	  .help = "decrypt a capture and show what was said",
	  .operands = "[FILE]",
	  .max = 1,
	  .options = read_verb_options,
	  .run = read_verb },
	{ .name = "certs",
	  .help = "certificates from a manifest, kept right on every run; shown and verified",
	  .actions = certs_actions,
	  .actions_only_offered = true,
	  .operands = "[certs.yaml] | self-signed NAME | lab | show FILE|HOST | verify FILE...",
	  .max = 64,
	  .options = certs_options,
	  .run = certs_verb },
	{ .name = "keys",
	  .help = "run one command so that its TLS keys are logged",
	  .command = "CMD...",
	  .options = keys_options,
	  .run = keys_verb },
	{ .name = "completion",
	  .help = "completion of this command line, for a shell to read",
	  .actions = completion_shells,
	  .operands = "SHELL",
	  .min = 1,
	  .max = 1,
	  .run = completion_verb },
	{ 0 },
};

/* Prints a text that was made, or why it was not; frees it. */
static int print(struct buf *text, int made, const struct err *e)
{
	int status = EXIT_OK;

	if (made < 0) {
		fprintf(stderr, "oriel: %s\n", e->sentence);
		status = err_exit_status(e);
	} else if (fwrite(text->p, 1, text->n, stdout) != text->n || fflush(stdout) != 0) {
		status = EXIT_FAULT;
	}
	buf_fini(text);
	return status;
}

static int usage(const struct args_verb *verb)
{
	struct buf text = buf_init(1 << 20);
	struct err e = { 0 };

	return print(&text, args_usage(verbs, verb, &text, &e), &e);
}

static int completion_verb(const struct args_verb *verb, void *args)
{
	const struct args *a = args;
	struct buf text = buf_init(1 << 20);
	struct err e = { 0 };

	(void)verb;
	return print(&text, completion_write(verbs, a->operands[0], &text, &e), &e);
}

int main(int argc, char **argv)
{
	enum args_want want = ARGS_HELP;
	struct err e = { 0 };
	struct args args;

	child_title_init(argc, argv);
	if (argc < 2)
		return usage(NULL) == EXIT_OK ? EXIT_USAGE : EXIT_FAULT;
	if (args_parse(verbs, argv, &args, &want, &e) < 0) {
		fprintf(stderr, "oriel: %s\n", e.sentence);
		return err_exit_status(&e);
	}
	if (want == ARGS_HELP)
		return usage(args.verb);
	if (want == ARGS_VERSION) {
		printf("oriel %s\n", ORIEL_VERSION);
		return EXIT_OK;
	}
	return args.verb->run(args.verb, &args);
}
