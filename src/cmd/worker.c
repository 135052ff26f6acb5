#include "cmd/worker.h"

#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "cmd/admin.h"
#include "cmd/config_file.h"
#include "cmd/worker_lane.h"
#include "pki/bundle.h"
#include "proc/channel.h"
#include "proc/sandbox.h"
#include "proxy/quota.h"

#define LEAF_AGE_NS ((int64_t)12 * 3600 * 1000000000)
#define FDS_PER_FLOW 2
#define FDS_SPARE 64
/* Questions to the supervisor, which looks through /proc for each: so many at once, so many a second. */
#define OWNERS_MAX 16
#define OWNERS_EVERY_NS ((int64_t)1000000000 / 4)

struct worker {
	struct loop *loop;
	struct channel *control;
	struct setup *setup;
	struct views *views;
	struct admin *admin;
	struct proxy_shared shared;
	struct delivery *delivery; /* of the setup in force; it borrows from blob */
	struct buf blob;
	struct worker_lane *lanes;
	size_t lane_count;
	bool lanes_running;
	_Atomic unsigned drained;
	_Atomic int64_t owners_ns; /* the moment at which OWNERS_MAX more may be asked */
	/* What came with WORKER_SOCKETS and belongs to the setup that comes next. */
	int sockets[SOCKETS_MAX];
	size_t socket_count;
	struct sockets_header header;
	struct err failure;
	bool failed;
};

static void tell(struct worker *w, enum worker_message type, struct bytes payload)
{
	/* A supervisor that is gone takes this process with it. */
	if (channel_send(w->control, (uint16_t)type, payload, NULL) < 0)
		return;
}

/* --- sockets --- */

static void sockets_close(struct worker *w)
{
	for (size_t i = 0; i < w->socket_count; i++)
		sock_close(&w->sockets[i]);
	w->socket_count = 0;
}

static void take_sockets(struct worker *w, struct channel_message *m)
{
	bool bad = false;
	struct rd r = rd_init(m->payload, &bad);

	w->header = (struct sockets_header){ .listeners = rd_u8(&r) };
	w->header.extras = rd_u8(&r);
	w->header.kept = rd_u8(&r);
	w->header.first = rd_u8(&r);
	if (w->header.first == 0)
		sockets_close(w);
	for (size_t i = 0; i < m->fd_count && w->socket_count < SOCKETS_MAX; i++) {
		w->sockets[w->socket_count++] = m->fds[i];
		m->fds[i] = -1;
	}
}

/* The descriptor of an extra, now the caller's; -1 when it was not sent. */
static int extra_take(struct worker *w, enum socket_extra which)
{
	size_t at = w->header.listeners;
	int fd;

	if (!(w->header.extras & which))
		return -1;
	for (unsigned bit = 1; bit < which; bit <<= 1)
		at += (w->header.extras & bit) != 0;
	if (at >= w->socket_count)
		return -1;
	fd = w->sockets[at];
	w->sockets[at] = -1;
	return fd;
}

static struct socket_set *listeners_take(struct worker *w)
{
	size_t n = w->header.listeners < w->socket_count ? w->header.listeners : w->socket_count;
	struct socket_set *set = socket_set_new(w->sockets, n);

	for (size_t i = 0; set && i < n; i++)
		w->sockets[i] = -1;
	return set;
}

/* --- the setup --- */

static int own_root(struct bytes pem, struct buf *der, struct err *e)
{
	struct pem p = { .rest = pem, .line = 1 };

	return pem_next_cert(&p, der, e) == PEM_BLOCK
		       ? 0
		       : FAIL(e, CERT, "the bump root cannot be read");
}

static void add_keylog(struct worker *w, struct setup_options *o, struct setup_keylog *list,
		       enum socket_extra which)
{
	const struct config_keylog *c = &o->config->observe.keylog;
	struct setup_keylog *k = &list[o->keylog_count];
	int fd = extra_take(w, which);

	if (fd < 0)
		return;
	*k = (struct setup_keylog){ .fd = fd };
	if (which == SOCKETS_KEYLOG) {
		k->local = c->local;
		k->remote = c->remote;
	}
	o->keylogs = list;
	o->keylog_count++;
}

static int setup_make(struct worker *w, const struct delivery *d, struct setup **out, struct err *e)
{
	struct config_file file = { .name = "the configuration", .text = d->config };
	AUTO(buf_fini) struct buf root = buf_init(1 << 20);
	struct setup_keylog keylogs[SETUP_KEYLOGS_MAX];
	struct setup_options o = { .assets = d->assets,
				   .system_roots = d->system_roots,
				   .listeners = d->listeners,
				   .listener_count = d->listener_count,
				   .own = d->own,
				   .own_count = d->own_count };

	if (own_root(d->bump_cert, &root, e) < 0 || config_file_parse(&file, &o.config, e) < 0)
		return -1;
	o.own_root = buf_bytes(&root);
	add_keylog(w, &o, keylogs, SOCKETS_KEYLOG);
	add_keylog(w, &o, keylogs, SOCKETS_KEYLOG_ENV);
	return setup_new(&o, out, e);
}

/* --- whose connection it is: asked of the supervisor, off the path --- */

struct question {
	struct worker *worker;
	uint64_t flow;
	struct addr client, local;
};

static void ask_owner(void *ctx)
{
	struct question *q = ctx;
	struct buf b = buf_init(256);
	struct wr wr = wr_init(&b);

	wr_u64(&wr, q->flow);
	delivery_addr_write(&wr, &q->client);
	delivery_addr_write(&wr, &q->local);
	if (wr_end(&wr, NULL) == 0)
		tell(q->worker, WORKER_ASK_OWNER, buf_bytes(&b));
	buf_fini(&b);
	mem_free(q);
}

/* Two lanes that ask in the same moment may both be let through: nobody is harmed. */
static bool may_ask(struct worker *w, int64_t now)
{
	int64_t full = now - (OWNERS_MAX - 1) * OWNERS_EVERY_NS, due = atomic_load(&w->owners_ns);

	if (due > now)
		return false;
	atomic_store(&w->owners_ns, (due < full ? full : due) + OWNERS_EVERY_NS);
	return true;
}

static void on_flow_open(void *ctx, const struct event *ev)
{
	struct worker *w = ctx;
	const struct ev_flow_open *o = &ev->u.flow_open;
	struct question *q;

	if (addr_kind(&o->client) != ADDR_LOOPBACK || !may_ask(w, ev->mono_ns))
		return;
	q = mem_new(sizeof(*q));
	if (!q)
		return;
	*q = (struct question){
		.worker = w, .flow = ev->flow, .client = o->client, .local = o->local
	};
	if (loop_post(w->loop, ask_owner, q, NULL) < 0)
		mem_free(q);
}

static void take_owner(struct worker *w, struct bytes payload)
{
	bool bad = false;
	struct rd r = rd_init(payload, &bad);
	uint64_t flow = rd_u64(&r);
	uint32_t pid = rd_u32(&r);
	struct rd name = rd_vec16(&r);

	if (bad || !pid)
		return;
	/* Only the lane that has the flow finds it. */
	for (size_t i = 0; i < w->lane_count; i++)
		worker_lane_owner(&w->lanes[i], flow, rd_rest(&name), pid);
}

/* --- lanes --- */

static int internal_page(void *ctx, struct bytes path, struct buf *out, struct err *e)
{
	struct worker *w = ctx;

	return admin_internal_page(w->admin, path, out, e);
}

static size_t lanes_wanted(const struct worker *w)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = w->setup->config->threads ? w->setup->config->threads
					     : (size_t)(cpus > 0 ? cpus : 1);

	return n > LANES_MAX ? LANES_MAX : n;
}

static int lanes_make(struct worker *w, const struct delivery *d, struct err *e)
{
	size_t fds = sock_fd_limit();
	struct worker_lane_options o = {
		.shared = &w->shared,
		.views = w->views,
		.setup = w->setup,
		.hosts_file = d->hosts_file,
		.pages = { .get = internal_page, .ctx = w },
		.owners = { .mask = EV_BIT(EV_FLOW_OPEN), .on_event = on_flow_open, .ctx = w }
	};

	w->shared.max_flows =
		fds > 4 * FDS_SPARE ? (fds * 95 / 100 - FDS_SPARE) / FDS_PER_FLOW : FDS_SPARE;
	if (quota_new(w->setup->config->limits.connections, &w->shared.quota, e) < 0 ||
	    leaf_store_new(w->setup->config->limits.certificates, LEAF_AGE_NS, &w->shared.leaves,
			   e) < 0)
		return -1;
	w->lanes = mem_new_array(lanes_wanted(w), sizeof(*w->lanes));
	if (!w->lanes)
		return FAIL(e, NOMEM, "the lanes");
	while (w->lane_count < lanes_wanted(w)) {
		o.index = (unsigned)w->lane_count++;
		if (worker_lane_init(&w->lanes[o.index], &o, e) < 0)
			return -1;
	}
	return 0;
}

/* --- the start, once; everything that opens files comes before the sandbox --- */

static int views_make(struct worker *w, const struct delivery *d, struct err *e)
{
	struct views_options o = { .observe = &w->setup->config->observe,
				   .terminal = d->terminal,
				   .width = d->width,
				   .utc_offset_s = (int)d->utc_offset_s,
				   .har_fd = extra_take(w, SOCKETS_HAR) };

	return views_new(&o, &w->views, e);
}

static int admin_make(struct worker *w, struct err *e)
{
	struct admin_options o = { .loop = w->loop, .views = w->views, .shared = &w->shared };

	return admin_new(&o, &w->admin, e);
}

static int first_start(struct worker *w, const struct delivery *d, struct err *e)
{
	const struct metrics *metrics[LANES_MAX];

	if (views_make(w, d, e) < 0 || admin_make(w, e) < 0 || lanes_make(w, d, e) < 0)
		return -1;
	for (size_t i = 0; i < w->lane_count; i++) {
		metrics[i] = &w->lanes[i].metrics;
		if (worker_lane_start(&w->lanes[i], e) < 0)
			return -1;
	}
	w->lanes_running = true;
	if (admin_set_metrics(w->admin, metrics, w->lane_count, e) < 0)
		return -1;
	return sandbox_enter(SANDBOX_WORKER, e);
}

/* Those that are not kept are new, or gone. */
static int admin_sockets(struct worker *w, struct err *e)
{
	if (!(w->header.kept & SOCKETS_ADMIN_UNIX) &&
	    admin_serve(w->admin, true, extra_take(w, SOCKETS_ADMIN_UNIX), e) < 0)
		return -1;
	if (w->header.kept & SOCKETS_ADMIN_TCP)
		return 0;
	return admin_serve(w->admin, false, extra_take(w, SOCKETS_ADMIN_TCP), e);
}

static int enforce(struct worker *w, const struct delivery *d, struct socket_set *sockets,
		   struct err *e)
{
	if (!w->lanes_running && first_start(w, d, e) < 0)
		return -1;
	if (admin_sockets(w, e) < 0 || admin_set_setup(w->admin, w->setup, d, e) < 0)
		return -1;
	for (size_t i = 0; i < w->lane_count; i++)
		worker_lane_listen(&w->lanes[i], w->setup, sockets);
	return 0;
}

/* Puts a delivery into force; what was before stays when it cannot be. */
static int apply(struct worker *w, const struct delivery *d, struct err *e)
{
	struct setup *old = w->setup, *setup;
	struct socket_set *sockets;
	int r;

	if (setup_make(w, d, &setup, e) < 0)
		return -1;
	sockets = listeners_take(w);
	if (!sockets) {
		setup_free(setup);
		return FAIL(e, NOMEM, "the listeners");
	}
	w->setup = setup;
	r = enforce(w, d, sockets, e);
	socket_set_free(sockets);
	if (r < 0)
		w->setup = old;
	setup_free(r < 0 ? setup : old);
	return r;
}

static int take_setup(struct worker *w, struct bytes payload, struct err *e)
{
	struct delivery *d = mem_new(sizeof(*d));
	struct buf blob = buf_init(DELIVERY_MAX);

	if (!d || buf_add(&blob, payload, e) < 0 || delivery_parse(buf_bytes(&blob), d, e) < 0 ||
	    apply(w, d, e) < 0) {
		mem_free(d);
		buf_fini(&blob);
		return -1;
	}
	mem_free(w->delivery);
	buf_fini(&w->blob);
	w->delivery = d;
	w->blob = blob;
	return 0;
}

/* --- the supervisor's messages --- */

static void on_all_drained(void *ctx)
{
	struct worker *w = ctx;

	loop_stop(w->loop);
}

static void on_lane_drained(void *ctx)
{
	struct worker *w = ctx;

	if (atomic_fetch_add(&w->drained, 1) + 1 == w->lane_count &&
	    loop_post(w->loop, on_all_drained, w, NULL) < 0)
		return;
}

static void drain(struct worker *w)
{
	admin_drain(w->admin);
	if (!w->lanes_running)
		loop_stop(w->loop);
	for (size_t i = 0; i < w->lane_count; i++)
		worker_lane_drain(&w->lanes[i], on_lane_drained, w);
}

static void join_keeper(struct worker *w, struct channel_message *m)
{
	size_t first = m->payload.n == 1 ? m->payload.p[0] : 0;

	for (size_t i = 0; i < m->fd_count && first + i < w->lane_count; i++) {
		worker_lane_join(&w->lanes[first + i], m->fds[i]);
		m->fds[i] = -1;
	}
}

static void count_reload(struct worker *w, enum metric how)
{
	if (w->admin)
		admin_count(w->admin, how);
}

static void on_setup(struct worker *w, struct bytes payload)
{
	struct err e = { 0 };
	bool again = w->lanes_running;

	if (take_setup(w, payload, &e) == 0) {
		uint8_t lanes = (uint8_t)w->lane_count;

		if (again)
			count_reload(w, METRIC_RELOAD_OK);
		tell(w, WORKER_READY, bytes_of(&lanes, 1));
		return;
	}
	tell(w, WORKER_REFUSED, bytes_str(e.sentence));
	count_reload(w, METRIC_RELOAD_FAILED);
	if (w->lanes_running)
		return;
	w->failed = true;
	loop_stop(w->loop);
}

static void on_message(void *ctx, struct channel_message *m)
{
	struct worker *w = ctx;

	switch ((enum worker_message)m->type) {
	case WORKER_SOCKETS:
		take_sockets(w, m);
		break;
	case WORKER_SETUP:
		on_setup(w, m->payload);
		break;
	case WORKER_KEEPER:
		join_keeper(w, m);
		break;
	case WORKER_DRAIN:
		drain(w);
		break;
	case WORKER_OWNER:
		take_owner(w, m->payload);
		break;
	case WORKER_KEPT:
		count_reload(w, METRIC_RELOAD_FAILED);
		break;
	case WORKER_READY:
	case WORKER_REFUSED:
	case WORKER_ASK_OWNER:
		break;
	}
}

static void on_closed(void *ctx, enum channel_result why, const struct err *reason)
{
	struct worker *w = ctx;

	(void)why;
	(void)reason;
	loop_stop(w->loop);
}

static void worker_end(struct worker *w)
{
	for (size_t i = 0; i < w->lane_count; i++)
		worker_lane_fini(&w->lanes[i]);
	admin_free(w->admin);
	views_free(w->views);
	leaf_store_free(w->shared.leaves);
	quota_free(w->shared.quota);
	setup_free(w->setup);
	sockets_close(w);
	channel_free(w->control);
	mem_free(w->lanes);
	mem_free(w->delivery);
	buf_fini(&w->blob);
	loop_free(w->loop);
	mem_free(w);
}

int worker_run(const struct worker_options *o)
{
	struct channel_options co = { .blob_max = DELIVERY_MAX, .fds_max = CHANNEL_FDS_MAX };
	struct worker *w = mem_new(sizeof(*w));
	struct channel_handler h = { .message = on_message, .closed = on_closed, .ctx = w };
	struct err e = { 0 };
	int status = EXIT_OK;

	if (!w)
		return EXIT_FAULT;
	if (tls_init(&e) < 0 || loop_new(&w->loop, &e) < 0 ||
	    channel_new(o->control, &co, &w->control, &e) < 0 ||
	    channel_watch(w->control, w->loop, &h, &e) < 0) {
		fprintf(stderr, "oriel: the worker cannot start: %s\n", e.sentence);
		status = err_exit_status(&e);
	} else {
		loop_run(w->loop);
		status = w->failed ? EXIT_FAULT : EXIT_OK;
	}
	worker_end(w);
	tls_fini();
	return status;
}
