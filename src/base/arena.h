/* Memory that is handed out piece by piece and goes back as a whole, with a limit that is stated at
 * its birth. For things that are built once and then only read. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/bytes.h"

struct arena {
	struct arena_chunk *chunks;
	size_t used; /* bytes handed out, rounding included */
	size_t max;  /* never more than this many */
};

static inline struct arena arena_init(size_t max)
{
	return (struct arena){ .max = max };
}

void arena_fini(struct arena *a); /* frees everything; a may be used again with the same limit */
/* Room for count things of size bytes, zeroed, aligned for any type. NULL at the limit, or when
 * there is no memory. */
void *arena_new(struct arena *a, size_t count, size_t size) MUST_CHECK;
void *arena_dup(struct arena *a, struct bytes b) MUST_CHECK; /* with a NUL after the last byte */

#endif
