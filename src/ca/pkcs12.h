/* PKCS#12 files (RFC 7292) with a key and its chain. Trust stores are in pki/bundle.h. */
#ifndef CA_PKCS12_H
#define CA_PKCS12_H

#include "ca/key.h"

struct ca_chain {
	const struct bytes *der; /* leaf first */
	size_t count;
};

struct ca_pkcs12 {
	struct ca_chain chain;
	struct evp_pkey_st *key;
	const char *alias, *password;
};

/* Appends a file with the key and its chain under AES-256 and PBKDF2. Fails with ERR_CERT, ERR_CRYPTO,
 * ERR_LIMIT, ERR_NOMEM. */
int ca_pkcs12_write(const struct ca_pkcs12 *p, struct buf *out, struct err *e) MUST_CHECK;
/* Does the file open with the password, and hold exactly these certificates, and this key (NULL:
 * none)? */
bool ca_pkcs12_holds(struct bytes file, const char *password, const struct ca_chain *chain,
		     const struct evp_pkey_st *key);

#endif
