/* A captured packet taken apart: link header, VLAN tags, tunnels (VXLAN, Geneve, GRE, IP in IP), IPv4
 * or IPv6 with its extension headers, down to the TCP segment or UDP datagram. Pure and without
 * state: fragments are handed out as such (tap/fragments.h puts them together). Checksums are not
 * looked at: machines that compute them in the network card capture wrong ones. */
#ifndef WIRE_PACKET_H
#define WIRE_PACKET_H

#include "wire/addr.h"

/* LINKTYPE_... of a capture file. */
enum packet_link {
	LINK_NULL = 0, /* address family in the byte order of who captured */
	LINK_ETHERNET = 1,
	LINK_RAW_BSD = 12, /* DLT_RAW, as some programs write it */
	LINK_RAW_OPENBSD = 14,
	LINK_RAW = 101,
	LINK_LOOP = 108, /* address family in network order */
	LINK_LINUX_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_LINUX_SLL2 = 276,
};
bool packet_link_known(unsigned link);
const char *packet_link_text(unsigned link); /* "Ethernet"; "unknown" */

enum tcp_flag {
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_PSH = 8,
	TCP_ACK = 16,
	TCP_URG = 32,
};

struct packet_segment {
	struct addr src, dst; /* innermost, with ports */
	bool udp;	      /* a datagram: seq, ack, flags are 0 */
	uint32_t seq, ack;
	uint8_t flags;	      /* enum tcp_flag */
	struct bytes payload; /* what was captured of it */
	uint32_t missing;     /* bytes of the payload that the capture cut off */
};

struct packet_fragment {
	struct addr src, dst; /* without ports */
	uint32_t id;
	uint8_t protocol; /* of the whole datagram: 6, 17, 47 … */
	uint32_t offset;  /* in bytes */
	bool more;
	struct bytes payload; /* what was captured of it */
	uint32_t missing;     /* bytes of the payload that the capture cut off */
};

enum packet_outcome {
	PACKET_SEGMENT,	 /* segment is filled */
	PACKET_FRAGMENT, /* fragment is filled */
	PACKET_OTHER,	 /* nothing with TCP or UDP in it: ARP, ICMP … */
	PACKET_CUT,	 /* captured too short to say */
	PACKET_BAD,	 /* lengths that contradict each other */
};

union packet {
	struct packet_segment segment;
	struct packet_fragment fragment;
};

/* wire_n: how long the packet was on the wire; frame may be shorter. Lengths of the headers are
 * believed before wire_n (padding is left out), but an IP length of 0 means "all there is"
 * (segmentation left to the card). A datagram to the port of a tunnel whose bytes are not those of
 * the tunnel is a datagram like any other. out borrows from frame, and means nothing unless the
 * outcome says so. */
enum packet_outcome packet_parse(unsigned link, struct bytes frame, size_t wire_n,
				 union packet *out) MUST_CHECK;
/* The same for a datagram that was put together from fragments: whole's payload is all of what came
 * after its IP header, but for the missing bytes at its end. out may hold whole. */
enum packet_outcome packet_parse_datagram(const struct packet_fragment *whole,
					  union packet *out) MUST_CHECK;

#endif
