/* Random numbers for the lean context: those of the whole provider's context, whose generators are
 * OpenSSL's own (a DRBG for each thread, seeded by the kernel). The default provider's generators
 * cannot be handed on like its other algorithms: from 3.5 on they look for their cipher in a provider
 * of their own name. */
#include "tls/library.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#define STRENGTH 256 /* bits; what OpenSSL's generators have at least */
#define REQUEST_MAX 65536

/* Set once, by lean_random, before threads. */
static OSSL_LIB_CTX *source;

struct generator {
	int state; /* EVP_RAND_STATE_… */
};

static void *generator_new(void *provctx, void *parent, const OSSL_DISPATCH *parent_functions)
{
	struct generator *g = OPENSSL_zalloc(sizeof(*g));

	(void)provctx;
	(void)parent;
	(void)parent_functions;
	if (g)
		g->state = EVP_RAND_STATE_UNINITIALISED;
	return g;
}

static void generator_free(void *generator)
{
	OPENSSL_free(generator);
}

/* lint-ok: a function of OpenSSL's provider interface */
static int generator_start(void *generator, unsigned strength, int resistance,
			   const unsigned char *text, size_t text_n, const OSSL_PARAM params[])
{
	struct generator *g = generator;

	(void)resistance;
	(void)text;
	(void)text_n;
	(void)params;
	if (strength > STRENGTH)
		return 0;
	g->state = EVP_RAND_STATE_READY;
	return 1;
}

static int generator_stop(void *generator)
{
	struct generator *g = generator;

	g->state = EVP_RAND_STATE_UNINITIALISED;
	return 1;
}

/* lint-ok: a function of OpenSSL's provider interface */
static int generator_generate(void *generator, unsigned char *out, size_t n, unsigned strength,
			      int resistance, const unsigned char *more, size_t more_n)
{
	(void)generator;
	(void)resistance;
	(void)more;
	(void)more_n;
	return strength <= STRENGTH && RAND_priv_bytes_ex(source, out, n, strength) == 1;
}

/* The generators of the source are each thread's own. */
static int generator_lock(void *generator)
{
	(void)generator;
	return 1;
}

static void generator_unlock(void *generator)
{
	(void)generator;
}

static int generator_params(void *generator, OSSL_PARAM params[])
{
	const struct generator *g = generator;
	OSSL_PARAM *state = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STATE);
	OSSL_PARAM *strength = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STRENGTH);
	OSSL_PARAM *most = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_MAX_REQUEST);

	return (!state || OSSL_PARAM_set_int(state, g->state)) &&
	       (!strength || OSSL_PARAM_set_uint(strength, STRENGTH)) &&
	       (!most || OSSL_PARAM_set_size_t(most, REQUEST_MAX));
}

const OSSL_ALGORITHM *lean_random(OSSL_LIB_CTX *from)
{
	static const OSSL_DISPATCH functions[] = {
		{ OSSL_FUNC_RAND_NEWCTX, (void (*)(void))generator_new },
		{ OSSL_FUNC_RAND_FREECTX, (void (*)(void))generator_free },
		{ OSSL_FUNC_RAND_INSTANTIATE, (void (*)(void))generator_start },
		{ OSSL_FUNC_RAND_UNINSTANTIATE, (void (*)(void))generator_stop },
		{ OSSL_FUNC_RAND_GENERATE, (void (*)(void))generator_generate },
		{ OSSL_FUNC_RAND_ENABLE_LOCKING, (void (*)(void))generator_lock },
		{ OSSL_FUNC_RAND_LOCK, (void (*)(void))generator_lock },
		{ OSSL_FUNC_RAND_UNLOCK, (void (*)(void))generator_unlock },
		{ OSSL_FUNC_RAND_GET_CTX_PARAMS, (void (*)(void))generator_params },
		{ 0, NULL },
	};
	/* The names that libcrypto asks for when nothing is configured. */
	static const OSSL_ALGORITHM algorithms[] = {
		{ "CTR-DRBG", "provider=lean", functions, "from another context" },
		{ "SEED-SRC", "provider=lean", functions, "from another context" },
		{ NULL, NULL, NULL, NULL },
	};

	source = from;
	return algorithms;
}
