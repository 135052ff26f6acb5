#include "proxy/rewrite.h"

#include <assert.h>

#include "base/mem.h"
#include "http/rewrite1.h"

struct rewrite {
	const struct config_rule *rule;
	struct http_filter filter;
	struct rewrite1 *engine;
	struct buf out;
	struct buf held;
	bool begun, waits, refused;
	bool end_due, end_clean;
};

static enum filter_answer on_head(void *ctx, const struct http_head *head, struct filter_edit *edit)
{
	const struct rewrite *r = ctx;

	(void)head;
	for (size_t i = 0; i < r->rule->set_header_count; i++) {
		const struct config_header *h = &r->rule->set_headers[i];

		/* The configuration was checked: what could still fail is too much of it. */
		if (filter_set(edit, bytes_str(h->name), bytes_str(h->value), NULL) < 0)
			return FILTER_END;
	}
	return FILTER_CHANGED;
}

int rewrite_new(const struct config_rule *rule, struct rewrite **out, struct err *e)
{
	struct rewrite *r = mem_new(sizeof(*r));

	if (!r)
		return FAIL(e, NOMEM, "a filter");
	r->rule = rule;
	r->out = buf_init(REWRITE1_ROOM);
	r->held = buf_init(LEG_PLAIN_SIZE);
	r->filter = (struct http_filter){ .name = "set-header", .on_head = on_head, .ctx = r };
	if (rewrite1_new(&r->filter, &r->engine, e) < 0) {
		mem_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

void rewrite_free(struct rewrite *r)
{
	if (!r)
		return;
	rewrite1_free(r->engine);
	buf_fini(&r->out);
	buf_fini(&r->held);
	mem_free(r);
}

enum rewrite_result rewrite_run(struct rewrite *r, struct bytes *in, struct bytes *out,
				struct err *e)
{
	struct rewrite1_io io = { .in = *in, .out = &r->out };
	enum rewrite_result result = REWRITE_REFUSED;

	r->begun = true;
	buf_clear(&r->out);
	buf_shrink(&r->out);
	switch (rewrite1_feed(r->engine, &io, e)) {
	case REWRITE1_OPEN:
		result = REWRITE_DONE;
		break;
	case REWRITE1_FULL:
		result = REWRITE_MORE;
		break;
	case REWRITE1_WAIT:
		result = REWRITE_WAIT;
		r->waits = true;
		break;
	case REWRITE1_HELD: /* our filter holds nothing */
	case REWRITE1_ENDED:
	case REWRITE1_REFUSED:
		r->refused = true;
		break;
	}
	*in = io.in;
	*out = buf_bytes(&r->out);
	return result;
}

bool rewrite_begun(const struct rewrite *r)
{
	return r->begun;
}

void rewrite_answer(struct rewrite *r, bool switched)
{
	r->waits = false;
	rewrite1_answer(r->engine, switched);
}

bool rewrite_waits(const struct rewrite *r)
{
	return r->waits;
}

bool rewrite_refused(const struct rewrite *r)
{
	return r->refused;
}

int rewrite_hold(struct rewrite *r, struct bytes rest, struct err *e)
{
	assert(r->held.n == 0);
	return buf_add(&r->held, rest, e);
}

size_t rewrite_held(const struct rewrite *r)
{
	return r->held.n;
}

struct buf rewrite_take(struct rewrite *r)
{
	struct buf held = r->held;

	r->held = buf_init(held.max);
	return held;
}

void rewrite_end_later(struct rewrite *r, bool clean)
{
	r->end_due = true;
	r->end_clean = clean;
}

bool rewrite_end_due(const struct rewrite *r, bool *clean)
{
	*clean = r->end_clean;
	return r->end_due;
}
