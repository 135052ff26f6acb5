/* Flow events: the one model between everything that sees traffic (proxy, live capture, capture
 * file) and everything that shows it (terminal, JSON, HAR, pcapng, metrics). Bytes in an event are
 * borrowed for the call only. */
#ifndef FLOW_EVENT_H
#define FLOW_EVENT_H

#include "base/err.h"
#include "wire/addr.h"

/* A proxied flow has two legs, a captured one only LEG_CLIENT. */
enum flow_leg { LEG_CLIENT, LEG_SERVER };
enum flow_dir { DIR_UP, DIR_DOWN }; /* up: from client to server */

enum event_type {
	EV_FLOW_OPEN,
	EV_CLIENT_HELLO,
	EV_SERVER_HELLO,
	EV_CERT_CHAIN,
	EV_SECRET_SEEN,
	EV_HANDSHAKE_DONE,
	EV_MESSAGE_HEAD,
	EV_BODY_CHUNK,
	EV_MESSAGE_END,
	EV_ALERT,
	EV_GAP,
	EV_DARK,
	EV_LEG_END,
	EV_FLOW_END,
	/* Of captured flows only. */
	EV_TCP,
	EV_HANDSHAKE_MESSAGE,
	EV_DATA,
	EV_NOTE,
	EV_PROCESS,
	EV_COUNT
};
#define EV_BIT(type) (1u << (type))
#define EV_ALL ((1u << EV_COUNT) - 1)
/* All but the bodies. */
#define EV_HEADS (EV_ALL & ~(EV_BIT(EV_BODY_CHUNK) | EV_BIT(EV_DATA)))

/* Captured flows: TCP connections are numbered from 1 by their first packet, UDP flows too, with
 * this bit ("u1" for a person). */
#define FLOW_UDP (UINT64_C(1) << 62)

/* What the application bytes of a flow are. */
enum flow_proto {
	PROTO_UNKNOWN,
	PROTO_HTTP1,
	PROTO_HTTP2,
	PROTO_WEBSOCKET,
	PROTO_GRPC,
	PROTO_BYTES
};
const char *flow_proto_text(enum flow_proto p);

/* How the flow came in, and what was done with it. */
enum flow_way { WAY_CONNECT, WAY_HTTP, WAY_SOCKS5, WAY_TLS, WAY_REDIRECT, WAY_TPROXY, WAY_CAPTURE };
enum flow_action { ACTION_UNDECIDED, ACTION_BUMP, ACTION_SPLICE, ACTION_BLOCK, ACTION_PLAIN };
const char *flow_way_text(enum flow_way w);
const char *flow_action_text(enum flow_action a);

enum leg_end { END_CLEAN, END_TRUNCATED, END_RESET, END_TIMEOUT, END_REFUSED, END_LOCAL };
const char *leg_end_text(enum leg_end e);

/* The verdict on a chain. */
enum chain_verdict {
	CHAIN_UNCHECKED,
	CHAIN_OK,
	CHAIN_EXPIRED,
	CHAIN_NOT_YET_VALID,
	CHAIN_WRONG_NAME,
	CHAIN_UNKNOWN_ISSUER,
	CHAIN_SELF_SIGNED,
	CHAIN_INCOMPLETE,
	CHAIN_WRONG_PURPOSE,
	CHAIN_WEAK,
	CHAIN_UNREADABLE,
	CHAIN_OTHER
};
const char *chain_verdict_text(enum chain_verdict v);

struct flow_header {
	struct bytes name; /* as on the wire; lower case in HTTP/2 */
	struct bytes value;
};

struct ev_flow_open {
	enum flow_way way;
	struct addr client;	  /* family ADDR_NONE: not known */
	struct addr local;	  /* where the client connected to */
	struct bytes target_host; /* what was asked for: name or address */
	uint16_t target_port;
};

struct ev_client_hello {   /* leg: where it was seen */
	struct bytes raw;  /* the handshake message with its 4 byte header */
	struct bytes sni;  /* empty: none */
	uint16_t version;  /* the highest offered, as on the wire (0x0304) */
	struct bytes alpn; /* the list as on the wire: length-prefixed names */
	struct bytes ja4;
};

struct ev_server_hello {
	uint16_t version;
	uint16_t cipher;
	uint16_t group;	   /* 0: none or unknown */
	struct bytes alpn; /* the chosen one; empty: none */
	bool resumed;
};

struct ev_cert_chain {
	const struct bytes *der; /* leaf first */
	size_t count;
	enum chain_verdict verdict;
	struct bytes reason; /* one sentence */
};

struct ev_secret_seen {
	struct bytes label; /* never the secret */
};

/* Also carried on EV_HANDSHAKE_DONE: everything agreed, by leg. */
struct ev_handshake_done {
	uint16_t version, cipher, group;
	struct bytes alpn;
	struct bytes issuer; /* of the leaf on this leg, as text */
	bool resumed;
	int64_t took_ns;	   /* 0: since this leg's ClientHello */
	struct addr local, remote; /* of the leg's TCP connection */
};

struct ev_message_head {
	enum flow_proto proto;
	/* request (dir up): method, scheme, authority, path; response (dir down): status, reason. */
	struct bytes method, scheme, authority, path, reason;
	unsigned status;
	unsigned version_major, version_minor; /* of HTTP */
	const struct flow_header *headers;
	size_t header_count;
	bool interim; /* 1xx: another head follows */
	bool unknown; /* HTTP/2 that was joined late: "?" stands for what is not known of it */
};

/* Body bytes; for WebSocket one message or fragment, for PROTO_BYTES plain bytes. */
struct ev_body_chunk {
	enum flow_proto proto;
	struct bytes data;  /* decoded from transfer coding, not from content coding */
	unsigned ws_opcode; /* 1 text, 2 binary, 8 close, 9 ping, 10 pong; else 0 */
	bool message_end;   /* of a WebSocket or gRPC message */
	bool compressed;    /* gRPC: by grpc-encoding; WebSocket: by an extension not undone */
};

struct ev_message_end {
	uint64_t body_bytes; /* as on the wire, after transfer coding */
	const struct flow_header *trailers;
	size_t trailer_count;
	bool truncated;	 /* cut off before its end, or reset */
	int grpc_status; /* -1: not gRPC or none */
};

struct ev_alert {
	bool sent; /* by us; else received on this leg */
	uint8_t level, description;
};

struct ev_gap {
	uint64_t bytes;
};

/* Why plaintext could not be had. */
enum dark_why {
	DARK_NO_SECRET,	   /* none for this client random */
	DARK_TAG,	   /* secrets were given, but no record opens with them */
	DARK_NO_HANDSHAKE, /* the capture begins after it */
	DARK_CIPHER,	   /* not supported here */
	DARK_TRUNCATED,	   /* packets were cut off when they were captured */
	DARK_GAP,	   /* bytes are missing, and it could not be found where to go on */
	DARK_BUDGET,	   /* the search for it was given up */
	DARK_MALFORMED,	   /* not TLS as it should be */
	DARK_QUIC,
	DARK_DTLS,
};
const char *dark_why_text(enum dark_why w); /* a fixed word: "no-secret" */

/* May come more than once: what is decrypted after it was found again. */
struct ev_dark {
	enum dark_why why;
	struct bytes reason; /* one sentence */
};

/* A segment that opens, answers or ends a TCP connection, and the first acknowledgement. */
struct ev_tcp {
	uint8_t flags; /* as on the wire: FIN 1, SYN 2, RST 4, ACK 16 */
};

/* A whole handshake message, or a ChangeCipherSpec, as they come, before the events that they lead
 * to. */
struct ev_handshake_message {
	uint8_t content;  /* record type: RECORD_HANDSHAKE or RECORD_CHANGE_CIPHER_SPEC */
	uint8_t type;	  /* of the handshake message (wire/handshake.h) */
	bool encrypted;	  /* on the wire */
	bool bad;	  /* it could not be read as what it says it is */
	struct bytes raw; /* with its 4 byte header */
};

/* Bytes as the programs at both ends sent them, innermost: what was in the innermost TLS, and what
 * was said in plaintext before it began. */
struct ev_data {
	struct bytes data;
};

/* Something worth knowing that stops nothing: segments that overlap and disagree, a place where
 * decryption went on after a gap. */
struct ev_note {
	struct bytes text; /* one sentence */
};

/* A process at one end of the flow, as the capture names it. dir says which: DIR_UP the client. */
struct ev_process {
	int64_t pid;
	struct bytes name; /* may be empty */
};

struct ev_leg_end {
	enum leg_end how;
	struct bytes reason;
};

struct ev_flow_end {
	enum flow_action action;
	bool failed;	     /* nothing useful went over it */
	struct bytes reason; /* one sentence; empty when all went well */
	const char *failure; /* a short fixed word for metrics ("dns", "upstream-reset"), or NULL */
	enum flow_leg side;  /* whose fault */
	uint64_t bytes_up, bytes_down; /* of application data, or of splicing */
	uint64_t packets;	       /* of a captured flow */
	bool open;		       /* the capture ended before the flow */
};

struct event {
	enum event_type type;
	uint64_t flow; /* from 1 */
	enum flow_leg leg;
	enum flow_dir dir;
	uint8_t depth;	 /* of TLS in TLS: 0 the outermost */
	uint64_t stream; /* numbers the exchanges of a flow: HTTP/2's stream id; else 1, 2, … */
	uint64_t packet; /* of the capture, from 1; 0: no capture */
	int64_t wall_ns; /* since 1970 */
	int64_t mono_ns;
	union {
		struct ev_flow_open flow_open;
		struct ev_client_hello client_hello;
		struct ev_server_hello server_hello;
		struct ev_cert_chain cert_chain;
		struct ev_secret_seen secret_seen;
		struct ev_handshake_done handshake_done;
		struct ev_message_head message_head;
		struct ev_body_chunk body_chunk;
		struct ev_message_end message_end;
		struct ev_alert alert;
		struct ev_gap gap;
		struct ev_dark dark;
		struct ev_leg_end leg_end;
		struct ev_flow_end flow_end;
		struct ev_tcp tcp;
		struct ev_handshake_message handshake_message;
		struct ev_data data;
		struct ev_note note;
		struct ev_process process;
	} u;
};

/* Who wants which events. A consumer never holds the producer up: when it cannot keep up it drops
 * and counts for itself. Not thread-safe: one bus a thread. */
struct event_sink {
	uint32_t mask; /* EV_BIT of each type wanted */
	void (*on_event)(void *ctx, const struct event *ev);
	void *ctx;
};

#define EVENT_SINKS_MAX 8
struct event_bus {
	struct event_sink sinks[EVENT_SINKS_MAX];
	size_t count;
	uint32_t mask; /* of all sinks together */
};

int event_bus_add(struct event_bus *bus, struct event_sink sink, struct err *e) MUST_CHECK;
static inline bool event_bus_wants(const struct event_bus *bus, enum event_type type)
{
	return bus->mask & EV_BIT(type);
}
void event_bus_emit(const struct event_bus *bus, const struct event *ev);

#endif
