/* The view for a terminal: one aligned line for each exchange and for each connection that failed,
 * was blocked or spliced. The columns, and what stands in them:
 *
 *   time          HH:MM:SS.mmm
 *   number        of the exchange, for `oriel flows --curl N`
 *   client        process, else address
 *   TLS, ALPN     as the client sees them
 *   method        or, for a connection, "failed", "blocked", "spliced"
 *   status        HTTP's, gRPC's follows the URL
 *   size          of the response's body; of both ways for a connection
 *   duration
 *   URL           or target; the SNI follows when it is not the URL's host, then what was wrong
 *
 * What is too long for its column pushes the rest to the right; the URL stands last, so that
 * nothing else moves. All text from the network goes through the escaper. */
#ifndef FLOW_TEXT_H
#define FLOW_TEXT_H

#include "base/buf.h"
#include "flow/exchange.h"

struct text_options {
	bool colour;	    /* ANSI sequences */
	bool verbose;	    /* TLS of both legs, heads, trailers; sizes of messages */
	bool body;	    /* bodies and messages, decoded, text or a hex dump */
	bool mask;	    /* as mask.h says; bodies and messages are then hidden */
	bool mask_but_body; /* not the bodies: they were asked for by name, as with --body */
	int utc_offset_s;
	unsigned width;	 /* columns; the URL is cut off to fit; 0: never */
	size_t body_max; /* bytes of a decoded body that are shown; 0: 64 KiB */
};

/* The titles of the columns. Each function appends whole lines, or fails with ERR_LIMIT or
 * ERR_NOMEM and appends nothing. */
int text_title(struct buf *out, const struct text_options *o, struct err *e) MUST_CHECK;
int text_exchange(struct buf *out, const struct text_options *o, const struct flow_info *f,
		  const struct exchange *x, struct err *e) MUST_CHECK;
/* Nothing for a flow whose exchanges say everything. */
int text_flow(struct buf *out, const struct text_options *o, const struct flow_info *f,
	      struct err *e) MUST_CHECK;
/* Nothing unless verbose or body. */
int text_message(struct buf *out, const struct text_options *o, const struct flow_info *f,
		 const struct flow_message *m, struct err *e) MUST_CHECK;

#endif
