/* The handshakes of captured flows step by step (--handshakes): each step numbered, with its time,
 * an arrow between client and server, what it carries, and which step it answers or follows. As text
 * a flow is written when it ends; as JSON each step at once.
 *
 * A consumer of events: it comes behind the tracker on the bus when wanted asks the tracker, and is
 * asked about a flow for the last time when that has ended. */
#ifndef FLOW_LADDER_H
#define FLOW_LADDER_H

#include "base/buf.h"
#include "flow/event.h"

struct ladder;

struct ladder_options {
	struct buf *out; /* borrowed: what is to be shown is appended here */
	bool json;	 /* {"v":1,"type":"handshake",…} one a line */
	bool colour;
	bool explain; /* what each message is for, below it */
	int utc_offset_s;
	size_t max_flows; /* open at a time; 0: 16,384 */
	size_t max_text;  /* bytes of a flow; 0: 64 KiB */
	/* Asked before a flow (text) or step (JSON) is written; NULL: all are wanted. */
	bool (*wanted)(void *ctx, uint64_t flow);
	void *ctx;
};

/* Fails with ERR_NOMEM. */
int ladder_new(const struct ladder_options *o, struct ladder **out, struct err *e) MUST_CHECK;
/* Flows that have not ended are not written. */
void ladder_free(struct ladder *l);
struct event_sink ladder_sink(struct ladder *l);

struct ladder_stats {
	uint64_t dropped; /* flows or steps for which there was no room or memory */
};
void ladder_stats(const struct ladder *l, struct ladder_stats *out);

#endif
