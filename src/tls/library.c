#include "tls/library.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/issuers.h"
#include "tls/tls.h"

static struct {
	struct lean_provider provider;
	BIO_METHOD *bio;
} library;

OSSL_LIB_CTX *library_ctx(void)
{
	return library.provider.ctx;
}

const BIO_METHOD *library_bio_method(void)
{
	return library.bio;
}

int tls_init(struct err *e)
{
	uint64_t how = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT;

	if (library.bio)
		return FAIL(e, CRYPTO, "TLS was started twice");
	if (OPENSSL_init_ssl(how, NULL) != 1)
		return FAIL(e, CRYPTO, "OpenSSL cannot be started");
	library.bio = session_bio_method_new();
	if (!library.bio)
		return FAIL(e, NOMEM, "OpenSSL cannot be started");
	if (lean_provider_init(&library.provider, e) < 0) {
		tls_fini();
		return -1;
	}
	return 0;
}

void tls_fini(void)
{
	issuers_fini();
	BIO_meth_free(library.bio);
	library.bio = NULL;
	lean_provider_fini(&library.provider);
	ERR_clear_error();
}
