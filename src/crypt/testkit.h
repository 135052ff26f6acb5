/* Bytes for tests, from hexadecimal text or from a counter. */
#ifndef CRYPT_TESTKIT_H
#define CRYPT_TESTKIT_H

#include <assert.h>

#include "base/bytes.h"

struct test_bytes {
	uint8_t b[512];
	size_t n;
};

static inline unsigned test_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = strchr(digits, c);

	assert(c && at);
	return (unsigned)(at - digits);
}

/* Spaces are passed over. */
static inline struct test_bytes test_hex(const char *text)
{
	struct test_bytes out = { .n = 0 };

	while (*text) {
		if (*text == ' ') {
			text++;
			continue;
		}
		assert(out.n < sizeof(out.b));
		out.b[out.n++] = (uint8_t)(test_digit(text[0]) << 4 | test_digit(text[1]));
		text += 2;
	}
	return out;
}

static inline struct bytes test_view(const struct test_bytes *t)
{
	return bytes_of(t->b, t->n);
}

/* Bytes that look like nothing in particular, the same ones for the same start. */
static inline void test_fill(uint8_t *out, size_t n, uint32_t start)
{
	uint32_t x = start * 2654435761u + 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		out[i] = (uint8_t)(x >> 24);
	}
}

#endif
