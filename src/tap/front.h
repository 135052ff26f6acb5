/* The front of the engine: takes packets apart, puts IP fragments together, and says to which
 * numbered flow each segment belongs and who its client is. One front for a capture, so that flows
 * have the same numbers however many engines share the rest of the work.
 *
 * TCP flows are numbered from 1 by their first packet, UDP flows likewise (FLOW_UDP). The client is
 * who sends SYN, or gets SYN and ACK; without those, who sends a ClientHello or gets a ServerHello,
 * else who has the port that looks less like a service's. A SYN with another sequence number on the
 * same addresses and ports begins a new flow, and so does one on a flow that was never seen to
 * open. Flows that ended, or were silent for long, or are the oldest when there are too many, are
 * let go. */
#ifndef TAP_FRONT_H
#define TAP_FRONT_H

#include "flow/event.h"
#include "tap/at.h"
#include "wire/packet.h"

struct tap_segment {
	uint64_t flow;
	enum flow_dir dir;
	bool first; /* of its flow: client and server are filled */
	bool over;  /* no more will come of this flow; there is no segment */
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
	int64_t idle_ns;	    /* flows silent for so long are let go; 0: one hour */
};

struct front_stats {
	uint64_t packets, segments, other, cut, bad;
	uint64_t fragments_dropped; /* of datagrams that never became whole */
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
