/* The command line of every verb, by table: `oriel VERB [--option[=VALUE]] [OPERAND]... [-- CMD]`.
 * Parsing, the sentences of refusal, usage texts and completion all come from the same rows. */
#ifndef CMD_ARGS_H
#define CMD_ARGS_H

#include "base/buf.h"

struct args_option {
	const char *name;  /* "listen" for --listen */
	char letter;	   /* 'v' for -v, or 0 */
	const char *value; /* "ADDR:PORT"; NULL: takes none */
	const char *help;  /* one line, no full stop */
};

struct args_verb {
	const char *name; /* "run"; the last row of a table of verbs has NULL */
	const char *help; /* one line, no full stop */
	const char *const
		*actions; /* the first operand must be one of these; NULL-terminated, or NULL */
	bool actions_only_offered;	   /* other first operands are fine, too: files */
	const char *operands;		   /* for the usage: "[oriel.yaml]"; NULL: none are taken */
	unsigned min, max;		   /* how many operands, the action counted */
	const char *command;		   /* for the usage: "CMD..." is taken after --; NULL: no */
	bool command_needed;		   /* and must be there */
	const struct args_option *options; /* ends with a row without a name, or NULL */
	int (*run)(const struct args_verb *verb,
		   void *args); /* for the table's owner; not called here */
};

#define ARGS_MAX 256

/* What was given. Everything points into argv. */
struct args {
	const struct args_verb *verb;
	struct {
		const struct args_option *option;
		const char *value; /* NULL for an option without one */
	} given[ARGS_MAX];
	size_t given_count;
	const char *operands[ARGS_MAX];
	size_t operand_count;
	char **command; /* what follows --, NULL at its end as argv has it; NULL: there was no -- */
};

enum args_want {
	ARGS_RUN, /* the verb, as given */
	ARGS_HELP, /* --help, -h or `oriel help [VERB]`: the usage of args.verb, or of all when NULL */
	ARGS_VERSION, /* --version or `oriel version` */
};

/* argv[0] is the program. --help and --version are understood with every verb. Fails with
 * ERR_USAGE (exit status 2) and one sentence that begins with the verb and names the nearest that
 * there is. */
int args_parse(const struct args_verb *verbs, char **argv, struct args *out, enum args_want *want,
	       struct err *e) MUST_CHECK;

/* name is a row of the verb's table; anything else is a bug of the caller (asserted). */
bool args_has(const struct args *a, const char *name);
size_t args_count(const struct args *a, const char *name);
/* The value given last; NULL when it was not given. */
const char *args_value(const struct args *a, const char *name);
/* The n-th value given, from 0; NULL behind the last. */
const char *args_nth(const struct args *a, const char *name, size_t n);
struct args_bounds {
	uint64_t min, max;
};
/* A whole number within the bounds; *out stays as it is when it was not given. Fails with ERR_USAGE. */
int args_number(const struct args *a, const char *name, struct args_bounds bounds, uint64_t *out,
		struct err *e) MUST_CHECK;

/* The usage text of one verb, or the list of all when verb is NULL. */
int args_usage(const struct args_verb *verbs, const struct args_verb *verb, struct buf *out,
	       struct err *e) MUST_CHECK;

#endif
