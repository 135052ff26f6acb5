#include "tap/session_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/ssl.h> /* lint-ok: the peers that are listened to */
#include <openssl/x509.h>

#include "wire/record.h"

#define WIRE_MAX (64 * 1024 * 1024)

EVP_PKEY *kit_key(bool rsa)
{
	static EVP_PKEY *keys[2];

	if (!keys[rsa])
		keys[rsa] = rsa ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
				: EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	assert_non_null(keys[rsa]);
	return keys[rsa];
}

static X509 *test_cert(bool rsa)
{
	static X509 *certs[2];
	X509 *x;

	if (certs[rsa])
		return certs[rsa];
	x = certs[rsa] = X509_new();
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, kit_key(rsa));
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)"oriel.test", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	assert_true(X509_sign(x, kit_key(rsa), EVP_sha256()) > 0);
	return x;
}

static void on_keylog(const SSL *ssl, const char *line)
{
	struct kit *k = SSL_get_app_data(ssl);

	assert_int_equal(buf_printf(&k->keys, NULL, "%s\n", line), 0);
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct kit *k = SSL_get_app_data(ssl);

	SSL_SESSION_free(k->session);
	k->session = session;
	return 1;
}

/* lint-ok: libssl's callback */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in,
		   unsigned in_n, void *arg)
{
	(void)ssl;
	(void)arg;
	return SSL_select_next_proto((unsigned char **)(void *)out, n,
				     (const unsigned char *)"\2h2", 3, in,
				     in_n) == OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_NOACK;
}

int kit_any_certificate(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	(void)ctx;
	return 1;
}

/* lint-ok: libssl's callback */
static unsigned psk_client(SSL *ssl, const char *hint, char *identity, unsigned identity_max,
			   unsigned char *psk, unsigned max)
{
	(void)ssl;
	(void)hint;
	(void)max;
	snprintf(identity, identity_max, "somebody");
	memcpy(psk, "0123456789abcdef", 16);
	return 16;
}

static unsigned psk_server(SSL *ssl, const char *identity, unsigned char *psk, unsigned max)
{
	(void)ssl;
	(void)identity;
	(void)max;
	memcpy(psk, "0123456789abcdef", 16);
	return 16;
}

static SSL_CTX *context(const struct kit_options *o, bool server)
{
	SSL_CTX *c = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	int version = o->version ? o->version : TLS1_3_VERSION;

	SSL_CTX_set_security_level(c, 0);
	SSL_CTX_set_min_proto_version(c, version);
	SSL_CTX_set_max_proto_version(c, version);
	if (o->suites && version == TLS1_3_VERSION)
		assert_int_equal(SSL_CTX_set_ciphersuites(c, o->suites), 1);
	else if (o->suites)
		assert_int_equal(SSL_CTX_set_cipher_list(c, o->suites), 1);
	SSL_CTX_set_options(c, o->options);
	if (o->no_tickets)
		SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
	if (o->fragment)
		SSL_CTX_set_max_send_fragment(c, o->fragment);
	if (server || o->ask_client) {
		SSL_CTX_use_certificate(c, test_cert(o->rsa));
		SSL_CTX_use_PrivateKey(c, kit_key(o->rsa));
	}
	if (server) {
		SSL_CTX_set_dh_auto(c, 1);
		if (o->groups)
			assert_int_equal(SSL_CTX_set1_groups_list(c, o->groups), 1);
		SSL_CTX_set_alpn_select_cb(c, on_alpn, NULL);
		SSL_CTX_set_session_id_context(c, (const unsigned char *)"kit", 3);
		SSL_CTX_set_max_early_data(c, o->early);
		SSL_CTX_set_recv_max_early_data(c, o->early);
		if (o->psk)
			SSL_CTX_set_psk_server_callback(c, psk_server);
	} else {
		SSL_CTX_set_keylog_callback(c, on_keylog);
		SSL_CTX_set_session_cache_mode(c,
					       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(c, on_session);
		if (o->ask_client)
			SSL_CTX_set_post_handshake_auth(c, 1);
		if (o->psk)
			SSL_CTX_set_psk_client_callback(c, psk_client);
	}
	return c;
}

static void connection(struct kit *k)
{
	SSL_free(k->client);
	SSL_free(k->server);
	k->client = SSL_new(k->client_ctx);
	k->server = SSL_new(k->server_ctx);
	SSL_set_app_data(k->client, k);
	SSL_set_app_data(k->server, k);
	SSL_set_bio(k->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_bio(k->server, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(k->client);
	SSL_set_accept_state(k->server);
	SSL_set_tlsext_host_name(k->client, "oriel.test");
	SSL_set_alpn_protos(k->client, (const unsigned char *)"\2h2\10http/1.1", 12);
	if (k->session)
		SSL_set_session(k->client, k->session);
}

void kit_init(struct kit *k, const struct kit_options *o)
{
	*k = (struct kit){ .wire = buf_init(WIRE_MAX),
			   .keys = buf_init(1 << 20),
			   .fragment = o->fragment ? o->fragment : 16384 };
	k->sent[0] = k->sent[1] = buf_init(WIRE_MAX);
	k->client_ctx = context(o, false);
	k->server_ctx = context(o, true);
	connection(k);
}

void kit_fini(struct kit *k)
{
	SSL_free(k->client);
	SSL_free(k->server);
	SSL_SESSION_free(k->session);
	SSL_CTX_free(k->client_ctx);
	SSL_CTX_free(k->server_ctx);
	buf_fini(&k->wire);
	buf_fini(&k->keys);
	buf_fini(&k->sent[0]);
	buf_fini(&k->sent[1]);
}

void kit_again(struct kit *k)
{
	k->count = k->record_count = 0;
	k->stream[0] = k->stream[1] = 0;
	buf_clear(&k->wire);
	buf_clear(&k->sent[0]);
	buf_clear(&k->sent[1]);
	connection(k);
}

static SSL *sender(struct kit *k, enum flow_dir dir)
{
	return dir == DIR_UP ? k->client : k->server;
}

void kit_move(struct kit *k, enum flow_dir dir)
{
	SSL *to = sender(k, dir == DIR_UP ? DIR_DOWN : DIR_UP);
	BIO *from = SSL_get_wbio(sender(k, dir));
	char *p;
	long n = BIO_get_mem_data(from, &p);

	if (n <= 0)
		return;
	assert_true(k->count < KIT_PIECES);
	k->pieces[k->count++] = (struct kit_piece){ dir, k->wire.n, (size_t)n };
	assert_int_equal(buf_add(&k->wire, bytes_of(p, (size_t)n), NULL), 0);
	k->stream[dir] += (size_t)n;
	assert_int_equal(BIO_write(SSL_get_rbio(to), p, (int)n), n);
	(void)BIO_reset(from);
}

/* Reads whatever there is, so that what comes after the handshake is dealt with. */
static void drain(SSL *ssl)
{
	char room[20000];

	while (SSL_read(ssl, room, sizeof(room)) > 0)
		;
	(void)SSL_get_error(ssl, -1);
}

void kit_pump(struct kit *k)
{
	size_t before;

	do {
		before = k->count;
		kit_move(k, DIR_UP);
		drain(k->server);
		kit_move(k, DIR_DOWN);
		drain(k->client);
	} while (k->count != before);
}

void kit_shake(struct kit *k)
{
	for (int i = 0; i < 20; i++) {
		(void)SSL_do_handshake(k->client);
		kit_move(k, DIR_UP);
		(void)SSL_do_handshake(k->server);
		kit_move(k, DIR_DOWN);
		if (SSL_is_init_finished(k->client) && SSL_is_init_finished(k->server))
			break;
	}
	assert_true(SSL_is_init_finished(k->client) && SSL_is_init_finished(k->server));
	kit_pump(k);
}

/* Where the records lie that n bytes have just been written as. */
static void note_records(struct kit *k, enum flow_dir dir, size_t n)
{
	char *p;
	long size = BIO_get_mem_data(SSL_get_wbio(sender(k, dir)), &p);
	struct bytes rest = bytes_of(p, (size_t)size);
	size_t plain = k->sent[dir].n;
	struct record r;

	while (record_next(rest, RECORD_CIPHER_MAX_12, &r, NULL, NULL) == RECORD_DONE) {
		size_t part = n < k->fragment ? n : k->fragment;

		assert_true(k->record_count < KIT_RECORDS);
		k->records[k->record_count++] = (struct kit_record){
			.dir = dir,
			.from = k->stream[dir] + (size_t)((const char *)r.raw.p - p),
			.n = r.raw.n,
			.plain_from = plain,
			.plain_n = part,
		};
		plain += part;
		n -= part;
		rest = bytes_slice(rest, r.raw.n, rest.n);
	}
	assert_int_equal(n, 0);
}

void kit_send(struct kit *k, enum flow_dir dir, size_t n)
{
	static uint8_t room[1 << 16];
	struct buf *sent = &k->sent[dir];

	kit_pump(k);
	while (n) {
		size_t part = n < sizeof(room) ? n : sizeof(room), done;

		for (size_t i = 0; i < part; i++)
			room[i] = (uint8_t)((sent->n + i) * 31 >> 3);
		assert_int_equal(SSL_write_ex(sender(k, dir), room, part, &done), 1);
		assert_int_equal(done, part);
		note_records(k, dir, part);
		assert_int_equal(buf_add(sent, bytes_of(room, part), NULL), 0);
		n -= part;
		kit_pump(k);
	}
}

void kit_pass(struct kit *k, enum flow_dir dir, struct bytes b)
{
	size_t done;

	assert_int_equal(SSL_write_ex(sender(k, dir), b.p, b.n, &done), 1);
	assert_int_equal(done, b.n);
	kit_pump(k);
}

void kit_update(struct kit *k, enum flow_dir dir, bool ask)
{
	assert_int_equal(SSL_key_update(sender(k, dir), ask ? SSL_KEY_UPDATE_REQUESTED
							    : SSL_KEY_UPDATE_NOT_REQUESTED),
			 1);
	assert_int_equal(SSL_do_handshake(sender(k, dir)), 1);
	kit_pump(k);
}

void kit_renegotiate(struct kit *k)
{
	assert_int_equal(SSL_renegotiate(k->client), 1);
	for (int i = 0; i < 10; i++) {
		(void)SSL_do_handshake(k->client);
		kit_move(k, DIR_UP);
		(void)SSL_do_handshake(k->server);
		drain(k->server);
		kit_move(k, DIR_DOWN);
		drain(k->client);
	}
	assert_false(SSL_renegotiate_pending(k->client));
}

void kit_close(struct kit *k)
{
	(void)SSL_shutdown(k->client);
	kit_pump(k);
	(void)SSL_shutdown(k->server);
	kit_pump(k);
}

void kit_stream(const struct kit *k, enum flow_dir dir, struct buf *out)
{
	for (size_t i = 0; i < k->count; i++) {
		const struct kit_piece *piece = &k->pieces[i];

		if (piece->dir == dir)
			assert_int_equal(buf_add(out, bytes_of(k->wire.p + piece->from, piece->n),
						 NULL),
					 0);
	}
}
