/* Writes numbers, bytes and length-prefixed vectors into a buf. A failure (limit, memory, vector
 * too long for its prefix) sticks: nothing more is written, and wr_end reports it once. Vectors may
 * nest. While a vector is open nothing may be taken from the buf. */
#ifndef BASE_WR_H
#define BASE_WR_H

#include "base/buf.h"

struct wr {
	struct buf *b;
	bool failed;
	bool no_memory; /* why, when failed */
};

struct wr_mark {
	size_t at;   /* position of the prefix, counted from the front of the buf */
	size_t size; /* bytes of the prefix */
};

static inline struct wr wr_init(struct buf *b)
{
	return (struct wr){ .b = b };
}

void wr_bytes(struct wr *w, struct bytes b);
void wr_uint(struct wr *w, uint64_t v, size_t size); /* big-endian, 1 to 8 bytes */
static inline void wr_u8(struct wr *w, uint8_t v)
{
	wr_uint(w, v, 1);
}
static inline void wr_u16(struct wr *w, uint16_t v)
{
	wr_uint(w, v, 2);
}
static inline void wr_u24(struct wr *w, uint32_t v)
{
	wr_uint(w, v, 3);
}
static inline void wr_u32(struct wr *w, uint32_t v)
{
	wr_uint(w, v, 4);
}
static inline void wr_u64(struct wr *w, uint64_t v)
{
	wr_uint(w, v, 8);
}
static inline void wr_str(struct wr *w, const char *s)
{
	wr_bytes(w, bytes_str(s));
}

/* Opens a vector with a length of size bytes (1 to 3) before it, closes it again. */
struct wr_mark wr_open(struct wr *w, size_t size);
void wr_close(struct wr *w, struct wr_mark m);
/* Fails with ERR_LIMIT or ERR_NOMEM when anything before failed; the buf then holds a part of what
 * was to be written. */
int wr_end(struct wr *w, struct err *e) MUST_CHECK;

#endif
