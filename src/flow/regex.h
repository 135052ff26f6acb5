/* A regular expression of PCRE2 that cannot run away: matching has a limit of steps and of memory,
 * and gives up (no match) beyond. */
#ifndef FLOW_REGEX_H
#define FLOW_REGEX_H

#include "base/err.h"

struct regex;

/* Letters match without regard to case. Fails with ERR_USAGE (the sentence says what is wrong with
 * it and where) and ERR_NOMEM. */
int regex_new(struct bytes pattern, struct regex **out, struct err *e) MUST_CHECK;
void regex_free(struct regex *r);
/* Somewhere in text. Not for several threads at once. */
bool regex_matches(struct regex *r, struct bytes text);

#endif
