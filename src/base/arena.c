#include "base/arena.h"

#include <stdalign.h>

#include "base/mem.h"

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	alignas(max_align_t) uint8_t room[];
};

enum { CHUNK_SIZE = 8000 };

void arena_fini(struct arena *a)
{
	for (struct arena_chunk *chunk = a->chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		mem_free(chunk);
	}
	*a = arena_init(a->max);
}

static struct arena_chunk *chunk_with_room(struct arena *a, size_t n)
{
	struct arena_chunk *chunk = a->chunks;
	size_t size = n > CHUNK_SIZE ? n : CHUNK_SIZE;

	if (chunk && chunk->size - chunk->used >= n)
		return chunk;
	chunk = mem_new(sizeof(*chunk) + size);
	if (!chunk)
		return NULL;
	chunk->size = size;
	chunk->next = a->chunks;
	a->chunks = chunk;
	return chunk;
}

void *arena_new(struct arena *a, size_t count, size_t size)
{
	const size_t grain = alignof(max_align_t);
	struct arena_chunk *chunk;
	size_t n;
	void *p;

	if (__builtin_mul_overflow(count, size, &n) || n > SIZE_MAX / 2)
		return NULL;
	n = (n + grain - 1) / grain * grain;
	if (n > a->max - a->used)
		return NULL;
	chunk = chunk_with_room(a, n);
	if (!chunk)
		return NULL;
	p = chunk->room + chunk->used;
	chunk->used += n;
	a->used += n;
	return p;
}

void *arena_dup(struct arena *a, struct bytes b)
{
	uint8_t *p = b.n < SIZE_MAX ? arena_new(a, b.n + 1, 1) : NULL;

	if (p && b.n)
		memcpy(p, b.p, b.n);
	return p;
}
