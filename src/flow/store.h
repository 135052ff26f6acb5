/* The last exchanges and connections, in memory, for `/flows` and `oriel flows`. Bounded by count
 * and bytes; the oldest leave first. One owner thread. */
#ifndef FLOW_STORE_H
#define FLOW_STORE_H

#include "flow/exchange.h"

struct store;

struct store_options {
	size_t max_entries; /* 0: 1,000 */
	size_t max_bytes;   /* 0: 16 MiB */
};

struct store_entry {
	const struct flow_info *flow;	 /* as it was when the entry was made */
	const struct exchange *exchange; /* NULL: the entry is a connection that ended */
	uint64_t sequence;		 /* from 1, in order of arrival */
};

int store_new(const struct store_options *o, struct store **out, struct err *e) MUST_CHECK;
void store_free(struct store *s);
/* For tracker_options: each keeps a copy. What does not fit at all is counted as lost. */
void store_on_exchange(void *store, const struct flow_info *f, const struct exchange *x);
void store_on_flow(void *store, const struct flow_info *f);
/* The exchange of this running number. Views are valid until the next store_on_…(). */
bool store_find(const struct store *s, uint64_t n, struct store_entry *out);
/* Goes from the oldest to the newest; *cursor is 0 at first. After changes in between it goes on
 * with the oldest that was not handed out yet. False at the end. */
bool store_next(const struct store *s, uint64_t *cursor, struct store_entry *out);
/* Where store_next must begin to hand out at most the last n. */
uint64_t store_last(const struct store *s, size_t n);
size_t store_count(const struct store *s);
size_t store_bytes(const struct store *s);
uint64_t store_lost(const struct store *s);

#endif
