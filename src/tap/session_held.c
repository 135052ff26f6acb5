#include "tap/session_part.h"

#include "base/mem.h"

enum held_kind { HELD_BYTES, HELD_GAP, HELD_END };

struct held {
	struct list node;
	enum held_kind kind;
	struct tap_at at;
	size_t size; /* of what is accounted for */
	size_t from; /* bytes that were taken already */
	uint64_t n;  /* bytes; of the gap too */
	bool truncated;
	enum leg_end how;
	uint8_t bytes[];
};

static void held_free(struct session *s, struct held *h)
{
	s->flow->shared->held -= h->size;
	s->held -= h->size;
	list_remove(&h->node);
	mem_free(h);
}

/* There is no room for more: what waits is decided with what is known. */
static void give_up(struct session *s)
{
	s->impatient = true;
	s->moved = true;
}

static struct held *held_new(struct session *s, enum flow_dir dir, enum held_kind kind, size_t n)
{
	struct tap_shared *shared = s->flow->shared;
	size_t size = sizeof(struct held) + n;
	struct held *h = mem_new(size);

	if (!h)
		return NULL;
	h->kind = kind;
	h->size = size;
	shared->held += size;
	s->held += size;
	if (s->held > TAP_HELD_FLOW || shared->held > shared->held_max)
		give_up(s);
	list_add(&s->sides[dir].held, &h->node);
	return h;
}

void held_bytes(struct session *s, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	struct held *h = held_new(s, dir, HELD_BYTES, in.n);

	if (!h) {
		held_gap(s, dir, in.n, false, at);
		return;
	}
	h->at = at;
	h->n = in.n;
	memcpy(h->bytes, in.p, in.n);
}

void held_gap(struct session *s, enum flow_dir dir, uint64_t n, bool truncated, struct tap_at at)
{
	struct held *h = held_new(s, dir, HELD_GAP, 0);

	if (!h)
		return; /* without memory for this much nothing will go on */
	h->at = at;
	h->n = n;
	h->truncated = truncated;
}

void held_end(struct session *s, enum flow_dir dir, enum leg_end how, struct tap_at at)
{
	struct held *h = held_new(s, dir, HELD_END, 0);

	if (!h) {
		give_up(s);
		return;
	}
	h->at = at;
	h->how = how;
}

static bool has_work(const struct side *side)
{
	return !side->waits && (side->buffer_waits || !list_empty(&side->held));
}

/* Which packet the next of it came with. */
static uint64_t next_packet(const struct side *side)
{
	if (side->buffer_waits)
		return side->at.packet;
	return LIST_OWNER(side->held.next, struct held, node)->at.packet;
}

bool held_before(const struct session *s, enum flow_dir dir)
{
	const struct side *other = &s->sides[dir_other(dir)];

	return (other->buffer_waits || !list_empty(&other->held)) &&
	       next_packet(other) < s->sides[dir].at.packet;
}

/* The direction whose turn it is; false: none. */
static bool next_side(const struct session *s, enum flow_dir *dir)
{
	const struct side *up = &s->sides[DIR_UP], *down = &s->sides[DIR_DOWN];

	if (!has_work(up) && !has_work(down))
		return false;
	if (has_work(up) && has_work(down))
		*dir = next_packet(down) < next_packet(up) ? DIR_DOWN : DIR_UP;
	else
		*dir = has_work(up) ? DIR_UP : DIR_DOWN;
	return true;
}

static void run_one(struct session *s, enum flow_dir dir)
{
	struct side *side = &s->sides[dir];
	struct held *h;

	if (side->buffer_waits) {
		(void)session_read(s, dir, (struct bytes){ 0 }, side->at);
		return;
	}
	h = LIST_OWNER(side->held.next, struct held, node);
	switch (h->kind) {
	case HELD_BYTES:
		h->from +=
			session_read(s, dir, bytes_of(h->bytes + h->from, h->n - h->from), h->at);
		if (h->from < h->n)
			return;
		break;
	case HELD_GAP:
		session_lost(s, dir, h->n, h->truncated);
		break;
	case HELD_END:
		session_end_side(s, dir, h->how, h->at);
		break;
	}
	held_free(s, h);
}

/* Whether only secrets with the client's random can help: not those of a session that is resumed, or
 * that are known by something else. */
static bool wants_one_random(const struct session *s)
{
	if (!s->has_client || s->ech || !s->suite)
		return false;
	return session_is_13(s) || session_12_wants_one_random(s);
}

/* What new secrets would be good for. */
static void note_wants(struct session *s)
{
	const struct side *up = &s->sides[DIR_UP], *down = &s->sides[DIR_DOWN];
	uint8_t bit = (uint8_t)(1u << s->depth);
	bool come = s->flow->shared->secrets_may_come;
	bool holds = come && (up->waits || down->waits);
	bool wants = holds || (come && (up->state == SIDE_DARK || down->state == SIDE_DARK));

	s->flow->holds = (uint8_t)(holds ? s->flow->holds | bit : s->flow->holds & ~bit);
	s->flow->wants = (uint8_t)(wants ? s->flow->wants | bit : s->flow->wants & ~bit);
	if (!wants)
		return;
	s->flow->wants_one = s->flow->wants == bit && wants_one_random(s);
	memcpy(s->flow->wanted_random, s->client_random, sizeof(s->flow->wanted_random));
}

void held_run(struct session *s)
{
	enum flow_dir dir;

	for (;;) {
		if (s->moved) {
			s->moved = false;
			s->sides[DIR_UP].waits = s->sides[DIR_DOWN].waits = false;
		}
		if (!next_side(s, &dir))
			break;
		run_one(s, dir);
	}
	/* There is room again for what comes now. */
	if (s->impatient && !(s->sides[DIR_UP].tcp_ended && s->sides[DIR_DOWN].tcp_ended))
		s->impatient = false;
	note_wants(s);
}

void held_fini(struct session *s, struct side *side)
{
	LIST_EACH (it, &side->held)
		held_free(s, LIST_OWNER(it, struct held, node));
}
