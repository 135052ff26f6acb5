#include "crypt/keystream.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/mem.h"
#include "crypt/testkit.h"

#define TEXT 200

/* What sealing zeros makes of them. */
static void seal_zeros(enum cipher_kind kind, const uint8_t *key, const uint8_t *nonce,
		       uint8_t *out)
{
	const bool ccm = strstr(cipher_info(kind)->name, "CCM") != NULL;
	const char *name = kind == CIPHER_AES_128_CCM_8	  ? "AES-128-CCM"
			   : kind == CIPHER_AES_256_CCM_8 ? "AES-256-CCM"
							  : cipher_info(kind)->name;
	EVP_CIPHER *method = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const uint8_t zeros[TEXT] = { 0 };
	int n;

	assert_int_equal(EVP_EncryptInit_ex2(ctx, method, NULL, NULL, NULL), 1);
	if (ccm) {
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, 12, NULL);
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, cipher_info(kind)->tag_n, NULL);
	}
	assert_int_equal(EVP_EncryptInit_ex2(ctx, NULL, key, nonce, NULL), 1);
	if (ccm)
		assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &n, NULL, TEXT), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, out, &n, zeros, TEXT), 1);
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(method);
}

static const enum cipher_kind all[] = { CIPHER_AES_128_GCM,	 CIPHER_AES_256_GCM,
					CIPHER_AES_128_CCM,	 CIPHER_AES_256_CCM,
					CIPHER_AES_128_CCM_8,	 CIPHER_AES_256_CCM_8,
					CIPHER_CHACHA20_POLY1305 };

static void shows_what_hides_each_byte(void **state)
{
	uint8_t key[32], nonces[KEYSTREAM_MAX][KEYSTREAM_NONCE], got[KEYSTREAM_MAX];
	uint8_t want[KEYSTREAM_MAX][TEXT];

	(void)state;
	test_fill(key, sizeof(key), 1);
	for (uint32_t i = 0; i < KEYSTREAM_MAX; i++)
		test_fill(nonces[i], KEYSTREAM_NONCE, 2 + i);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct keystream *k;

		assert_int_equal(keystream_new(all[i], bytes_of(key, cipher_info(all[i])->key_n),
					       &k, NULL),
				 0);
		for (size_t j = 0; j < KEYSTREAM_MAX; j++)
			seal_zeros(all[i], key, nonces[j], want[j]);
		for (size_t at = 0; at < TEXT; at++) {
			const struct keystream_look look = { nonces[0], 1 + at % KEYSTREAM_MAX,
							     at };

			assert_true(keystream_bytes(k, &look, got));
			for (size_t j = 0; j < look.count; j++)
				assert_int_equal(got[j], want[j][at]);
		}
		keystream_free(k);
	}
}

static void refuses_other_ciphers_and_keys(void **state)
{
	const uint8_t key[33] = { 0 };
	struct keystream *k = NULL;
	struct err e;

	(void)state;
	assert_int_equal(keystream_new(CIPHER_AES_128_CBC, bytes_of(key, 16), &k, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		const size_t right = cipher_info(all[i])->key_n;

		assert_int_equal(keystream_new(all[i], bytes_of(key, right + 1), &k, &e), -1);
		assert_int_equal(e.code, ERR_CRYPTO);
		assert_int_equal(keystream_new(all[i], bytes_of(key, right - 1), &k, &e), -1);
		assert_int_equal(e.code, ERR_CRYPTO);
	}
	mem_fail_at(1);
	assert_int_equal(keystream_new(CIPHER_AES_128_GCM, bytes_of(key, 16), &k, &e), -1);
	mem_fail_at(0);
	assert_int_equal(e.code, ERR_NOMEM);
	assert_null(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_what_hides_each_byte),
		cmocka_unit_test(refuses_other_ciphers_and_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
