#include "crypt/cipher.h"

#include <openssl/evp.h>
#include <openssl/provider.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/mem.h"
#include "crypt/testkit.h"

#define TEXT_MAX 700

static const char *const libcryptos[CIPHER_COUNT] = {
	[CIPHER_AES_128_GCM] = "AES-128-GCM",
	[CIPHER_AES_256_GCM] = "AES-256-GCM",
	[CIPHER_AES_128_CCM] = "AES-128-CCM",
	[CIPHER_AES_256_CCM] = "AES-256-CCM",
	[CIPHER_AES_128_CCM_8] = "AES-128-CCM",
	[CIPHER_AES_256_CCM_8] = "AES-256-CCM",
	[CIPHER_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
	[CIPHER_ARIA_128_GCM] = "ARIA-128-GCM",
	[CIPHER_ARIA_256_GCM] = "ARIA-256-GCM",
	[CIPHER_AES_128_CBC] = "AES-128-CBC",
	[CIPHER_AES_256_CBC] = "AES-256-CBC",
	[CIPHER_CAMELLIA_128_CBC] = "CAMELLIA-128-CBC",
	[CIPHER_CAMELLIA_256_CBC] = "CAMELLIA-256-CBC",
	[CIPHER_ARIA_128_CBC] = "ARIA-128-CBC",
	[CIPHER_ARIA_256_CBC] = "ARIA-256-CBC",
	[CIPHER_SEED_CBC] = "SEED-CBC",
	[CIPHER_IDEA_CBC] = "IDEA-CBC",
	[CIPHER_3DES_CBC] = "DES-EDE3-CBC",
	[CIPHER_DES_CBC] = "DES-CBC",
	[CIPHER_RC2_CBC] = "RC2-CBC",
	[CIPHER_RC4_128] = "RC4",
};

/* The other side of every test: what libcrypto seals with everything it has. */
static struct {
	OSSL_LIB_CTX *library;
	OSSL_PROVIDER *ordinary, *legacy;
} their;

static int open_libcrypto(void **state)
{
	(void)state;
	their.library = OSSL_LIB_CTX_new();
	their.ordinary = OSSL_PROVIDER_load(their.library, "default");
	their.legacy = OSSL_PROVIDER_load(their.library, "legacy");
	return their.ordinary ? 0 : -1;
}

static int close_libcrypto(void **state)
{
	(void)state;
	OSSL_PROVIDER_unload(their.legacy);
	OSSL_PROVIDER_unload(their.ordinary);
	OSSL_LIB_CTX_free(their.library);
	return 0;
}

struct message {
	uint8_t key[32], nonce[16], aad[13], text[TEXT_MAX], sealed[TEXT_MAX + 32];
	size_t n, sealed_n;
};

static struct message message_make(size_t n)
{
	struct message m = { .n = n };

	test_fill(m.key, sizeof(m.key), 1);
	test_fill(m.nonce, sizeof(m.nonce), 2);
	test_fill(m.aad, sizeof(m.aad), 3);
	test_fill(m.text, n, (uint32_t)n + 4);
	return m;
}

static struct cipher *new_cipher(enum cipher_kind kind, const uint8_t *key)
{
	struct cipher *c;

	assert_int_equal(cipher_new(kind, bytes_of(key, cipher_info(kind)->key_n), &c, NULL), 0);
	return c;
}

/* False when libcrypto has not got the cipher. */
static bool seal(enum cipher_kind kind, struct message *m)
{
	const struct cipher_info *info = cipher_info(kind);
	const bool ccm = info->class == CIPHER_CLASS_AEAD && strstr(info->name, "CCM");
	EVP_CIPHER *method = EVP_CIPHER_fetch(their.library, libcryptos[kind], NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, last = 0;

	if (!method) {
		EVP_CIPHER_CTX_free(ctx);
		return false;
	}
	assert_int_equal(EVP_EncryptInit_ex2(ctx, method, NULL, NULL, NULL), 1);
	if (ccm) {
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, 12, NULL);
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, info->tag_n, NULL);
	}
	assert_int_equal(EVP_EncryptInit_ex2(ctx, NULL, m->key, info->iv_n ? m->nonce : NULL, NULL),
			 1);
	EVP_CIPHER_CTX_set_padding(ctx, 0);
	if (ccm)
		assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &n, NULL, (int)m->n), 1);
	if (info->class == CIPHER_CLASS_AEAD)
		assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &n, m->aad, sizeof(m->aad)), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, m->sealed, &n, m->text, (int)m->n), 1);
	assert_int_equal(EVP_EncryptFinal_ex(ctx, m->sealed + n, &last), 1);
	m->sealed_n = m->n + info->tag_n;
	if (info->tag_n)
		assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, info->tag_n,
						     m->sealed + m->n),
				 1);
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(method);
	return true;
}

static bool open_it(struct cipher *c, const struct message *m, uint8_t *out, size_t *n)
{
	const struct aead_input in = { bytes_of(m->nonce, 12), bytes_of(m->aad, sizeof(m->aad)),
				       bytes_of(m->sealed, m->sealed_n) };

	return aead_open(c, &in, out, n);
}

/* One bit of everything that the tag covers is turned over, and back again. */
static void expect_all_refused(struct cipher *c, struct message *m)
{
	uint8_t *const places[] = { m->nonce,	 m->nonce + 11, m->aad,
				    m->aad + 12, m->sealed,	m->sealed + m->sealed_n - 1 };
	uint8_t out[TEXT_MAX + 32];
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		*places[i] ^= 0x10;
		assert_false(open_it(c, m, out, &n));
		*places[i] ^= 0x10;
	}
	assert_true(open_it(c, m, out, &n));
}

static void opens_what_libcrypto_sealed(void **state)
{
	uint8_t out[TEXT_MAX + 32];
	size_t opened = 0, n;

	(void)state;
	for (enum cipher_kind kind = 0; kind < CIPHER_COUNT; kind++) {
		struct cipher *c;

		if (cipher_info(kind)->class != CIPHER_CLASS_AEAD || !libcryptos[kind] ||
		    !cipher_available(kind, NULL))
			continue;
		c = NULL;
		for (size_t len = 0; len <= TEXT_MAX; len += len < 40 ? 1 : 97) {
			struct message m = message_make(len);

			if (!c)
				c = new_cipher(kind, m.key);
			assert_true(seal(kind, &m));
			assert_true(open_it(c, &m, out, &n));
			assert_int_equal(n, len);
			assert_memory_equal(out, m.text, len);
			expect_all_refused(c, &m);
		}
		cipher_free(c);
		opened++;
	}
	assert_true(opened >= 7);
}

static void refuses_every_truncation(void **state)
{
	static const enum cipher_kind all[] = { CIPHER_AES_128_GCM, CIPHER_AES_128_CCM_8,
						CIPHER_CHACHA20_POLY1305, CIPHER_CAMELLIA_128_GCM };
	struct message m = message_make(40);
	uint8_t out[TEXT_MAX];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct cipher *c = new_cipher(all[i], m.key);

		for (m.sealed_n = 0; m.sealed_n < 56; m.sealed_n++)
			assert_false(open_it(c, &m, out, &n));
		cipher_free(c);
	}
}

/* GCM once more, bit by bit as NIST SP 800-38D, 6.3 has it. */
static void multiply(const uint8_t x[16], const uint8_t y[16], uint8_t out[16])
{
	uint8_t v[16], z[16] = { 0 };

	memcpy(v, y, 16);
	for (size_t i = 0; i < 128; i++) {
		const bool low = v[15] & 1;

		if (x[i / 8] >> (7 - i % 8) & 1)
			for (size_t j = 0; j < 16; j++)
				z[j] ^= v[j];
		for (size_t j = 15; j > 0; j--)
			v[j] = (uint8_t)(v[j] >> 1 | v[j - 1] << 7);
		v[0] >>= 1;
		if (low)
			v[0] ^= 0xe1;
	}
	memcpy(out, z, 16);
}

static void hash_in(uint8_t sum[16], const uint8_t h[16], const uint8_t *p, size_t n)
{
	for (size_t at = 0; at < n; at += 16) {
		for (size_t j = 0; j < 16 && at + j < n; j++)
			sum[j] ^= p[at + j];
		multiply(sum, h, sum);
	}
}

/* nonce: 12 bytes, or none for a block of zeros. */
struct counter {
	const char *method;
	const uint8_t *key, *nonce;
	uint8_t number;
};

static void counter_mode(const struct counter *c, struct bytes in, uint8_t *out)
{
	EVP_CIPHER *ecb = EVP_CIPHER_fetch(their.library, c->method, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t block[16] = { 0 }, stream[16];
	int n;

	assert_int_equal(EVP_EncryptInit_ex2(ctx, ecb, c->key, NULL, NULL), 1);
	if (c->nonce)
		memcpy(block, c->nonce, 12);
	block[15] = c->number;
	for (size_t at = 0; at < in.n; at++) {
		if (at % 16 == 0) {
			assert_int_equal(EVP_EncryptUpdate(ctx, stream, &n, block, 16), 1);
			block[15]++;
		}
		out[at] = in.p[at] ^ stream[at % 16];
	}
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(ecb);
}

static void seal_by_hand(const char *ecb, struct message *m)
{
	static const uint8_t zeros[16];
	const struct counter subkey = { ecb, m->key, NULL, 0 };
	const struct counter tag = { ecb, m->key, m->nonce, 1 },
			     text = { ecb, m->key, m->nonce, 2 };
	uint8_t h[16], sum[16] = { 0 }, lengths[16] = { 0 };

	counter_mode(&subkey, bytes_of(zeros, 16), h);
	counter_mode(&text, bytes_of(m->text, m->n), m->sealed);
	lengths[7] = sizeof(m->aad) * 8;
	lengths[14] = (uint8_t)(m->n * 8 >> 8);
	lengths[15] = (uint8_t)(m->n * 8);
	hash_in(sum, h, m->aad, sizeof(m->aad));
	hash_in(sum, h, m->sealed, m->n);
	hash_in(sum, h, lengths, 16);
	counter_mode(&tag, bytes_of(sum, 16), m->sealed + m->n);
	m->sealed_n = m->n + 16;
}

/* First the way by hand against libcrypto's AES-GCM, then Camellia-GCM against the way by hand. */
static void opens_camellia_gcm_made_by_hand(void **state)
{
	static const struct {
		enum cipher_kind kind;
		const char *ecb;
	} all[] = { { CIPHER_AES_128_GCM, "AES-128-ECB" },
		    { CIPHER_CAMELLIA_128_GCM, "CAMELLIA-128-ECB" },
		    { CIPHER_CAMELLIA_256_GCM, "CAMELLIA-256-ECB" } };
	uint8_t out[TEXT_MAX];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (size_t len = 0; len < 300; len += len < 40 ? 1 : 37) {
			struct message m = message_make(len);
			struct cipher *c = new_cipher(all[i].kind, m.key);

			seal_by_hand(all[i].ecb, &m);
			assert_true(open_it(c, &m, out, &n));
			assert_int_equal(n, len);
			assert_memory_equal(out, m.text, len);
			expect_all_refused(c, &m);
			cipher_free(c);
		}
}

/* RFC 6367's suites name a GCM whose vectors are in draft-kato-ipsec-camellia-gcm: test case 2. */
static void knows_a_vector_of_camellia_gcm(void **state)
{
	const uint8_t zeros[16] = { 0 };
	struct cipher *c = new_cipher(CIPHER_CAMELLIA_128_GCM, zeros);
	struct test_bytes sealed =
		test_hex("defe3e0b5c54c94b4f2a0f5a46f6210d f672b94d192266c7c8c8dbb427cc989a");
	const struct aead_input in = { bytes_of(zeros, 12), { 0 }, test_view(&sealed) };
	uint8_t out[16];
	size_t n;

	(void)state;
	assert_true(aead_open(c, &in, out, &n));
	assert_int_equal(n, 16);
	assert_memory_equal(out, zeros, 16);
	cipher_free(c);
}

static void decrypts_every_cbc_that_libcrypto_has(void **state)
{
	struct message m;
	uint8_t out[TEXT_MAX];
	size_t done = 0;

	(void)state;
	for (enum cipher_kind kind = 0; kind < CIPHER_COUNT; kind++) {
		const struct cipher_info *info = cipher_info(kind);
		struct cipher *c;

		m = message_make(160);
		if (info->class != CIPHER_CLASS_CBC || !cipher_available(kind, NULL))
			continue;
		assert_true(seal(kind, &m));
		c = new_cipher(kind, m.key);
		/* Twice: nothing is left behind. */
		for (size_t i = 0; i < 2; i++) {
			assert_true(cbc_decrypt(c, bytes_of(m.nonce, info->iv_n),
						bytes_of(m.sealed, m.n), out));
			assert_memory_equal(out, m.text, m.n);
		}
		assert_true(
			cbc_decrypt(c, bytes_of(m.nonce, info->iv_n), bytes_of(m.sealed, 0), out));
		assert_false(cbc_decrypt(c, bytes_of(m.nonce, info->iv_n), bytes_of(m.sealed, 159),
					 out));
		assert_false(cbc_decrypt(c, bytes_of(m.nonce, info->iv_n - 1u),
					 bytes_of(m.sealed, 160), out));
		cipher_free(c);
		done++;
	}
	assert_true(done >= 7);
}

static void goes_on_and_back_in_a_stream(void **state)
{
	struct message m = message_make(300);
	uint8_t out[TEXT_MAX];
	struct cipher *c;

	(void)state;
	if (!cipher_available(CIPHER_RC4_128, NULL))
		skip();
	assert_true(seal(CIPHER_RC4_128, &m));
	c = new_cipher(CIPHER_RC4_128, m.key);
	assert_false(stream_back(c));
	assert_true(stream_decrypt(c, bytes_of(m.sealed, 100), out));
	for (size_t i = 0; i < 3; i++) {
		assert_true(stream_mark(c));
		assert_true(stream_decrypt(c, bytes_of(m.sealed, 123), out + 100));
		assert_true(stream_back(c));
	}
	assert_true(stream_decrypt(c, bytes_of(m.sealed + 100, 200), out + 100));
	assert_memory_equal(out, m.text, 300);
	cipher_free(c);
}

/* RFC 6229: the first bytes of the key stream of 0102030405060708090a0b0c0d0e0f10. */
static void knows_a_vector_of_rc4(void **state)
{
	struct test_bytes key = test_hex("0102030405060708090a0b0c0d0e0f10");
	struct test_bytes want = test_hex("9ac7cc9a609d1ef7b2932899cde41b97");
	const uint8_t zeros[16] = { 0 };
	uint8_t out[16];
	struct cipher *c;

	(void)state;
	if (!cipher_available(CIPHER_RC4_128, NULL))
		skip();
	c = new_cipher(CIPHER_RC4_128, key.b);
	assert_true(stream_decrypt(c, bytes_of(zeros, 16), out));
	assert_memory_equal(out, want.b, 16);
	cipher_free(c);
}

static void copies_with_the_null_cipher(void **state)
{
	struct message m = message_make(20);
	struct cipher *c = new_cipher(CIPHER_NULL, m.key);
	uint8_t out[TEXT_MAX];

	(void)state;
	assert_true(stream_mark(c));
	assert_true(stream_decrypt(c, bytes_of(m.text, 20), out));
	assert_true(stream_back(c));
	assert_memory_equal(out, m.text, 20);
	cipher_free(c);
}

/* A library that lacks a cipher says which; one that has it must not say so. */
static void names_what_libcrypto_has_not_got(void **state)
{
	const uint8_t key[32] = { 0 };

	(void)state;
	for (enum cipher_kind kind = 1; kind < CIPHER_COUNT; kind++) {
		EVP_CIPHER *theirs =
			libcryptos[kind] ? EVP_CIPHER_fetch(their.library, libcryptos[kind], NULL)
					 : NULL;
		const struct cipher_info *info = cipher_info(kind);
		struct cipher *c = NULL;
		struct err e;

		if (theirs || !libcryptos[kind]) {
			assert_true(cipher_available(kind, &e));
			EVP_CIPHER_free(theirs);
			continue;
		}
		assert_false(cipher_available(kind, &e));
		assert_int_equal(e.code, ERR_UNSUPPORTED);
		assert_non_null(strstr(e.sentence, info->name));
		assert_int_equal(cipher_new(kind, bytes_of(key, info->key_n), &c, &e), -1);
		assert_int_equal(e.code, ERR_UNSUPPORTED);
		assert_null(c);
	}
}

static void refuses_keys_of_the_wrong_length(void **state)
{
	const uint8_t key[33] = { 0 };
	struct err e;

	(void)state;
	for (enum cipher_kind kind = 1; kind < CIPHER_COUNT; kind++) {
		struct cipher *c = NULL;

		if (!cipher_available(kind, NULL))
			continue;
		for (size_t n = 0; n <= sizeof(key); n++) {
			const int want = n == cipher_info(kind)->key_n ? 0 : -1;

			assert_int_equal(cipher_new(kind, bytes_of(key, n), &c, &e), want);
		}
		cipher_free(c);
	}
}

static void does_without_memory(void **state)
{
	const uint8_t key[32] = { 0 };
	struct cipher *c = NULL;
	struct err e;

	(void)state;
	for (size_t n = 1;; n++) {
		int done;

		mem_fail_at(n);
		done = cipher_new(CIPHER_CAMELLIA_128_GCM, bytes_of(key, 16), &c, &e);
		mem_fail_at(0);
		if (done == 0) {
			assert_true(n > 2);
			break;
		}
		assert_int_equal(e.code, ERR_NOMEM);
		assert_null(c);
	}
	cipher_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_what_libcrypto_sealed),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(opens_camellia_gcm_made_by_hand),
		cmocka_unit_test(knows_a_vector_of_camellia_gcm),
		cmocka_unit_test(decrypts_every_cbc_that_libcrypto_has),
		cmocka_unit_test(goes_on_and_back_in_a_stream),
		cmocka_unit_test(knows_a_vector_of_rc4),
		cmocka_unit_test(copies_with_the_null_cipher),
		cmocka_unit_test(names_what_libcrypto_has_not_got),
		cmocka_unit_test(refuses_keys_of_the_wrong_length),
		cmocka_unit_test(does_without_memory),
	};

	return cmocka_run_group_tests(tests, open_libcrypto, close_libcrypto);
}
