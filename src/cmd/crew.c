#include "cmd/crew.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/worker.h"
#include "net/loop.h"
#include "net/sock.h"
#include "proc/channel.h"
#include "proc/child.h"
#include "proc/drop.h"
#include "proxy/keeper.h"

#define NS_PER_S ((int64_t)1000000000)
#define STOP_NS (3 * NS_PER_S) /* for a child that was told to end */

/* Signals of the terminal and of service managers reach all processes: the supervisor alone acts. */
static void leave_signals_to_supervisor(void)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

/* Root's worker becomes a user who owns nothing, where that can be done. The keeper stays who it is,
 * since its files are ours, but keeps no capability; where they are another's (sudo), it needs them. */
static int give_up_rights(bool worker, const char *dir, struct err *e)
{
	struct drop_user user;
	struct stat st;

	if (dir && (stat(dir, &st) < 0 || st.st_uid != geteuid()))
		return 0;
	if (worker && drop_may_change_user() &&
	    (drop_user_find("oriel", &user, NULL) == 0 ||
	     drop_user_find("nobody", &user, NULL) == 0))
		return drop_privileges(&user, DROP_KEEP_NONE, e);
	return drop_privileges(NULL, DROP_KEEP_NONE, e);
}

static int cannot_start(const char *role, const struct err *e)
{
	fprintf(stderr, "oriel: the %s cannot start: %s\n", role, e->sentence);
	return EXIT_FAULT;
}

struct keeper_start {
	struct plan *plan;
	int control;
	int lanes[LANES_MAX];
	size_t count;
};

static int run_keeper(void *ctx)
{
	const struct keeper_start *start = ctx;
	const struct bump_root *root = &start->plan->root;
	AUTO(buf_fini) struct buf key = buf_init_secret(BUMP_KEY_MAX);
	struct keeper_options o = { .dir = root->dir,
				    .cert_pem = buf_bytes(&root->cert_pem),
				    .lanes = start->lanes,
				    .lane_count = start->count,
				    .control = start->control };
	struct err e = { 0 };

	leave_signals_to_supervisor();
	if (bump_root_read_key(root, &key, &e) < 0 || give_up_rights(false, root->dir, &e) < 0)
		return cannot_start("keeper", &e);
	o.key_pem = buf_bytes(&key);
	return keeper_run(&o);
}

static int run_worker(void *ctx)
{
	const int *control = ctx;
	struct err e = { 0 };

	leave_signals_to_supervisor();
	if (give_up_rights(true, NULL, &e) < 0)
		return cannot_start("worker", &e);
	return worker_run(&(struct worker_options){ .control = *control });
}

static void role_started(struct role *r, pid_t pid)
{
	r->pid = pid;
	r->started_ns = clock_mono_ns();
	r->restart_ns = 0;
}

static int role_channel(struct role *r, int fd, struct err *e)
{
	struct channel_options o = { .queue_max = (size_t)1 << 20, .blob_max = (size_t)1 << 20 };

	return channel_new(fd, &o, &r->channel, e);
}

struct fd_list {
	const int *fds;
	size_t count;
};

static int send_fds(struct channel *to, uint16_t type, struct bytes payload, struct fd_list list,
		    struct err *e)
{
	struct channel_message m = { .type = type, .payload = payload, .fd_count = list.count };

	memcpy(m.fds, list.fds, list.count * sizeof(*list.fds));
	return channel_send_message(to, &m, e);
}

/* Sends the worker's ends of lines to the keeper; always closes them here. */
static void send_lines(struct crew *c, int *ends, size_t count)
{
	for (size_t i = 0; i < count; i += CHANNEL_FDS_MAX) {
		uint8_t first = (uint8_t)i;
		size_t n = count - i < CHANNEL_FDS_MAX ? count - i : CHANNEL_FDS_MAX;

		/* A worker that is gone is started anew and gets lines of its own. */
		if (!c->worker.channel ||
		    send_fds(c->worker.channel, WORKER_KEEPER, bytes_of(&first, 1),
			     (struct fd_list){ ends + i, n }, NULL) < 0)
			break;
	}
	for (size_t i = 0; i < count; i++)
		sock_close(&ends[i]);
}

static int make_lines(size_t count, int *keeper_ends, int *worker_ends, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		int pair[2];

		if (channel_pair(pair, e) < 0) {
			while (i-- > 0) {
				sock_close(&keeper_ends[i]);
				sock_close(&worker_ends[i]);
			}
			return -1;
		}
		keeper_ends[i] = pair[0];
		worker_ends[i] = pair[1];
	}
	return 0;
}

static int keeper_fork(struct crew *c, struct keeper_start *k, int control_ours, struct err *e)
{
	int keep[LANES_MAX + 1];
	struct child_options o = {
		.role = "keeper", .run = run_keeper, .ctx = k, .keep = keep, .hidden = true
	};
	pid_t pid;

	memcpy(keep, k->lanes, k->count * sizeof(int));
	keep[k->count] = k->control;
	o.keep_count = k->count + 1;
	if (child_start(&o, &pid, e) < 0) {
		sock_close(&control_ours);
		return -1;
	}
	role_started(&c->keeper, pid);
	return role_channel(&c->keeper, control_ours, e);
}

int crew_start_keeper(struct crew *c, struct err *e)
{
	struct keeper_start k = { .plan = c->plan, .count = c->lanes };
	int worker_ends[LANES_MAX], control[2], r;

	if (make_lines(c->lanes, k.lanes, worker_ends, e) < 0)
		return -1;
	if (channel_pair(control, e) < 0)
		return -1;
	k.control = control[0];
	r = keeper_fork(c, &k, control[1], e);
	sock_close(&control[0]);
	for (size_t i = 0; i < k.count; i++)
		sock_close(&k.lanes[i]);
	send_lines(c, worker_ends, k.count);
	return r;
}

/* New lines for a new worker. */
void crew_rejoin(struct crew *c)
{
	int keeper_ends[LANES_MAX], worker_ends[LANES_MAX];

	if (!c->keeper.channel || make_lines(c->lanes, keeper_ends, worker_ends, NULL) < 0)
		return;
	for (size_t i = 0; i < c->lanes; i += CHANNEL_FDS_MAX) {
		size_t n = c->lanes - i < CHANNEL_FDS_MAX ? c->lanes - i : CHANNEL_FDS_MAX;

		if (send_fds(c->keeper.channel, KEEPER_CONTROL_LANES, bytes_of(NULL, 0),
			     (struct fd_list){ keeper_ends + i, n }, NULL) < 0)
			break;
	}
	for (size_t i = 0; i < c->lanes; i++)
		sock_close(&keeper_ends[i]);
	send_lines(c, worker_ends, c->lanes);
}

/* What a worker that runs already goes on with. */
static uint8_t kept_by(const struct crew *c, const struct plan *p)
{
	uint8_t kept = 0;

	/* A worker that was just started has none. */
	if (p == c->plan)
		return 0;
	if (p->admin_unix_kept)
		kept |= SOCKETS_ADMIN_UNIX;
	if (p->admin_tcp_kept)
		kept |= SOCKETS_ADMIN_TCP;
	return kept;
}

static int send_sockets(struct crew *c, const struct plan *p, struct err *e)
{
	const struct {
		enum socket_extra which;
		int fd;
	} extras[SOCKETS_EXTRA_COUNT] = { { SOCKETS_ADMIN_UNIX, p->admin_unix },
					  { SOCKETS_ADMIN_TCP, p->admin_tcp },
					  { SOCKETS_KEYLOG, p->keylog },
					  { SOCKETS_KEYLOG_ENV, p->keylog_env },
					  { SOCKETS_HAR, p->har } };
	struct sockets_header h = { .listeners = (uint8_t)p->config->listener_count,
				    .kept = kept_by(c, p) };
	int fds[SOCKETS_MAX];
	size_t n = p->config->listener_count;

	memcpy(fds, p->listeners, n * sizeof(int));
	for (size_t i = 0; i < ARRAY_LEN(extras); i++) {
		if (extras[i].fd < 0 || (h.kept & extras[i].which))
			continue;
		fds[n++] = extras[i].fd;
		h.extras |= (uint8_t)extras[i].which;
	}
	for (size_t at = 0; at < n || at == 0; at += CHANNEL_FDS_MAX) {
		size_t some = n - at < CHANNEL_FDS_MAX ? n - at : CHANNEL_FDS_MAX;

		h.first = (uint8_t)at;
		if (send_fds(c->worker.channel, WORKER_SOCKETS, bytes_of(&h, sizeof(h)),
			     (struct fd_list){ fds + at, some }, e) < 0)
			return -1;
	}
	return 0;
}

int crew_deliver(struct crew *c, const struct plan *p, struct err *e)
{
	AUTO(buf_fini) struct buf blob = buf_init_secret(DELIVERY_MAX);
	AUTO(buf_fini) struct buf hosts = buf_init((size_t)8 << 20);
	AUTO(mem_freep) struct delivery *d = mem_new(sizeof(*d));

	if (!d)
		return FAIL(e, NOMEM, "a delivery");
	if (send_sockets(c, p, e) < 0 || plan_delivery(p, &hosts, d, e) < 0 ||
	    delivery_write(d, &blob, e) < 0)
		return -1;
	return channel_send_blob(c->worker.channel, WORKER_SETUP, buf_bytes(&blob), e);
}

int crew_start_worker(struct crew *c, struct err *e)
{
	struct child_options o = {
		.role = "worker", .run = run_worker, .keep_count = 1, .hidden = true
	};
	int control[2], r;
	pid_t pid;

	if (channel_pair(control, e) < 0)
		return -1;
	o.ctx = &control[0];
	o.keep = &control[0];
	r = child_start(&o, &pid, e);
	sock_close(&control[0]);
	if (r < 0) {
		sock_close(&control[1]);
		return -1;
	}
	role_started(&c->worker, pid);
	c->worker_ready = false;
	if (role_channel(&c->worker, control[1], e) < 0)
		return -1;
	return crew_deliver(c, c->plan, e);
}

void role_hang_up(struct role *r)
{
	channel_free(r->channel);
	r->channel = NULL;
}

/* A closed channel tells a child to end; one that does not is killed. */
void role_end(struct role *r)
{
	int64_t until = clock_mono_ns() + STOP_NS;
	int status;

	role_hang_up(r);
	while (r->pid && child_reap(r->pid, &status) == CHILD_RUNNING) {
		if (clock_mono_ns() > until)
			kill(r->pid, SIGKILL);
		poll(NULL, 0, 5);
	}
	r->pid = 0;
}
