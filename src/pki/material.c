#include "pki/material.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "base/escape.h"
#include "base/mem.h"
#include "pki/bundle.h"
#include "pki/cert.h"
#include "pki/key.h"

#define ROUNDS_MAX 10000000

int material_add(struct material *m, enum material_kind kind, struct bytes der, struct err *e)
{
	struct material_item *more;
	void *copy;

	if (m->count == MATERIAL_MAX)
		return FAIL(e, LIMIT, "more than %d certificates", MATERIAL_MAX);
	more = mem_resize(m->items, (m->count + 1) * sizeof(*more));
	if (!more)
		return FAIL(e, NOMEM, "a certificate");
	m->items = more;
	copy = mem_dup(der);
	if (!copy)
		return FAIL(e, NOMEM, "a certificate");
	m->items[m->count++] = (struct material_item){ kind, bytes_of(copy, der.n) };
	return 0;
}

static void shorten(struct material *m, size_t count)
{
	while (m->count > count)
		mem_free((void *)(uintptr_t)m->items[--m->count].der.p);
}

void material_fini(struct material *m)
{
	shorten(m, 0);
	mem_free(m->items);
	*m = (struct material){ 0 };
}

static int add_x509(struct material *m, const X509 *x, struct err *e)
{
	unsigned char *p = NULL;
	int n = i2d_X509((X509 *)(uintptr_t)x, &p);
	int done = n > 0 ? material_add(m, MATERIAL_CERT, bytes_of(p, (size_t)n), e)
			 : crypto_fail(e, ERR_NOMEM, "a certificate");

	OPENSSL_free(p);
	return done;
}

static int add_all(struct material *m, const STACK_OF(X509) * list, struct err *e)
{
	for (int i = 0; i < sk_X509_num(list); i++) {
		if (add_x509(m, sk_X509_value(list, i), e) < 0)
			return -1;
	}
	return 0;
}

static int add_crl(struct material *m, const X509_CRL *crl, struct err *e)
{
	unsigned char *p = NULL;
	int n = i2d_X509_CRL((X509_CRL *)(uintptr_t)crl, &p);
	int done = n > 0 ? material_add(m, MATERIAL_CRL, bytes_of(p, (size_t)n), e)
			 : crypto_fail(e, ERR_NOMEM, "a CRL");

	OPENSSL_free(p);
	return done;
}

static int add_pkcs7(struct material *m, const PKCS7 *p7, struct err *e)
{
	const PKCS7_SIGNED *content = PKCS7_type_is_signed(p7) ? p7->d.sign : NULL;

	if (!content)
		return FAIL(e, CERT,
			    "PKCS#7 of another kind than signed data: no certificates in it");
	if (add_all(m, content->cert, e) < 0)
		return -1;
	for (int i = 0; i < sk_X509_CRL_num(content->crl); i++) {
		if (add_crl(m, sk_X509_CRL_value(content->crl, i), e) < 0)
			return -1;
	}
	return 0;
}

/* As many rounds of key derivation as a file asks for are made: one from outside may ask for days. */
static bool is_cheap(const PKCS12 *p12)
{
	const ASN1_INTEGER *rounds = NULL;

	if (!PKCS12_mac_present(p12))
		return true;
	PKCS12_get0_mac(NULL, NULL, NULL, &rounds, p12);
	return !rounds || (ASN1_INTEGER_get(rounds) >= 0 && ASN1_INTEGER_get(rounds) <= ROUNDS_MAX);
}

/* With an empty password some write none at all: libcrypto tells these two apart. */
static int open_pkcs12(struct material *m, PKCS12 *p12, const char *password, struct err *e)
{
	EVP_PKEY *key = NULL;
	X509 *leaf = NULL;
	STACK_OF(X509) *others = NULL;
	int done = 0;
	bool fits = !PKCS12_mac_present(p12);

	if (!is_cheap(p12))
		return FAIL(e, LIMIT, "PKCS#12: more than %d rounds of key derivation", ROUNDS_MAX);
	if (!fits && password)
		fits = PKCS12_verify_mac(p12, password, -1) == 1;
	else if (!fits)
		fits = PKCS12_verify_mac(p12, NULL, 0) == 1 || PKCS12_verify_mac(p12, "", 0) == 1;
	if (!fits)
		return FAIL(e, KEY,
			    password ? "PKCS#12: the password is another one"
				     : "PKCS#12: it has a password: give it with --password-file");
	if (PKCS12_parse(p12, password ? password : "", &key, &leaf, &others) != 1)
		return crypto_fail(e, ERR_CERT, "PKCS#12 cannot be opened");
	m->keys += key != NULL;
	if (leaf)
		done = add_x509(m, leaf, e);
	if (done == 0)
		done = add_all(m, others, e);
	EVP_PKEY_free(key);
	X509_free(leaf);
	sk_X509_pop_free(others, X509_free);
	return done;
}

/* What DER may be; each is tried in turn, and must be the whole. */
static bool is_request(struct bytes der)
{
	const unsigned char *p = der.p;
	X509_REQ *x = d2i_X509_REQ(NULL, &p, (long)der.n);
	bool whole = x && p == der.p + der.n;

	X509_REQ_free(x);
	return whole;
}

static bool is_crl(struct bytes der)
{
	const unsigned char *p = der.p;
	X509_CRL *x = d2i_X509_CRL(NULL, &p, (long)der.n);
	bool whole = x && p == der.p + der.n;

	X509_CRL_free(x);
	return whole;
}

static bool is_key(struct bytes der)
{
	const unsigned char *p = der.p;
	EVP_PKEY *k = d2i_AutoPrivateKey(NULL, &p, (long)der.n);

	EVP_PKEY_free(k);
	return k != NULL;
}

static int read_pkcs7(struct material *m, struct bytes der, bool *is, struct err *e)
{
	const unsigned char *p = der.p;
	PKCS7 *p7 = d2i_PKCS7(NULL, &p, (long)der.n);
	int done = 0;

	*is = p7 && p == der.p + der.n;
	if (*is)
		done = add_pkcs7(m, p7, e);
	PKCS7_free(p7);
	return done;
}

static int read_pkcs12(struct material *m, struct bytes der, const char *password, bool *is,
		       struct err *e)
{
	const unsigned char *p = der.p;
	PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)der.n);
	int done = 0;

	*is = p12 && p == der.p + der.n;
	if (*is)
		done = open_pkcs12(m, p12, password, e);
	PKCS12_free(p12);
	return done;
}

static int read_der(struct material *m, struct bytes der, const char *password, struct err *e)
{
	struct err why = { 0 };
	struct cert c;
	bool is;
	int done;

	if (cert_parse(der, &c, &why) == 0)
		return material_add(m, MATERIAL_CERT, der, e);
	if (is_request(der))
		return material_add(m, MATERIAL_REQUEST, der, e);
	if (is_crl(der))
		return material_add(m, MATERIAL_CRL, der, e);
	done = read_pkcs12(m, der, password, &is, e);
	if (is)
		return done;
	done = read_pkcs7(m, der, &is, e);
	if (is)
		return done;
	m->keys += is_key(der);
	if (m->keys)
		return 0;
	if (der.n && der.p[0] == 0x30 && cert_length(der) == der.n)
		return FAIL(e, CERT, "DER of no known kind (as a certificate: %.200s)",
			    why.sentence);
	return FAIL(e, CERT,
		    "neither PEM nor DER: expected a certificate, a request, a CRL, "
		    "PKCS#7 or PKCS#12");
}

static bool is_one_of(struct bytes label, const char *const *labels)
{
	for (; *labels; labels++) {
		if (bytes_equal(label, bytes_str(*labels)))
			return true;
	}
	return false;
}

static int read_block(struct material *m, struct bytes label, struct bytes der, struct err *e)
{
	static const char *const certs[] = { "CERTIFICATE", "X509 CERTIFICATE", NULL };
	static const char *const requests[] = { "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST",
						NULL };
	static const char *const crls[] = { "X509 CRL", NULL };
	static const char *const p7[] = { "PKCS7", "CMS", NULL };
	bool is = true;

	if (is_one_of(label, certs))
		return material_add(m, MATERIAL_CERT, der, e);
	if (is_one_of(label, requests))
		return material_add(m, MATERIAL_REQUEST, der, e);
	if (is_one_of(label, crls))
		return material_add(m, MATERIAL_CRL, der, e);
	if (is_one_of(label, p7)) {
		if (read_pkcs7(m, der, &is, e) < 0)
			return -1;
		return is ? 0 : FAIL(e, CERT, "a block PKCS7 that is none");
	}
	/* A trusted certificate of OpenSSL: the certificate, then what it is trusted for. */
	if (bytes_equal(label, bytes_str("TRUSTED CERTIFICATE")))
		return material_add(m, MATERIAL_CERT, bytes_slice(der, 0, cert_length(der)), e);
	if (bytes_ends_nocase(label, bytes_str("PRIVATE KEY")))
		m->keys++;
	else
		m->ignored++;
	return 0;
}

static int read_pem(struct material *m, struct bytes text, struct err *e)
{
	AUTO(buf_fini) struct buf der = buf_init_secret(MATERIAL_SIZE_MAX);
	struct pem p = { .rest = text, .line = 1 };
	struct bytes label;
	struct err why = { 0 };

	for (;;) {
		size_t line = p.line;

		switch (pem_next(&p, &label, &der, &why)) {
		case PEM_BLOCK:
			if (read_block(m, label, buf_bytes(&der), e) < 0)
				return err_ctx(e, "PEM, from line %zu", line);
			break;
		case PEM_BAD:
			/* A key with a passphrase may have headers, which are not read. */
			if (!bytes_ends_nocase(label, bytes_str("PRIVATE KEY"))) {
				*e = why;
				return -1;
			}
			m->keys++;
			break;
		case PEM_END:
			return 0;
		case PEM_NOMEM:
			return FAIL(e, NOMEM, "PEM");
		}
	}
}

static bool has_pem(struct bytes b)
{
	return b.n > 11 && memmem(b.p, b.n, "-----BEGIN ", 11) != NULL;
}

int material_read(struct material *m, struct bytes content, const char *password, struct err *e)
{
	struct material before = *m;
	struct err why = { 0 };
	int done;

	if (content.n == 0)
		return FAIL(e, CERT, "it is empty");
	done = has_pem(content) ? read_pem(m, content, &why) : read_der(m, content, password, &why);
	ERR_clear_error();
	if (done == 0)
		return 0;
	shorten(m, before.count);
	m->keys = before.keys;
	m->ignored = before.ignored;
	if (e)
		*e = why;
	return -1;
}
