/* JSON lines: one object and a newline for each exchange and each connection. The names are stable
 * and described by doc/events.schema.json; "v" is 1. */
#ifndef FLOW_JSON_H
#define FLOW_JSON_H

#include "base/buf.h"
#include "flow/exchange.h"

struct json_options {
	bool mask;	    /* as mask.h says; bodies and messages are then left out */
	bool mask_but_body; /* not the bodies: they were asked for by name, as with --body */
	bool headers;	    /* heads and trailers */
	bool body;	    /* bodies, decoded: "text", or "base64" */
	size_t body_max;    /* bytes of a decoded body; 0: 64 KiB */
};

/* {"v":1,"type":"exchange",…}. Each appends one line, or fails with ERR_LIMIT or ERR_NOMEM and
 * appends nothing. */
int exchange_json(struct buf *out, const struct json_options *o, const struct flow_info *f,
		  const struct exchange *x, struct err *e) MUST_CHECK;
/* {"v":1,"type":"connection",…} */
int flow_json(struct buf *out, const struct json_options *o, const struct flow_info *f,
	      struct err *e) MUST_CHECK;
/* {"v":1,"type":"message",…} */
int message_json(struct buf *out, const struct json_options *o, const struct flow_info *f,
		 const struct flow_message *m, struct err *e) MUST_CHECK;

#endif
