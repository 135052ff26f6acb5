#include "tap/session_part.h"

#include "base/rd.h"
#include "crypt/hash.h"
#include "wire/client_hello.h"
#include "wire/ja.h"
#include "wire/server_hello.h"

static int ja_sha256(struct bytes text, uint8_t out[SHA256_SIZE], struct err *e)
{
	struct sha256 h;

	if (sha256_of(&text, 1, &h, e) < 0)
		return -1;
	memcpy(out, h.b, sizeof(h.b));
	return 0;
}

static void tell_client(struct session *s, const struct client_hello *h, struct tap_at at)
{
	struct event ev = { .type = EV_CLIENT_HELLO, .dir = DIR_UP, .depth = s->depth };
	char ja4[JA4_TEXT_MAX] = "";

	if (!event_bus_wants(s->flow->shared->bus, EV_CLIENT_HELLO))
		return;
	if (h->raw.n && ja4_write(h, 't', ja_sha256, ja4, NULL) < 0)
		ja4[0] = 0;
	ev.u.client_hello = (struct ev_client_hello){
		.raw = h->raw,
		.sni = h->server_name,
		.version = h->max_version,
		.alpn = h->alpn,
		.ja4 = bytes_str(ja4),
	};
	tap_emit(s->flow, &ev, at);
}

/* Of a hello that breaks the rules, what decryption needs. */
static bool client_hello_rest(struct bytes message, struct client_hello *out)
{
	bool bad = false;
	struct rd r = rd_init(message, &bad);
	struct client_hello h = { .raw = message };

	rd_skip(&r, HANDSHAKE_HEADER_SIZE);
	h.legacy_version = h.max_version = rd_u16(&r);
	h.random = rd_take(&r, SESSION_RANDOM);
	h.session_id = rd_take(&r, rd_u8(&r));
	if (bad)
		return false;
	*out = h;
	return true;
}

bool session_client_hello(struct session *s, const struct handshake *m, struct tap_at at)
{
	struct client_hello h;
	bool good = client_hello_parse(m->raw, &h, NULL, NULL) == 0;

	if (!good && !client_hello_rest(m->raw, &h))
		return false;
	if (s->retry && s->has_client)
		s->retried = true;
	memcpy(s->client_random, h.random.p, SESSION_RANDOM);
	s->has_client = true;
	s->early_offered = h.has_early_data || s->early_offered;
	s->ech = h.has_ech;
	s->moved = true;
	session_hello_12(s, &h);
	tell_client(s, &h, at);
	return good;
}

bool session_v2_hello(struct session *s, struct bytes body, struct tap_at at)
{
	const struct ev_handshake_message m = {
		.content = RECORD_HANDSHAKE,
		.type = HANDSHAKE_CLIENT_HELLO,
		.bad = true, /* of another form */
		.raw = body,
	};
	bool bad = false;
	struct rd r = rd_init(body, &bad);
	struct client_hello h = { 0 };

	rd_skip(&r, 1);
	h.legacy_version = h.max_version = rd_u16(&r);
	uint16_t ciphers = rd_u16(&r), id = rd_u16(&r), challenge = rd_u16(&r);
	h.cipher_suites = rd_take(&r, ciphers);
	h.session_id = rd_take(&r, id);
	h.random = rd_take(&r, challenge);
	tell_message(s, DIR_UP, &m, at);
	if (bad || h.random.n > SESSION_RANDOM || h.session_id.n > 32)
		return false;
	/* RFC 5246, E.2: the challenge is the end of the random, zeros before it. */
	memset(s->client_random, 0, SESSION_RANDOM);
	memcpy(s->client_random + SESSION_RANDOM - h.random.n, h.random.p, h.random.n);
	s->has_client = true;
	s->moved = true;
	session_hello_12(s, &h);
	tell_client(s, &h, at);
	return true;
}

static void set_alpn(struct session *s, struct bytes name)
{
	s->alpn_n = (uint8_t)(name.n < sizeof(s->alpn) ? name.n : 0);
	if (s->alpn_n)
		memcpy(s->alpn, name.p, s->alpn_n);
}

static void tell_server(struct session *s, struct tap_at at)
{
	struct event ev = { .type = EV_SERVER_HELLO, .dir = DIR_DOWN, .depth = s->depth };

	ev.u.server_hello = (struct ev_server_hello){
		.version = s->version,
		.cipher = s->cipher,
		.group = s->group,
		.alpn = bytes_of(s->alpn, s->alpn_n),
		.resumed = s->resumed,
	};
	tap_emit(s->flow, &ev, at);
}

static void begin_13(struct session *s, const struct server_hello *h)
{
	s->resumed = h->has_psk;
	s->group = h->group;
	/* Early data is taken only along with the key that it is encrypted under. */
	if (s->early_offered && !h->has_psk)
		s->early_known = true;
	s->sides[DIR_DOWN].epoch = EPOCH_HANDSHAKE;
	s->sides[DIR_DOWN].seq = 0;
	session_12_free(s->old);
	s->old = NULL;
}

bool session_server_hello(struct session *s, const struct handshake *m, struct tap_at at)
{
	struct server_hello h;

	if (server_hello_parse(m->raw, &h, NULL, NULL) < 0)
		return false;
	s->moved = true;
	s->version = h.version;
	s->cipher = h.cipher;
	s->suite = suite_find(h.cipher);
	if (h.retry) {
		s->retry = true;
		s->early_known = true;
		return true;
	}
	s->has_server = true;
	memcpy(s->server_random, h.random.p, SESSION_RANDOM);
	set_alpn(s, h.alpn);
	if (session_is_13(s))
		begin_13(s, &h);
	else
		session_agreed_12(s, &h);
	tell_server(s, at);
	return true;
}

bool session_extensions(struct session *s, const struct handshake *m)
{
	struct encrypted_extensions x;

	if (encrypted_extensions_parse(m->raw, &x, NULL, NULL) < 0)
		return false;
	set_alpn(s, x.alpn);
	s->early_known = true;
	s->early_accepted = x.has_early_data;
	s->moved = true;
	return true;
}
