/* Plaintext both ways (FLOW_PUMP), or the bytes as they are (FLOW_SPLICE). A direction reads only
 * while what was read before has gone out but for half of `limits.buffer`: nobody reads ahead of a slow
 * reader. */
#include "proxy/flow.h"

#include "base/mem.h"
#include "proxy/rewrite.h"
#include "proxy/tell.h"
#include "wire/sniff.h"

/* Reads of one direction before the others have their turn. */
#define TURNS 4

struct direction {
	enum flow_dir dir;
	struct leg *from, *to;
	enum flow_leg from_leg;
};

static struct direction direction_of(struct flow *f, enum flow_dir dir)
{
	if (dir == DIR_UP)
		return (struct direction){ dir, &f->client, &f->server, LEG_CLIENT };
	return (struct direction){ dir, &f->server, &f->client, LEG_SERVER };
}

static void observe_bytes_of(struct flow *f, enum flow_dir dir, struct bytes b)
{
	f->bytes[dir] += b.n;
	if (f->observe)
		observe_feed(f->observe, dir, b, loop_wall_ns(f->lane->loop),
			     loop_mono_ns(f->lane->loop));
}

static int pass_up(struct flow *f, struct bytes b, struct err *e)
{
	observe_bytes_of(f, DIR_UP, b);
	return leg_write(&f->server, b, e);
}

/* As much of what the client sent as the server has room for, with the rule's changes; the rest is
 * held, and nothing more is read meanwhile. */
static int pass_rewritten(struct flow *f, struct bytes b, struct err *e)
{
	enum rewrite_result r = REWRITE_MORE;

	while (r == REWRITE_MORE && leg_has_room(&f->server)) {
		struct bytes out;

		r = rewrite_run(f->rewrite, &b, &out, e);
		if ((out.n && pass_up(f, out, e) < 0) || r == REWRITE_REFUSED)
			return -1;
	}
	return rewrite_hold(f->rewrite, b, e);
}

/* Only HTTP is written anew: what begins otherwise passes as it is. */
static bool rewrites(struct flow *f, struct bytes first)
{
	enum sniff what;

	/* Its first piece may be the beginning of a head, of which nothing has gone on yet. */
	if (!f->rewrite || rewrite_begun(f->rewrite) || !first.n)
		return f->rewrite != NULL;
	what = sniff_first(first);
	if (what == SNIFF_HTTP || what == SNIFF_MORE)
		return true;
	flow_note(f, "the client does not speak HTTP/1: `set-header` does not apply");
	rewrite_free(STEAL(f->rewrite));
	return false;
}

static int pass_down(struct flow *f, struct bytes b, struct err *e)
{
	observe_bytes_of(f, DIR_DOWN, b);
	/* Whether an Upgrade or CONNECT succeeded is known when its final answer was seen. */
	if (f->rewrite && rewrite_waits(f->rewrite) && observe_waiting(f->observe) == 0)
		rewrite_answer(f->rewrite, observe_proto(f->observe) != PROTO_HTTP1);
	return leg_write(&f->client, b, e);
}

static int pass_on(struct flow *f, const struct direction *d, struct bytes b, struct err *e)
{
	if (d->dir == DIR_DOWN)
		return pass_down(f, b, e);
	return rewrites(f, b) ? pass_rewritten(f, b, e) : pass_up(f, b, e);
}

/* The request cannot be written anew. The client is told, when no other answer is under way. */
static unsigned refuse_request(struct flow *f, const struct err *e)
{
	AUTO(buf_fini) struct buf answer = buf_init((size_t)4 << 10);
	struct connect_status s = { .status = e->code == ERR_LIMIT ? 431 : 400,
				    .reason = bytes_str(e->sentence) };

	/* What of it finds no memory is not said. */
	if (observe_waiting(f->observe) == 0 && leg_may_write(&f->client) &&
	    connect_status_write(&s, &answer, NULL) == 0 &&
	    leg_write(&f->client, buf_bytes(&answer), NULL) < 0)
		buf_clear(&f->client.out);
	return flow_fail_alert(f, FAILURE_REQUEST_REFUSED, -1, e->sentence);
}

static unsigned pass_failed(struct flow *f, const struct err *e)
{
	if (f->rewrite && rewrite_refused(f->rewrite))
		return refuse_request(f, e);
	return flow_fail_err(f, FAILURE_INTERNAL, e);
}

/* One side is gone in the midst of things: so is the other, in the same way. That is a failure only
 * when nothing useful came before. */
static unsigned cut_off(struct flow *f, const struct direction *d, enum failure why,
			enum leg_end how)
{
	tell_leg_end(f, d->from_leg, how);
	f->reset_client = f->reset_server = true;
	if (f->bytes[DIR_DOWN] == 0)
		f->failure = why;
	return flow_go(f, FLOW_DONE);
}

static unsigned was_reset(struct flow *f, const struct direction *d)
{
	bool server = d->from_leg == LEG_SERVER;

	flow_note(f, "the %s reset the connection", server ? "server" : "client");
	return cut_off(f, d, server ? FAILURE_UPSTREAM_RESET : FAILURE_CLIENT_RESET, END_RESET);
}

/* TLS failed on one side; that one has an alert waiting that says so. */
static unsigned broke(struct flow *f, const struct direction *d, const struct err *e)
{
	bool server = d->from_leg == LEG_SERVER;
	struct tls_info info = { 0 };
	unsigned want;

	if (server && d->from->tls)
		tls_info(d->from->tls, &info);
	flow_note(f, "the TLS connection with the %s broke: %s%s", server ? "server" : "client",
		  e->sentence,
		  info.cert_asked ? " (it asked for a client certificate; there is none)" : "");
	leg_flush(d->from);
	want = cut_off(f, d, server ? FAILURE_UPSTREAM_ALERT : FAILURE_CLIENT_ALERT, END_TRUNCATED);
	if (server)
		f->reset_server = false;
	else
		f->reset_client = false;
	return want;
}

static void finish(struct flow *f, const struct direction *d, bool clean)
{
	if (f->observe)
		observe_end(f->observe, d->dir, clean, loop_wall_ns(f->lane->loop),
			    loop_mono_ns(f->lane->loop));
	leg_finish(d->to, !clean);
}

/* A direction has ended. The other may go on for as long as something moves in it. */
static void ended(struct flow *f, const struct direction *d, bool clean)
{
	const struct config_timeouts *t = &f->listener->timeouts;

	loop_timer_set(f->timer, t->half_close < t->idle ? t->half_close : t->idle);
	leg_go(d->from, d->from->state == LEG_SELF_DONE ? LEG_CLOSED : LEG_PEER_DONE);
	tell_leg_end(f, d->from_leg, clean ? END_CLEAN : END_TRUNCATED);
	if (d->dir == DIR_UP && f->rewrite && rewrite_held(f->rewrite))
		rewrite_end_later(f->rewrite, clean);
	else
		finish(f, d, clean);
}

static bool can_resume(const struct flow *f)
{
	return f->rewrite && rewrite_held(f->rewrite) && !rewrite_waits(f->rewrite) &&
	       leg_has_room(&f->server);
}

/* Goes on with what is held; its end comes behind it. */
static int resume(struct flow *f, struct err *e)
{
	struct direction up = direction_of(f, DIR_UP);
	AUTO(buf_fini) struct buf held = rewrite_take(f->rewrite);
	bool clean;

	if (pass_rewritten(f, buf_bytes(&held), e) < 0)
		return -1;
	if (!rewrite_held(f->rewrite) && rewrite_end_due(f->rewrite, &clean))
		finish(f, &up, clean);
	return 0;
}

/* What one read came to: 0 to go on, a want to stop with. */
static unsigned move(struct flow *f, const struct direction *d)
{
	struct err e = { 0 };
	size_t got = 0;
	enum leg_io r = leg_read(d->from, f->lane->scratch, &got, &e);

	if (got) {
		f->active_ns = loop_mono_ns(f->lane->loop);
		if (pass_on(f, d, bytes_of(f->lane->scratch->plain, got), &e) < 0)
			return pass_failed(f, &e);
	}
	switch (r) {
	case LEG_IO_DATA:
	case LEG_IO_AGAIN:
		break;
	case LEG_IO_END:
		ended(f, d, true);
		break;
	case LEG_IO_CUT:
		ended(f, d, false);
		break;
	case LEG_IO_RESET:
		return was_reset(f, d);
	case LEG_IO_FAULT:
		return broke(f, d, &e);
	}
	if (leg_flush(d->to) == LEG_IO_RESET) {
		struct direction back = direction_of(f, d->dir == DIR_UP ? DIR_DOWN : DIR_UP);

		return was_reset(f, &back);
	}
	/* A read that found less than it asked for need not be tried again before the next event. */
	return r == LEG_IO_DATA && !(d->from->drained && !d->from->more_plain) ? 0 : WANT_WAKE;
}

static bool may_move(const struct flow *f, const struct direction *d)
{
	if (d->dir == DIR_UP && f->rewrite && rewrite_held(f->rewrite))
		return false;
	return leg_may_read(d->from) && leg_may_write(d->to) && leg_has_room(d->to);
}

/* Goes on until the direction has nothing more, or its turns are used up. */
static unsigned run_direction(struct flow *f, enum flow_dir dir)
{
	struct direction d = direction_of(f, dir);
	struct err e = { 0 };
	unsigned want = 0;

	if (dir == DIR_UP && can_resume(f) && resume(f, &e) < 0)
		return pass_failed(f, &e);
	for (int i = 0; i < TURNS && !want && may_move(f, &d); i++)
		want = move(f, &d);
	return want & WANT_NEXT;
}

static bool over(const struct flow *f)
{
	return f->client.state == LEG_CLOSED && f->server.state == LEG_CLOSED &&
	       f->client.out.n == 0 && f->server.out.n == 0;
}

/* A direction that may move, and has bytes that no event of a socket will tell of. */
static bool has_more(struct flow *f, enum flow_dir dir)
{
	struct direction d = direction_of(f, dir);

	return may_move(f, &d) && d.from->more_plain;
}

static unsigned wants(struct flow *f)
{
	struct direction up = direction_of(f, DIR_UP), down = direction_of(f, DIR_DOWN);
	unsigned want = WANT_WAKE;

	if (may_move(f, &up))
		want |= WANT_CLIENT_READ;
	if (may_move(f, &down))
		want |= WANT_SERVER_READ;
	return want;
}

/* Both sides are told goodbye as is proper. */
static unsigned part(struct flow *f, enum leg_end how)
{
	tell_leg_end(f, LEG_CLIENT, how);
	leg_finish(&f->server, false);
	leg_flush(&f->server);
	leg_finish(&f->client, false);
	return flow_go(f, FLOW_LINGER);
}

/* While oriel ends, a connection that is kept for requests to come has no more to wait for. */
static bool is_unneeded(const struct flow *f)
{
	return f->lane->draining && f->observe && observe_idle(f->observe) &&
	       f->client.out.n == 0 && f->server.out.n == 0 &&
	       !(f->rewrite && rewrite_held(f->rewrite));
}

static unsigned run_both(struct flow *f)
{
	do {
		size_t waiting = f->client.out.n + f->server.out.n;

		if (leg_flush(&f->client) == LEG_IO_RESET ||
		    leg_flush(&f->server) == LEG_IO_RESET) {
			struct direction down = direction_of(f, DIR_DOWN),
					 up = direction_of(f, DIR_UP);

			return was_reset(f, f->client.out.n ? &up : &down);
		}
		/* A slow reader that takes what waits for it is not idle. */
		if (f->client.out.n + f->server.out.n < waiting)
			f->active_ns = loop_mono_ns(f->lane->loop);
		if (run_direction(f, DIR_UP) & WANT_NEXT)
			return WANT_NEXT;
		/* A server nearby may have answered what has just been sent. */
		loop_time_passed(f->lane->loop);
		if (run_direction(f, DIR_DOWN) & WANT_NEXT)
			return WANT_NEXT;
	} while (has_more(f, DIR_UP) || has_more(f, DIR_DOWN) || can_resume(f));
	if (over(f))
		return flow_go(f, FLOW_DONE);
	if (is_unneeded(f)) {
		flow_note(f, "closed between two requests, since oriel ends");
		return part(f, END_LOCAL);
	}
	return wants(f);
}

/* --- FLOW_PUMP --- */

static int observe_start(struct flow *f, struct err *e)
{
	char text[HOST_TEXT_MAX];
	struct tls_info info = { 0 };
	struct observe_options o = { .bus = f->lane->o.bus,
				     .flow = f->number,
				     .leg = LEG_CLIENT,
				     .scheme = bytes_str(f->client.tls ? "https" : "http") };

	if (f->client.tls) {
		tls_info(f->client.tls, &info);
		o.alpn = info.alpn;
	}
	o.authority = bytes_str(host_text(&f->target, text));
	return observe_new(&o, &f->observe, e);
}

static int pump_start(struct flow *f, struct err *e)
{
	if (config_rule_rewrites(f->decision.settings) &&
	    rewrite_new(f->decision.settings, &f->rewrite, e) < 0)
		return -1;
	return observe_start(f, e);
}

unsigned flow_pump(struct flow *f)
{
	struct err e = { 0 };

	if (!f->observe && pump_start(f, &e) < 0)
		return flow_fail_err(f, FAILURE_LIMIT, &e);
	return run_both(f);
}

/* --- FLOW_SPLICE --- */

unsigned flow_splice(struct flow *f)
{
	if (f->client.state == LEG_PAUSED) {
		leg_go(&f->client, LEG_OPEN);
		leg_go(&f->server, LEG_OPEN);
		flow_hello_free(f);
	}
	return run_both(f);
}

void flow_idle_end(struct flow *f)
{
	if (f->state != FLOW_PUMP && f->state != FLOW_SPLICE) {
		flow_go(f, FLOW_DONE);
		return;
	}
	flow_note(f, "closed after being idle for %lld s",
		  (long long)((loop_mono_ns(f->lane->loop) - f->active_ns) / 1000000000));
	part(f, END_TIMEOUT);
}
