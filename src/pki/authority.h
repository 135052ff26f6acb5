/* What an authority is; inside of this room. */
#ifndef PKI_AUTHORITY_H
#define PKI_AUTHORITY_H

#include "wire/der.h"
#include "pki/cert.h"
#include "pki/key.h"

struct signature_rule;

struct authority {
	struct buf der; /* what cert borrows from */
	struct cert cert;
	EVP_PKEY *key;
	EVP_MD *digest;
	const struct signature_rule *rule;
	uint8_t key_id[20]; /* for the AKI, when the certificate has no SKI of its own */
	struct bytes aki;
};

/* A leftmost part of SHA-256 of the key's BIT STRING (RFC 7093, 2, method 1). */
int key_identifier(const struct cert_key *key, uint8_t out[20], struct err *e) MUST_CHECK;

/* The whole AlgorithmIdentifier with which it signs. */
struct bytes authority_algorithm(const struct authority *a);
/* Certificate ::= SEQUENCE { tbs, algorithm, signature }: closes what was begun at m with the TBS,
 * whole, as all that was written since. */
int authority_seal(const struct authority *a, struct wr *w, struct der_mark m,
		   struct err *e) MUST_CHECK;

#endif
