#include "ca/key.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "pki/bundle.h"
#include "pki/key.h"

#define PEM_MAX 65536

static const struct {
	unsigned bits;
	const char *group;
} curves[] = { { 256, "P-256" }, { 384, "P-384" }, { 521, "P-521" } };

int ca_key_make(enum key_type type, unsigned bits, EVP_PKEY **out, struct err *e)
{
	EVP_PKEY *key = NULL;
	bool known = false;

	if (type == KEY_TYPE_EC) {
		for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
			if (curves[i].bits != bits)
				continue;
			known = true;
			key = EVP_EC_gen(curves[i].group);
		}
	} else if (type == KEY_TYPE_RSA) {
		known = bits >= 1024 && bits <= 16384;
		key = known ? EVP_RSA_gen(bits) : NULL;
	} else if (type == KEY_TYPE_ED25519) {
		known = bits == 256;
		key = known ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : NULL;
	}
	if (!known)
		return FAIL(e, KEY,
			    "a key of %u bits; expected EC 256, 384 or 521, RSA 1024 to 16384, "
			    "ED25519 256",
			    bits);
	if (!key)
		return crypto_fail(e, ERR_CRYPTO, "a key cannot be made");
	*out = key;
	return 0;
}

struct passphrase {
	const char *text;
	bool asked;
};

static int on_passphrase(char *out, int size, int writing, void *context)
{
	struct passphrase *p = context;
	size_t n = p->text ? strlen(p->text) : 0;

	(void)writing;
	p->asked = true;
	if (!p->text || n > (size_t)size)
		return -1;
	memcpy(out, p->text, n);
	return (int)n;
}

int ca_key_load(struct bytes pem, const char *passphrase, EVP_PKEY **out, struct err *e)
{
	struct passphrase p = { passphrase, false };
	EVP_PKEY *key;
	BIO *bio;

	if (pem.n > PEM_MAX)
		return FAIL(e, KEY, "private key: %zu bytes are too many", pem.n);
	bio = BIO_new_mem_buf(pem.p ? pem.p : (const uint8_t *)"", (int)pem.n);
	key = bio ? PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &p) : NULL;
	BIO_free(bio);
	if (key) {
		*out = key;
		return 0;
	}
	ERR_clear_error();
	if (p.asked)
		return FAIL(e, KEY, "private key: it is encrypted, and the passphrase is %s",
			    passphrase ? "another" : "not given");
	return FAIL(e, KEY, "private key: not a key in PEM");
}

/* PKCS#8 under AES-256 with PBKDF2, as `openssl pkcs8 -topk8` writes it. */
static int write_encrypted(const EVP_PKEY *key, const char *passphrase, struct buf *out,
			   struct err *e)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text = NULL;
	long n = 0;
	int done = -1;

	if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), passphrase,
						 (int)strlen(passphrase), NULL, NULL) == 1)
		n = BIO_get_mem_data(bio, &text);
	if (n > 0)
		done = buf_add(out, bytes_of(text, (size_t)n), e);
	else
		crypto_fail(e, ERR_CRYPTO, "a key cannot be encrypted");
	BIO_free(bio);
	return done;
}

int ca_key_write(const EVP_PKEY *key, const char *passphrase, struct buf *out, struct err *e)
{
	AUTO(buf_fini) struct buf der = buf_init_secret(PEM_MAX);

	if (passphrase)
		return write_encrypted(key, passphrase, out, e);
	if (key_put_pkcs8(key, &der, e) < 0)
		return -1;
	return pem_write(out, "PRIVATE KEY", buf_bytes(&der), e);
}

int ca_key_spki(const EVP_PKEY *key, struct buf *out, struct err *e)
{
	return key_put_spki(key, out, e);
}

void ca_key_free(EVP_PKEY *key)
{
	EVP_PKEY_free(key);
}

void ca_key_freep(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}
