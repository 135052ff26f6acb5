/* The front of the engine: takes packets apart, puts IP fragments together, and says to which
 * numbered flow each segment belongs and who its client is. One front for a capture, so that flows
 * have the same numbers however many engines share the rest of the work.
 *
 * TCP flows are numbered from 1 by their first packet, UDP flows likewise (FLOW_UDP). A flow is what
 * has the same addresses, ports and protocol, whatever link or tunnel it came through: the same packet
 * captured twice is twice in the same flow. The client is who sends SYN, or gets SYN and ACK; without
 * those, who sends a request or gets the answer to one (TLS, HTTP), else who has the port that looks
 * less like a service's. A SYN with another sequence number on the same addresses and ports begins a
 * new flow, and so does one on a flow that was never seen to open.
 *
 * A flow is over when it is reset or both sides said FIN and had it acknowledged, and then was silent
 * for FRONT_LINGER_NS and FRONT_LINGER_PACKETS (a capture may hold packets late); when it was silent
 * for long; or when it is the most silent of too many. What comes late of a flow that ended is left
 * out, and is no new flow. */
#ifndef TAP_FRONT_H
#define TAP_FRONT_H

#include "flow/event.h"
#include "tap/at.h"
#include "wire/packet.h"

#define FRONT_LINGER_NS (200 * INT64_C(1000000))
#define FRONT_LINGER_PACKETS 128
#define FRONT_UDP_IDLE_NS (300 * INT64_C(1000000000))

struct tap_segment {
	uint64_t flow;
	enum flow_dir dir;
	bool first; /* of its flow: client and server are filled */
	bool over;  /* no more will come of this flow; flow and at (now) are all there is */
	struct addr client, server;
	struct tap_at at;
	uint32_t seq, ack;
	uint8_t flags; /* enum tcp_flag */
	uint32_t missing;
	struct bytes payload;
	int64_t pid; /* of the side that sent it; 0: not known */
};

struct front;

struct front_options {
	size_t max_flows;	    /* open at a time; 0: 65,536 */
	size_t max_fragment_memory; /* 0: 16 MiB */
	int64_t idle_ns;	    /* TCP flows silent for so long are let go; 0: one hour */
};

struct front_stats {
	uint64_t packets, segments, other, cut, bad;
	uint64_t fragments_dropped; /* of datagrams that never became whole */
	uint64_t late;		    /* segments of flows that were over */
	uint64_t link_unknown;	    /* packets of a link type that is not read */
	uint64_t tcp_flows, udp_flows;
};

struct front_packet {
	unsigned link;
	size_t wire_n;
	struct bytes frame;
	struct tap_at at;
	int64_t pid;
};

int front_new(const struct front_options *o, struct front **out, struct err *e) MUST_CHECK;
void front_free(struct front *f);
/* Calls segment for each thing there is to say: at most one segment, before it the flows that are
 * over because of it. Segments borrow from the frame or from the front, for the call. */
struct front_sink {
	void (*segment)(void *ctx, const struct tap_segment *s);
	void *ctx;
};
void front_packet(struct front *f, const struct front_packet *p, const struct front_sink *sink);
void front_stats(const struct front *f, struct front_stats *out);

#endif
