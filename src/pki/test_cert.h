/* For tests: certificates made with libcrypto's own API, so that what we read and verify was
 * written by somebody else. */
#ifndef PKI_TEST_CERT_H
#define PKI_TEST_CERT_H

#include <openssl/x509.h>

#include "base/buf.h"

struct test_cert {
	EVP_PKEY *key;
	X509 *x;
	unsigned char *p; /* its DER */
	size_t n;
};

struct test_extension {
	const char *name;  /* as openssl.cnf has it, or a dotted OID with a value "DER:..." */
	const char *value; /* "critical,CA:FALSE" */
};

struct test_options {
	const char *key; /* "P-256" (default), "P-384", "RSA 2048", "Ed25519" */
	const char *cn;	 /* NULL: an empty subject */
	int64_t not_before, not_after;
	const struct test_cert *by; /* NULL: self-signed */
	const char *digest;	    /* default SHA256 */
	int version;		    /* default 3 */
	const char *serial;	    /* decimal, default 1 */
	const struct test_extension *extensions;
	size_t count;
};

/* The moment at which the tests run: 2024-06-01. */
#define TEST_NOW 1717200000
#define TEST_DAY 86400

/* Asserts that it works. */
struct test_cert test_cert_make(const struct test_options *o);
/* A CA by another (NULL: a root), valid for years around TEST_NOW. */
struct test_cert test_ca_make(const char *cn, const struct test_cert *by);
/* A server's certificate for one DNS name, 30 days before and after TEST_NOW. */
struct test_cert test_leaf_make(const char *dns, const struct test_cert *by);
/* A root that is valid for a day, with a key as in test_options. */
struct test_cert test_signer_make(const char *cn, const char *key);
/* Appends it and its key (PKCS#8) as PEM. */
void test_cert_pem(const struct test_cert *c, struct buf *cert, struct buf *key);
void test_cert_fini(struct test_cert *c);
static inline struct bytes test_cert_der(const struct test_cert *c)
{
	return bytes_of(c->p, c->n);
}

#endif
