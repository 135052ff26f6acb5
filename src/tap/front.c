#include "tap/front.h"

#include "base/mem.h"
#include "tap/fragments.h"
#include "tap/front_client.h"
#include "tap/front_table.h"

#define MAX_FLOWS 65536
#define MAX_GONE 8192
#define MAX_FRAGMENT_MEMORY (16 * 1024 * 1024)
#define SECOND INT64_C(1000000000)
#define IDLE_NS (3600 * SECOND)
#define DOUBTFUL_NS (60 * SECOND)
#define GONE_NS (60 * SECOND)
/* Where the clock of a capture stands, packets are the time. */
#define PACKETS_INSTEAD 65536
/* Fragments in a tunnel in fragments: more often than any real packet. */
#define FRAGMENT_DEPTH_MAX 4

struct front {
	struct flow_table flows;
	struct fragments *fragments;
	struct front_options o;
	struct front_stats stats;
};

int front_new(const struct front_options *o, struct front **out, struct err *e)
{
	struct front *f = mem_new(sizeof(*f));

	if (!f)
		return FAIL(e, NOMEM, "the front of the engine");
	f->o = *o;
	if (!f->o.max_flows)
		f->o.max_flows = MAX_FLOWS;
	if (!f->o.max_fragment_memory)
		f->o.max_fragment_memory = MAX_FRAGMENT_MEMORY;
	if (!f->o.idle_ns)
		f->o.idle_ns = IDLE_NS;
	if (flow_table_init(&f->flows, e) < 0 ||
	    fragments_new(f->o.max_fragment_memory, &f->fragments, e) < 0) {
		front_free(f);
		return -1;
	}
	*out = f;
	return 0;
}

void front_free(struct front *f)
{
	if (!f)
		return;
	flow_table_fini(&f->flows);
	fragments_free(f->fragments);
	mem_free(f);
}

void front_stats(const struct front *f, struct front_stats *out)
{
	*out = f->stats;
	out->fragments_dropped = fragments_dropped(f->fragments);
}

static void tell_over(const struct flow_entry *en, struct tap_at at, const struct front_sink *sink)
{
	struct tap_segment s = { .flow = en->number, .over = true, .at = at };

	if (en->state != FLOW_GONE)
		sink->segment(sink->ctx, &s);
}

static void let_go(struct front *f, struct flow_entry *en, struct tap_at at,
		   const struct front_sink *sink)
{
	tell_over(en, at, sink);
	flow_table_remove(&f->flows, en);
}

static bool silent(const struct flow_entry *en, struct tap_at at, int64_t ns, uint64_t packets)
{
	uint64_t passed = at.packet - en->last.packet;

	return (passed >= packets && at.wall_ns - en->last.wall_ns >= ns);
}

/* Flows that were silent long enough for their state. */
static void expire(struct front *f, struct tap_at at, const struct front_sink *sink)
{
	struct flow_entry *en;

	while ((en = flow_table_oldest(&f->flows, FLOW_ENDING)) &&
	       (silent(en, at, FRONT_LINGER_NS, FRONT_LINGER_PACKETS) ||
		at.packet - en->last.packet >= PACKETS_INSTEAD)) {
		tell_over(en, at, sink);
		flow_table_touch(&f->flows, en, FLOW_GONE);
	}
	while ((en = flow_table_oldest(&f->flows, FLOW_DOUBTFUL)) && silent(en, at, DOUBTFUL_NS, 0))
		let_go(f, en, at, sink);
	while ((en = flow_table_oldest(&f->flows, FLOW_GONE)) &&
	       (f->flows.gone > MAX_GONE || silent(en, at, GONE_NS, 0)))
		let_go(f, en, at, sink);
	while ((en = flow_table_oldest(&f->flows, FLOW_LIVE_UDP)) &&
	       silent(en, at, FRONT_UDP_IDLE_NS, 0))
		let_go(f, en, at, sink);
	while ((en = flow_table_oldest(&f->flows, FLOW_LIVE)) && silent(en, at, f->o.idle_ns, 0))
		let_go(f, en, at, sink);
}

/* Room for one more flow. Flows that seem to end go first, then UDP's, which are cheap to lose. */
static void make_room(struct front *f, struct tap_at at, const struct front_sink *sink)
{
	static const enum flow_state order[] = { FLOW_ENDING, FLOW_DOUBTFUL, FLOW_LIVE_UDP,
						 FLOW_LIVE };

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		while (f->flows.count - f->flows.gone >= f->o.max_flows) {
			struct flow_entry *en = flow_table_oldest(&f->flows, order[i]);

			if (!en)
				break;
			let_go(f, en, at, sink);
		}
	}
}

static int32_t seq_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/* A SYN, on a flow that is known: whether it is of another one. What a capture holds in the wrong
 * order fits together all the same. */
static bool syn_is_new(const struct flow_side *own, const struct flow_side *other,
		       const struct packet_segment *s)
{
	if (own->isn_known)
		return s->seq != own->isn;
	if (own->first_known)
		return s->seq + 1 != own->first;
	if (own->acked_known)
		return s->seq + 1 != own->first_acked;
	/* Nothing of this side is known: it is the other half of a simultaneous open. */
	return !other->isn_known;
}

/* The same of a SYN and ACK, whose SYN may be lost. Answered twice with other numbers (SYN cookies), a
 * SYN is the same one. */
static bool answer_is_new(const struct flow_side *own, const struct flow_side *other,
			  const struct packet_segment *s)
{
	if (other->isn_known && s->ack == other->isn + 1)
		return false;
	if (own->isn_known)
		return s->seq != own->isn;
	return own->first_known && s->seq + 1 != own->first;
}

static bool is_new(const struct flow_entry *en, enum flow_dir dir, const struct packet_segment *s)
{
	const struct flow_side *own = &en->side[dir], *other = &en->side[!dir];

	if (!(s->flags & TCP_SYN))
		return false;
	return s->flags & TCP_ACK ? answer_is_new(own, other, s) : syn_is_new(own, other, s);
}

/* Whether the receiver of a reset believes it (RFC 5961, 3.2), as far as can be known. */
static bool is_exact(const struct flow_side *own, uint32_t seq)
{
	return !own->first_known || seq == own->next || (own->acked_known && seq == own->acked);
}

static void note_numbers(struct flow_side *own, const struct packet_segment *s)
{
	bool syn = s->flags & TCP_SYN, fin = s->flags & TCP_FIN;
	uint32_t from = s->seq + syn;
	uint32_t to = from + (uint32_t)s->payload.n + s->missing + fin;

	if (syn) {
		own->isn_known = true;
		own->isn = s->seq;
	}
	if (!own->first_known || seq_after(from, own->first) < 0)
		own->first = from;
	if (!own->first_known || seq_after(to, own->next) > 0)
		own->next = to;
	own->first_known = true;
	if (fin && !own->fin_known) {
		own->fin_known = true;
		own->fin = to;
	}
}

static void note_ack(struct flow_side *other, uint32_t ack)
{
	if (!other->acked_known)
		other->acked = other->first_acked = ack;
	else if (seq_after(ack, other->acked) > 0)
		other->acked = ack;
	other->acked_known = true;
}

static bool is_done(const struct flow_side *side)
{
	return side->fin_known && side->acked_known && seq_after(side->acked, side->fin) >= 0;
}

/* The state that a segment leaves its flow in. */
static enum flow_state note(struct flow_entry *en, enum flow_dir dir,
			    const struct packet_segment *s)
{
	struct flow_side *own = &en->side[dir], *other = &en->side[!dir];

	if (s->flags & TCP_RST) {
		if (is_exact(own, s->seq))
			return FLOW_ENDING;
		return en->state == FLOW_LIVE ? FLOW_DOUBTFUL : en->state;
	}
	note_numbers(own, s);
	if (s->flags & TCP_ACK)
		note_ack(other, s->ack);
	if (is_done(own) && is_done(other))
		return FLOW_ENDING;
	if (en->state == FLOW_LIVE && own->fin_known && other->fin_known)
		return FLOW_DOUBTFUL;
	return en->state;
}

static struct flow_entry *entry_new(struct front *f, const struct flow_key *key,
				    const struct packet_segment *s)
{
	struct flow_entry *en = flow_table_add(&f->flows, key, s->udp ? FLOW_LIVE_UDP : FLOW_LIVE);

	if (!en)
		return NULL;
	en->number = s->udp ? FLOW_UDP | ++f->stats.udp_flows : ++f->stats.tcp_flows;
	en->client_second = key->from_second == front_from_client(s);
	return en;
}

static enum flow_dir dir_of(const struct flow_entry *en, const struct flow_key *key)
{
	return en->client_second == key->from_second ? DIR_UP : DIR_DOWN;
}

/* The flow of s; NULL when it is late, or there is no memory. */
static struct flow_entry *entry_get(struct front *f, const struct flow_key *key,
				    const struct packet_segment *s, const struct front_packet *p,
				    const struct front_sink *sink)
{
	struct flow_entry *en = flow_table_find(&f->flows, key);

	if (en && is_new(en, dir_of(en, key), s)) {
		let_go(f, en, p->at, sink);
		en = NULL;
	}
	if (!en) {
		make_room(f, p->at, sink);
		return entry_new(f, key, s);
	}
	if (en->state != FLOW_GONE)
		return en;
	f->stats.late++;
	return NULL;
}

static void segment(struct front *f, const struct packet_segment *s, const struct front_packet *p,
		    const struct front_sink *sink)
{
	struct flow_key key;
	struct flow_entry *en;
	struct tap_segment out = { .at = p->at,
				   .seq = s->seq,
				   .ack = s->ack,
				   .flags = s->flags,
				   .missing = s->missing,
				   .payload = s->payload,
				   .pid = p->pid };

	f->stats.segments++;
	flow_key(&key, s);
	en = entry_get(f, &key, s, p, sink);
	if (!en)
		return;
	out.first = !en->told;
	en->told = true;
	out.flow = en->number;
	out.dir = dir_of(en, &key);
	if (out.first) {
		out.client = out.dir == DIR_UP ? s->src : s->dst;
		out.server = out.dir == DIR_UP ? s->dst : s->src;
	}
	en->last = p->at;
	flow_table_touch(&f->flows, en, s->udp ? FLOW_LIVE_UDP : note(en, out.dir, s));
	sink->segment(sink->ctx, &out);
}

/* Fragments are put together first; one that makes nothing whole yields PACKET_FRAGMENT. */
static enum packet_outcome take_apart(struct front *f, const struct front_packet *p,
				      union packet *out)
{
	enum packet_outcome outcome = packet_parse(p->link, p->frame, p->wire_n, out);

	for (int i = 0; i < FRAGMENT_DEPTH_MAX && outcome == PACKET_FRAGMENT; i++) {
		struct packet_fragment whole;

		if (!fragments_add(f->fragments, &out->fragment, p->at, &whole))
			return PACKET_FRAGMENT;
		outcome = packet_parse_datagram(&whole, out);
	}
	return outcome;
}

void front_packet(struct front *f, const struct front_packet *p, const struct front_sink *sink)
{
	union packet out;

	f->stats.packets++;
	expire(f, p->at, sink);
	switch (take_apart(f, p, &out)) {
	case PACKET_SEGMENT:
		segment(f, &out.segment, p, sink);
		break;
	case PACKET_FRAGMENT:
		break;
	case PACKET_OTHER:
		if (packet_link_known(p->link))
			f->stats.other++;
		else
			f->stats.link_unknown++;
		break;
	case PACKET_CUT:
		f->stats.cut++;
		break;
	case PACKET_BAD:
		f->stats.bad++;
		break;
	}
}
