/* HTTP/1.1 as it passes: both directions of one connection (RFC 9112). The bytes of each direction
 * are read by llhttp; requests and responses are paired, so that the answers to HEAD and CONNECT,
 * interim answers and upgrades are read rightly. Between messages nothing is held but this object;
 * bodies are never copied. */
#ifndef HTTP_HTTP1_H
#define HTTP_HTTP1_H

#include "http/message.h"
#include "http/websocket.h"

/* Requests that wait for their answer at the same time; more cannot be followed. */
#define HTTP1_PIPELINE_MAX 64

struct http1;

/* sink is borrowed until http1_free. Fails with ERR_NOMEM. */
int http1_new(const struct http_sink *sink, struct http1 **out, struct err *e) MUST_CHECK;
void http1_free(struct http1 *h);

enum http1_status {
	HTTP1_OPEN,
	HTTP1_SWITCHED, /* both directions now speak what http1_switched says */
	HTTP1_FAILED,	/* cannot go on: see the err (HTTP_DECODE, LIMIT, NOMEM) */
};

/* *used: how many bytes of in belong to HTTP/1.1: all of them (HTTP1_OPEN), those before the other
 * protocol (HTTP1_SWITCHED), those before the message that could not be read (HTTP1_FAILED; what
 * came of that message in earlier calls is in http1_pending). */
enum http1_status http1_feed(struct http1 *h, enum http_dir dir, struct bytes in, size_t *used,
			     struct err *e);
/* n bytes of a direction are missing. True: they are of the midst of a body, which goes on behind
 * them, and its message will end truncated. False: nothing has changed, and it cannot go on. */
bool http1_gap(struct http1 *h, enum http_dir dir, uint64_t n);
/* The direction ended. A body that only the end of the connection delimits is complete when it
 * ended cleanly. */
void http1_end(struct http1 *h, enum http_dir dir, bool clean);
/* The bytes held of a head that is not complete yet; also after http1_end. */
struct bytes http1_pending(const struct http1 *h, enum http_dir dir);
/* Requests whose final answer's head has not come yet. */
size_t http1_waiting(const struct http1 *h);
/* Nothing is under way: no message has begun that has not ended, no request waits for an answer. */
bool http1_idle(const struct http1 *h);
/* Whether any head was read completely. */
bool http1_seen(const struct http1 *h);

enum http1_next { HTTP1_TO_BYTES, HTTP1_TO_WEBSOCKET, HTTP1_TO_HTTP2 };
struct http1_switch {
	enum http1_next next;
	uint64_t stream; /* of the exchange that switched */
	struct websocket_params ws;
};
/* Valid after HTTP1_SWITCHED. The response's head was handed over, its end was not: it ends when
 * the other protocol does. (An upgrade to HTTP/2 is an interim answer: the response comes as
 * HTTP/2's stream 1.) */
const struct http1_switch *http1_switched(const struct http1 *h);

#endif
