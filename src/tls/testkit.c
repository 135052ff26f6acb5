#include "tls/testkit.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#define DER_MAX 65536
#define VALID_S (90L * 24 * 3600)

static void must(bool ok)
{
	if (!ok)
		abort();
}

static EVP_PKEY *make_key(const char *kind)
{
	if (strcmp(kind, "RSA") == 0)
		return EVP_RSA_gen(2048);
	if (strcmp(kind, "ED25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return EVP_EC_gen(kind);
}

static void set_name(X509_NAME *name, const char *cn)
{
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1, 0));
}

static void add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	must(ext && X509_add_ext(x, ext, -1));
	X509_EXTENSION_free(ext);
}

static X509 *make_cert(EVP_PKEY *key, const char *cn, X509 *issuer, EVP_PKEY *issuer_key)
{
	X509 *x = X509_new();

	must(x && X509_set_version(x, 2) &&
	     ASN1_INTEGER_set(X509_get_serialNumber(x), issuer ? 2 : 1));
	must(X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
	     X509_gmtime_adj(X509_getm_notAfter(x), VALID_S));
	set_name(X509_get_subject_name(x), cn);
	must(X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x)));
	must(X509_set_pubkey(x, key));
	if (issuer) {
		add_extension(x, NID_subject_alt_name, "DNS:leaf.test,DNS:www.leaf.test");
		add_extension(x, NID_ext_key_usage, "serverAuth,clientAuth");
	} else {
		add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
	}
	must(X509_sign(x, issuer_key, EVP_sha256()) > 0);
	return x;
}

static void put_cert(struct buf *b, X509 *x)
{
	int n = i2d_X509(x, NULL);
	uint8_t *room;

	must(n > 0 && buf_reserve(b, (size_t)n, &room, NULL) == 0);
	must(i2d_X509(x, &room) == n);
	buf_commit(b, (size_t)n);
}

static void put_key(struct buf *b, EVP_PKEY *key)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	int n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : 0;
	uint8_t *room;

	must(n > 0 && buf_reserve(b, (size_t)n, &room, NULL) == 0);
	must(i2d_PKCS8_PRIV_KEY_INFO(info, &room) == n);
	buf_commit(b, (size_t)n);
	PKCS8_PRIV_KEY_INFO_free(info);
}

void testkit_certs_make(const char *kind, struct testkit_certs *out)
{
	EVP_PKEY *ca_key = make_key("P-256"), *key = make_key(kind);
	X509 *ca, *leaf;

	must(ca_key && key);
	ca = make_cert(ca_key, "a test authority", NULL, ca_key);
	leaf = make_cert(key, "leaf.test", ca, ca_key);
	*out = (struct testkit_certs){ buf_init(DER_MAX), buf_init(DER_MAX),
				       buf_init_secret(DER_MAX) };
	put_cert(&out->leaf, leaf);
	put_cert(&out->issuer, ca);
	put_key(&out->key, key);
	X509_free(ca);
	X509_free(leaf);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
}

void testkit_certs_fini(struct testkit_certs *c)
{
	buf_fini(&c->leaf);
	buf_fini(&c->issuer);
	buf_fini(&c->key);
}

struct tls_identity *testkit_identity(const struct testkit_certs *c)
{
	const struct bytes der[] = { buf_bytes(&c->leaf), buf_bytes(&c->issuer) };
	struct tls_identity *id = NULL;
	struct tls_key *key = NULL;

	must(tls_key_new(buf_bytes(&c->key), &key, NULL) == 0);
	must(tls_identity_new(der, 2, key, &id, NULL) == 0);
	tls_key_free(key);
	return id;
}

static void advance(struct testkit_end *to, struct buf *plain)
{
	uint8_t room[20000];
	size_t got;

	to->status = tls_state(to->tls);
	if (to->status == TLS_HANDSHAKING)
		to->status = tls_run(to->tls, &to->err);
	if (to->status == TLS_HANDSHAKING || to->status == TLS_FAILED)
		return;
	do {
		to->status = tls_read(to->tls, room, sizeof(room), &got, &to->err);
		if (plain)
			must(buf_add(plain, bytes_of(room, got), NULL) == 0);
	} while (tls_pending(to->tls));
}

void testkit_move(struct testkit_end *from, struct testkit_end *to, size_t step, struct buf *plain)
{
	while (from->out.n) {
		size_t n = step && step < from->out.n ? step : from->out.n;

		tls_feed(to->tls, bytes_of(from->out.p, n));
		advance(to, plain);
		n = tls_consumed(to->tls);
		tls_feed(to->tls, bytes_of(NULL, 0));
		if (n == 0)
			return;
		buf_take(&from->out, n);
	}
}

void testkit_shake(struct testkit_end *client, struct testkit_end *server, size_t step)
{
	client->status = tls_run(client->tls, &client->err);
	for (int turn = 0; turn < 20; turn++) {
		if (client->out.n == 0 && server->out.n == 0)
			return;
		testkit_move(client, server, step, NULL);
		testkit_move(server, client, step, NULL);
	}
}

static void add_issuer(SSL_CTX *ctx, const struct testkit_certs *certs)
{
	const uint8_t *p = certs->issuer.p;
	X509 *x = d2i_X509(NULL, &p, (long)certs->issuer.n);

	must(x && SSL_CTX_add0_chain_cert(ctx, x) == 1);
}

void testkit_raw_init(struct testkit_raw *r, bool server, const struct testkit_certs *certs)
{
	*r = (struct testkit_raw){ .ctx = SSL_CTX_new(server ? TLS_server_method()
							     : TLS_client_method()) };
	must(r->ctx);
	SSL_CTX_set_security_level(r->ctx, 0);
	if (!certs)
		return;
	must(SSL_CTX_use_certificate_ASN1(r->ctx, (int)certs->leaf.n, certs->leaf.p) == 1);
	add_issuer(r->ctx, certs);
	must(SSL_CTX_use_PrivateKey_ASN1(EVP_PKEY_NONE, r->ctx, certs->key.p, (long)certs->key.n) ==
	     1);
}

void testkit_raw_start(struct testkit_raw *r)
{
	r->ssl = SSL_new(r->ctx);
	must(r->ssl);
	SSL_set_bio(r->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	if (SSL_is_server(r->ssl))
		SSL_set_accept_state(r->ssl);
	else
		SSL_set_connect_state(r->ssl);
}

void testkit_raw_stop(struct testkit_raw *r)
{
	if (r->ssl)
		SSL_set_shutdown(r->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(r->ssl);
	r->ssl = NULL;
}

void testkit_raw_fini(struct testkit_raw *r)
{
	testkit_raw_stop(r);
	SSL_CTX_free(r->ctx);
	ERR_clear_error();
}

/* What our side has put out goes in, what libssl has to say comes out. */
static void raw_turn(struct testkit_raw *r, struct buf *in, struct buf *out)
{
	char scratch[4096];
	uint8_t *room;
	int n;

	if (in->n)
		must(BIO_write(SSL_get_rbio(r->ssl), in->p, (int)in->n) == (int)in->n);
	buf_clear(in);
	if (SSL_do_handshake(r->ssl) == 1)
		while (SSL_read(r->ssl, scratch, sizeof(scratch)) > 0)
			;
	r->shut = SSL_get_shutdown(r->ssl) & SSL_RECEIVED_SHUTDOWN;
	ERR_clear_error();
	n = (int)BIO_ctrl_pending(SSL_get_wbio(r->ssl));
	if (n == 0)
		return;
	must(buf_reserve(out, (size_t)n, &room, NULL) == 0);
	must(BIO_read(SSL_get_wbio(r->ssl), room, n) == n);
	buf_commit(out, (size_t)n);
}

void testkit_raw_talk(struct testkit_raw *r, struct testkit_end *end, struct buf *plain)
{
	struct testkit_end wire = { .out = buf_init(4 << 20) };

	if (tls_state(end->tls) == TLS_HANDSHAKING)
		end->status = tls_run(end->tls, &end->err);
	for (;;) {
		raw_turn(r, &end->out, &wire.out);
		if (wire.out.n == 0)
			break;
		testkit_move(&wire, end, 0, plain);
		buf_clear(&wire.out);
	}
	buf_fini(&wire.out);
}

void testkit_raw_talk_timed(struct testkit_raw *r, struct testkit_end *end,
			    double (*clock_us)(void), double *raw_us)
{
	struct testkit_end wire = { .out = buf_init(4 << 20) };

	end->status = tls_run(end->tls, &end->err);
	for (;;) {
		double start = clock_us();

		raw_turn(r, &end->out, &wire.out);
		*raw_us += clock_us() - start;
		if (wire.out.n == 0)
			break;
		testkit_move(&wire, end, 0, NULL);
		buf_clear(&wire.out);
	}
	buf_fini(&wire.out);
}
