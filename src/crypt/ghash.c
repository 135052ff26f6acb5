/* GHASH with a table of 16 multiples of the subkey, four bits at a time (Shoup's method). It serves
 * ciphers for which libcrypto has no GCM of its own. Captures are read offline: that lookups take
 * different times tells nobody anything. */
#include "crypt/cipher_part.h"

/* x^128 = x^7 + x^2 + x + 1 in GCM's order of bits. */
#define POLYNOMIAL (0xe1ull << 56)

static uint64_t read_u64(const uint8_t *p)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static void write_u64(uint8_t *p, uint64_t v)
{
	for (size_t i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
}

static struct ghash_word add(struct ghash_word a, struct ghash_word b)
{
	return (struct ghash_word){ a.hi ^ b.hi, a.lo ^ b.lo };
}

void ghash_init(struct ghash *g, const uint8_t subkey[16])
{
	struct ghash_word v = { read_u64(subkey), read_u64(subkey + 8) };

	g->table[0] = (struct ghash_word){ 0, 0 };
	for (size_t i = 8; i > 0; i >>= 1) {
		const uint64_t carry = v.lo & 1 ? POLYNOMIAL : 0;

		g->table[i] = v;
		v.lo = v.hi << 63 | v.lo >> 1;
		v.hi = v.hi >> 1 ^ carry;
	}
	for (size_t i = 2; i < 16; i <<= 1)
		for (size_t j = 1; j < i; j++)
			g->table[i + j] = add(g->table[i], g->table[j]);
}

/* What the four bits that leave at the end come back as. */
static uint64_t fold(uint64_t bits)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 4; i++)
		if (bits >> i & 1)
			v ^= POLYNOMIAL >> (3 - i);
	return v;
}

static struct ghash_word shift_four(struct ghash_word z, const uint64_t folds[16])
{
	const uint64_t leaves = z.lo & 15;

	return (struct ghash_word){ z.hi >> 4 ^ folds[leaves], z.hi << 60 | z.lo >> 4 };
}

/* Takes in text, whose last block is padded with zeros. */
static struct ghash_word absorb(const struct ghash *g, const uint64_t folds[16],
				struct ghash_word sum, struct bytes text)
{
	for (size_t at = 0; at < text.n; at += 16) {
		const struct bytes part = bytes_slice(text, at, 16);
		struct ghash_word z = { 0, 0 };
		uint8_t block[16] = { 0 };

		memcpy(block, part.p, part.n);
		sum.hi ^= read_u64(block);
		sum.lo ^= read_u64(block + 8);
		for (unsigned i = 0; i < 32; i++) {
			const uint64_t half = i < 16 ? sum.lo : sum.hi;

			z = shift_four(z, folds);
			z = add(z, g->table[half >> 4 * (i % 16) & 15]);
		}
		sum = z;
	}
	return sum;
}

void ghash_of(const struct ghash *g, struct bytes aad, struct bytes text, uint8_t out[16])
{
	struct ghash_word sum = { 0, 0 };
	uint64_t folds[16];
	uint8_t lengths[16];

	for (uint64_t i = 0; i < 16; i++)
		folds[i] = fold(i);
	write_u64(lengths, (uint64_t)aad.n * 8);
	write_u64(lengths + 8, (uint64_t)text.n * 8);
	sum = absorb(g, folds, sum, aad);
	sum = absorb(g, folds, sum, text);
	sum = absorb(g, folds, sum, bytes_of(lengths, sizeof(lengths)));
	write_u64(out, sum.hi);
	write_u64(out + 8, sum.lo);
}
