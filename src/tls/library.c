#include "tls/library.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/tls.h"

static struct {
	OSSL_LIB_CTX *ctx;
	struct lean_provider provider;
	BIO_METHOD *bio;
} library;

OSSL_LIB_CTX *library_ctx(void)
{
	return library.ctx;
}

const BIO_METHOD *library_bio_method(void)
{
	return library.bio;
}

int tls_init(struct err *e)
{
	uint64_t how = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT;

	if (library.ctx)
		return FAIL(e, CRYPTO, "TLS was started twice");
	if (OPENSSL_init_ssl(how, NULL) != 1)
		return FAIL(e, CRYPTO, "OpenSSL cannot be started");
	library.ctx = OSSL_LIB_CTX_new();
	library.bio = session_bio_method_new();
	if (!library.ctx || !library.bio) {
		tls_fini();
		return FAIL(e, NOMEM, "OpenSSL cannot be started");
	}
	if (lean_provider_init(&library.provider, library.ctx, e) < 0) {
		tls_fini();
		return -1;
	}
	return 0;
}

void tls_fini(void)
{
	BIO_meth_free(library.bio);
	OSSL_LIB_CTX_free(library.ctx);
	lean_provider_fini(&library.provider);
	library.bio = NULL;
	library.ctx = NULL;
	ERR_clear_error();
}
