#include "ca/issue.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "ca/extension.h"
#include "crypt/hash.h"
#include "pki/key.h"
#include "wire/der.h"

#define SIGNATURE_MAX 4096

/* One row a type of key: the digest fits the key's strength. */
struct rule {
	int type, max_bits;
	const char *digest; /* NULL: the signature scheme has its own */
	struct bytes algorithm;
};

#define ALGORITHM(s)                                                                               \
	{                                                                                          \
		(const uint8_t *)(s), sizeof(s) - 1                                                \
	}
static const struct rule rules[] = {
	{ EVP_PKEY_EC, 256, "SHA256",
	  ALGORITHM("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02") },
	{ EVP_PKEY_EC, 384, "SHA384",
	  ALGORITHM("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03") },
	{ EVP_PKEY_EC, 521, "SHA512",
	  ALGORITHM("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04") },
	{ EVP_PKEY_RSA, 16384, "SHA256",
	  ALGORITHM("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00") },
	{ EVP_PKEY_ED25519, 256, NULL, ALGORITHM("\x30\x05\x06\x03\x2b\x65\x70") },
};

static const struct rule *rule_for(const EVP_PKEY *key)
{
	int type = EVP_PKEY_get_base_id(key), bits = EVP_PKEY_get_bits(key);

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].type == type && bits <= rules[i].max_bits)
			return &rules[i];
	return NULL;
}

struct bytes ca_algorithm(const EVP_PKEY *key)
{
	const struct rule *rule = rule_for(key);

	return rule ? rule->algorithm : (struct bytes){ 0 };
}

int ca_key_id(struct bytes spki, uint8_t out[CA_KEY_ID_SIZE], struct err *e)
{
	struct cert_key key;
	struct sha256 h;

	if (spki_parse(spki, &key, e) < 0 || sha256_of(&key.public, 1, &h, e) < 0)
		return -1;
	memcpy(out, h.b, CA_KEY_ID_SIZE);
	return 0;
}

uint16_t ca_key_usage(enum key_type type, bool is_ca)
{
	if (is_ca)
		return 1u << USAGE_KEY_CERT_SIGN | 1u << USAGE_CRL_SIGN;
	/* Only RSA can encrypt a key; for the others the bit would be a lie. */
	if (type == KEY_TYPE_RSA)
		return 1u << USAGE_DIGITAL_SIGNATURE | 1u << USAGE_KEY_ENCIPHERMENT;
	return 1u << USAGE_DIGITAL_SIGNATURE;
}

int ca_sign(EVP_PKEY *key, struct bytes tbs, struct buf *out, struct err *e)
{
	const struct rule *rule = rule_for(key);
	uint8_t signature[SIGNATURE_MAX];
	size_t n = sizeof(signature), before = out->n;
	struct wr w = wr_init(out);
	EVP_MD_CTX *ctx;
	struct der_mark m;
	bool ok;

	if (!rule)
		return FAIL(e, KEY,
			    "a key of %d bits, type %s, does not sign here; expected EC, RSA or "
			    "Ed25519",
			    EVP_PKEY_get_bits(key), EVP_PKEY_get0_type_name(key));
	ctx = EVP_MD_CTX_new();
	ok = ctx && EVP_DigestSignInit_ex(ctx, NULL, rule->digest, NULL, NULL, key, NULL) == 1 &&
	     EVP_DigestSign(ctx, signature, &n, tbs.p, tbs.n) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return crypto_fail(e, ERR_CRYPTO, "it cannot be signed");
	m = der_begin(&w, DER_SEQUENCE);
	wr_bytes(&w, tbs);
	wr_bytes(&w, rule->algorithm);
	der_put_bits(&w, bytes_of(signature, n), 0);
	der_end(&w, m);
	if (wr_end(&w, e) < 0) {
		out->n = before;
		return -1;
	}
	return 0;
}

static int put_extensions(struct wr *w, const struct profile *p, const struct ca_key_ids *ids,
			  struct err *e)
{
	AUTO(buf_fini) struct buf value = buf_init(CERT_SIZE_MAX);
	struct der_mark explicit = der_begin(w, DER_CONTEXT_OPEN(3)),
			list = der_begin(w, DER_SEQUENCE);

	for (const struct ca_extension *x = ca_extensions; x->word; x++) {
		struct der_mark m;

		buf_clear(&value);
		if (ca_extension_value(x, p, ids, &value, e) < 0)
			return -1;
		if (value.n == 0)
			continue;
		m = der_begin(w, DER_SEQUENCE);
		der_put(w, DER_OID, x->oid);
		if (ca_extension_is_critical(x, p))
			der_put_bool(w, true);
		der_put(w, DER_OCTET_STRING, buf_bytes(&value));
		der_end(w, m);
	}
	der_end(w, list);
	der_end(w, explicit);
	return 0;
}

int ca_issue(const struct profile *p, struct bytes spki, const struct ca_issuer *by,
	     struct buf *out, struct err *e)
{
	AUTO(buf_fini) struct buf tbs = buf_init(CERT_SIZE_MAX);
	struct wr w = wr_init(&tbs);
	uint8_t id[CA_KEY_ID_SIZE];
	struct ca_key_ids ids = { bytes_of(id, sizeof(id)), by->key_id };
	struct der_mark whole, part;

	if (ca_key_id(spki, id, e) < 0)
		return -1;
	whole = der_begin(&w, DER_SEQUENCE);
	part = der_begin(&w, DER_CONTEXT_OPEN(0));
	der_put_uint(&w, 2);
	der_end(&w, part);
	der_put_unsigned(&w, p->serial);
	wr_bytes(&w, ca_algorithm(by->key));
	wr_bytes(&w, by->subject);
	part = der_begin(&w, DER_SEQUENCE);
	der_put_time(&w, p->not_before);
	der_put_time(&w, p->not_after);
	der_end(&w, part);
	wr_bytes(&w, p->subject);
	wr_bytes(&w, spki);
	if (put_extensions(&w, p, &ids, e) < 0)
		return -1;
	der_end(&w, whole);
	if (wr_end(&w, e) < 0)
		return -1;
	return ca_sign(by->key, buf_bytes(&tbs), out, e);
}

bool ca_is_signed_by(struct bytes cert, EVP_PKEY *key)
{
	const unsigned char *p = cert.p;
	X509 *x = d2i_X509(NULL, &p, (long)cert.n);
	bool ok = x && X509_verify(x, key) == 1;

	X509_free(x);
	ERR_clear_error();
	return ok;
}

bool ca_key_fits(struct bytes cert, const EVP_PKEY *key)
{
	const unsigned char *p = cert.p;
	X509 *x = d2i_X509(NULL, &p, (long)cert.n);
	bool ok = x && X509_check_private_key(x, key) == 1;

	X509_free(x);
	ERR_clear_error();
	return ok;
}
