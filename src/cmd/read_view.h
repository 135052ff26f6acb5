/* What one lane of `oriel read` shows: the consumers of its engine's events, which append to the
 * lane's output. */
#ifndef CMD_READ_VIEW_H
#define CMD_READ_VIEW_H

#include "cmd/read_batch.h"
#include "cmd/read_options.h"

struct read_view;

struct read_view_counts {
	uint64_t flows, encrypted, dark; /* of those that were asked for */
	bool found;			 /* the flow or exchange that was asked for */
};

/* Adds its consumers to bus; out is READ_OUT_COUNT long. All borrowed until read_view_free. */
int read_view_new(const struct read_options *o, struct event_bus *bus, struct buf *out,
		  struct read_view **v, struct err *e) MUST_CHECK;
void read_view_free(struct read_view *v);
/* Fails with what went wrong since the view was made: something is missing in the output. */
int read_view_check(struct read_view *v, struct err *e) MUST_CHECK;
void read_view_counts(const struct read_view *v, struct read_view_counts *out);

#endif
