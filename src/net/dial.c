#include "net/dial.h"

#include "base/list.h"
#include "base/mem.h"
#include "net/sock.h"

#include <errno.h>
#include <stdio.h>

/* RFC 8305, 8: the recommended values. */
#define RESOLUTION_DELAY_NS 50000000
#define ATTEMPT_DELAY_NS 250000000
#define TIMEOUT_NS (10 * INT64_C(1000000000))

/* One address being connected to. */
struct attempt {
	struct list node;
	struct dial *dial;
	struct addr addr;
	int fd;
	struct loop_watch *watch;
};

/* The addresses of one family. */
struct side {
	bool answered;
	struct addr addrs[RESOLVE_MAX];
	size_t count, next;
};

enum { SIDE_IP6, SIDE_IP4 };

struct dial {
	struct loop *loop;
	struct dial_options options; /* host is not used after the start */
	struct resolve *question;
	struct side sides[2];
	struct list attempts;
	struct loop_timer *pace; /* the next attempt may start; or, settled, the result is told */
	struct loop_timer *deadline; /* of everything */
	size_t turn;		     /* the side that is tried next */
	bool trying;		     /* the first attempt was allowed to start */
	bool pacing;		     /* the last one started less than the delay ago */
	bool starting, settled;
	/* The result: of the failures the one that tells most. */
	enum dial_result result;
	struct addr tried;
	int fd;
	char detail[240];
	size_t detail_n;
};

const char *dial_result_text(enum dial_result r)
{
	static const char *const texts[] = {
		[DIAL_OK] = "connected",
		[DIAL_NO_NAME] = "the name does not exist or has no address",
		[DIAL_DNS_FAILED] = "the name servers did not answer or refused",
		[DIAL_REFUSED] = "connection refused",
		[DIAL_UNREACHABLE] = "unreachable",
		[DIAL_TIMEOUT] = "timed out",
		[DIAL_DENIED] = "not allowed to connect there",
		[DIAL_FAULT] = "a fault of our own",
	};

	return (size_t)r < ARRAY_LEN(texts) ? texts[r] : "unknown";
}

static enum dial_result result_of(int error)
{
	switch (error) {
	case 0:
		return DIAL_OK;
	case ECONNREFUSED:
	case ECONNRESET:
	case EPROTOTYPE:
		return DIAL_REFUSED;
	case ETIMEDOUT:
		return DIAL_TIMEOUT;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		return DIAL_FAULT;
	default:
		return DIAL_UNREACHABLE; /* ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EACCES … */
	}
}

/* How much a failure tells: a machine that refused exists, one that cannot be reached may not even
 * be meant for us (IPv6 where there is none). */
static int weight_of(enum dial_result r)
{
	static const int weights[] = {
		[DIAL_NO_NAME] = 1,	[DIAL_DNS_FAILED] = 2, [DIAL_DENIED] = 3,
		[DIAL_UNREACHABLE] = 4, [DIAL_TIMEOUT] = 5,    [DIAL_REFUSED] = 6,
		[DIAL_FAULT] = 7,	[DIAL_OK] = 0,
	};

	return weights[r];
}

static void note_detail(struct dial *d, const char *what, const char *why)
{
	size_t room = sizeof(d->detail) - d->detail_n;
	int n = snprintf(d->detail + d->detail_n, room, "%s%s%s%s", d->detail_n ? "; " : "", what,
			 what[0] ? ": " : "", why);

	if (n > 0 && (size_t)n < room)
		d->detail_n += (size_t)n;
	else
		d->detail[d->detail_n] = 0; /* no half sentences */
}

static void note_failure(struct dial *d, enum dial_result r, const struct addr *a, const char *why)
{
	char text[ADDR_TEXT_MAX];

	note_detail(d, a ? addr_text(a, text) : "", why);
	if (weight_of(r) <= weight_of(d->result))
		return;
	d->result = r;
	if (a)
		d->tried = *a;
}

static void note_error(struct dial *d, const struct addr *a, int error)
{
	const char *why = strerrordesc_np(error);

	note_failure(d, result_of(error), a, why ? why : "an unknown error");
}

static void attempt_free(struct attempt *t)
{
	list_remove(&t->node);
	loop_watch_free(t->watch);
	sock_close(&t->fd);
	mem_free(t);
}

static void dial_free(struct dial *d)
{
	resolve_cancel(d->question);
	LIST_EACH (it, &d->attempts)
		attempt_free(LIST_OWNER(it, struct attempt, node));
	loop_timer_free(d->pace);
	loop_timer_free(d->deadline);
	sock_close(&d->fd);
	mem_free(d);
}

static void dial_tell(struct dial *d)
{
	struct dial_options o = d->options;
	enum dial_result result = d->result;
	struct addr tried = d->tried;
	int fd = sock_take(&d->fd);
	char detail[sizeof(d->detail)];

	snprintf(detail, sizeof(detail), "%s", d->detail);
	dial_free(d);
	o.done(o.ctx, result, fd, &tried, bytes_str(detail));
}

/* The end: told now, or by the loop when dial_start has not returned yet. d may be gone. */
static void dial_settle(struct dial *d)
{
	d->settled = true;
	if (d->starting)
		loop_timer_set(d->pace, 0);
	else
		dial_tell(d);
}

static void dial_succeed(struct dial *d, struct attempt *t)
{
	d->result = DIAL_OK;
	d->tried = t->addr;
	d->detail[0] = 0;
	loop_watch_free(t->watch);
	t->watch = NULL;
	d->fd = sock_take(&t->fd);
	dial_settle(d);
}

/* The next address: families take turns, a family that has no more is passed over. */
static const struct addr *next_addr(struct dial *d)
{
	for (size_t i = 0; i < 2; i++) {
		struct side *s = &d->sides[(d->turn + i) % 2];

		if (s->next < s->count) {
			d->turn = (d->turn + i + 1) % 2;
			return &s->addrs[s->next++];
		}
	}
	return NULL;
}

static void dial_go_on(struct dial *d);

static void on_attempt(void *ctx, unsigned events)
{
	struct attempt *t = ctx;
	struct dial *d = t->dial;
	int error = sock_error(t->fd);

	(void)events;
	if (error == 0) {
		dial_succeed(d, t);
		return;
	}
	note_error(d, &t->addr, error);
	attempt_free(t);
	dial_go_on(d); /* a failure does not wait for the pace (RFC 8305, 5) */
}

/* False when it failed at once; the failure is noted. */
static bool attempt_start(struct dial *d, const struct addr *a)
{
	struct attempt *t;
	struct err e = { 0 };

	if (d->options.allow && !d->options.allow(d->options.ctx, a)) {
		note_failure(d, DIAL_DENIED, a, "not allowed");
		return false;
	}
	t = mem_new(sizeof(*t));
	if (!t) {
		note_error(d, a, ENOMEM);
		return false;
	}
	list_init(&t->node);
	t->dial = d;
	t->addr = *a;
	t->fd = -1;
	if (sock_connect(a, &t->fd, &e) < 0 ||
	    loop_watch_new(d->loop, t->fd, (struct loop_watch_call){ on_attempt, t }, &t->watch,
			   &e) < 0) {
		note_error(d, a, e.sys ? e.sys : ENOMEM);
		attempt_free(t);
		return false;
	}
	loop_watch_set(t->watch, LOOP_WRITE);
	list_add(&d->attempts, &t->node);
	return true;
}

/* RFC 8305, 3: begin when IPv6 is known to have addresses, or IPv4 has and IPv6 is answered or late. */
static bool may_begin(struct dial *d)
{
	const struct side *six = &d->sides[SIDE_IP6], *four = &d->sides[SIDE_IP4];

	return six->count || (four->count && six->answered);
}

static bool all_answered(const struct dial *d)
{
	return d->sides[SIDE_IP6].answered && d->sides[SIDE_IP4].answered;
}

/* Starts the next attempt, if there is an address for it; ends everything when nothing is left. d may
 * be gone afterwards. */
static void dial_go_on(struct dial *d)
{
	const struct addr *a;

	if (!d->trying && !may_begin(d) && !all_answered(d))
		return;
	while ((a = next_addr(d))) {
		d->trying = true;
		if (attempt_start(d, a)) {
			d->pacing = true;
			loop_timer_set(d->pace, ATTEMPT_DELAY_NS);
			return;
		}
	}
	if (list_empty(&d->attempts) && all_answered(d))
		dial_settle(d);
}

static void on_pace(void *ctx)
{
	struct dial *d = ctx;

	if (d->settled) {
		dial_tell(d);
		return;
	}
	d->trying = true;
	d->pacing = false;
	dial_go_on(d);
}

static void on_deadline(void *ctx)
{
	struct dial *d = ctx;

	LIST_EACH (it, &d->attempts) {
		const struct attempt *t = LIST_OWNER(it, struct attempt, node);

		note_failure(d, DIAL_TIMEOUT, &t->addr, "no answer");
	}
	if (list_empty(&d->attempts) && !all_answered(d))
		note_failure(d, DIAL_DNS_FAILED, NULL, "no name server answered in time");
	dial_settle(d);
}

/* That a name has no address of one family is no failure when it has some of the other. */
static void note_answer(struct dial *d, const struct resolve_answer *a)
{
	bool none = all_answered(d) && !d->sides[SIDE_IP6].count && !d->sides[SIDE_IP4].count;
	char why[128];

	if (a->result == DIAL_OK || d->result == a->result ||
	    (a->result == DIAL_NO_NAME && (!none || d->result != DIAL_OK)))
		return;
	snprintf(why, sizeof(why), "%.*s", BYTES_FMT(a->detail));
	note_failure(d, a->result, NULL, why);
}

static void on_resolved(void *ctx, const struct resolve_answer *a)
{
	struct dial *d = ctx;
	struct side *s = &d->sides[a->family == ADDR_IP6 ? SIDE_IP6 : SIDE_IP4];

	s->answered = true;
	for (size_t i = 0; i < a->count && i < RESOLVE_MAX; i++) {
		s->addrs[s->count] = a->addrs[i];
		s->addrs[s->count++].port = d->options.port;
	}
	if (all_answered(d))
		d->question = NULL; /* gone by itself after its second answer */
	note_answer(d, a);
	if (!d->trying && !may_begin(d) && d->sides[SIDE_IP4].count)
		loop_timer_set(d->pace, RESOLUTION_DELAY_NS);
	else if (!d->pacing)
		dial_go_on(d);
}

/* A literal address needs no question. */
static int find_addresses(struct dial *d, struct err *e)
{
	struct resolve_options o = { .name = d->options.host, .fn = on_resolved, .ctx = d };
	struct addr a;
	struct side *s;

	if (!addr_parse_ip(d->options.host, d->options.port, &a))
		return resolve_start(d->options.resolver, &o, &d->question, e);
	s = &d->sides[a.family == ADDR_IP6 ? SIDE_IP6 : SIDE_IP4];
	s->addrs[s->count++] = a;
	d->sides[SIDE_IP6].answered = d->sides[SIDE_IP4].answered = true;
	dial_go_on(d);
	return 0;
}

int dial_start(struct loop *l, const struct dial_options *o, struct dial **out, struct err *e)
{
	struct dial *d = mem_new(sizeof(*d));

	if (!d)
		return FAIL(e, NOMEM, "a connection");
	d->loop = l;
	d->options = *o;
	d->fd = -1;
	d->starting = true;
	list_init(&d->attempts);
	if (loop_timer_new(l, on_pace, d, &d->pace, e) < 0 ||
	    loop_timer_new(l, on_deadline, d, &d->deadline, e) < 0 || find_addresses(d, e) < 0) {
		dial_free(d);
		return -1;
	}
	loop_timer_set(d->deadline, o->timeout_ns ? o->timeout_ns : TIMEOUT_NS);
	d->starting = false;
	d->options.host = (struct bytes){ 0 };
	*out = d;
	return 0;
}

void dial_cancel(struct dial *d)
{
	if (d)
		dial_free(d);
}
