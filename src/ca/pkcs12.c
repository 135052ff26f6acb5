#include "ca/pkcs12.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include "pki/key.h"

#define ITERATIONS 10000

static X509 *decode(struct bytes der)
{
	const unsigned char *p = der.p;

	return d2i_X509(NULL, &p, (long)der.n);
}

int ca_pkcs12_write(const struct ca_pkcs12 *p, struct buf *out, struct err *e)
{
	const struct ca_chain *chain = &p->chain;
	X509 *leaf = chain->count ? decode(chain->der[0]) : NULL;
	STACK_OF(X509) *rest = sk_X509_new_null();
	unsigned char *der = NULL;
	PKCS12 *p12 = NULL;
	bool ok = leaf && rest;
	int n = -1, done = -1;

	for (size_t i = 1; ok && i < chain->count; i++) {
		X509 *x = decode(chain->der[i]);

		ok = x && sk_X509_push(rest, x) > 0;
		if (!ok)
			X509_free(x);
	}
	if (ok)
		p12 = PKCS12_create(p->password, p->alias, p->key, leaf, rest, NID_aes_256_cbc,
				    NID_aes_256_cbc, ITERATIONS, -1, 0);
	if (p12 && PKCS12_set_mac(p12, p->password, -1, NULL, 0, ITERATIONS, EVP_sha256()) == 1)
		n = i2d_PKCS12(p12, &der);
	if (n > 0)
		done = buf_add(out, bytes_of(der, (size_t)n), e);
	else
		crypto_fail(e, ERR_CRYPTO, "a PKCS#12 file cannot be made");
	OPENSSL_clear_free(der, n > 0 ? (size_t)n : 0);
	PKCS12_free(p12);
	sk_X509_pop_free(rest, X509_free);
	X509_free(leaf);
	return done;
}

static bool is_among(const struct ca_chain *chain, const X509 *x)
{
	unsigned char *der = NULL;
	int n = i2d_X509(x, &der);
	bool found = false;

	for (size_t i = 0; n > 0 && i < chain->count; i++)
		found |= bytes_equal(chain->der[i], bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	return found;
}

bool ca_pkcs12_holds(struct bytes file, const char *password, const struct ca_chain *chain,
		     const EVP_PKEY *key)
{
	const unsigned char *p = file.p;
	PKCS12 *p12 = file.n ? d2i_PKCS12(NULL, &p, (long)file.n) : NULL;
	EVP_PKEY *has_key = NULL;
	X509 *leaf = NULL;
	STACK_OF(X509) *rest = NULL;
	bool ok = p12 && PKCS12_parse(p12, password, &has_key, &leaf, &rest) == 1;
	int count = rest ? sk_X509_num(rest) : 0;

	ok = ok && (key == NULL) == (has_key == NULL) &&
	     (size_t)count + (leaf != NULL) == chain->count;
	if (ok && key)
		ok = EVP_PKEY_eq(key, has_key) == 1;
	if (ok && leaf)
		ok = is_among(chain, leaf);
	for (int i = 0; ok && i < count; i++)
		ok = is_among(chain, sk_X509_value(rest, i));
	EVP_PKEY_free(has_key);
	X509_free(leaf);
	sk_X509_pop_free(rest, X509_free);
	PKCS12_free(p12);
	ERR_clear_error();
	return ok;
}
