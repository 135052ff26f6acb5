/* The lanes of `oriel read` and the threads they run on. The caller deals batches out to all lanes
 * at once; each lane works through its own in order; what they said comes back in the order of the
 * packets. With one lane everything happens in the caller's thread. */
#ifndef CMD_READ_CREW_H
#define CMD_READ_CREW_H

#include "cmd/read_batch.h"
#include "tap/context.h"

#define CREW_LANES_MAX 8
#define CREW_RING 8 /* batches of a lane that are under way */

/* What a lane does with a batch: fills in its output. Runs in the lane's thread. */
struct crew_work {
	void (*run)(void *lane, struct read_batch *b);
	void *lanes[CREW_LANES_MAX];
	size_t count; /* of lanes */
	/* Takes a batch of each lane when all of them are done, in the caller's thread. */
	int (*done)(void *ctx, struct read_batch *const *batches, size_t count, struct err *e);
	void *ctx;
};

struct crew;

/* work is borrowed. Fails with ERR_NOMEM, ERR_SYSTEM. */
int crew_new(const struct crew_work *work, struct crew **out, struct err *e) MUST_CHECK;
void crew_free(struct crew *c); /* what was not given yet is lost */
/* The batch of a lane that is being filled. */
struct read_batch *crew_batch(struct crew *c, size_t lane);
/* Hands the batches of all lanes out: everything up to packet is in them. Fails as done does. */
int crew_submit(struct crew *c, uint64_t packet, struct err *e) MUST_CHECK;
/* Waits until all that was submitted is done. Fails as done does. */
int crew_drain(struct crew *c, struct err *e) MUST_CHECK;

/* Sessions that the lanes share. A lane that looks for one at some packet waits until all the others
 * have come there: what it finds does not depend on the threads. */
struct tap_sessions *crew_sessions(struct crew *c, size_t lane);

#endif
