/* Hashes on libcrypto's EVP, fetched once for the process. */
#ifndef CRYPT_HASH_H
#define CRYPT_HASH_H

#include "base/err.h"

#define SHA256_SIZE 32

struct sha256 {
	uint8_t b[SHA256_SIZE];
};

static inline struct bytes sha256_bytes(const struct sha256 *h)
{
	return bytes_of(h->b, sizeof(h->b));
}

/* SHA-256 (FIPS 180-4) of the parts, one after another. Thread-safe. Fails with ERR_CRYPTO. */
int sha256_of(const struct bytes *parts, size_t count, struct sha256 *out,
	      struct err *e) MUST_CHECK;

#endif
