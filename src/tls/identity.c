#include "tls/identity.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "tls/issuers.h"
#include "tls/library.h"

struct tls_key {
	atomic_size_t refs;
	EVP_PKEY *pkey;
};

struct tls_identity {
	atomic_size_t refs;
	struct tls_key *key;
	X509 *leaf;
	STACK_OF(X509) * issuers; /* in the order given */
};

/* Neither trailing bytes nor anything but an unencrypted PrivateKeyInfo (RFC 5958). */
static EVP_PKEY *decode_key(struct bytes der)
{
	const uint8_t *p = der.p;
	PKCS8_PRIV_KEY_INFO *info =
		der.n <= INT32_MAX ? d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.n) : NULL;
	EVP_PKEY *pkey = NULL;

	if (info && p == der.p + der.n)
		pkey = EVP_PKCS82PKEY_ex(info, library_ctx(), NULL);
	PKCS8_PRIV_KEY_INFO_free(info);
	ERR_clear_error();
	return pkey;
}

int tls_key_new(struct bytes pkcs8_der, struct tls_key **out, struct err *e)
{
	struct tls_key *k = mem_new(sizeof(*k));

	if (!k)
		return FAIL(e, NOMEM, "a private key");
	atomic_init(&k->refs, 1);
	k->pkey = decode_key(pkcs8_der);
	if (!k->pkey) {
		mem_free(k);
		return FAIL(e, KEY, "not a PKCS#8 private key in DER of a type that TLS uses");
	}
	*out = k;
	return 0;
}

struct tls_key *tls_key_ref(struct tls_key *k)
{
	atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
	return k;
}

void tls_key_free(struct tls_key *k)
{
	if (!k || atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) != 1)
		return;
	EVP_PKEY_free(k->pkey);
	mem_free(k);
}

static int decode_chain(struct tls_identity *id, const struct bytes *der, size_t count,
			struct err *e)
{
	if (count)
		id->leaf = issuers_decode(der[0]);
	if (!id->leaf)
		return FAIL(e, CERT, "the first of %zu certificates is not one in DER", count);
	id->issuers = sk_X509_new_reserve(NULL, (int)count);
	if (!id->issuers)
		return FAIL(e, NOMEM, "an identity of %zu certificates", count);
	for (size_t i = 1; i < count; i++) {
		X509 *x = issuers_get(der[i]);

		if (!x)
			return FAIL(e, CERT, "certificate %zu of %zu is not one in DER", i + 1,
				    count);
		sk_X509_push(id->issuers, x); /* room is reserved */
	}
	return 0;
}

int tls_identity_new(const struct bytes *der, size_t count, struct tls_key *key,
		     struct tls_identity **out, struct err *e)
{
	struct tls_identity *id = mem_new(sizeof(*id));

	if (!id)
		return FAIL(e, NOMEM, "an identity of %zu certificates", count);
	atomic_init(&id->refs, 1);
	id->key = tls_key_ref(key);
	if (decode_chain(id, der, count, e) < 0) {
		tls_identity_free(id);
		return -1;
	}
	if (X509_check_private_key(id->leaf, key->pkey) != 1) {
		ERR_clear_error();
		tls_identity_free(id);
		return FAIL(e, CERT, "the certificate belongs to another private key");
	}
	*out = id;
	return 0;
}

struct tls_identity *tls_identity_ref(struct tls_identity *id)
{
	atomic_fetch_add_explicit(&id->refs, 1, memory_order_relaxed);
	return id;
}

void tls_identity_free(struct tls_identity *id)
{
	if (!id || atomic_fetch_sub_explicit(&id->refs, 1, memory_order_acq_rel) != 1)
		return;
	X509_free(id->leaf);
	sk_X509_pop_free(id->issuers, X509_free);
	tls_key_free(id->key);
	mem_free(id);
}

int identity_use(const struct tls_identity *id, SSL *ssl, struct err *e)
{
	if (SSL_use_cert_and_key(ssl, id->leaf, id->key->pkey, id->issuers, 1) == 1)
		return 0;
	ERR_clear_error();
	return FAIL(e, CERT, "libssl cannot use this certificate and key");
}
