/* Link headers, and what stands between them and IP. */
#include "wire/packet_walk.h"

#define ETHER_ADDRESSES 12
#define LENGTH_MAX 1500 /* an EtherType up to it is a length (IEEE 802.3, 3.2.6) */
#define SNAP_HEADER 0xaaaa03000000

enum ether_type {
	TYPE_IP4 = 0x0800,
	TYPE_IP6 = 0x86dd,
	TYPE_BRIDGED = 0x6558, /* "transparent Ethernet bridging" (RFC 1701) */
	TYPE_VLAN = 0x8100,
	TYPE_VLAN_SERVICE = 0x88a8,
	TYPE_VLAN_OLD = 0x9100, /* QinQ before it was a standard */
	TYPE_MPLS = 0x8847,
	TYPE_MPLS_UPSTREAM = 0x8848,
	TYPE_PPPOE = 0x8864,
};

/* PF_INET and PF_INET6 of those who capture with LINKTYPE_NULL: Linux, NetBSD and OpenBSD,
 * FreeBSD, macOS. */
enum null_family {
	FAMILY_IP4 = 2,
	FAMILY_IP6_LINUX = 10,
	FAMILY_IP6_BSD = 24,
	FAMILY_IP6_FREEBSD = 28,
	FAMILY_IP6_DARWIN = 30,
};

static const struct {
	unsigned link;
	const char *text;
} links[] = {
	{ LINK_NULL, "BSD loopback" },
	{ LINK_ETHERNET, "Ethernet" },
	{ LINK_RAW_BSD, "raw IP" },
	{ LINK_RAW_OPENBSD, "raw IP" },
	{ LINK_RAW, "raw IP" },
	{ LINK_LOOP, "OpenBSD loopback" },
	{ LINK_LINUX_SLL, "Linux cooked" },
	{ LINK_IPV4, "raw IPv4" },
	{ LINK_IPV6, "raw IPv6" },
	{ LINK_LINUX_SLL2, "Linux cooked, version 2" },
};

bool packet_link_known(unsigned link)
{
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		if (links[i].link == link)
			return true;
	}
	return false;
}

const char *packet_link_text(unsigned link)
{
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		if (links[i].link == link)
			return links[i].text;
	}
	return "unknown";
}

/* The number is small in the byte order of who wrote it, and only there. */
static enum walk_step null_link(struct walk *w)
{
	uint32_t family = rd_u32(&w->r);

	if (family > UINT16_MAX)
		family = __builtin_bswap32(family);
	switch (family) {
	case FAMILY_IP4:
	case FAMILY_IP6_LINUX:
	case FAMILY_IP6_BSD:
	case FAMILY_IP6_FREEBSD:
	case FAMILY_IP6_DARWIN:
		return WALK_IP;
	default:
		return walk_stop(w, PACKET_OTHER);
	}
}

/* Type of packet, ARPHRD_ type, length of the address, address, then the protocol. */
static enum walk_step cooked_link(struct walk *w)
{
	rd_skip(&w->r, 14);
	return walk_to_type(w, rd_u16(&w->r));
}

/* The protocol first; then reserved bytes, interface, ARPHRD_ type, type of packet, address. */
static enum walk_step cooked2_link(struct walk *w)
{
	uint16_t type = rd_u16(&w->r);

	rd_skip(&w->r, 18);
	return walk_to_type(w, type);
}

enum walk_step walk_link(struct walk *w, unsigned link)
{
	switch (link) {
	case LINK_ETHERNET:
		return WALK_ETHERNET;
	case LINK_LINUX_SLL:
		return cooked_link(w);
	case LINK_LINUX_SLL2:
		return cooked2_link(w);
	case LINK_RAW:
	case LINK_RAW_BSD:
	case LINK_RAW_OPENBSD:
	case LINK_IPV4:
	case LINK_IPV6:
		return WALK_IP;
	case LINK_NULL:
	case LINK_LOOP:
		return null_link(w);
	default:
		return walk_stop(w, PACKET_OTHER);
	}
}

enum walk_step walk_ethernet(struct walk *w)
{
	rd_skip(&w->r, ETHER_ADDRESSES);
	w->type = rd_u16(&w->r);
	return walk_type(w);
}

/* IEEE 802.3 with LLC and SNAP (RFC 1042); anything else in LLC is not IP. */
static enum walk_step snap(struct walk *w)
{
	if (rd_uint(&w->r, 6) != SNAP_HEADER)
		return walk_stop(w, PACKET_OTHER);
	return walk_to_type(w, rd_u16(&w->r));
}

enum walk_step walk_type(struct walk *w)
{
	switch (w->type) {
	case TYPE_IP4:
	case TYPE_IP6:
		return WALK_IP;
	case TYPE_VLAN:
	case TYPE_VLAN_SERVICE:
	case TYPE_VLAN_OLD:
		rd_skip(&w->r, 2);
		return walk_to_type(w, rd_u16(&w->r));
	case TYPE_BRIDGED:
		return WALK_ETHERNET;
	case TYPE_MPLS:
	case TYPE_MPLS_UPSTREAM:
		return WALK_MPLS;
	case TYPE_PPPOE:
		return WALK_PPPOE;
	default:
		return w->type <= LENGTH_MAX ? snap(w) : walk_stop(w, PACKET_OTHER);
	}
}

/* RFC 3032, 2.1: labels up to the one that says it is the last. What follows has no type: most often
 * it is IP, and IP's version tells. */
enum walk_step walk_mpls(struct walk *w)
{
	uint32_t label = rd_u32(&w->r);

	if (!(label & 0x100))
		return WALK_MPLS;
	return WALK_IP;
}

/* RFC 2516, 4; RFC 1661, 2 */
enum walk_step walk_pppoe(struct walk *w)
{
	uint8_t version = rd_u8(&w->r), code = rd_u8(&w->r);
	uint16_t protocol;

	rd_skip(&w->r, 4);
	protocol = rd_u16(&w->r);
	if (version != 0x11 || code != 0 || (protocol != 0x0021 && protocol != 0x0057))
		return walk_stop(w, PACKET_OTHER);
	return WALK_IP;
}
