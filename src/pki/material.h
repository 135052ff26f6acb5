/* What people keep certificates in: PEM text with any blocks, one DER element, PKCS#7, PKCS#12. All
 * of it becomes a list of certificates, requests and CRLs. Private keys are counted, never kept. */
#ifndef PKI_MATERIAL_H
#define PKI_MATERIAL_H

#include "base/buf.h"

enum material_kind { MATERIAL_CERT, MATERIAL_REQUEST, MATERIAL_CRL };

#define MATERIAL_MAX 4096
#define MATERIAL_SIZE_MAX ((size_t)64 << 20)

struct material_item {
	enum material_kind kind;
	struct bytes der; /* owned by the list; read by nobody yet */
};
struct material {
	struct material_item *items; /* in the order of the file */
	size_t count;
	size_t keys;	/* private keys that were passed over */
	size_t ignored; /* PEM blocks of other kinds */
};

/* Appends what is in there. password: for PKCS#12; NULL: none. Fails with ERR_CERT (a damaged block,
 * or bytes of no known form, with what was expected), ERR_KEY (a password is needed, or another one),
 * ERR_LIMIT (also PKCS#12 with more than 10 million rounds of key derivation), ERR_NOMEM; m is then
 * as it was. */
int material_read(struct material *m, struct bytes content, const char *password,
		  struct err *e) MUST_CHECK;
/* Adds a copy. Fails with ERR_LIMIT, ERR_NOMEM. */
int material_add(struct material *m, enum material_kind kind, struct bytes der,
		 struct err *e) MUST_CHECK;
void material_fini(struct material *m);

#endif
