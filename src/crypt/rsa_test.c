#include "crypt/rsa.h"

#include <openssl/encoder.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/mem.h"
#include "crypt/testkit.h"

static EVP_PKEY *pair, *another;

static int make_keys(void **state)
{
	(void)state;
	pair = EVP_RSA_gen(1024);
	another = EVP_RSA_gen(1024);
	return pair && another ? 0 : -1;
}

static int free_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(pair);
	EVP_PKEY_free(another);
	return 0;
}

struct text {
	unsigned char *p;
	size_t n;
};

static struct text encode(EVP_PKEY *k, const char *form, const char *structure, const char *pass)
{
	OSSL_ENCODER_CTX *ctx =
		OSSL_ENCODER_CTX_new_for_pkey(k, EVP_PKEY_KEYPAIR, form, structure, NULL);
	struct text t = { NULL, 0 };

	if (pass) {
		OSSL_ENCODER_CTX_set_cipher(ctx, "AES-256-CBC", NULL);
		OSSL_ENCODER_CTX_set_passphrase(ctx, (const unsigned char *)pass, strlen(pass));
	}
	assert_int_equal(OSSL_ENCODER_to_data(ctx, &t.p, &t.n), 1);
	OSSL_ENCODER_CTX_free(ctx);
	return t;
}

static struct rsa_key *read_key(EVP_PKEY *k)
{
	struct text t = encode(k, "PEM", "PrivateKeyInfo", NULL);
	struct rsa_key *out;

	assert_int_equal(rsa_key_read(bytes_of(t.p, t.n), &out, NULL), 0);
	OPENSSL_free(t.p);
	return out;
}

static size_t encrypt(EVP_PKEY *k, struct bytes in, int padding, uint8_t *out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k, NULL);
	size_t n = 512;

	assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, padding), 1);
	assert_int_equal(EVP_PKEY_encrypt(ctx, out, &n, in.p, in.n), 1);
	EVP_PKEY_CTX_free(ctx);
	return n;
}

static void reads_each_form_of_a_key(void **state)
{
	static const char *const forms[][2] = { { "PEM", "PrivateKeyInfo" },
						{ "PEM", "type-specific" },
						{ "DER", "PrivateKeyInfo" },
						{ "DER", "type-specific" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct text t = encode(pair, forms[i][0], forms[i][1], NULL);
		struct rsa_key *k = NULL;

		assert_int_equal(rsa_key_read(bytes_of(t.p, t.n), &k, NULL), 0);
		rsa_key_free(k);
		OPENSSL_free(t.p);
	}
}

static void refuses_what_is_no_open_rsa_key(void **state)
{
	struct text locked = encode(pair, "PEM", "PrivateKeyInfo", "secret");
	EVP_PKEY *ec = EVP_EC_gen("P-256");
	struct text other = encode(ec, "PEM", "PrivateKeyInfo", NULL);
	struct text cut = encode(pair, "DER", "PrivateKeyInfo", NULL);
	const struct bytes all[] = { bytes_of(locked.p, locked.n), bytes_of(other.p, other.n),
				     bytes_of(cut.p, cut.n - 1), bytes_str("nothing"),
				     bytes_of("", 0) };
	struct rsa_key *k = NULL;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		assert_int_equal(rsa_key_read(all[i], &k, &e), -1);
		assert_int_equal(e.code, ERR_KEY);
		assert_null(k);
	}
	OPENSSL_free(locked.p);
	OPENSSL_free(other.p);
	OPENSSL_free(cut.p);
	EVP_PKEY_free(ec);
}

static void gets_the_premaster_secret(void **state)
{
	uint8_t secret[48], sealed[512], out[48];
	struct rsa_key *k = read_key(pair);

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		size_t n;

		test_fill(secret, sizeof(secret), i);
		n = encrypt(pair, bytes_of(secret, 48), RSA_PKCS1_PADDING, sealed);
		assert_true(rsa_key_premaster(k, bytes_of(sealed, n), out));
		assert_memory_equal(out, secret, 48);
	}
	rsa_key_free(k);
}

/* Libraries that hide wrong padding would answer with bytes of their own. */
static void says_so_when_it_is_another_key(void **state)
{
	uint8_t secret[48] = { 3, 3 }, sealed[512], out[48];
	struct rsa_key *k = read_key(another);

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		size_t n = encrypt(pair, bytes_of(secret, 48), RSA_PKCS1_PADDING, sealed);

		assert_false(rsa_key_premaster(k, bytes_of(sealed, n), out));
	}
	rsa_key_free(k);
}

static void refuses_each_fault_of_the_padding(void **state)
{
	uint8_t block[128], sealed[512], out[48], secret[48];
	struct rsa_key *k = read_key(pair);
	/* Which byte gets which value. */
	static const struct {
		uint8_t at, value;
	} faults[] = { { 0, 1 }, { 1, 1 }, { 1, 0 }, { 2, 0 }, { 9, 0 }, { 78, 0 }, { 79, 7 } };

	(void)state;
	test_fill(secret, sizeof(secret), 9);
	for (size_t i = 0; i <= ARRAY_LEN(faults); i++) {
		size_t n;

		memset(block, 0x55, sizeof(block));
		block[0] = 0;
		block[1] = 2;
		block[79] = 0;
		memcpy(block + 80, secret, 48);
		if (i < ARRAY_LEN(faults))
			block[faults[i].at] = faults[i].value;
		n = encrypt(pair, bytes_of(block, sizeof(block)), RSA_NO_PADDING, sealed);
		assert_int_equal(rsa_key_premaster(k, bytes_of(sealed, n), out),
				 i == ARRAY_LEN(faults));
	}
	assert_memory_equal(out, secret, 48);
	rsa_key_free(k);
}

static void refuses_other_lengths(void **state)
{
	uint8_t secret[49] = { 3, 3 }, sealed[512], out[48];
	struct rsa_key *k = read_key(pair);
	size_t n = encrypt(pair, bytes_of(secret, 48), RSA_PKCS1_PADDING, sealed);

	(void)state;
	for (size_t i = 0; i < n; i++)
		assert_false(rsa_key_premaster(k, bytes_of(sealed, i), out));
	assert_false(rsa_key_premaster(k, bytes_of(sealed, n + 1), out));
	n = encrypt(pair, bytes_of(secret, 47), RSA_PKCS1_PADDING, sealed);
	assert_false(rsa_key_premaster(k, bytes_of(sealed, n), out));
	n = encrypt(pair, bytes_of(secret, 49), RSA_PKCS1_PADDING, sealed);
	assert_false(rsa_key_premaster(k, bytes_of(sealed, n), out));
	rsa_key_free(k);
}

static void knows_its_own_certificate(void **state)
{
	struct rsa_key *k = read_key(pair), *other = read_key(another);
	X509 *x = X509_new();
	unsigned char *der = NULL;
	int n;

	(void)state;
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	assert_int_equal(X509_set_pubkey(x, pair), 1);
	assert_true(X509_sign(x, pair, EVP_sha256()) > 0);
	n = i2d_X509(x, &der);
	assert_true(n > 0);
	assert_true(rsa_key_fits(k, bytes_of(der, (size_t)n)));
	assert_false(rsa_key_fits(other, bytes_of(der, (size_t)n)));
	assert_false(rsa_key_fits(k, bytes_of(der, (size_t)n - 1)));
	assert_false(rsa_key_fits(k, bytes_of(der, 0)));
	OPENSSL_free(der);
	X509_free(x);
	rsa_key_free(k);
	rsa_key_free(other);
}

static void does_without_memory(void **state)
{
	struct text t = encode(pair, "PEM", "PrivateKeyInfo", NULL);
	struct rsa_key *k = NULL;
	struct err e;

	(void)state;
	mem_fail_at(1);
	assert_int_equal(rsa_key_read(bytes_of(t.p, t.n), &k, &e), -1);
	mem_fail_at(0);
	assert_int_equal(e.code, ERR_NOMEM);
	assert_null(k);
	OPENSSL_free(t.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_each_form_of_a_key),
		cmocka_unit_test(refuses_what_is_no_open_rsa_key),
		cmocka_unit_test(gets_the_premaster_secret),
		cmocka_unit_test(says_so_when_it_is_another_key),
		cmocka_unit_test(refuses_each_fault_of_the_padding),
		cmocka_unit_test(refuses_other_lengths),
		cmocka_unit_test(knows_its_own_certificate),
		cmocka_unit_test(does_without_memory),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
