/* The client's side: the mimic, and the handshake with it. */
#include "proxy/flow.h"

#include "pki/cert.h"
#include "proxy/secrets.h"
#include "proxy/tell.h"

static void on_minted(void *ctx, struct leaf *leaf, const struct err *why)
{
	struct flow *f = ctx;

	f->ticket = NULL;
	f->leaf = leaf;
	metric_add(f->lane->o.metrics, leaf ? METRIC_MINT_OK : METRIC_MINT_FAILED, 1);
	if (!leaf)
		flow_fail(f, why->code == ERR_CLOSED ? FAILURE_KEEPER_GONE : FAILURE_MINT_FAILED,
			  why->sentence);
	flow_wake(f);
}

unsigned flow_mint(struct flow *f)
{
	struct leaf_ask ask = { .mode = f->mint_mode,
				.now_ns = loop_mono_ns(f->lane->loop),
				.done = on_minted,
				.ctx = f };
	struct leaf_reply reply;
	struct err e = { 0 };
	struct bytes der[FLOW_CHAIN_MAX];
	char text[ADDR_TEXT_MAX];
	size_t count = 0;

	if (f->leaf)
		return flow_go(f, FLOW_ANSWER);
	if (f->ticket)
		return WANT_WAKE | WANT_CLIENT_HANGUP;
	if (tls_peer_chain(f->server.tls, der, FLOW_CHAIN_MAX, &count, &e) < 0)
		return flow_fail_err(f, FAILURE_INTERNAL, &e);
	ask.origin_der = der[0]; /* FLOW_JUDGE has seen that there is one */
	if (f->mint_for_name)
		ask.name = flow_wanted_name(f, text);
	if (leaf_desk_ask(f->lane->desk, &ask, &reply, &e) < 0)
		return flow_fail_err(f,
				     e.code == ERR_CLOSED ? FAILURE_KEEPER_GONE
							  : FAILURE_MINT_FAILED,
				     &e);
	metric_add(f->lane->o.metrics,
		   reply.outcome == LEAF_READY ? METRIC_CERT_HIT : METRIC_CERT_MISS, 1);
	f->leaf = reply.leaf;
	f->ticket = reply.ticket;
	return f->leaf ? flow_go(f, FLOW_ANSWER) : WANT_WAKE | WANT_CLIENT_HANGUP;
}

static void on_secret(void *ctx, struct bytes line)
{
	secret_log(ctx, LEG_CLIENT, line);
}

static void on_alert(void *ctx, bool sent, uint8_t level, uint8_t description)
{
	tell_alert(ctx, LEG_CLIENT, sent, level, description);
}

static unsigned answer_start(struct flow *f)
{
	struct tls_server_options o = {
		.policy = f->lane->server_policy,
		.identity = f->leaf->identity,
		.hooks = { .on_secret = secret_wanted(f, &f->client) ? on_secret : NULL,
			   .on_alert = on_alert,
			   .ctx = f }
	};
	struct tls_info up;
	struct err e = { 0 };

	if (f->leaf->key_note[0])
		flow_note(f, "%s", f->leaf->key_note);
	tls_info(f->server.tls, &up);
	o.alpn = up.alpn;
	if (tls_server_new(&o, &f->client.out, &f->client.tls, &e) < 0)
		return flow_fail_err(f, FAILURE_INTERNAL, &e);
	leg_go(&f->client, LEG_HANDSHAKING);
	return WANT_NEXT;
}

static unsigned answer_failed(struct flow *f, const struct err *e)
{
	int alert = tls_peer_alert(f->client.tls);

	if (alert >= 0 && alert_is_about_certificate((uint8_t)alert))
		return flow_fail_alert(f, FAILURE_CLIENT_REJECTS, alert, NULL);
	return flow_fail_alert(f, FAILURE_CLIENT_ALERT, alert, alert >= 0 ? NULL : e->sentence);
}

static unsigned answer_done(struct flow *f)
{
	leg_go(&f->client, LEG_OPEN);
	/* Without tickets nothing is sent after the client's Finished. A client that has not said
	 * TCP_NODELAY holds its request back until that is acknowledged. */
	if (f->client.in.n == 0)
		sock_ack_now(f->client.fd);
	metric_observe(f->lane->o.metrics, HIST_SHAKE_CLIENT,
		       loop_mono_ns(f->lane->loop) - f->state_ns);
	tell_handshake(f, LEG_CLIENT);
	flow_hello_free(f);
	leaf_free(STEAL(f->leaf));
	tls_slim(f->client.tls);
	tls_slim(f->server.tls);
	return flow_go(f, FLOW_PUMP);
}

unsigned flow_answer(struct flow *f)
{
	struct err e = { 0 };

	if (!f->client.tls)
		return answer_start(f);
	switch (leg_shake(&f->client, f->lane->scratch, &e)) {
	case LEG_IO_DATA:
		return answer_done(f);
	case LEG_IO_AGAIN:
		return WANT_CLIENT_READ;
	case LEG_IO_FAULT:
		return answer_failed(f, &e);
	case LEG_IO_RESET:
		return flow_fail(f, FAILURE_CLIENT_RESET, "in the TLS handshake");
	case LEG_IO_END:
	case LEG_IO_CUT:
		break;
	}
	return flow_fail(f, FAILURE_CLIENT_CLOSED, "in the TLS handshake");
}
