/* HTTP/1.1 requests terminated and written again, with a filter in between (filter.h): one
 * direction of one connection. What no filter changed goes through byte for byte.
 *
 * It is strict where two parsers could differ (request smuggling, RFC 9112, 11.2): CRLF only, no
 * folded lines, no blank before a colon, one Content-Length of digits, or Transfer-Encoding: chunked
 * and nothing else, never both; one Host; HTTP/1.0 or 1.1. Anything else is refused with the reason. */
#ifndef HTTP_REWRITE1_H
#define HTTP_REWRITE1_H

#include "http/filter.h"

struct rewrite1;

enum rewrite1_status {
	REWRITE1_OPEN,	  /* wants more */
	REWRITE1_HELD,	  /* a filter holds the message: rewrite1_feed again when it may go on */
	REWRITE1_WAIT,	  /* after Upgrade or CONNECT: wants rewrite1_answer before it goes on */
	REWRITE1_FULL,	  /* out has no room: rewrite1_feed again when it has */
	REWRITE1_ENDED,	  /* the filter ended the message: see the err (REFUSED) */
	REWRITE1_REFUSED, /* see the err (HTTP_DECODE: answer 400; LIMIT: answer 431; UNSUPPORTED) */
};

/* filter is borrowed until rewrite1_free. Fails with ERR_NOMEM. */
int rewrite1_new(const struct http_filter *filter, struct rewrite1 **out, struct err *e) MUST_CHECK;
void rewrite1_free(struct rewrite1 *r);

/* out must be able to hold this much. A filter is only asked when there is room for all that it may
 * answer, so it is never asked twice about the same. */
#define REWRITE1_ROOM (96 * 1024)

struct rewrite1_io {
	struct bytes in; /* what is used up is taken from its front */
	struct buf *out; /* what goes upstream; never holds the part of a head */
};
/* Goes on until io->in is used up or something else must come first. ENDED and REFUSED stay. */
enum rewrite1_status rewrite1_feed(struct rewrite1 *r, struct rewrite1_io *io, struct err *e);
/* The response to the Upgrade or CONNECT request: switched, from here on bytes are not HTTP. */
void rewrite1_answer(struct rewrite1 *r, bool switched);
/* The client ended. False when it did in the middle of a message (the filter hears on_reset). */
bool rewrite1_end(struct rewrite1 *r);

#endif
