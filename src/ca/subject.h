/* A distinguished name as people write it ("CN=a.example,O=Acme"; RFC 4514) as DER. */
#ifndef CA_SUBJECT_H
#define CA_SUBJECT_H

#include "base/buf.h"

/* Appends the whole Name. Types: the short names of RFC 4514 and of libcrypto, any case, or an OID in
 * numbers; values with \, and \2C escapes, or in quotes. The order is that of certyaml: C, ST, L,
 * STREET, postalCode, O, OU, CN, serialNumber, then the others as they were written; several values
 * of one of the former are one RDN. Text is empty: an empty Name. common_name (may be NULL) gets the
 * last commonName. Fails with ERR_NAME, which says what is wrong and where, ERR_LIMIT, ERR_NOMEM. */
int ca_subject_parse(struct bytes text, struct buf *out, struct buf *common_name,
		     struct err *e) MUST_CHECK;

#endif
