/* Memory that is taken piece by piece and used again as a whole: the strings of one flow, the heads
 * of one exchange. Unlike base/arena.h it begins with room that lies in its owner, so that most
 * owners need no other memory. */
#ifndef FLOW_SCRATCH_H
#define FLOW_SCRATCH_H

#include "base/bytes.h"

struct scratch_chunk;

struct scratch {
	uint8_t *p; /* free room */
	size_t left;
	uint8_t *first;
	size_t first_size;
	struct scratch_chunk *chunks;
	size_t heap; /* bytes that came from the heap */
};

void scratch_init(struct scratch *a, void *first, size_t size);
/* n bytes for any type, not zeroed, valid until scratch_clear; NULL when there is no memory. */
void *scratch_take(struct scratch *a, size_t n) MUST_CHECK;
/* The same without alignment, for text. */
void *scratch_text(struct scratch *a, size_t n) MUST_CHECK;
void scratch_clear(struct scratch *a); /* back to the first room alone */

#endif
