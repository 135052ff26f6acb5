/* What a set of roots is; inside of this room. */
#ifndef PKI_TRUST_H
#define PKI_TRUST_H

#include <openssl/x509.h>
#include <stdatomic.h>

#include "pki/verify.h"

#define TRUST_EXCLUDED_MAX 16

struct trust {
	atomic_uint refs;
	uint64_t generation; /* of its own in this process */
	X509_STORE *store;
	struct bytes
		excluded[TRUST_EXCLUDED_MAX]; /* public keys (content of the BIT STRING), owned */
	size_t excluded_count;
};

/* Is the key of x one that must never be accepted? */
bool trust_excludes(const struct trust *t, const X509 *x);

#endif
