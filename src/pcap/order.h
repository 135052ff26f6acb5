/* Numbers in the byte order that a capture's header tells, read as rd.h does. */
#ifndef PCAP_ORDER_H
#define PCAP_ORDER_H

#include "base/rd.h"

struct order {
	struct rd rd;
	bool big; /* big-endian */
};

static inline struct order order_init(struct bytes b, bool big, bool *bad)
{
	return (struct order){ .rd = rd_init(b, bad), .big = big };
}

static inline uint16_t order_u16(struct order *o)
{
	struct bytes b = rd_take(&o->rd, 2);
	uint16_t v = 0;

	if (b.n)
		memcpy(&v, b.p, sizeof(v));
	return o->big == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) ? v : __builtin_bswap16(v);
}

static inline uint32_t order_u32(struct order *o)
{
	struct bytes b = rd_take(&o->rd, 4);
	uint32_t v = 0;

	if (b.n)
		memcpy(&v, b.p, sizeof(v));
	return o->big == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) ? v : __builtin_bswap32(v);
}

static inline uint64_t order_u64(struct order *o)
{
	struct bytes b = rd_take(&o->rd, 8);
	uint64_t v = 0;

	if (b.n)
		memcpy(&v, b.p, sizeof(v));
	return o->big == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) ? v : __builtin_bswap64(v);
}

/* The first four bytes of b; 0 when there are fewer. */
static inline uint32_t order_first(struct bytes b, bool big)
{
	bool bad = false;
	struct order o = order_init(b, big, &bad);

	return order_u32(&o);
}

#endif
