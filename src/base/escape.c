#include "base/escape.h"

size_t utf8_length(struct bytes b, uint32_t *cp)
{
	static const struct {
		uint8_t mask, lead, n;
		uint32_t least;
	} forms[] = { { 0x80, 0x00, 1, 0 },
		      { 0xe0, 0xc0, 2, 0x80 },
		      { 0xf0, 0xe0, 3, 0x800 },
		      { 0xf8, 0xf0, 4, 0x10000 } };

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if ((b.p[0] & forms[i].mask) != forms[i].lead)
			continue;
		if (b.n < forms[i].n)
			return 0;
		*cp = b.p[0] & (uint8_t)~forms[i].mask;
		for (size_t k = 1; k < forms[i].n; k++) {
			if ((b.p[k] & 0xc0) != 0x80)
				return 0;
			*cp = *cp << 6 | (b.p[k] & 0x3f);
		}
		if (*cp < forms[i].least || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
			return 0;
		return forms[i].n;
	}
	return 0;
}

/* C0, DEL, C1; the marks that change the direction of text, zero-width and line separators. */
static bool is_harmful(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x061c ||
	       (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2060 && cp <= 0x2069) || cp == 0xfeff;
}

static const char hex_digit[] = "0123456789abcdef";

/* One character of text, escaped, to out (at most 16 bytes). Sets how much of text it was. */
static size_t escape_one(struct bytes text, uint8_t out[16], size_t *used)
{
	uint32_t cp = 0;
	size_t n = utf8_length(text, &cp), len = 0;

	*used = n ? n : 1;
	if (n && cp == '\\') {
		memcpy(out, "\\\\", 2);
		return 2;
	}
	if (n && !is_harmful(cp)) {
		memcpy(out, text.p, n);
		return n;
	}
	for (size_t i = 0; i < *used; i++) {
		out[len++] = '\\';
		out[len++] = 'x';
		out[len++] = (uint8_t)hex_digit[text.p[i] >> 4];
		out[len++] = (uint8_t)hex_digit[text.p[i] & 15];
	}
	return len;
}

/* How many bytes at the front are plain printable ASCII, none of them special in either form. */
static size_t plain_run(struct bytes b)
{
	size_t i = 0;

	while (i < b.n && b.p[i] >= 0x20 && b.p[i] < 0x7f && b.p[i] != '\\' && b.p[i] != '"')
		i++;
	return i;
}

int escape_add(struct buf *out, struct bytes text, struct err *e)
{
	while (text.n) {
		size_t used = plain_run(text), n;
		uint8_t one[16];

		if (used) {
			if (buf_add(out, bytes_of(text.p, used), e) < 0)
				return -1;
		} else {
			n = escape_one(text, one, &used);
			if (buf_add(out, bytes_of(one, n), e) < 0)
				return -1;
		}
		text = bytes_slice(text, used, text.n);
	}
	return 0;
}

const char *escape_to(char *out, size_t size, struct bytes text)
{
	static const char dots[] = "...";
	size_t at = 0, cut = 0; /* cut: the last place between characters where the dots fit */

	if (size == 0)
		return out;
	while (text.n) {
		uint8_t one[16];
		size_t used, n = escape_one(text, one, &used);

		if (at + n >= size) {
			at = cut;
			if (cut + sizeof(dots) <= size) {
				memcpy(out + cut, dots, sizeof(dots) - 1);
				at += sizeof(dots) - 1;
			}
			break;
		}
		memcpy(out + at, one, n);
		at += n;
		if (at + sizeof(dots) <= size)
			cut = at;
		text = bytes_slice(text, used, text.n);
	}
	out[at] = 0;
	return out;
}

static size_t json_one(struct bytes text, uint8_t out[16], size_t *used)
{
	static const char replacement[] = "\xef\xbf\xbd";
	uint32_t cp = 0;
	size_t n = utf8_length(text, &cp);

	*used = n ? n : 1;
	if (!n) {
		memcpy(out, replacement, 3);
		return 3;
	}
	if (cp == '"' || cp == '\\') {
		out[0] = '\\';
		out[1] = (uint8_t)cp;
		return 2;
	}
	if (!is_harmful(cp)) {
		memcpy(out, text.p, n);
		return n;
	}
	memcpy(out, "\\u", 2);
	for (size_t i = 0; i < 4; i++)
		out[2 + i] = (uint8_t)hex_digit[cp >> (12 - 4 * i) & 15];
	return 6;
}

int escape_json(struct buf *out, struct bytes text, struct err *e)
{
	while (text.n) {
		size_t used = plain_run(text), n;
		uint8_t one[16];

		if (used) {
			if (buf_add(out, bytes_of(text.p, used), e) < 0)
				return -1;
		} else {
			n = json_one(text, one, &used);
			if (buf_add(out, bytes_of(one, n), e) < 0)
				return -1;
		}
		text = bytes_slice(text, used, text.n);
	}
	return 0;
}
