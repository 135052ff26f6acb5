#include "pki/test_cert.h"

#include <assert.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

static EVP_PKEY *make_key(const char *kind)
{
	if (!kind)
		return EVP_EC_gen("P-256");
	if (strncmp(kind, "RSA ", 4) == 0)
		return EVP_RSA_gen((unsigned)strtoul(kind + 4, NULL, 10));
	if (kind[0] == 'E')
		return EVP_PKEY_Q_keygen(NULL, NULL, kind);
	return EVP_EC_gen(kind);
}

static void add_extension(X509 *x, X509 *issuer, const struct test_extension *t)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	ext = X509V3_EXT_conf(NULL, &ctx, t->name, t->value);
	if (!ext) {
		fprintf(stderr, "extension %s = %s cannot be made\n", t->name, t->value);
		abort();
	}
	X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
}

static void set_serial(X509 *x, const char *decimal)
{
	BIGNUM *n = NULL;

	BN_dec2bn(&n, decimal ? decimal : "1");
	BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
}

struct test_cert test_cert_make(const struct test_options *o)
{
	struct test_cert c = { .key = make_key(o->key), .x = X509_new() };
	X509 *issuer = o->by ? o->by->x : c.x;
	EVP_PKEY *by = o->by ? o->by->key : c.key;
	bool is_edwards =
		EVP_PKEY_get_id(by) == EVP_PKEY_ED25519 || EVP_PKEY_get_id(by) == EVP_PKEY_ED448;
	const EVP_MD *md = EVP_get_digestbyname(o->digest ? o->digest : "SHA256");
	int n;

	assert(c.key && c.x && md);
	X509_set_version(c.x, (o->version ? o->version : 3) - 1);
	set_serial(c.x, o->serial);
	ASN1_TIME_set(X509_getm_notBefore(c.x), o->not_before);
	ASN1_TIME_set(X509_getm_notAfter(c.x), o->not_after);
	if (o->cn)
		X509_NAME_add_entry_by_txt(X509_get_subject_name(c.x), "CN", MBSTRING_UTF8,
					   (const unsigned char *)o->cn, -1, -1, 0);
	X509_set_issuer_name(c.x, X509_get_subject_name(issuer));
	X509_set_pubkey(c.x, c.key);
	for (size_t i = 0; i < o->count; i++)
		add_extension(c.x, issuer, &o->extensions[i]);
	if (!X509_sign(c.x, by, is_edwards ? NULL : md))
		abort();
	n = i2d_X509(c.x, &c.p);
	assert(n > 0);
	c.n = (size_t)n;
	return c;
}

struct test_cert test_ca_make(const char *cn, const struct test_cert *by)
{
	static const struct test_extension extensions[] = {
		{ "basicConstraints", "critical,CA:TRUE" },
		{ "keyUsage", "critical,keyCertSign,cRLSign" },
		{ "subjectKeyIdentifier", "hash" },
		{ "authorityKeyIdentifier", "keyid" },
	};
	struct test_options o = { .cn = cn,
				  .not_before = TEST_NOW - 3650 * (int64_t)TEST_DAY,
				  .not_after = TEST_NOW + 3650 * (int64_t)TEST_DAY,
				  .by = by,
				  .extensions = extensions,
				  .count = by ? 4 : 3 };

	return test_cert_make(&o);
}

struct test_cert test_leaf_make(const char *dns, const struct test_cert *by)
{
	char san[300];
	const struct test_extension extensions[] = {
		{ "keyUsage", "critical,digitalSignature" }, { "extendedKeyUsage", "serverAuth" },
		{ "basicConstraints", "critical,CA:FALSE" }, { "subjectKeyIdentifier", "hash" },
		{ "authorityKeyIdentifier", "keyid" },	     { "subjectAltName", san },
	};
	struct test_options o = { .cn = dns,
				  .not_before = TEST_NOW - 30 * TEST_DAY,
				  .not_after = TEST_NOW + 30 * TEST_DAY,
				  .by = by,
				  .extensions = extensions,
				  .count = ARRAY_LEN(extensions) };

	snprintf(san, sizeof(san), "DNS:%s", dns);
	return test_cert_make(&o);
}

struct test_cert test_signer_make(const char *cn, const char *key)
{
	static const struct test_extension extensions[] = {
		{ "basicConstraints", "critical,CA:TRUE" },
		{ "keyUsage", "critical,keyCertSign" },
		{ "subjectKeyIdentifier", "hash" },
	};
	struct test_options o = { .cn = cn,
				  .key = key,
				  .not_before = TEST_NOW - TEST_DAY,
				  .not_after = TEST_NOW + TEST_DAY,
				  .extensions = extensions,
				  .count = ARRAY_LEN(extensions) };

	return test_cert_make(&o);
}

static void add_all(BIO *from, struct buf *to)
{
	char *p;
	long n = BIO_get_mem_data(from, &p);

	if (buf_add(to, bytes_of(p, (size_t)n), NULL) < 0)
		abort();
	(void)BIO_reset(from);
}

void test_cert_pem(const struct test_cert *c, struct buf *cert, struct buf *key)
{
	BIO *b = BIO_new(BIO_s_mem());

	PEM_write_bio_X509(b, c->x);
	add_all(b, cert);
	PEM_write_bio_PKCS8PrivateKey(b, c->key, NULL, NULL, 0, NULL, NULL);
	add_all(b, key);
	BIO_free(b);
}

void test_cert_fini(struct test_cert *c)
{
	EVP_PKEY_free(c->key);
	X509_free(c->x);
	OPENSSL_free(c->p);
}
