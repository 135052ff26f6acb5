/* What the files of cipher.h share. */
#ifndef CRYPT_CIPHER_PART_H
#define CRYPT_CIPHER_PART_H

#include <openssl/evp.h>

#include "crypt/cipher.h"

/* The method of that name from the legacy provider, NULL without it. Everything stays in a library
 * context of its own: the rest of the program goes on without the old ciphers. Thread-safe. The
 * caller frees it with EVP_CIPHER_free. */
EVP_CIPHER *cipher_legacy_fetch(const char *name);
bool cipher_legacy_loaded(void);

/* GHASH (NIST SP 800-38D, 6.4) under one subkey. */
struct ghash_word {
	uint64_t hi, lo;
};
struct ghash {
	struct ghash_word table[16];
};
void ghash_init(struct ghash *g, const uint8_t subkey[16]);
/* Of both, each padded to whole blocks, and their lengths. */
void ghash_of(const struct ghash *g, struct bytes aad, struct bytes text, uint8_t out[16]);

#endif
