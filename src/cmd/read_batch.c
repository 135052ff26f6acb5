#include "cmd/read_batch.h"

#include "base/mem.h"

void read_batch_init(struct read_batch *b)
{
	*b = (struct read_batch){ .texts = arena_init(BATCH_TEXT_MAX) };
	for (int i = 0; i < READ_OUT_COUNT; i++)
		b->out[i] = buf_init(BATCH_OUT_MAX);
}

void read_batch_clear(struct read_batch *b)
{
	for (size_t i = 0; i < b->hold_count; i++)
		capture_hold_release(b->holds[i]);
	for (int i = 0; i < READ_OUT_COUNT; i++)
		buf_clear(&b->out[i]);
	arena_fini(&b->texts);
	b->count = b->payload = b->hold_count = b->piece_count = 0;
	b->failed = false;
}

void read_batch_fini(struct read_batch *b)
{
	read_batch_clear(b);
	for (int i = 0; i < READ_OUT_COUNT; i++)
		buf_fini(&b->out[i]);
	mem_free(b->pieces);
	b->pieces = NULL;
	b->piece_cap = 0;
}

bool read_batch_full(const struct read_batch *b)
{
	return b->count == BATCH_UNITS || b->payload >= BATCH_PAYLOAD ||
	       b->hold_count == BATCH_HOLDS;
}

static void hold(struct read_batch *b, struct capture_input *in)
{
	struct capture_hold *h = capture_input_hold(in);

	if (b->hold_count && b->holds[b->hold_count - 1] == h)
		capture_hold_release(h);
	else
		b->holds[b->hold_count++] = h;
}

static int copy(struct read_batch *b, struct bytes *what, struct err *e)
{
	void *p = arena_dup(&b->texts, *what);

	if (!p)
		return FAIL(e, NOMEM, "%zu bytes of a capture", what->n);
	what->p = p;
	return 0;
}

static bool lies_in(struct bytes part, struct bytes whole)
{
	uintptr_t p = (uintptr_t)part.p, from = (uintptr_t)whole.p;

	return p >= from && p - from <= whole.n && part.n <= whole.n - (p - from);
}

int read_batch_add(struct read_batch *b, const struct unit *u, struct capture_input *in,
		   struct bytes item, struct err *e)
{
	struct unit *own = &b->units[b->count];

	*own = *u;
	if (u->text.n && copy(b, &own->text, e) < 0)
		return -1;
	if (u->segment.payload.n && lies_in(u->segment.payload, item))
		hold(b, in);
	else if (u->segment.payload.n && copy(b, &own->segment.payload, e) < 0)
		return -1;
	b->payload += u->segment.payload.n + u->text.n;
	b->count++;
	return 0;
}

int read_batch_piece(struct read_batch *b, const struct piece *p, struct err *e)
{
	if (b->piece_count == b->piece_cap) {
		size_t cap = b->piece_cap ? b->piece_cap * 2 : 256;
		struct piece *more = mem_resize(b->pieces, cap * sizeof(*more));

		if (!more)
			return FAIL(e, NOMEM, "%zu lines at once", cap);
		b->pieces = more;
		b->piece_cap = cap;
	}
	b->pieces[b->piece_count++] = *p;
	return 0;
}
