/* The server's side: its handshake, and the judgement on its chain. */
#include "proxy/flow.h"

#include "base/mem.h"
#include "pki/cert.h"
#include "proxy/offer.h"
#include "proxy/secrets.h"
#include "proxy/session.h"
#include "proxy/tell.h"
#include "wire/record.h"

#define ISSUER_TEXT_MAX 200
#define NS_PER_S ((int64_t)1000000000)

static void on_secret(void *ctx, struct bytes line)
{
	secret_log(ctx, LEG_SERVER, line);
}

static void on_session(void *ctx, struct tls_session *s)
{
	session_put(ctx, s);
}

static void on_alert(void *ctx, bool sent, uint8_t level, uint8_t description)
{
	tell_alert(ctx, LEG_SERVER, sent, level, description);
}

/* The name that the client wants the certificate to be for. */
struct bytes flow_wanted_name(const struct flow *f, char text[ADDR_TEXT_MAX])
{
	return f->sni.n ? name_bytes(&f->sni) : flow_host(f, text);
}

static int judge_chain(struct flow *f, const struct bytes *der, size_t count, struct verdict *v,
		       struct err *e)
{
	struct trust *trust = setup_trust_for(f->setup, f->decision.settings);
	struct verifier *verifier = lane_verifier(f->lane, trust, e);
	char text[ADDR_TEXT_MAX];
	struct verify_request req = { .der = der,
				      .count = count,
				      .name = flow_wanted_name(f, text),
				      .now_s = loop_wall_ns(f->lane->loop) / NS_PER_S,
				      .leaf = f->resuming ? NULL
							  : tls_peer_x509(f->server.tls, 0) };

	if (!verifier || verifier_check(verifier, &req, v, e) < 0)
		return -1;
	metric_add(f->lane->o.metrics, v->known ? METRIC_VERDICT_HIT : METRIC_VERDICT_MISS, 1);
	return 0;
}

static int client_new(struct flow *f, struct err *e)
{
	AUTO(buf_fini) struct buf alpn = buf_init(OFFER_ALPN_MAX);
	struct tls_client_options o = {
		.sni = name_bytes(&f->sni),
		.hooks = { .on_secret = secret_wanted(f, &f->server) ? on_secret : NULL,
			   .on_session = on_session,
			   .on_alert = on_alert,
			   .ctx = f }
	};
	int r;

	if (offer_policy(f, &f->policy, e) < 0 || offer_alpn(f, &alpn, e) < 0 ||
	    session_key_set(f, buf_bytes(&alpn), e) < 0)
		return -1;
	o.policy = f->policy;
	o.alpn = buf_bytes(&alpn);
	o.session = session_get(f);
	r = tls_client_new(&o, &f->server.out, &f->server.tls, e);
	tls_session_free(o.session);
	return r;
}

static unsigned shake_start(struct flow *f)
{
	struct err e = { 0 };

	if (client_new(f, &e) < 0 && e.code == ERR_UNSUPPORTED)
		return flow_fail(f,
				 offer_has_version(f) ? FAILURE_UPSTREAM_SHAKE
						      : FAILURE_PROTOCOL_VERSION,
				 e.sentence);
	if (!f->server.tls)
		return flow_fail_err(f, FAILURE_INTERNAL, &e);
	leg_go(&f->server, LEG_HANDSHAKING);
	if (tls_run(f->server.tls, &e) == TLS_FAILED)
		return flow_fail_err(f, FAILURE_INTERNAL, &e);
	return WANT_NEXT;
}

/* The first bytes of the server tell whether it speaks TLS at all. */
static bool is_tls(const struct flow *f)
{
	struct record rec;
	struct err e;

	return record_next(buf_bytes(&f->server.in), RECORD_CIPHER_MAX_12, &rec, NULL, &e) !=
	       RECORD_NOT_TLS;
}

static unsigned shake_failed(struct flow *f, const struct err *e)
{
	int alert = tls_peer_alert(f->server.tls);

	session_forget(f);
	if (alert >= 0)
		return flow_fail_alert(f, FAILURE_UPSTREAM_ALERT, alert, NULL);
	return flow_fail_err(f, FAILURE_UPSTREAM_SHAKE, e);
}

static unsigned shake_done(struct flow *f)
{
	struct tls_info info;

	loop_time_passed(f->lane->loop);
	tls_info(f->server.tls, &info);
	f->resuming = info.resumed;
	leg_go(&f->server, LEG_OPEN);
	f->shake_ns = loop_mono_ns(f->lane->loop) - f->state_ns;
	metric_observe(f->lane->o.metrics, HIST_SHAKE_SERVER, f->shake_ns);
	return flow_go(f, FLOW_JUDGE);
}

/* The ClientHello goes out, and what comes first is looked at before libssl sees it. */
static enum leg_io hear_first(struct flow *f, struct err *e)
{
	enum leg_io r = leg_flush(&f->server);

	if (r == LEG_IO_RESET || f->server.in.n)
		return r;
	return leg_fill(&f->server, f->lane->scratch, e);
}

unsigned flow_shake(struct flow *f)
{
	struct err e = { 0 };
	enum leg_io r;

	if (!f->server.tls)
		return shake_start(f);
	r = f->server_spoke ? LEG_IO_DATA : hear_first(f, &e);
	if (r == LEG_IO_DATA && !f->server_spoke && !is_tls(f))
		return flow_fail(f, FAILURE_UPSTREAM_NOT_TLS, NULL);
	if (r == LEG_IO_DATA) {
		f->server_spoke = true;
		r = leg_shake(&f->server, f->lane->scratch, &e);
	}
	switch (r) {
	case LEG_IO_DATA:
		return shake_done(f);
	case LEG_IO_AGAIN:
		return WANT_SERVER_READ | WANT_CLIENT_HANGUP;
	case LEG_IO_FAULT:
		return shake_failed(f, &e);
	case LEG_IO_RESET:
		return flow_fail(f, FAILURE_UPSTREAM_RESET, "in the TLS handshake");
	case LEG_IO_END:
	case LEG_IO_CUT:
		break;
	}
	return flow_fail(f, FAILURE_UPSTREAM_CLOSED, "in the TLS handshake");
}

/* --- the chain --- */

/* Faults that the mimic itself shows to the client, so that it may be signed by the trusted root. */
#define SHOWN_BY_MIMIC                                                                             \
	(1u << VERIFY_EXPIRED | 1u << VERIFY_NOT_YET_VALID | 1u << VERIFY_WRONG_NAME |             \
	 1u << VERIFY_WRONG_PURPOSE)

static unsigned judged(struct flow *f, const struct verdict *v)
{
	f->mint_mode = MINT_TRUSTED;
	if (v->result == VERIFY_OK)
		return flow_go(f, FLOW_MINT);
	switch (f->decision.settings->invalid_upstream) {
	case CONFIG_INVALID_BLOCK:
		f->action = ACTION_BLOCK;
		return flow_fail(f, FAILURE_UPSTREAM_CERT, v->reason);
	case CONFIG_INVALID_ALLOW:
		f->mint_mode = MINT_ALLOWED;
		f->mint_for_name = v->faults & 1u << VERIFY_WRONG_NAME;
		flow_note(f, "%s; `invalid-upstream: allow` hides it from the client", v->reason);
		return flow_go(f, FLOW_MINT);
	case CONFIG_INVALID_MIRROR:
		if (v->faults & ~(SHOWN_BY_MIMIC | 1u << VERIFY_OK))
			f->mint_mode = MINT_TWIN;
		break;
	}
	flow_note(f, "%s", v->reason);
	return flow_go(f, FLOW_MINT);
}

static void note_issuer(struct flow *f, struct bytes leaf)
{
	char text[ISSUER_TEXT_MAX];
	struct cert c;

	if (!event_bus_wants(f->lane->o.bus, EV_HANDSHAKE_DONE) || cert_parse(leaf, &c, NULL) < 0)
		return;
	mem_free(f->issuer);
	f->issuer = mem_str(name_text(c.issuer, text, sizeof(text)));
}

unsigned flow_judge(struct flow *f)
{
	struct bytes der[FLOW_CHAIN_MAX];
	struct verdict v = { .result = VERIFY_OTHER };
	struct err e = { 0 };
	size_t count = 0;

	if (tls_peer_chain(f->server.tls, der, FLOW_CHAIN_MAX, &count, &e) < 0)
		return flow_fail(f, FAILURE_UPSTREAM_SHAKE, e.sentence);
	if (count == 0)
		return flow_fail(f, FAILURE_UPSTREAM_SHAKE, "the server has shown no certificate");
	note_issuer(f, der[0]);
	tell_handshake(f, LEG_SERVER);
	if (judge_chain(f, der, count, &v, &e) < 0)
		return flow_fail_err(f, FAILURE_LIMIT, &e);
	tell_chain(f, der, count, &v);
	return judged(f, &v);
}
