#include "cmd/worker_lane.h"

#include <stdio.h>

#include "base/mem.h"

struct socket_set *socket_set_new(const int *fds, size_t count)
{
	struct socket_set *s = count <= DELIVERY_LISTENERS_MAX ? mem_new(sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	atomic_init(&s->refs, 1);
	s->count = count;
	memcpy(s->fds, fds, count * sizeof(*fds));
	return s;
}

struct socket_set *socket_set_ref(struct socket_set *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void socket_set_free(struct socket_set *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	for (size_t i = 0; i < s->count; i++)
		sock_close(&s->fds[i]);
	mem_free(s);
}

static int add_sinks(struct worker_lane *wl, const struct worker_lane_options *o, struct err *e)
{
	if (views_tracker(o->views, &wl->tracker, e) < 0 ||
	    event_bus_add(&wl->bus, tracker_sink(wl->tracker), e) < 0 ||
	    event_bus_add(&wl->bus, metrics_sink(&wl->metrics), e) < 0)
		return -1;
	return event_bus_add(&wl->bus, o->owners, e);
}

int worker_lane_init(struct worker_lane *wl, const struct worker_lane_options *o, struct err *e)
{
	struct lane_options lo = { .index = o->index,
				   .shared = o->shared,
				   .bus = &wl->bus,
				   .metrics = &wl->metrics,
				   .hosts_file = o->hosts_file,
				   .pages = o->pages,
				   .setup = o->setup };

	wl->index = o->index;
	if (loop_new(&wl->loop, e) < 0 || keeper_link_new(wl->loop, &wl->link, e) < 0 ||
	    add_sinks(wl, o, e) < 0)
		return -1;
	lo.loop = wl->loop;
	lo.minter = keeper_link_minter(wl->link);
	if (lane_new(&lo, &wl->lane, e) < 0)
		return -1;
	keeper_link_serve(wl->link, wl->lane->desk);
	return 0;
}

static void *run_thread(void *ctx)
{
	struct worker_lane *wl = ctx;

	loop_run(wl->loop);
	return NULL;
}

int worker_lane_start(struct worker_lane *wl, struct err *e)
{
	if (pthread_create(&wl->thread, NULL, run_thread, wl) != 0)
		return FAIL(e, SYSTEM, "a thread cannot be made");
	wl->started = true;
	return 0;
}

/* --- errands: done in the lane's thread --- */

struct errand {
	struct worker_lane *wl;
	struct setup *setup;
	struct socket_set *sockets;
	int fd;
	uint64_t flow;
	uint32_t pid;
	char name[64];
};

static int post(const struct errand *what, void (*fn)(void *ctx))
{
	struct errand *er = mem_dup(bytes_of(what, sizeof(*what)));

	if (!er)
		return -1;
	if (loop_post(what->wl->loop, fn, er, NULL) == 0)
		return 0;
	mem_free(er);
	return -1;
}

static void do_stop(void *ctx)
{
	struct errand *er = ctx;

	loop_stop(er->wl->loop);
	mem_free(er);
}

void worker_lane_fini(struct worker_lane *wl)
{
	struct errand er = { .wl = wl };

	/* Without memory for the message the process ends without this thread's goodbye. */
	if (wl->started && post(&er, do_stop) < 0)
		return;
	if (wl->started)
		pthread_join(wl->thread, NULL);
	wl->started = false;
	lane_free(wl->lane);
	tracker_free(wl->tracker);
	keeper_link_free(wl->link);
	socket_set_free(wl->sockets);
	loop_free(wl->loop);
}

static void do_listen(void *ctx)
{
	struct errand *er = ctx;
	struct worker_lane *wl = er->wl;
	struct err e = { 0 };

	if (lane_listen(wl->lane, er->setup, er->sockets->fds, er->sockets->count, &e) == 0) {
		socket_set_free(wl->sockets);
		wl->sockets = socket_set_ref(er->sockets);
	} else {
		fprintf(stderr, "oriel: lane %u goes on with the old configuration: %s\n",
			wl->index, e.sentence);
	}
	setup_free(er->setup);
	socket_set_free(er->sockets);
	mem_free(er);
}

void worker_lane_listen(struct worker_lane *wl, struct setup *setup, struct socket_set *sockets)
{
	struct errand er = { .wl = wl,
			     .setup = setup_ref(setup),
			     .sockets = socket_set_ref(sockets) };

	if (post(&er, do_listen) == 0)
		return;
	setup_free(er.setup);
	socket_set_free(er.sockets);
}

static void do_join(void *ctx)
{
	struct errand *er = ctx;
	struct err e = { 0 };

	if (keeper_link_join(er->wl->link, er->fd, &e) < 0)
		fprintf(stderr, "oriel: lane %u has no line to the keeper: %s\n", er->wl->index,
			e.sentence);
	mem_free(er);
}

void worker_lane_join(struct worker_lane *wl, int keeper_fd)
{
	struct errand er = { .wl = wl, .fd = keeper_fd };

	if (post(&er, do_join) < 0)
		sock_close(&keeper_fd);
}

static void do_drain(void *ctx)
{
	struct errand *er = ctx;
	struct worker_lane *wl = er->wl;

	mem_free(er);
	lane_drain(wl->lane, wl->on_drained, wl->drained_ctx);
	/* Closed in all lanes, and in the supervisor: who connects now is refused. */
	socket_set_free(STEAL(wl->sockets));
}

void worker_lane_drain(struct worker_lane *wl, void (*done)(void *ctx), void *ctx)
{
	struct errand er = { .wl = wl };

	wl->on_drained = done;
	wl->drained_ctx = ctx;
	if (post(&er, do_drain) < 0)
		done(ctx);
}

static void do_owner(void *ctx)
{
	struct errand *er = ctx;

	tracker_set_process(er->wl->tracker, er->flow, bytes_str(er->name), er->pid);
	mem_free(er);
}

void worker_lane_owner(struct worker_lane *wl, uint64_t flow, struct bytes name, uint32_t pid)
{
	struct errand er = { .wl = wl, .flow = flow, .pid = pid };

	memcpy(er.name, name.p, name.n < sizeof(er.name) ? name.n : sizeof(er.name) - 1);
	/* Nobody misses a name that there was no memory for. */
	if (post(&er, do_owner) < 0)
		return;
}
