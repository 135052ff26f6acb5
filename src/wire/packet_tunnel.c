/* Tunnels: GRE (also as ERSPAN carries it), VXLAN, Geneve. */
#include "wire/packet_walk.h"

enum gre_flag {
	GRE_CHECKSUM = 0x8000,
	GRE_ROUTING = 0x4000,
	GRE_KEY = 0x2000,
	GRE_SEQUENCE = 0x1000,
	GRE_VERSION = 7,
};

/* EtherTypes that only GRE has. */
#define TYPE_ERSPAN 0x88be
#define TYPE_ERSPAN3 0x22eb
#define ERSPAN_HEADER 8
#define ERSPAN3_HEADER 12
#define ERSPAN3_SUBHEADER 8

#define VXLAN_ID 0x08000000 /* there is an identifier: always */
#define VXLAN_POLICY 0x80000000
#define VXLAN_POLICY_BITS 0x8848ffff
#define GENEVE_OPTIONS 0x3f
#define GENEVE_CRITICAL 0x40
#define GENEVE_CONTROL 0x80

/* draft-foschiano-erspan, 4: type I has no header of its own and no sequence number in GRE. */
static enum walk_step erspan(struct walk *w, uint16_t type, uint16_t flags)
{
	if (type == TYPE_ERSPAN) {
		rd_skip(&w->r, flags & GRE_SEQUENCE ? ERSPAN_HEADER : 0);
		return WALK_ETHERNET;
	}
	rd_skip(&w->r, ERSPAN3_HEADER - 1);
	if (rd_u8(&w->r) & 1)
		rd_skip(&w->r, ERSPAN3_SUBHEADER);
	return WALK_ETHERNET;
}

/* RFC 2784, 2 and RFC 2890, 2. Version 1 is that of PPTP, whose PPP is nearly always encrypted. */
enum walk_step walk_gre(struct walk *w)
{
	uint16_t flags = rd_u16(&w->r), type = rd_u16(&w->r);

	if (flags & (GRE_ROUTING | GRE_VERSION))
		return walk_stop(w, PACKET_OTHER);
	rd_skip(&w->r, flags & GRE_CHECKSUM ? 4 : 0);
	rd_skip(&w->r, flags & GRE_KEY ? 4 : 0);
	rd_skip(&w->r, flags & GRE_SEQUENCE ? 4 : 0);
	if (type == TYPE_ERSPAN || type == TYPE_ERSPAN3)
		return erspan(w, type, flags);
	return walk_to_type(w, type);
}

/* RFC 7348, 5, and the policy of draft-smith-vxlan-group-policy, which Linux can send. Reserved bits
 * should be ignored; here they tell a tunnel from what only has its port. */
enum walk_step walk_vxlan(struct walk *w)
{
	uint32_t flags = rd_u32(&w->r), id = rd_u32(&w->r);
	uint32_t allowed = VXLAN_ID | (flags & VXLAN_POLICY ? VXLAN_POLICY_BITS : 0);

	if (w->bad || !(flags & VXLAN_ID) || flags & ~allowed || id & 0xff)
		return walk_stop(w, PACKET_BAD);
	return WALK_ETHERNET;
}

/* RFC 8926, 3.4 */
enum walk_step walk_geneve(struct walk *w)
{
	uint8_t first = rd_u8(&w->r), flags = rd_u8(&w->r);
	uint16_t type = rd_u16(&w->r);
	uint32_t id = rd_u32(&w->r);
	bool control = flags & GENEVE_CONTROL;

	if (w->bad || first & ~GENEVE_OPTIONS || flags & ~(GENEVE_CRITICAL | GENEVE_CONTROL) ||
	    id & 0xff)
		return walk_stop(w, PACKET_BAD);
	rd_skip(&w->r, (first & GENEVE_OPTIONS) * 4u);
	return control ? walk_stop(w, PACKET_OTHER) : walk_to_type(w, type);
}
