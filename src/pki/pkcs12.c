/* A trust store for Java. It marks a certificate as trusted by an attribute of Oracle's on its bag;
 * certificates without it (which is how other tools write them) are not listed at all. */
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <stdio.h>

#include "pki/bundle.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "pki/x509.h"

#define TRUSTED_KEY_USAGE "2.16.840.1.113894.746875.1.1"
#define ITERATIONS 10000 /* as keytool's own */

typedef STACK_OF(PKCS12_SAFEBAG) bag_list;
typedef STACK_OF(PKCS7) safe_list;

static bool mark_trusted(PKCS12_SAFEBAG *bag)
{
	const STACK_OF(X509_ATTRIBUTE) *given = PKCS12_SAFEBAG_get0_attrs(bag);
	STACK_OF(X509_ATTRIBUTE) *attrs = (STACK_OF(X509_ATTRIBUTE) *)(uintptr_t)given;
	ASN1_OBJECT *type = OBJ_txt2obj(TRUSTED_KEY_USAGE, 1);
	X509_ATTRIBUTE *attr = NULL;
	bool ok = type && attrs;

	/* With a length of -1 the value is the object itself. */
	if (ok)
		attr = X509_ATTRIBUTE_create_by_OBJ(NULL, type, V_ASN1_OBJECT,
						    OBJ_nid2obj(NID_anyExtendedKeyUsage), -1);
	ASN1_OBJECT_free(type);
	ok = attr && sk_X509_ATTRIBUTE_push(attrs, attr) > 0;
	if (!ok)
		X509_ATTRIBUTE_free(attr);
	return ok;
}

static bool put_alias(PKCS12_SAFEBAG *bag, X509 *x, size_t number)
{
	char name[80], alias[120];

	snprintf(alias, sizeof(alias), "%zu %s", number,
		 name_short_text(x509_subject(x), name, sizeof(name)));
	return PKCS12_add_friendlyname_utf8(bag, alias, (int)strlen(alias)) == 1;
}

/* Takes nothing of x; the bag belongs to the list. */
static bool add_bag(bag_list *bags, X509 *x, size_t number)
{
	PKCS12_SAFEBAG *bag = PKCS12_SAFEBAG_create_cert(x);

	/* The alias makes the list of attributes to which the mark is added. */
	if (bag && put_alias(bag, x, number) && mark_trusted(bag) &&
	    sk_PKCS12_SAFEBAG_push(bags, bag) > 0)
		return true;
	PKCS12_SAFEBAG_free(bag);
	return false;
}

static int fill(bag_list *bags, const struct bytes *der, size_t count, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		const unsigned char *p = der[i].p;
		X509 *x = d2i_X509(NULL, &p, (long)der[i].n);
		bool whole = x && p == der[i].p + der[i].n;
		bool added = whole && add_bag(bags, x, i + 1);

		X509_free(x);
		if (!whole)
			return FAIL(e, CERT, "trust store: certificate %zu cannot be read", i + 1);
		if (!added)
			return crypto_fail(e, ERR_CRYPTO, "trust store: an entry cannot be made");
	}
	return 0;
}

/* All bags in one encrypted content (AES-256, PBKDF2), the whole under a MAC. */
static PKCS12 *seal(const bag_list *bags, const char *password)
{
	PKCS7 *safe = PKCS12_pack_p7encdata(NID_aes_256_cbc, password, -1, NULL, 0, ITERATIONS,
					    (bag_list *)(uintptr_t)bags);
	safe_list *safes = sk_PKCS7_new_null();
	PKCS12 *p12 = NULL;

	if (safe && safes && sk_PKCS7_push(safes, safe) > 0) {
		safe = NULL;
		p12 = PKCS12_add_safes(safes, 0);
	}
	if (p12 && PKCS12_set_mac(p12, password, -1, NULL, 0, ITERATIONS, EVP_sha256()) != 1) {
		PKCS12_free(p12);
		p12 = NULL;
	}
	PKCS7_free(safe);
	sk_PKCS7_pop_free(safes, PKCS7_free);
	return p12;
}

static int put(struct buf *out, const bag_list *bags, const char *password, struct err *e)
{
	PKCS12 *p12 = seal(bags, password);
	unsigned char *p = NULL;
	int n = p12 ? i2d_PKCS12(p12, &p) : -1, done = -1;

	if (n > 0)
		done = buf_add(out, bytes_of(p, (size_t)n), e);
	else
		crypto_fail(e, ERR_CRYPTO, "trust store: cannot be made");
	OPENSSL_free(p);
	PKCS12_free(p12);
	return done;
}

int pkcs12_write_trust(struct buf *out, const struct bytes *der, size_t count, const char *password,
		       struct err *e)
{
	bag_list *bags = sk_PKCS12_SAFEBAG_new_null();
	int done = -1;

	if (!bags)
		return FAIL(e, NOMEM, "trust store");
	if (fill(bags, der, count, e) == 0)
		done = put(out, bags, password, e);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	return done;
}
