#include "wire/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Four characters, of which the last pad are '='. False for anything else. */
static bool parse_group(struct bytes four, size_t pad, uint8_t out[3])
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		int digit = i < 4 - pad ? value_of(four.p[i]) : 0;

		if (digit < 0)
			return false;
		v = v << 6 | (uint32_t)digit;
	}
	out[0] = (uint8_t)(v >> 16);
	out[1] = (uint8_t)(v >> 8);
	out[2] = (uint8_t)v;
	/* What padding leaves over must be zero, or two texts would mean the same. */
	return (pad < 1 || out[2] == 0) && (pad < 2 || out[1] == 0);
}

int base64_parse(struct bytes text, struct buf *out, struct err *e)
{
	size_t groups = text.n / 4, pad = 0;
	uint8_t *room;

	if (text.n % 4)
		return FAIL(e, WIRE_DECODE, "base64 of %zu characters; it comes in fours", text.n);
	if (groups == 0)
		return 0;
	while (pad < 2 && pad < text.n && text.p[text.n - 1 - pad] == '=')
		pad++;
	if (buf_reserve(out, groups * 3, &room, e) < 0)
		return -1;
	for (size_t i = 0; i < groups; i++) {
		if (!parse_group(bytes_slice(text, 4 * i, 4), i + 1 == groups ? pad : 0,
				 room + 3 * i))
			return FAIL(e, WIRE_DECODE, "base64: characters %zu to %zu are not of it",
				    4 * i + 1, 4 * i + 4);
	}
	buf_commit(out, groups * 3 - pad);
	return 0;
}

int base64_write(struct bytes data, struct buf *out, struct err *e)
{
	size_t groups = data.n / 3 + (data.n % 3 != 0);
	uint8_t *room;

	if (groups == 0)
		return 0;
	if (buf_reserve(out, groups * 4, &room, e) < 0)
		return -1;
	for (size_t i = 0; i < groups; i++) {
		struct bytes part = bytes_slice(data, 3 * i, 3);
		uint32_t v = 0;

		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (k < part.n ? part.p[k] : 0);
		for (size_t k = 0; k < 4; k++)
			room[4 * i + k] = k <= part.n ? (uint8_t)alphabet[v >> (18 - 6 * k) & 63]
						      : (uint8_t)'=';
	}
	buf_commit(out, groups * 4);
	return 0;
}
