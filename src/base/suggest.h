/* "Did you mean": the candidate nearest to a word that is not known. */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include "base/bytes.h"

struct suggest {
	struct bytes word;
	const char *best; /* borrowed from whoever offered it */
	size_t distance;
};

static inline struct suggest suggest_init(struct bytes word)
{
	return (struct suggest){ .word = word };
}

void suggest_offer(struct suggest *s, const char *candidate);
/* " (did you mean --listen?)" with before = "--", or "" when nothing is near. Returns out. */
#define SUGGEST_MAX 96
const char *suggest_text(const struct suggest *s, const char *before, char out[SUGGEST_MAX]);

#endif
