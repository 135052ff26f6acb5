/* Opens what libssl sends: every suite that it has in every version, with the MAC inside and
 * outside, keys updated and not. */
#include <openssl/ssl.h> /* lint-ok: libssl is the other side of these tests */
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/buf.h"
#include "crypt/testkit.h"
#include "tap/protect.h"

#define SECRET_COUNT 4
#define MESSAGE_MAX 16384

enum { CLIENT, SERVER };

/* Of one connection. */
struct run {
	SSL *ssl[2];
	BIO *in[2];	    /* what each is given to read */
	struct buf wire[2]; /* what each has written */
	struct buf sent[2]; /* as application data */
	struct test_bytes secrets[SECRET_COUNT];
};
static const char *const secret_labels[SECRET_COUNT] = { "CLIENT_HANDSHAKE_TRAFFIC_SECRET ",
							 "SERVER_HANDSHAKE_TRAFFIC_SECRET ",
							 "CLIENT_TRAFFIC_SECRET_0 ",
							 "SERVER_TRAFFIC_SECRET_0 " };

static EVP_PKEY *rsa, *ecdsa;
static X509 *rsa_certificate, *ecdsa_certificate;
static struct run *running;

static X509 *sign_self(EVP_PKEY *k)
{
	X509 *x = X509_new();

	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, k);
	assert_true(X509_sign(x, k, EVP_sha256()) > 0);
	return x;
}

static int make_keys(void **state)
{
	(void)state;
	rsa = EVP_RSA_gen(2048);
	ecdsa = EVP_EC_gen("P-256");
	rsa_certificate = sign_self(rsa);
	ecdsa_certificate = sign_self(ecdsa);
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	X509_free(rsa_certificate);
	X509_free(ecdsa_certificate);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ecdsa);
	return 0;
}

/* "LABEL random secret" */
static void keep_secret(const SSL *ssl, const char *line)
{
	(void)ssl;
	for (size_t i = 0; i < SECRET_COUNT; i++)
		if (bytes_starts(bytes_str(line), bytes_str(secret_labels[i])))
			running->secrets[i] = test_hex(line + strlen(secret_labels[i]) + 65);
}

/* lint-ok: libssl calls it so */
static unsigned use_psk(SSL *ssl, const char *hint, char *identity, unsigned max_identity,
			unsigned char *psk, unsigned max)
{
	(void)ssl;
	(void)hint;
	(void)max;
	assert_true(max_identity > 3);
	memcpy(identity, "me", 3);
	memset(psk, 7, 16);
	return 16;
}

static unsigned find_psk(SSL *ssl, const char *identity, unsigned char *psk, unsigned max)
{
	(void)ssl;
	(void)identity;
	(void)max;
	memset(psk, 7, 16);
	return 16;
}

static SSL_CTX *make_context(int side, int version, const char *suite)
{
	SSL_CTX *ctx = SSL_CTX_new(side == CLIENT ? TLS_client_method() : TLS_server_method());
	char list[128];

	assert_true(snprintf(list, sizeof(list), "%s:@SECLEVEL=0", suite) < 128);
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	if (version == TLS1_3_VERSION)
		assert_int_equal(SSL_CTX_set_ciphersuites(ctx, suite), 1);
	else
		assert_int_equal(SSL_CTX_set_cipher_list(ctx, list), 1);
	SSL_CTX_set_keylog_callback(ctx, keep_secret);
	if (side == CLIENT) {
		if (strstr(suite, "PSK"))
			SSL_CTX_set_psk_client_callback(ctx, use_psk);
		return ctx;
	}
	SSL_CTX_use_certificate(ctx, rsa_certificate);
	SSL_CTX_use_PrivateKey(ctx, rsa);
	SSL_CTX_use_certificate(ctx, ecdsa_certificate);
	SSL_CTX_use_PrivateKey(ctx, ecdsa);
	SSL_CTX_set_dh_auto(ctx, 1);
	if (strstr(suite, "PSK"))
		SSL_CTX_set_psk_server_callback(ctx, find_psk);
	return ctx;
}

static void run_init(struct run *r, int version, const char *suite, uint64_t options)
{
	*r = (struct run){ .ssl = { NULL } };
	running = r;
	for (int side = CLIENT; side <= SERVER; side++) {
		SSL_CTX *ctx = make_context(side, version, suite);

		r->wire[side] = buf_init(1 << 20);
		r->sent[side] = buf_init(1 << 20);
		r->ssl[side] = SSL_new(ctx);
		SSL_set_options(r->ssl[side], options);
		r->in[side] = BIO_new(BIO_s_mem());
		SSL_set_bio(r->ssl[side], r->in[side], BIO_new(BIO_s_mem()));
		SSL_CTX_free(ctx);
	}
	SSL_set_connect_state(r->ssl[CLIENT]);
	SSL_set_accept_state(r->ssl[SERVER]);
}

static void run_fini(struct run *r)
{
	for (int side = CLIENT; side <= SERVER; side++) {
		buf_fini(&r->wire[side]);
		buf_fini(&r->sent[side]);
		SSL_free(r->ssl[side]);
	}
}

/* What one side has written goes to the other. */
static void carry(struct run *r, int side)
{
	uint8_t part[4096];
	int n;

	while ((n = BIO_read(SSL_get_wbio(r->ssl[side]), part, sizeof(part))) > 0) {
		assert_int_equal(buf_add(&r->wire[side], bytes_of(part, (size_t)n), NULL), 0);
		assert_int_equal(BIO_write(r->in[!side], part, n), n);
	}
}

static bool shake(struct run *r)
{
	for (size_t i = 0; i < 20; i++) {
		int done = SSL_do_handshake(r->ssl[CLIENT]);

		carry(r, CLIENT);
		done += SSL_do_handshake(r->ssl[SERVER]);
		carry(r, SERVER);
		if (done == 2)
			return true;
	}
	return false;
}

static void say(struct run *r, int side, size_t n)
{
	static uint8_t text[MESSAGE_MAX], heard[MESSAGE_MAX];

	test_fill(text, n, (uint32_t)n);
	assert_int_equal(SSL_write(r->ssl[side], text, (int)n), (int)n);
	assert_int_equal(buf_add(&r->sent[side], bytes_of(text, n), NULL), 0);
	carry(r, side);
	/* Until nothing is left, so that the other side may answer (to a KeyUpdate, say). */
	while (SSL_read(r->ssl[!side], heard, sizeof(heard)) > 0)
		;
	carry(r, !side);
}

static void talk(struct run *r)
{
	static const size_t sizes[] = { 1, 15, 16, 17, 100, 1000, MESSAGE_MAX };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		say(r, CLIENT, sizes[i]);
		say(r, SERVER, sizes[ARRAY_LEN(sizes) - 1 - i]);
	}
	for (int side = CLIENT; side <= SERVER; side++) {
		SSL_shutdown(r->ssl[side]);
		carry(r, side);
	}
}

/* The keys of a direction as they follow one another. */
struct keys {
	struct protect *p;
	uint64_t seq;
	struct bytes after; /* TLS 1.3: the secret that comes after the handshake's */
	const struct suite *suite;
};

/* Every record opens as its number and as no other. */
static bool open_once(struct keys *k, const struct record *rec, uint8_t *out,
		      struct protect_opened *o)
{
	const bool sure = k->suite->mac != DIGEST_NONE || k->suite->cipher != CIPHER_NULL;

	assert_true(rec->body.n >= protect_overhead(k->p));
	assert_false(sure && protect_open(k->p, k->seq + 1, rec, out, o));
	if (!protect_open(k->p, k->seq, rec, out, o))
		return false;
	k->seq++;
	return true;
}

/* After a Finished of TLS 1.3 the next secret; after a KeyUpdate the next generation. */
static void follow_13(struct keys *k, const struct protect_opened *o)
{
	struct protect *next = NULL;

	if (o->type != RECORD_HANDSHAKE || o->plain.n == 0)
		return;
	if (k->after.n && o->plain.p[0] == 20)
		assert_int_equal(protect_new_13(k->suite, k->after, &next, NULL), 0);
	else if (o->plain.p[0] == 24)
		assert_int_equal(protect_next_13(k->p, &next, NULL), 0);
	if (!next)
		return;
	k->after = bytes_of(NULL, 0);
	protect_free(k->p);
	k->p = next;
	k->seq = 0;
}

static size_t open_all(struct keys *k, struct bytes wire, struct bytes sent, bool is_13)
{
	static uint8_t out[RECORD_CIPHER_MAX_12];
	bool on = false;
	size_t updates = 0;

	while (wire.n) {
		struct protect_opened o;
		struct record rec;

		assert_int_equal(record_next(wire, RECORD_CIPHER_MAX_12, &rec, NULL, NULL),
				 RECORD_DONE);
		wire = bytes_slice(wire, rec.raw.n, wire.n);
		if (rec.type == RECORD_CHANGE_CIPHER_SPEC) {
			on = true;
			continue;
		}
		if (is_13 ? rec.type != RECORD_APPLICATION_DATA : !on)
			continue;
		assert_true(open_once(k, &rec, out, &o));
		updates += is_13 && o.type == RECORD_HANDSHAKE && o.plain.n && o.plain.p[0] == 24;
		if (is_13)
			follow_13(k, &o);
		if (o.type != RECORD_APPLICATION_DATA)
			continue;
		assert_true(bytes_starts(sent, o.plain));
		sent = bytes_slice(sent, o.plain.n, sent.n);
	}
	assert_int_equal(sent.n, 0);
	return updates;
}

static const struct suite *suite_of(const struct run *r)
{
	const SSL_CIPHER *c = SSL_get_current_cipher(r->ssl[CLIENT]);
	const struct suite *s = suite_find((uint16_t)SSL_CIPHER_get_protocol_id(c));

	assert_non_null(s);
	return s;
}

static void open_run_12(struct run *r, int version, bool encrypt_then_mac)
{
	uint8_t master[48], randoms[2][32];
	const struct protect_12 in = { .suite = suite_of(r),
				       .version = (uint16_t)version,
				       .encrypt_then_mac = encrypt_then_mac,
				       .master = bytes_of(master, 48),
				       .client_random = bytes_of(randoms[0], 32),
				       .server_random = bytes_of(randoms[1], 32) };
	struct protect *p[2];

	assert_int_equal(SSL_SESSION_get_master_key(SSL_get_session(r->ssl[CLIENT]), master, 48),
			 48);
	assert_int_equal(SSL_get_client_random(r->ssl[CLIENT], randoms[0], 32), 32);
	assert_int_equal(SSL_get_server_random(r->ssl[CLIENT], randoms[1], 32), 32);
	assert_int_equal(protect_new_12(&in, p, NULL), 0);
	for (int side = CLIENT; side <= SERVER; side++) {
		struct keys k = { .p = p[side], .suite = in.suite };

		open_all(&k, buf_bytes(&r->wire[side]), buf_bytes(&r->sent[side]), false);
		protect_free(k.p);
	}
}

static size_t open_run_13(struct run *r)
{
	size_t updates = 0;

	for (int side = CLIENT; side <= SERVER; side++) {
		struct keys k = { .after = test_view(&r->secrets[2 + side]), .suite = suite_of(r) };

		assert_int_equal(protect_new_13(k.suite, test_view(&r->secrets[side]), &k.p, NULL),
				 0);
		updates += open_all(&k, buf_bytes(&r->wire[side]), buf_bytes(&r->sent[side]), true);
		protect_free(k.p);
	}
	return updates;
}

/* True when libssl could use the suite in this version. */
static bool try_suite(int version, const char *suite, bool encrypt_then_mac)
{
	struct run r;
	bool shook;

	run_init(&r, version, suite, encrypt_then_mac ? 0 : SSL_OP_NO_ENCRYPT_THEN_MAC);
	shook = shake(&r);
	if (shook) {
		talk(&r);
		open_run_12(&r, version, encrypt_then_mac);
	}
	run_fini(&r);
	return shook;
}

static size_t try_all(int version)
{
	SSL_CTX *ctx = make_context(CLIENT, TLS1_2_VERSION, "ALL:COMPLEMENTOFALL");
	STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);
	size_t done = 0;

	for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
		const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);
		const char *name = SSL_CIPHER_get_name(c);
		const bool cbc = SSL_CIPHER_is_aead(c) == 0;

		/* SRP would need a user and a verifier; its records are those of the others. */
		if (strcmp(SSL_CIPHER_get_version(c), "TLSv1.3") == 0 || strstr(name, "SRP"))
			continue;
		if (!try_suite(version, name, false))
			continue;
		done++;
		if (cbc)
			assert_true(try_suite(version, name, true));
	}
	SSL_CTX_free(ctx);
	return done;
}

static void opens_every_suite_of_tls_1_2(void **state)
{
	const size_t done = try_all(TLS1_2_VERSION);

	(void)state;
	print_message("%zu suites\n", done);
	assert_true(done >= 30);
}

static void opens_every_suite_of_tls_1_1(void **state)
{
	const size_t done = try_all(TLS1_1_VERSION);

	(void)state;
	print_message("%zu suites\n", done);
	assert_true(done >= 5);
}

static void opens_every_suite_of_tls_1_0(void **state)
{
	const size_t done = try_all(TLS1_VERSION);

	(void)state;
	print_message("%zu suites\n", done);
	assert_true(done >= 5);
}

static void opens_every_suite_of_tls_1_3(void **state)
{
	static const char *const suites[] = { "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
					      "TLS_CHACHA20_POLY1305_SHA256",
					      "TLS_AES_128_CCM_SHA256",
					      "TLS_AES_128_CCM_8_SHA256" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		struct run r;

		run_init(&r, TLS1_3_VERSION, suites[i], 0);
		assert_true(shake(&r));
		talk(&r);
		assert_int_equal(open_run_13(&r), 0);
		run_fini(&r);
	}
}

static void follows_updates_of_keys(void **state)
{
	struct run r;

	(void)state;
	run_init(&r, TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", 0);
	assert_true(shake(&r));
	for (int i = 0; i < 5; i++) {
		say(&r, CLIENT, 30);
		assert_int_equal(SSL_key_update(r.ssl[CLIENT], SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		say(&r, CLIENT, 40);
		assert_int_equal(SSL_key_update(r.ssl[SERVER], SSL_KEY_UPDATE_REQUESTED), 1);
		say(&r, SERVER, 50);
		say(&r, CLIENT, 50);
	}
	talk(&r);
	/* Five of the client's own, five that it was asked for, and five of the server. */
	assert_int_equal(open_run_13(&r), 15);
	run_fini(&r);
}

/* The padding that libssl adds, to whole blocks of 512. */
static void strips_padding_of_tls_1_3(void **state)
{
	struct run r;

	(void)state;
	run_init(&r, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", 0);
	for (int side = CLIENT; side <= SERVER; side++)
		assert_int_equal(SSL_set_block_padding(r.ssl[side], 512), 1);
	assert_true(shake(&r));
	talk(&r);
	assert_int_equal(open_run_13(&r), 0);
	run_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_every_suite_of_tls_1_2),
		cmocka_unit_test(opens_every_suite_of_tls_1_1),
		cmocka_unit_test(opens_every_suite_of_tls_1_0),
		cmocka_unit_test(opens_every_suite_of_tls_1_3),
		cmocka_unit_test(follows_updates_of_keys),
		cmocka_unit_test(strips_padding_of_tls_1_3),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
