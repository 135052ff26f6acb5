#include "crypt/hash.h"

#include <openssl/evp.h>
#include <pthread.h>

static EVP_MD *algorithm;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch(void)
{
	algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
}

int sha256_of(const struct bytes *parts, size_t count, struct sha256 *out, struct err *e)
{
	EVP_MD_CTX *ctx;
	bool ok;

	pthread_once(&fetched, fetch);
	ctx = EVP_MD_CTX_new();
	ok = ctx && algorithm && EVP_DigestInit_ex2(ctx, algorithm, NULL) == 1;
	for (size_t i = 0; ok && i < count; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out->b, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : FAIL(e, CRYPTO, "SHA-256 cannot be computed");
}
