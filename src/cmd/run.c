#include "cmd/run.h"

#include <stdio.h>
#include <unistd.h>

#include "cmd/supervisor.h"
#include "cmd/supervisor_config.h"
#include "proc/paths.h"

/* Options that stand for a key of the configuration. */
static const struct {
	const char *option, *path, *origin, *value; /* value NULL: the option's own */
	bool yaml;
	bool file; /* the value is a path, from the working directory; those of the file are not */
} settings[] = {
	{ "listen", "listeners.0.bind", "--listen", NULL, false },
	{ "admin", "admin", "--admin", NULL, false },
	{ "json", "observe.log", "--json", "json", false },
	{ "verbose", "observe.headers", "--verbose", "true", true },
	{ "body", "observe.bodies", "--body", "true", true },
	{ "har", "observe.har", "--har", NULL, false, true },
	{ "keylog", "observe.keylog.path", "--keylog", NULL, false, true },
	{ "redact", "observe.redact", "--redact", "true", true },
	{ "upstream-ca", "upstream-ca", "--upstream-ca", NULL, false, true },
	{ "threads", "threads", "--threads", NULL, true },
};

const struct args_option run_options[] = {
	{ "listen", 0, "ADDR:PORT", "where to listen, instead of 127.0.0.1:8080" },
	{ "json", 0, NULL, "JSON lines instead of text" },
	{ "verbose", 'v', NULL, "show headers" },
	{ "body", 0, NULL, "show bodies, decoded" },
	{ "har", 0, "FILE", "write exchanges to FILE as HAR 1.2" },
	{ "keylog", 0, "FILE", "write session secrets to FILE (SSLKEYLOGFILE format)" },
	{ "redact", 0, NULL, "mask secrets also in what was asked for by name" },
	{ "upstream-ca", 0, "FILE", "trust these roots instead of the system's" },
	{ "admin", 0, "PATH", "the admin socket, or off" },
	{ "threads", 0, "N", "threads that carry traffic, instead of one a processor" },
	{ "check", 0, NULL, "check the configuration and end" },
	{ "print-config", 0, NULL, "print the effective configuration and end" },
	{ 0 },
};

struct given {
	struct config_override list[ARRAY_LEN(settings)];
	size_t count;
	char paths[ARRAY_LEN(settings)][PATHS_MAX];
};

static const char *from_here(const char *path, char out[PATHS_MAX])
{
	if (path[0] == '/' || !getcwd(out, PATHS_MAX) || paths_join(out, out, path, NULL) < 0)
		return path;
	return out;
}

static void overrides_of(const struct args *a, struct given *g)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		const char *value = settings[i].value;

		if (!args_has(a, settings[i].option))
			continue;
		if (!value)
			value = args_value(a, settings[i].option);
		if (settings[i].file)
			value = from_here(value, g->paths[i]);
		g->list[g->count++] = (struct config_override){ .path = settings[i].path,
								.value = bytes_str(value),
								.yaml = settings[i].yaml,
								.origin = settings[i].origin };
	}
}

static int print(const struct buf *text)
{
	return fwrite(text->p, 1, text->n, stdout) == text->n && fflush(stdout) == 0 ? EXIT_OK
										     : EXIT_FAULT;
}

int run_verb(const struct args_verb *verb, void *args)
{
	const struct args *a = args;
	struct given given = { .count = 0 };
	struct supervisor_options o = { .config_path = a->operand_count ? a->operands[0] : NULL,
					.overrides = given.list };
	struct err e = { 0 };
	struct plan *p;
	int status = EXIT_OK;

	(void)verb;
	overrides_of(a, &given);
	o.override_count = given.count;
	if (!args_has(a, "check") && !args_has(a, "print-config"))
		return supervisor_run(&o);
	if (plan_config(&o, &p, &e) < 0) {
		fprintf(stderr, "oriel: %s\n", e.sentence);
		return err_exit_status(&e);
	}
	if (args_has(a, "print-config"))
		status = print(&p->text);
	else
		printf("%s: the configuration is in order\n",
		       o.config_path ? o.config_path : "defaults");
	plan_free(p);
	return status;
}
