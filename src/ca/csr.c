#include "ca/csr.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "pki/key.h"
#include "pki/x509.h"
#include "wire/der.h"

#define MIN_RSA_BITS 2048
#define MIN_EC_BITS 256

static int no_passphrase(char *out, int size, int writing, void *context)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

static int load(struct bytes text, X509_REQ **out, struct err *e)
{
	const unsigned char *p = text.p;
	BIO *bio;

	if (text.n > CSR_MAX)
		return FAIL(e, LIMIT, "CSR: %zu bytes; at most %d are read", text.n, CSR_MAX);
	if (text.n && text.p[0] == 0x30) {
		*out = d2i_X509_REQ(NULL, &p, (long)text.n);
	} else {
		bio = BIO_new_mem_buf(text.p ? text.p : (const uint8_t *)"", (int)text.n);
		*out = bio ? PEM_read_bio_X509_REQ(bio, NULL, no_passphrase, NULL) : NULL;
		BIO_free(bio);
	}
	if (*out)
		return 0;
	ERR_clear_error();
	return FAIL(e, CERT, "CSR: not a certification request in PEM or DER");
}

static int check_key(X509_REQ *req, struct err *e)
{
	EVP_PKEY *key = X509_REQ_get0_pubkey(req);
	int type = key ? EVP_PKEY_get_base_id(key) : 0, bits = key ? EVP_PKEY_get_bits(key) : 0;
	bool fits = type == EVP_PKEY_ED25519 || (type == EVP_PKEY_RSA && bits >= MIN_RSA_BITS) ||
		    (type == EVP_PKEY_EC && bits >= MIN_EC_BITS);
	bool own;

	if (!key)
		return crypto_fail(e, ERR_KEY, "CSR: its key cannot be read");
	if (!fits)
		return FAIL(e, KEY,
			    "CSR: a key of %d bits, type %s; expected RSA of %d bits and more, EC "
			    "of %d bits and more, or Ed25519",
			    bits, EVP_PKEY_get0_type_name(key), MIN_RSA_BITS, MIN_EC_BITS);
	own = X509_REQ_verify(req, key) == 1;
	ERR_clear_error();
	if (!own)
		return FAIL(e, CERT,
			    "CSR: its signature is not that of its key; it was changed, or the "
			    "asker does not have the key");
	return 0;
}

/* The alternative names among the extensions asked for. */
static int read_san(X509_REQ *req, struct buf *out, struct err *e)
{
	STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(req);
	int at = X509v3_get_ext_by_NID(list, NID_subject_alt_name, -1), done = 0;
	bool bad = false;

	if (at >= 0) {
		X509_EXTENSION *x = X509v3_get_ext(list, at);
		struct rd r = rd_init(x509_string(X509_EXTENSION_get_data(x)), &bad);
		struct rd names = der_open(&r, DER_SEQUENCE);

		if (bad)
			done = FAIL(e, DER, "CSR: its alternative names are not in order");
		else
			done = buf_add(out, bytes_of(names.p, names.n), e);
	}
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	ERR_clear_error();
	return done;
}

static int fill(X509_REQ *req, struct ca_csr *c, struct err *e)
{
	if (check_key(req, e) < 0 || key_put_spki(X509_REQ_get0_pubkey(req), &c->spki, e) < 0 ||
	    spki_parse(buf_bytes(&c->spki), &c->key, e) < 0 ||
	    buf_add(&c->subject, x509_name(X509_REQ_get_subject_name(req)), e) < 0)
		return -1;
	return read_san(req, &c->san, e);
}

int ca_csr_read(struct bytes text, struct ca_csr *out, struct err *e)
{
	struct ca_csr c = { buf_init(CSR_MAX), buf_init(CSR_MAX), buf_init(CSR_MAX), { 0 } };
	X509_REQ *req = NULL;
	int done;

	if (load(text, &req, e) < 0)
		return -1;
	done = fill(req, &c, e);
	X509_REQ_free(req);
	if (done < 0) {
		ca_csr_fini(&c);
		return -1;
	}
	*out = c;
	return 0;
}

void ca_csr_fini(struct ca_csr *c)
{
	buf_fini(&c->spki);
	buf_fini(&c->subject);
	buf_fini(&c->san);
}
