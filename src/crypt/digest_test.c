#include "crypt/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "crypt/testkit.h"

static void assert_hex(const uint8_t *got, const char *hex)
{
	struct test_bytes want = test_hex(hex);

	assert_memory_equal(got, want.b, want.n);
}

/* RFC 4231, 4.3 (case 2), and 4.7 (case 6) for a key that is longer than a block. */
static void knows_the_hmacs_of_rfc_4231(void **state)
{
	const struct bytes parts[] = { bytes_str("what do ya want "),
				       { 0 },
				       bytes_str("for nothing?") };
	const struct bytes text =
		bytes_str("Test Using Larger Than Block-Size Key - Hash Key First");
	uint8_t out[DIGEST_MAX], key[131];

	(void)state;
	assert_int_equal(hmac_of(DIGEST_SHA256, &(struct hmac_input){ bytes_str("Jefe"), parts, 3 },
				 out, NULL),
			 0);
	assert_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_int_equal(hmac_of(DIGEST_SHA384, &(struct hmac_input){ bytes_str("Jefe"), parts, 3 },
				 out, NULL),
			 0);
	assert_hex(out, "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
			"8e2240ca5e69e2c78b3239ecfab21649");
	memset(key, 0xaa, sizeof(key));
	assert_int_equal(hmac_of(DIGEST_SHA256,
				 &(struct hmac_input){ bytes_of(key, 131), &text, 1 }, out, NULL),
			 0);
	assert_hex(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	assert_int_equal(hmac_of(DIGEST_SHA512,
				 &(struct hmac_input){ bytes_of(key, 131), &text, 1 }, out, NULL),
			 0);
	assert_hex(out, "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
			"6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598");
}

/* RFC 2202, case 2. */
static void knows_the_hmacs_of_rfc_2202(void **state)
{
	const struct bytes text = bytes_str("what do ya want for nothing?");
	uint8_t out[DIGEST_MAX];

	(void)state;
	assert_int_equal(hmac_of(DIGEST_MD5, &(struct hmac_input){ bytes_str("Jefe"), &text, 1 },
				 out, NULL),
			 0);
	assert_hex(out, "750c783e6ab0b503eaa86e310a5db738");
	assert_int_equal(hmac_of(DIGEST_SHA1, &(struct hmac_input){ bytes_str("Jefe"), &text, 1 },
				 out, NULL),
			 0);
	assert_hex(out, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

static void agrees_with_libcryptos_hmac_for_keys_of_every_length(void **state)
{
	static const char *const names[] = { NULL, "MD5", "SHA1", "SHA256", "SHA384", "SHA512" };
	uint8_t key[200], text[77], ours[DIGEST_MAX], theirs[DIGEST_MAX];
	const struct bytes part = bytes_of(text, sizeof(text));
	size_t n;

	(void)state;
	test_fill(key, sizeof(key), 1);
	test_fill(text, sizeof(text), 2);
	for (enum digest d = DIGEST_MD5; d < DIGEST_COUNT; d++)
		for (size_t k = 0; k <= sizeof(key); k++) {
			assert_int_equal(hmac_of(d,
						 &(struct hmac_input){ bytes_of(key, k), &part, 1 },
						 ours, NULL),
					 0);
			assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, names[d], NULL, key, k, text,
						  sizeof(text), theirs, sizeof(theirs), &n));
			assert_int_equal(n, digest_size(d));
			assert_memory_equal(ours, theirs, n);
		}
}

/* RFC 5869, A.1 and A.3 (no salt). */
static void extracts_as_rfc_5869_does(void **state)
{
	struct test_bytes ikm = test_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
	struct test_bytes salt = test_hex("000102030405060708090a0b0c");
	uint8_t out[DIGEST_MAX];

	(void)state;
	assert_int_equal(hkdf_extract(DIGEST_SHA256, test_view(&salt), test_view(&ikm), out, NULL),
			 0);
	assert_hex(out, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
	assert_int_equal(hkdf_extract(DIGEST_SHA256, bytes_of(NULL, 0), test_view(&ikm), out, NULL),
			 0);
	assert_hex(out, "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
}

static void expand_label(const char *secret, const char *label, struct bytes context, size_t n,
			 const char *want)
{
	struct test_bytes s = test_hex(secret);
	const struct hkdf_label l = { n, label, context };
	uint8_t out[64];

	assert_int_equal(hkdf_expand_label(DIGEST_SHA256, test_view(&s), &l, out, NULL), 0);
	assert_hex(out, want);
}

/* RFC 8448, 3: the early secret, what is derived of it, and the server's handshake keys. */
static void expands_labels_as_rfc_8448_shows(void **state)
{
	static const uint8_t zeros[32];
	static const char server[] =
		"b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38";
	uint8_t early[DIGEST_MAX], nothing[DIGEST_MAX];

	(void)state;
	assert_int_equal(hkdf_extract(DIGEST_SHA256, bytes_of(NULL, 0), bytes_of(zeros, 32), early,
				      NULL),
			 0);
	assert_hex(early, "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a");
	assert_int_equal(digest_of(DIGEST_SHA256, NULL, 0, nothing, NULL), 0);
	expand_label("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a", "derived",
		     bytes_of(nothing, 32), 32,
		     "6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba");
	expand_label(server, "key", bytes_of(NULL, 0), 16, "3fce516009c21727d0f2e4e86ee403bc");
	expand_label(server, "iv", bytes_of(NULL, 0), 12, "5d313eb2671276ee13000b30");
}

static void expands_to_every_length_as_libcrypto_does(void **state)
{
	static const uint8_t secret[48] = { 1, 2, 3 };
	struct hkdf_label label = { 0, "traffic upd", bytes_str("context") };
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	uint8_t ours[255 * 48], theirs[255 * 48];

	(void)state;
	for (size_t n = 1; n < sizeof(ours); n += 1 + n / 3) {
		EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
		uint8_t info[64] = { (uint8_t)(n >> 8), (uint8_t)n, 17 };
		OSSL_PARAM params[5];

		label.n = n;
		memcpy(info + 3, "tls13 traffic upd\007context", 25);
		params[0] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
		params[1] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
							     (char[]){ "SHA384" }, 0);
		params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret,
							      sizeof(secret));
		params[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, 28);
		params[4] = OSSL_PARAM_construct_end();
		assert_int_equal(EVP_KDF_derive(ctx, theirs, n, params), 1);
		assert_int_equal(hkdf_expand_label(DIGEST_SHA384, bytes_of(secret, sizeof(secret)),
						   &label, ours, NULL),
				 0);
		assert_memory_equal(ours, theirs, n);
		EVP_KDF_CTX_free(ctx);
	}
	EVP_KDF_free(kdf);
}

static void refuses_what_cannot_be_expanded(void **state)
{
	static uint8_t out[255 * 32 + 1];
	char long_label[251];
	struct hkdf_label label = { 255 * 32, "key", { 0 } };
	const struct hkdf_label too_long = { 16, long_label, { 0 } };
	struct err e;

	(void)state;
	memset(long_label, 'x', 250);
	long_label[250] = '\0';
	assert_int_equal(hkdf_expand_label(DIGEST_SHA256, bytes_str("s"), &label, out, &e), 0);
	assert_int_equal(hkdf_expand_label(DIGEST_NONE, bytes_str("s"), &label, out, &e), -1);
	assert_int_equal(e.code, ERR_CRYPTO);
	label.n = sizeof(out);
	assert_int_equal(hkdf_expand_label(DIGEST_SHA256, bytes_str("s"), &label, out, &e), -1);
	assert_int_equal(e.code, ERR_CRYPTO);
	assert_int_equal(hkdf_expand_label(DIGEST_SHA256, bytes_str("s"), &too_long, out, &e), -1);
	assert_int_equal(e.code, ERR_CRYPTO);
	assert_int_equal(digest_of(DIGEST_NONE, NULL, 0, out, &e), -1);
	assert_int_equal(e.code, ERR_CRYPTO);
}

/* The well-known vector for P_SHA256. */
static void knows_the_prf_of_tls_1_2(void **state)
{
	struct test_bytes secret = test_hex("9bbe436ba940f017b17652849a71db35");
	struct test_bytes seed = test_hex("a0ba9f936cda311827a6f796ffd5198c");
	const struct prf_input in = { test_view(&secret), "test label",
				      bytes_slice(test_view(&seed), 0, 7),
				      bytes_slice(test_view(&seed), 7, 9) };
	uint8_t out[100];

	(void)state;
	assert_int_equal(prf_of(DIGEST_SHA256, &in, out, sizeof(out), NULL), 0);
	assert_hex(
		out,
		"e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9"
		"c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789ba"
		"a48082d122ee42c5a72e5a5110fff70187347b66");
}

static void their_prf(const char *digest, const struct prf_input *in, uint8_t *out, size_t n)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	char name[16];
	OSSL_PARAM params[6];

	memcpy(name, digest, strlen(digest) + 1);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, (void *)in->secret.p,
						      in->secret.n);
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)in->label,
						      strlen(in->label));
	params[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)in->seed_a.p,
						      in->seed_a.n);
	params[4] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)in->seed_b.p,
						      in->seed_b.n);
	params[5] = OSSL_PARAM_construct_end();
	assert_int_equal(EVP_KDF_derive(ctx, out, n, params), 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static void agrees_with_libcryptos_prf_for_every_length(void **state)
{
	uint8_t bytes[128], ours[200], theirs[200];
	struct prf_input in = { .label = "key expansion",
				.seed_a = bytes_of(bytes + 64, 32),
				.seed_b = bytes_of(bytes + 96, 32) };

	(void)state;
	test_fill(bytes, sizeof(bytes), 3);
	/* Odd secrets too: their halves overlap in TLS 1.0. */
	for (size_t n = 1; n <= sizeof(ours); n++) {
		in.secret = bytes_of(bytes, 1 + n % 64);
		their_prf("MD5-SHA1", &in, theirs, n);
		assert_int_equal(prf_of(DIGEST_NONE, &in, ours, n, NULL), 0);
		assert_memory_equal(ours, theirs, n);
		their_prf("SHA384", &in, theirs, n);
		assert_int_equal(prf_of(DIGEST_SHA384, &in, ours, n, NULL), 0);
		assert_memory_equal(ours, theirs, n);
	}
}

static void derives_as_ssl_3_0_does(void **state)
{
	static const char *const letters[] = { "A", "BB", "CCC" };
	uint8_t bytes[112], ours[48], sha[20], want[16], text[256];
	const struct prf_input in = { .secret = bytes_of(bytes, 48),
				      .seed_a = bytes_of(bytes + 48, 32),
				      .seed_b = bytes_of(bytes + 80, 32) };
	static uint8_t much[417];
	size_t n;

	(void)state;
	test_fill(bytes, sizeof(bytes), 4);
	assert_int_equal(prf_ssl3(&in, ours, sizeof(ours), NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		n = strlen(letters[i]);
		memcpy(text, letters[i], n);
		memcpy(text + n, bytes, sizeof(bytes));
		assert_int_equal(EVP_Q_digest(NULL, "SHA1", NULL, text, n + sizeof(bytes), sha,
					      NULL),
				 1);
		memcpy(text, bytes, 48);
		memcpy(text + 48, sha, 20);
		assert_int_equal(EVP_Q_digest(NULL, "MD5", NULL, text, 68, want, NULL), 1);
		assert_memory_equal(ours + 16 * i, want, 16);
	}
	assert_int_equal(prf_ssl3(&in, much, 416, NULL), 0);
	assert_int_equal(prf_ssl3(&in, much, 417, NULL), -1);
}

static void *in_a_thread(void *out)
{
	const struct bytes abc = bytes_str("abc");

	for (enum digest d = DIGEST_MD5; d < DIGEST_COUNT; d++)
		if (digest_of(d, &abc, 1, out, NULL) < 0)
			return NULL;
	return out;
}

/* A leak here is found by the address sanitizer. */
static void gives_back_what_a_thread_kept(void **state)
{
	uint8_t out[DIGEST_MAX], own[DIGEST_MAX];
	pthread_t thread;
	void *done;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, in_a_thread, out), 0);
	assert_int_equal(pthread_join(thread, &done), 0);
	assert_ptr_equal(done, out);
	assert_ptr_equal(in_a_thread(own), own);
	assert_memory_equal(out, own, DIGEST_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_hmacs_of_rfc_4231),
		cmocka_unit_test(knows_the_hmacs_of_rfc_2202),
		cmocka_unit_test(agrees_with_libcryptos_hmac_for_keys_of_every_length),
		cmocka_unit_test(extracts_as_rfc_5869_does),
		cmocka_unit_test(expands_labels_as_rfc_8448_shows),
		cmocka_unit_test(expands_to_every_length_as_libcrypto_does),
		cmocka_unit_test(refuses_what_cannot_be_expanded),
		cmocka_unit_test(knows_the_prf_of_tls_1_2),
		cmocka_unit_test(agrees_with_libcryptos_prf_for_every_length),
		cmocka_unit_test(derives_as_ssl_3_0_does),
		cmocka_unit_test(gives_back_what_a_thread_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
