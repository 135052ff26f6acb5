/* Views of what libcrypto's handles hold, in our terms; inside of this room. */
#ifndef PKI_X509_H
#define PKI_X509_H

#include <openssl/x509.h>

#include "base/bytes.h"

/* A whole Name as libcrypto read it, borrowed; empty when there is none. */
struct bytes x509_name(const X509_NAME *name);
static inline struct bytes x509_subject(const X509 *x)
{
	return x509_name(X509_get_subject_name(x));
}
static inline struct bytes x509_issuer(const X509 *x)
{
	return x509_name(X509_get_issuer_name(x));
}
/* The content of a string of any type, borrowed; s may be NULL. */
struct bytes x509_string(const ASN1_STRING *s);
/* UNIX seconds; false when libcrypto cannot read the time. */
bool x509_time(const ASN1_TIME *t, int64_t *out);

#endif
