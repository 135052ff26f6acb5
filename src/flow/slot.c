#include "flow/slot.h"

#include "base/mem.h"

void flow_slot_set(struct flow_slot *f, struct bytes *field, struct bytes text, size_t max)
{
	char *p;

	text = bytes_slice(text, 0, max);
	if (bytes_equal(*field, text))
		return;
	*field = (struct bytes){ 0 };
	if (text.n == 0)
		return;
	/* Target and server name are the same as a rule. */
	if (bytes_equal(f->info.target_host, text)) {
		*field = f->info.target_host;
		return;
	}
	if (text.n > f->text.left && f->text.heap + text.n > FLOW_TEXT_HEAP)
		return;
	p = scratch_text(&f->text, text.n);
	if (!p)
		return;
	memcpy(p, text.p, text.n);
	*field = bytes_of(p, text.n);
}

struct bytes slot_text(struct slot *s, struct bytes text, bool *cut)
{
	size_t n = text.n < s->budget ? text.n : s->budget;
	uint8_t *p = n ? scratch_text(&s->arena, n) : NULL;

	*cut |= n < text.n || (n && !p);
	if (!p)
		return (struct bytes){ 0 };
	memcpy(p, text.p, n);
	s->budget -= n;
	return bytes_of(p, n);
}

const struct flow_header *slot_headers(struct slot *s, const struct flow_header *headers,
				       size_t *count, struct message *m)
{
	struct flow_header *copy;
	size_t total = 0, fit = 0;
	uint8_t *p;

	for (size_t i = 0; i < *count; i++) {
		size_t n = headers[i].name.n + headers[i].value.n;

		m->header_bytes += n;
		if (fit == i && n + sizeof(*copy) <= s->budget) {
			s->budget -= n + sizeof(*copy);
			total += n;
			fit++;
		}
	}
	m->headers_cut |= fit < *count;
	*count = 0;
	copy = fit ? scratch_take(&s->arena, fit * sizeof(*copy)) : NULL;
	p = copy ? scratch_text(&s->arena, total) : NULL;
	if (!p) {
		m->headers_cut |= fit > 0;
		return NULL;
	}
	for (size_t i = 0; i < fit; i++) {
		struct bytes name = headers[i].name, value = headers[i].value;

		if (name.n)
			memcpy(p, name.p, name.n);
		copy[i].name = bytes_of(p, name.n);
		p += name.n;
		if (value.n)
			memcpy(p, value.p, value.n);
		copy[i].value = bytes_of(p, value.n);
		p += value.n;
	}
	*count = fit;
	return copy;
}

/* Adds what fits; says whether it was all. */
static bool keep(struct buf *b, struct bytes data, size_t max)
{
	size_t room = max > b->n ? max - b->n : 0;

	b->max = b->n + room;
	return buf_add(b, bytes_slice(data, 0, room), NULL) == 0 && data.n <= room;
}

#define GRPC_PREFIX 5

/* A gRPC message as it is framed in the body: a flag, four bytes of length, the message. The
 * length is known when the message is complete. */
static bool keep_framed(struct slot *s, const struct event *ev, size_t max)
{
	const struct ev_body_chunk *c = &ev->u.body_chunk;
	struct buf *b = &s->bodies[ev->dir];
	uint8_t prefix[GRPC_PREFIX] = { 0 };
	size_t *frame = &s->frame[ev->dir];
	bool whole = true;

	if (*frame == 0) {
		prefix[0] = c->compressed;
		whole = keep(b, bytes_of(prefix, sizeof(prefix)), max);
		*frame = b->n;
	}
	whole = whole && keep(b, c->data, max);
	if (!c->message_end)
		return whole;
	if (whole)
		for (size_t i = 0; i < 4; i++)
			b->p[*frame - 4 + i] = (uint8_t)((b->n - *frame) >> (24 - 8 * i));
	*frame = 0;
	return whole;
}

void slot_body(struct slot *s, const struct event *ev, size_t max)
{
	const struct ev_body_chunk *c = &ev->u.body_chunk;
	struct message *m = slot_message(s, ev->dir);
	struct buf *b = &s->bodies[ev->dir];

	if (m->body_cut)
		return;
	if (c->proto == PROTO_GRPC)
		m->body_cut = !keep_framed(s, ev, max);
	else
		m->body_cut = !keep(b, c->data, max);
	m->body = buf_bytes(b);
}

static void give_back(struct buf *b)
{
	buf_clear(b);
	if (b->cap > BODY_KEPT_CAP)
		buf_fini(b);
}

void slot_reset(struct slot *s)
{
	scratch_clear(&s->arena);
	for (size_t i = 0; i < 2; i++) {
		give_back(&s->bodies[i]);
		give_back(&s->pieces[i]);
		s->piece_bytes[i] = 0;
		s->frame[i] = 0;
	}
}

void slot_fini(struct slot *s)
{
	scratch_clear(&s->arena);
	for (size_t i = 0; i < 2; i++) {
		buf_fini(&s->bodies[i]);
		buf_fini(&s->pieces[i]);
	}
}

size_t slot_memory(const struct slot *s)
{
	size_t n = sizeof(*s) + s->arena.heap;

	for (size_t i = 0; i < 2; i++)
		n += s->bodies[i].cap + s->pieces[i].cap;
	return n;
}
