/* Certification requests (PKCS#10, RFC 2986). */
#ifndef CA_CSR_H
#define CA_CSR_H

#include "pki/cert.h"

#define CSR_MAX 65536

/* What one asks for. */
struct ca_csr {
	struct buf spki;     /* whole */
	struct buf subject;  /* whole Name */
	struct buf san;	     /* content of GeneralNames; empty: none asked for */
	struct cert_key key; /* borrows from spki */
};

/* PEM or DER. Its signature has to be that of its key, which has to be of RSA 2048 bits and more, an
 * EC curve of 256 bits and more, or Ed25519. Fails with ERR_CERT, ERR_KEY, ERR_LIMIT, ERR_NOMEM. The
 * caller owns *out. */
int ca_csr_read(struct bytes text, struct ca_csr *out, struct err *e) MUST_CHECK;
void ca_csr_fini(struct ca_csr *c);

#endif
