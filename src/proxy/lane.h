/* A lane: one loop's share of the proxy. It owns what its flows need (caches, sessions, scratch
 * memory, the event bus); lanes share nothing but the setup, the store of leaves and numbers. */
#ifndef PROXY_LANE_H
#define PROXY_LANE_H

#include "base/cache.h"
#include "base/list.h"
#include "flow/event.h"
#include "flow/metrics.h"
#include "net/dial.h"
#include "net/loop.h"
#include "proxy/leaf.h"
#include "proxy/leg.h"
#include "proxy/setup.h"

/* Shared by all lanes of a process. */
struct proxy_shared {
	struct leaf_store *leaves;
	struct quota *quota;
	_Atomic uint64_t flow_numbers;
	_Atomic uint64_t open_flows;
	uint64_t max_flows; /* what the descriptors allow */
};

/* What the proxy itself serves at http://oriel.internal/; a whole HTTP/1.1 response. */
struct lane_pages {
	int (*get)(void *ctx, struct bytes path, struct buf *out, struct err *e);
	void *ctx;
};

struct lane_options {
	struct loop *loop;
	unsigned index;
	struct proxy_shared *shared;
	struct leaf_minter minter;
	struct event_bus *bus;	 /* borrowed */
	struct metrics *metrics; /* borrowed */
	struct bytes hosts_file; /* text of /etc/hosts */
	struct lane_pages pages;
	struct setup *setup; /* the first; a count is taken */
};

struct lane {
	struct lane_options o;
	struct loop *loop;
	struct setup *setup; /* of flows to come */
	struct leg_scratch *scratch;
	struct resolver *resolver;
	struct leaf_desk *desk;
	struct cache *policies;	 /* of struct tls_policy, by what the client offered */
	struct cache *sessions;	 /* of sessions (session.c), by server */
	size_t sessions_more;	 /* room for them beyond what every server has */
	struct cache *verifiers; /* of struct verifier, by trust */
	struct tls_policy *server_policy;
	struct list flows;
	size_t flow_count;
	struct lane_listener *listeners;
	size_t listener_count;
	struct loop_timer *accept_timer; /* accepting goes on after a pause */
	bool draining;
	void (*on_drained)(void *ctx);
	void *drained_ctx;
};

int lane_new(const struct lane_options *o, struct lane **out, struct err *e) MUST_CHECK;
void lane_free(struct lane *l); /* ends all its flows */
/* From now on flows begin with this setup (a count is taken), accepted on these descriptors
 * (borrowed, shared with other lanes): fds[i] belongs to its config->listeners[i]. Flows that are
 * open go on with what they began with. On failure all is as it was. */
int lane_listen(struct lane *l, struct setup *s, const int *fds, size_t count,
		struct err *e) MUST_CHECK;
/* No more accepting; flows end when no exchange is under way in them. done(ctx) when the last has. */
void lane_drain(struct lane *l, void (*done)(void *ctx), void *ctx);

/* For flows. */
struct verifier *lane_verifier(struct lane *l, struct trust *t, struct err *e);
void lane_flow_ended(struct lane *l);

#endif
