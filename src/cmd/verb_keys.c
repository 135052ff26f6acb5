/* `oriel keys`: a command run so that its TLS libraries log their secrets. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/keys_command.h"
#include "cmd/keys_environment.h"
#include "cmd/keys_relay.h"
#include "cmd/verbs.h"
#include "net/sock.h"
#include "proc/file.h"

#define USUAL_FILE "oriel-keys.log"

const struct args_option keys_options[] = {
	{ "output", 'o', "FILE",
	  "append the keys to FILE, instead of " USUAL_FILE "; - for standard output" },
	{ "preload-path", 0, NULL, "print where the library is, for an LD_PRELOAD of one's own" },
	{ 0 },
};

static int print_path(void)
{
	char path[PATHS_MAX];
	struct err e = { 0 };

	if (keys_preload_path(path, &e) < 0)
		return verb_fail(&e);
	return printf("%s\n", path) < 0 || fflush(stdout) != 0 ? EXIT_FAULT : EXIT_OK;
}

static int prepare(const char *file, struct err *e)
{
	char library[PATHS_MAX];

	return keys_preload_path(library, e) < 0 ? -1 : keys_environment_set(file, library, e);
}

/* Made, or found fit for secrets, before the command runs: in there nobody would say so. */
static int to_file(const char *name, char **command, struct err *e)
{
	AUTO(sock_close) int fd = -1;
	char file[PATHS_MAX];

	if (file_open_secret_append(name ? name : USUAL_FILE, &fd, e) < 0)
		return verb_fail(e);
	if (!realpath(name ? name : USUAL_FILE, file)) {
		(void)FAIL_SYS(e, FILE, "%s", name ? name : USUAL_FILE);
		return verb_fail(e);
	}
	if (prepare(file, e) < 0)
		return verb_fail(e);
	if (!name)
		fprintf(stderr, "oriel: keys are appended to %s\n", file);
	return keys_command_run(command);
}

static int to_output(char **command, struct err *e)
{
	AUTO(keys_relay_fini) struct keys_relay relay = { .fd = -1 };
	int status = EXIT_FAULT;

	if (keys_relay_init(&relay, e) < 0 || prepare(relay.file, e) < 0 ||
	    keys_relay_run(&relay, command, &status, e) < 0)
		return verb_fail(e);
	return status;
}

int keys_verb(const struct args_verb *verb, void *args)
{
	const struct args *a = args;
	const char *output = args_value(a, "output");
	struct err e = { 0 };

	(void)verb;
	if (args_has(a, "preload-path"))
		return print_path();
	if (!a->command || !a->command[0]) {
		(void)FAIL(&e, USAGE,
			   "keys: -- and a command are needed, as in: oriel keys -- curl "
			   "https://www.debian.org/");
		return verb_fail(&e);
	}
	keys_command_warn(a->command[0]);
	return output && strcmp(output, "-") == 0 ? to_output(a->command, &e)
						  : to_file(output, a->command, &e);
}
