#include "proxy/flow.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "proxy/failure.h"
#include "proxy/quota.h"
#include "proxy/rewrite.h"
#include "proxy/tell.h"

#define NS_PER_S ((int64_t)1000000000)
#define LINGER_NS (2 * NS_PER_S)
#define REASON_MAX 700

#define TO(state) (1u << (state))
#define ENDS (TO(FLOW_LINGER) | TO(FLOW_DONE))

/* Which of the listener's time-outs bounds a state, and what it means when it passes. */
enum bound { BOUND_NONE, BOUND_HELLO, BOUND_DIAL, BOUND_HANDSHAKE, BOUND_IDLE, BOUND_LINGER };

/* clang-format off */
static const struct {
	const char *name;
	unsigned (*step)(struct flow *f);
	uint32_t next;
	enum bound bound;
	enum failure late;
} states[FLOW_STATE_COUNT] = {
	[FLOW_ENTER]  = { "enter",  flow_enter,  TO(FLOW_PEEK) | TO(FLOW_DIAL) | ENDS, BOUND_HELLO, FAILURE_HELLO_TIMEOUT },
	[FLOW_PEEK]   = { "peek",   flow_peek,   TO(FLOW_NAME) | TO(FLOW_DIAL) | TO(FLOW_DECIDE) | ENDS, BOUND_HELLO, FAILURE_HELLO_TIMEOUT },
	[FLOW_NAME]   = { "name",   flow_name,   TO(FLOW_DIAL) | TO(FLOW_DECIDE) | ENDS, BOUND_DIAL, FAILURE_DNS },
	[FLOW_DIAL]   = { "dial",   flow_dial,   TO(FLOW_PEEK) | TO(FLOW_DECIDE) | ENDS, BOUND_DIAL, FAILURE_DIAL_TIMEOUT },
	[FLOW_DECIDE] = { "decide", flow_decide, TO(FLOW_SHAKE) | TO(FLOW_PUMP) | TO(FLOW_SPLICE) | ENDS, BOUND_NONE, FAILURE_INTERNAL },
	[FLOW_SHAKE]  = { "shake",  flow_shake,  TO(FLOW_JUDGE) | ENDS, BOUND_HANDSHAKE, FAILURE_UPSTREAM_TIMEOUT },
	[FLOW_JUDGE]  = { "judge",  flow_judge,  TO(FLOW_MINT) | ENDS, BOUND_NONE, FAILURE_INTERNAL },
	[FLOW_MINT]   = { "mint",   flow_mint,   TO(FLOW_ANSWER) | ENDS, BOUND_HANDSHAKE, FAILURE_KEEPER_GONE },
	[FLOW_ANSWER] = { "answer", flow_answer, TO(FLOW_PUMP) | ENDS, BOUND_HANDSHAKE, FAILURE_CLIENT_TIMEOUT },
	[FLOW_PUMP]   = { "pump",   flow_pump,   ENDS, BOUND_IDLE, FAILURE_NONE },
	[FLOW_SPLICE] = { "splice", flow_splice, ENDS, BOUND_IDLE, FAILURE_NONE },
	[FLOW_LINGER] = { "linger", flow_linger, TO(FLOW_DONE), BOUND_LINGER, FAILURE_NONE },
	[FLOW_DONE]   = { "done",   NULL, 0, BOUND_NONE, FAILURE_NONE },
};
/* clang-format on */

const char *flow_state_name(enum flow_state s)
{
	return states[s].name;
}

static int64_t bound_ns(const struct flow *f, enum bound b)
{
	const struct config_timeouts *t = &f->listener->timeouts;

	switch (b) {
	case BOUND_HELLO:
		return t->hello;
	case BOUND_DIAL:
		return t->dial + NS_PER_S; /* the dial itself gives up first */
	case BOUND_HANDSHAKE:
		return t->handshake;
	case BOUND_IDLE:
		return t->idle;
	case BOUND_LINGER:
		return LINGER_NS;
	case BOUND_NONE:
		break;
	}
	return 0;
}

unsigned flow_go(struct flow *f, enum flow_state to)
{
	assert(states[f->state].next & TO(to));
	f->state = to;
	f->state_ns = loop_mono_ns(f->lane->loop);
	f->active_ns = f->state_ns;
	flow_bound(f, bound_ns(f, states[to].bound));
	return WANT_NEXT;
}

void flow_bound(struct flow *f, int64_t ns)
{
	f->deadline_ns = ns ? loop_mono_ns(f->lane->loop) + ns : 0;
	if (ns)
		loop_timer_set(f->timer, ns);
	else
		loop_timer_stop(f->timer);
}

/* --- the end --- */

static void end_legs(struct flow *f)
{
	if (f->state == FLOW_DONE && f->reset_client)
		leg_close_reset(&f->client);
	else
		leg_close(&f->client);
	if (f->server.fd >= 0 && f->reset_server)
		leg_close_reset(&f->server);
	else
		leg_close(&f->server);
}

void flow_hello_free(struct flow *f)
{
	if (!f->hello)
		return;
	buf_fini(&f->hello->joined);
	mem_free(f->hello);
	f->hello = NULL;
}

void flow_free(struct flow *f)
{
	struct lane *lane = f->lane;

	if (f->counted)
		quota_give(lane->o.shared->quota, &f->client.remote);
	resolve_cancel(f->naming);
	dial_cancel(f->dial);
	leaf_ticket_cancel(f->ticket);
	observe_free(f->observe);
	tell_end(f);
	loop_timer_free(f->timer);
	end_legs(f);
	flow_hello_free(f);
	mem_free(f->entry);
	mem_free(f->dial_why);
	mem_free(f->issuer);
	mem_free(f->reason);
	rewrite_free(f->rewrite);
	leaf_free(f->leaf);
	tls_policy_free(f->policy);
	list_remove(&f->node);
	setup_free(f->setup);
	mem_free(f);
	lane_flow_ended(lane);
}

void flow_note(struct flow *f, const char *fmt, ...)
{
	char text[REASON_MAX];
	size_t n = 0;
	va_list ap;

	if (f->reason)
		n = (size_t)snprintf(text, sizeof(text) / 2, "%s; ", f->reason);
	if (n >= sizeof(text) / 2)
		return;
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	mem_free(f->reason);
	f->reason = mem_str(text);
}

static void set_reason(struct flow *f, enum failure why, int alert, const char *detail)
{
	char text[REASON_MAX], host[ADDR_TEXT_MAX];
	struct diagnosis d = { .failure = why,
			       .host = flow_host(f, host),
			       .port = f->target.port,
			       .sni = name_bytes(&f->sni),
			       .alert = alert,
			       .verdict = bytes_str(why == FAILURE_UPSTREAM_CERT ? detail : NULL),
			       .detail = bytes_str(why == FAILURE_UPSTREAM_CERT ? NULL : detail) };

	mem_free(f->reason);
	f->reason = mem_str(diagnose_to(text, sizeof(text), &d));
}

/* The last words in the client's own protocol. True when there are any. */
static bool say_status(struct flow *f, const struct failure_shown *shown)
{
	struct buf *out = &f->client.out;
	uint8_t reply[SOCKS_REPLY_MAX];
	struct connect_status s = { .status = f->http_status ? f->http_status : shown->http_status,
				    .reason = bytes_str(f->reason ? f->reason : ""),
				    .authenticate = f->http_status == 407 ? "Basic realm=\"oriel\""
									  : NULL };

	if (f->http_answer_due) {
		f->http_answer_due = false;
		return connect_status_write(&s, out, NULL) == 0;
	}
	if (!f->socks_answer_due)
		return false;
	f->socks_answer_due = false;
	return buf_add(out, bytes_of(reply, socks_reply_write(shown->socks, NULL, reply)), NULL) ==
	       0;
}

static bool say_alert(struct flow *f, const struct failure_shown *shown, int alert)
{
	uint8_t code = (uint8_t)shown->alert;

	if (shown->sees != SEES_ALERT && shown->sees != SEES_SAME_ALERT)
		return false;
	if (!f->hello || f->client.state > LEG_HANDSHAKING)
		return false;
	if (shown->sees == SEES_SAME_ALERT && alert >= 0)
		code = (uint8_t)alert;
	else if (f->failure == FAILURE_HELLO_BAD && alert > 0)
		code = (uint8_t)alert;
	/* A session of its own has said what it had to say. */
	if (f->client.tls)
		return true;
	tell_alert(f, LEG_CLIENT, true, ALERT_FATAL, code);
	return tls_send_alert(NULL, &f->client.out, code, NULL) == 0;
}

unsigned flow_fail_alert(struct flow *f, enum failure why, int alert, const char *detail)
{
	const struct failure_shown *shown = failure_shown(why);

	/* Failed already, or over: what is under way still has nobody to tell. */
	if (f->state == FLOW_LINGER || f->state == FLOW_DONE)
		return WANT_NEXT;
	dial_cancel(STEAL(f->dial));
	leaf_ticket_cancel(STEAL(f->ticket));
	tell_open(f);
	f->failure = why;
	set_reason(f, why, alert, detail);
	if (f->client.fd < 0)
		return flow_go(f, FLOW_DONE);
	if (say_status(f, shown) || say_alert(f, shown, alert)) {
		leg_finish(&f->client, true);
		return flow_go(f, FLOW_LINGER);
	}
	f->reset_client = shown->sees == SEES_RESET;
	/* A session of the client that failed has an alert in out. */
	if (!f->reset_client && f->client.out.n && leg_may_write(&f->client)) {
		leg_finish(&f->client, true);
		return flow_go(f, FLOW_LINGER);
	}
	return flow_go(f, FLOW_DONE);
}

unsigned flow_fail(struct flow *f, enum failure why, const char *detail)
{
	return flow_fail_alert(f, why, -1, detail);
}

unsigned flow_fail_err(struct flow *f, enum failure why, const struct err *e)
{
	if (e->code == ERR_NOMEM || e->code == ERR_LIMIT)
		why = FAILURE_LIMIT;
	return flow_fail_alert(f, why, -1, e->sentence);
}

/* Waits for the client to have read the last words: a close with unread input would reset it. */
unsigned flow_linger(struct flow *f)
{
	enum leg_io r = leg_flush(&f->client);
	struct err e = { 0 };

	if (f->server.fd >= 0)
		leg_close(&f->server);
	if (r == LEG_IO_RESET)
		return flow_go(f, FLOW_DONE);
	for (int i = 0; i < 8; i++) {
		buf_clear(&f->client.in);
		r = leg_fill(&f->client, f->lane->scratch, &e);
		if (r == LEG_IO_AGAIN)
			return WANT_CLIENT_READ;
		if (r != LEG_IO_DATA)
			break;
	}
	return flow_go(f, FLOW_DONE);
}

/* --- running --- */

static void arm_leg(const struct leg *l, unsigned events)
{
	if (l->watch)
		loop_watch_set(l->watch, events | (l->out.n || l->fin_due ? LOOP_WRITE : 0));
}

static void arm(struct flow *f)
{
	unsigned client = 0;

	if (f->want & WANT_CLIENT_READ)
		client |= LOOP_READ;
	if (f->want & WANT_CLIENT_WRITE)
		client |= LOOP_WRITE;
	if (f->want & WANT_CLIENT_HANGUP)
		client |= LOOP_HANGUP;
	arm_leg(&f->client, client);
	arm_leg(&f->server, (f->want & WANT_SERVER_READ ? LOOP_READ : 0) |
				    (f->want & WANT_SERVER_WRITE ? LOOP_WRITE : 0));
}

void flow_run(struct flow *f)
{
	if (f->running) {
		f->woken = true;
		return;
	}
	f->running = true;
	while (f->state != FLOW_DONE) {
		f->woken = false;
		f->want = states[f->state].step(f);
		if (!(f->want & WANT_NEXT) && !f->woken)
			break;
	}
	f->running = false;
	if (f->state == FLOW_DONE)
		flow_free(f);
	else
		arm(f);
}

void flow_wake(struct flow *f)
{
	flow_run(f);
}

/* What a step left for later. The steps that pass bytes on look after it themselves. */
static void flush_leg(struct flow *f, struct leg *l, unsigned events, enum failure late)
{
	if ((events & LOOP_WRITE) && f->state < FLOW_PUMP && leg_flush(l) == LEG_IO_RESET)
		flow_fail(f, late, NULL);
}

void flow_on_client(void *flow, unsigned events)
{
	struct flow *f = flow;

	flush_leg(f, &f->client, events, FAILURE_CLIENT_RESET);
	if ((events & LOOP_HANGUP) && (f->want & WANT_CLIENT_HANGUP))
		flow_fail(f, FAILURE_CLIENT_CLOSED, NULL);
	flow_run(f);
}

void flow_on_server(void *flow, unsigned events)
{
	flush_leg(flow, &((struct flow *)flow)->server, events, FAILURE_UPSTREAM_RESET);
	flow_run(flow);
}

/* A slow reader may take what the kernel holds for it for longer than the idle time. */
static bool is_taking(struct leg *l)
{
	size_t before = l->unsent;

	l->unsent = l->fd >= 0 ? sock_unsent(l->fd) : 0;
	return l->unsent && l->unsent != before;
}

/* Idle flows are looked at when their time is up, not at every byte. */
static bool was_active(struct flow *f)
{
	int64_t idle = bound_ns(f, BOUND_IDLE), since = loop_mono_ns(f->lane->loop) - f->active_ns;

	if (states[f->state].bound != BOUND_IDLE)
		return false;
	if (f->client.state != LEG_OPEN || f->server.state != LEG_OPEN)
		idle = f->listener->timeouts.half_close;
	if (since >= idle && !is_taking(&f->client) && !is_taking(&f->server))
		return false;
	loop_timer_set(f->timer, since < idle ? idle - since : idle);
	return true;
}

static void on_timer(void *ctx)
{
	struct flow *f = ctx;

	if (was_active(f))
		return;
	if (f->state == FLOW_PEEK && flow_peek_silent(f)) {
		flow_run(f);
		return;
	}
	if (states[f->state].late != FAILURE_NONE)
		flow_fail(f, states[f->state].late, NULL);
	else
		flow_idle_end(f);
	flow_run(f);
}

/* --- the beginning --- */

static struct flow *flow_new(struct lane *l, const struct config_listener *listener)
{
	struct flow *f = mem_new(sizeof(*f));

	if (!f)
		return NULL;
	f->lane = l;
	list_init(&f->node);
	f->setup = setup_ref(l->setup);
	f->config = f->setup->config;
	leg_init(&f->client, f->config->limits.buffer);
	leg_init(&f->server, f->config->limits.buffer);
	f->listener = listener;
	f->entry = mem_new(sizeof(*f->entry));
	if (!f->entry || loop_timer_new(l->loop, on_timer, f, &f->timer, NULL) < 0) {
		mem_free(f->entry);
		setup_free(f->setup);
		mem_free(f);
		return NULL;
	}
	f->number =
		atomic_fetch_add_explicit(&l->o.shared->flow_numbers, 1, memory_order_relaxed) + 1;
	f->state_ns = f->active_ns = loop_mono_ns(l->loop);
	f->way = WAY_CONNECT;
	list_add(&l->flows, &f->node);
	return f;
}

void flow_start(struct lane *l, const struct config_listener *listener, int fd)
{
	struct flow *f = flow_new(l, listener);
	struct err e = { 0 };

	if (!f) {
		sock_close_reset(&fd);
		lane_flow_ended(l);
		return;
	}
	flow_bound(f, bound_ns(f, BOUND_HELLO));
	if (leg_open(&f->client, l->loop, fd, (struct loop_watch_call){ flow_on_client, f }, &e) <
	    0) {
		flow_free(f);
		return;
	}
	f->counted = quota_take(l->o.shared->quota, &f->client.remote,
				f->config->limits.connections_per_client);
	if (!f->counted)
		flow_fail(f, FAILURE_LIMIT, "this client has too many connections");
	else
		flow_enter_allowed(f);
	flow_run(f);
}
