#include "crypt/rsa.h"

#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/mem.h"

#define PREMASTER 48
#define MODULUS_MAX 2048 /* bytes: 16384 bits, libcrypto's own limit */

struct rsa_key {
	EVP_PKEY *pkey;
};

/* A question for a passphrase would be asked on a terminal. */
static int no_passphrase(char *out, int size, int writing, void *ctx)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

int rsa_key_read(struct bytes text, struct rsa_key **out, struct err *e)
{
	EVP_PKEY *pkey = NULL;
	OSSL_DECODER_CTX *ctx =
		OSSL_DECODER_CTX_new_for_pkey(&pkey, NULL, NULL, "RSA", OSSL_KEYMGMT_SELECT_KEYPAIR,
					      NULL, NULL);
	const unsigned char *at = text.p;
	size_t left = text.n;
	bool ok = ctx && OSSL_DECODER_CTX_set_pem_password_cb(ctx, no_passphrase, NULL) == 1 &&
		  OSSL_DECODER_from_data(ctx, &at, &left) == 1 && pkey;
	struct rsa_key *k;

	OSSL_DECODER_CTX_free(ctx);
	if (!ok) {
		EVP_PKEY_free(pkey);
		return FAIL(e, KEY, "no unencrypted RSA private key in PEM or DER");
	}
	k = mem_new(sizeof(*k));
	if (!k) {
		EVP_PKEY_free(pkey);
		return FAIL(e, NOMEM, "an RSA key");
	}
	k->pkey = pkey;
	*out = k;
	return 0;
}

void rsa_key_free(struct rsa_key *k)
{
	if (k)
		EVP_PKEY_free(k->pkey);
	mem_free(k);
}

bool rsa_key_fits(const struct rsa_key *k, struct bytes certificate)
{
	const unsigned char *at = certificate.p;
	X509 *x = certificate.n > INT32_MAX ? NULL : d2i_X509(NULL, &at, (long)certificate.n);
	EVP_PKEY *theirs = x ? X509_get0_pubkey(x) : NULL;
	bool fits = theirs && EVP_PKEY_eq(k->pkey, theirs) == 1;

	X509_free(x);
	return fits;
}

/* PKCS#1 v1.5, type 2 (RFC 8017, 7.2.2): 0, 2, at least 8 bytes that are not 0, 0, the message. */
static bool unpad(struct bytes block, uint8_t out[PREMASTER])
{
	const size_t zero = block.n - PREMASTER - 1;

	if (block.n < 2 + 8 + 1 + PREMASTER || block.p[0] != 0 || block.p[1] != 2 ||
	    block.p[zero] != 0)
		return false;
	for (size_t i = 2; i < zero; i++)
		if (block.p[i] == 0)
			return false;
	memcpy(out, block.p + zero + 1, PREMASTER);
	return true;
}

/* The padding is taken off here: libcrypto, where it hides bad padding from attackers (3.2 and
 * later, and distributions' 3.0), gives random bytes instead of a failure. */
bool rsa_key_premaster(const struct rsa_key *k, struct bytes encrypted, uint8_t out[PREMASTER])
{
	uint8_t block[MODULUS_MAX];
	size_t n = sizeof(block);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
	bool ok = ctx && EVP_PKEY_decrypt_init(ctx) == 1 &&
		  EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1 &&
		  encrypted.n <= sizeof(block) &&
		  encrypted.n == (size_t)EVP_PKEY_get_size(k->pkey) &&
		  EVP_PKEY_decrypt(ctx, block, &n, encrypted.p, encrypted.n) == 1 &&
		  unpad(bytes_of(block, n), out);

	EVP_PKEY_CTX_free(ctx);
	mem_wipe(block, sizeof(block));
	return ok;
}
