#include "crypt/keystream.h"

#include <openssl/evp.h>

#include "base/mem.h"

#define AES_BLOCK 16
#define CHACHA_BLOCK 64

/* How a block of the key stream is made of nonce and counter. */
enum form {
	FORM_GCM,    /* NIST SP 800-38D, 7.1: counter 1 is the tag's */
	FORM_CCM,    /* RFC 3610, 2.3, with a counter of three bytes; 0 is the tag's */
	FORM_CHACHA, /* RFC 8439, 2.8: 0 makes Poly1305's key */
	FORM_NONE,
};

struct keystream {
	enum form form;
	EVP_CIPHER_CTX *ctx;
};

static enum form form_of(enum cipher_kind kind)
{
	switch (kind) {
	case CIPHER_AES_128_GCM:
	case CIPHER_AES_256_GCM:
		return FORM_GCM;
	case CIPHER_AES_128_CCM:
	case CIPHER_AES_256_CCM:
	case CIPHER_AES_128_CCM_8:
	case CIPHER_AES_256_CCM_8:
		return FORM_CCM;
	case CIPHER_CHACHA20_POLY1305:
		return FORM_CHACHA;
	default:
		return FORM_NONE;
	}
}

static const EVP_CIPHER *method_of(enum form form, size_t key_n)
{
	if (form == FORM_CHACHA)
		return EVP_chacha20();
	return key_n == 16 ? EVP_aes_128_ecb() : EVP_aes_256_ecb();
}

int keystream_new(enum cipher_kind kind, struct bytes key, struct keystream **out, struct err *e)
{
	const enum form form = form_of(kind);
	struct keystream *k;

	if (form == FORM_NONE)
		return FAIL(e, UNSUPPORTED, "no look into the key stream of %s",
			    cipher_info(kind)->name);
	if (key.n != cipher_info(kind)->key_n)
		return FAIL(e, CRYPTO, "a key of %zu bytes for %s, which takes %u", key.n,
			    cipher_info(kind)->name, cipher_info(kind)->key_n);
	k = mem_new(sizeof(*k));
	if (!k)
		return FAIL(e, NOMEM, "a key of %s", cipher_info(kind)->name);
	k->form = form;
	k->ctx = EVP_CIPHER_CTX_new();
	if (!k->ctx ||
	    EVP_EncryptInit_ex2(k->ctx, method_of(form, key.n), key.p, NULL, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(k->ctx, 0) != 1) {
		keystream_free(k);
		return FAIL(e, CRYPTO, "libcrypto does not take a key of %s",
			    cipher_info(kind)->name);
	}
	*out = k;
	return 0;
}

void keystream_free(struct keystream *k)
{
	if (k)
		EVP_CIPHER_CTX_free(k->ctx);
	mem_free(k);
}

/* All blocks in one call: AES works on several at a time. */
static bool aes_bytes(struct keystream *k, const struct keystream_look *look, uint8_t *out)
{
	const bool ccm = k->form == FORM_CCM;
	const size_t number = look->at / AES_BLOCK + (ccm ? 1 : 2);
	uint8_t blocks[KEYSTREAM_MAX * AES_BLOCK];
	int n;

	for (size_t i = 0; i < look->count; i++) {
		uint8_t *block = blocks + i * AES_BLOCK;

		block[12] = (uint8_t)(number >> 24);
		if (ccm)
			block[0] = 2;
		memcpy(block + ccm, look->nonces + i * KEYSTREAM_NONCE, KEYSTREAM_NONCE);
		block[13] = (uint8_t)(number >> 16);
		block[14] = (uint8_t)(number >> 8);
		block[15] = (uint8_t)number;
	}
	if (EVP_EncryptUpdate(k->ctx, blocks, &n, blocks, (int)(look->count * AES_BLOCK)) != 1)
		return false;
	for (size_t i = 0; i < look->count; i++)
		out[i] = blocks[i * AES_BLOCK + look->at % AES_BLOCK];
	return true;
}

static bool chacha_bytes(struct keystream *k, const struct keystream_look *look, uint8_t *out)
{
	static const uint8_t zeros[CHACHA_BLOCK];
	const size_t number = look->at / CHACHA_BLOCK + 1, within = look->at % CHACHA_BLOCK;
	uint8_t iv[4 + KEYSTREAM_NONCE], block[CHACHA_BLOCK];
	int n;

	for (size_t i = 0; i < 4; i++)
		iv[i] = (uint8_t)(number >> 8 * i);
	for (size_t i = 0; i < look->count; i++) {
		memcpy(iv + 4, look->nonces + i * KEYSTREAM_NONCE, KEYSTREAM_NONCE);
		if (EVP_EncryptInit_ex2(k->ctx, NULL, NULL, iv, NULL) != 1 ||
		    EVP_EncryptUpdate(k->ctx, block, &n, zeros, CHACHA_BLOCK) != 1)
			return false;
		out[i] = block[within];
	}
	return true;
}

bool keystream_bytes(struct keystream *k, const struct keystream_look *look, uint8_t *out)
{
	if (look->count > KEYSTREAM_MAX || look->at >= CIPHER_INPUT_MAX)
		return false;
	if (k->form == FORM_CHACHA)
		return chacha_bytes(k, look, out);
	return aes_bytes(k, look, out);
}
