#include "proxy/tell.h"

#include "crypt/hash.h"
#include "pki/cert.h"
#include "wire/ja.h"

static bool wanted(const struct flow *f, enum event_type type)
{
	return event_bus_wants(f->lane->o.bus, type);
}

static struct event event_of(const struct flow *f, enum event_type type, enum flow_leg leg)
{
	return (struct event){ .type = type,
			       .flow = f->number,
			       .leg = leg,
			       .wall_ns = loop_wall_ns(f->lane->loop),
			       .mono_ns = loop_mono_ns(f->lane->loop) };
}

static void emit(const struct flow *f, const struct event *ev)
{
	event_bus_emit(f->lane->o.bus, ev);
}

void tell_open(struct flow *f)
{
	struct event ev = event_of(f, EV_FLOW_OPEN, LEG_CLIENT);
	char text[ADDR_TEXT_MAX];

	if (f->told_open)
		return;
	f->told_open = true;
	ev.u.flow_open = (struct ev_flow_open){ .way = f->way,
						.client = f->client.remote,
						.local = f->client.local,
						.target_host = flow_host(f, text),
						.target_port = f->target.port };
	emit(f, &ev);
}

static int ja_hash(struct bytes text, uint8_t out[32], struct err *e)
{
	struct sha256 h;

	if (sha256_of(&text, 1, &h, e) < 0)
		return -1;
	memcpy(out, h.b, sizeof(h.b));
	return 0;
}

void tell_client_hello(struct flow *f)
{
	struct event ev = event_of(f, EV_CLIENT_HELLO, LEG_CLIENT);
	const struct client_hello *h = &f->hello->hello;
	char ja4[JA4_TEXT_MAX] = "";

	if (!wanted(f, EV_CLIENT_HELLO))
		return;
	if (ja4_write(h, 't', ja_hash, ja4, NULL) < 0)
		ja4[0] = 0;
	ev.u.client_hello = (struct ev_client_hello){ .raw = h->raw,
						      .sni = name_bytes(&f->sni),
						      .version = h->max_version,
						      .alpn = h->alpn,
						      .ja4 = bytes_str(ja4) };
	emit(f, &ev);
}

static enum chain_verdict verdict_of(enum verify_result r)
{
	static const enum chain_verdict of[] = {
		[VERIFY_OK] = CHAIN_OK,
		[VERIFY_EXPIRED] = CHAIN_EXPIRED,
		[VERIFY_NOT_YET_VALID] = CHAIN_NOT_YET_VALID,
		[VERIFY_WRONG_NAME] = CHAIN_WRONG_NAME,
		[VERIFY_UNKNOWN_ISSUER] = CHAIN_UNKNOWN_ISSUER,
		[VERIFY_SELF_SIGNED] = CHAIN_SELF_SIGNED,
		[VERIFY_INCOMPLETE] = CHAIN_INCOMPLETE,
		[VERIFY_WRONG_PURPOSE] = CHAIN_WRONG_PURPOSE,
		[VERIFY_WEAK] = CHAIN_WEAK,
		[VERIFY_UNREADABLE] = CHAIN_UNREADABLE,
		[VERIFY_OTHER] = CHAIN_OTHER,
	};

	return of[r];
}

void tell_chain(struct flow *f, const struct bytes *der, size_t count, const struct verdict *v)
{
	struct event ev = event_of(f, EV_CERT_CHAIN, LEG_SERVER);

	if (!wanted(f, EV_CERT_CHAIN))
		return;
	ev.dir = DIR_DOWN;
	ev.u.cert_chain = (struct ev_cert_chain){ .der = der,
						  .count = count,
						  .verdict = verdict_of(v->result),
						  .reason = bytes_str(v->reason) };
	emit(f, &ev);
}

void tell_secret(struct flow *f, enum flow_leg leg, struct bytes label)
{
	struct event ev = event_of(f, EV_SECRET_SEEN, leg);

	if (!wanted(f, EV_SECRET_SEEN))
		return;
	ev.u.secret_seen.label = label;
	emit(f, &ev);
}

void tell_handshake(struct flow *f, enum flow_leg leg)
{
	const struct leg *l = leg == LEG_CLIENT ? &f->client : &f->server;
	const char *issuer = leg == LEG_CLIENT ? f->leaf->issuer : f->issuer;
	struct event ev = event_of(f, EV_HANDSHAKE_DONE, leg);
	struct tls_info info;

	if (!wanted(f, EV_HANDSHAKE_DONE))
		return;
	tls_info(l->tls, &info);
	ev.u.handshake_done =
		(struct ev_handshake_done){ .version = info.version,
					    .cipher = info.cipher,
					    .group = info.group,
					    .alpn = info.alpn,
					    .issuer = bytes_str(issuer ? issuer : ""),
					    .resumed = info.resumed,
					    .took_ns = leg == LEG_CLIENT ? 0 : f->shake_ns,
					    .local = l->local,
					    .remote = l->remote };
	emit(f, &ev);
}

void tell_alert(struct flow *f, enum flow_leg leg, bool sent, uint8_t level, uint8_t description)
{
	struct event ev = event_of(f, EV_ALERT, leg);

	if (!wanted(f, EV_ALERT))
		return;
	ev.u.alert = (struct ev_alert){ .sent = sent, .level = level, .description = description };
	emit(f, &ev);
}

void tell_leg_end(struct flow *f, enum flow_leg leg, enum leg_end how)
{
	struct event ev = event_of(f, EV_LEG_END, leg);

	if (!f->told_open || !wanted(f, EV_LEG_END))
		return;
	ev.u.leg_end.how = how;
	emit(f, &ev);
}

void tell_end(struct flow *f)
{
	struct event ev = event_of(f, EV_FLOW_END, LEG_CLIENT);

	if (!f->told_open)
		return;
	ev.u.flow_end =
		(struct ev_flow_end){ .action = f->action,
				      .failed = f->failure != FAILURE_NONE,
				      .reason = bytes_str(f->reason ? f->reason : ""),
				      .failure = failure_word(f->failure),
				      .side = f->failure != FAILURE_NONE ? failure_side(f->failure)
									 : LEG_CLIENT,
				      .bytes_up = f->bytes[DIR_UP],
				      .bytes_down = f->bytes[DIR_DOWN] };
	emit(f, &ev);
}
