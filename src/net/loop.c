#include "net/loop.h"

#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <uv.h>

/* Handles are closed by libuv at the end of a turn, so that their memory lives a little longer than
 * the caller thinks: each object starts with its handle, and the close callback frees it. */

struct call {
	void (*fn)(void *ctx);
	void *ctx;
};

struct calls {
	struct call *p;
	size_t n, cap;
};

/* The time of this turn, read when somebody first asks for it. */
struct turn {
	bool known;
	int64_t mono_ns, wall_ns;
};

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_prepare_t before_poll;
	uv_check_t after_poll;
	uv_idle_t hurry; /* active: the poll does not wait */
	bool running, in_timer;
	struct turn *turn;
	struct calls later, later_running;
	pthread_mutex_t lock; /* of posted */
	struct calls posted, posted_running;
};

struct loop_watch {
	uv_poll_t uv;
	struct loop_watch_call call;
	unsigned wanted; /* what the caller asked for */
	unsigned armed;	 /* what libuv watches: wanted, and perhaps LOOP_READ still */
};

struct loop_timer {
	uv_timer_t uv;
	loop_timer_fn *fn;
	void *ctx;
	uint64_t due_ms;   /* what the caller asked for, in libuv's time */
	uint64_t armed_ms; /* when libuv will fire: due_ms or earlier; meaningless when inactive */
};

struct loop_signal {
	uv_signal_t uv;
	struct loop_signal_call call;
};

static int calls_add(struct calls *c, struct call call, struct err *e)
{
	if (c->n == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 16;
		struct call *p = mem_resize(c->p, cap * sizeof(*p));

		if (!p)
			return FAIL(e, NOMEM, "%zu calls to make", cap);
		c->p = p;
		c->cap = cap;
	}
	c->p[c->n++] = call;
	return 0;
}

static void calls_swap(struct calls *a, struct calls *b)
{
	struct calls c = *a;

	*a = *b;
	*b = c;
}

static void calls_run(struct calls *c)
{
	for (size_t i = 0; i < c->n; i++)
		c->p[i].fn(c->p[i].ctx);
	c->n = 0;
}

static void on_hurry(uv_idle_t *h)
{
	(void)h;
}

/* What is put off while this runs has its turn in the next round, so that one who puts himself off
 * again and again cannot keep the others from running. */
static void later_run(struct loop *l)
{
	calls_swap(&l->later, &l->later_running);
	calls_run(&l->later_running);
	if (l->later.n)
		uv_idle_start(&l->hurry, on_hurry);
	else
		uv_idle_stop(&l->hurry);
}

static void on_before_poll(uv_prepare_t *h)
{
	struct loop *l = h->data;

	later_run(l);
	l->turn->known = false;
}

static void on_after_poll(uv_check_t *h)
{
	struct loop *l = h->data;

	later_run(l);
	l->turn->known = false;
}

static void on_wake(uv_async_t *h)
{
	struct loop *l = h->data;

	pthread_mutex_lock(&l->lock);
	calls_swap(&l->posted, &l->posted_running);
	pthread_mutex_unlock(&l->lock);
	calls_run(&l->posted_running);
}

static void loop_destroy(struct loop *l)
{
	pthread_mutex_destroy(&l->lock);
	mem_free(l->later.p);
	mem_free(l->later_running.p);
	mem_free(l->posted.p);
	mem_free(l->posted_running.p);
	mem_free(l->turn);
	mem_free(l);
}

static int fail_uv(struct err *e, int status, const char *what)
{
	return err_set(e, status == UV_ENOMEM ? ERR_NOMEM : ERR_SYSTEM, -status, ERR_ORIGIN,
		       "%s: %s", what, uv_strerror(status));
}

int loop_new(struct loop **out, struct err *e)
{
	struct loop *l = mem_new(sizeof(*l));
	int status;

	if (!l)
		return FAIL(e, NOMEM, "an event loop");
	pthread_mutex_init(&l->lock, NULL);
	l->turn = mem_new(sizeof(*l->turn));
	if (!l->turn) {
		loop_destroy(l);
		return FAIL(e, NOMEM, "an event loop");
	}
	status = uv_loop_init(&l->uv);
	if (status < 0) {
		loop_destroy(l);
		return fail_uv(e, status, "an event loop");
	}
	/* Those three cannot fail. */
	uv_prepare_init(&l->uv, &l->before_poll);
	uv_check_init(&l->uv, &l->after_poll);
	uv_idle_init(&l->uv, &l->hurry);
	l->before_poll.data = l->after_poll.data = l->wake.data = l;
	status = uv_async_init(&l->uv, &l->wake, on_wake);
	if (status < 0) {
		uv_close((uv_handle_t *)&l->before_poll, NULL);
		uv_close((uv_handle_t *)&l->after_poll, NULL);
		uv_close((uv_handle_t *)&l->hurry, NULL);
		uv_run(&l->uv, UV_RUN_DEFAULT);
		uv_loop_close(&l->uv);
		loop_destroy(l);
		return fail_uv(e, status, "an event loop");
	}
	uv_prepare_start(&l->before_poll, on_before_poll);
	uv_check_start(&l->after_poll, on_after_poll);
	*out = l;
	return 0;
}

void loop_free(struct loop *l)
{
	int status;

	if (!l)
		return;
	uv_close((uv_handle_t *)&l->wake, NULL);
	uv_close((uv_handle_t *)&l->before_poll, NULL);
	uv_close((uv_handle_t *)&l->after_poll, NULL);
	uv_close((uv_handle_t *)&l->hurry, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	status = uv_loop_close(&l->uv);
	assert(status == 0); /* a watch, timer or signal was not freed */
	(void)status;
	loop_destroy(l);
}

void loop_run(struct loop *l)
{
	l->running = true;
	uv_run(&l->uv, UV_RUN_DEFAULT);
	l->running = false;
	l->turn->known = false;
}

void loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

static const struct turn *turn_get(const struct loop *l)
{
	struct turn *t = l->turn;

	if (!t->known) {
		t->mono_ns = clock_mono_ns();
		t->wall_ns = clock_wall_ns();
		t->known = l->running; /* outside there are no turns */
	}
	return t;
}

void loop_time_passed(struct loop *l)
{
	l->turn->known = false;
}

int64_t loop_mono_ns(const struct loop *l)
{
	return turn_get(l)->mono_ns;
}

int64_t loop_wall_ns(const struct loop *l)
{
	return turn_get(l)->wall_ns;
}

int loop_post(struct loop *l, void (*fn)(void *ctx), void *ctx, struct err *e)
{
	int result;

	pthread_mutex_lock(&l->lock);
	result = calls_add(&l->posted, (struct call){ fn, ctx }, e);
	pthread_mutex_unlock(&l->lock);
	if (result == 0)
		uv_async_send(&l->wake);
	return result;
}

int loop_later(struct loop *l, void (*fn)(void *ctx), void *ctx, struct err *e)
{
	return calls_add(&l->later, (struct call){ fn, ctx }, e);
}

static void on_closed(uv_handle_t *h)
{
	mem_free(h);
}

/* loop_watch */

static void watch_arm(struct loop_watch *w, unsigned events);

static void on_poll(uv_poll_t *h, int status, int ready)
{
	struct loop_watch *w = (struct loop_watch *)h;
	unsigned events = 0;

	if (status < 0) {
		/* POLLERR: libuv has stopped the handle. The next read or SO_ERROR tells the error. */
		w->armed = 0;
		events = w->wanted ? LOOP_READ | (w->wanted & LOOP_WRITE) : 0;
	} else {
		events |= ready & UV_READABLE ? LOOP_READ : 0;
		events |= ready & UV_WRITABLE ? LOOP_WRITE : 0;
		events |= ready & UV_DISCONNECT ? LOOP_HANGUP : 0;
		events &= w->wanted;
	}
	if (events)
		w->call.fn(w->call.ctx, events);
	/* The memory is still there when fn freed the watch: see above. */
	if (!uv_is_closing((uv_handle_t *)h) && w->armed != w->wanted)
		watch_arm(w, w->wanted);
}

/* Costs one epoll_ctl now and one before the next wait. */
static void watch_arm(struct loop_watch *w, unsigned events)
{
	int ask = 0;

	ask |= events & LOOP_READ ? UV_READABLE : 0;
	ask |= events & LOOP_WRITE ? UV_WRITABLE : 0;
	ask |= events & LOOP_HANGUP ? UV_DISCONNECT : 0;
	/* Fails only for a handle that is closing, or a descriptor watched twice: our bugs. */
	int status = ask ? uv_poll_start(&w->uv, ask, on_poll) : uv_poll_stop(&w->uv);
	assert(status == 0);
	(void)status;
	w->armed = events;
}

int loop_watch_new(struct loop *l, int fd, struct loop_watch_call call, struct loop_watch **out,
		   struct err *e)
{
	struct loop_watch *w = mem_new(sizeof(*w));
	int status;

	if (!w)
		return FAIL(e, NOMEM, "watching a descriptor");
	status = uv_poll_init(&l->uv, &w->uv, fd);
	if (status < 0) {
		mem_free(w); /* libuv has not taken the handle into its list then */
		return fail_uv(e, status, "watching a descriptor");
	}
	w->call = call;
	*out = w;
	return 0;
}

/* A pause in reading is often over before more has come: only that it is not wanted any more is
 * noted, and acted upon when something comes meanwhile. Writing is nearly always possible, so that
 * the same thrift would cost a turn of the loop each time. */
void loop_watch_set(struct loop_watch *w, unsigned events)
{
	w->wanted = events;
	if (w->armed == events || w->armed == (events | LOOP_READ))
		return;
	watch_arm(w, events);
}

void loop_watch_free(struct loop_watch *w)
{
	if (w)
		uv_close((uv_handle_t *)&w->uv, on_closed);
}

/* loop_timer */

static void on_timer(uv_timer_t *h)
{
	struct loop_timer *t = (struct loop_timer *)h;
	struct loop *l = h->data;
	uint64_t now_ms = uv_now(h->loop);

	if (now_ms < t->due_ms) {
		t->armed_ms = t->due_ms;
		uv_timer_start(h, on_timer, t->due_ms - now_ms, 0);
		return;
	}
	l->in_timer = true;
	t->fn(t->ctx);
	l->in_timer = false;
}

int loop_timer_new(struct loop *l, loop_timer_fn *fn, void *ctx, struct loop_timer **out,
		   struct err *e)
{
	struct loop_timer *t = mem_new(sizeof(*t));

	if (!t)
		return FAIL(e, NOMEM, "a timer");
	uv_timer_init(&l->uv, &t->uv);
	t->uv.data = l;
	t->fn = fn;
	t->ctx = ctx;
	*out = t;
	return 0;
}

/* Counted from this turn's time and rounded up, so that it never fires early. A timer that is moved
 * to a later moment again and again (an idle time-out) only notes that moment. */
void loop_timer_set(struct loop_timer *t, int64_t after_ns)
{
	const struct loop *l = t->uv.data;
	uint64_t now_ms = uv_now(&l->uv);

	t->due_ms = (uint64_t)(loop_mono_ns(l) + (after_ns > 0 ? after_ns : 0) + 999999) / 1000000;
	/* At once means the next turn. libuv runs timers until none is due: one that sets itself for now
	 * would keep it from ever polling. */
	if (after_ns <= 0 || t->due_ms < now_ms)
		t->due_ms = now_ms + l->in_timer;
	if (uv_is_active((uv_handle_t *)&t->uv) && t->armed_ms <= t->due_ms)
		return;
	t->armed_ms = t->due_ms;
	uv_timer_start(&t->uv, on_timer, t->due_ms - now_ms, 0);
}

void loop_timer_stop(struct loop_timer *t)
{
	uv_timer_stop(&t->uv);
}

void loop_timer_free(struct loop_timer *t)
{
	if (t)
		uv_close((uv_handle_t *)&t->uv, on_closed);
}

/* loop_signal */

static void on_signal(uv_signal_t *h, int signum)
{
	struct loop_signal *s = (struct loop_signal *)h;

	s->call.fn(s->call.ctx, signum);
}

int loop_signal_new(struct loop *l, int signum, struct loop_signal_call call,
		    struct loop_signal **out, struct err *e)
{
	struct loop_signal *s = mem_new(sizeof(*s));
	int status;

	if (!s)
		return FAIL(e, NOMEM, "signal %d", signum);
	status = uv_signal_init(&l->uv, &s->uv);
	if (status < 0) {
		mem_free(s);
		return fail_uv(e, status, "watching for a signal");
	}
	s->call = call;
	status = uv_signal_start(&s->uv, on_signal, signum);
	if (status < 0) {
		loop_signal_free(s);
		return fail_uv(e, status, "watching for a signal");
	}
	*out = s;
	return 0;
}

void loop_signal_free(struct loop_signal *s)
{
	if (s)
		uv_close((uv_handle_t *)&s->uv, on_closed);
}
