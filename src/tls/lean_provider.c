/* OpenSSL's default provider without what TLS has no use for. To decode one public key, OpenSSL 3.0
 * walks over every algorithm of every kind that it has loaded, and sets up every decoder of every
 * provider, of formats and key types that no certificate is made of: 60 of the 80 us that a
 * certificate takes. Here is only what TLS may need; it stays the default provider's own code, with
 * the default provider's context, and is handed on as it is. */
#include "tls/library.h"

#include <assert.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/provider.h>

#define KEPT_MAX 128
#define NAMES_MAX 40

/* What is kept (or, if the rest is, dropped) of a kind of algorithm. A * stands for any ending. */
struct selection {
	int operation;
	bool drop;
	const char *names[NAMES_MAX];
};

/* clang-format off */
static const struct selection selections[] = {
	{ OSSL_OP_DIGEST, false, { "MD5", "MD5-SHA1", "SHA1", "SHA2-*", "SHA3-*" } },
	{ OSSL_OP_CIPHER, false,
	  { "NULL", "AES-128-GCM", "AES-256-GCM", "AES-128-CCM", "AES-256-CCM", "AES-128-CBC",
	    "AES-256-CBC", "AES-128-ECB", "AES-256-ECB", "AES-256-CTR", "AES-128-CBC-HMAC-*",
	    "AES-256-CBC-HMAC-*", "ChaCha20", "ChaCha20-Poly1305", "ARIA-128-GCM", "ARIA-256-GCM",
	    "CAMELLIA-128-CBC", "CAMELLIA-256-CBC", "DES-EDE3-CBC" } },
	{ OSSL_OP_MAC, false, { "HMAC" } },
	{ OSSL_OP_KDF, false, { "TLS1-PRF", "HKDF" } },
	{ OSSL_OP_KEYMGMT, true,
	  { "DSA", "SM2", "curveSM2*", "TLS1-PRF", "HKDF", "SCRYPT", "SIPHASH", "POLY1305", "CMAC",
	    "SLH-DSA-*" } },
	{ OSSL_OP_SIGNATURE, true, { "DSA*", "SM2*", "SIPHASH", "POLY1305", "CMAC", "SLH-DSA-*" } },
	{ OSSL_OP_ENCODER, false, { NULL } },
	{ OSSL_OP_STORE, false, { NULL } },
	{ OSSL_OP_DECODER, false,
	  { "RSA", "RSA-PSS", "EC", "ED25519", "ED448", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87" } },
};
/* clang-format on */

/* Written once, by lean_provider_init, before threads. */
static OSSL_PROVIDER *whole;
static const OSSL_ALGORITHM *generators;
static OSSL_ALGORITHM kept[ARRAY_LEN(selections)][KEPT_MAX + 1];

static bool name_matches(struct bytes name, const char *pattern)
{
	struct bytes p = bytes_str(pattern);

	if (p.n && p.p[p.n - 1] == '*') {
		name = bytes_slice(name, 0, p.n - 1);
		p = bytes_slice(p, 0, p.n - 1);
	}
	return bytes_equal_nocase(name, p);
}

/* Certificates and PKCS#8 are DER; libcrypto asks for no other structures of them. */
static bool is_wanted_format(const char *properties)
{
	return properties && strstr(properties, "input=der") &&
	       (strstr(properties, "structure=SubjectPublicKeyInfo") ||
		strstr(properties, "structure=PrivateKeyInfo"));
}

static bool is_wanted(const struct selection *s, const OSSL_ALGORITHM *a)
{
	struct bytes all = bytes_str(a->algorithm_names);
	struct bytes first = bytes_slice(all, 0, bytes_index(all, ':'));
	bool named = false;

	for (size_t i = 0; i < NAMES_MAX && s->names[i]; i++)
		named |= name_matches(first, s->names[i]);
	if (s->operation == OSSL_OP_DECODER && !is_wanted_format(a->property_definition))
		return false;
	return named != s->drop;
}

/* What is ours comes first; a KDF is the only one. */
static void select_algorithms(size_t i, const OSSL_ALGORITHM *kdf)
{
	int no_cache = 0;
	size_t n = 0;
	const OSSL_ALGORITHM *a =
		OSSL_PROVIDER_query_operation(whole, selections[i].operation, &no_cache);

	if (selections[i].operation == OSSL_OP_KDF)
		kept[i][n++] = *kdf;
	for (; a && a->algorithm_names && n < KEPT_MAX; a++)
		if (is_wanted(&selections[i], a))
			kept[i][n++] = *a;
	kept[i][n] = (OSSL_ALGORITHM){ 0 };
}

static const OSSL_ALGORITHM *query(void *provctx, int operation, int *no_cache)
{
	(void)provctx;
	*no_cache = 0;
	if (operation == OSSL_OP_RAND)
		return generators;
	for (size_t i = 0; i < ARRAY_LEN(selections); i++)
		if (selections[i].operation == operation)
			return kept[i];
	return OSSL_PROVIDER_query_operation(whole, operation, no_cache);
}

static int capabilities(void *provctx, const char *name, OSSL_CALLBACK *cb, void *arg)
{
	(void)provctx;
	return OSSL_PROVIDER_get_capabilities(whole, name, cb, arg);
}

static int parameters(void *provctx, OSSL_PARAM params[])
{
	(void)provctx;
	return OSSL_PROVIDER_get_params(whole, params);
}

static int start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
		 void **provctx)
{
	static const OSSL_DISPATCH functions[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
		{ OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities },
		{ OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))parameters },
		{ 0, NULL },
	};

	(void)handle;
	(void)in;
	*out = functions;
	*provctx = OSSL_PROVIDER_get0_provider_ctx(whole);
	return 1;
}

int lean_provider_init(struct lean_provider *p, struct err *e)
{
	const OSSL_ALGORITHM *kdf;

	assert(!whole);
	p->home = OSSL_LIB_CTX_new();
	p->ctx = OSSL_LIB_CTX_new();
	p->whole = p->home ? OSSL_PROVIDER_load(p->home, "default") : NULL;
	whole = p->whole;
	generators = lean_random(p->home);
	kdf = whole ? lean_kdf_init(p->home) : NULL;
	for (size_t i = 0; kdf && i < ARRAY_LEN(selections); i++)
		select_algorithms(i, kdf);
	if (kdf && p->ctx && OSSL_PROVIDER_add_builtin(p->ctx, "lean", start) == 1)
		p->trimmed = OSSL_PROVIDER_load(p->ctx, "lean");
	if (p->trimmed)
		return 0;
	lean_provider_fini(p);
	return FAIL(e, CRYPTO, "OpenSSL's default provider cannot be loaded");
}

/* What the one context has works with the other's provider, which thus goes last. */
void lean_provider_fini(struct lean_provider *p)
{
	if (p->trimmed)
		OSSL_PROVIDER_unload(p->trimmed);
	OSSL_LIB_CTX_free(p->ctx);
	lean_kdf_fini();
	if (p->whole)
		OSSL_PROVIDER_unload(p->whole);
	OSSL_LIB_CTX_free(p->home);
	*p = (struct lean_provider){ 0 };
	whole = NULL;
}
