#include "wire/packet.h"

#include "wire/packet_walk.h"

/* More headers than any real packet has: tags and tunnels may be nested without end otherwise. */
#define STEPS_MAX 48

#define TCP_HEADER 20
#define UDP_HEADER 8

/* RFC 7348, 5; the port that Linux took before there was one; RFC 8926, 3.3 */
#define PORT_VXLAN 4789
#define PORT_VXLAN_LINUX 8472
#define PORT_GENEVE 6081

static enum walk_step (*const steps[])(struct walk *) = {
	[WALK_ETHERNET] = walk_ethernet,
	[WALK_TYPE] = walk_type,
	[WALK_MPLS] = walk_mpls,
	[WALK_PPPOE] = walk_pppoe,
	[WALK_IP] = walk_ip,
	[WALK_PROTOCOL] = walk_protocol,
	[WALK_EXTENSION] = walk_extension,
	[WALK_FRAGMENT] = walk_fragment,
	[WALK_AUTHENTICATION] = walk_authentication,
	[WALK_GRE] = walk_gre,
	[WALK_VXLAN] = walk_vxlan,
	[WALK_GENEVE] = walk_geneve,
	[WALK_TCP] = walk_tcp,
	[WALK_UDP] = walk_udp,
};
_Static_assert(ARRAY_LEN(steps) == WALK_COUNT, "a step for each");

/* What is left of the packet is the payload. */
static enum walk_step segment(struct walk *w, struct packet_segment *s)
{
	s->payload = rd_rest(&w->r);
	s->missing = w->after > UINT32_MAX ? UINT32_MAX : (uint32_t)w->after;
	return walk_stop(w, PACKET_SEGMENT);
}

/* RFC 9293, 3.1 */
enum walk_step walk_tcp(struct walk *w)
{
	struct rd h = rd_init(rd_take(&w->r, TCP_HEADER), &w->bad);
	struct packet_segment *s = &w->out->segment;
	size_t options;
	unsigned offset;

	s->udp = false;
	s->src.port = rd_u16(&h);
	s->dst.port = rd_u16(&h);
	s->seq = rd_u32(&h);
	s->ack = rd_u32(&h);
	offset = rd_u8(&h) >> 4;
	s->flags = rd_u8(&h) & 0x3f;
	if (w->bad)
		return WALK_END;
	if (offset < 5 || offset * 4 - TCP_HEADER > w->r.n + w->after)
		return walk_stop(w, PACKET_BAD);
	options = offset * 4 - TCP_HEADER;
	/* Options that were cut off leave the numbers that matter. */
	if (options > w->r.n) {
		w->after -= options - w->r.n;
		options = w->r.n;
	}
	rd_skip(&w->r, options);
	return segment(w, s);
}

static enum walk_step tunnel(struct walk *w, enum walk_step step)
{
	w->tunnel = true;
	w->outer = w->out->segment;
	return step;
}

/* RFC 768. A length of 0: a jumbogram (RFC 2675, 4), or segmentation left to the card. */
enum walk_step walk_udp(struct walk *w)
{
	struct rd h = rd_init(rd_take(&w->r, UDP_HEADER), &w->bad);
	struct packet_segment *s = &w->out->segment;
	size_t length;

	s->udp = true;
	s->seq = s->ack = s->flags = 0;
	s->src.port = rd_u16(&h);
	s->dst.port = rd_u16(&h);
	length = rd_u16(&h);
	if (w->bad)
		return WALK_END;
	if (length && (length < UDP_HEADER || !walk_limit(w, length - UDP_HEADER)))
		return walk_stop(w, PACKET_BAD);
	segment(w, s);
	switch (s->dst.port) {
	case PORT_VXLAN:
	case PORT_VXLAN_LINUX:
		return tunnel(w, WALK_VXLAN);
	case PORT_GENEVE:
		return tunnel(w, WALK_GENEVE);
	default:
		return WALK_END;
	}
}

static enum packet_outcome run(struct walk *w, enum walk_step step)
{
	int left = STEPS_MAX;

	while (step != WALK_END && !w->bad && left-- > 0)
		step = steps[step](w);
	if (w->bad)
		w->outcome = w->after ? PACKET_CUT : PACKET_BAD;
	else if (step != WALK_END)
		w->outcome = PACKET_OTHER;
	if (w->outcome != PACKET_BAD || !w->tunnel)
		return w->outcome;
	w->out->segment = w->outer;
	return PACKET_SEGMENT;
}

enum packet_outcome packet_parse(unsigned link, struct bytes frame, size_t wire_n,
				 union packet *out)
{
	struct walk w;

	w.bad = false;
	w.r = rd_init(frame, &w.bad);
	w.after = wire_n > frame.n ? wire_n - frame.n : 0;
	w.soft = true;
	w.tunnel = false;
	w.outcome = PACKET_OTHER;
	w.out = out;
	return run(&w, walk_link(&w, link));
}

enum packet_outcome packet_parse_datagram(const struct packet_fragment *whole, union packet *out)
{
	struct packet_fragment from = *whole;
	struct walk w = { .after = from.missing,
			  .protocol = from.protocol,
			  .outcome = PACKET_OTHER,
			  .out = out };

	w.r = rd_init(from.payload, &w.bad);
	out->segment.src = from.src;
	out->segment.dst = from.dst;
	return run(&w, WALK_PROTOCOL);
}
