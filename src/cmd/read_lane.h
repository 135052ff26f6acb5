/* A lane of `oriel read`: an engine and what it shows. */
#ifndef CMD_READ_LANE_H
#define CMD_READ_LANE_H

#include "cmd/read_view.h"
#include "tap/tap.h"

struct read_lane;

/* o and sessions (NULL with one lane) are borrowed. */
int read_lane_new(const struct read_options *o, const struct tap_sessions *sessions,
		  struct read_lane **out, struct err *e) MUST_CHECK;
void read_lane_free(struct read_lane *l);
/* For crew_work. */
void read_lane_run(void *lane, struct read_batch *b);
void read_lane_counts(const struct read_lane *l, struct read_view_counts *out);

#endif
