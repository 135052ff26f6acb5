/* IPv4 and IPv6, their extension headers and fragments. */
#include "wire/packet_walk.h"

#define IP4_HEADER 20
#define IP6_HEADER 40
#define IP4_MORE 0x2000
#define IP4_OFFSET 0x1fff

enum protocol {
	PROTOCOL_HOP_BY_HOP = 0,
	PROTOCOL_IP4 = 4,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_IP6 = 41,
	PROTOCOL_ROUTING = 43,
	PROTOCOL_FRAGMENT = 44,
	PROTOCOL_GRE = 47,
	PROTOCOL_AUTHENTICATION = 51,
	PROTOCOL_DESTINATION = 60,
	PROTOCOL_MOBILITY = 135,
	PROTOCOL_HIP = 139,
	PROTOCOL_SHIM6 = 140,
};

static void address(struct addr *a, enum addr_family family, struct bytes ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	*a = (struct addr){ .family = family };
	if (family == ADDR_IP6 && ip.n == 16 && memcmp(ip.p, mapped, sizeof(mapped)) == 0) {
		a->family = ADDR_IP4;
		ip = bytes_slice(ip, 12, 4);
	}
	if (ip.n)
		memcpy(a->ip, ip.p, ip.n);
}

static enum walk_step fragment(struct walk *w, const struct packet_fragment *f)
{
	struct packet_fragment *out = &w->out->fragment;
	struct addr src = w->out->segment.src, dst = w->out->segment.dst;

	*out = *f;
	out->src = src;
	out->dst = dst;
	out->protocol = w->protocol;
	out->payload = rd_rest(&w->r);
	out->missing = (uint32_t)w->after;
	return walk_stop(w, PACKET_FRAGMENT);
}

/* RFC 791, 3.1 */
static enum walk_step ip4(struct walk *w)
{
	struct rd h = rd_init(rd_take(&w->r, IP4_HEADER), &w->bad);
	size_t header = (rd_u8(&h) & 15u) * 4, length;
	struct packet_fragment f = { 0 };
	uint16_t place;

	rd_skip(&h, 1);
	length = rd_u16(&h);
	f.id = rd_u16(&h);
	place = rd_u16(&h);
	rd_skip(&h, 1);
	w->protocol = rd_u8(&h);
	rd_skip(&h, 2);
	address(&w->out->segment.src, ADDR_IP4, rd_take(&h, 4));
	address(&w->out->segment.dst, ADDR_IP4, rd_take(&h, 4));
	if (w->bad)
		return WALK_END;
	if (header < IP4_HEADER || (length && length < header) ||
	    (length && !walk_limit(w, length - IP4_HEADER)))
		return walk_stop(w, PACKET_BAD);
	rd_skip(&w->r, header - IP4_HEADER);
	if (!(place & (IP4_MORE | IP4_OFFSET)))
		return WALK_PROTOCOL;
	f.offset = (place & IP4_OFFSET) * 8u;
	f.more = place & IP4_MORE;
	return w->bad ? WALK_END : fragment(w, &f);
}

/* RFC 8200, 3. A length of 0 is a jumbogram's (RFC 2675, 3), or a segment's that the card was to
 * divide: all there is. */
static enum walk_step ip6(struct walk *w)
{
	struct rd h = rd_init(rd_take(&w->r, IP6_HEADER), &w->bad);
	size_t length;

	rd_skip(&h, 4);
	length = rd_u16(&h);
	w->protocol = rd_u8(&h);
	rd_skip(&h, 1);
	address(&w->out->segment.src, ADDR_IP6, rd_take(&h, 16));
	address(&w->out->segment.dst, ADDR_IP6, rd_take(&h, 16));
	if (!w->bad && length && !walk_limit(w, length))
		return walk_stop(w, PACKET_BAD);
	return WALK_PROTOCOL;
}

enum walk_step walk_ip(struct walk *w)
{
	struct rd peek = w->r;

	switch (rd_u8(&peek) >> 4) {
	case 4:
		return ip4(w);
	case 6:
		return ip6(w);
	default:
		return walk_stop(w, PACKET_BAD);
	}
}

static bool is_ip6(const struct walk *w)
{
	return w->out->segment.src.family == ADDR_IP6;
}

enum walk_step walk_protocol(struct walk *w)
{
	switch (w->protocol) {
	case PROTOCOL_TCP:
		return walk_tcp(w);
	case PROTOCOL_UDP:
		return walk_udp(w);
	case PROTOCOL_IP4:
	case PROTOCOL_IP6:
		return WALK_IP;
	case PROTOCOL_GRE:
		return WALK_GRE;
	case PROTOCOL_AUTHENTICATION:
		return WALK_AUTHENTICATION;
	case PROTOCOL_HOP_BY_HOP:
	case PROTOCOL_ROUTING:
	case PROTOCOL_DESTINATION:
	case PROTOCOL_MOBILITY:
	case PROTOCOL_HIP:
	case PROTOCOL_SHIM6:
		return is_ip6(w) ? WALK_EXTENSION : walk_stop(w, PACKET_OTHER);
	case PROTOCOL_FRAGMENT:
		return is_ip6(w) ? WALK_FRAGMENT : walk_stop(w, PACKET_OTHER);
	default:
		return walk_stop(w, PACKET_OTHER);
	}
}

/* RFC 8200, 4.3 and RFC 6564: the length in units of 8 bytes, less the first. */
enum walk_step walk_extension(struct walk *w)
{
	w->protocol = rd_u8(&w->r);
	rd_skip(&w->r, rd_u8(&w->r) * 8u + 6);
	return WALK_PROTOCOL;
}

/* RFC 4302, 2: the length in units of 4 bytes, less two. */
enum walk_step walk_authentication(struct walk *w)
{
	w->protocol = rd_u8(&w->r);
	rd_skip(&w->r, rd_u8(&w->r) * 4u + 6);
	return WALK_PROTOCOL;
}

/* RFC 8200, 4.5. A fragment that is all of its datagram (RFC 6946) is none. */
enum walk_step walk_fragment(struct walk *w)
{
	struct packet_fragment f = { 0 };
	uint16_t place;

	w->protocol = rd_u8(&w->r);
	rd_skip(&w->r, 1);
	place = rd_u16(&w->r);
	f.id = rd_u32(&w->r);
	f.offset = place & 0xfff8u;
	f.more = place & 1;
	if (w->bad || (f.offset == 0 && !f.more))
		return WALK_PROTOCOL;
	return fragment(w, &f);
}
