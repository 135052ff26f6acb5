/* What the lanes said, in the order of the packets, written where it belongs. */
#ifndef CMD_READ_MERGE_H
#define CMD_READ_MERGE_H

#include "cmd/read_batch.h"

struct read_merge {
	struct buf lines; /* for standard output */
	int (*har)(void *ctx, struct bytes entries, struct err *e);
	int (*plain)(void *ctx, struct bytes packets, struct err *e);
	void *ctx;
};

/* Takes over the output of a batch of each lane. Fails as writing does, and with what a batch failed
 * with. */
int read_merge_take(struct read_merge *m, struct read_batch *const *batches, size_t count,
		    struct err *e) MUST_CHECK;
/* Writes what is still kept. Fails with ERR_CLOSED when nobody reads any more, ERR_FILE. */
int read_merge_flush(struct read_merge *m, struct err *e) MUST_CHECK;

#endif
