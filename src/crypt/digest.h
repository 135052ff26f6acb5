/* HMAC, the key derivations of TLS and plain hashes, on libcrypto. Methods are fetched once for the
 * process, contexts made once for a thread and freed with it; everything here is thread-safe. */
#ifndef CRYPT_DIGEST_H
#define CRYPT_DIGEST_H

#include "base/err.h"

enum digest {
	DIGEST_NONE,
	DIGEST_MD5,
	DIGEST_SHA1,
	DIGEST_SHA256,
	DIGEST_SHA384,
	DIGEST_SHA512,
	DIGEST_COUNT
};
#define DIGEST_MAX 64

size_t digest_size(enum digest d); /* bytes */
size_t digest_block(enum digest d);
const char *digest_name(enum digest d); /* "SHA-256"; "none" */

/* Each fails with ERR_CRYPTO only. out has room for digest_size(d) bytes unless it says otherwise. */
int digest_of(enum digest d, const struct bytes *parts, size_t count, uint8_t *out,
	      struct err *e) MUST_CHECK;
/* RFC 2104, of at most 8 parts. */
struct hmac_input {
	struct bytes key;
	const struct bytes *parts;
	size_t count;
};
int hmac_of(enum digest d, const struct hmac_input *in, uint8_t *out, struct err *e) MUST_CHECK;

/* RFC 5869, 2.2. */
int hkdf_extract(enum digest d, struct bytes salt, struct bytes ikm, uint8_t *out,
		 struct err *e) MUST_CHECK;
/* RFC 8446, 7.1: HKDF-Expand-Label. */
struct hkdf_label {
	size_t n;	   /* bytes that are wanted, at most 255 * digest_size */
	const char *label; /* without "tls13 " */
	struct bytes context;
};
int hkdf_expand_label(enum digest d, struct bytes secret, const struct hkdf_label *label,
		      uint8_t *out, struct err *e) MUST_CHECK;

/* The PRF of TLS 1.2 (RFC 5246, 5) with d, or of TLS 1.0 and 1.1 (RFC 2246, 5) with DIGEST_NONE. */
struct prf_input {
	struct bytes secret;
	const char *label;
	struct bytes seed_a, seed_b; /* one after the other */
};
int prf_of(enum digest d, const struct prf_input *in, uint8_t *out, size_t n,
	   struct err *e) MUST_CHECK;
/* SSL 3.0's derivation of master secret and key block (RFC 6101, 6.1); label is not used; n at most
 * 416. */
int prf_ssl3(const struct prf_input *in, uint8_t *out, size_t n, struct err *e) MUST_CHECK;

#endif
