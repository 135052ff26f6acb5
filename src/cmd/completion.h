/* Completion of the command line for bash, zsh and fish, made from the table of verbs. */
#ifndef CMD_COMPLETION_H
#define CMD_COMPLETION_H

#include "cmd/args.h"

/* Appends the script for a shell ("bash", "zsh", "fish"). Fails with ERR_USAGE for another. */
int completion_write(const struct args_verb *verbs, const char *shell, struct buf *out,
		     struct err *e) MUST_CHECK;

#endif
