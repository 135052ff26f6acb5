/* `oriel exec`: this process becomes the command, so that its exit status, signals and terminal are
 * the command's own. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/escape.h"
#include "cmd/environment.h"
#include "cmd/verbs.h"

/* As env(1) and shells have it. */
enum { CANNOT_RUN = 126, NOT_FOUND = 127 };

const struct args_option exec_options[] = { ADMIN_OPTION, { 0 } };

int exec_verb(const struct args_verb *verb, void *args)
{
	const struct args *a = args;
	struct settings s;
	struct err e = { 0 };
	char shown[256];
	int why;

	(void)verb;
	if (settings_ask_proxy(args_value(a, "admin"), &s, &e) < 0 || environment_set(&s, &e) < 0)
		return verb_fail(&e);
	execvp(a->command[0], a->command);
	why = errno;
	fprintf(stderr, "oriel: %s: %s\n",
		escape_to(shown, sizeof(shown), bytes_str(a->command[0])), strerror(why));
	return why == ENOENT ? NOT_FOUND : CANNOT_RUN;
}
