#include <openssl/provider.h>
#include <pthread.h>

#include "crypt/cipher_part.h"

static OSSL_LIB_CTX *library;
static OSSL_PROVIDER *provider;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Kept to the end of the process, as libcrypto's own context is. */
static void load(void)
{
	library = OSSL_LIB_CTX_new();
	provider = library ? OSSL_PROVIDER_load(library, "legacy") : NULL;
}

bool cipher_legacy_loaded(void)
{
	pthread_once(&once, load);
	return provider != NULL;
}

EVP_CIPHER *cipher_legacy_fetch(const char *name)
{
	return cipher_legacy_loaded() ? EVP_CIPHER_fetch(library, name, NULL) : NULL;
}
