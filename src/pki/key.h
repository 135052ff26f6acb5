/* Private keys as libcrypto holds them; inside of this room. */
#ifndef PKI_KEY_H
#define PKI_KEY_H

#include <openssl/evp.h>

#include "pki/mint.h"

/* Yields -1 with libcrypto's own reason after the sentence; empties its queue of errors. */
int crypto_fail(struct err *e, enum err_code code, const char *what);

/* A private key from PKCS#8 or a traditional form, PEM or DER, unencrypted. Fails with ERR_KEY. */
int key_load(struct bytes text, EVP_PKEY **out, struct err *e) MUST_CHECK;
int key_generate(enum key_kind kind, EVP_PKEY **out, struct err *e) MUST_CHECK;
/* Append DER. */
int key_put_pkcs8(const EVP_PKEY *key, struct buf *out, struct err *e) MUST_CHECK;
int key_put_spki(const EVP_PKEY *key, struct buf *out, struct err *e) MUST_CHECK;
void key_freep(EVP_PKEY **key); /* for AUTO */

#endif
