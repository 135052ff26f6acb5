/* Symmetric decryption on libcrypto, keyed once and used for many messages: AEAD, CBC and stream
 * ciphers. Legacy ones (RC4, DES, IDEA, SEED) come from a private library context with the legacy
 * provider, made when the first is asked for. */
#ifndef CRYPT_CIPHER_H
#define CRYPT_CIPHER_H

#include "base/err.h"

enum cipher_kind {
	CIPHER_NULL,
	CIPHER_AES_128_GCM,
	CIPHER_AES_256_GCM,
	CIPHER_AES_128_CCM,
	CIPHER_AES_256_CCM,
	CIPHER_AES_128_CCM_8,
	CIPHER_AES_256_CCM_8,
	CIPHER_CHACHA20_POLY1305,
	CIPHER_ARIA_128_GCM,
	CIPHER_ARIA_256_GCM,
	CIPHER_CAMELLIA_128_GCM, /* libcrypto has none: made of its block cipher */
	CIPHER_CAMELLIA_256_GCM,
	CIPHER_AES_128_CBC,
	CIPHER_AES_256_CBC,
	CIPHER_CAMELLIA_128_CBC,
	CIPHER_CAMELLIA_256_CBC,
	CIPHER_ARIA_128_CBC,
	CIPHER_ARIA_256_CBC,
	CIPHER_SEED_CBC,
	CIPHER_IDEA_CBC,
	CIPHER_3DES_CBC,
	CIPHER_DES_CBC,
	CIPHER_RC2_CBC, /* 128 bits, for export suites made of 40 */
	CIPHER_RC4_128,
	CIPHER_COUNT
};

enum cipher_class { CIPHER_CLASS_NULL, CIPHER_CLASS_AEAD, CIPHER_CLASS_CBC, CIPHER_CLASS_STREAM };

struct cipher_info {
	const char *name; /* "AES-128-GCM" */
	enum cipher_class class;
	uint8_t key_n, iv_n, block_n, tag_n; /* bytes; iv_n of an AEAD is its whole nonce */
};
const struct cipher_info *cipher_info(enum cipher_kind kind);
/* False when this libcrypto has not got it; the sentence says so by name. */
bool cipher_available(enum cipher_kind kind, struct err *e);

struct cipher;

/* No message is longer. */
#define CIPHER_INPUT_MAX ((size_t)1 << 24)

/* Fails with ERR_UNSUPPORTED (libcrypto has not got it), ERR_CRYPTO, ERR_NOMEM. key_n bytes. A
 * cipher belongs to one thread at a time. */
int cipher_new(enum cipher_kind kind, struct bytes key, struct cipher **out,
	       struct err *e) MUST_CHECK;
void cipher_free(struct cipher *c); /* wipes the key */

struct aead_input {
	struct bytes nonce, aad;
	struct bytes sealed; /* ciphertext and tag */
};
/* Opens into out, which has room for sealed.n bytes and does not overlap. False: the tag does not
 * fit; out is then undefined. Makes no allocation. */
bool aead_open(struct cipher *c, const struct aead_input *in, uint8_t *out, size_t *n);
/* CBC without padding: whole blocks; iv of block_n bytes. out has room for in.n. */
bool cbc_decrypt(struct cipher *c, struct bytes iv, struct bytes in, uint8_t *out);
/* A stream cipher goes on where it was; NULL copies. */
bool stream_decrypt(struct cipher *c, struct bytes in, uint8_t *out);
/* Remembers where the stream is; stream_back returns there, once for each mark. */
bool stream_mark(struct cipher *c);
bool stream_back(struct cipher *c);

#endif
