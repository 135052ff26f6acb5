/* Bundles of certificates in the forms that programs read: PEM text (RFC 7468) and a PKCS#12 trust
 * store (RFC 7292) for Java. */
#ifndef PKI_BUNDLE_H
#define PKI_BUNDLE_H

#include "base/buf.h"

/* A cursor over PEM text; what stands outside of the blocks is comment. Start with
 * { .rest = text, .line = 1 }. */
struct pem {
	struct bytes rest;
	size_t line; /* of rest's first byte, from 1 */
};

enum pem_step {
	PEM_BLOCK, /* *label and *der are set */
	PEM_BAD, /* a block that cannot be read: e says in which line and why, *label which; go on with
		  * the next */
	PEM_END,
	PEM_NOMEM,
};
/* The next block of any label ("CERTIFICATE", "PRIVATE KEY"); der is replaced by its bytes. *label
 * borrows from the text. Blocks with RFC 1421 headers are PEM_BAD. */
enum pem_step pem_next(struct pem *p, struct bytes *label, struct buf *der,
		       struct err *e) MUST_CHECK;
/* As pem_next, but passes over whatever is not a certificate ("CERTIFICATE" or "X509 CERTIFICATE"). */
enum pem_step pem_next_cert(struct pem *p, struct buf *der, struct err *e) MUST_CHECK;

/* Appends a block with lines of 64 characters. */
int pem_write(struct buf *out, const char *label, struct bytes der, struct err *e) MUST_CHECK;
/* The same with comment lines before it: "# " and the subject's name, escaped. */
int pem_write_cert(struct buf *out, struct bytes der, struct err *e) MUST_CHECK;

/* Appends a PKCS#12 file with these certificates as trusted entries, which is to say with the
 * attribute (2.16.840.1.113894.746875.1.1) without which Java sees none. Aliases are "N name". Java's
 * usual password is "changeit". Fails with ERR_CERT (naming the entry), ERR_CRYPTO, ERR_NOMEM. */
int pkcs12_write_trust(struct buf *out, const struct bytes *der, size_t count, const char *password,
		       struct err *e) MUST_CHECK;

#endif
