#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

#define FIRST_SIZE 256

static void release(struct buf *b)
{
	if (b->secret && b->storage)
		mem_wipe(b->storage, b->cap + 1);
	mem_free(b->storage);
}

void buf_fini(struct buf *b)
{
	release(b);
	b->p = b->storage = NULL;
	b->n = b->cap = 0;
}

/* How many bytes at the front of the storage were taken already. */
static size_t taken(const struct buf *b)
{
	return b->storage ? (size_t)(b->p - b->storage) : 0;
}

/* Moves the bytes to the start of the storage. */
static void compact(struct buf *b)
{
	size_t moved = taken(b);

	memmove(b->storage, b->p, b->n);
	b->p = b->storage;
	/* A copy stays behind where the bytes ended before. */
	if (b->secret)
		mem_wipe(b->p + b->n, moved);
}

/* The slack above the limit is what makes compaction cheap: when the memory is as large as it may
 * be and a legal reserve does not fit, max / 2 bytes or more were taken since the last move, and
 * at most max are moved now. */
static size_t most(const struct buf *b)
{
	return b->max <= SIZE_MAX / 2 ? b->max + b->max / 2 : b->max;
}

/* Twice as large as now, and large enough for need bytes, which are within the limit. */
static size_t next_size(const struct buf *b, size_t need)
{
	size_t size = b->cap ? b->cap : FIRST_SIZE / 2;

	do
		size = size > most(b) / 2 ? most(b) : size * 2;
	while (size < need);
	return size;
}

static int grow(struct buf *b, size_t need, struct err *e)
{
	size_t size = next_size(b, need);
	/* One more byte for the NUL that buf_printf cannot avoid. Not zeroed: it would cost more
	 * than what a busy connection does with it. */
	uint8_t *p = mem_resize(NULL, size + 1);

	if (!p)
		return FAIL(e, NOMEM, "a buffer of %zu bytes", size);
	if (b->n)
		memcpy(p, b->p, b->n);
	release(b);
	b->storage = b->p = p;
	b->cap = size;
	return 0;
}

/* Compacting pays when no more bytes are moved than twice those taken since the last time (or so
 * few that nothing else matters), and there is no choice when the memory may not grow. */
static bool should_compact(const struct buf *b, size_t need)
{
	return need <= b->cap && (b->n / 2 <= taken(b) || b->n <= FIRST_SIZE || b->cap == most(b));
}

int buf_reserve(struct buf *b, size_t n, uint8_t **room, struct err *e)
{
	if (n > b->max - b->n)
		return FAIL(e, LIMIT,
			    "a buffer may hold %zu bytes: %zu are in it, %zu more do not fit",
			    b->max, b->n, n);
	if (!b->storage || b->cap - taken(b) - b->n < n) {
		if (b->storage && should_compact(b, b->n + n))
			compact(b);
		else if (grow(b, b->n + n, e) < 0)
			return -1;
	}
	*room = b->p + b->n;
	return 0;
}

void buf_commit(struct buf *b, size_t n)
{
	assert(n <= b->max - b->n && n <= b->cap - taken(b) - b->n);
	b->n += n;
}

int buf_add(struct buf *b, struct bytes more, struct err *e)
{
	uint8_t *room;

	if (more.n == 0)
		return 0;
	if (buf_reserve(b, more.n, &room, e) < 0)
		return -1;
	memcpy(room, more.p, more.n);
	buf_commit(b, more.n);
	return 0;
}

int buf_printf(struct buf *b, struct err *e, const char *fmt, ...)
{
	va_list ap;
	uint8_t *room;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return FAIL(e, LIMIT, "a text cannot be formatted");
	if (buf_reserve(b, (size_t)n, &room, e) < 0)
		return -1;
	va_start(ap, fmt);
	vsnprintf((char *)room, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf_commit(b, (size_t)n);
	return 0;
}

void buf_take(struct buf *b, size_t n)
{
	assert(n <= b->n);
	if (n == 0)
		return;
	if (b->secret)
		mem_wipe(b->p, n);
	b->p += n;
	b->n -= n;
	if (b->n == 0)
		b->p = b->storage;
}

void buf_clear(struct buf *b)
{
	buf_take(b, b->n);
}

void buf_shrink(struct buf *b)
{
	if (b->n == 0)
		buf_fini(b);
}
