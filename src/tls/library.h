/* What this room shares of OpenSSL: one OSSL_LIB_CTX with one provider, and one kind of BIO. Not
 * for other rooms. */
#ifndef TLS_LIBRARY_H
#define TLS_LIBRARY_H

#include <openssl/bio.h>
#include <openssl/core.h>
#include <openssl/types.h>

#include "base/err.h"

OSSL_LIB_CTX *library_ctx(void);
const BIO_METHOD *library_bio_method(void);

struct lean_provider {
	OSSL_LIB_CTX *ctx;	/* the one to work with */
	OSSL_PROVIDER *trimmed; /* in it */
	OSSL_LIB_CTX *home;	/* where the default provider lives */
	OSSL_PROVIDER *whole;	/* the default provider */
};
/* Makes a context with what TLS needs of OpenSSL's default provider. Fails with ERR_CRYPTO. */
int lean_provider_init(struct lean_provider *p, struct err *e) MUST_CHECK;
void lean_provider_fini(struct lean_provider *p);
/* The generators that a lean provider has: they take from the other context. */
const OSSL_ALGORITHM *lean_random(OSSL_LIB_CTX *from);
/* The key derivation of TLS 1.3 that it has; the digests are from's. NULL: they cannot be had. fini
 * is due on failure too. */
const OSSL_ALGORITHM *lean_kdf_init(OSSL_LIB_CTX *from);
void lean_kdf_fini(void);

/* The BIO between libssl and a session's feed and out (session_bio.c). */
BIO_METHOD *session_bio_method_new(void);

#endif
