/* A look at single bytes of what hides an AEAD's text, for searches of a nonce: it costs one block of
 * the cipher for each that is tried, where opening a record costs all of it. */
#ifndef CRYPT_KEYSTREAM_H
#define CRYPT_KEYSTREAM_H

#include "crypt/cipher.h"

#define KEYSTREAM_NONCE 12
#define KEYSTREAM_MAX 64 /* nonces at once */

struct keystream;

/* AES-GCM, AES-CCM and ChaCha20-Poly1305 with the key that they have in cipher_new. Fails with
 * ERR_UNSUPPORTED (other ciphers), ERR_CRYPTO, ERR_NOMEM. */
int keystream_new(enum cipher_kind kind, struct bytes key, struct keystream **out,
		  struct err *e) MUST_CHECK;
void keystream_free(struct keystream *k);

struct keystream_look {
	const uint8_t *nonces; /* one after another */
	size_t count;	       /* at most KEYSTREAM_MAX */
	size_t at;	       /* which byte of the text, from 0 */
};
/* What byte number at is exclusive-ored with under each of the nonces, one byte each into out. */
bool keystream_bytes(struct keystream *k, const struct keystream_look *look, uint8_t *out);

#endif
