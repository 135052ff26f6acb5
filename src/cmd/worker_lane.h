/* The worker's lanes: a thread with a loop each. What the worker's main thread wants of a lane is
 * posted to its loop. */
#ifndef CMD_WORKER_LANE_H
#define CMD_WORKER_LANE_H

#include <pthread.h>
#include <stdatomic.h>

#include "cmd/delivery.h"
#include "cmd/views.h"
#include "proxy/keeper_link.h"
#include "proxy/lane.h"

#define LANES_MAX 64

/* Listening sockets, closed when the last lane has left them for others. */
struct socket_set {
	atomic_uint refs;
	int fds[DELIVERY_LISTENERS_MAX];
	size_t count;
};
struct socket_set *socket_set_new(const int *fds,
				  size_t count); /* takes the descriptors; NULL: no memory */
struct socket_set *socket_set_ref(struct socket_set *s);
void socket_set_free(struct socket_set *s);

struct worker_lane {
	unsigned index;
	pthread_t thread;
	bool started;
	struct loop *loop;
	struct lane *lane;
	struct keeper_link *link;
	struct event_bus bus;
	struct tracker *tracker;
	struct socket_set *sockets;
	struct metrics metrics;
	void (*on_drained)(void *ctx);
	void *drained_ctx;
};

struct worker_lane_options {
	unsigned index;
	struct proxy_shared *shared;
	struct views *views;
	struct setup *setup;
	struct bytes hosts_file;
	struct lane_pages pages;
	struct event_sink owners; /* hears of flows that open */
};
/* Everything but the thread. */
int worker_lane_init(struct worker_lane *wl, const struct worker_lane_options *o,
		     struct err *e) MUST_CHECK;
int worker_lane_start(struct worker_lane *wl, struct err *e) MUST_CHECK;
void worker_lane_fini(struct worker_lane *wl); /* ends the thread and all flows */

/* From the main thread. Each takes a count of what it is given. */
void worker_lane_listen(struct worker_lane *wl, struct setup *setup, struct socket_set *sockets);
void worker_lane_join(struct worker_lane *wl, int keeper_fd); /* takes the descriptor */
void worker_lane_drain(struct worker_lane *wl, void (*done)(void *ctx),
		       void *ctx); /* done: in the lane's thread */
void worker_lane_owner(struct worker_lane *wl, uint64_t flow, struct bytes name, uint32_t pid);

#endif
