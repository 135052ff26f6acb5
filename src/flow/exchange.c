#include "flow/exchange.h"

#include "base/mem.h"
#include "flow/learn.h"
#include "flow/observe.h"
#include "flow/slot.h"

#define SPARE_MAX 64
#define PIECES_MAX 65536 /* of one WebSocket or gRPC message, for on_message */
#define NAME_MAX_BYTES 255
#define TEXT_MAX_BYTES 512

struct tracker {
	struct tracker_options o;
	struct exchange_numbers own_numbers;
	struct table flows, exchanges;
	struct list open;  /* flow_slot.all */
	struct list spare; /* slot.in_flow */
	size_t spare_count;
	struct flow_slot *last_flow; /* events come in runs */
	struct slot *last_slot;
	struct tracker_stats stats;
};

static size_t or_default(size_t value, size_t otherwise)
{
	return value ? value : otherwise;
}

int tracker_new(const struct tracker_options *o, struct tracker **out, struct err *e)
{
	struct tracker *t = mem_new(sizeof(*t));

	if (!t)
		return FAIL(e, NOMEM, "the tracker of flows");
	t->o = *o;
	t->o.max_flows = or_default(o->max_flows, 65536);
	t->o.max_exchanges = or_default(o->max_exchanges, 16384);
	t->o.max_header_bytes = or_default(o->max_header_bytes, 65536);
	t->o.max_memory = or_default(o->max_memory, (size_t)64 << 20);
	if (!t->o.numbers)
		t->o.numbers = &t->own_numbers;
	list_init(&t->open);
	list_init(&t->spare);
	if (table_init(&t->flows, e) < 0 || table_init(&t->exchanges, e) < 0) {
		table_fini(&t->flows);
		mem_free(t);
		return -1;
	}
	*out = t;
	return 0;
}

/* ------------------------------------------------------------- exchanges */

static struct slot *slot_get(struct tracker *t)
{
	struct slot *s;

	if (!list_empty(&t->spare)) {
		s = LIST_OWNER(t->spare.next, struct slot, in_flow);
		list_remove(&s->in_flow);
		t->spare_count--;
		return s;
	}
	s = mem_new(sizeof(*s));
	if (!s)
		return NULL;
	scratch_init(&s->arena, s->room, sizeof(s->room));
	list_init(&s->in_flow);
	return s;
}

static void slot_put(struct tracker *t, struct slot *s)
{
	table_remove(&t->exchanges, &s->node);
	list_remove(&s->in_flow);
	t->stats.exchanges--;
	t->stats.memory -= s->charged;
	if (t->last_slot == s)
		t->last_slot = NULL;
	if (t->spare_count == SPARE_MAX) {
		slot_fini(s);
		mem_free(s);
		return;
	}
	slot_reset(s);
	list_add_first(&t->spare, &s->in_flow);
	t->spare_count++;
}

static void charge(struct tracker *t, struct slot *s)
{
	size_t now = slot_memory(s);

	t->stats.memory += now - s->charged;
	s->charged = now;
}

static struct slot *slot_find(struct tracker *t, const struct event *ev)
{
	struct table_node *n;

	if (t->last_slot && t->last_slot->node.a == ev->flow && t->last_slot->node.b == ev->stream)
		return t->last_slot;
	n = table_find(&t->exchanges, ev->flow, ev->stream);
	if (!n)
		return NULL;
	t->last_slot = LIST_OWNER(n, struct slot, node);
	return t->last_slot;
}

static struct slot *exchange_begin(struct tracker *t, struct flow_slot *f, const struct event *ev)
{
	bool room = t->stats.exchanges < t->o.max_exchanges &&
		    t->stats.memory + sizeof(struct slot) <= t->o.max_memory;
	struct slot *s = room ? slot_get(t) : NULL;

	if (!s) {
		t->stats.exchanges_dropped++;
		f->info.exchanges += f->info.way == WAY_CAPTURE;
		return NULL;
	}
	s->node.a = ev->flow;
	s->node.b = ev->stream;
	s->of = f;
	s->budget = t->o.max_header_bytes;
	s->charged = 0;
	s->start_mono_ns = ev->mono_ns;
	s->x = (struct exchange){
		.n = atomic_fetch_add_explicit(&t->o.numbers->last, 1, memory_order_relaxed) + 1,
		.flow = ev->flow,
		.stream = ev->stream,
		.index = f->info.exchanges + 1,
		.first_packet = ev->packet,
		.first = f->info.exchanges == 0,
		.grpc_status = -1,
		.wall_ns = ev->wall_ns,
		.request_end_ns = -1,
		.response_ns = -1,
		.end_ns = -1,
	};
	f->info.exchanges++;
	table_add(&t->exchanges, &s->node);
	list_add(&f->exchanges, &s->in_flow);
	t->stats.exchanges++;
	t->last_slot = s;
	return s;
}

static void exchange_finish(struct tracker *t, struct slot *s, const struct event *ev, bool cut)
{
	s->x.end_ns = ev->mono_ns - s->start_mono_ns;
	s->x.last_packet = ev->packet;
	s->x.cut = cut;
	if (t->o.on_exchange)
		t->o.on_exchange(t->o.ctx, &s->of->info, &s->x);
	slot_put(t, s);
}

/* ----------------------------------------------------------------- flows */

static struct flow_slot *flow_find(struct tracker *t, uint64_t flow)
{
	struct table_node *n;

	if (t->last_flow && t->last_flow->node.a == flow)
		return t->last_flow;
	n = table_find(&t->flows, flow, 0);
	if (!n)
		return NULL;
	t->last_flow = LIST_OWNER(n, struct flow_slot, node);
	return t->last_flow;
}

static void flow_free(struct tracker *t, struct flow_slot *f)
{
	LIST_EACH (it, &f->exchanges)
		slot_put(t, LIST_OWNER(it, struct slot, in_flow));
	table_remove(&t->flows, &f->node);
	list_remove(&f->all);
	t->stats.flows--;
	if (t->last_flow == f)
		t->last_flow = NULL;
	scratch_clear(&f->text);
	mem_free(f);
}

static void on_flow_open(struct tracker *t, const struct event *ev)
{
	const struct ev_flow_open *o = &ev->u.flow_open;
	struct flow_slot *f;

	if (flow_find(t, ev->flow))
		return;
	f = t->stats.flows < t->o.max_flows ? mem_new(sizeof(*f)) : NULL;
	if (!f) {
		t->stats.flows_dropped++;
		return;
	}
	scratch_init(&f->text, f->room, sizeof(f->room));
	list_init(&f->exchanges);
	list_init(&f->all);
	f->node.a = ev->flow;
	f->info.flow = ev->flow;
	f->info.way = o->way;
	f->info.client = o->client;
	f->info.local = o->local;
	f->info.target_port = o->target_port;
	f->info.start_wall_ns = ev->wall_ns;
	f->info.start_mono_ns = ev->mono_ns;
	f->info.capture.first_packet = f->info.capture.last_packet = ev->packet;
	f->info.capture.mid = o->way == WAY_CAPTURE && !(ev->flow & FLOW_UDP);
	flow_slot_set(f, &f->info.target_host, o->target_host, NAME_MAX_BYTES);
	table_add(&t->flows, &f->node);
	list_add(&t->open, &f->all);
	t->stats.flows++;
	t->last_flow = f;
}

/* What went over a connection that we could read and that had no exchange: HTTP/2 says hello before
 * anybody asks for anything; else bytes. Their chunks would have said so, but are only produced for
 * somebody who wants them. */
static enum flow_proto proto_of_rest(const struct flow_info *f)
{
	bool readable = f->action == ACTION_BUMP || f->action == ACTION_PLAIN ||
			(f->way == WAY_CAPTURE && !f->dark.n);

	if (f->proto != PROTO_UNKNOWN || !readable || !(f->bytes_up || f->bytes_down))
		return f->proto;
	if (observe_alpn_is_http2(f->leg[LEG_CLIENT].alpn) && !f->dark.n)
		return PROTO_HTTP2;
	return PROTO_BYTES;
}

static void on_flow_end(struct tracker *t, struct flow_slot *f, const struct event *ev)
{
	const struct ev_flow_end *end = &ev->u.flow_end;
	struct flow_info *info = &f->info;

	info->action = end->action;
	info->failed = end->failed;
	info->failure = end->failure;
	info->side = end->side;
	info->bytes_up = end->bytes_up;
	info->bytes_down = end->bytes_down;
	info->capture.packets = end->packets;
	info->capture.open = end->open;
	info->duration_ns = ev->mono_ns - info->start_mono_ns;
	flow_slot_set(f, &info->reason, end->reason, TEXT_MAX_BYTES);
	LIST_EACH (it, &f->exchanges)
		exchange_finish(t, LIST_OWNER(it, struct slot, in_flow), ev, true);
	info->proto = proto_of_rest(info);
	info->ended = true;
	if (t->o.on_flow)
		t->o.on_flow(t->o.ctx, info);
	flow_free(t, f);
}

/* -------------------------------------------------------------- messages */

static void request_head(struct slot *s, const struct ev_message_head *h)
{
	struct exchange *x = &s->x;
	bool *cut = &x->request.headers_cut;

	x->method = slot_text(s, h->method, cut);
	x->scheme = slot_text(s, h->scheme, cut);
	x->authority = slot_text(s, h->authority, cut);
	x->path = slot_text(s, h->path, cut);
	x->version_major = h->version_major;
	x->version_minor = h->version_minor;
}

static void response_head(struct slot *s, const struct event *ev)
{
	const struct ev_message_head *h = &ev->u.message_head;
	struct exchange *x = &s->x;

	x->response_ns = ev->mono_ns - s->start_mono_ns;
	x->status = h->status;
	x->reason = slot_text(s, h->reason, &x->response.headers_cut);
	if (!x->request.seen) {
		x->version_major = h->version_major;
		x->version_minor = h->version_minor;
	}
	/* The request has ended, but its direction goes on with the messages. */
	if (h->proto == PROTO_WEBSOCKET)
		x->request.ended = false;
}

static void on_message_head(struct tracker *t, struct flow_slot *f, const struct event *ev)
{
	const struct ev_message_head *h = &ev->u.message_head;
	struct slot *s = slot_find(t, ev);
	struct message *m;

	if (h->interim)
		return;
	if (s && slot_message(s, ev->dir)->seen) {
		exchange_finish(t, s, ev, true);
		s = NULL;
	}
	f->info.proto = h->proto;
	if (!s)
		s = exchange_begin(t, f, ev);
	if (!s)
		return;
	m = slot_message(s, ev->dir);
	m->seen = true;
	s->x.proto = h->proto;
	s->x.unknown |= h->unknown;
	if (ev->dir == DIR_UP)
		request_head(s, h);
	else
		response_head(s, ev);
	m->header_count = h->header_count;
	m->headers = slot_headers(s, h->headers, &m->header_count, m);
	charge(t, s);
}

/* Hands a message over when it is complete; what came before in pieces is put together. */
static void tell_message(struct tracker *t, struct flow_slot *f, struct slot *s,
			 const struct event *ev)
{
	const struct ev_body_chunk *c = &ev->u.body_chunk;
	struct flow_message m = {
		.proto = c->proto,
		.dir = ev->dir,
		.opcode = c->ws_opcode,
		.data = c->data,
		.bytes = c->data.n,
		.compressed = c->compressed,
		.n = s ? s->x.n : 0,
		.index = s ? s->x.index : 0,
		.wall_ns = ev->wall_ns,
	};
	struct buf *b = s ? &s->pieces[ev->dir] : NULL;

	if (s && c->proto == PROTO_GRPC && c->compressed)
		m.coding = message_header(slot_message(s, ev->dir), "grpc-encoding");
	/* A control frame of WebSocket may come between the pieces of a message. */
	if (b && c->ws_opcode < 8 && (!c->message_end || s->piece_bytes[ev->dir])) {
		b->max = t->stats.memory < t->o.max_memory ? PIECES_MAX : b->n;
		s->piece_bytes[ev->dir] += c->data.n;
		/* Without memory the message is shown shorter than it was. */
		if (buf_add(b, bytes_slice(c->data, 0, b->max - b->n), NULL) < 0)
			b->max = b->n;
		charge(t, s);
		if (!c->message_end)
			return;
		m.data = buf_bytes(b);
		m.bytes = s->piece_bytes[ev->dir];
	}
	t->o.on_message(t->o.ctx, &f->info, &m);
	if (b && c->ws_opcode < 8) {
		buf_clear(b);
		s->piece_bytes[ev->dir] = 0;
	}
}

static void on_body_chunk(struct tracker *t, struct flow_slot *f, const struct event *ev)
{
	const struct ev_body_chunk *c = &ev->u.body_chunk;
	bool messages = c->proto == PROTO_WEBSOCKET || c->proto == PROTO_GRPC;
	struct slot *s = c->proto == PROTO_BYTES ? NULL : slot_find(t, ev);

	if (c->proto == PROTO_BYTES)
		f->info.proto = PROTO_BYTES;
	else if (!s)
		return;
	if (s) {
		struct message *m = slot_message(s, ev->dir);

		m->body_bytes += c->data.n;
		m->messages += messages && c->message_end && c->ws_opcode < 8;
		if (t->o.max_body && c->proto != PROTO_WEBSOCKET) {
			bool room = t->stats.memory < t->o.max_memory;

			slot_body(s, ev, room ? t->o.max_body : 0);
			charge(t, s);
		}
	}
	if (t->o.messages && t->o.on_message && (messages || !s))
		tell_message(t, f, s, ev);
}

static void on_message_end(struct tracker *t, const struct event *ev)
{
	const struct ev_message_end *end = &ev->u.message_end;
	struct slot *s = slot_find(t, ev);
	struct message *m;

	if (!s)
		return;
	m = slot_message(s, ev->dir);
	m->ended = true;
	m->truncated = end->truncated;
	m->body_bytes = end->body_bytes;
	m->trailer_count = end->trailer_count;
	m->trailers = slot_headers(s, end->trailers, &m->trailer_count, m);
	if (end->grpc_status >= 0)
		s->x.grpc_status = end->grpc_status;
	if (ev->dir == DIR_UP && s->x.request_end_ns < 0)
		s->x.request_end_ns = ev->mono_ns - s->start_mono_ns;
	charge(t, s);
	if (s->x.response.ended && (s->x.request.ended || !s->x.request.seen))
		exchange_finish(t, s, ev, false);
}

/* ---------------------------------------------------------------- public */

void tracker_on_event(void *tracker, const struct event *ev)
{
	struct tracker *t = tracker;
	struct flow_slot *f;

	if (ev->type == EV_FLOW_OPEN) {
		on_flow_open(t, ev);
		return;
	}
	f = flow_find(t, ev->flow);
	if (!f)
		return;
	if (ev->packet)
		f->info.capture.last_packet = ev->packet;
	if (ev->type == EV_MESSAGE_HEAD)
		on_message_head(t, f, ev);
	else if (ev->type == EV_BODY_CHUNK)
		on_body_chunk(t, f, ev);
	else if (ev->type == EV_MESSAGE_END)
		on_message_end(t, ev);
	else if (ev->type == EV_FLOW_END)
		on_flow_end(t, f, ev);
	else
		flow_learn(f, ev);
}

struct event_sink tracker_sink(struct tracker *t)
{
	uint32_t mask = EV_HEADS & ~EV_BIT(EV_SECRET_SEEN);

	if (t->o.max_body || (t->o.messages && t->o.on_message))
		mask |= EV_BIT(EV_BODY_CHUNK);
	return (struct event_sink){ .mask = mask, .on_event = tracker_on_event, .ctx = t };
}

void tracker_free(struct tracker *t)
{
	if (!t)
		return;
	LIST_EACH (it, &t->open)
		flow_free(t, LIST_OWNER(it, struct flow_slot, all));
	LIST_EACH (it, &t->spare) {
		struct slot *s = LIST_OWNER(it, struct slot, in_flow);

		slot_fini(s);
		mem_free(s);
	}
	table_fini(&t->flows);
	table_fini(&t->exchanges);
	mem_free(t);
}

void tracker_set_process(struct tracker *t, uint64_t flow, struct bytes name, int64_t pid)
{
	struct flow_slot *f = flow_find(t, flow);

	if (!f)
		return;
	flow_slot_set(f, &f->info.process, name, NAME_MAX_BYTES);
	f->info.pid = pid;
}

const struct flow_info *tracker_find(const struct tracker *t, uint64_t flow)
{
	struct table_node *n = table_find(&t->flows, flow, 0);

	return n ? &LIST_OWNER(n, struct flow_slot, node)->info : NULL;
}

void tracker_stats(const struct tracker *t, struct tracker_stats *out)
{
	*out = t->stats;
}

struct bytes message_header(const struct message *m, const char *name)
{
	struct bytes wanted = bytes_str(name);

	for (size_t i = 0; i < m->header_count; i++)
		if (bytes_equal_nocase(m->headers[i].name, wanted))
			return m->headers[i].value;
	return (struct bytes){ 0 };
}
