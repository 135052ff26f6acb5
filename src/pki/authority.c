#include "pki/authority.h"

#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "base/mem.h"
#include "crypt/hash.h"
#include "pki/bundle.h"

#define ROOT_YEARS_S (2 * 365 * (int64_t)86400)
#define CLOCK_SKEW_S 3600
#define COMMON_NAME_MAX 64 /* RFC 5280, appendix A: ub-common-name */
#define SIGNATURE_MAX 1024
#define MIN_RSA_BITS 2048
#define SERIAL_SIZE 16

/* One row a type of key: the digest fits the key's strength. */
struct signature_rule {
	int type;
	int max_bits;
	const char *digest;
	struct bytes algorithm;
};

#define ALGORITHM(s)                                                                               \
	{                                                                                          \
		(const uint8_t *)(s), sizeof(s) - 1                                                \
	}
static const struct signature_rule rules[] = {
	{ EVP_PKEY_EC, 256, "SHA256",
	  ALGORITHM("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02") },
	{ EVP_PKEY_EC, 384, "SHA384",
	  ALGORITHM("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03") },
	{ EVP_PKEY_EC, 521, "SHA512",
	  ALGORITHM("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04") },
	{ EVP_PKEY_RSA, 16384, "SHA256",
	  ALGORITHM("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00") },
};

static const struct signature_rule *rule_for(const EVP_PKEY *key)
{
	int type = EVP_PKEY_get_base_id(key), bits = EVP_PKEY_get_bits(key);

	if (type == EVP_PKEY_RSA && bits < MIN_RSA_BITS)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (rules[i].type == type && bits <= rules[i].max_bits)
			return &rules[i];
	}
	return NULL;
}

struct bytes authority_algorithm(const struct authority *a)
{
	return a->rule->algorithm;
}

struct bytes authority_cert_der(const struct authority *a)
{
	return a->cert.der;
}

int key_identifier(const struct cert_key *key, uint8_t out[20], struct err *e)
{
	struct sha256 h;

	if (sha256_of(&key->public, 1, &h, e) < 0)
		return -1;
	memcpy(out, h.b, 20);
	return 0;
}

/* Signs with a context of its own, so that threads may share the authority. */
static int sign(const struct authority *a, struct bytes tbs, uint8_t *out, size_t *n)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned hash_n;
	EVP_PKEY_CTX *ctx;
	bool ok;

	if (EVP_Digest(tbs.p, tbs.n, hash, &hash_n, a->digest, NULL) != 1)
		return -1;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, a->key, NULL);
	ok = ctx && EVP_PKEY_sign_init(ctx) == 1;
	if (ok && a->rule->type == EVP_PKEY_RSA)
		ok = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_signature_md(ctx, a->digest) == 1;
	ok = ok && EVP_PKEY_sign(ctx, out, n, hash, hash_n) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : -1;
}

int authority_seal(const struct authority *a, struct wr *w, struct der_mark m, struct err *e)
{
	uint8_t signature[SIGNATURE_MAX * 2];
	size_t n = sizeof(signature);

	if (wr_end(w, e) < 0)
		return -1;
	if (sign(a, bytes_slice(buf_bytes(w->b), m.at, w->b->n), signature, &n) < 0)
		return crypto_fail(e, ERR_CRYPTO, "a certificate cannot be signed");
	wr_bytes(w, authority_algorithm(a));
	der_put_bits(w, bytes_of(signature, n), 0);
	der_end(w, m);
	return wr_end(w, e);
}

static void put_attribute(struct wr *w, const char *oid, uint8_t tag, struct bytes value)
{
	struct der_mark set = der_begin(w, DER_SET), seq = der_begin(w, DER_SEQUENCE);

	der_put(w, DER_OID, bytes_of(oid, 3));
	der_put(w, tag, value);
	der_end(w, seq);
	der_end(w, set);
}

#define OID_CN "\x55\x04\x03"
#define OID_O "\x55\x04\x0a"
#define OID_OU "\x55\x04\x0b"

/* O=oriel, CN=oriel bump CA <host> <date>. Of the host only what a host name may hold. */
static void put_root_name(struct wr *w, const char *host, int64_t now_s)
{
	char cn[COMMON_NAME_MAX + 1], date[16], clean[COMMON_NAME_MAX + 1];
	struct der_mark name = der_begin(w, DER_SEQUENCE);
	size_t n = 0;
	int room, len;

	for (; n < COMMON_NAME_MAX && host[n]; n++) {
		char c = host[n];
		bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';

		clean[n] = fine ? c : '-';
	}
	clean[n] = 0;
	room = COMMON_NAME_MAX - (int)(sizeof("oriel bump CA  ") - 1 + sizeof("2024-06-01") - 1);
	len = snprintf(cn, sizeof(cn), "oriel bump CA %.*s %s", room, clean,
		       date_text(now_s, date));
	put_attribute(w, OID_O, DER_UTF8_STRING, bytes_str("oriel"));
	put_attribute(w, OID_CN, DER_UTF8_STRING, bytes_of(cn, (size_t)len));
	der_end(w, name);
}

static void put_extension(struct wr *w, const char *oid, bool critical, struct bytes value)
{
	struct der_mark seq = der_begin(w, DER_SEQUENCE);

	der_put(w, DER_OID, bytes_of(oid, 3));
	if (critical)
		der_put_bool(w, true);
	der_put(w, DER_OCTET_STRING, value);
	der_end(w, seq);
}

static void put_root_extensions(struct wr *w, const uint8_t key_id[20])
{
	/* cA TRUE, pathLenConstraint 0; keyCertSign, cRLSign; serverAuth */
	static const char constraints[] = "\x30\x06\x01\x01\xff\x02\x01\x00";
	static const char usage[] = "\x03\x02\x01\x06";
	static const char purpose[] = "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01";
	struct der_mark explicit = der_begin(w, DER_CONTEXT_OPEN(3)),
			list = der_begin(w, DER_SEQUENCE);
	uint8_t ski[22] = { DER_OCTET_STRING, 20 };

	memcpy(ski + 2, key_id, 20);
	put_extension(w, "\x55\x1d\x13", true, bytes_of(constraints, sizeof(constraints) - 1));
	put_extension(w, "\x55\x1d\x0f", true, bytes_of(usage, sizeof(usage) - 1));
	put_extension(w, "\x55\x1d\x25", false, bytes_of(purpose, sizeof(purpose) - 1));
	put_extension(w, "\x55\x1d\x0e", false, bytes_of(ski, sizeof(ski)));
	der_end(w, list);
	der_end(w, explicit);
}

/* A self-signed root for the key of a, whose name is subject, whole. */
static int put_root(const struct authority *a, struct bytes subject, int64_t now_s, struct buf *out,
		    struct err *e)
{
	AUTO(buf_fini) struct buf spki = buf_init(4096);
	struct wr w = wr_init(out);
	struct der_mark whole, tbs, part;
	uint8_t serial[SERIAL_SIZE], key_id[20];
	struct cert_key key;

	if (key_put_spki(a->key, &spki, e) < 0 || spki_parse(buf_bytes(&spki), &key, e) < 0 ||
	    key_identifier(&key, key_id, e) < 0)
		return -1;
	if (RAND_bytes(serial, sizeof(serial)) != 1)
		return crypto_fail(e, ERR_CRYPTO, "no random bytes");
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
	whole = der_begin(&w, DER_SEQUENCE);
	tbs = der_begin(&w, DER_SEQUENCE);
	part = der_begin(&w, DER_CONTEXT_OPEN(0));
	der_put_uint(&w, 2);
	der_end(&w, part);
	der_put_unsigned(&w, bytes_of(serial, sizeof(serial)));
	wr_bytes(&w, authority_algorithm(a));
	wr_bytes(&w, subject);
	part = der_begin(&w, DER_SEQUENCE);
	der_put_time(&w, now_s - CLOCK_SKEW_S);
	der_put_time(&w, now_s + ROOT_YEARS_S);
	der_end(&w, part);
	wr_bytes(&w, subject);
	wr_bytes(&w, buf_bytes(&spki));
	put_root_extensions(&w, key_id);
	der_end(&w, tbs);
	return authority_seal(a, &w, whole, e);
}

void authority_free(struct authority *a)
{
	if (!a)
		return;
	EVP_PKEY_free(a->key);
	EVP_MD_free(a->digest);
	buf_fini(&a->der);
	mem_free(a);
}

static void authority_freep(struct authority **a)
{
	authority_free(*a);
}

/* An authority with a key, without a certificate. Takes the key, on failure too. */
static struct authority *authority_with_key(EVP_PKEY *key, struct err *e)
{
	struct authority *a = mem_new(sizeof(*a));

	if (!a) {
		EVP_PKEY_free(key);
		FAIL(e, NOMEM, "an authority");
		return NULL;
	}
	a->der = buf_init(CERT_SIZE_MAX);
	a->key = key;
	a->rule = rule_for(key);
	if (a->rule)
		a->digest = EVP_MD_fetch(NULL, a->rule->digest, NULL);
	if (!a->digest) {
		FAIL(e, KEY,
		     "authority: a key of %d bits, type %s, does not sign here; expected "
		     "EC P-256, P-384, P-521 or RSA of %d bits and more",
		     EVP_PKEY_get_bits(key), EVP_PKEY_get0_type_name(key), MIN_RSA_BITS);
		authority_free(a);
		return NULL;
	}
	return a;
}

/* Reads a->der into a->cert and keeps what minting needs of it. */
static int adopt_certificate(struct authority *a, struct err *e)
{
	if (cert_parse(buf_bytes(&a->der), &a->cert, e) < 0)
		return err_ctx(e, "authority");
	a->aki = a->cert.ski;
	if (a->cert.ski.n)
		return 0;
	if (key_identifier(&a->cert.key, a->key_id, e) < 0)
		return -1;
	a->aki = bytes_of(a->key_id, sizeof(a->key_id));
	return 0;
}

static int check_authority(const struct authority *a, struct err *e)
{
	const struct cert *c = &a->cert;
	const unsigned char *p = c->der.p;
	X509 *x;
	bool own;

	if (c->version != 3 || !c->is_ca)
		return FAIL(e, CERT, "authority: its certificate is no CA");
	if (name_is_empty(c->subject))
		return FAIL(e, CERT, "authority: its certificate has no name");
	if ((c->has & CERT_HAS_KEY_USAGE) && !(c->key_usage & 1u << USAGE_KEY_CERT_SIGN))
		return FAIL(e, CERT, "authority: its key usage lacks keyCertSign");
	x = d2i_X509(NULL, &p, (long)c->der.n);
	if (!x)
		return crypto_fail(e, ERR_CERT, "authority: its certificate cannot be read");
	own = X509_check_private_key(x, a->key) == 1;
	X509_free(x);
	if (!own)
		return crypto_fail(e, ERR_KEY, "authority: the key is not the certificate's");
	return 0;
}

int authority_new(struct bytes cert_pem, struct bytes key_pem, struct authority **out,
		  struct err *e)
{
	AUTO(authority_freep) struct authority *a = NULL;
	struct pem p = { .rest = cert_pem, .line = 1 };
	EVP_PKEY *key = NULL;

	if (key_load(key_pem, &key, e) < 0)
		return err_ctx(e, "authority");
	a = authority_with_key(key, e);
	if (!a)
		return -1;
	switch (pem_next_cert(&p, &a->der, e)) {
	case PEM_BLOCK:
		break;
	case PEM_END:
		return FAIL(e, CERT, "authority: no certificate in the PEM text");
	case PEM_BAD:
	case PEM_NOMEM:
		return err_ctx(e, "authority");
	}
	if (adopt_certificate(a, e) < 0 || check_authority(a, e) < 0)
		return -1;
	*out = STEAL(a);
	return 0;
}

/* A P-256 authority whose certificate is a root of this name. */
static int make_root(struct bytes subject, int64_t now_s, struct authority **out, struct err *e)
{
	AUTO(authority_freep) struct authority *a = NULL;
	EVP_PKEY *key = NULL;

	if (key_generate(KEY_P256, &key, e) < 0)
		return -1;
	a = authority_with_key(key, e);
	if (!a || put_root(a, subject, now_s, &a->der, e) < 0 || adopt_certificate(a, e) < 0)
		return -1;
	*out = STEAL(a);
	return 0;
}

int authority_make_root(const char *host, int64_t now_s, struct buf *cert_pem, struct buf *key_pem,
			struct err *e)
{
	AUTO(authority_freep) struct authority *a = NULL;
	AUTO(buf_fini) struct buf pkcs8 = buf_init_secret(4096);
	AUTO(buf_fini) struct buf name = buf_init(1024);
	struct wr w = wr_init(&name);
	size_t cert_before = cert_pem->n, key_before = key_pem->n;

	put_root_name(&w, host, now_s);
	if (wr_end(&w, e) < 0 || make_root(buf_bytes(&name), now_s, &a, e) < 0 ||
	    key_put_pkcs8(a->key, &pkcs8, e) < 0)
		return -1;
	if (pem_write_cert(cert_pem, authority_cert_der(a), e) < 0 ||
	    pem_write(key_pem, "PRIVATE KEY", buf_bytes(&pkcs8), e) < 0) {
		cert_pem->n = cert_before;
		key_pem->n = key_before;
		return -1;
	}
	return 0;
}

/* Is the one attribute of this RDN a common name whose characters are bytes? */
static bool is_common_name(struct bytes rdn, uint8_t *tag, struct bytes *value)
{
	bool bad = false;
	struct rd r = rd_init(rdn, &bad), set = der_open(&r, DER_SET),
		  seq = der_open(&set, DER_SEQUENCE);
	struct bytes type = der_oid(&seq);
	struct der d = der_next(&seq);

	*tag = d.tag;
	*value = d.value;
	return !bad && set.n == 0 && bytes_equal(type, bytes_str(OID_CN)) &&
	       (d.tag == DER_UTF8_STRING || d.tag == DER_PRINTABLE_STRING ||
		d.tag == DER_IA5_STRING || d.tag == DER_T61_STRING);
}

/* The same name with a mark that a person sees: after the common name, else as a unit of its own. */
static int put_twin_name(struct bytes subject, struct buf *out, struct err *e)
{
	static const char mark[] = " (untrusted)";
	AUTO(buf_fini) struct buf cn = buf_init(4096);
	struct wr w = wr_init(out);
	struct der_mark name = der_begin(&w, DER_SEQUENCE);
	bool bad = false, marked = false;
	struct rd r = rd_init(subject, &bad), rdns = der_open(&r, DER_SEQUENCE);

	while (rdns.n) {
		struct bytes rdn = der_whole(&rdns, DER_SET), value;
		uint8_t tag;

		if (marked || !is_common_name(rdn, &tag, &value)) {
			wr_bytes(&w, rdn);
			continue;
		}
		if (buf_add(&cn, value, e) < 0 || buf_add(&cn, bytes_str(mark), e) < 0)
			return -1;
		put_attribute(&w, OID_CN, tag, buf_bytes(&cn));
		marked = true;
	}
	if (!marked)
		put_attribute(&w, OID_OU, DER_UTF8_STRING, bytes_str(mark + 1));
	der_end(&w, name);
	return wr_end(&w, e);
}

int authority_new_twin(const struct authority *of, int64_t now_s, struct authority **out,
		       struct err *e)
{
	AUTO(buf_fini) struct buf name = buf_init(65536);

	if (put_twin_name(of->cert.subject, &name, e) < 0)
		return -1;
	return make_root(buf_bytes(&name), now_s, out, e);
}
