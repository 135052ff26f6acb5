/* The connection to the target: resolved, checked, dialled, and the client told how it went. */
#include "proxy/flow.h"

#include <stdio.h>

#include "base/mem.h"
#include "proxy/tell.h"
#include "proxy/via.h"
#include "wire/socks.h"

/* The operator's own proxy may be anywhere, but an address behind it is checked like one of ours. */
static bool on_allow(void *ctx, const struct addr *a)
{
	struct flow *f = ctx;
	struct policy_query q = flow_query(f);
	char why[POLICY_WHY_MAX];
	struct addr to = *a;

	if (via_is_wanted(f) && f->target.kind != HOST_ADDR)
		return true;
	if (via_is_wanted(f))
		to = f->target.addr;
	to.port = f->target.port;
	if (policy_allows_address(&q, &to, &f->setup->self, why))
		return true;
	mem_free(f->dial_why);
	f->dial_why = mem_str(why);
	return false;
}

static void on_dialled(void *ctx, enum dial_result r, int fd, const struct addr *tried,
		       struct bytes detail)
{
	struct flow *f = ctx;
	struct err e = { 0 };

	(void)tried;
	f->dial = NULL;
	f->dialled = true;
	f->dial_result = r;
	metric_observe(f->lane->o.metrics, HIST_DIAL, loop_mono_ns(f->lane->loop) - f->state_ns);
	if (r == DIAL_OK && leg_open(&f->server, f->lane->loop, fd,
				     (struct loop_watch_call){ flow_on_server, f }, &e) < 0)
		f->dial_result = DIAL_FAULT;
	if (f->dial_result != DIAL_OK && !f->dial_why)
		f->dial_why = r == DIAL_OK ? mem_str(e.sentence) : mem_dup(detail);
	flow_wake(f);
}

static enum failure failure_of(enum dial_result r)
{
	static const enum failure of[] = {
		[DIAL_OK] = FAILURE_NONE,
		[DIAL_NO_NAME] = FAILURE_DNS,
		[DIAL_DNS_FAILED] = FAILURE_DNS,
		[DIAL_REFUSED] = FAILURE_DIAL_REFUSED,
		[DIAL_UNREACHABLE] = FAILURE_DIAL_UNREACHABLE,
		[DIAL_TIMEOUT] = FAILURE_DIAL_TIMEOUT,
		[DIAL_DENIED] = FAILURE_DIAL_DENIED,
		[DIAL_FAULT] = FAILURE_NO_DESCRIPTORS,
	};

	return of[r];
}

/* A client that has ended its direction before TLS, or while it waits for an answer, has given up;
 * one that has sent a plain request may wait for what comes of it. */
static unsigned want_dialled(const struct flow *f)
{
	bool gives_up = f->hello || f->socks_answer_due || f->way == WAY_CONNECT;

	return WANT_WAKE | (gives_up ? WANT_CLIENT_HANGUP : 0);
}

static unsigned start(struct flow *f)
{
	const struct config_upstream_proxy *via = &f->config->upstream_proxy;
	char text[ADDR_TEXT_MAX];
	struct dial_options o = { .resolver = f->lane->resolver,
				  .host = via_is_wanted(f) ? bytes_str(via->host)
							   : flow_host(f, text),
				  .port = via_is_wanted(f) ? via->port : f->target.port,
				  .timeout_ns = f->listener->timeouts.dial,
				  .allow = on_allow,
				  .done = on_dialled,
				  .ctx = f };
	struct err e = { 0 };

	leg_go(&f->server, LEG_CONNECTING);
	if (dial_start(f->lane->loop, &o, &f->dial, &e) < 0)
		return flow_fail_err(f, FAILURE_NO_DESCRIPTORS, &e);
	return want_dialled(f);
}

/* Tells the client that waits for it that the way is open. */
static int answer_client(struct flow *f, struct err *e)
{
	uint8_t reply[SOCKS_REPLY_MAX];
	size_t n;

	if (f->socks_answer_due) {
		f->socks_answer_due = false;
		n = socks_reply_write(SOCKS_SUCCEEDED, &f->server.local, reply);
		return buf_add(&f->client.out, bytes_of(reply, n), e);
	}
	if (f->http_answer_due && f->way == WAY_CONNECT) {
		f->http_answer_due = false;
		return connect_established_write(&f->client.out, e);
	}
	return 0;
}

/* Asks the upstream proxy to go on, once, and reads what it says. 0: the way is open. */
static unsigned ask_via(struct flow *f)
{
	struct err e = { 0 };
	size_t used = 0;
	enum leg_io r;

	if (!f->via_asked && via_request(f, &f->server.out, &e) < 0)
		return flow_fail_err(f, FAILURE_INTERNAL, &e);
	f->via_asked = true;
	if (leg_flush(&f->server) == LEG_IO_RESET)
		return flow_fail(f, FAILURE_DIAL_REFUSED,
				 "the upstream proxy reset the connection");
	r = leg_fill(&f->server, f->lane->scratch, &e);
	switch (via_answer(buf_bytes(&f->server.in), &used, &e)) {
	case VIA_OPEN:
		buf_take(&f->server.in, used);
		f->via_open = true;
		return 0;
	case VIA_REFUSED:
		return flow_fail(f, FAILURE_DIAL_REFUSED, e.sentence);
	case VIA_MORE:
		break;
	}
	if (r == LEG_IO_DATA || r == LEG_IO_AGAIN)
		return WANT_SERVER_READ | WANT_CLIENT_HANGUP;
	return flow_fail(f, FAILURE_DIAL_REFUSED, "the upstream proxy closed the connection");
}

unsigned flow_dial(struct flow *f)
{
	struct err e = { 0 };
	unsigned want;

	if (f->dial)
		return want_dialled(f);
	if (!f->dialled)
		return start(f);
	if (f->dial_result != DIAL_OK)
		return flow_fail(f, failure_of(f->dial_result), f->dial_why);
	if (via_is_wanted(f) && !f->via_open && (want = ask_via(f)))
		return want;
	if (answer_client(f, &e) < 0)
		return flow_fail_err(f, FAILURE_INTERNAL, &e);
	if (leg_flush(&f->client) == LEG_IO_RESET)
		return flow_fail(f, FAILURE_CLIENT_RESET, NULL);
	return flow_go(f, f->client.state == LEG_PAUSED ? FLOW_DECIDE : FLOW_PEEK);
}
