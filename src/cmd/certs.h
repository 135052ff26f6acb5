/* `oriel certs`: what its actions share. The verb's own file is verb_certs.c. */
#ifndef CMD_CERTS_H
#define CMD_CERTS_H

#include "cmd/args.h"

/* Rows for the verb's table of options that only `show` and `verify` understand. */
#define CERTS_SHOW_OPTIONS
#define CERTS_VERIFY_OPTIONS

/* `oriel certs show FILE|HOST` and `oriel certs verify FILE...`: a->operands[0] is the action. Each
 * returns the exit status; what went wrong was printed. Also with --json. */
int certs_show(const struct args *a);
int certs_verify(const struct args *a);

#endif
