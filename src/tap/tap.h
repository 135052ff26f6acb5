/* The decrypt engine: segments and secrets in, flow events out. Pure; serves capture files and live
 * captures alike. One engine a thread: flows are dealt out to engines by their numbers, segments come
 * from one front (tap/front.h). */
#ifndef TAP_TAP_H
#define TAP_TAP_H

#include "tap/context.h"
#include "tap/front.h"

struct tap;

struct tap_options {
	const struct event_bus *bus;	  /* borrowed, as is all below */
	const struct keylog_table *known; /* secrets that are there from the start, or NULL */
	bool secrets_may_come; /* with the packets or later: hold back what waits for them */
	struct rsa_key *const *rsa_keys;
	size_t rsa_key_count;
	struct bytes psk;
	uint64_t max_trials; /* 0: TAP_TRIALS_FILE */
	size_t max_queue;    /* bytes of TCP that came early, all flows; 0: 32 MiB */
	size_t max_held;     /* bytes that wait for secrets, all flows; 0: 32 MiB */
	/* Where sessions are kept when several engines share them; NULL: the engine's own. */
	const struct tap_sessions *sessions;
};

int tap_new(const struct tap_options *o, struct tap **out, struct err *e) MUST_CHECK;
void tap_free(struct tap *t);
void tap_segment(struct tap *t, const struct tap_segment *s);
/* Text of a key log that came with the packets. Then tap_wake is to be called until it returns 0. */
int tap_secrets(struct tap *t, struct bytes text, struct err *e) MUST_CHECK;
/* Lets the next flow that these secrets may concern hear of them, in the order of their numbers, and
 * returns its number; 0: none is left. */
uint64_t tap_wake(struct tap *t, struct tap_at at);
/* Who has this pid; for segments to come. */
int tap_process(struct tap *t, int64_t pid, struct bytes name, struct err *e) MUST_CHECK;
/* The capture is over: ends the open flow with the lowest number and returns that; 0: none is left.
 * UDP flows come after those of TCP. */
uint64_t tap_finish(struct tap *t, struct tap_at at);

struct tap_stats {
	uint64_t flows, encrypted, dark; /* ended so far */
	size_t open;
};
void tap_stats(const struct tap *t, struct tap_stats *out);

#endif
