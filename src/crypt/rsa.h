/* An RSA private key that decrypts the pre-master secret of old key exchanges (RFC 5246, 7.4.7.1). */
#ifndef CRYPT_RSA_H
#define CRYPT_RSA_H

#include "base/err.h"

struct rsa_key;

/* PEM or DER, unencrypted (PKCS#1 or PKCS#8). Fails with ERR_KEY, ERR_NOMEM. */
int rsa_key_read(struct bytes text, struct rsa_key **out, struct err *e) MUST_CHECK;
void rsa_key_free(struct rsa_key *k);
/* True when the certificate (DER) has this public key. */
bool rsa_key_fits(const struct rsa_key *k, struct bytes certificate);
/* The 48 bytes that were encrypted with PKCS#1 v1.5 (RFC 5246, 7.4.7.1). False when they were not with
 * this key: a chance of one in 2^16 and less that other bytes look so, hence the caller's tag decides.
 * Their first two are the version that the client offered, not checked here. */
bool rsa_key_premaster(const struct rsa_key *k, struct bytes encrypted, uint8_t out[48]);

#endif
