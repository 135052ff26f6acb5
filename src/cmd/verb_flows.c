/* `oriel flows`: the last exchanges and connections of the oriel that runs. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/verbs.h"

const struct args_option flows_options[] = {
	{ "json", 0, NULL, "JSON lines instead of text" },
	{ "last", 0, "N", "at most so many, instead of 100" },
	{ "curl", 0, "N", "exchange number N as a curl command" },
	ADMIN_OPTION,
	{ 0 },
};

static bool wants_colour(void)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && no[0]);
}

static int target_of(const struct args *a, char *out, size_t size, struct err *e)
{
	uint64_t n = 100;

	if (args_has(a, "curl") && (args_has(a, "json") || args_has(a, "last")))
		return FAIL(e, USAGE,
			    "flows: --curl N prints one exchange; it goes with neither --json nor "
			    "--last");
	if (args_has(a, "curl")) {
		if (args_number(a, "curl", (struct args_bounds){ 1, UINT32_MAX }, &n, e) < 0)
			return -1;
		snprintf(out, size, "/flows?curl=%llu", (unsigned long long)n);
		return 0;
	}
	if (args_number(a, "last", (struct args_bounds){ 1, 100000 }, &n, e) < 0)
		return -1;
	snprintf(out, size, "/flows?last=%llu%s", (unsigned long long)n,
		 args_has(a, "json") ? "&json=1"
		 : wants_colour()    ? "&colour=1"
				     : "");
	return 0;
}

int flows_verb(const struct args_verb *verb, void *args)
{
	const struct args *a = args;
	AUTO(buf_fini) struct buf body = { 0 };
	struct err e = { 0 };
	char target[64];

	(void)verb;
	if (target_of(a, target, sizeof(target), &e) < 0 ||
	    ask_ok(args_value(a, "admin"), target, &body, &e) < 0)
		return verb_fail(&e);
	return verb_print(buf_bytes(&body));
}
