#include "cmd/capture_input.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "cmd/capture_source.h"

/* Pieces that are used again once nobody holds them; more are made when all are held. */
#define POOL 32

struct capture_hold {
	atomic_uint refs;
	size_t size, n; /* of bytes; filled */
	uint8_t bytes[];
};

struct capture_input {
	const char *path;
	bool tail;
	struct capture_source *source;
	struct capture *capture;
	struct capture_hold *pool[POOL];
	struct capture_hold *piece; /* where we read */
	size_t at;		    /* in it */
	bool ended;		    /* the source; what is in piece is the last there is */
	bool renewing;		    /* … of this file */
	bool deaf;		    /* what the source still gives is for nobody */
	bool told_ignored;
	uint64_t bad; /* of files before this one */
};

void capture_hold_release(struct capture_hold *h)
{
	if (h && atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) == 1)
		mem_free(h);
}

struct capture_hold *capture_input_hold(struct capture_input *in)
{
	assert(in->piece);
	atomic_fetch_add_explicit(&in->piece->refs, 1, memory_order_relaxed);
	return in->piece;
}

static struct capture_hold *piece_new(size_t size)
{
	struct capture_hold *h = mem_new(sizeof(*h) + size);

	if (!h)
		return NULL;
	atomic_init(&h->refs, 1);
	h->size = size;
	return h;
}

/* A piece that nobody else holds, the caller's to release. */
static struct capture_hold *piece_get(struct capture_input *in, size_t size)
{
	if (size > CAPTURE_INPUT_PIECE)
		return piece_new(size);
	for (size_t i = 0; i < POOL; i++) {
		struct capture_hold *h = in->pool[i];

		if (!h)
			h = in->pool[i] = piece_new(CAPTURE_INPUT_PIECE);
		else if (atomic_load_explicit(&h->refs, memory_order_acquire) > 1)
			continue;
		if (!h)
			return NULL;
		h->n = 0;
		atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
		return h;
	}
	return piece_new(CAPTURE_INPUT_PIECE);
}

int capture_input_open(const struct capture_input_options *o, struct capture_input **out,
		       struct err *e)
{
	struct capture_input *in = mem_new(sizeof(*in));

	if (!in)
		return FAIL(e, NOMEM, "reading %s", o->path);
	in->path = strcmp(o->path, "-") == 0 ? "standard input" : o->path;
	in->tail = o->tail;
	if (capture_source_open(o, &in->source, e) < 0 || capture_new(&in->capture, e) < 0) {
		capture_input_close(in);
		return -1;
	}
	*out = in;
	return 0;
}

void capture_input_close(struct capture_input *in)
{
	if (!in)
		return;
	capture_hold_release(in->piece);
	for (size_t i = 0; i < POOL; i++)
		capture_hold_release(in->pool[i]);
	capture_free(in->capture);
	capture_source_close(in->source);
	mem_free(in);
}

/* Makes room in one piece for need bytes from where we stand, moving what is there when it must. */
static int make_room(struct capture_input *in, size_t need, struct err *e)
{
	struct capture_hold *old = in->piece, *fresh;
	size_t left = old ? old->n - in->at : 0;
	size_t size = need > CAPTURE_INPUT_PIECE ? need : CAPTURE_INPUT_PIECE;

	if (old && old->size - in->at >= need && old->n < old->size)
		return 0;
	fresh = piece_get(in, size);
	if (!fresh)
		return FAIL(e, NOMEM, "reading %s", in->path);
	if (left)
		memcpy(fresh->bytes, old->bytes + in->at, left);
	fresh->n = left;
	capture_hold_release(old);
	in->piece = fresh;
	in->at = 0;
	return 0;
}

static enum source_outcome fill(struct capture_input *in, size_t need, struct err *e)
{
	struct source_room room = { 0 };
	enum source_outcome r;

	if (in->deaf && in->piece)
		in->at = in->piece->n;
	if (make_room(in, need, e) < 0)
		return SOURCE_FAULT;
	room.to = in->piece->bytes + in->piece->n;
	room.n = in->piece->size - in->piece->n;
	r = capture_source_read(in->source, &room, e);
	if (r == SOURCE_GOT)
		in->piece->n += room.got;
	return r;
}

/* A new file: nothing of the old one stays. */
static enum capture_input_outcome renew(struct capture_input *in, struct err *e)
{
	struct capture *c;

	if (capture_new(&c, e) < 0)
		return CAPTURE_INPUT_FAULT;
	in->bad += capture_bad(in->capture);
	capture_free(in->capture);
	in->capture = c;
	in->ended = in->renewing = in->deaf = in->told_ignored = false;
	if (in->piece)
		in->at = in->piece->n;
	return CAPTURE_INPUT_RENEWED;
}

static enum capture_input_outcome lost(struct capture_input *in, struct err *e)
{
	in->deaf = true;
	(void)err_ctx(e, "%s", in->path);
	return CAPTURE_INPUT_LOST;
}

/* The capture is at its end. */
static enum capture_input_outcome finish(struct capture_input *in, struct err *e)
{
	uint64_t ignored = capture_source_ignored(in->source);

	if (in->renewing)
		return renew(in, e);
	if (!ignored || in->told_ignored)
		return CAPTURE_INPUT_END;
	in->told_ignored = true;
	in->bad++;
	(void)FAIL(e, WIRE_DECODE,
		   "%s: what follows the gzip data was ignored: %llu bytes and more", in->path,
		   (unsigned long long)ignored);
	return CAPTURE_INPUT_BAD;
}

/* More of the file. CAPTURE_INPUT_ITEM: look again at what is there. */
static enum capture_input_outcome more(struct capture_input *in, size_t need, struct err *e)
{
	switch (fill(in, need ? need : 1, e)) {
	case SOURCE_GOT:
		return CAPTURE_INPUT_ITEM;
	case SOURCE_RENEWED:
		in->renewing = in->ended = true;
		return CAPTURE_INPUT_ITEM;
	case SOURCE_END:
		in->ended = true;
		return CAPTURE_INPUT_ITEM;
	case SOURCE_QUIET:
		return CAPTURE_INPUT_QUIET;
	case SOURCE_STOPPED:
		return CAPTURE_INPUT_END;
	case SOURCE_DAMAGED:
		return lost(in, e);
	case SOURCE_FAULT:
		break;
	}
	return CAPTURE_INPUT_FAULT;
}

enum capture_input_outcome capture_input_next(struct capture_input *in, struct capture_item *item,
					      struct err *e)
{
	for (;;) {
		struct capture_step step = { .last = in->ended };
		enum capture_outcome o = CAPTURE_MORE;
		enum capture_input_outcome r;

		if (in->piece && !in->deaf) {
			step.in = bytes_of(in->piece->bytes + in->at, in->piece->n - in->at);
			o = capture_next(in->capture, &step, item, e);
			in->at = in->piece->n - step.in.n;
		}
		if (o == CAPTURE_ITEM)
			return CAPTURE_INPUT_ITEM;
		if (o == CAPTURE_LOST)
			return lost(in, e);
		if (o == CAPTURE_BAD) {
			(void)err_ctx(e, "%s", in->path);
			return CAPTURE_INPUT_BAD;
		}
		if (in->ended)
			return finish(in, e);
		if (in->deaf && !in->tail)
			return CAPTURE_INPUT_END;
		r = more(in, step.need, e);
		if (r != CAPTURE_INPUT_ITEM)
			return r;
	}
}

void capture_input_facts(const struct capture_input *in, struct capture_input_facts *out)
{
	*out = (struct capture_input_facts){ .format = capture_format(in->capture),
					     .coding = capture_source_coding(in->source),
					     .read = capture_source_position(in->source),
					     .bad = in->bad + capture_bad(in->capture) };
}
