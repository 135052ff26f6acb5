#include "flow/scratch.h"

#include <stdalign.h>

#include "base/mem.h"

#define CHUNK_MIN 1024

struct scratch_chunk {
	struct scratch_chunk *next;
	alignas(max_align_t) uint8_t room[];
};

void scratch_init(struct scratch *a, void *first, size_t size)
{
	*a = (struct scratch){ .p = first, .left = size, .first = first, .first_size = size };
}

static void *take_from_heap(struct scratch *a, size_t n)
{
	/* What is taken grows with what was taken, so that the number of chunks stays small. */
	size_t size = a->heap > CHUNK_MIN ? a->heap : CHUNK_MIN;
	struct scratch_chunk *c;

	if (n > SIZE_MAX / 2)
		return NULL;
	if (size < n)
		size = n;
	c = mem_resize(NULL, sizeof(*c) + size);
	if (!c)
		return NULL;
	c->next = a->chunks;
	a->chunks = c;
	a->heap += size;
	a->p = c->room + n;
	a->left = size - n;
	return c->room;
}

void *scratch_text(struct scratch *a, size_t n)
{
	void *p = a->p;

	if (n > a->left)
		return take_from_heap(a, n);
	a->p += n;
	a->left -= n;
	return p;
}

void *scratch_take(struct scratch *a, size_t n)
{
	size_t pad = (size_t)(-(uintptr_t)a->p % alignof(max_align_t));

	if (n > a->left || pad > a->left - n)
		return take_from_heap(a, n);
	a->p += pad;
	a->left -= pad;
	return scratch_text(a, n);
}

void scratch_clear(struct scratch *a)
{
	while (a->chunks) {
		struct scratch_chunk *c = a->chunks;

		a->chunks = c->next;
		mem_free(c);
	}
	scratch_init(a, a->first, a->first_size);
}
