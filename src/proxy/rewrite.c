#include "proxy/rewrite.h"

#include "base/mem.h"
#include "http/rewrite1.h"

#define HELD_MAX ((size_t)256 << 10)

struct rewrite {
	const struct config_rule *rule;
	struct http_filter filter;
	struct rewrite1 *engine;
	struct buf held; /* bytes of the client that wait for the server's answer */
	bool waiting;
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
	r->held = buf_init(HELD_MAX);
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
	buf_fini(&r->held);
	mem_free(r);
}

static int run(struct rewrite *r, struct bytes in, struct buf *out, struct err *e)
{
	struct rewrite1_io io = { .in = in, .out = out };

	switch (rewrite1_feed(r->engine, &io, e)) {
	case REWRITE1_OPEN:
		return 0;
	case REWRITE1_WAIT:
		r->waiting = true;
		return buf_add(&r->held, io.in, e);
	case REWRITE1_HELD:
		return buf_add(&r->held, io.in, e);
	case REWRITE1_FULL:
		return FAIL(e, LIMIT, "more than %zu bytes of requests at once", out->max);
	case REWRITE1_ENDED:
	case REWRITE1_REFUSED:
		break;
	}
	return -1;
}

int rewrite_up(struct rewrite *r, struct bytes in, struct buf *out, struct err *e)
{
	if (r->waiting)
		return buf_add(&r->held, in, e);
	return run(r, in, out, e);
}

int rewrite_down(struct rewrite *r, struct bytes in, struct buf *out, struct err *e)
{
	AUTO(buf_fini) struct buf held = buf_init(HELD_MAX);

	if (!r->waiting || in.n == 0)
		return 0;
	r->waiting = false;
	rewrite1_answer(r->engine, bytes_starts(in, bytes_str("HTTP/1.1 101")));
	held = r->held;
	r->held = buf_init(HELD_MAX);
	return run(r, buf_bytes(&held), out, e);
}
