/* Keys and identities as libssl wants them. Not for other rooms. */
#ifndef TLS_IDENTITY_H
#define TLS_IDENTITY_H

#include <openssl/types.h>

#include "tls/tls.h"

/* Hands chain and key to a session of libssl. Fails with ERR_CERT. */
int identity_use(const struct tls_identity *id, SSL *ssl, struct err *e) MUST_CHECK;

#endif
