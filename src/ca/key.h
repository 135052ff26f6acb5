/* Private keys of certificates that we issue: made, read and written. */
#ifndef CA_KEY_H
#define CA_KEY_H

#include "pki/cert.h"

struct evp_pkey_st; /* libcrypto's EVP_PKEY */

/* bits: EC 256, 384, 521; RSA 1024 to 16384; Ed25519 256. Slow for RSA. Fails with ERR_KEY (no such
 * key), ERR_CRYPTO. The caller owns *out. */
int ca_key_make(enum key_type type, unsigned bits, struct evp_pkey_st **out,
		struct err *e) MUST_CHECK;
/* From PEM in any form of libcrypto's. passphrase: NUL-terminated, or NULL. Fails with ERR_KEY, which
 * says whether a passphrase is missing or wrong. */
int ca_key_load(struct bytes pem, const char *passphrase, struct evp_pkey_st **out,
		struct err *e) MUST_CHECK;
/* Appends PKCS#8 as PEM: "PRIVATE KEY", or with a passphrase "ENCRYPTED PRIVATE KEY" (AES-256,
 * PBKDF2). out must be .secret. */
int ca_key_write(const struct evp_pkey_st *key, const char *passphrase, struct buf *out,
		 struct err *e) MUST_CHECK;
/* Appends the SubjectPublicKeyInfo. */
int ca_key_spki(const struct evp_pkey_st *key, struct buf *out, struct err *e) MUST_CHECK;
void ca_key_free(struct evp_pkey_st *key);
void ca_key_freep(struct evp_pkey_st **key); /* for AUTO */

#endif
