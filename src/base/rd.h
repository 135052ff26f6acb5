/* A cursor over bytes from outside. Reading past the end yields zeros, empties the reader and
 * raises one flag, so that a parser reads like the RFC and asks once. Readers of parts share the
 * flag of the whole. */
#ifndef BASE_RD_H
#define BASE_RD_H

#include "base/bytes.h"

struct rd {
	const uint8_t *p;
	size_t n; /* bytes left */
	bool *bad;
};

static inline struct rd rd_init(struct bytes b, bool *bad)
{
	return (struct rd){ .p = b.p, .n = b.n, .bad = bad };
}

static inline struct bytes rd_rest(const struct rd *r)
{
	return bytes_of(r->p, r->n);
}

/* Takes exactly n bytes. */
static inline struct bytes rd_take(struct rd *r, size_t n)
{
	struct bytes b = { 0 };

	if (n > r->n) {
		*r->bad = true;
		r->n = 0;
		return b;
	}
	b = bytes_of(r->p, n);
	if (n)
		r->p += n;
	r->n -= n;
	return b;
}

static inline void rd_skip(struct rd *r, size_t n)
{
	(void)rd_take(r, n);
}

/* A big-endian number of 1 to 8 bytes. */
static inline uint64_t rd_uint(struct rd *r, size_t size)
{
	struct bytes b = rd_take(r, size);
	uint64_t v = 0;

	for (size_t i = 0; i < b.n; i++)
		v = v << 8 | b.p[i];
	return v;
}

static inline uint8_t rd_u8(struct rd *r)
{
	return (uint8_t)rd_uint(r, 1);
}
static inline uint16_t rd_u16(struct rd *r)
{
	return (uint16_t)rd_uint(r, 2);
}
static inline uint32_t rd_u24(struct rd *r)
{
	return (uint32_t)rd_uint(r, 3);
}
static inline uint32_t rd_u32(struct rd *r)
{
	return (uint32_t)rd_uint(r, 4);
}
static inline uint64_t rd_u64(struct rd *r)
{
	return rd_uint(r, 8);
}

/* A vector with a length of 1, 2 or 3 bytes before it. */
static inline struct rd rd_vec(struct rd *r, size_t size)
{
	return rd_init(rd_take(r, (size_t)rd_uint(r, size)), r->bad);
}

static inline struct rd rd_vec8(struct rd *r)
{
	return rd_vec(r, 1);
}
static inline struct rd rd_vec16(struct rd *r)
{
	return rd_vec(r, 2);
}
static inline struct rd rd_vec24(struct rd *r)
{
	return rd_vec(r, 3);
}

/* Nothing may be left. */
static inline void rd_end(struct rd *r)
{
	if (r->n)
		*r->bad = true;
}

#endif
