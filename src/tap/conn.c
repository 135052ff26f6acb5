#include "tap/conn.h"

#include "base/mem.h"
#include "tap/peel.h"

static void on_bytes(void *ctx, struct bytes b, struct tap_at at)
{
	struct conn_side *s = ctx;

	layer_feed(s->conn->layer, s->dir, b, at);
}

static void on_gap(void *ctx, uint64_t n, bool truncated, struct tap_at at)
{
	struct conn_side *s = ctx;

	s->conn->flow.gap_bytes += n;
	s->conn->cut_off += truncated ? n : 0;
	layer_gap(s->conn->layer, s->dir, n, truncated, at);
}

static void on_conflict(void *ctx, uint64_t offset, struct tap_at at)
{
	struct conn_side *s = ctx;

	tap_note(&s->conn->flow, at,
		 "the %s sent other bytes again at offset %llu; the first ones count",
		 s->dir == DIR_UP ? "client" : "server", (unsigned long long)offset);
}

static bool waits_for_secrets(const struct conn *c)
{
	return c->flow.holds != 0;
}

static void want_nothing(struct conn *c)
{
	struct tap_flow *f = &c->flow;

	list_remove(&f->waiting);
	if (c->wants_one)
		table_remove(&f->shared->wanted, &f->wanted);
	c->wants_one = false;
}

/* Whether it is among those that hear of new secrets, and of which. */
static void note_wants(struct conn *c)
{
	struct tap_flow *f = &c->flow;
	bool one = f->wants && f->wants_one, any = f->wants && !f->wants_one;

	if (one == c->wants_one && any == !list_empty(&f->waiting) &&
	    (!one || (f->wanted.a == f->wanted_random[0] && f->wanted.b == f->wanted_random[1])))
		return;
	want_nothing(c);
	c->wants_one = one;
	if (one) {
		f->wanted.a = f->wanted_random[0];
		f->wanted.b = f->wanted_random[1];
		table_add(&f->shared->wanted, &f->wanted);
	} else if (any) {
		list_add(&f->shared->waiting, &f->waiting);
	}
}

static void end_side(struct conn_side *s, enum leg_end how)
{
	if (s->ended)
		return;
	s->ended = true;
	s->how = how;
}

/* The layer gives up what waits when it hears of the end. */
static void tell_ends(struct conn *c, struct tap_at at)
{
	for (int i = 0; i < 2; i++) {
		struct conn_side *s = &c->side[i];

		if (!s->ended || s->told)
			continue;
		s->told = true;
		layer_end(c->layer, s->dir, s->how, at);
	}
}

static void on_end(void *ctx, bool reset, struct tap_at at)
{
	struct conn_side *s = ctx;
	struct conn *c = s->conn;

	c->reset |= reset;
	end_side(s, reset ? END_RESET : END_CLEAN);
	if (!waits_for_secrets(c))
		tell_ends(c, at);
}

static const struct stream_hooks hooks = {
	.bytes = on_bytes,
	.gap = on_gap,
	.conflict = on_conflict,
	.end = on_end,
};

static void tell_open(struct conn *c, struct tap_at at)
{
	struct event ev = { .type = EV_FLOW_OPEN };

	ev.u.flow_open = (struct ev_flow_open){
		.way = WAY_CAPTURE,
		.client = c->flow.client,
		.local = c->flow.server,
	};
	tap_emit(&c->flow, &ev, at);
}

int conn_new(struct tap_shared *shared, struct stream_pool *pool, const struct tap_segment *s,
	     struct conn **out, struct err *e)
{
	struct conn *c = mem_new(sizeof(*c));
	bool udp = s->flow & FLOW_UDP;

	if (!c)
		return FAIL(e, NOMEM, "flow %llu", (unsigned long long)(s->flow & ~FLOW_UDP));
	c->flow = (struct tap_flow){
		.shared = shared,
		.number = s->flow,
		.client = s->client,
		.server = s->server,
		.trials_left = TAP_TRIALS_FLOW,
	};
	list_init(&c->all);
	list_init(&c->flow.waiting);
	for (int i = 0; i < 2; i++) {
		c->side[i] = (struct conn_side){ .conn = c, .dir = (enum flow_dir)i };
		stream_init(&c->side[i].stream, &hooks, &c->side[i], pool);
	}
	stream_pair(&c->side[DIR_UP].stream, &c->side[DIR_DOWN].stream);
	if (!udp) {
		struct peel_options o = { .flow = &c->flow, .late = !(s->flags & TCP_SYN) };

		if (peel_new(&o, &c->layer, e) < 0) {
			conn_free(c);
			return -1;
		}
	}
	tell_open(c, s->at);
	*out = c;
	return 0;
}

void conn_free(struct conn *c)
{
	if (!c)
		return;
	layer_free(c->layer);
	for (int i = 0; i < 2; i++)
		stream_fini(&c->side[i].stream);
	want_nothing(c);
	list_remove(&c->all);
	mem_free(c);
}

/* Segments that open, answer, acknowledge or end: what a ladder begins and ends with. */
static bool is_milestone(struct conn *c, const struct tap_segment *s)
{
	if (s->flags & TCP_SYN) {
		bool *seen = s->flags & TCP_ACK ? &c->answered : &c->opened;
		bool first = !*seen;

		*seen = true;
		return first;
	}
	if (s->flags & (TCP_FIN | TCP_RST))
		return true;
	if (s->dir != DIR_UP || !c->answered || c->acknowledged)
		return false;
	c->acknowledged = true;
	return true;
}

static void tell_tcp(struct conn *c, const struct tap_segment *s)
{
	struct event ev = { .type = EV_TCP, .dir = s->dir };

	if (!is_milestone(c, s))
		return;
	ev.u.tcp.flags = s->flags;
	tap_emit(&c->flow, &ev, s->at);
}

/* Who has said FIN and then RST listens no more: what the other side may still say has no end. */
static bool is_reset_after_fin(const struct stream *said, const struct tap_segment *s)
{
	return (s->flags & TCP_RST) && said->fin_known && s->seq - said->fin <= 1;
}

static void tcp_segment(struct conn *c, const struct tap_segment *s)
{
	struct stream_segment in = {
		.seq = s->seq,
		.ack = s->ack,
		.flags = s->flags,
		.payload = s->payload,
		.missing = s->missing,
		.at = s->at,
	};

	tell_tcp(c, s);
	c->gone |= is_reset_after_fin(&c->side[s->dir].stream, s);
	stream_segment(&c->side[s->dir].stream, &in);
	note_wants(c);
}

static void tell_datagram(struct tap_flow *f, const struct tap_segment *s)
{
	struct event ev = { .type = EV_DATA, .dir = s->dir };

	if (s->payload.n == 0 || !event_bus_wants(f->shared->bus, EV_DATA))
		return;
	ev.u.data.data = s->payload;
	tap_emit(f, &ev, s->at);
}

static void udp_datagram(struct conn *c, const struct tap_segment *s)
{
	struct tap_flow *f = &c->flow;

	f->bytes[s->dir] += s->payload.n + s->missing;
	if (c->datagram == DATAGRAM_OTHER)
		c->datagram = datagram_sniff(s->payload);
	else
		return;
	if (c->datagram == DATAGRAM_OTHER) {
		tell_datagram(f, s);
		return;
	}
	f->encrypted = true;
	if (c->datagram == DATAGRAM_QUIC)
		tap_dark(f, DARK_QUIC, s->at, "QUIC is not decrypted yet");
	else
		tap_dark(f, DARK_DTLS, s->at, "DTLS is not decrypted yet");
}

void conn_segment(struct conn *c, const struct tap_segment *s)
{
	c->packets++;
	c->payload[s->dir] += s->payload.n + s->missing;
	if (c->layer)
		tcp_segment(c, s);
	else
		udp_datagram(c, s);
}

void conn_secrets(struct conn *c, struct tap_at at)
{
	layer_secrets(c->layer, at);
	if (!waits_for_secrets(c))
		tell_ends(c, at);
	note_wants(c);
}

bool conn_has_ended(const struct conn *c)
{
	return c->reset || (c->side[DIR_UP].ended && c->side[DIR_DOWN].ended);
}

bool conn_is_over(const struct conn *c)
{
	return conn_has_ended(c) && !waits_for_secrets(c);
}

static const char *nothing_happened(const struct conn *c)
{
	if (!c->layer || c->payload[DIR_UP] || c->payload[DIR_DOWN] || !c->opened || c->answered)
		return NULL;
	return c->reset ? "the connection was refused" : "nobody answered";
}

static void tell_end(struct conn *c, bool open, struct tap_at at)
{
	const char *reason = nothing_happened(c);
	struct event ev = { .type = EV_FLOW_END };

	ev.u.flow_end = (struct ev_flow_end){
		.failed = reason || c->flow.failed,
		.reason = bytes_str(reason),
		.side = LEG_CLIENT,
		.bytes_up = c->flow.bytes[DIR_UP],
		.bytes_down = c->flow.bytes[DIR_DOWN],
		.packets = c->packets,
		.open = open,
	};
	tap_emit(&c->flow, &ev, at);
}

static void tell_leg_end(struct conn *c, struct tap_at at)
{
	struct event ev = { .type = EV_LEG_END };

	if (c->reset && !c->flow.closed)
		ev.u.leg_end.how = END_RESET;
	else
		ev.u.leg_end.how = c->flow.truncated ? END_TRUNCATED : END_CLEAN;
	tap_emit(&c->flow, &ev, at);
}

/* What was encrypted around a gap could not be read, even where it went on behind it. */
static void tell_gaps(struct conn *c, struct tap_at at)
{
	struct tap_flow *f = &c->flow;

	if (!f->encrypted || f->dark || f->gap_bytes == 0)
		return;
	if (c->cut_off)
		tap_dark(f, DARK_TRUNCATED, at,
			 "packets were cut off when they were captured: %llu bytes are missing",
			 (unsigned long long)f->gap_bytes);
	else
		tap_dark(f, DARK_GAP, at,
			 "a gap of %llu bytes: records that touch it could not be read",
			 (unsigned long long)f->gap_bytes);
}

void conn_finish(struct conn *c, bool open, struct tap_at at)
{
	if (c->layer) {
		enum leg_end rest = c->reset ? END_RESET : END_TRUNCATED;

		for (int i = 0; i < 2; i++)
			stream_flush(&c->side[i].stream, at);
		for (int i = 0; i < 2; i++)
			end_side(&c->side[i], rest);
		tell_ends(c, at);
		tell_gaps(c, at);
	}
	open = open && !c->gone;
	if (!open)
		tell_leg_end(c, at);
	tell_end(c, open, at);
}
