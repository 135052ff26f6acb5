/* Mimic leaves for the flows of a lane: what was minted before comes from a store that all lanes
 * share; what was not is asked for once, however many flows wait for it (single flight). Who mints
 * is behind a small interface, filled by the link to the keeper process. */
#ifndef PROXY_LEAF_H
#define PROXY_LEAF_H

#include "proxy/keeper_proto.h"
#include "tls/tls.h"

/* A mimic, ready to be shown. Counted, immutable, used by any thread. */
struct leaf {
	struct tls_identity *identity;
	enum key_kind kind;
	char *key_note; /* why the key is not of the origin's kind; empty when it is */
	char *issuer;	/* as text; NULL: not known */
};
void leaf_free(struct leaf *l); /* gives one count back */
struct leaf *leaf_ref(struct leaf *l);

/* The shared store (leaf_store.h): sharded, bounded by count and age. Thread-safe. */
struct leaf_store;
int leaf_store_new(size_t max_leaves, int64_t max_age_ns, struct leaf_store **out,
		   struct err *e) MUST_CHECK;
void leaf_store_free(struct leaf_store *s);
size_t leaf_store_count(struct leaf_store *s);

struct leaf_ask;

/* Who mints: sends the request on its way. The answer comes by leaf_desk_answer or
 * leaf_desk_refuse with the same id, never from inside send. */
struct leaf_minter {
	int (*send)(void *ctx, uint32_t id, const struct leaf_ask *ask, struct err *e);
	void *ctx;
};

struct leaf_desk;   /* one a lane */
struct leaf_ticket; /* a flow that waits */

/* Either leaf (a count for the callee) or why there is none. */
typedef void leaf_done_fn(void *ctx, struct leaf *leaf, const struct err *why);

struct leaf_desk_options {
	struct leaf_store *store;
	struct leaf_minter minter;
	size_t max_pending; /* certificates being minted at a time; 0: 4096 */
	void (*on_minted)(void *ctx, int64_t took_ns); /* for metrics; may be NULL */
	void *ctx;
};
int leaf_desk_new(const struct leaf_desk_options *o, struct leaf_desk **out,
		  struct err *e) MUST_CHECK;
void leaf_desk_free(struct leaf_desk *d); /* nobody waits any more */

enum leaf_outcome { LEAF_READY, LEAF_WAIT };
struct leaf_ask {
	struct bytes origin_der;
	enum mint_mode mode;
	struct bytes name; /* with MINT_ALLOWED: that the mimic shall be for besides; or empty */
	int64_t now_ns;	   /* monotonic */
	leaf_done_fn *done;
	void *ctx;
};
struct leaf_reply {
	enum leaf_outcome outcome;
	struct leaf *leaf;	    /* LEAF_READY: the caller's */
	struct leaf_ticket *ticket; /* LEAF_WAIT: done is called later, unless it is cancelled */
};
/* Fails when nothing can be asked. */
int leaf_desk_ask(struct leaf_desk *d, const struct leaf_ask *ask, struct leaf_reply *reply,
		  struct err *e) MUST_CHECK;
void leaf_ticket_cancel(struct leaf_ticket *t); /* also NULL */

/* From the minter. Unknown ids are ignored. m is a KEEPER_LEAF; key is the one it names (borrowed). */
void leaf_desk_answer(struct leaf_desk *d, const struct keeper_message *m, struct tls_key *key,
		      int64_t now_ns);
void leaf_desk_refuse(struct leaf_desk *d, uint32_t id, const struct err *why);
/* All that wait are refused: the keeper is gone. */
void leaf_desk_refuse_all(struct leaf_desk *d, const struct err *why);

#endif
