/* WebSocket as it passes: frames of both directions (RFC 6455) with permessage-deflate undone
 * (RFC 7692). Messages are handed over piece by piece, control frames whole. What is decompressed
 * is bounded by what came in: in a direction that expands beyond it, or is no deflate, the message
 * ends there (its end is marked compressed), and the next ones are handed over compressed. */
#ifndef HTTP_WEBSOCKET_H
#define HTTP_WEBSOCKET_H

#include "http/message.h"

/* What was agreed in Sec-WebSocket-Extensions. */
struct websocket_params {
	bool deflate;
	bool unknown;	    /* another extension: bytes of messages are handed over as they are */
	bool no_context[2]; /* by direction: each message is compressed by itself */
	uint8_t bits[2];    /* by direction: the size of the window, 8 to 15 */
};

/* Reads the response's Sec-WebSocket-Extensions; an empty value means none. */
struct websocket_params websocket_params(struct bytes extensions);

struct websocket_options {
	struct websocket_params params;
	uint64_t stream;
	const struct http_sink *sink; /* borrowed until websocket_free */
};

struct websocket;
/* Whether messages are decompressed is settled here: only when sink->on_body is set.
 * Fails with ERR_NOMEM. */
int websocket_new(const struct websocket_options *options, struct websocket **out,
		  struct err *e) MUST_CHECK;
void websocket_free(struct websocket *w);
/* Fails with ERR_HTTP_DECODE or ERR_NOMEM, and then always. */
int websocket_feed(struct websocket *w, enum http_dir dir, struct bytes in,
		   struct err *e) MUST_CHECK;
/* Says on_end for the direction, once; truncated when the last frame is incomplete, or when neither
 * a Close frame nor a clean end came. */
void websocket_end(struct websocket *w, enum http_dir dir, bool clean);

#endif
