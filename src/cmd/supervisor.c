#include "cmd/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "cmd/banner.h"
#include "cmd/crew.h"
#include "net/loop.h"
#include "net/sock.h"
#include "proc/channel.h"
#include "proc/child.h"
#include "proc/file_watch.h"
#include "proc/owner.h"

#define NS_PER_S ((int64_t)1000000000)
#define RESTART_FIRST_NS (NS_PER_S / 5)
#define RESTART_MOST_NS (10 * NS_PER_S)
#define STEADY_NS (60 * NS_PER_S) /* a child that lived this long starts anew without delay */
#define OWNER_BUDGET_NS (20 * NS_PER_S / 1000)

struct supervisor {
	const struct supervisor_options *o;
	struct crew crew;
	struct plan *next; /* delivered, not yet answered */
	bool reload_due;
	bool ending;
	int64_t end_by_ns;
	int signals;
	struct file_watch *watch; /* of the configuration file, or NULL */
	int status;
};

/* --- reload --- */

static void reload(struct supervisor *s)
{
	struct err e = { 0 };
	struct plan *p;

	if (s->next || !s->crew.worker.channel || s->ending) {
		s->reload_due = true;
		return;
	}
	s->reload_due = false;
	if (plan_new(s->o, s->crew.plan, &p, &e) < 0 || crew_deliver(&s->crew, p, &e) < 0) {
		fprintf(stderr, "oriel: not reloaded, the old configuration stays: %s\n",
			e.sentence);
		if (channel_send(s->crew.worker.channel, WORKER_KEPT, bytes_of(NULL, 0), NULL) < 0)
			s->reload_due = false; /* not counted */
		return;
	}
	s->next = p;
}

static void adopt_next(struct supervisor *s)
{
	struct plan *old = s->crew.plan;
	char late[PLAN_LATE_MAX];

	if (!s->next)
		return;
	s->crew.plan = s->next;
	s->next = NULL;
	/* HAR goes on where it was. */
	if (s->crew.plan->har < 0) {
		s->crew.plan->har = old->har;
		old->har = -1;
	}
	if (old->admin_unix >= 0 && strcmp(old->admin_path, s->crew.plan->admin_path) != 0)
		unlink(old->admin_path);
	if (plan_changed_late(old, s->crew.plan, late))
		fprintf(stderr, "oriel: reloaded, but for what changes with the next start: %s\n",
			late);
	else
		fprintf(stderr, "oriel: reloaded\n");
	plan_free(old);
	banner_listening(s->crew.plan);
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
	uint64_t flow = rd_u64(&r);
	struct addr client = delivery_addr_read(&r), local = delivery_addr_read(&r);

	rd_end(&r);
	if (bad)
		return;
	if (owner_of_connection(&client, &local, OWNER_BUDGET_NS, &owner) != OWNER_FOUND)
		owner.pid = 0;
	wr_u64(&w, flow);
	wr_u32(&w, (uint32_t)owner.pid);
	m = wr_open(&w, 2);
	wr_str(&w, owner.pid ? owner.name : "");
	wr_close(&w, m);
	if (wr_end(&w, NULL) < 0 ||
	    channel_send(s->crew.worker.channel, WORKER_OWNER, buf_bytes(&b), NULL) < 0)
		m.size = 0; /* a name less */
	buf_fini(&b);
}

static void on_ready(struct supervisor *s)
{
	struct err e = { 0 };

	adopt_next(s);
	if (!s->crew.worker_ready) {
		s->crew.worker_ready = true;
		crew_rejoin(&s->crew);
	}
	if (bump_root_write_bundles(&s->crew.plan->root, buf_bytes(&s->crew.plan->system_roots),
				    &e) < 0)
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

static void read_worker(struct supervisor *s)
{
	struct channel_message m;
	struct err e = { 0 };

	while (s->crew.worker.channel) {
		enum channel_result r = channel_receive(s->crew.worker.channel, &m, &e);

		if (r == CHANNEL_AGAIN)
			return;
		if (r != CHANNEL_OK) {
			role_hang_up(&s->crew.worker);
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
	enum channel_result r = channel_receive(s->crew.keeper.channel, &m, &e);

	if (r == CHANNEL_OK)
		channel_message_fini(&m);
	else if (r != CHANNEL_AGAIN)
		role_hang_up(&s->crew.keeper);
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
	if (r == &s->crew.worker)
		read_worker(s); /* its last words */
	role_hang_up(r);
	if (s->ending)
		return;
	fprintf(stderr, "oriel: the %s %s; starting another\n", r->name,
		child_end_text(status, how));
	if (r == &s->crew.worker && s->next)
		refuse_next(s, bytes_str("the worker ended while it took it over"));
	plan_restart(r);
}

static void restart_due(struct supervisor *s)
{
	int64_t now = clock_mono_ns();
	struct err e = { 0 };

	if (s->ending)
		return;
	if (s->crew.keeper.restart_ns && s->crew.keeper.restart_ns <= now &&
	    crew_start_keeper(&s->crew, &e) < 0) {
		fprintf(stderr, "oriel: the keeper cannot be started: %s\n", e.sentence);
		plan_restart(&s->crew.keeper);
	}
	if (s->crew.worker.restart_ns && s->crew.worker.restart_ns <= now &&
	    crew_start_worker(&s->crew, &e) < 0) {
		fprintf(stderr, "oriel: the worker cannot be started: %s\n", e.sentence);
		plan_restart(&s->crew.worker);
	}
}

static void begin_end(struct supervisor *s, int64_t drain_ns)
{
	int64_t by = clock_mono_ns() + drain_ns;

	if (!s->ending || by < s->end_by_ns)
		s->end_by_ns = by;
	if (!s->ending && drain_ns && s->crew.worker.channel &&
	    channel_send(s->crew.worker.channel, WORKER_DRAIN, bytes_of(NULL, 0), NULL) < 0)
		s->end_by_ns = clock_mono_ns();
	s->ending = true;
	/* Nobody is to wait in the queue of a listener that takes no more. */
	plan_stop_listening(s->crew.plan);
	plan_stop_listening(s->next);
}

static void on_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGTERM:
			begin_end(s, s->crew.plan->config->timeouts.drain);
			break;
		case SIGINT:
			begin_end(s, 0);
			break;
		case SIGHUP:
			reload(s);
			break;
		case SIGCHLD:
			reap(s, &s->crew.keeper);
			reap(s, &s->crew.worker);
			break;
		default:
			break;
		}
	}
}

/* --- the loop --- */

static int timeout_ms(const struct supervisor *s)
{
	int64_t now = clock_mono_ns(), next = now + 3600 * NS_PER_S;

	if (s->crew.keeper.restart_ns && s->crew.keeper.restart_ns < next)
		next = s->crew.keeper.restart_ns;
	if (s->crew.worker.restart_ns && s->crew.worker.restart_ns < next)
		next = s->crew.worker.restart_ns;
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
	struct pollfd p[] = { poll_of(&s->crew.worker),
			      poll_of(&s->crew.keeper),
			      { .fd = s->signals, .events = POLLIN },
			      { .fd = s->watch ? file_watch_fd(s->watch) : -1, .events = POLLIN } };

	if (poll(p, ARRAY_LEN(p), timeout_ms(s)) < 0 && errno != EINTR)
		s->ending = true;
	if (p[0].revents & POLLOUT)
		flush(&s->crew.worker);
	if (s->crew.worker.channel && p[0].revents & (POLLIN | POLLHUP | POLLERR))
		read_worker(s);
	if (p[1].revents & POLLOUT)
		flush(&s->crew.keeper);
	if (s->crew.keeper.channel && p[1].revents & (POLLIN | POLLHUP | POLLERR))
		read_keeper(s);
	if (p[2].revents & POLLIN)
		on_signals(s);
	if (p[3].revents & POLLIN && file_watch_run(s->watch))
		reload(s);
	restart_due(s);
	if (s->reload_due && !s->next)
		reload(s);
}

static bool is_over(const struct supervisor *s)
{
	return s->ending && (!s->crew.worker.pid || clock_mono_ns() >= s->end_by_ns);
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

static void watch_config(struct supervisor *s)
{
	struct err e = { 0 };

	if (s->o->config_path && file_watch_new(s->o->config_path, &s->watch, &e) < 0)
		fprintf(stderr, "oriel: only SIGHUP reloads the configuration: %s\n", e.sentence);
}

static int start(struct supervisor *s, struct err *e)
{
	/* A change from here on is heard of, whether or not it is read already. */
	watch_config(s);
	if (plan_config(s->o, &s->crew.plan, e) < 0)
		return -1;
	s->crew.lanes = lanes_of(s->crew.plan->config);
	/* Until here, where reading may wait for a person, a signal ends it; then there are sockets. */
	s->signals = signals_open();
	if (s->signals < 0)
		return FAIL_SYS(e, SYSTEM, "signals");
	if (plan_open(s->crew.plan, s->o, NULL, e) < 0)
		return -1;
	banner_start(s->crew.plan);
	if (crew_start_keeper(&s->crew, e) < 0 || crew_start_worker(&s->crew, e) < 0)
		return -1;
	return 0;
}

int supervisor_run(const struct supervisor_options *o)
{
	struct supervisor s = { .o = o,
				.crew = { .keeper = { .name = "keeper" },
					  .worker = { .name = "worker" } },
				.signals = -1 };
	struct err e = { 0 };

	if (start(&s, &e) < 0) {
		fprintf(stderr, "oriel: %s\n", e.sentence);
		s.status = err_exit_status(&e);
		s.ending = true;
		s.end_by_ns = 0;
	}
	while (!is_over(&s))
		turn(&s);
	role_end(&s.crew.worker);
	role_end(&s.crew.keeper);
	plan_free(s.next);
	if (s.crew.plan && s.crew.plan->admin_unix >= 0)
		unlink(s.crew.plan->admin_path);
	plan_free(s.crew.plan);
	sock_close(&s.signals);
	file_watch_free(s.watch);
	return s.status;
}
