#include "pki/key.h"

#include <limits.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/mem.h"

#define KEY_SIZE_MAX 16384

static const struct {
	const char *text;
	const char *group; /* of an EC key, as libcrypto calls it; NULL: RSA */
	unsigned bits;
} kinds[KEY_KIND_COUNT] = {
	[KEY_P256] = { "EC P-256", "prime256v1", 256 },
	[KEY_P384] = { "EC P-384", "secp384r1", 384 },
	[KEY_RSA2048] = { "RSA 2048", NULL, 2048 },
	[KEY_RSA3072] = { "RSA 3072", NULL, 3072 },
	[KEY_RSA4096] = { "RSA 4096", NULL, 4096 },
};

const char *key_kind_text(enum key_kind k)
{
	return kinds[k].text;
}

int crypto_fail(struct err *e, enum err_code code, const char *what)
{
	unsigned long why = ERR_peek_last_error();
	const char *reason = why ? ERR_reason_error_string(why) : NULL;

	ERR_clear_error();
	return err_set(e, code, 0, ERR_ORIGIN, "%s%s%s", what, reason ? ": " : "",
		       reason ? reason : "");
}

void key_freep(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

/* No terminal is asked for a passphrase. */
static int no_passphrase(char *out, int size, int rwflag, void *ctx)
{
	(void)out;
	(void)size;
	(void)rwflag;
	(void)ctx;
	return -1;
}

int key_load(struct bytes text, EVP_PKEY **out, struct err *e)
{
	EVP_PKEY *key = NULL;
	BIO *bio;

	if (text.n > KEY_SIZE_MAX * 4)
		return FAIL(e, KEY, "private key: %zu bytes are too many", text.n);
	if (text.n && text.p[0] == 0x30) {
		const unsigned char *p = text.p;

		key = d2i_AutoPrivateKey(NULL, &p, (long)text.n);
	} else {
		bio = BIO_new_mem_buf(text.p ? text.p : (const uint8_t *)"", (int)text.n);
		key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
		BIO_free(bio);
	}
	if (!key)
		return crypto_fail(e, ERR_KEY,
				   "private key: an unencrypted PKCS#8 key was expected");
	*out = key;
	return 0;
}

int key_generate(enum key_kind kind, EVP_PKEY **out, struct err *e)
{
	EVP_PKEY *key =
		kinds[kind].group ? EVP_EC_gen(kinds[kind].group) : EVP_RSA_gen(kinds[kind].bits);

	if (!key)
		return crypto_fail(e, ERR_CRYPTO, "a key cannot be made");
	*out = key;
	return 0;
}

int key_put_pkcs8(const EVP_PKEY *key, struct buf *out, struct err *e)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	unsigned char *der = NULL;
	int n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1, done = -1;

	if (n > 0)
		done = buf_add(out, bytes_of(der, (size_t)n), e);
	else
		crypto_fail(e, ERR_CRYPTO, "a key cannot be written");
	OPENSSL_clear_free(der, n > 0 ? (size_t)n : 0);
	PKCS8_PRIV_KEY_INFO_free(info);
	return done;
}

int key_put_spki(const EVP_PKEY *key, struct buf *out, struct err *e)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der), done = -1;

	if (n > 0)
		done = buf_add(out, bytes_of(der, (size_t)n), e);
	else
		crypto_fail(e, ERR_CRYPTO, "a public key cannot be written");
	OPENSSL_free(der);
	return done;
}

static int key_pair_of(EVP_PKEY *key, enum key_kind kind, struct key_pair *out, struct err *e)
{
	struct key_pair k = { .kind = kind,
			      .pkcs8 = buf_init_secret(KEY_SIZE_MAX),
			      .spki = buf_init(KEY_SIZE_MAX) };

	if (key_put_pkcs8(key, &k.pkcs8, e) < 0 || key_put_spki(key, &k.spki, e) < 0) {
		key_pair_fini(&k);
		return -1;
	}
	*out = k;
	return 0;
}

int key_pair_make(enum key_kind kind, struct key_pair *out, struct err *e)
{
	AUTO(key_freep) EVP_PKEY *key = NULL;

	if (key_generate(kind, &key, e) < 0)
		return -1;
	return key_pair_of(key, kind, out, e);
}

static bool is_kind(const EVP_PKEY *key, enum key_kind kind)
{
	char group[64];
	size_t n;

	if (!kinds[kind].group)
		return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
		       EVP_PKEY_get_bits(key) == (int)kinds[kind].bits;
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), &n) == 1 &&
	       strcmp(group, kinds[kind].group) == 0;
}

int key_pair_load(struct bytes pkcs8, struct key_pair *out, struct err *e)
{
	AUTO(key_freep) EVP_PKEY *key = NULL;

	if (key_load(pkcs8, &key, e) < 0)
		return -1;
	for (unsigned i = 0; i < KEY_KIND_COUNT; i++) {
		if (is_kind(key, (enum key_kind)i))
			return key_pair_of(key, (enum key_kind)i, out, e);
	}
	return FAIL(e, KEY, "private key: neither P-256, P-384 nor RSA 2048, 3072 or 4096");
}

void key_pair_fini(struct key_pair *k)
{
	buf_fini(&k->pkcs8);
	buf_fini(&k->spki);
}
