/* What a connection says, in records as in observe.c: a byte (its lowest bit the direction; 2: a gap;
 * 4: an end) and two bytes of length. The first byte says whether the beginning is missing, and how
 * TLS is nested. Nothing is held when the connection is over, and every byte goes somewhere. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rd.h"
#include "tap/peel.h"
#include "tap/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t taken;	/* bytes that came to the outermost session or to an observer */
static bool in_session; /* there is one */

/* A session that hands over what it gets: TLS within TLS. */
struct fake {
	struct layer layer;
	struct layer *above;
	uint8_t depth;
};

static struct fake *fake_of(struct layer *l)
{
	return (struct fake *)(void *)l;
}

static void fake_feed(struct layer *l, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	if (fake_of(l)->depth == 0)
		taken += in.n;
	layer_feed(fake_of(l)->above, dir, in.n > 5 ? bytes_slice(in, 5, in.n) : in, at);
}

static void fake_gap(struct layer *l, enum flow_dir dir, uint64_t n, bool truncated,
		     struct tap_at at)
{
	layer_gap(fake_of(l)->above, dir, n, truncated, at);
}

static void fake_end(struct layer *l, enum flow_dir dir, enum leg_end how, struct tap_at at)
{
	layer_end(fake_of(l)->above, dir, how, at);
}

static void fake_free(struct layer *l)
{
	layer_free(fake_of(l)->above);
	mem_free(l);
}

static const struct layer_ops fake_ops = { fake_feed, fake_gap, fake_end, NULL, fake_free };

int session_new(const struct session_options *o, struct layer **out, struct err *e)
{
	struct fake *f = mem_new(sizeof(*f));

	if (!f)
		return FAIL(e, NOMEM, "a session");
	f->layer.ops = &fake_ops;
	f->depth = o->depth;
	in_session = true;
	if (o->above(o->ctx, bytes_of(NULL, 0), false, &f->above, e) < 0)
		abort();
	*out = &f->layer;
	return 0;
}

static void on_event(void *ctx, const struct event *ev)
{
	(void)ctx;
	assert(ev->flow == 3 && ev->type < EV_COUNT);
	if (ev->type == EV_DATA && !in_session)
		taken += ev->u.data.data.n;
}

static uint64_t play(struct layer *l, struct rd *r)
{
	bool ended[2] = { false };
	struct tap_at at = { 0 };
	uint64_t fed = 0;

	while (r->n >= 3) {
		uint8_t what = rd_u8(r);
		enum flow_dir dir = what & 1 ? DIR_DOWN : DIR_UP;
		size_t n = rd_u16(r);
		struct bytes in = rd_take(r, n < r->n ? n : r->n);

		at.packet++;
		if (ended[dir])
			continue;
		if (what & 2)
			layer_gap(l, dir, n, what & 8, at);
		if (what & 4)
			layer_end(l, dir, END_CLEAN, at);
		ended[dir] = what & 4;
		if (what & 6)
			continue;
		fed += in.n;
		layer_feed(l, dir, in, at);
	}
	for (int dir = DIR_UP; dir <= DIR_DOWN; dir++)
		if (!ended[dir])
			layer_end(l, (enum flow_dir)dir, END_TRUNCATED, at);
	return fed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool bad = false;
	struct rd r = rd_init(bytes_of(data, size), &bad);
	uint8_t how = rd_u8(&r);
	struct event_bus bus = { 0 };
	struct event_sink sink = { .mask = EV_ALL, .on_event = on_event };
	struct tap_shared shared = { .bus = &bus, .held_max = how & 2 ? 3000 : 1 << 20 };
	struct tap_flow flow = { .shared = &shared, .number = 3 };
	struct peel_options o = { .flow = &flow,
				  .late = how & 1,
				  .alpn = bytes_str(how & 4 ? "h2" : "") };
	struct layer *l;
	uint64_t fed;

	list_init(&flow.waiting);
	taken = 0;
	in_session = false;
	if (event_bus_add(&bus, sink, NULL) < 0 || peel_new(&o, &l, NULL) < 0)
		abort();
	fed = play(l, &r);
	/* But for the headers that are stepped over. */
	assert(taken <= fed && shared.held == 0);
	layer_free(l);
	return 0;
}
