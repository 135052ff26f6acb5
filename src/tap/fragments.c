#include "tap/fragments.h"

#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"
#include "flow/table.h"

#define UNIT 8 /* fragments begin at multiples of it */
#define DATAGRAM_MAX 65535
#define UNITS ((DATAGRAM_MAX + UNIT) / UNIT)
#define ROOM_STEP 2048 /* a datagram's memory grows by this much, so that a small one stays small */

struct datagram {
	struct table_node node;
	struct list recent; /* oldest first */
	struct addr src, dst;
	struct tap_at at; /* of the first fragment */
	uint8_t protocol; /* of the fragment at offset 0, when it is there */
	uint8_t *p;
	size_t room;
	bool end_known;
	size_t end;
	size_t highest;	   /* where the furthest fragment so far ends */
	size_t seen_count; /* units that came */
	unsigned parts;
	uint64_t seen[UNITS / 64 + 1]; /* units that came */
	uint64_t have[UNITS / 64 + 1]; /* … and were captured whole */
};

struct fragments {
	struct table table;
	struct list recent;
	size_t used, max;
	uint64_t dropped;
	uint8_t *last; /* the payload that was handed out */
};

int fragments_new(size_t max_memory, struct fragments **out, struct err *e)
{
	AUTO(mem_freep) struct fragments *f = mem_new(sizeof(*f));

	if (!f)
		return FAIL(e, NOMEM, "IP fragments");
	if (table_init(&f->table, e) < 0)
		return err_ctx(e, "IP fragments");
	list_init(&f->recent);
	f->max = max_memory;
	*out = STEAL(f);
	return 0;
}

/* Its memory for payload stays with the caller. */
static void datagram_out(struct fragments *f, struct datagram *d)
{
	f->used -= sizeof(*d) + d->room;
	table_remove(&f->table, &d->node);
	list_remove(&d->recent);
	mem_free(d);
}

static void datagram_drop(struct fragments *f, struct datagram *d)
{
	f->dropped += d->parts;
	mem_free(d->p);
	datagram_out(f, d);
}

void fragments_free(struct fragments *f)
{
	if (!f)
		return;
	LIST_EACH (it, &f->recent)
		datagram_drop(f, LIST_OWNER(it, struct datagram, recent));
	table_fini(&f->table);
	mem_free(f->last);
	mem_free(f);
}

uint64_t fragments_dropped(const struct fragments *f)
{
	return f->dropped;
}

static void drop_old(struct fragments *f, struct tap_at at)
{
	while (!list_empty(&f->recent)) {
		struct datagram *d = LIST_OWNER(f->recent.next, struct datagram, recent);

		if (at.wall_ns - d->at.wall_ns <= FRAGMENTS_AGE_NS)
			return;
		datagram_drop(f, d);
	}
}

/* NULL when keep is the only one. */
static struct datagram *oldest_but(struct fragments *f, const struct datagram *keep)
{
	LIST_EACH (it, &f->recent) {
		struct datagram *d = LIST_OWNER(it, struct datagram, recent);

		if (d != keep)
			return d;
	}
	return NULL;
}

/* Room for n more bytes, if need be at the cost of the oldest datagrams but keep. */
static bool make_room(struct fragments *f, size_t n, const struct datagram *keep)
{
	while (f->used + n > f->max) {
		struct datagram *d = oldest_but(f, keep);

		if (!d)
			return false;
		datagram_drop(f, d);
	}
	return true;
}

/* Addresses, id and, in IPv4 only, the protocol: in IPv6 that of the first fragment counts, and
 * others need not have it. */
static void key_of(const struct packet_fragment *part, uint64_t *a, uint64_t *b)
{
	uint8_t key[32];

	memcpy(key, part->src.ip, 16);
	memcpy(key + 16, part->dst.ip, 16);
	*a = hash_bytes(bytes_of(key, sizeof(key)));
	*b = (uint64_t)part->id << 16 | part->src.family;
	if (part->src.family == ADDR_IP4)
		*b |= (uint64_t)part->protocol << 8;
}

static struct datagram *datagram_get(struct fragments *f, const struct packet_fragment *part,
				     struct tap_at at)
{
	struct table_node *node;
	struct datagram *d;
	uint64_t a, b;

	key_of(part, &a, &b);
	node = table_find(&f->table, a, b);
	if (node) {
		d = LIST_OWNER(node, struct datagram, node);
		return addr_same_ip(&d->src, &part->src) && addr_same_ip(&d->dst, &part->dst)
			       ? d
			       : NULL;
	}
	d = make_room(f, sizeof(*d), NULL) ? mem_new(sizeof(*d)) : NULL;
	if (!d)
		return NULL;
	d->node.a = a;
	d->node.b = b;
	d->src = part->src;
	d->dst = part->dst;
	d->protocol = part->protocol;
	d->at = at;
	f->used += sizeof(*d);
	table_add(&f->table, &d->node);
	list_add(&f->recent, &d->recent);
	return d;
}

static bool bit_get(const uint64_t *bits, size_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static void bit_set(uint64_t *bits, size_t i)
{
	bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static bool grow(struct fragments *f, struct datagram *d, size_t end)
{
	size_t room = (end + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;
	uint8_t *p;

	if (room <= d->room)
		return true;
	if (!make_room(f, room - d->room, d))
		return false;
	p = mem_resize(d->p, room);
	if (!p)
		return false;
	f->used += room - d->room;
	d->p = p;
	d->room = room;
	return true;
}

/* A fragment that is not the last is of whole units; nothing lies behind the last one. */
static bool fits(const struct datagram *d, const struct packet_fragment *part, size_t end)
{
	size_t n = part->payload.n + part->missing;

	if (n == 0 || end > DATAGRAM_MAX || (part->more && n % UNIT))
		return false;
	if (d->end_known)
		return part->more ? end <= d->end : end == d->end;
	return part->more || end >= d->highest;
}

/* Takes the units that did not come before. */
static void lay(struct datagram *d, const struct packet_fragment *part, size_t end)
{
	size_t captured = part->offset + part->payload.n;

	for (size_t at = part->offset; at < end; at += UNIT) {
		size_t unit_end = at + UNIT < end ? at + UNIT : end;

		if (!bit_get(d->seen, at / UNIT)) {
			bit_set(d->seen, at / UNIT);
			d->seen_count++;
		}
		if (unit_end > captured || bit_get(d->have, at / UNIT))
			continue;
		memcpy(d->p + at, part->payload.p + (at - part->offset), unit_end - at);
		bit_set(d->have, at / UNIT);
	}
}

/* Hands the datagram out, up to the first unit that was cut off. */
static void finish(struct fragments *f, struct datagram *d, struct packet_fragment *whole)
{
	size_t n = 0;

	while (n < d->end && bit_get(d->have, n / UNIT))
		n += UNIT;
	n = n < d->end ? n : d->end;
	*whole = (struct packet_fragment){
		.src = d->src,
		.dst = d->dst,
		.protocol = d->protocol,
		.id = (uint32_t)(d->node.b >> 16),
		.payload = bytes_of(d->p, n),
		.missing = (uint32_t)(d->end - n),
	};
	f->last = d->p;
	datagram_out(f, d);
}

static bool add(struct fragments *f, const struct packet_fragment *part, struct tap_at at,
		struct packet_fragment *whole)
{
	size_t end = part->offset + part->payload.n + part->missing;
	struct datagram *d;

	drop_old(f, at);
	d = datagram_get(f, part, at);
	if (!d || !fits(d, part, end) || !grow(f, d, end)) {
		f->dropped++;
		if (d && d->parts == 0)
			datagram_drop(f, d);
		return false;
	}
	d->parts++;
	d->highest = end > d->highest ? end : d->highest;
	if (part->offset == 0)
		d->protocol = part->protocol;
	lay(d, part, end);
	if (!part->more) {
		d->end_known = true;
		d->end = end;
	}
	if (!d->end_known || d->seen_count < (d->end + UNIT - 1) / UNIT)
		return false;
	finish(f, d, whole);
	return true;
}

bool fragments_add(struct fragments *f, const struct packet_fragment *part, struct tap_at at,
		   struct packet_fragment *whole)
{
	uint8_t *last = STEAL(f->last); /* part may lie in it */
	bool done = add(f, part, at, whole);

	mem_free(last);
	return done;
}
