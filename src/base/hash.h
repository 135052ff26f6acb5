/* A keyed hash for tables whose keys come from outside (SipHash-1-3). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

struct hash_key {
	uint64_t k0, k1;
};

/* Set once at start from the system's randomness, before threads; zero in tests. */
void hash_seed(struct hash_key key);
uint64_t hash_bytes(struct bytes b);

#endif
