/* Makes flow events out of the plaintext of a flow while it passes: what it speaks is found out,
 * decoded, and told to the event bus as EV_MESSAGE_HEAD, EV_BODY_CHUNK and EV_MESSAGE_END. It never
 * holds bytes up and never fails the flow: what cannot be decoded becomes PROTO_BYTES, and lives on.
 *
 * One exchange has one stream number. A request that is answered with 101 and becomes a WebSocket:
 * its head and end (up) as for any request, the head of the answer with PROTO_WEBSOCKET, then
 * chunks of both directions with that stream, and an end of each direction when the connection
 * ends (a second one upwards). An answer that leads to any other protocol ends at once.
 * PROTO_BYTES is stream 0: chunks only, no heads and no ends. A message may end (truncated) without
 * ever having had a head: a stream that was reset before its answer. */
#ifndef FLOW_OBSERVE_H
#define FLOW_OBSERVE_H

#include "flow/event.h"

struct observe;

bool observe_alpn_is_http2(struct bytes alpn); /* "h2", "grpc-exp" */

struct observe_options {
	const struct event_bus *bus; /* borrowed until observe_free, as is all below */
	uint64_t flow;
	enum flow_leg leg;
	struct bytes alpn;	/* what was agreed; empty: none. "h2" and "grpc-exp" are
				 * HTTP/2, "http/1.1" and none are looked at, anything
				 * else is bytes */
	struct bytes scheme;	/* "https" or "http": of requests that do not say it */
	struct bytes authority; /* of requests that do not say it */
	/* Joined after the start of the connection (captures): bytes, until a piece of the input
	 * begins with a message's first line or with frames. */
	bool late;
	uint8_t depth;	  /* of TLS in TLS, for the events */
	uint64_t streams; /* exchanges that were told before: HTTP/1.1's go on from there */
	/* What an HTTP/1.1 exchange leads to (CONNECT's tunnel, an Upgrade to anything that is not
	 * decoded here) is left to the caller: see observe_tunnel. */
	bool tunnels;
};

/* A small object; decoders are made with the first byte. Fails with ERR_NOMEM. */
int observe_new(const struct observe_options *options, struct observe **out,
		struct err *e) MUST_CHECK;
void observe_free(struct observe *o);
/* Plaintext of one direction, in its order. wall_ns and mono_ns are put into the events. */
void observe_feed(struct observe *o, enum flow_dir dir, struct bytes in, int64_t wall_ns,
		  int64_t mono_ns);
/* n bytes of a direction are missing in a capture (0: some, nobody knows how many). A body of a known
 * length goes on behind them, and its message ends truncated; else what is under way ends, and the
 * next head that can be found is where it goes on. */
void observe_gap(struct observe *o, enum flow_dir dir, uint64_t n, int64_t wall_ns,
		 int64_t mono_ns);
/* The packet of the capture that the next bytes came in, for the events. */
void observe_packet(struct observe *o, uint64_t packet);
/* With .tunnels: whether HTTP/1.1 has given way to something else. No byte is taken any more; *rest
 * are those of the last observe_feed that were left, a part of what it was given. */
bool observe_tunnel(const struct observe *o, struct bytes *rest);
/* The number of the last HTTP/1.1 exchange; .streams when there was none. */
uint64_t observe_streams(const struct observe *o);
/* The direction ended: clean with close_notify (or FIN, without TLS), else cut off. */
void observe_end(struct observe *o, enum flow_dir dir, bool clean, int64_t wall_ns,
		 int64_t mono_ns);
/* PROTO_UNKNOWN before the first bytes are understood; PROTO_GRPC once a call was seen. */
enum flow_proto observe_proto(const struct observe *o);
/* HTTP/1.1 requests that wait for the head of their final answer. After an Upgrade or CONNECT request
 * 0 means that it was decided: observe_proto is PROTO_HTTP1 still when it was refused. */
size_t observe_waiting(const struct observe *o);
/* No exchange is under way: before the first, or between two. Of what is no HTTP, and of WebSockets,
 * that cannot be known: they never are idle. */
bool observe_idle(const struct observe *o);
uint64_t observe_bytes(const struct observe *o, enum flow_dir dir);
/* Why the flow became bytes in the midst of HTTP, one sentence; NULL when it did not. Bytes from
 * the start, because they did not look like HTTP, are no fault. */
const char *observe_fault(const struct observe *o);
/* HTTP_ODD_ of all requests and responses together (http/message.h), and in words. */
unsigned observe_odd(const struct observe *o);
const char *http_odd_text(unsigned odd); /* of the lowest bit; NULL for 0 */

#endif
