/* The tracker: a consumer of flow events that puts together what people talk about. A *flow* is a
 * connection with its one or two legs; an *exchange* is one request and its response on it (one
 * HTTP/2 stream, one WebSocket, one gRPC call). Exchanges are handed over when both messages have
 * ended, or cut off when their flow ends; flows when they end.
 *
 * One tracker a thread; it holds nobody up and is bounded in everything: what does not fit is
 * counted and left out. */
#ifndef FLOW_EXCHANGE_H
#define FLOW_EXCHANGE_H

#include <stdatomic.h>

#include "flow/event.h"

/* What is known of one leg. */
struct leg_info {
	uint16_t version, cipher, group; /* as on the wire; version 0: no handshake was finished */
	bool resumed;
	bool ended;
	enum leg_end end;
	bool alert_seen, alert_sent; /* the last alert on this leg, and whether it was ours */
	uint8_t alert_level, alert;
	struct bytes alpn, issuer, end_reason;
	struct addr local, remote;
	int64_t hello_ns;     /* monotonic; 0: no ClientHello was seen */
	int64_t handshake_ns; /* how long the handshake took; 0: not known */
};

/* What only a capture can say of a flow. Packets are numbered from 1. */
struct capture_info {
	bool encrypted;	   /* some of it came encrypted */
	bool mid;	   /* its beginning was not captured */
	bool open;	   /* known at its end: the capture ended before the flow */
	uint8_t depth;	   /* of the innermost TLS that was seen: 0 there is none inside another */
	uint64_t darks;	   /* how often decryption stopped; 0: everything could be read */
	enum dark_why why; /* of the first time; flow_info.dark is its sentence */
	uint64_t notes;
	struct bytes note;	/* the first */
	struct bytes inner_sni; /* of TLS in TLS, the innermost; flow_info.sni is the outermost */
	uint64_t packets;	/* known at its end */
	uint64_t first_packet, last_packet;
	uint64_t handshake_types; /* that were seen: bit N for handshake message type N below 64 */
	struct bytes server_process;
	int64_t server_pid; /* 0: not known */
};

/* Everything known of a flow. Borrowed: valid during a callback, or as long as its owner says. */
struct flow_info {
	uint64_t flow;
	enum flow_way way;
	enum flow_action action; /* known at the end; before it ACTION_UNDECIDED */
	enum flow_proto proto;	 /* the last that was seen */
	struct addr client, local;
	struct bytes target_host;
	uint16_t target_port;
	struct bytes process; /* name; empty: not known, or not yet */
	int64_t pid;	      /* 0: not known */
	struct bytes sni, ja4;
	bool hello_seen;	  /* of the client */
	uint16_t offered_version; /* the highest in its ClientHello */
	struct leg_info leg[2];	  /* by enum flow_leg */
	enum chain_verdict verdict;
	struct bytes verdict_reason;
	struct bytes
		dark; /* why the plaintext could not be read further (the first time); empty: it could */
	uint64_t gap_bytes;
	int64_t start_wall_ns, start_mono_ns;
	uint64_t exchanges;	     /* begun so far */
	struct capture_info capture; /* of way WAY_CAPTURE */

	bool ended; /* what follows is known only at the end */
	bool failed;
	const char *failure; /* a word of diagnose.h, or NULL */
	enum flow_leg side;
	struct bytes reason;
	uint64_t bytes_up, bytes_down;
	int64_t duration_ns;
};

/* One of the two messages of an exchange. */
struct message {
	bool seen;				      /* its head was */
	bool ended;				      /* its end was */
	bool truncated;				      /* it was cut off or reset */
	const struct flow_header *headers, *trailers; /* copies */
	size_t header_count, trailer_count;
	uint64_t header_bytes; /* names and values as they came, also those that were left out */
	bool headers_cut;      /* some did not fit */
	struct bytes body;     /* its first bytes, not decoded; empty unless wanted */
	bool body_cut;	       /* there was more */
	uint64_t body_bytes;   /* as transferred */
	uint64_t messages;     /* of WebSocket or gRPC, when body chunks were seen */
};

struct exchange {
	uint64_t n; /* running number over all flows, given when the exchange begins */
	uint64_t flow, stream;
	uint64_t
		index; /* among the exchanges of its flow, from 1: in captures it is named FLOW.INDEX */
	uint64_t first_packet, last_packet; /* of the capture; 0: no capture */
	enum flow_proto proto;
	bool first;   /* of its flow */
	bool cut;     /* the flow ended before it */
	bool unknown; /* "?" stands for what is not known of a head: HTTP/2 that was joined late */
	struct bytes method, scheme, authority, path, reason;
	unsigned status; /* 0: no response */
	unsigned version_major, version_minor;
	struct message request, response;
	int grpc_status; /* -1: none */
	/* wall_ns since 1970; the others count from the start in ns, -1: did not happen */
	int64_t wall_ns;
	int64_t request_end_ns, response_ns, end_ns;
};

/* One message inside an exchange (WebSocket, gRPC), or plain bytes of a flow (PROTO_BYTES). */
struct flow_message {
	enum flow_proto proto;
	enum flow_dir dir;
	unsigned opcode;     /* of WebSocket, else 0 */
	struct bytes data;   /* its first bytes */
	uint64_t bytes;	     /* how long it is */
	bool compressed;     /* of gRPC, or by an extension of WebSocket that was not undone */
	struct bytes coding; /* of gRPC, when it is compressed: how ("gzip"), else empty */
	uint64_t n, index;   /* of the exchange; 0: none */
	int64_t wall_ns;
};

/* Where running numbers come from when several trackers share them. */
struct exchange_numbers {
	_Atomic uint64_t last;
};

struct tracker;

#define TRACKER_BODY 65536 /* a good max_body */

struct tracker_options {
	size_t max_flows;		  /* open at a time; 0: 65,536 */
	size_t max_exchanges;		  /* under way at a time; 0: 16,384 */
	size_t max_header_bytes;	  /* of an exchange, names, values and URL; 0: 64 KiB */
	size_t max_body;		  /* kept of each body; 0: bodies are not wanted */
	size_t max_memory;		  /* of all exchanges under way; 0: 64 MiB */
	bool messages;			  /* on_message is wanted */
	struct exchange_numbers *numbers; /* or NULL: its own */
	/* Each may be NULL. They must not call back into the tracker. */
	void (*on_exchange)(void *ctx, const struct flow_info *f, const struct exchange *x);
	void (*on_flow)(void *ctx, const struct flow_info *f);
	void (*on_message)(void *ctx, const struct flow_info *f, const struct flow_message *m);
	void *ctx;
};

/* Fails with ERR_NOMEM. */
int tracker_new(const struct tracker_options *o, struct tracker **out, struct err *e) MUST_CHECK;
/* Open flows and exchanges are dropped without a callback. */
void tracker_free(struct tracker *t);
/* For event_bus_add: its mask leaves out the bodies unless they are wanted. */
struct event_sink tracker_sink(struct tracker *t);
void tracker_on_event(void *tracker, const struct event *ev);
/* The process on the client's side of an open flow; name is copied. Unknown flows are ignored. */
void tracker_set_process(struct tracker *t, uint64_t flow, struct bytes name, int64_t pid);
/* The open flow, or NULL. Valid until the next event. */
const struct flow_info *tracker_find(const struct tracker *t, uint64_t flow);

struct tracker_stats {
	size_t flows, exchanges; /* open now */
	size_t memory;		 /* bytes in exchanges under way */
	uint64_t flows_dropped;	 /* there was no room; nothing of them is seen */
	uint64_t exchanges_dropped;
};
void tracker_stats(const struct tracker *t, struct tracker_stats *out);

/* The value of a header, or an empty view. name in lower case. */
struct bytes message_header(const struct message *m, const char *name);

#endif
