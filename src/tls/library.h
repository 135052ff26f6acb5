/* What this room shares of OpenSSL: one OSSL_LIB_CTX with one provider, and one kind of BIO. Not
 * for other rooms. */
#ifndef TLS_LIBRARY_H
#define TLS_LIBRARY_H

#include <openssl/bio.h>
#include <openssl/types.h>

#include "base/err.h"

OSSL_LIB_CTX *library_ctx(void);
const BIO_METHOD *library_bio_method(void);

struct lean_provider {
	OSSL_LIB_CTX *home;   /* where the default provider lives */
	OSSL_PROVIDER *whole; /* the default provider */
};
/* Loads into the given context what TLS needs of OpenSSL's default provider. Fails with ERR_CRYPTO;
 * fini is due on failure too, and only after the other context was freed. */
int lean_provider_init(struct lean_provider *p, OSSL_LIB_CTX *into, struct err *e) MUST_CHECK;
void lean_provider_fini(struct lean_provider *p);

/* The BIO between libssl and a session's feed and out (session_bio.c). */
BIO_METHOD *session_bio_method_new(void);

#endif
