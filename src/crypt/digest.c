/* Every thread keeps one EVP_MD_CTX for each digest: a context that is set up again with the same
 * method neither fetches nor allocates, which is most of what an HMAC of a few bytes costs. */
#include "crypt/digest.h"

#include <openssl/evp.h>
#include <pthread.h>

#include "base/mem.h"

#define BLOCK_MAX 128
#define HMAC_PARTS 8

static const struct {
	const char *name, *fetch;
	uint8_t size, block;
} digests[DIGEST_COUNT] = {
	[DIGEST_NONE] = { "none", NULL, 0, 0 },
	[DIGEST_MD5] = { "MD5", "MD5", 16, 64 },
	[DIGEST_SHA1] = { "SHA-1", "SHA1", 20, 64 },
	[DIGEST_SHA256] = { "SHA-256", "SHA256", 32, 64 },
	[DIGEST_SHA384] = { "SHA-384", "SHA384", 48, 128 },
	[DIGEST_SHA512] = { "SHA-512", "SHA512", 64, 128 },
};

struct bench {
	EVP_MD_CTX *ctx[DIGEST_COUNT];
};

static EVP_MD *methods[DIGEST_COUNT];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;
static bool tidies;
static _Thread_local struct bench bench;

static void bench_clear(void *which)
{
	struct bench *b = which;

	for (size_t i = 0; i < ARRAY_LEN(b->ctx); i++) {
		EVP_MD_CTX_free(b->ctx[i]);
		b->ctx[i] = NULL;
	}
}

static void fetch(void)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (digests[i].fetch)
			methods[i] = EVP_MD_fetch(NULL, digests[i].fetch, NULL);
	tidies = pthread_key_create(&at_thread_end, bench_clear) == 0;
}

static EVP_MD_CTX *context(enum digest d)
{
	if (bench.ctx[d])
		return bench.ctx[d];
	pthread_once(&once, fetch);
	if (!methods[d] || !tidies || pthread_setspecific(at_thread_end, &bench) != 0)
		return NULL;
	bench.ctx[d] = EVP_MD_CTX_new();
	return bench.ctx[d];
}

size_t digest_size(enum digest d)
{
	return digests[d].size;
}

size_t digest_block(enum digest d)
{
	return digests[d].block;
}

const char *digest_name(enum digest d)
{
	return digests[d].name;
}

static bool run(enum digest d, const struct bytes *parts, size_t count, uint8_t *out)
{
	EVP_MD_CTX *ctx = context(d);
	bool ok = ctx && EVP_DigestInit_ex2(ctx, methods[d], NULL) == 1;

	for (size_t i = 0; ok && i < count; i++)
		ok = parts[i].n == 0 || EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
	return ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
}

static int failed(enum digest d, struct err *e)
{
	return FAIL(e, CRYPTO, "libcrypto cannot compute %s", digests[d].name);
}

int digest_of(enum digest d, const struct bytes *parts, size_t count, uint8_t *out, struct err *e)
{
	return run(d, parts, count, out) ? 0 : failed(d, e);
}

/* A key as the two blocks that HMAC begins with (RFC 2104). */
struct pads {
	uint8_t inner[BLOCK_MAX], outer[BLOCK_MAX];
};

static bool pads_make(enum digest d, struct bytes key, struct pads *p)
{
	const size_t block = digests[d].block;
	uint8_t whole[BLOCK_MAX] = { 0 };
	bool ok = true;

	if (key.n > block)
		ok = run(d, &key, 1, whole);
	else if (key.n)
		memcpy(whole, key.p, key.n);
	/* All of it, though a digest may use half: a fixed number of bytes goes many at a time. */
	for (size_t i = 0; i < BLOCK_MAX; i++) {
		p->inner[i] = whole[i] ^ 0x36;
		p->outer[i] = whole[i] ^ 0x5c;
	}
	mem_wipe(whole, sizeof(whole));
	return ok;
}

static bool hmac(enum digest d, const struct pads *p, const struct bytes *parts, size_t count,
		 uint8_t *out)
{
	struct bytes all[HMAC_PARTS + 1] = { bytes_of(p->inner, digests[d].block) };
	uint8_t inner[DIGEST_MAX];
	const struct bytes last[] = { bytes_of(p->outer, digests[d].block),
				      bytes_of(inner, digests[d].size) };
	bool ok;

	if (count)
		memcpy(all + 1, parts, count * sizeof(*parts));
	ok = run(d, all, count + 1, inner) && run(d, last, 2, out);
	mem_wipe(inner, sizeof(inner));
	return ok;
}

int hmac_of(enum digest d, const struct hmac_input *in, uint8_t *out, struct err *e)
{
	struct pads p;
	bool ok = in->count <= HMAC_PARTS && pads_make(d, in->key, &p) &&
		  hmac(d, &p, in->parts, in->count, out);

	mem_wipe(&p, sizeof(p));
	return ok ? 0 : failed(d, e);
}

int hkdf_extract(enum digest d, struct bytes salt, struct bytes ikm, uint8_t *out, struct err *e)
{
	/* An absent salt is a block of zeros, which is what an empty HMAC key is, too. */
	const struct hmac_input in = { salt, &ikm, 1 };

	return hmac_of(d, &in, out, e);
}

static size_t put(uint8_t *out, size_t at, struct bytes b)
{
	if (b.n)
		memcpy(out + at, b.p, b.n);
	return at + b.n;
}

/* HKDF-Expand (RFC 5869, 2.3). */
static bool expand(enum digest d, struct bytes secret, struct bytes info, uint8_t *out, size_t n)
{
	const size_t size = digests[d].size;
	uint8_t block[DIGEST_MAX], counter = 0;
	struct bytes parts[3] = { { 0 }, info, bytes_of(&counter, 1) };
	struct pads p;
	bool ok = size && n <= 255 * size && pads_make(d, secret, &p);

	for (size_t done = 0; ok && done < n;) {
		counter++;
		ok = hmac(d, &p, parts, 3, block);
		parts[0] = bytes_of(block, size);
		done = put(out, done, bytes_slice(parts[0], 0, n - done));
	}
	mem_wipe(block, sizeof(block));
	mem_wipe(&p, sizeof(p));
	return ok;
}

int hkdf_expand_label(enum digest d, struct bytes secret, const struct hkdf_label *label,
		      uint8_t *out, struct err *e)
{
	const struct bytes prefix = bytes_str("tls13 "), name = bytes_str(label->label);
	uint8_t info[2 + 1 + 255 + 1 + 255];
	size_t at = 0;

	if (prefix.n + name.n > 255 || label->context.n > 255)
		return FAIL(e, CRYPTO,
			    "a label of %zu bytes with a context of %zu: at most 249 and 255",
			    name.n, label->context.n);
	info[at++] = (uint8_t)(label->n >> 8);
	info[at++] = (uint8_t)label->n;
	info[at++] = (uint8_t)(prefix.n + name.n);
	at = put(info, at, prefix);
	at = put(info, at, name);
	info[at++] = (uint8_t)label->context.n;
	at = put(info, at, label->context);
	return expand(d, secret, bytes_of(info, at), out, label->n) ? 0 : failed(d, e);
}

/* P_hash (RFC 5246, 5), exclusive-ored onto out. */
static bool p_hash(enum digest d, struct bytes secret, const struct prf_input *in, uint8_t *out,
		   size_t n)
{
	const size_t size = digests[d].size;
	uint8_t a[DIGEST_MAX], block[DIGEST_MAX];
	const struct bytes seed[] = { bytes_str(in->label), in->seed_a, in->seed_b };
	const struct bytes parts[] = { bytes_of(a, size), seed[0], seed[1], seed[2] };
	struct pads p;
	bool ok = size && pads_make(d, secret, &p) && hmac(d, &p, seed, ARRAY_LEN(seed), a);

	for (size_t done = 0; ok && done < n;) {
		ok = hmac(d, &p, parts, ARRAY_LEN(parts), block);
		for (size_t i = 0; ok && i < size && done < n; i++, done++)
			out[done] ^= block[i];
		ok = ok && (done == n || hmac(d, &p, parts, 1, a));
	}
	mem_wipe(a, sizeof(a));
	mem_wipe(block, sizeof(block));
	mem_wipe(&p, sizeof(p));
	return ok;
}

int prf_of(enum digest d, const struct prf_input *in, uint8_t *out, size_t n, struct err *e)
{
	/* The halves of an odd secret share the byte in the middle (RFC 2246, 5). */
	const size_t half = (in->secret.n + 1) / 2;
	const struct bytes first = bytes_slice(in->secret, 0, half);
	const struct bytes second = bytes_slice(in->secret, in->secret.n - half, half);

	if (n)
		memset(out, 0, n);
	if (d != DIGEST_NONE)
		return p_hash(d, in->secret, in, out, n) ? 0 : failed(d, e);
	if (!p_hash(DIGEST_MD5, first, in, out, n))
		return failed(DIGEST_MD5, e);
	return p_hash(DIGEST_SHA1, second, in, out, n) ? 0 : failed(DIGEST_SHA1, e);
}

/* MD5(secret + SHA(letters + secret + seeds)), letters being "A", then "BB", "CCC" … */
static bool ssl3_block(const struct prf_input *in, size_t number, uint8_t *out)
{
	uint8_t letters[26], inner[20];
	const struct bytes first[] = { bytes_of(letters, number + 1), in->secret, in->seed_a,
				       in->seed_b };
	const struct bytes second[] = { in->secret, bytes_of(inner, sizeof(inner)) };
	bool ok;

	memset(letters, 'A' + (int)number, number + 1);
	ok = run(DIGEST_SHA1, first, ARRAY_LEN(first), inner) &&
	     run(DIGEST_MD5, second, ARRAY_LEN(second), out);
	mem_wipe(inner, sizeof(inner));
	return ok;
}

int prf_ssl3(const struct prf_input *in, uint8_t *out, size_t n, struct err *e)
{
	uint8_t block[16];
	bool ok = n <= 26 * sizeof(block);

	for (size_t i = 0, done = 0; ok && done < n; i++) {
		ok = ssl3_block(in, i, block);
		done = put(out, done, bytes_slice(bytes_of(block, sizeof(block)), 0, n - done));
	}
	mem_wipe(block, sizeof(block));
	return ok ? 0 : failed(DIGEST_MD5, e);
}
