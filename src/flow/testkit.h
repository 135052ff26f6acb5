/* Flows played to a tracker, for tests, the fuzz target and the benchmark. Time stands still but
 * for kit_wait. */
#ifndef FLOW_TESTKIT_H
#define FLOW_TESTKIT_H

#include "flow/exchange.h"

#define KIT_START 1772368496123456789 /* 2026-03-01T12:34:56.123456789Z */

struct kit {
	struct tracker *tracker;
	const struct event_bus *bus; /* instead of the tracker, unless NULL */
	int64_t now;		     /* monotonic and, from KIT_START on, wall */
	uint64_t packet;	     /* the last one of a capture; each event of one is the next */
};

static inline void kit_wait(struct kit *k, int64_t us)
{
	k->now += us * 1000;
}

/* An event of this moment with nothing in it. */
struct event kit_event(const struct kit *k, enum event_type type, uint64_t flow);
void kit_emit(struct kit *k, const struct event *ev);

/* CONNECT from 127.0.0.1:40100 to host:443. */
void kit_open(struct kit *k, uint64_t flow, const char *host);
void kit_hello(struct kit *k, uint64_t flow, const char *sni);
/* Hello and a handshake of 3 ms on each leg, TLS 1.3, the upstream chain good. */
void kit_bump(struct kit *k, uint64_t flow, const char *sni, const char *alpn);
void kit_verdict(struct kit *k, uint64_t flow, enum chain_verdict verdict, const char *reason);
void kit_alert(struct kit *k, uint64_t flow, enum flow_leg leg, uint8_t description);

/* Of captures: 192.0.2.1:40100 to 198.51.100.34:443. */
void kit_capture(struct kit *k, uint64_t flow);
void kit_tcp(struct kit *k, uint64_t flow, enum flow_dir dir, uint8_t flags);
/* SYN, SYN and ACK, ACK; 0.4 ms there, 0.1 ms back. */
void kit_tcp_open(struct kit *k, uint64_t flow);
void kit_handshake(struct kit *k, uint64_t flow, enum flow_dir dir,
		   const struct ev_handshake_message *m);
void kit_data(struct kit *k, uint64_t flow, enum flow_dir dir, const char *text);
void kit_dark(struct kit *k, uint64_t flow, enum dark_why why, const char *reason);
void kit_gap(struct kit *k, uint64_t flow, enum flow_dir dir, uint64_t bytes);
void kit_note(struct kit *k, uint64_t flow, const char *text);
void kit_process(struct kit *k, uint64_t flow, enum flow_dir dir, int64_t pid, const char *name);
/* TLS 1.3 with X25519 was agreed on. */
void kit_agreed(struct kit *k, uint64_t flow, const char *alpn);
/* The flow ends; how in the words of enum leg_end, open: the capture ended before it. */
void kit_capture_end(struct kit *k, uint64_t flow, enum leg_end how, bool open);

struct kit_request {
	enum flow_proto proto;
	const char *method, *authority, *path;
	const struct flow_header *headers;
	size_t header_count;
	const char *body; /* NULL: none */
};
struct kit_response {
	enum flow_proto proto;
	unsigned status;
	const struct flow_header *headers;
	size_t header_count;
	const char *body;
};
void kit_request(struct kit *k, uint64_t flow, uint64_t stream, const struct kit_request *r);
void kit_response(struct kit *k, uint64_t flow, uint64_t stream, const struct kit_response *r);
/* A GET of path and its answer of 200 after 12 ms, "hello\n" as text/plain. */
void kit_get(struct kit *k, uint64_t flow, uint64_t stream, const char *path);
void kit_chunk(struct kit *k, uint64_t flow, uint64_t stream, enum flow_dir dir,
	       const struct ev_body_chunk *chunk);
void kit_message_end(struct kit *k, uint64_t flow, uint64_t stream, enum flow_dir dir,
		     const struct ev_message_end *end);
void kit_end(struct kit *k, uint64_t flow, const struct ev_flow_end *end);

#endif
