/* Certificate revocation lists (RFC 5280, 5): written, and read again. */
#ifndef CA_CRL_H
#define CA_CRL_H

#include "ca/issue.h"

struct ca_revoked {
	struct bytes serial; /* big-endian magnitude */
	int64_t at;	     /* UNIX seconds */
};

struct ca_crl {
	uint64_t number;
	int64_t this_update, next_update; /* UNIX seconds */
	const struct ca_revoked *list;	  /* written in this order */
	size_t count;
};

/* Appends a list of version 2 with its number and the issuer's key identifier (DER). Fails as
 * ca_issue does. */
int ca_crl_write(const struct ca_crl *crl, const struct ca_issuer *by, struct buf *out,
		 struct err *e) MUST_CHECK;

/* A list as it was read; everything borrows. */
struct ca_crl_view {
	struct bytes issuer; /* whole Name */
	int64_t this_update;
	int64_t next_update;  /* 0: it has none */
	uint64_t number;      /* 0 also when there is none, UINT64_MAX when it is larger */
	struct bytes revoked; /* content of the SEQUENCE */
};
/* Fails with ERR_DER, *out then untouched. The signature is not looked at. */
int ca_crl_parse(struct bytes der, struct ca_crl_view *out, struct err *e) MUST_CHECK;
/* Walks *rest = view.revoked, which ca_crl_parse has checked. False at the end. */
bool ca_crl_next(struct bytes *rest, struct ca_revoked *out);
bool ca_crl_is_signed_by(struct bytes der, struct evp_pkey_st *key);

#endif
