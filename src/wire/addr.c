#include "wire/addr.h"

#include <stdio.h>

#include "base/escape.h"

struct addr_block {
	uint8_t ip[16];
	uint8_t bits;
};

static bool has_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

static bool is_mapped(const uint8_t ip[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return has_prefix(ip, mapped, 96);
}

/* Four decimal numbers without leading zeros: "010" is 8 to some resolvers and 10 to others. */
static bool parse_ip4(struct bytes text, uint8_t out[4])
{
	for (int i = 0; i < 4; i++) {
		size_t dot = bytes_index(text, '.');
		struct bytes part = bytes_slice(text, 0, dot);
		uint64_t v;

		if ((i < 3) != (dot < text.n) || part.n > 3 || !bytes_decimal(part, 255, &v))
			return false;
		if (part.n > 1 && part.p[0] == '0')
			return false;
		out[i] = (uint8_t)v;
		text = bytes_slice(text, dot + 1, text.n);
	}
	return true;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool parse_group(struct bytes text, uint8_t out[2])
{
	unsigned v = 0;

	if (text.n == 0 || text.n > 4)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		int digit = hex_digit(text.p[i]);

		if (digit < 0)
			return false;
		v = v << 4 | (unsigned)digit;
	}
	out[0] = (uint8_t)(v >> 8);
	out[1] = (uint8_t)v;
	return true;
}

/* Groups with one colon between each, the last one perhaps as IPv4 (RFC 4291, 2.2). *n: bytes. */
static bool parse_groups(struct bytes text, bool last, uint8_t out[16], size_t *n)
{
	*n = 0;
	while (text.n) {
		size_t colon = bytes_index(text, ':');
		struct bytes part = bytes_slice(text, 0, colon);

		if (last && colon == text.n && *n <= 12 && parse_ip4(part, out + *n)) {
			*n += 4;
			return true;
		}
		if (*n > 14 || !parse_group(part, out + *n) || colon + 1 == text.n)
			return false;
		*n += 2;
		text = bytes_slice(text, colon + 1, text.n);
	}
	return true;
}

/* Where "::" is, or text.n. */
static size_t find_gap(struct bytes text)
{
	for (size_t i = 0; i + 1 < text.n; i++) {
		if (text.p[i] == ':' && text.p[i + 1] == ':')
			return i;
	}
	return text.n;
}

static bool parse_ip6(struct bytes text, uint8_t out[16])
{
	size_t gap = find_gap(text), n, tail_n;
	uint8_t tail[16] = { 0 };

	memset(out, 0, 16);
	if (gap == text.n)
		return text.n && parse_groups(text, true, out, &n) && n == 16;
	if (!parse_groups(bytes_slice(text, 0, gap), false, out, &n) ||
	    !parse_groups(bytes_slice(text, gap + 2, text.n), true, tail, &tail_n))
		return false;
	if (n + tail_n > 14)
		return false;
	memcpy(out + 16 - tail_n, tail, tail_n);
	return true;
}

/* "%1" after a link-local address; names of interfaces need the system and are no literals here. */
static bool take_scope(struct bytes *text, uint32_t *scope)
{
	size_t at = bytes_index(*text, '%');
	uint64_t v;

	*scope = 0;
	if (at == text->n)
		return true;
	if (!bytes_decimal(bytes_slice(*text, at + 1, text->n), UINT32_MAX, &v) || v == 0)
		return false;
	*scope = (uint32_t)v;
	text->n = at;
	return true;
}

bool addr_parse_ip(struct bytes text, uint16_t port, struct addr *out)
{
	struct addr a = { .family = ADDR_IP4, .port = port };
	bool brackets = text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']';

	if (!brackets && parse_ip4(text, a.ip)) {
		*out = a;
		return true;
	}
	if (brackets)
		text = bytes_slice(text, 1, text.n - 2);
	a.family = ADDR_IP6;
	if (!take_scope(&text, &a.scope) || !parse_ip6(text, a.ip))
		return false;
	if (a.scope && !(a.ip[0] == 0xfe && (a.ip[1] & 0xc0) == 0x80))
		return false;
	if (is_mapped(a.ip)) {
		a.family = ADDR_IP4;
		memmove(a.ip, a.ip + 12, 4);
		memset(a.ip + 4, 0, 12);
	}
	*out = a;
	return true;
}

/* The position of the colon before the port; text.n when there is none. */
static size_t port_colon(struct bytes text)
{
	size_t i = text.n;

	while (i > 0 && text.p[i - 1] != ':' && text.p[i - 1] != ']')
		i--;
	return i > 0 && text.p[i - 1] == ':' ? i - 1 : text.n;
}

int addr_parse(struct bytes text, struct addr *out, struct err *e)
{
	size_t colon = port_colon(text);
	struct bytes ip = bytes_slice(text, 0, colon);
	char shown[160];
	uint64_t port;

	/* Without brackets an IPv6 address swallows the port. */
	if (ip.n && ip.p[0] != '[' && bytes_index(ip, ':') < ip.n)
		return FAIL(e, WIRE_DECODE,
			    "'%s': an IPv6 address with a port needs brackets, like [::1]:443",
			    escape_to(shown, sizeof(shown), text));
	if (colon == text.n)
		return FAIL(e, WIRE_DECODE,
			    "'%s': an address and a port are needed, like 127.0.0.1:8080",
			    escape_to(shown, sizeof(shown), text));
	if (!bytes_decimal(bytes_slice(text, colon + 1, text.n), 65535, &port))
		return FAIL(e, WIRE_DECODE, "'%s': a port is a number from 0 to 65535",
			    escape_to(shown, sizeof(shown), text));
	if (!addr_parse_ip(ip, (uint16_t)port, out))
		return FAIL(e, WIRE_DECODE, "'%s': no literal IPv4 or IPv6 address before the port",
			    escape_to(shown, sizeof(shown), text));
	return 0;
}

static unsigned addr_bits(const struct addr *a)
{
	return a->family == ADDR_IP4 ? 32 : 128;
}

static bool clean_after(const struct addr *a, unsigned prefix)
{
	for (unsigned i = prefix; i < addr_bits(a); i++) {
		if (a->ip[i / 8] & 0x80 >> i % 8)
			return false;
	}
	return true;
}

/* "::ffff:10.0.0.0/104" says the same as "10.0.0.0/8". */
static bool was_mapped(struct bytes ip, const struct addr *a)
{
	return a->family == ADDR_IP4 && bytes_index(ip, ':') < ip.n;
}

int addr_range_parse(struct bytes text, struct addr_range *out, struct err *e)
{
	size_t slash = bytes_index(text, '/');
	struct bytes ip = bytes_slice(text, 0, slash);
	struct addr_range range = { 0 };
	uint64_t prefix;
	char shown[160];

	escape_to(shown, sizeof(shown), text);
	if (!addr_parse_ip(ip, 0, &range.base))
		return FAIL(e, WIRE_DECODE, "'%s': an address or a range like 10.0.0.0/8 is needed",
			    shown);
	prefix = addr_bits(&range.base);
	if (slash < text.n) {
		unsigned offset = was_mapped(ip, &range.base) ? 96 : 0;
		unsigned max = addr_bits(&range.base) + offset;

		if (!bytes_decimal(bytes_slice(text, slash + 1, text.n), max, &prefix) ||
		    prefix < offset)
			return FAIL(e, WIRE_DECODE, "'%s': the prefix is a number from %u to %u",
				    shown, offset, max);
		prefix -= offset;
	}
	range.prefix = (unsigned)prefix;
	if (!clean_after(&range.base, range.prefix))
		return FAIL(e, WIRE_DECODE, "'%s': bits after the prefix of %u are set", shown,
			    range.prefix);
	*out = range;
	return 0;
}

bool addr_in_range(const struct addr *a, const struct addr_range *range)
{
	return a->family != ADDR_NONE && a->family == range->base.family &&
	       has_prefix(a->ip, range->base.ip, range->prefix);
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && a->scope == b->scope &&
	       memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && addr_same_ip(a, b);
}

struct bytes addr_ip(const struct addr *a)
{
	if (a->family == ADDR_NONE)
		return bytes_of(NULL, 0);
	return bytes_of(a->ip, addr_bits(a) / 8);
}

/* The first of the longest runs of two or more zero groups (RFC 5952, 4.2). */
static void longest_zeros(const uint16_t group[8], int *from, int *len)
{
	*from = -1;
	*len = 1;
	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && group[i + n] == 0)
			n++;
		if (n > *len) {
			*from = i;
			*len = n;
		}
		i += n;
	}
}

static void ip6_text(const struct addr *a, char *out, size_t size)
{
	uint16_t group[8];
	int from, len;
	size_t n = 0;

	for (int i = 0; i < 8; i++)
		group[i] = (uint16_t)(a->ip[2 * i] << 8 | a->ip[2 * i + 1]);
	longest_zeros(group, &from, &len);
	out[0] = '\0';
	for (int i = 0; i < 8; i++) {
		if (i == from) {
			n += (size_t)snprintf(out + n, size - n, "::");
			i += len - 1;
			continue;
		}
		n += (size_t)snprintf(out + n, size - n, "%s%x", i && i != from + len ? ":" : "",
				      group[i]);
	}
	if (a->scope)
		snprintf(out + n, size - n, "%%%u", a->scope);
}

const char *addr_ip_text(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	if (a->family == ADDR_IP4)
		snprintf(out, ADDR_TEXT_MAX, "%u.%u.%u.%u", a->ip[0], a->ip[1], a->ip[2], a->ip[3]);
	else if (a->family == ADDR_IP6)
		ip6_text(a, out, ADDR_TEXT_MAX);
	else
		snprintf(out, ADDR_TEXT_MAX, "none");
	return out;
}

const char *addr_text(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	char ip[ADDR_TEXT_MAX];

	addr_ip_text(a, ip);
	if (a->family == ADDR_IP6)
		snprintf(out, ADDR_TEXT_MAX, "[%.54s]:%u", ip, a->port);
	else if (a->family == ADDR_IP4)
		snprintf(out, ADDR_TEXT_MAX, "%.54s:%u", ip, a->port);
	else
		snprintf(out, ADDR_TEXT_MAX, "none");
	return out;
}

static const struct {
	struct addr_block block;
	enum addr_kind kind;
} kinds4[] = {
	{ { { 127 }, 8 }, ADDR_LOOPBACK },
	{ { { 169, 254 }, 16 }, ADDR_LINK_LOCAL },
	{ { { 100, 100, 100, 200 }, 32 }, ADDR_METADATA }, /* Alibaba Cloud */
	{ { { 168, 63, 129, 16 }, 32 }, ADDR_METADATA },   /* Azure's WireServer */
	{ { { 0 }, 8 }, ADDR_UNSPECIFIED },
	{ { { 224 }, 4 }, ADDR_MULTICAST },
	{ { { 255, 255, 255, 255 }, 32 }, ADDR_MULTICAST },
}, kinds6[] = {
	{ { { [15] = 1 }, 128 }, ADDR_LOOPBACK },
	{ { { [0] = 0xfe, [1] = 0x80 }, 10 }, ADDR_LINK_LOCAL },
	{ { { [0] = 0xfd, [1] = 0x00, [2] = 0x0e, [3] = 0xc2, [14] = 0x02, [15] = 0x54 }, 128 },
	  ADDR_METADATA }, /* Amazon EC2 */
	{ { { 0 }, 128 }, ADDR_UNSPECIFIED },
	{ { { 0xff }, 8 }, ADDR_MULTICAST },
};

/* Where an IPv4 address is inside an IPv6 one. */
static const struct {
	struct addr_block block;
	uint8_t at;
} embedded[] = {
	{ { { [10] = 0xff, [11] = 0xff }, 96 }, 12 },			    /* mapped */
	{ { { [0] = 0x00, [1] = 0x64, [2] = 0xff, [3] = 0x9b }, 96 }, 12 }, /* RFC 6052 */
	{ { { [0] = 0x20, [1] = 0x02 }, 16 }, 2 },			    /* RFC 3056 */
};

static enum addr_kind kind4(const uint8_t *ip)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds4); i++) {
		if (has_prefix(ip, kinds4[i].block.ip, kinds4[i].block.bits))
			return kinds4[i].kind;
	}
	return ADDR_PUBLIC;
}

enum addr_kind addr_kind(const struct addr *a)
{
	if (a->family == ADDR_NONE)
		return ADDR_UNSPECIFIED;
	if (a->family == ADDR_IP4)
		return kind4(a->ip);
	for (size_t i = 0; i < ARRAY_LEN(kinds6); i++) {
		if (has_prefix(a->ip, kinds6[i].block.ip, kinds6[i].block.bits))
			return kinds6[i].kind;
	}
	for (size_t i = 0; i < ARRAY_LEN(embedded); i++) {
		if (has_prefix(a->ip, embedded[i].block.ip, embedded[i].block.bits))
			return kind4(a->ip + embedded[i].at);
	}
	return ADDR_PUBLIC;
}

const char *addr_kind_text(enum addr_kind kind)
{
	static const char *const texts[] = {
		[ADDR_PUBLIC] = "a routable address",
		[ADDR_LOOPBACK] = "a loopback address",
		[ADDR_LINK_LOCAL] = "a link-local address",
		[ADDR_METADATA] = "an address of a cloud's metadata service",
		[ADDR_UNSPECIFIED] = "an unspecified address",
		[ADDR_MULTICAST] = "a multicast or broadcast address",
	};

	return texts[kind];
}
