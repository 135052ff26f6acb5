/* The plaintext of one captured flow as it was said (--follow N): a consumer of EV_DATA that appends
 * to a buf. Bytes that are missing or stayed encrypted are told of in their place, but in raw
 * form.
 *
 *   text: what the client says begins with "> ", what the server says with "< ", or has colours;
 *         through the escaper but for line ends and tabs
 *   hex:  a dump with offsets of each direction, the server's indented, a row begins with each piece
 *   raw:  the bytes */
#ifndef FLOW_FOLLOW_H
#define FLOW_FOLLOW_H

#include "base/buf.h"
#include "flow/event.h"

enum follow_form { FOLLOW_TEXT, FOLLOW_HEX, FOLLOW_RAW };

struct follow_options {
	struct buf *out; /* borrowed */
	uint64_t flow;
	enum follow_form form;
	bool no_client, no_server; /* leave out what that side said */
	bool colour;
};

struct follow {
	struct follow_options o;
	bool seen;   /* the flow was there */
	bool failed; /* out was full or there was no memory: something is missing; e says it */
	struct err e;
	uint64_t bytes[2]; /* by direction, of those that are shown */
	enum flow_dir dir; /* who spoke last */
	bool begun, in_line;
	uint8_t rest[4]; /* a character that is not whole yet, of dir */
	size_t rest_n;
};

struct follow follow_init(const struct follow_options *o);
struct event_sink follow_sink(struct follow *f);

#endif
