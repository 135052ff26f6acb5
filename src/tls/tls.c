#include "tls/tls.h"

#include <openssl/err.h>

#include "base/mem.h"
#include "base/wr.h"
#include "tls/identity.h"
#include "tls/library.h"
#include "tls/names.h"
#include "tls/policy.h"
#include "tls/session.h"

#define SNI_MAX 255

/* The queue of errors is the thread's, and others use it too; libssl judges its own calls by it. */
static void queue_clean(void)
{
	if (ERR_peek_error())
		ERR_clear_error();
}

static enum tls_status fail(struct tls *t, struct err *e)
{
	(void)fault_take(t, e);
	t->state = TLS_FAILED;
	return TLS_FAILED;
}

static int attach(struct tls *t, struct err *e)
{
	SSL_CTX *ctx = policy_ctx(t->policy, t->hooks.on_secret != NULL);
	BIO *bio;

	queue_clean();
	t->ssl = ctx ? SSL_new(ctx) : NULL;
	bio = t->ssl ? BIO_new(library_bio_method()) : NULL;
	if (!bio) {
		ERR_clear_error();
		return FAIL(e, NOMEM, "a TLS session");
	}
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	return 0;
}

static struct tls *session_new(enum tls_side side, struct tls_policy *policy,
			       const struct tls_hooks *hooks, struct buf *out, struct err *e)
{
	struct tls *t = mem_new(sizeof(*t));

	if (!t) {
		(void)FAIL(e, NOMEM, "a TLS session");
		return NULL;
	}
	t->side = side;
	t->policy = policy;
	t->hooks = *hooks;
	t->out = out;
	t->peer_alert = -1;
	if (policy_side(policy) != side) {
		tls_free(t);
		(void)FAIL(e, UNSUPPORTED, "the policy is of the other side");
		return NULL;
	}
	if (attach(t, e) < 0) {
		tls_free(t);
		return NULL;
	}
	return t;
}

static int set_sni(struct tls *t, struct bytes sni, struct err *e)
{
	char name[SNI_MAX + 1];

	if (sni.n == 0)
		return 0;
	if (sni.n > SNI_MAX || bytes_index(sni, 0) < sni.n)
		return FAIL(e, NAME, "not a host name for the SNI (%zu bytes)", sni.n);
	memcpy(name, sni.p, sni.n);
	name[sni.n] = 0;
	if (SSL_set_tlsext_host_name(t->ssl, name) == 1)
		return 0;
	ERR_clear_error();
	return FAIL(e, NOMEM, "a TLS session");
}

static int set_session(struct tls *t, const struct tls_session *s, struct err *e)
{
	SSL_SESSION *session = s ? resume_ssl(s) : NULL;

	if (!session)
		return 0;
	if (!tls_session_is_tls13(s) &&
	    !policy_has_cipher(t->policy, SSL_SESSION_get0_cipher(session)))
		return 0;
	if (SSL_set_session(t->ssl, session) != 1) {
		ERR_clear_error();
		return FAIL(e, NOMEM, "a TLS session to resume");
	}
	/* Dropped again when the peer does not resume: then it sends a chain of its own. */
	t->kept = chain_ref(resume_chain(s));
	return 0;
}

static int set_up_client(struct tls *t, const struct tls_client_options *o, struct err *e)
{
	SSL_set_connect_state(t->ssl);
	if (o->ask_verdict) {
		t->verdict = VERDICT_ASKED;
		SSL_set_verify(t->ssl, SSL_VERIFY_PEER, NULL);
	}
	if (set_sni(t, o->sni, e) < 0)
		return -1;
	if (o->alpn.n && (o->alpn.n > UINT16_MAX ||
			  SSL_set_alpn_protos(t->ssl, o->alpn.p, (unsigned)o->alpn.n) != 0)) {
		ERR_clear_error();
		return FAIL(e, TLS_DECODE, "not a list of application protocols");
	}
	if (o->identity && identity_use(o->identity, t->ssl, e) < 0)
		return -1;
	return set_session(t, o->session, e);
}

int tls_client_new(const struct tls_client_options *o, struct buf *out, struct tls **tls,
		   struct err *e)
{
	struct tls *t = session_new(TLS_CLIENT, o->policy, &o->hooks, out, e);

	if (!t)
		return -1;
	if (set_up_client(t, o, e) < 0) {
		tls_free(t);
		return -1;
	}
	*tls = t;
	return 0;
}

static int set_up_server(struct tls *t, const struct tls_server_options *o, struct err *e)
{
	SSL_set_accept_state(t->ssl);
	if (o->ask_client_cert)
		SSL_set_verify(t->ssl, SSL_VERIFY_PEER, NULL);
	if (o->alpn.n > ALPN_MAX)
		return FAIL(e, TLS_DECODE, "no application protocol has %zu bytes", o->alpn.n);
	t->alpn = bytes_of(o->alpn.n ? mem_dup(o->alpn) : NULL, o->alpn.n);
	if (o->alpn.n && !t->alpn.p)
		return FAIL(e, NOMEM, "a TLS session");
	return identity_use(o->identity, t->ssl, e);
}

int tls_server_new(const struct tls_server_options *o, struct buf *out, struct tls **tls,
		   struct err *e)
{
	struct tls *t = session_new(TLS_SERVER, o->policy, &o->hooks, out, e);

	if (!t)
		return -1;
	if (set_up_server(t, o, e) < 0) {
		tls_free(t);
		return -1;
	}
	*tls = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	/* Else libssl takes a session that did not end with close_notify for one that cannot be
	 * resumed, and looks for it in its cache under a lock. */
	if (t->ssl && t->state != TLS_FAILED)
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	chain_free(t->chain);
	chain_free(t->kept);
	mem_free((void *)(uintptr_t)t->alpn.p);
	mem_free(t);
}

/* What the peer begins with tells what it speaks, should it not be TLS. What was not used is fed
 * again, and must not be kept twice. */
static void keep_first(struct tls *t)
{
	struct bytes part = bytes_slice(t->in, t->first_n - t->before, FIRST_BYTES - t->first_n);

	if (part.n)
		memcpy(t->first + t->first_n, part.p, part.n);
	t->first_n += part.n;
}

void tls_feed(struct tls *t, struct bytes ciphertext)
{
	t->before += t->used;
	t->in = ciphertext;
	t->used = 0;
	if (t->first_n < FIRST_BYTES)
		keep_first(t);
}

size_t tls_consumed(const struct tls *t)
{
	return t->used;
}

enum tls_status tls_state(const struct tls *t)
{
	return t->state;
}

static void settle(struct tls *t)
{
	t->state = TLS_OPEN;
	t->group = names_group_of_nid(SSL_get_negotiated_group(t->ssl));
	if (SSL_session_reused(t->ssl) && !t->chain)
		t->chain = STEAL(t->kept);
	chain_free(t->kept);
	t->kept = NULL;
}

static enum tls_status failed_before(struct err *e)
{
	(void)FAIL(e, TLS_PROTOCOL, "the TLS session has failed before");
	return TLS_FAILED;
}

enum tls_status tls_run(struct tls *t, struct err *e)
{
	int r;

	if (t->state == TLS_FAILED)
		return failed_before(e);
	if (t->state != TLS_HANDSHAKING || t->verdict == VERDICT_WANTED)
		return t->state;
	queue_clean();
	r = SSL_do_handshake(t->ssl);
	if (t->fault)
		return fail(t, e);
	if (r == 1) {
		settle(t);
		return t->state;
	}
	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_RETRY_VERIFY:
		return t->state;
	default:
		return fail(t, e);
	}
}

bool tls_wants_verdict(const struct tls *t)
{
	return t->state == TLS_HANDSHAKING && t->verdict == VERDICT_WANTED;
}

void tls_verdict(struct tls *t, uint8_t alert)
{
	if (t->verdict != VERDICT_WANTED)
		return;
	t->verdict = alert ? VERDICT_REFUSED : VERDICT_ACCEPTED;
	t->refusal = alert;
}

/* What comes after the end means nothing (RFC 8446, 6.1). */
static void drop_rest(struct tls *t)
{
	t->used = t->in.n;
}

enum tls_status tls_read(struct tls *t, uint8_t *p, size_t n, size_t *got, struct err *e)
{
	size_t part = 0;
	int r = 1;

	*got = 0;
	t->full = false;
	if (t->state == TLS_CLOSED)
		drop_rest(t);
	if (t->state == TLS_FAILED)
		return failed_before(e);
	if (t->state != TLS_OPEN)
		return t->state;
	queue_clean();
	while (*got < n && (r = SSL_read_ex(t->ssl, p + *got, n - *got, &part)) == 1)
		*got += part;
	t->full = r == 1;
	if (r == 1)
		return t->state;
	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return t->state;
	case SSL_ERROR_ZERO_RETURN:
		t->state = TLS_CLOSED;
		break;
	default:
		(void)fail(t, e);
	}
	drop_rest(t);
	return t->state;
}

bool tls_pending(const struct tls *t)
{
	return t->state == TLS_OPEN && (SSL_pending(t->ssl) > 0 || (t->full && t->used < t->in.n));
}

int tls_write(struct tls *t, struct bytes b, struct err *e)
{
	uint8_t *room;
	size_t done = 0;

	if (t->shut || (t->state != TLS_OPEN && t->state != TLS_CLOSED))
		return FAIL(e, CLOSED, "the TLS session is not open for writing");
	if (b.n == 0)
		return 0;
	/* At once, else the buffer grows record by record. */
	if (buf_reserve(t->out, tls_write_room(b.n), &room, e) < 0)
		return -1;
	queue_clean();
	if (SSL_write_ex(t->ssl, b.p, b.n, &done) == 1)
		return 0;
	return fail(t, e) == TLS_FAILED ? -1 : 0;
}

void tls_shutdown(struct tls *t)
{
	if (t->shut || (t->state != TLS_OPEN && t->state != TLS_CLOSED))
		return;
	t->shut = true;
	queue_clean();
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}

/* No keys yet, and nothing of the handshake that an alert in clear could not follow. */
static bool is_keyless(const struct tls *t)
{
	OSSL_HANDSHAKE_STATE s = SSL_get_state(t->ssl);

	if (t->state != TLS_HANDSHAKING)
		return false;
	return s == TLS_ST_BEFORE || (t->side == TLS_CLIENT && s == TLS_ST_CW_CLNT_HELLO) ||
	       (t->side == TLS_SERVER && s == TLS_ST_SW_SRVR_DONE);
}

int tls_send_alert(struct tls *t, struct buf *out, uint8_t description, struct err *e)
{
	struct wr w = wr_init(out);
	struct wr_mark record;

	if (t && !is_keyless(t))
		return FAIL(e, UNSUPPORTED, "the handshake has keys: libssl sends no alert for us");
	wr_u8(&w, SSL3_RT_ALERT);
	wr_u16(&w, TLS1_2_VERSION);
	record = wr_open(&w, 2);
	wr_u8(&w, SSL3_AL_FATAL);
	wr_u8(&w, description);
	wr_close(&w, record);
	if (wr_end(&w, e) < 0)
		return -1;
	if (!t)
		return 0;
	t->state = TLS_FAILED;
	if (t->hooks.on_alert)
		t->hooks.on_alert(t->hooks.ctx, true, SSL3_AL_FATAL, description);
	return 0;
}

void tls_info(const struct tls *t, struct tls_info *out)
{
	const unsigned char *alpn = NULL;
	unsigned alpn_n = 0;
	const SSL_CIPHER *c = SSL_get_current_cipher(t->ssl);

	SSL_get0_alpn_selected(t->ssl, &alpn, &alpn_n);
	*out = (struct tls_info){
		.version = (uint16_t)SSL_version(t->ssl),
		.cipher = c ? SSL_CIPHER_get_protocol_id(c) : 0,
		.group = t->group,
		.alpn = bytes_of(alpn, alpn_n),
		.resumed = SSL_session_reused(t->ssl),
		.cert_asked = t->cert_asked,
	};
}

int tls_peer_chain(const struct tls *t, struct bytes *der, size_t max, size_t *count, struct err *e)
{
	size_t n = t->chain ? t->chain->count : 0;

	if (n > max)
		return FAIL(e, LIMIT, "the peer sent %zu certificates, %zu are allowed", n, max);
	for (size_t i = 0; i < n; i++)
		der[i] = t->chain->der[i];
	*count = n;
	return 0;
}

void *tls_peer_x509(const struct tls *t, size_t i)
{
	const STACK_OF(X509) *chain = SSL_get_peer_cert_chain(t->ssl);

	/* On the server's side libssl keeps the leaf apart from the rest. */
	if (i == 0)
		return SSL_get0_peer_certificate(t->ssl);
	if (t->side == TLS_SERVER)
		i--;
	return chain && i < (size_t)sk_X509_num(chain) ? sk_X509_value(chain, (int)i) : NULL;
}

int tls_peer_alert(const struct tls *t)
{
	return t->peer_alert;
}

void tls_slim(struct tls *t)
{
	if (t->state == TLS_HANDSHAKING)
		return;
	(void)SSL_free_buffers(t->ssl);
	if (!t->shared)
		session_drop_issuers(t->ssl);
	queue_clean();
}
