/* `oriel read` at work: packets and secrets from the input, dealt out to the lanes, what they say
 * written in order. */
#ifndef CMD_READ_RUN_H
#define CMD_READ_RUN_H

#include "cmd/keylog_source.h"
#include "cmd/read_view.h"
#include "tap/front.h"

struct read_result {
	struct read_view_counts counts;
	struct front_stats packets;
	uint64_t
		faults; /* sentences that were printed: blocks that were bad, an input that broke off */
};

/* keylogs: what grows while it is read (with tail). Prints one sentence on standard error for each
 * thing that is wrong with the input, and goes on. Fails when nothing more can be shown. */
int read_run(const struct read_options *o, struct keylog_sources *keylogs, struct read_result *out,
	     struct err *e) MUST_CHECK;

#endif
