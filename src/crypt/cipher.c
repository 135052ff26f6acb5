#include "crypt/cipher.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <pthread.h>

#include "base/mem.h"
#include "crypt/cipher_part.h"

#define AEAD_NONCE 12
#define TAG_MAX 16

/* How a message is opened. */
enum way {
	WAY_NULL,
	WAY_AEAD,	   /* EVP's: vector and tag, associated data, text, final */
	WAY_CCM,	   /* lengths first, and the text decides */
	WAY_COUNTER_GHASH, /* counter mode and a GHASH of our own */
	WAY_CBC,
	WAY_STREAM,
};

/* clang-format off */
static const struct {
	struct cipher_info info;
	enum way way;
	bool legacy;
	const char *fetch;
} kinds[CIPHER_COUNT] = {
#define AEAD CIPHER_CLASS_AEAD
#define CBC CIPHER_CLASS_CBC
	[CIPHER_NULL] =             { { "NULL", CIPHER_CLASS_NULL, 0, 0, 0, 0 }, WAY_NULL, false, NULL },
	[CIPHER_AES_128_GCM] =      { { "AES-128-GCM", AEAD, 16, 12, 1, 16 }, WAY_AEAD, false, "AES-128-GCM" },
	[CIPHER_AES_256_GCM] =      { { "AES-256-GCM", AEAD, 32, 12, 1, 16 }, WAY_AEAD, false, "AES-256-GCM" },
	[CIPHER_AES_128_CCM] =      { { "AES-128-CCM", AEAD, 16, 12, 1, 16 }, WAY_CCM, false, "AES-128-CCM" },
	[CIPHER_AES_256_CCM] =      { { "AES-256-CCM", AEAD, 32, 12, 1, 16 }, WAY_CCM, false, "AES-256-CCM" },
	[CIPHER_AES_128_CCM_8] =    { { "AES-128-CCM-8", AEAD, 16, 12, 1, 8 }, WAY_CCM, false, "AES-128-CCM" },
	[CIPHER_AES_256_CCM_8] =    { { "AES-256-CCM-8", AEAD, 32, 12, 1, 8 }, WAY_CCM, false, "AES-256-CCM" },
	[CIPHER_CHACHA20_POLY1305]= { { "ChaCha20-Poly1305", AEAD, 32, 12, 1, 16 }, WAY_AEAD, false, "ChaCha20-Poly1305" },
	[CIPHER_ARIA_128_GCM] =     { { "ARIA-128-GCM", AEAD, 16, 12, 1, 16 }, WAY_AEAD, false, "ARIA-128-GCM" },
	[CIPHER_ARIA_256_GCM] =     { { "ARIA-256-GCM", AEAD, 32, 12, 1, 16 }, WAY_AEAD, false, "ARIA-256-GCM" },
	[CIPHER_CAMELLIA_128_GCM] = { { "Camellia-128-GCM", AEAD, 16, 12, 1, 16 }, WAY_COUNTER_GHASH, false, "CAMELLIA-128-CTR" },
	[CIPHER_CAMELLIA_256_GCM] = { { "Camellia-256-GCM", AEAD, 32, 12, 1, 16 }, WAY_COUNTER_GHASH, false, "CAMELLIA-256-CTR" },
	[CIPHER_AES_128_CBC] =      { { "AES-128-CBC", CBC, 16, 16, 16, 0 }, WAY_CBC, false, "AES-128-CBC" },
	[CIPHER_AES_256_CBC] =      { { "AES-256-CBC", CBC, 32, 16, 16, 0 }, WAY_CBC, false, "AES-256-CBC" },
	[CIPHER_CAMELLIA_128_CBC] = { { "Camellia-128-CBC", CBC, 16, 16, 16, 0 }, WAY_CBC, false, "CAMELLIA-128-CBC" },
	[CIPHER_CAMELLIA_256_CBC] = { { "Camellia-256-CBC", CBC, 32, 16, 16, 0 }, WAY_CBC, false, "CAMELLIA-256-CBC" },
	[CIPHER_ARIA_128_CBC] =     { { "ARIA-128-CBC", CBC, 16, 16, 16, 0 }, WAY_CBC, false, "ARIA-128-CBC" },
	[CIPHER_ARIA_256_CBC] =     { { "ARIA-256-CBC", CBC, 32, 16, 16, 0 }, WAY_CBC, false, "ARIA-256-CBC" },
	[CIPHER_SEED_CBC] =         { { "SEED-CBC", CBC, 16, 16, 16, 0 }, WAY_CBC, true, "SEED-CBC" },
	[CIPHER_IDEA_CBC] =         { { "IDEA-CBC", CBC, 16, 8, 8, 0 }, WAY_CBC, true, "IDEA-CBC" },
	[CIPHER_3DES_CBC] =         { { "3DES-CBC", CBC, 24, 8, 8, 0 }, WAY_CBC, false, "DES-EDE3-CBC" },
	[CIPHER_DES_CBC] =          { { "DES-CBC", CBC, 8, 8, 8, 0 }, WAY_CBC, true, "DES-CBC" },
	[CIPHER_RC2_CBC] =          { { "RC2-CBC", CBC, 16, 8, 8, 0 }, WAY_CBC, true, "RC2-CBC" },
	[CIPHER_RC4_128] =          { { "RC4", CIPHER_CLASS_STREAM, 16, 0, 1, 0 }, WAY_STREAM, true, "RC4" },
#undef AEAD
#undef CBC
};
/* clang-format on */

struct cipher {
	enum cipher_kind kind;
	EVP_CIPHER_CTX *ctx;
	EVP_CIPHER_CTX *mark; /* of a stream cipher: where it was */
	struct ghash *ghash;
};

/* Methods are fetched once and kept to the end of the process. */
static EVP_CIPHER *methods[CIPHER_COUNT];
static pthread_once_t modern = PTHREAD_ONCE_INIT, legacy = PTHREAD_ONCE_INIT;

static void fetch_modern(void)
{
	for (size_t i = 0; i < CIPHER_COUNT; i++)
		if (kinds[i].fetch && !kinds[i].legacy)
			methods[i] = EVP_CIPHER_fetch(NULL, kinds[i].fetch, NULL);
}

static void fetch_legacy(void)
{
	for (size_t i = 0; i < CIPHER_COUNT; i++)
		if (kinds[i].legacy)
			methods[i] = cipher_legacy_fetch(kinds[i].fetch);
}

static const EVP_CIPHER *method_find(enum cipher_kind kind)
{
	if (kinds[kind].legacy)
		pthread_once(&legacy, fetch_legacy);
	else
		pthread_once(&modern, fetch_modern);
	return methods[kind];
}

const struct cipher_info *cipher_info(enum cipher_kind kind)
{
	return &kinds[kind].info;
}

bool cipher_available(enum cipher_kind kind, struct err *e)
{
	if (kinds[kind].way == WAY_NULL || method_find(kind))
		return true;
	if (kinds[kind].legacy && !cipher_legacy_loaded())
		FAIL(e, UNSUPPORTED, "%s needs libcrypto's legacy provider, which cannot be loaded",
		     kinds[kind].info.name);
	else
		FAIL(e, UNSUPPORTED, "this libcrypto was built without %s", kinds[kind].info.name);
	return false;
}

/* The tag's length has to be known before the key is. */
static bool start_ccm(struct cipher *c, struct bytes key)
{
	return EVP_DecryptInit_ex2(c->ctx, methods[c->kind], NULL, NULL, NULL) == 1 &&
	       EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_SET_IVLEN, AEAD_NONCE, NULL) == 1 &&
	       EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_SET_TAG, kinds[c->kind].info.tag_n,
				   NULL) == 1 &&
	       EVP_DecryptInit_ex2(c->ctx, NULL, key.p, NULL, NULL) == 1;
}

/* The subkey of GHASH is a block of zeros, enciphered. */
static bool start_ghash(struct cipher *c, struct bytes key)
{
	static const uint8_t zeros[16];
	uint8_t subkey[16];
	int n;
	bool ok;

	ok = EVP_EncryptInit_ex2(c->ctx, methods[c->kind], key.p, zeros, NULL) == 1 &&
	     EVP_EncryptUpdate(c->ctx, subkey, &n, zeros, sizeof(zeros)) == 1;
	if (ok)
		ghash_init(c->ghash, subkey);
	mem_wipe(subkey, sizeof(subkey));
	return ok;
}

static bool start(struct cipher *c, struct bytes key)
{
	switch (kinds[c->kind].way) {
	case WAY_NULL:
		return true;
	case WAY_CCM:
		return start_ccm(c, key);
	case WAY_COUNTER_GHASH:
		return start_ghash(c, key);
	case WAY_CBC:
		return EVP_DecryptInit_ex2(c->ctx, methods[c->kind], key.p, NULL, NULL) == 1 &&
		       EVP_CIPHER_CTX_set_padding(c->ctx, 0) == 1;
	case WAY_AEAD:
	case WAY_STREAM:
		break;
	}
	return EVP_DecryptInit_ex2(c->ctx, methods[c->kind], key.p, NULL, NULL) == 1;
}

static void cipher_freep(struct cipher **c)
{
	cipher_free(*c);
}

int cipher_new(enum cipher_kind kind, struct bytes key, struct cipher **out, struct err *e)
{
	AUTO(cipher_freep) struct cipher *c = NULL;

	if (!cipher_available(kind, e))
		return -1;
	if (key.n != kinds[kind].info.key_n)
		return FAIL(e, CRYPTO, "a key of %zu bytes for %s, which takes %u", key.n,
			    kinds[kind].info.name, kinds[kind].info.key_n);
	c = mem_new(sizeof(*c));
	if (!c)
		return FAIL(e, NOMEM, "a key of %s", kinds[kind].info.name);
	c->kind = kind;
	if (kind != CIPHER_NULL)
		c->ctx = EVP_CIPHER_CTX_new();
	if (kinds[kind].way == WAY_COUNTER_GHASH)
		c->ghash = mem_new(sizeof(*c->ghash));
	if ((kind != CIPHER_NULL && !c->ctx) || (kinds[kind].way == WAY_COUNTER_GHASH && !c->ghash))
		return FAIL(e, NOMEM, "a key of %s", kinds[kind].info.name);
	if (!start(c, key))
		return FAIL(e, CRYPTO, "libcrypto does not take a key of %s",
			    kinds[kind].info.name);
	*out = STEAL(c);
	return 0;
}

void cipher_free(struct cipher *c)
{
	if (!c)
		return;
	EVP_CIPHER_CTX_free(c->ctx);
	EVP_CIPHER_CTX_free(c->mark);
	if (c->ghash)
		mem_wipe(c->ghash, sizeof(*c->ghash));
	mem_free(c->ghash);
	mem_free(c);
}

static bool open_aead(struct cipher *c, const struct aead_input *in, struct bytes text,
		      struct bytes tag, uint8_t *out)
{
	uint8_t expected[TAG_MAX];
	const OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, expected, tag.n), OSSL_PARAM_END
	};
	int n;

	memcpy(expected, tag.p, tag.n);
	return EVP_DecryptInit_ex2(c->ctx, NULL, NULL, in->nonce.p, params) == 1 &&
	       (in->aad.n == 0 ||
		EVP_DecryptUpdate(c->ctx, NULL, &n, in->aad.p, (int)in->aad.n) == 1) &&
	       (text.n == 0 || EVP_DecryptUpdate(c->ctx, out, &n, text.p, (int)text.n) == 1) &&
	       EVP_DecryptFinal_ex(c->ctx, out + text.n, &n) == 1;
}

static bool open_ccm(struct cipher *c, const struct aead_input *in, struct bytes text,
		     struct bytes tag, uint8_t *out)
{
	uint8_t expected[TAG_MAX];
	const OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, expected, tag.n), OSSL_PARAM_END
	};
	int n;

	memcpy(expected, tag.p, tag.n);
	return EVP_DecryptInit_ex2(c->ctx, NULL, NULL, in->nonce.p, params) == 1 &&
	       EVP_DecryptUpdate(c->ctx, NULL, &n, NULL, (int)text.n) == 1 &&
	       (in->aad.n == 0 ||
		EVP_DecryptUpdate(c->ctx, NULL, &n, in->aad.p, (int)in->aad.n) == 1) &&
	       EVP_DecryptUpdate(c->ctx, out, &n, text.p, (int)text.n) == 1;
}

/* NIST SP 800-38D, 7.2: counter 1 hides the tag, the text begins with counter 2. */
static bool open_ghash(struct cipher *c, const struct aead_input *in, struct bytes text,
		       struct bytes tag, uint8_t *out)
{
	static const uint8_t zeros[16];
	uint8_t counter[16] = { [15] = 1 }, mask[16], sum[16];
	int n;

	memcpy(counter, in->nonce.p, AEAD_NONCE);
	if (EVP_EncryptInit_ex2(c->ctx, NULL, NULL, counter, NULL) != 1 ||
	    EVP_EncryptUpdate(c->ctx, mask, &n, zeros, sizeof(zeros)) != 1)
		return false;
	ghash_of(c->ghash, in->aad, text, sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		sum[i] ^= mask[i];
	return CRYPTO_memcmp(sum, tag.p, tag.n) == 0 &&
	       (text.n == 0 || EVP_EncryptUpdate(c->ctx, out, &n, text.p, (int)text.n) == 1);
}

bool aead_open(struct cipher *c, const struct aead_input *in, uint8_t *out, size_t *n)
{
	const size_t tag_n = kinds[c->kind].info.tag_n;
	struct bytes text, tag;
	bool ok;

	if (in->nonce.n != AEAD_NONCE || in->sealed.n < tag_n || in->sealed.n > CIPHER_INPUT_MAX ||
	    in->aad.n > CIPHER_INPUT_MAX)
		return false;
	text = bytes_slice(in->sealed, 0, in->sealed.n - tag_n);
	tag = bytes_slice(in->sealed, text.n, tag_n);
	switch (kinds[c->kind].way) {
	case WAY_AEAD:
		ok = open_aead(c, in, text, tag, out);
		break;
	case WAY_CCM:
		ok = open_ccm(c, in, text, tag, out);
		break;
	case WAY_COUNTER_GHASH:
		ok = open_ghash(c, in, text, tag, out);
		break;
	default:
		return false;
	}
	if (ok)
		*n = text.n;
	return ok;
}

bool cbc_decrypt(struct cipher *c, struct bytes iv, struct bytes in, uint8_t *out)
{
	const struct cipher_info *info = &kinds[c->kind].info;
	int n;

	if (kinds[c->kind].way != WAY_CBC || iv.n != info->iv_n || in.n % info->block_n != 0 ||
	    in.n > CIPHER_INPUT_MAX)
		return false;
	if (in.n == 0)
		return true;
	return EVP_DecryptInit_ex2(c->ctx, NULL, NULL, iv.p, NULL) == 1 &&
	       EVP_DecryptUpdate(c->ctx, out, &n, in.p, (int)in.n) == 1 && (size_t)n == in.n;
}

bool stream_decrypt(struct cipher *c, struct bytes in, uint8_t *out)
{
	int n;

	if (in.n > CIPHER_INPUT_MAX)
		return false;
	if (in.n == 0)
		return true;
	if (kinds[c->kind].way == WAY_NULL) {
		memcpy(out, in.p, in.n);
		return true;
	}
	return kinds[c->kind].way == WAY_STREAM &&
	       EVP_DecryptUpdate(c->ctx, out, &n, in.p, (int)in.n) == 1;
}

bool stream_mark(struct cipher *c)
{
	if (kinds[c->kind].way == WAY_NULL)
		return true;
	if (!c->mark)
		c->mark = EVP_CIPHER_CTX_new();
	return c->mark && EVP_CIPHER_CTX_copy(c->mark, c->ctx) == 1;
}

bool stream_back(struct cipher *c)
{
	EVP_CIPHER_CTX *was = c->mark;

	if (kinds[c->kind].way == WAY_NULL)
		return true;
	if (!was)
		return false;
	c->mark = c->ctx;
	c->ctx = was;
	return true;
}
