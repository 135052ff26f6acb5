/* The connection to the target: resolved, checked, dialled, and the client told how it went. */
#include "proxy/flow.h"

#include <stdio.h>

#include "base/mem.h"
#include "proxy/tell.h"
#include "wire/socks.h"

static bool on_allow(void *ctx, const struct addr *a)
{
	struct flow *f = ctx;
	struct policy_query q = flow_query(f);
	char why[POLICY_WHY_MAX];
	struct addr to = *a;

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
	if (r == DIAL_OK && leg_open(&f->server, f->lane->loop, fd, flow_on_server, f, &e) < 0)
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

static unsigned start(struct flow *f)
{
	char text[ADDR_TEXT_MAX];
	struct dial_options o = { .resolver = f->lane->resolver,
				  .host = flow_host(f, text),
				  .port = f->target.port,
				  .timeout_ns = f->listener->timeouts.dial,
				  .allow = on_allow,
				  .done = on_dialled,
				  .ctx = f };
	struct err e = { 0 };

	leg_go(&f->server, LEG_CONNECTING);
	if (dial_start(f->lane->loop, &o, &f->dial, &e) < 0)
		return flow_fail_err(f, FAILURE_NO_DESCRIPTORS, &e);
	return WANT_WAKE | WANT_CLIENT_HANGUP;
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

unsigned flow_dial(struct flow *f)
{
	struct err e = { 0 };

	if (f->dial)
		return WANT_WAKE | WANT_CLIENT_HANGUP;
	if (!f->dialled)
		return start(f);
	if (f->dial_result != DIAL_OK)
		return flow_fail(f, failure_of(f->dial_result), f->dial_why);
	if (answer_client(f, &e) < 0)
		return flow_fail_err(f, FAILURE_INTERNAL, &e);
	if (leg_flush(&f->client) == LEG_IO_RESET)
		return flow_fail(f, FAILURE_CLIENT_RESET, NULL);
	return flow_go(f, f->client.state == LEG_PAUSED ? FLOW_DECIDE : FLOW_PEEK);
}
