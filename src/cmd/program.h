/* Other programs, run to their end for the verbs: certutil, keytool, update-ca-certificates. */
#ifndef CMD_PROGRAM_H
#define CMD_PROGRAM_H

#include "base/buf.h"
#include "proc/paths.h"

/* Looks along PATH (under AT_SECURE along the system's folders), and then where only root looks.
 * False when there is none. */
bool program_find(const char *name, char out[PATHS_MAX]);

struct program_result {
	int status;	   /* exit status; 128 and the signal's number when one ended it */
	struct buf output; /* standard output and standard error, its first 1 MiB */
};
/* argv[0] is a path or a name for program_find. Standard input is empty, the language is English.
 * r->output is the caller's to free, on failure too. Fails with ERR_FILE when there is no such
 * program, ERR_SYSTEM. */
int program_run(const char *const *argv, struct program_result *r, struct err *e) MUST_CHECK;
/* The same, and fails with ERR_SYSTEM and the last line of what it said unless its status is 0. */
int program_must(const char *const *argv, struct err *e) MUST_CHECK;

#endif
