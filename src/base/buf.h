/* An owned, growing queue of bytes with a limit that is stated at its birth. Bytes are added at
 * the end and taken from the front; an empty buffer may give its memory back. Adding and taking
 * cost constant time a byte, however full the queue is; for that its memory may be half as large
 * again as the limit. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"

struct buf {
	uint8_t *p;	  /* the first byte that was not taken yet */
	size_t n;	  /* how many there are */
	size_t max;	  /* never more than this many */
	bool secret;	  /* wiped before memory goes back; never realloc'ed */
	uint8_t *storage; /* where the memory begins */
	size_t cap;	  /* how much of it there is; at most max + max / 2 */
};

static inline struct buf buf_init(size_t max)
{
	return (struct buf){ .max = max };
}

static inline struct buf buf_init_secret(size_t max)
{
	return (struct buf){ .max = max, .secret = true };
}

static inline struct bytes buf_bytes(const struct buf *b)
{
	return bytes_of(b->p, b->n);
}

void buf_fini(struct buf *b); /* frees; b may be used again with the same limit */
/* Makes room for n more bytes after the last one; *room is where they go, valid until the next call
 * on b. Then buf_commit says how many were really written, at most n. Fails with ERR_LIMIT or
 * ERR_NOMEM, b's bytes unchanged. */
int buf_reserve(struct buf *b, size_t n, uint8_t **room, struct err *e) MUST_CHECK;
void buf_commit(struct buf *b, size_t n);
/* more must not lie in b. Fails as buf_reserve does. */
int buf_add(struct buf *b, struct bytes more, struct err *e) MUST_CHECK;
int buf_printf(struct buf *b, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4) MUST_CHECK;
void buf_take(struct buf *b, size_t n); /* removes n bytes from the front; n <= b->n */
void buf_clear(struct buf *b);		/* empties, keeps the memory */
void buf_shrink(struct buf *b);		/* gives the memory back when empty */
static inline size_t buf_room(const struct buf *b)
{
	return b->max - b->n;
}

#endif
