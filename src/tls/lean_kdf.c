/* The key derivation of TLS 1.3 (HKDF-Extract, HKDF-Expand-Label and Derive-Secret: RFC 8446, 7.1; RFC
 * 5869) for the lean context. A handshake derives two dozen secrets on each side; OpenSSL's own
 * implementation sets up a MAC, a digest and their parameters for each of them and takes twice as
 * long. Only what libssl asks of it is here: both modes, SHA-256 and SHA-384, everything given with
 * the call. Whatever else is asked for fails. */
#include "tls/library.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/mem.h"

#define HASH_MAX 48
#define BLOCK_MAX 128
#define LABEL_MAX (2 + 1 + 255 + 1 + 255)

struct hash {
	const char *names[2];
	size_t size, block;
	EVP_MD *md; /* of the whole provider */
};

/* Written by lean_kdf_init, before threads. */
static struct hash hashes[] = {
	{ { "SHA256", "SHA2-256" }, 32, 64, NULL },
	{ { "SHA384", "SHA2-384" }, 48, 128, NULL },
};

/* What a derivation is given. */
struct derivation {
	EVP_MD_CTX *ctx;
	const struct hash *hash;
	int mode;
	struct bytes key, salt, prefix, label, data;
	bool bad;
};

static struct bytes octets(struct derivation *d, const OSSL_PARAM *params, const char *name)
{
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, name);
	const void *value = NULL;
	size_t n = 0;

	if (p && OSSL_PARAM_get_octet_string_ptr(p, &value, &n) != 1)
		d->bad = true;
	return bytes_of(value, n);
}

static const struct hash *find_hash(const OSSL_PARAM *params)
{
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_DIGEST);
	const char *name = NULL;

	if (!p || OSSL_PARAM_get_utf8_string_ptr(p, &name) != 1 || !name)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
		for (size_t j = 0; j < ARRAY_LEN(hashes[i].names); j++)
			if (strcmp(name, hashes[i].names[j]) == 0)
				return &hashes[i];
	return NULL;
}

static struct derivation read_params(EVP_MD_CTX *ctx, const OSSL_PARAM *params)
{
	struct derivation d = { .ctx = ctx, .hash = find_hash(params) };
	const OSSL_PARAM *mode = OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_MODE);

	d.key = octets(&d, params, OSSL_KDF_PARAM_KEY);
	d.salt = octets(&d, params, OSSL_KDF_PARAM_SALT);
	d.prefix = octets(&d, params, OSSL_KDF_PARAM_PREFIX);
	d.label = octets(&d, params, OSSL_KDF_PARAM_LABEL);
	d.data = octets(&d, params, OSSL_KDF_PARAM_DATA);
	d.bad |= !d.hash || !mode || OSSL_PARAM_get_int(mode, &d.mode) != 1 ||
		 d.prefix.n + d.label.n > 255 || d.data.n > 255;
	return d;
}

static bool digest(const struct derivation *d, const struct bytes *parts, size_t count,
		   uint8_t *out)
{
	bool ok = EVP_DigestInit_ex2(d->ctx, d->hash->md, NULL) == 1;

	for (size_t i = 0; i < count; i++)
		ok = ok && EVP_DigestUpdate(d->ctx, parts[i].p, parts[i].n) == 1;
	return ok && EVP_DigestFinal_ex(d->ctx, out, NULL) == 1;
}

/* HMAC (RFC 2104) of up to three parts. */
static bool hmac(const struct derivation *d, struct bytes key, const struct bytes parts[3],
		 uint8_t *out)
{
	uint8_t pad[BLOCK_MAX] = { 0 }, inner[HASH_MAX];
	const struct bytes block = bytes_of(pad, d->hash->block);
	const struct bytes first[] = { block, parts[0], parts[1], parts[2] };
	const struct bytes second[] = { block, bytes_of(inner, d->hash->size) };
	bool ok = true;

	if (key.n > block.n)
		ok = digest(d, &key, 1, pad);
	else if (key.n)
		memcpy(pad, key.p, key.n);
	for (size_t i = 0; i < block.n; i++)
		pad[i] ^= 0x36;
	ok = ok && digest(d, first, ARRAY_LEN(first), inner);
	for (size_t i = 0; i < block.n; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	ok = ok && digest(d, second, ARRAY_LEN(second), out);
	mem_wipe(pad, sizeof(pad));
	mem_wipe(inner, sizeof(inner));
	return ok;
}

static size_t put(uint8_t *out, size_t at, struct bytes b)
{
	if (b.n)
		memcpy(out + at, b.p, b.n);
	return at + b.n;
}

/* HKDF-Expand (RFC 5869, 2.3) with an HkdfLabel (RFC 8446, 7.1) of the given data. */
static bool expand(const struct derivation *d, struct bytes secret, struct bytes data, uint8_t *out,
		   size_t out_n)
{
	uint8_t info[LABEL_MAX], block[HASH_MAX], counter = 0;
	struct bytes parts[3] = { { 0 } };
	bool ok = out_n <= 255 * d->hash->size;
	size_t n = 0;

	info[n++] = (uint8_t)(out_n >> 8);
	info[n++] = (uint8_t)out_n;
	info[n++] = (uint8_t)(d->prefix.n + d->label.n);
	n = put(info, n, d->prefix);
	n = put(info, n, d->label);
	info[n++] = (uint8_t)data.n;
	n = put(info, n, data);
	for (size_t done = 0; ok && done < out_n;) {
		struct bytes part;

		counter++;
		parts[1] = bytes_of(info, n);
		parts[2] = bytes_of(&counter, 1);
		ok = hmac(d, secret, parts, block);
		parts[0] = bytes_of(block, d->hash->size);
		part = bytes_slice(parts[0], 0, out_n - done);
		done = put(out, done, part);
	}
	mem_wipe(block, sizeof(block));
	return ok;
}

/* HKDF-Extract of the key, with what is derived of the secret before it as salt (RFC 8446, 7.1). */
static bool extract(const struct derivation *d, uint8_t *out, size_t out_n)
{
	static const uint8_t zeros[HASH_MAX];
	uint8_t nothing[HASH_MAX], derived[HASH_MAX];
	const size_t size = d->hash->size;
	struct bytes salt = { 0 }, parts[3] = { d->key.p ? d->key : bytes_of(zeros, size) };
	bool ok = out_n == size;

	if (ok && d->salt.p) {
		ok = digest(d, NULL, 0, nothing) &&
		     expand(d, d->salt, bytes_of(nothing, size), derived, size);
		salt = bytes_of(derived, size);
	}
	ok = ok && hmac(d, salt, parts, out);
	mem_wipe(derived, sizeof(derived));
	return ok;
}

static int kdf_derive(void *ctx, unsigned char *out, size_t n, const OSSL_PARAM params[])
{
	const struct derivation d = read_params(ctx, params);

	if (d.bad)
		return 0;
	switch (d.mode) {
	case EVP_KDF_HKDF_MODE_EXTRACT_ONLY:
		return extract(&d, out, n);
	case EVP_KDF_HKDF_MODE_EXPAND_ONLY:
		return d.key.p && n && expand(&d, d.key, d.data, out, n);
	default:
		return 0;
	}
}

static void *kdf_new(void *provctx)
{
	(void)provctx;
	return EVP_MD_CTX_new();
}

static void kdf_free(void *ctx)
{
	EVP_MD_CTX_free(ctx);
}

static void kdf_reset(void *ctx)
{
	EVP_MD_CTX_reset(ctx);
}

/* Nothing is kept between calls. */
static int kdf_set(void *ctx, const OSSL_PARAM params[])
{
	(void)ctx;
	return params == NULL || params->key == NULL;
}

const OSSL_ALGORITHM *lean_kdf_init(OSSL_LIB_CTX *from)
{
	static const OSSL_DISPATCH functions[] = {
		{ OSSL_FUNC_KDF_NEWCTX, (void (*)(void))kdf_new },
		{ OSSL_FUNC_KDF_FREECTX, (void (*)(void))kdf_free },
		{ OSSL_FUNC_KDF_RESET, (void (*)(void))kdf_reset },
		{ OSSL_FUNC_KDF_DERIVE, (void (*)(void))kdf_derive },
		{ OSSL_FUNC_KDF_SET_CTX_PARAMS, (void (*)(void))kdf_set },
		{ 0, NULL },
	};
	static const OSSL_ALGORITHM algorithm = { "TLS13-KDF", "provider=lean", functions,
						  "key derivation of TLS 1.3" };

	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		hashes[i].md = EVP_MD_fetch(from, hashes[i].names[0], NULL);
		if (!hashes[i].md)
			return NULL;
	}
	return &algorithm;
}

void lean_kdf_fini(void)
{
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		EVP_MD_free(hashes[i].md);
		hashes[i].md = NULL;
	}
}
