/* Certificates: a profile, encoded and signed (RFC 5280, 4.1). */
#ifndef CA_ISSUE_H
#define CA_ISSUE_H

#include "ca/key.h"
#include "ca/profile.h"

struct wr;

/* Who signs. Borrowed. */
struct ca_issuer {
	struct evp_pkey_st *key; /* EC P-256, P-384, P-521, RSA or Ed25519 */
	struct bytes subject;	 /* whole Name */
	struct bytes key_id;	 /* its subject key identifier; empty: self-signed, not said */
};

#define CA_KEY_ID_SIZE 20
/* The identifier that we give a key: 160 bits of SHA-256 over the public key (RFC 7093, 2). */
int ca_key_id(struct bytes spki, uint8_t out[CA_KEY_ID_SIZE], struct err *e) MUST_CHECK;

/* Appends a certificate (DER) for the key in spki. The signature fits the issuer's key: RSA PKCS#1
 * with SHA-256, ECDSA with SHA-256, SHA-384 or SHA-512, Ed25519. Fails with ERR_KEY (a key that does
 * not sign), ERR_CRYPTO, ERR_DER, ERR_LIMIT, ERR_NOMEM; out is then unchanged. */
int ca_issue(const struct profile *p, struct bytes spki, const struct ca_issuer *by,
	     struct buf *out, struct err *e) MUST_CHECK;

/* The key usages that make sense for a type of key: of a CA, else of a leaf. */
uint16_t ca_key_usage(enum key_type type, bool is_ca);

/* Is this the issuer's signature? */
bool ca_is_signed_by(struct bytes cert, struct evp_pkey_st *key);
/* Is this certificate's key the public half of this one? */
bool ca_key_fits(struct bytes cert, const struct evp_pkey_st *key);

/* For the room: appends SEQUENCE { tbs, algorithm, signature }. Fails as ca_issue does. */
int ca_sign(struct evp_pkey_st *key, struct bytes tbs, struct buf *out, struct err *e) MUST_CHECK;
/* The AlgorithmIdentifier that ca_sign uses; empty for a key that does not sign. */
struct bytes ca_algorithm(const struct evp_pkey_st *key);

#endif
