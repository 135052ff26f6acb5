#include "cmd/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "cmd/banner.h"
#include "cmd/supervisor_config.h"
#include "cmd/worker.h"
#include "net/loop.h"
#include "net/sock.h"
#include "proc/channel.h"
#include "proc/child.h"
#include "proc/owner.h"
#include "proxy/keeper.h"

#define NS_PER_S ((int64_t)1000000000)
#define LANES_MAX 64
#define RESTART_FIRST_NS (NS_PER_S / 5)
#define RESTART_MOST_NS (10 * NS_PER_S)
#define STEADY_NS (60 * NS_PER_S) /* a child that lived this long starts anew without delay */
#define OWNER_BUDGET_NS (20 * NS_PER_S / 1000)
#define STOP_NS (3 * NS_PER_S) /* for a child that was told to end */

struct role {
	const char *name;
	pid_t pid; /* 0: not running */
	struct channel *channel;
	int64_t started_ns;
	int64_t restart_ns; /* when it is to be started again; 0: it runs */
	int64_t delay_ns;
};

struct supervisor {
	const struct supervisor_options *o;
	struct plan *plan;
	struct plan *next; /* delivered, not yet answered */
	struct role keeper, worker;
	size_t lanes;
	bool worker_ready; /* it has lanes to be joined to the keeper */
	bool reload_due;
	bool ending;
	int64_t end_by_ns;
	int signals, watch;
	int status;
};

/* --- children --- */

/* Signals of the terminal and of service managers reach all processes: the supervisor alone acts. */
static void leave_signals_to_supervisor(void)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

struct keeper_start {
	struct plan *plan;
	int control;
	int lanes[LANES_MAX];
	size_t count;
};

static int run_keeper(void *ctx)
{
	const struct keeper_start *s = ctx;
	struct keeper_options o = { .dir = s->plan->root.dir,
				    .cert_pem = buf_bytes(&s->plan->root.cert_pem),
				    .key_pem = buf_bytes(&s->plan->root.key_pem),
				    .lanes = s->lanes,
				    .lane_count = s->count,
				    .control = s->control };

	leave_signals_to_supervisor();
	return keeper_run(&o);
}

static int run_worker(void *ctx)
{
	const int *control = ctx;

	leave_signals_to_supervisor();
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

static int send_fds(struct channel *c, uint16_t type, struct bytes payload, const int *fds,
		    size_t count, struct err *e)
{
	struct channel_message m = { .type = type, .payload = payload, .fd_count = count };

	memcpy(m.fds, fds, count * sizeof(*fds));
	return channel_send_message(c, &m, e);
}

/* Sends the worker's ends of lines to the keeper; always closes them here. */
static void send_lines(struct supervisor *s, int *ends, size_t count)
{
	for (size_t i = 0; i < count; i += CHANNEL_FDS_MAX) {
		uint8_t first = (uint8_t)i;
		size_t n = count - i < CHANNEL_FDS_MAX ? count - i : CHANNEL_FDS_MAX;

		/* A worker that is gone is started anew and gets lines of its own. */
		if (!s->worker.channel || send_fds(s->worker.channel, WORKER_KEEPER,
						   bytes_of(&first, 1), ends + i, n, NULL) < 0)
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

static int keeper_fork(struct supervisor *s, struct keeper_start *k, int control_ours,
		       struct err *e)
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
	role_started(&s->keeper, pid);
	return role_channel(&s->keeper, control_ours, e);
}

static int keeper_start(struct supervisor *s, struct err *e)
{
	struct keeper_start k = { .plan = s->plan, .count = s->lanes };
	int worker_ends[LANES_MAX], control[2], r;

	if (make_lines(s->lanes, k.lanes, worker_ends, e) < 0)
		return -1;
	if (channel_pair(control, e) < 0)
		return -1;
	k.control = control[0];
	r = keeper_fork(s, &k, control[1], e);
	sock_close(&control[0]);
	for (size_t i = 0; i < k.count; i++)
		sock_close(&k.lanes[i]);
	send_lines(s, worker_ends, k.count);
	return r;
}

/* New lines for a new worker. */
static void rejoin(struct supervisor *s)
{
	int keeper_ends[LANES_MAX], worker_ends[LANES_MAX];

	if (!s->keeper.channel || make_lines(s->lanes, keeper_ends, worker_ends, NULL) < 0)
		return;
	for (size_t i = 0; i < s->lanes; i += CHANNEL_FDS_MAX) {
		size_t n = s->lanes - i < CHANNEL_FDS_MAX ? s->lanes - i : CHANNEL_FDS_MAX;

		if (send_fds(s->keeper.channel, KEEPER_CONTROL_LANES, bytes_of(NULL, 0),
			     keeper_ends + i, n, NULL) < 0)
			break;
	}
	for (size_t i = 0; i < s->lanes; i++)
		sock_close(&keeper_ends[i]);
	send_lines(s, worker_ends, s->lanes);
}

static int send_sockets(struct supervisor *s, const struct plan *p, struct err *e)
{
	const struct {
		enum socket_extra which;
		int fd;
	} extras[] = { { SOCKETS_ADMIN_UNIX, p->admin_unix },
		       { SOCKETS_ADMIN_TCP, p->admin_tcp },
		       { SOCKETS_KEYLOG, p->keylog },
		       { SOCKETS_KEYLOG_ENV, p->keylog_env },
		       { SOCKETS_HAR, p->har } };
	uint8_t header[2] = { (uint8_t)p->config->listener_count, 0 };
	int fds[CHANNEL_FDS_MAX];
	size_t n = p->config->listener_count;

	memcpy(fds, p->listeners, n * sizeof(int));
	for (size_t i = 0; i < ARRAY_LEN(extras); i++) {
		if (extras[i].fd < 0)
			continue;
		fds[n++] = extras[i].fd;
		header[1] |= (uint8_t)extras[i].which;
	}
	return send_fds(s->worker.channel, WORKER_SOCKETS, bytes_of(header, sizeof(header)), fds, n,
			e);
}

static int deliver(struct supervisor *s, const struct plan *p, struct err *e)
{
	AUTO(buf_fini) struct buf blob = buf_init_secret(DELIVERY_MAX);
	AUTO(buf_fini) struct buf hosts = buf_init((size_t)8 << 20);
	AUTO(mem_freep) struct delivery *d = mem_new(sizeof(*d));

	if (!d)
		return FAIL(e, NOMEM, "a delivery");
	if (send_sockets(s, p, e) < 0 || plan_delivery(p, &hosts, d, e) < 0 ||
	    delivery_write(d, &blob, e) < 0)
		return -1;
	return channel_send_blob(s->worker.channel, WORKER_SETUP, buf_bytes(&blob), e);
}

static int worker_start(struct supervisor *s, struct err *e)
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
	role_started(&s->worker, pid);
	s->worker_ready = false;
	if (role_channel(&s->worker, control[1], e) < 0)
		return -1;
	return deliver(s, s->plan, e);
}

/* --- reload --- */

static void reload(struct supervisor *s)
{
	struct err e = { 0 };
	struct plan *p;

	if (s->next || !s->worker.channel || s->ending) {
		s->reload_due = true;
		return;
	}
	s->reload_due = false;
	if (plan_new(s->o, s->plan, &p, &e) < 0 || deliver(s, p, &e) < 0) {
		fprintf(stderr, "oriel: not reloaded, the old configuration stays: %s\n",
			e.sentence);
		return;
	}
	s->next = p;
}

static void adopt_next(struct supervisor *s)
{
	struct plan *old = s->plan;

	if (!s->next)
		return;
	s->plan = s->next;
	s->next = NULL;
	/* HAR goes on where it was. */
	if (s->plan->har < 0) {
		s->plan->har = old->har;
		old->har = -1;
	}
	plan_free(old);
	fprintf(stderr, "oriel: reloaded\n");
	banner_listening(s->plan);
}

static void refuse_next(struct supervisor *s, struct bytes why)
{
	plan_free(s->next);
	s->next = NULL;
	fprintf(stderr, "oriel: not reloaded, the old configuration stays: %.*s\n", BYTES_FMT(why));
}

/* --- the worker's messages --- */

static void answer_owner(struct supervisor *s, struct bytes payload)
{
	bool bad = false;
	struct rd r = rd_init(payload, &bad);
	struct buf b = buf_init(256);
	struct wr w = wr_init(&b);
	struct wr_mark m;
	struct owner owner = { .pid = 0 };
	struct addr client, local;
	uint64_t flow = rd_u64(&r);
	struct bytes c = rd_take(&r, sizeof(client)), l = rd_take(&r, sizeof(local));

	if (bad)
		return;
	memcpy(&client, c.p, sizeof(client));
	memcpy(&local, l.p, sizeof(local));
	if (owner_of_connection(&client, &local, OWNER_BUDGET_NS, &owner) != OWNER_FOUND)
		owner.pid = 0;
	wr_u64(&w, flow);
	wr_u32(&w, (uint32_t)owner.pid);
	m = wr_open(&w, 2);
	wr_str(&w, owner.pid ? owner.name : "");
	wr_close(&w, m);
	if (wr_end(&w, NULL) < 0 ||
	    channel_send(s->worker.channel, WORKER_OWNER, buf_bytes(&b), NULL) < 0)
		m.size = 0; /* a name less */
	buf_fini(&b);
}

static void on_ready(struct supervisor *s)
{
	struct err e = { 0 };

	adopt_next(s);
	if (!s->worker_ready) {
		s->worker_ready = true;
		rejoin(s);
	}
	if (bump_root_write_bundles(&s->plan->root, buf_bytes(&s->plan->system_roots), &e) < 0)
		fprintf(stderr, "oriel: the bundle for clients could not be written: %s\n",
			e.sentence);
}

static void on_refused(struct supervisor *s, struct bytes why)
{
	if (s->next) {
		refuse_next(s, why);
		return;
	}
	fprintf(stderr, "oriel: %.*s\n", BYTES_FMT(why));
	s->ending = true;
	s->end_by_ns = clock_mono_ns();
	s->status = EXIT_FAULT;
}

static void on_worker_message(struct supervisor *s, const struct channel_message *m)
{
	if (m->type == WORKER_READY)
		on_ready(s);
	else if (m->type == WORKER_REFUSED)
		on_refused(s, m->payload);
	else if (m->type == WORKER_ASK_OWNER)
		answer_owner(s, m->payload);
}

static void role_hang_up(struct role *r)
{
	channel_free(r->channel);
	r->channel = NULL;
}

static void read_worker(struct supervisor *s)
{
	struct channel_message m;
	struct err e = { 0 };

	while (s->worker.channel) {
		enum channel_result r = channel_receive(s->worker.channel, &m, &e);

		if (r == CHANNEL_AGAIN)
			return;
		if (r != CHANNEL_OK) {
			role_hang_up(&s->worker);
			return;
		}
		on_worker_message(s, &m);
		channel_message_fini(&m);
	}
}

/* The keeper says nothing on its control line: readable means that it is gone. */
static void read_keeper(struct supervisor *s)
{
	struct channel_message m;
	struct err e = { 0 };
	enum channel_result r = channel_receive(s->keeper.channel, &m, &e);

	if (r == CHANNEL_OK)
		channel_message_fini(&m);
	else if (r != CHANNEL_AGAIN)
		role_hang_up(&s->keeper);
}

/* --- ends and restarts --- */

static void plan_restart(struct role *r)
{
	int64_t now = clock_mono_ns();

	if (now - r->started_ns > STEADY_NS || r->delay_ns == 0)
		r->delay_ns = RESTART_FIRST_NS;
	else
		r->delay_ns = r->delay_ns * 2 > RESTART_MOST_NS ? RESTART_MOST_NS : r->delay_ns * 2;
	r->restart_ns = now + r->delay_ns;
}

static void reap(struct supervisor *s, struct role *r)
{
	char how[CHILD_TEXT_MAX];
	int status;

	if (!r->pid || child_reap(r->pid, &status) == CHILD_RUNNING)
		return;
	r->pid = 0;
	if (r == &s->worker)
		read_worker(s); /* its last words */
	role_hang_up(r);
	if (s->ending)
		return;
	fprintf(stderr, "oriel: the %s %s; starting another\n", r->name,
		child_end_text(status, how));
	if (r == &s->worker && s->next)
		refuse_next(s, bytes_str("the worker ended while it took it over"));
	plan_restart(r);
}

static void restart_due(struct supervisor *s)
{
	int64_t now = clock_mono_ns();
	struct err e = { 0 };

	if (s->ending)
		return;
	if (s->keeper.restart_ns && s->keeper.restart_ns <= now && keeper_start(s, &e) < 0) {
		fprintf(stderr, "oriel: the keeper cannot be started: %s\n", e.sentence);
		plan_restart(&s->keeper);
	}
	if (s->worker.restart_ns && s->worker.restart_ns <= now && worker_start(s, &e) < 0) {
		fprintf(stderr, "oriel: the worker cannot be started: %s\n", e.sentence);
		plan_restart(&s->worker);
	}
}

static void begin_end(struct supervisor *s, int64_t drain_ns)
{
	int64_t by = clock_mono_ns() + drain_ns;

	if (!s->ending || by < s->end_by_ns)
		s->end_by_ns = by;
	if (!s->ending && drain_ns && s->worker.channel &&
	    channel_send(s->worker.channel, WORKER_DRAIN, bytes_of(NULL, 0), NULL) < 0)
		s->end_by_ns = clock_mono_ns();
	s->ending = true;
}

static void on_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGTERM:
			begin_end(s, s->plan->config->timeouts.drain);
			break;
		case SIGINT:
			begin_end(s, 0);
			break;
		case SIGHUP:
			reload(s);
			break;
		case SIGCHLD:
			reap(s, &s->keeper);
			reap(s, &s->worker);
			break;
		default:
			break;
		}
	}
}

/* Editors replace the file: its folder is watched, and what concerns its name is a change. */
static void on_watch(struct supervisor *s)
{
	_Alignas(struct inotify_event) char room[4096];
	const char *slash = strrchr(s->o->config_path, '/');
	const char *name = slash ? slash + 1 : s->o->config_path;
	bool changed = false;
	ssize_t n;

	while ((n = read(s->watch, room, sizeof(room))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *ev = (const void *)(room + at);

			changed |= ev->len && strcmp(ev->name, name) == 0;
			at += (ssize_t)(sizeof(*ev) + ev->len);
		}
	}
	if (changed)
		reload(s);
}

static int watch_file(struct supervisor *s)
{
	char dir[PATHS_MAX];
	const char *slash = s->o->config_path ? strrchr(s->o->config_path, '/') : NULL;
	int fd;

	if (!s->o->config_path)
		return -1;
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - s->o->config_path + 1) : 1,
		 slash ? s->o->config_path : ".");
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd >= 0 && inotify_add_watch(fd, dir, IN_CLOSE_WRITE | IN_MOVED_TO) < 0)
		sock_close(&fd);
	return fd;
}

/* --- the loop --- */

static int timeout_ms(const struct supervisor *s)
{
	int64_t now = clock_mono_ns(), next = now + 3600 * NS_PER_S;

	if (s->keeper.restart_ns && s->keeper.restart_ns < next)
		next = s->keeper.restart_ns;
	if (s->worker.restart_ns && s->worker.restart_ns < next)
		next = s->worker.restart_ns;
	if (s->ending && s->end_by_ns < next)
		next = s->end_by_ns;
	return next <= now ? 0 : (int)((next - now) / 1000000 + 1);
}

static struct pollfd poll_of(const struct role *r)
{
	if (!r->channel)
		return (struct pollfd){ .fd = -1 };
	return (struct pollfd){
		.fd = channel_fd(r->channel),
		.events = (short)(POLLIN | (channel_wants_write(r->channel) ? POLLOUT : 0))
	};
}

static void flush(struct role *r)
{
	struct err e = { 0 };
	enum channel_result result = channel_flush(r->channel, &e);

	if (result == CHANNEL_CLOSED || result == CHANNEL_BROKEN)
		role_hang_up(r);
}

static void turn(struct supervisor *s)
{
	struct pollfd p[] = { poll_of(&s->worker),
			      poll_of(&s->keeper),
			      { .fd = s->signals, .events = POLLIN },
			      { .fd = s->watch, .events = POLLIN } };

	if (poll(p, ARRAY_LEN(p), timeout_ms(s)) < 0 && errno != EINTR)
		s->ending = true;
	if (p[0].revents & POLLOUT)
		flush(&s->worker);
	if (s->worker.channel && p[0].revents & (POLLIN | POLLHUP | POLLERR))
		read_worker(s);
	if (p[1].revents & POLLOUT)
		flush(&s->keeper);
	if (s->keeper.channel && p[1].revents & (POLLIN | POLLHUP | POLLERR))
		read_keeper(s);
	if (p[2].revents & POLLIN)
		on_signals(s);
	if (p[3].revents & POLLIN)
		on_watch(s);
	restart_due(s);
	if (s->reload_due && !s->next)
		reload(s);
}

static bool is_over(const struct supervisor *s)
{
	return s->ending && (!s->worker.pid || clock_mono_ns() >= s->end_by_ns);
}

/* A closed channel tells a child to end; one that does not is killed. */
static void end_child(struct role *r)
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

static int signals_open(void)
{
	static const int wanted[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		sigaddset(&set, wanted[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static size_t lanes_of(const struct proxy_config *c)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = c->threads ? c->threads : (size_t)(cpus > 0 ? cpus : 1);

	return n > LANES_MAX ? LANES_MAX : n;
}

static int start(struct supervisor *s, struct err *e)
{
	if (plan_new(s->o, NULL, &s->plan, e) < 0)
		return -1;
	s->lanes = lanes_of(s->plan->config);
	s->signals = signals_open();
	if (s->signals < 0)
		return FAIL_SYS(e, SYSTEM, "signals");
	banner_start(s->plan);
	if (keeper_start(s, e) < 0 || worker_start(s, e) < 0)
		return -1;
	/* The keeper has its own copy now. */
	s->watch = watch_file(s);
	return 0;
}

int supervisor_run(const struct supervisor_options *o)
{
	struct supervisor s = { .o = o,
				.keeper = { .name = "keeper" },
				.worker = { .name = "worker" },
				.signals = -1,
				.watch = -1 };
	struct err e = { 0 };

	if (start(&s, &e) < 0) {
		fprintf(stderr, "oriel: %s\n", e.sentence);
		s.status = err_exit_status(&e);
		s.ending = true;
		s.end_by_ns = 0;
	}
	while (!is_over(&s))
		turn(&s);
	end_child(&s.worker);
	end_child(&s.keeper);
	plan_free(s.next);
	if (s.plan && s.plan->admin_unix >= 0)
		unlink(s.plan->admin_path);
	plan_free(s.plan);
	sock_close(&s.signals);
	sock_close(&s.watch);
	return s.status;
}
