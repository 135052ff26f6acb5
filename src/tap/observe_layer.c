#include "tap/observe_layer.h"

#include "base/list.h"
#include "base/mem.h"
#include "flow/observe.h"

struct observe_layer {
	struct layer layer;
	struct tap_flow *flow;
	uint8_t depth;
	struct observe *observe;
	uint8_t alpn[255];
	char server[ADDR_TEXT_MAX]; /* for requests that do not say whom they are for */
};

static const struct observe *observe_of(const struct layer *l)
{
	return LIST_OWNER(l, struct observe_layer, layer)->observe;
}

/* Which TLS it was in, for the events. */
static uint8_t tls_of(uint8_t depth)
{
	return depth ? depth - 1 : 0;
}

static void tell_data(const struct observe_layer *o, enum flow_dir dir, struct bytes data,
		      struct tap_at at)
{
	struct event ev = { .type = EV_DATA, .dir = dir, .depth = tls_of(o->depth) };

	o->flow->bytes[dir] += data.n;
	if (data.n == 0 || !event_bus_wants(o->flow->shared->bus, EV_DATA))
		return;
	ev.u.data.data = data;
	tap_emit(o->flow, &ev, at);
}

static void on_feed(struct layer *l, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	struct observe_layer *o = LIST_OWNER(l, struct observe_layer, layer);
	struct bytes rest;

	observe_packet(o->observe, at.packet);
	observe_feed(o->observe, dir, in, at.wall_ns, at.wall_ns);
	(void)observe_tunnel(o->observe, &rest);
	tell_data(o, dir, bytes_slice(in, 0, in.n - rest.n), at);
}

static void on_gap(struct layer *l, enum flow_dir dir, uint64_t n, bool truncated, struct tap_at at)
{
	struct observe_layer *o = LIST_OWNER(l, struct observe_layer, layer);
	struct event ev = { .type = EV_GAP, .dir = dir };

	(void)truncated;
	if (o->depth == 0) {
		ev.u.gap.bytes = n;
		tap_emit(o->flow, &ev, at);
	}
	observe_packet(o->observe, at.packet);
	/* What was lost inside TLS is known in encrypted bytes only. */
	observe_gap(o->observe, dir, o->depth == 0 ? n : 0, at.wall_ns, at.wall_ns);
}

static void on_end(struct layer *l, enum flow_dir dir, enum leg_end how, struct tap_at at)
{
	struct observe_layer *o = LIST_OWNER(l, struct observe_layer, layer);

	observe_packet(o->observe, at.packet);
	observe_end(o->observe, dir, how == END_CLEAN, at.wall_ns, at.wall_ns);
}

static void on_free(struct layer *l)
{
	struct observe_layer *o = LIST_OWNER(l, struct observe_layer, layer);

	observe_free(o->observe);
	mem_free(o);
}

static const struct layer_ops ops = {
	.feed = on_feed,
	.gap = on_gap,
	.end = on_end,
	.free = on_free,
};

int observe_layer_new(const struct observe_layer_options *options, struct layer **out,
		      struct err *e)
{
	struct observe_layer *o = mem_new(sizeof(*o));
	struct bytes alpn = bytes_slice(options->alpn, 0, sizeof(o->alpn));
	struct observe_options observe = {
		.bus = options->flow->shared->bus,
		.flow = options->flow->number,
		.leg = LEG_CLIENT,
		.scheme = bytes_str(options->depth ? "https" : "http"),
		.late = options->late,
		.depth = tls_of(options->depth),
		.streams = options->streams,
		.tunnels = true,
	};

	if (!o)
		return FAIL(e, NOMEM, "an observer");
	if (alpn.n)
		memcpy(o->alpn, alpn.p, alpn.n);
	observe.alpn = bytes_of(o->alpn, alpn.n);
	observe.authority = bytes_str(addr_text(&options->flow->server, o->server));
	o->layer.ops = &ops;
	o->flow = options->flow;
	o->depth = options->depth;
	if (observe_new(&observe, &o->observe, e) < 0) {
		mem_free(o);
		return -1;
	}
	*out = &o->layer;
	return 0;
}

enum flow_proto observe_layer_proto(const struct layer *l)
{
	return observe_proto(observe_of(l));
}

bool observe_layer_tunnel(const struct layer *l, struct bytes *rest)
{
	return observe_tunnel(observe_of(l), rest);
}

uint64_t observe_layer_streams(const struct layer *l)
{
	return observe_streams(observe_of(l));
}
