/* A packet that is being taken apart, from the outside to the inside: each step reads one header and
 * says which comes next. Shared by the packet_*.c only. */
#ifndef WIRE_PACKET_WALK_H
#define WIRE_PACKET_WALK_H

#include "base/rd.h"
#include "wire/packet.h"

enum walk_step {
	WALK_END, /* outcome says how */
	WALK_ETHERNET,
	WALK_TYPE, /* what walk.type says */
	WALK_MPLS,
	WALK_PPPOE,
	WALK_IP,	/* by its version */
	WALK_PROTOCOL,	/* what walk.protocol says */
	WALK_EXTENSION, /* of IPv6 */
	WALK_FRAGMENT,	/* header of IPv6 */
	WALK_AUTHENTICATION,
	WALK_GRE,
	WALK_VXLAN,
	WALK_GENEVE,
	WALK_TCP,
	WALK_UDP,
	WALK_COUNT
};

struct walk {
	struct rd r;  /* what is left of the captured bytes */
	bool bad;     /* r's flag */
	size_t after; /* bytes that follow r on the wire and were not captured */
	bool soft;    /* where r and after end is what the file said; no header has said it yet */
	uint16_t type;
	uint8_t protocol;
	bool tunnel; /* outer is filled: a datagram that may be no tunnel after all */
	struct packet_segment outer;
	enum packet_outcome outcome;
	union packet *out; /* its addresses are those of the last IP header */
};

/* Each reads its header at walk.r, which may be too short for it: whoever runs the steps looks at
 * walk.bad after each. */
enum walk_step walk_ethernet(struct walk *w);
enum walk_step walk_type(struct walk *w);
enum walk_step walk_mpls(struct walk *w);
enum walk_step walk_pppoe(struct walk *w);
enum walk_step walk_ip(struct walk *w);
enum walk_step walk_protocol(struct walk *w);
enum walk_step walk_extension(struct walk *w);
enum walk_step walk_fragment(struct walk *w);
enum walk_step walk_authentication(struct walk *w);
enum walk_step walk_gre(struct walk *w);
enum walk_step walk_vxlan(struct walk *w);
enum walk_step walk_geneve(struct walk *w);
enum walk_step walk_tcp(struct walk *w);
enum walk_step walk_udp(struct walk *w);

/* The header of the link, up to what step to begin with. */
enum walk_step walk_link(struct walk *w, unsigned link);

static inline enum walk_step walk_stop(struct walk *w, enum packet_outcome outcome)
{
	w->outcome = outcome;
	return WALK_END;
}

/* What follows is protocol of this EtherType. */
static inline enum walk_step walk_to_type(struct walk *w, uint16_t type)
{
	w->type = type;
	return WALK_TYPE;
}

/* A header says that exactly n more bytes belong to it. False when that cannot be. */
static inline bool walk_limit(struct walk *w, size_t n)
{
	if (n > w->r.n) {
		if (!w->soft && n > w->r.n + w->after)
			return false;
		w->after = n - w->r.n;
	} else {
		w->r = rd_init(rd_take(&w->r, n), &w->bad);
		w->after = 0;
	}
	w->soft = false;
	return true;
}

#endif
