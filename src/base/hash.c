#include "base/hash.h"

static struct hash_key seed;

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static void sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

static uint64_t little_endian(struct bytes b, size_t from, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)b.p[from + i] << (8 * i);
	return v;
}

void hash_seed(struct hash_key key)
{
	seed = key;
}

uint64_t hash_bytes(struct bytes b)
{
	struct sip s = { seed.k0 ^ 0x736f6d6570736575, seed.k1 ^ 0x646f72616e646f6d,
			 seed.k0 ^ 0x6c7967656e657261, seed.k1 ^ 0x7465646279746573 };
	size_t whole = b.n & ~(size_t)7;

	for (size_t i = 0; i < whole; i += 8)
		sip_word(&s, little_endian(b, i, 8));
	sip_word(&s, (uint64_t)b.n << 56 | little_endian(b, whole, b.n - whole));
	s.v2 ^= 0xff;
	for (int k = 0; k < 3; k++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
