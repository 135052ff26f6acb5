/* The flows of a front: one entry for both directions, by addresses, ports and protocol. Shared by the
 * front*.c only. */
#ifndef TAP_FRONT_TABLE_H
#define TAP_FRONT_TABLE_H

#include "base/list.h"
#include "tap/front.h"

/* The end with the lower address and port comes first, so that both directions have one key. */
struct flow_key {
	uint8_t p[40];	  /* zeroed behind what there is */
	size_t n;	  /* 16 or 40 */
	bool from_second; /* who sent it; not part of the key */
};

/* What was seen of a direction of TCP. */
struct flow_side {
	bool isn_known, first_known, acked_known, fin_known;
	uint32_t isn;
	uint32_t first; /* lowest sequence number, but SYN's */
	uint32_t next;	/* behind the highest; known when first is */
	uint32_t acked; /* by the other side */
	uint32_t first_acked;
	uint32_t fin; /* behind FIN */
};

enum flow_state {
	FLOW_LIVE,
	FLOW_LIVE_UDP,
	FLOW_ENDING,   /* over when it is silent for a moment */
	FLOW_DOUBTFUL, /* it seems to end: over when it is silent for a minute */
	FLOW_GONE,     /* it was told that it is over; late segments still find it */
	FLOW_STATES
};

struct flow_entry {
	struct flow_entry *next; /* in its bucket */
	struct list recent;	 /* in the list of its state; the most silent first */
	uint64_t hash;
	uint64_t number;
	enum flow_state state;
	bool client_second; /* of the two in the key */
	bool told;	    /* its first segment was */
	struct tap_at last;
	struct flow_side side[2]; /* by enum flow_dir */
	struct flow_key key;
};

struct flow_table {
	struct flow_entry **buckets;
	size_t size;  /* a power of two */
	size_t count; /* of all states */
	size_t gone;
	struct list state[FLOW_STATES];
	struct flow_entry *latest; /* found last */
};

int flow_table_init(struct flow_table *t, struct err *e) MUST_CHECK;
void flow_table_fini(struct flow_table *t);
void flow_key(struct flow_key *k, const struct packet_segment *s);
struct flow_entry *flow_table_find(struct flow_table *t, const struct flow_key *k);
/* NULL when there is no memory. */
struct flow_entry *flow_table_add(struct flow_table *t, const struct flow_key *k,
				  enum flow_state state) MUST_CHECK;
void flow_table_remove(struct flow_table *t, struct flow_entry *en);
/* Puts it at the end of the list of this state. */
void flow_table_touch(struct flow_table *t, struct flow_entry *en, enum flow_state state);
/* The most silent of this state, or NULL. */
struct flow_entry *flow_table_oldest(const struct flow_table *t, enum flow_state state);

#endif
