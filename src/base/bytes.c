#include "base/bytes.h"

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	}
	return true;
}

bool bytes_starts(struct bytes b, struct bytes prefix)
{
	return b.n >= prefix.n && bytes_equal(bytes_of(b.p, prefix.n), prefix);
}

bool bytes_ends_nocase(struct bytes b, struct bytes suffix)
{
	if (b.n < suffix.n)
		return false;
	return bytes_equal_nocase(bytes_slice(b, b.n - suffix.n, suffix.n), suffix);
}

size_t bytes_index(struct bytes b, uint8_t c)
{
	const uint8_t *at = b.n ? memchr(b.p, c, b.n) : NULL;

	return at ? (size_t)(at - b.p) : b.n;
}

struct bytes bytes_slice(struct bytes b, size_t from, size_t n)
{
	if (from > b.n)
		from = b.n;
	if (n > b.n - from)
		n = b.n - from;
	return bytes_of(from ? b.p + from : b.p, n);
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

struct bytes bytes_trim(struct bytes b)
{
	while (b.n && is_blank(b.p[0]))
		b = bytes_slice(b, 1, b.n);
	while (b.n && is_blank(b.p[b.n - 1]))
		b.n--;
	return b;
}

bool bytes_decimal(struct bytes b, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (b.n == 0 || b.n > 19)
		return false;
	for (size_t i = 0; i < b.n; i++) {
		if (b.p[i] < '0' || b.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(b.p[i] - '0');
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}
