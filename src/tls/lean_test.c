/* What the lean context has of its own has to do what OpenSSL's own does. */
#include "tls/library.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include "tls/tls.h"

#define OUT_MAX 200

struct question {
	int mode;
	const char *digest;
	struct bytes key, salt, label, data;
	size_t n;
};

static OSSL_PARAM octet(const char *name, struct bytes b)
{
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)b.p, b.n);
}

static bool ask(OSSL_LIB_CTX *lib, const struct question *q, uint8_t out[OUT_MAX])
{
	EVP_KDF *kdf = EVP_KDF_fetch(lib, "TLS13-KDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[8], *p = params;
	int mode = q->mode;
	bool ok;

	memset(out, 0, OUT_MAX);
	*p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	*p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)q->digest,
						0);
	*p++ = octet(OSSL_KDF_PARAM_PREFIX, bytes_str("tls13 "));
	*p++ = octet(OSSL_KDF_PARAM_LABEL, q->label);
	if (q->key.p)
		*p++ = octet(OSSL_KDF_PARAM_KEY, q->key);
	if (q->salt.p)
		*p++ = octet(OSSL_KDF_PARAM_SALT, q->salt);
	if (q->data.p)
		*p++ = octet(OSSL_KDF_PARAM_DATA, q->data);
	*p = OSSL_PARAM_construct_end();
	ok = EVP_KDF_derive(ctx, out, q->n, params) == 1;
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	ERR_clear_error();
	return ok;
}

static void assert_same(const struct question *q)
{
	uint8_t ours[OUT_MAX], theirs[OUT_MAX];

	assert_true(ask(NULL, q, theirs));
	assert_true(ask(library_ctx(), q, ours));
	assert_memory_equal(ours, theirs, OUT_MAX);
}

static void expands_as_openssl_does(void **state)
{
	static const char *const digests[] = { "SHA256", "SHA384", "SHA2-256", "SHA2-384" };
	static const size_t lengths[] = { 1, 12, 16, 32, 48, 49, 100, 200 };
	static uint8_t secret[300], context[64];

	(void)state;
	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)(i * 11 + 5);
	for (size_t d = 0; d < ARRAY_LEN(digests); d++)
		for (size_t l = 0; l < ARRAY_LEN(lengths); l++)
			for (size_t k = 1; k <= sizeof(secret); k += 13) {
				struct question q = { .mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY,
						      .digest = digests[d],
						      .key = bytes_of(secret, k),
						      .label = bytes_str("s ap traffic"),
						      .data = bytes_of(context, k % 65),
						      .n = lengths[l] };

				assert_same(&q);
				q.data = bytes_of(NULL, 0);
				q.label = bytes_str("iv");
				assert_same(&q);
			}
}

static void extracts_as_openssl_does(void **state)
{
	static uint8_t secret[48] = "the secret before", key[66] = "what was agreed";

	(void)state;
	for (size_t size = 32; size <= 48; size += 16)
		for (int turn = 0; turn < 4; turn++) {
			struct question q = { .mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
					      .digest = size == 32 ? "SHA256" : "SHA384",
					      .label = bytes_str("derived"),
					      .n = size };

			if (turn & 1)
				q.key = bytes_of(key, size == 32 ? 32 : 66);
			if (turn & 2)
				q.salt = bytes_of(secret, size);
			assert_same(&q);
		}
}

/* RFC 8448, 3: the early secret, and what is derived of it for the handshake. */
static void derives_what_rfc_8448_says(void **state)
{
	static const uint8_t early[] = { 0x33, 0xad, 0x0a, 0x1c, 0x60, 0x7e, 0xc0, 0x3b,
					 0x09, 0xe6, 0xcd, 0x98, 0x93, 0x68, 0x0c, 0xe2,
					 0x10, 0xad, 0xf3, 0x00, 0xaa, 0x1f, 0x26, 0x60,
					 0xe1, 0xb2, 0x2e, 0x10, 0xf1, 0x70, 0xf9, 0x2a };
	static const uint8_t derived[] = { 0x6f, 0x26, 0x15, 0xa1, 0x08, 0xc7, 0x02, 0xc5,
					   0x67, 0x8f, 0x54, 0xfc, 0x9d, 0xba, 0xb6, 0x97,
					   0x16, 0xc0, 0x76, 0x18, 0x9c, 0x48, 0x25, 0x0c,
					   0xeb, 0xea, 0xc3, 0x57, 0x6c, 0x36, 0x11, 0xba };
	struct question q = { .mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY, .digest = "SHA256", .n = 32 };
	uint8_t out[OUT_MAX], nothing[32];

	(void)state;
	assert_true(ask(library_ctx(), &q, out));
	assert_memory_equal(out, early, 32);
	assert_int_equal(EVP_Digest("", 0, nothing, NULL, EVP_sha256(), NULL), 1);
	q.mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	q.key = bytes_of(early, 32);
	q.label = bytes_str("derived");
	q.data = bytes_of(nothing, 32);
	assert_true(ask(library_ctx(), &q, out));
	assert_memory_equal(out, derived, 32);
}

static void refuses_what_it_was_not_made_for(void **state)
{
	const struct question good = { .mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY,
				       .digest = "SHA256",
				       .key = bytes_of("a secret of 32 bytes in this test", 32),
				       .label = bytes_str("key"),
				       .n = 16 };
	static uint8_t big[256];
	uint8_t out[OUT_MAX];
	struct question q = good;

	(void)state;
	assert_true(ask(library_ctx(), &q, out));
	q.digest = "SHA512";
	assert_false(ask(library_ctx(), &q, out));
	q = good;
	q.mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
	assert_false(ask(library_ctx(), &q, out));
	q = good;
	q.key = bytes_of(NULL, 0);
	assert_false(ask(library_ctx(), &q, out));
	q = good;
	q.data = bytes_of(big, 256);
	assert_false(ask(library_ctx(), &q, out));
	q = good;
	q.label = bytes_of(big, 250);
	assert_false(ask(library_ctx(), &q, out));
	q = good;
	q.n = 0;
	assert_false(ask(library_ctx(), &q, out));
	q.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
	q.n = 31;
	assert_false(ask(library_ctx(), &q, out));
}

/* Parameters given apart from the derivation would be lost. */
static void takes_parameters_only_with_the_call(void **state)
{
	EVP_KDF *kdf = EVP_KDF_fetch(library_ctx(), "TLS13-KDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	const OSSL_PARAM params[] = { OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
				      OSSL_PARAM_construct_end() };

	(void)state;
	assert_non_null(ctx);
	assert_string_equal(OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(kdf)), "lean");
	assert_int_equal(EVP_KDF_CTX_set_params(ctx, params), 0);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	ERR_clear_error();
}

static void gives_random_numbers(void **state)
{
	static uint8_t zeros[100000], a[100000], b[100000];

	(void)state;
	assert_int_equal(RAND_bytes_ex(library_ctx(), a, sizeof(a), 256), 1);
	assert_int_equal(RAND_priv_bytes_ex(library_ctx(), b, sizeof(b), 256), 1);
	assert_memory_not_equal(a, zeros, 32);
	assert_memory_not_equal(a + sizeof(a) - 32, zeros, 32);
	assert_memory_not_equal(b + sizeof(b) - 32, zeros, 32);
	assert_memory_not_equal(a, b, 32);
	assert_int_equal(RAND_bytes_ex(library_ctx(), a, 16, 512), 0);
	ERR_clear_error();
}

static void has_what_tls_needs_and_not_the_rest(void **state)
{
	static const struct {
		const char *name;
		bool there;
	} ciphers[] = {
		{ "AES-128-GCM", true },       { "AES-256-GCM", true },
		{ "ChaCha20-Poly1305", true }, { "AES-256-CBC-HMAC-SHA256", true },
		{ "DES-EDE3-CBC", true },      { "AES-128-XTS", false },
		{ "SM4-GCM", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ciphers); i++) {
		EVP_CIPHER *c = EVP_CIPHER_fetch(library_ctx(), ciphers[i].name, NULL);

		assert_int_equal(c != NULL, ciphers[i].there);
		EVP_CIPHER_free(c);
	}
	ERR_clear_error();
}

static int set_up(void **state)
{
	(void)state;
	return tls_init(NULL);
}

static int tear_down(void **state)
{
	(void)state;
	tls_fini();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expands_as_openssl_does),
		cmocka_unit_test(extracts_as_openssl_does),
		cmocka_unit_test(derives_what_rfc_8448_says),
		cmocka_unit_test(refuses_what_it_was_not_made_for),
		cmocka_unit_test(takes_parameters_only_with_the_call),
		cmocka_unit_test(gives_random_numbers),
		cmocka_unit_test(has_what_tls_needs_and_not_the_rest),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
