#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

#define FIRST_SIZE 256

void buf_fini(struct buf *b)
{
	if (b->secret && b->storage)
		mem_wipe(b->storage, b->cap);
	mem_free(b->storage);
	b->p = b->storage = NULL;
	b->n = b->cap = 0;
}

static size_t offset(const struct buf *b)
{
	return b->storage ? (size_t)(b->p - b->storage) : 0;
}

/* Moves the bytes to the start of the storage. */
static void compact(struct buf *b)
{
	if (b->n)
		memmove(b->storage, b->p, b->n);
	b->p = b->storage;
}

static int grow(struct buf *b, size_t need, struct err *e)
{
	size_t cap = b->cap ? b->cap : FIRST_SIZE;
	uint8_t *p;

	while (cap < need)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	if (cap > b->max && b->max >= need)
		cap = b->max;
	p = mem_new_array(1, cap);
	if (!p)
		return FAIL(e, NOMEM, "a buffer of %zu bytes", cap);
	if (b->n)
		memcpy(p, b->p, b->n);
	if (b->secret && b->storage)
		mem_wipe(b->storage, b->cap);
	mem_free(b->storage);
	b->storage = b->p = p;
	b->cap = cap;
	return 0;
}

int buf_reserve(struct buf *b, size_t n, uint8_t **room, struct err *e)
{
	if (n > b->max - b->n)
		return FAIL(e, LIMIT, "a buffer may hold %zu bytes, not %zu", b->max, b->n + n);
	if (b->cap - offset(b) - b->n < n) {
		if (b->cap >= b->n + n && offset(b) >= b->cap / 2)
			compact(b);
		else if (b->cap >= b->n + n && b->n < FIRST_SIZE)
			compact(b);
		else if (grow(b, b->n + n, e) < 0)
			return -1;
	}
	*room = b->p + b->n;
	return 0;
}

void buf_commit(struct buf *b, size_t n)
{
	assert(b->cap - offset(b) - b->n >= n);
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
	if (buf_reserve(b, (size_t)n + 1, &room, e) < 0)
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
	if (b->secret && n)
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
