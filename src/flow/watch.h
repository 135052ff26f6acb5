/* For tests: writes down what comes over a bus, one line a fact, pieces of one body put together so
 * that the text does not depend on how the bytes were cut. */
#ifndef FLOW_WATCH_H
#define FLOW_WATCH_H

#include "base/buf.h"
#include "flow/event.h"

struct observe;

struct watch {
	struct event_bus bus;
	struct buf text;
	struct buf body;
	struct event last; /* the piece that is being put together */
	bool has_last;
	int chunks;
	bool no_bytes; /* leave PROTO_BYTES out */
};

void watch_init(struct watch *w, uint32_t mask);
void watch_fini(struct watch *w);
/* The text so far, with a NUL. */
const char *watch_text(struct watch *w);
/* What it was, why it became bytes, and what was odd. */
void watch_outcome(struct watch *w, const struct observe *o);

#endif
