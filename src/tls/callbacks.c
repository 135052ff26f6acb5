/* What libssl calls. A callback finds its session through the BIO, which costs nothing, instead of
 * through libssl's extra data, which is allocated. */
#include <openssl/x509.h>

#include "base/rd.h"
#include "tls/session.h"

struct tls *session_of(const SSL *ssl)
{
	return BIO_get_data(SSL_get_rbio(ssl));
}

static void on_secret(const SSL *ssl, const char *line)
{
	struct tls *t = session_of(ssl);

	if (t->hooks.on_secret)
		t->hooks.on_secret(t->hooks.ctx, bytes_str(line));
}

static void on_info(const SSL *ssl, int where, int value)
{
	struct tls *t;
	int level = value >> 8 & 0xff, description = value & 0xff;

	if (!(where & SSL_CB_ALERT))
		return;
	t = session_of(ssl);
	if ((where & SSL_CB_READ) && description != SSL_AD_CLOSE_NOTIFY)
		t->peer_alert = description;
	if (t->hooks.on_alert)
		t->hooks.on_alert(t->hooks.ctx, where & SSL_CB_WRITE, (uint8_t)level,
				  (uint8_t)description);
}

/* libssl chooses the alert by the error of a verification. */
static int verdict_error(uint8_t alert)
{
	switch (alert) {
	case SSL_AD_HANDSHAKE_FAILURE:
		return X509_V_ERR_APPLICATION_VERIFICATION;
	case SSL_AD_BAD_CERTIFICATE:
		return X509_V_ERR_CERT_UNTRUSTED;
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
		return X509_V_ERR_INVALID_PURPOSE;
	case SSL_AD_CERTIFICATE_REVOKED:
		return X509_V_ERR_CERT_REVOKED;
	case SSL_AD_CERTIFICATE_EXPIRED:
		return X509_V_ERR_CERT_HAS_EXPIRED;
	case SSL_AD_UNKNOWN_CA:
		return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT;
	case SSL_AD_DECRYPT_ERROR:
		return X509_V_ERR_CERT_SIGNATURE_FAILURE;
	case SSL_AD_INTERNAL_ERROR:
		return X509_V_ERR_OUT_OF_MEM;
	default:
		return X509_V_ERR_SUBJECT_ISSUER_MISMATCH; /* certificate_unknown */
	}
}

/* In place of libssl's verification: keeps the chain, and waits for the owner's verdict if it wants
 * to give one. */
static int on_chain(X509_STORE_CTX *store, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *t = session_of(ssl);

	(void)arg;
	if (!t->chain)
		t->chain = chain_new(X509_STORE_CTX_get0_untrusted(store));
	/* libssl goes on whatever is answered unless it was told to verify: tls_run looks. */
	if (!t->chain)
		t->fault = ERR_NOMEM;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	switch (t->verdict) {
	case VERDICT_NOT_ASKED:
	case VERDICT_ACCEPTED:
		return t->chain != NULL;
	case VERDICT_ASKED:
	case VERDICT_WANTED:
		t->verdict = VERDICT_WANTED;
		SSL_set_retry_verify(ssl);
		return t->chain != NULL;
	case VERDICT_REFUSED:
		break;
	}
	X509_STORE_CTX_set_error(store, verdict_error(t->refusal));
	return 0;
}

void session_drop_issuers(SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);

	while (chain && sk_X509_num(chain) > 1)
		X509_free(sk_X509_pop(chain));
}

/* Returns 1 when it keeps the session. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *t = session_of(ssl);
	struct tls_session *s;

	if (!t->hooks.on_session || !SSL_SESSION_is_resumable(session))
		return 0;
	s = resume_new(session, t->chain);
	if (!s)
		return 0;
	/* Up to TLS 1.2 this is still the handshake, and the owner may want them. */
	if (tls_session_is_tls13(s) && SSL_get_session(ssl) == session)
		session_drop_issuers(ssl);
	t->shared = true;
	t->hooks.on_session(t->hooks.ctx, s);
	return 1;
}

/* The peer asks for our certificate; what there is of one was set before. */
static int on_cert_asked(SSL *ssl, void *arg)
{
	(void)arg;
	session_of(ssl)->cert_asked = true;
	return 1;
}

/* Chooses the one protocol that the session was told, if it is in the client's list (RFC 7301).
 * lint-ok: libssl's callback */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
		   const unsigned char *in, unsigned in_n, void *arg)
{
	const struct tls *t = session_of(ssl);
	struct bytes wanted = t->alpn;
	bool bad = false;
	struct rd list = rd_init(bytes_of(in, in_n), &bad);

	(void)arg;
	while (wanted.n && list.n) {
		struct bytes name = rd_take(&list, rd_u8(&list));

		if (bad || !bytes_equal(name, wanted))
			continue;
		*out = name.p;
		*out_n = (unsigned char)name.n;
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

void session_callbacks(SSL_CTX *ctx, const struct tls_policy_options *o)
{
	SSL_CTX_set_info_callback(ctx, on_info);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, on_chain, NULL);
	if (o->side == TLS_SERVER)
		SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	else
		SSL_CTX_set_cert_cb(ctx, on_cert_asked, NULL);
	if (o->side == TLS_CLIENT && o->sessions)
		SSL_CTX_sess_set_new_cb(ctx, on_session);
}

void session_log_secrets(SSL_CTX *ctx)
{
	SSL_CTX_set_keylog_callback(ctx, on_secret);
}
