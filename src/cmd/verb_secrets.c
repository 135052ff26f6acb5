/* `oriel secrets`: the secrets that a capture carries along, so that one file is all that a reader
 * needs: put in, shown, taken out. */
#include <stdio.h>

#include "cmd/secrets.h"
#include "cmd/verbs.h"

const char *const secrets_actions[] = { "add", "list", "drop", NULL };
const struct args_option secrets_options[] = {
	{ "keylog", 'k', "FILE", "add: secrets in the format of SSLKEYLOGFILE; may be repeated" },
	{ "output", 'o', "FILE", "add, drop: where the capture goes; - for standard output" },
	{ "all", 0, NULL, "add: every secret of the key logs, not only what the capture needs" },
	{ "raw", 0, NULL, "list: the key log itself, secrets and all" },
	{ 0 },
};

const char *secrets_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* A path of the user stands at the front of each sentence about the capture. */
int secrets_walk(const char *path, struct secrets_walk *walk, struct err *e)
{
	struct capture_input_options options = { .path = path };
	struct capture_input *in = NULL;
	bool any = false;
	int r = capture_input_open(&options, &in, e);

	walk->cut = false;
	while (r == 0) {
		struct capture_item item;
		struct capture_input_facts facts;
		enum capture_input_outcome o = capture_input_next(in, &item, e);

		if (o == CAPTURE_INPUT_END)
			break;
		capture_input_facts(in, &facts);
		walk->format = facts.format;
		if (o == CAPTURE_INPUT_ITEM)
			r = walk->item(walk->ctx, &item, e);
		if (o == CAPTURE_INPUT_FAULT || (o == CAPTURE_INPUT_LOST && !any))
			r = -1;
		any |= o == CAPTURE_INPUT_ITEM;
		walk->cut |= o == CAPTURE_INPUT_LOST;
		if (r == 0 && (o == CAPTURE_INPUT_LOST || o == CAPTURE_INPUT_BAD))
			fprintf(stderr, "oriel: %s\n", e->sentence);
		if (r == 0 && o == CAPTURE_INPUT_BAD && walk->bad)
			r = walk->bad(walk->ctx, &item, e);
	}
	capture_input_close(in);
	return r;
}

/* Options that mean nothing to an action are refused, not overlooked. */
static int check(const struct args *a, bool adds, bool writes, struct err *e)
{
	const char *action = a->operands[0];

	if (!adds && args_has(a, "keylog"))
		return FAIL(e, USAGE, "secrets %s: --keylog is for oriel secrets add", action);
	if (!adds && args_has(a, "all"))
		return FAIL(e, USAGE, "secrets %s: --all is for oriel secrets add", action);
	if (!writes && args_has(a, "output"))
		return FAIL(e, USAGE, "secrets %s: --output is for add and drop", action);
	if (writes && args_has(a, "raw"))
		return FAIL(e, USAGE, "secrets %s: --raw is for oriel secrets list", action);
	if (writes && !args_has(a, "output"))
		return FAIL(e, USAGE, "secrets %s: --output FILE is needed (- for standard output)",
			    action);
	return 0;
}

int secrets_verb(const struct args_verb *verb, void *args)
{
	const struct args *a = args;
	char action = a->operands[0][0];
	struct err e = { 0 };

	(void)verb;
	if (check(a, action == 'a', action != 'l', &e) < 0)
		return verb_fail(&e);
	return action == 'a' ? secrets_add(a) : action == 'd' ? secrets_drop(a) : secrets_list(a);
}
