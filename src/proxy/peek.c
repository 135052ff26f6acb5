/* The client's ClientHello, whole and unanswered; and the decision, once target and SNI are known. */
#include "proxy/flow.h"

#include "base/mem.h"
#include "proxy/tell.h"
#include "wire/sniff.h"

/* --- the hello --- */

static int hello_start(struct flow *f, struct err *e)
{
	f->hello = mem_new(sizeof(*f->hello));
	if (!f->hello)
		return FAIL(e, NOMEM, "a ClientHello");
	f->hello->scan = hello_init();
	f->hello->joined = buf_init(HELLO_MESSAGE_MAX);
	return 0;
}

static unsigned before_dial(struct flow *f)
{
	struct policy_query q = flow_query(f);
	char why[POLICY_WHY_MAX];

	if (policy_before_dial(&q, &f->decision) == POLICY_BLOCKED) {
		f->action = ACTION_BLOCK;
		return flow_fail(f, FAILURE_POLICY_BLOCK, policy_why(&q, &f->decision, why));
	}
	return flow_go(f, FLOW_DIAL);
}

unsigned flow_peeked(struct flow *f)
{
	return f->dialled ? flow_go(f, FLOW_DECIDE) : before_dial(f);
}

static unsigned peeked(struct flow *f)
{
	tell_open(f);
	if (f->hello && f->hello->done)
		tell_client_hello(f);
	mem_free(STEAL(f->entry));
	leg_go(&f->client, LEG_PAUSED);
	return flow_name_matters(f) ? flow_go(f, FLOW_NAME) : flow_peeked(f);
}

static unsigned hello_complete(struct flow *f)
{
	enum alert alert = ALERT_DECODE_ERROR;
	struct bytes message, sni;
	struct err e = { 0 };

	if (hello_message(&f->hello->scan, buf_bytes(&f->client.in), &f->hello->joined, &message,
			  &e) < 0)
		return flow_fail_err(f, FAILURE_LIMIT, &e);
	if (client_hello_parse(message, &f->hello->hello, &alert, &e) < 0)
		return flow_fail_alert(f, FAILURE_HELLO_BAD, alert, e.sentence);
	f->hello->done = true;
	sni = f->hello->hello.server_name;
	if (sni.n && name_parse(sni, &f->sni, &e) < 0)
		return flow_fail(f, FAILURE_SNI_INVALID, e.sentence);
	if (f->way == WAY_TLS && f->listener->user_count)
		return flow_fail(f, FAILURE_POLICY_BLOCK,
				 "proxy authentication is needed, for which TLS without CONNECT or "
				 "SOCKS5 has no place");
	/* TLS that came without CONNECT or SOCKS is going to its SNI. */
	if (f->way == WAY_TLS && f->sni.n == 0)
		return flow_fail(f, FAILURE_SNI_INVALID,
				 "none at all, and nothing else says where to go");
	if (f->way == WAY_TLS)
		f->target = (struct host){ .kind = HOST_NAME,
					   .name = f->sni,
					   .port = f->listener->port };
	return peeked(f);
}

static unsigned hello_look(struct flow *f)
{
	enum alert alert = ALERT_DECODE_ERROR;
	struct err e = { 0 };

	if (!f->hello && hello_start(f, &e) < 0)
		return flow_fail_err(f, FAILURE_LIMIT, &e);
	switch (hello_run(&f->hello->scan, buf_bytes(&f->client.in), &alert, &e)) {
	case HELLO_MORE:
		return WANT_CLIENT_READ;
	case HELLO_DONE:
		return hello_complete(f);
	case HELLO_NOT_TLS:
	case HELLO_BAD:
		break;
	}
	return flow_fail_alert(f, FAILURE_HELLO_BAD, alert, e.sentence);
}

/* Ways that know their target before the first byte take what is not TLS, too. */
static bool takes_bytes(const struct flow *f)
{
	return f->way != WAY_TLS;
}

bool flow_peek_silent(struct flow *f)
{
	if (!takes_bytes(f) || f->client.in.n > 0 || f->dialled)
		return false;
	tell_open(f);
	before_dial(f);
	return true;
}

/* The client has not said a word. Once the server is connected, whoever speaks first decides what
 * it is: a client that merely waits a while is still looked at when it begins. */
static unsigned await_first_word(struct flow *f)
{
	const struct config_timeouts *t = &f->listener->timeouts;
	enum leg_io r = LEG_IO_DATA;
	struct err e = { 0 };

	if (t->silent_client < t->hello)
		flow_bound(f, f->dialled ? t->idle : t->silent_client);
	if (!f->dialled)
		return WANT_CLIENT_READ;
	if (f->server.in.n == 0)
		r = leg_fill(&f->server, f->lane->scratch, &e);
	switch (r) {
	case LEG_IO_DATA:
		return peeked(f);
	case LEG_IO_AGAIN:
		return WANT_CLIENT_READ | WANT_SERVER_READ;
	case LEG_IO_RESET:
		return flow_fail(f, FAILURE_UPSTREAM_RESET, "before the client said anything");
	case LEG_IO_FAULT:
		return flow_fail_err(f, FAILURE_LIMIT, &e);
	case LEG_IO_END:
	case LEG_IO_CUT:
		break;
	}
	return flow_fail(f, FAILURE_UPSTREAM_CLOSED, "before the client said anything");
}

static unsigned look(struct flow *f)
{
	if (f->way == WAY_HTTP)
		return peeked(f);
	if (f->hello)
		return hello_look(f);
	if (f->client.in.n == 0)
		return WANT_CLIENT_READ;
	/* One byte tells: 22 is a handshake record, and nothing else begins so. */
	if (f->client.in.p[0] == 22)
		return hello_look(f);
	return takes_bytes(f) ? peeked(f) : flow_fail(f, FAILURE_NOT_TLS, NULL);
}

unsigned flow_peek(struct flow *f)
{
	struct err e = { 0 };
	unsigned want = look(f);
	bool silent = f->client.in.n == 0;
	enum leg_io r;

	if (want != WANT_CLIENT_READ)
		return want;
	r = leg_fill(&f->client, f->lane->scratch, &e);
	if (r == LEG_IO_DATA) {
		/* The hello's time begins with its first byte. */
		if (silent)
			flow_bound(f, f->listener->timeouts.hello);
		return WANT_NEXT;
	}
	if (r == LEG_IO_AGAIN)
		return silent && takes_bytes(f) ? await_first_word(f) : WANT_CLIENT_READ;
	if (r == LEG_IO_FAULT)
		return flow_fail_err(f, FAILURE_LIMIT, &e);
	if (r == LEG_IO_RESET)
		return flow_fail(f, FAILURE_CLIENT_RESET, NULL);
	return flow_fail(f, FAILURE_CLIENT_CLOSED,
			 f->client.in.n ? "in the middle of its ClientHello" : NULL);
}

/* --- the rules --- */

/* A plain request to a proxy becomes one to a server. It was read whole, and is read again. */
static int forward_request(struct flow *f, struct err *e)
{
	AUTO(buf_fini) struct buf plain = buf_init(LEG_IN_MAX);
	struct connect_scan scan = { 0 };
	struct connect_head head;

	f->http_answer_due = false;
	if (connect_run(&scan, buf_bytes(&f->client.in), &head, e) != CONNECT_DONE ||
	    connect_forward_write(&head, &plain, e) < 0)
		return -1;
	buf_take(&f->client.in, head.raw.n);
	/* What came of the body already stays behind the head. */
	if (buf_add(&plain, buf_bytes(&f->client.in), e) < 0)
		return -1;
	buf_clear(&f->client.in);
	return buf_add(&f->client.in, buf_bytes(&plain), e);
}

static unsigned decide_tls(struct flow *f)
{
	if (f->decision.action == CONFIG_SPLICE)
		return flow_go(f, FLOW_SPLICE);
	return flow_go(f, FLOW_SHAKE);
}

unsigned flow_decide(struct flow *f)
{
	struct policy_query q = flow_query(f);
	bool tls = f->hello && f->hello->done;
	char why[POLICY_WHY_MAX];
	struct err e = { 0 };

	q.sni_known = true;
	policy_decide(&q, &f->decision);
	f->decided = true;
	if (f->decision.action == CONFIG_BLOCK) {
		f->action = ACTION_BLOCK;
		return flow_fail(f, FAILURE_POLICY_BLOCK, policy_why(&q, &f->decision, why));
	}
	if (f->decision.passed_over >= 0)
		flow_note(f, "%s", policy_why(&q, &f->decision, why));
	f->action = f->decision.action == CONFIG_SPLICE ? ACTION_SPLICE : ACTION_BUMP;
	if (tls)
		return decide_tls(f);
	if (f->way == WAY_HTTP && forward_request(f, &e) < 0)
		return flow_fail_err(f, FAILURE_INTERNAL, &e);
	leg_go(&f->server, LEG_OPEN);
	leg_go(&f->client, LEG_OPEN);
	if (f->action == ACTION_SPLICE)
		return flow_go(f, FLOW_SPLICE);
	f->action = ACTION_PLAIN;
	return flow_go(f, FLOW_PUMP);
}
