/* What each program makes of the environment that `oriel env` prints, in words. */
#ifndef CMD_EXPLAIN_H
#define CMD_EXPLAIN_H

#include "cmd/settings.h"

int explain_print(const struct settings *s, struct buf *out, struct err *e) MUST_CHECK;

#endif
