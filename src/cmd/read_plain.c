#include "cmd/read_plain.h"

#include "base/list.h"
#include "base/mem.h"
#include "flow/table.h"
#include "pcap/pcapng.h"
#include "wire/tcp_talk.h"

struct talk {
	struct table_node node; /* by flow */
	struct tcp_talk tcp;
	bool decrypted, begun;
};

struct read_plain {
	struct buf *out;
	uint64_t only;
	struct table talks;
	int64_t wall_ns; /* of the event that packets are made of */
	bool failed;
	struct err e;
};

int read_plain_begin(struct buf *out, struct err *e)
{
	if (pcapng_section(out, "oriel " ORIEL_VERSION, e) < 0)
		return -1;
	return pcapng_interface(out, PCAPNG_IP, "decrypted", e);
}

static int put_packet(void *ctx, struct bytes packet, struct err *e)
{
	struct read_plain *p = ctx;
	struct pcapng_packet block = { .wall_ns = p->wall_ns, .bytes = packet };

	return pcapng_packet(p->out, &block, e);
}

static struct talk *talk_of(const struct read_plain *p, uint64_t flow)
{
	struct table_node *n = table_find(&p->talks, flow, 0);

	return n ? LIST_OWNER(n, struct talk, node) : NULL;
}

static int open_flow(struct read_plain *p, const struct event *ev, struct err *e)
{
	struct talk *t;

	if (ev->flow & FLOW_UDP || (p->only && p->only != ev->flow))
		return 0;
	t = mem_new(sizeof(*t));
	if (!t)
		return FAIL(e, NOMEM, "a connection in plaintext");
	t->node.a = ev->flow;
	t->tcp = tcp_talk_init(&ev->u.flow_open.client, &ev->u.flow_open.local);
	t->tcp.packet = put_packet;
	t->tcp.ctx = p;
	table_add(&p->talks, &t->node);
	return 0;
}

static uint16_t plain_port(uint16_t port)
{
	return port == 443 ? 80 : port == 8443 ? 8080 : port;
}

static int data(struct talk *t, const struct event *ev, struct err *e)
{
	enum tcp_end from = ev->dir == DIR_UP ? TCP_CLIENT : TCP_SERVER;

	if (!t->begun) {
		t->begun = true;
		if (t->decrypted)
			t->tcp.end[TCP_SERVER].port = plain_port(t->tcp.end[TCP_SERVER].port);
		if (tcp_talk_open(&t->tcp, e) < 0)
			return -1;
	}
	return tcp_talk_data(&t->tcp, from, ev->u.data.data, e);
}

static int end_flow(struct read_plain *p, struct talk *t, const struct event *ev, struct err *e)
{
	int failed = 0;

	if (t->begun && !ev->u.flow_end.open)
		failed = tcp_talk_close(&t->tcp, TCP_CLIENT, e);
	table_remove(&p->talks, &t->node);
	mem_free(t);
	return failed;
}

static int look_at(struct read_plain *p, const struct event *ev, struct err *e)
{
	struct talk *t;

	if (ev->type == EV_FLOW_OPEN)
		return open_flow(p, ev, e);
	t = talk_of(p, ev->flow);
	if (!t)
		return 0;
	switch (ev->type) {
	case EV_HANDSHAKE_DONE:
		t->decrypted = true;
		return 0;
	case EV_DATA:
		return data(t, ev, e);
	case EV_FLOW_END:
		return end_flow(p, t, ev, e);
	default:
		return 0;
	}
}

static void on_event(void *ctx, const struct event *ev)
{
	struct read_plain *p = ctx;

	p->wall_ns = ev->wall_ns;
	if (!p->failed)
		p->failed = look_at(p, ev, &p->e) < 0;
}

int read_plain_new(struct buf *out, uint64_t filter_flow, struct read_plain **plain, struct err *e)
{
	struct read_plain *p = mem_new(sizeof(*p));

	if (!p)
		return FAIL(e, NOMEM, "connections in plaintext");
	p->out = out;
	p->only = filter_flow;
	if (table_init(&p->talks, e) < 0) {
		mem_free(p);
		return -1;
	}
	*plain = p;
	return 0;
}

void read_plain_free(struct read_plain *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->talks.size; i++) {
		for (struct table_node *n = p->talks.buckets[i], *next; n; n = next) {
			next = n->next;
			mem_free(LIST_OWNER(n, struct talk, node));
		}
	}
	table_fini(&p->talks);
	mem_free(p);
}

struct event_sink read_plain_sink(struct read_plain *p)
{
	uint32_t mask = EV_BIT(EV_FLOW_OPEN) | EV_BIT(EV_HANDSHAKE_DONE) | EV_BIT(EV_DATA) |
			EV_BIT(EV_FLOW_END);

	return (struct event_sink){ .mask = mask, .on_event = on_event, .ctx = p };
}

int read_plain_check(const struct read_plain *p, struct err *e)
{
	if (!p->failed)
		return 0;
	*e = p->e;
	return -1;
}
