#include "proxy/lane.h"

#include "base/mem.h"
#include "proxy/flow.h"
#include "proxy/session.h"

#define POLICIES_MAX 64
#define VERIFIERS_MAX 16
#define ACCEPT_TURN 64 /* connections taken at a time, before others have their turn */
#define ACCEPT_PAUSE_NS ((int64_t)100 * 1000000)

struct lane_listener {
	struct lane *lane;
	const struct config_listener *config;
	struct loop_watch *watch;
	int fd;
};

static void policy_free_value(void *value)
{
	tls_policy_free(value);
}

static void verifier_free_value(void *value)
{
	verifier_free(value);
}

static void on_minted(void *ctx, int64_t took_ns)
{
	struct lane *l = ctx;

	metric_observe(l->o.metrics, HIST_MINT, took_ns);
}

static int make_resolver(struct lane *l, struct err *e)
{
	struct resolver_options o = { .hosts = l->setup->config->hosts,
				      .host_count = l->setup->config->host_count,
				      .hosts_file = l->o.hosts_file };

	return resolver_new(l->loop, &o, &l->resolver, e);
}

static void on_accept_timer(void *ctx);

static int make_parts(struct lane *l, struct err *e)
{
	struct cache_options policies = { .max_entries = POLICIES_MAX,
					  .free_value = policy_free_value };
	struct cache_options verifiers = { .max_entries = VERIFIERS_MAX,
					   .free_value = verifier_free_value };
	struct tls_policy_options server = { .side = TLS_SERVER };
	struct leaf_desk_options desk = { .store = l->o.shared->leaves,
					  .minter = l->o.minter,
					  .on_minted = on_minted,
					  .ctx = l };

	l->scratch = mem_new(sizeof(*l->scratch));
	if (!l->scratch)
		return FAIL(e, NOMEM, "a lane's memory");
	if (make_resolver(l, e) < 0 || cache_new(&policies, &l->policies, e) < 0 ||
	    cache_new(&verifiers, &l->verifiers, e) < 0 ||
	    session_cache_new(l->setup->config->limits.sessions, &l->sessions, e) < 0 ||
	    tls_policy_new(&server, &l->server_policy, e) < 0 ||
	    leaf_desk_new(&desk, &l->desk, e) < 0)
		return -1;
	return loop_timer_new(l->loop, on_accept_timer, l, &l->accept_timer, e);
}

int lane_new(const struct lane_options *o, struct lane **out, struct err *e)
{
	struct lane *l = mem_new(sizeof(*l));

	if (!l)
		return FAIL(e, NOMEM, "a lane");
	l->o = *o;
	l->loop = o->loop;
	l->setup = setup_ref(o->setup);
	list_init(&l->flows);
	if (make_parts(l, e) < 0) {
		lane_free(l);
		return err_ctx(e, "lane %u", o->index);
	}
	*out = l;
	return 0;
}

static void stop_listening(struct lane *l)
{
	for (size_t i = 0; i < l->listener_count; i++)
		loop_watch_free(l->listeners[i].watch);
	mem_free(l->listeners);
	l->listeners = NULL;
	l->listener_count = 0;
}

void lane_free(struct lane *l)
{
	if (!l)
		return;
	l->on_drained = NULL;
	stop_listening(l);
	LIST_EACH (it, &l->flows)
		flow_free(LIST_OWNER(it, struct flow, node));
	loop_timer_free(l->accept_timer);
	leaf_desk_free(l->desk);
	tls_policy_free(l->server_policy);
	cache_free(l->sessions);
	cache_free(l->verifiers);
	cache_free(l->policies);
	resolver_free(l->resolver);
	setup_free(l->setup);
	mem_free(l->scratch);
	mem_free(l);
}

/* --- accepting --- */

static void listen_set(struct lane *l, unsigned events)
{
	for (size_t i = 0; i < l->listener_count; i++)
		loop_watch_set(l->listeners[i].watch, events);
}

static void pause_accepting(struct lane *l)
{
	listen_set(l, 0);
	metric_add(l->o.metrics, METRIC_ACCEPT_PAUSED, 1);
	loop_timer_set(l->accept_timer, ACCEPT_PAUSE_NS);
}

static bool has_room(const struct lane *l)
{
	uint64_t open = atomic_load_explicit(&l->o.shared->open_flows, memory_order_relaxed);

	return open < l->o.shared->max_flows && open < l->setup->config->limits.connections;
}

static void on_accept_timer(void *ctx)
{
	struct lane *l = ctx;

	if (l->draining)
		return;
	if (has_room(l))
		listen_set(l, LOOP_READ);
	else
		loop_timer_set(l->accept_timer, ACCEPT_PAUSE_NS);
}

static void on_listener(void *ctx, unsigned events)
{
	struct lane_listener *ll = ctx;
	struct lane *l = ll->lane;
	int fd = -1;

	(void)events;
	for (int i = 0; i < ACCEPT_TURN; i++) {
		if (!has_room(l)) {
			pause_accepting(l);
			return;
		}
		switch (sock_accept(ll->fd, &fd, NULL, NULL)) {
		case SOCK_ACCEPTED:
			atomic_fetch_add_explicit(&l->o.shared->open_flows, 1,
						  memory_order_relaxed);
			l->flow_count++;
			metric_add(l->o.metrics, METRIC_ACCEPTED, 1);
			flow_start(l, ll->config, fd);
			break;
		case SOCK_ACCEPT_NO_FDS:
			pause_accepting(l);
			return;
		case SOCK_ACCEPT_NONE:
		case SOCK_ACCEPT_ERROR:
			return;
		}
	}
}

int lane_listen(struct lane *l, struct setup *s, const int *fds, size_t count, struct err *e)
{
	struct lane_listener *list = mem_new_array(count, sizeof(*list));

	if (!list)
		return FAIL(e, NOMEM, "the listeners");
	for (size_t i = 0; i < count; i++) {
		list[i] = (struct lane_listener){ .lane = l,
						  .config = &s->config->listeners[i],
						  .fd = fds[i] };
		if (loop_watch_new(l->loop, fds[i],
				   (struct loop_watch_call){ on_listener, &list[i] },
				   &list[i].watch, e) == 0)
			continue;
		while (i > 0)
			loop_watch_free(list[--i].watch);
		mem_free(list);
		return -1;
	}
	if (resolver_set_hosts(l->resolver, s->config->hosts, s->config->host_count, e) < 0) {
		for (size_t i = 0; i < count; i++)
			loop_watch_free(list[i].watch);
		mem_free(list);
		return -1;
	}
	stop_listening(l);
	setup_ref(s);
	setup_free(l->setup);
	l->setup = s;
	l->listeners = list;
	l->listener_count = count;
	listen_set(l, LOOP_READ);
	return 0;
}

/* --- the end --- */

static void drained(struct lane *l)
{
	void (*done)(void *ctx) = l->on_drained;

	l->on_drained = NULL;
	if (done)
		done(l->drained_ctx);
}

void lane_flow_ended(struct lane *l)
{
	atomic_fetch_sub_explicit(&l->o.shared->open_flows, 1, memory_order_relaxed);
	l->flow_count--;
	if (l->draining && l->flow_count == 0)
		drained(l);
}

void lane_drain(struct lane *l, void (*done)(void *ctx), void *ctx)
{
	l->draining = true;
	l->on_drained = done;
	l->drained_ctx = ctx;
	stop_listening(l);
	LIST_EACH (it, &l->flows) {
		struct flow *f = LIST_OWNER(it, struct flow, node);

		if (f->state == FLOW_PUMP)
			flow_wake(f);
	}
	if (l->flow_count == 0)
		drained(l);
}

struct verifier *lane_verifier(struct lane *l, struct trust *t, struct err *e)
{
	struct bytes key = bytes_of(&t, sizeof(struct trust *));
	int64_t now = loop_mono_ns(l->loop);
	struct verifier *v = cache_find(l->verifiers, key, now);
	struct verifier_options o = { .trust = t };

	if (v)
		return v;
	/* The verifier holds a count of its trust, so that no other can come to lie at its address. */
	if (verifier_new(&o, &v, e) < 0 || cache_put(l->verifiers, key, v, now, e) < 0)
		return NULL;
	return v;
}
