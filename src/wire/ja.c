#include "wire/ja.h"

#include <stdlib.h>

/* A list of code points without GREASE, as it goes into a fingerprint. */
struct codes {
	uint16_t list[JA_CODES_MAX];
	size_t n;
};

static int codes_add(struct codes *c, uint16_t code, struct err *e)
{
	if (code_is_grease(code))
		return 0;
	if (c->n == JA_CODES_MAX)
		return FAIL(e, LIMIT, "a ClientHello with more than %d code points in one list",
			    JA_CODES_MAX);
	c->list[c->n++] = code;
	return 0;
}

static int codes_add_list(struct codes *c, struct bytes list, struct err *e)
{
	for (size_t i = 0; i < codes_count(list); i++) {
		if (codes_add(c, codes_get(list, i), e) < 0)
			return -1;
	}
	return 0;
}

static int codes_add_extensions(struct codes *c, const struct client_hello *hello, struct err *e)
{
	struct bytes list = hello->extensions;
	struct extension ext;

	while (extension_next(&list, &ext)) {
		if (codes_add(c, ext.type, e) < 0)
			return -1;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static void codes_sort(struct codes *c)
{
	qsort(c->list, c->n, sizeof(c->list[0]), compare);
}

/* JA3: decimal numbers with dashes between them. */

static int write_decimals(const struct codes *c, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < c->n; i++) {
		if (buf_printf(out, e, "%s%u", i ? "-" : "", c->list[i]) < 0)
			return -1;
	}
	return 0;
}

static int write_list(struct bytes list, struct buf *out, struct err *e)
{
	struct codes c = { .n = 0 };

	if (buf_printf(out, e, ",") < 0 || codes_add_list(&c, list, e) < 0)
		return -1;
	return write_decimals(&c, out, e);
}

int ja3_write(const struct client_hello *hello, struct buf *out, struct err *e)
{
	struct codes c = { .n = 0 };

	if (buf_printf(out, e, "%u", hello->legacy_version) < 0 ||
	    write_list(hello->cipher_suites, out, e) < 0 || buf_printf(out, e, ",") < 0)
		return -1;
	if (codes_add_extensions(&c, hello, e) < 0 || write_decimals(&c, out, e) < 0)
		return -1;
	if (write_list(hello->supported_groups, out, e) < 0 || buf_printf(out, e, ",") < 0)
		return -1;
	for (size_t i = 0; i < hello->point_formats.n; i++) {
		if (buf_printf(out, e, "%s%u", i ? "-" : "", hello->point_formats.p[i]) < 0)
			return -1;
	}
	return 0;
}

/* JA4. */

#define PREFIX_SIZE 10

/* The lists of one hello, sorted where they have to be. */
struct ja4 {
	struct codes ciphers, extensions, sigalgs;
	size_t extension_count; /* with server_name and ALPN, which are not in extensions */
};

static void drop_named(struct codes *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (c->list[i] != EXTENSION_SERVER_NAME && c->list[i] != EXTENSION_ALPN)
			c->list[n++] = c->list[i];
	}
	c->n = n;
}

static int ja4_collect(struct ja4 *j, const struct client_hello *hello, struct err *e)
{
	j->ciphers.n = j->extensions.n = j->sigalgs.n = 0;
	if (codes_add_list(&j->ciphers, hello->cipher_suites, e) < 0 ||
	    codes_add_extensions(&j->extensions, hello, e) < 0 ||
	    codes_add_list(&j->sigalgs, hello->signature_algorithms, e) < 0)
		return -1;
	j->extension_count = j->extensions.n;
	drop_named(&j->extensions);
	codes_sort(&j->ciphers);
	codes_sort(&j->extensions);
	return 0;
}

static const char *version_code(uint16_t version)
{
	static const struct {
		uint16_t version;
		const char *code;
	} table[] = {
		{ 0x0304, "13" }, { 0x0303, "12" }, { 0x0302, "11" },
		{ 0x0301, "10" }, { 0x0300, "s3" }, { 0x0002, "s2" },
		{ 0xfeff, "d1" }, { 0xfefd, "d2" }, { 0xfefc, "d3" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].version == version)
			return table[i].code;
	}
	return "00";
}

static bool is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static const char digits[] = "0123456789abcdef";

/* First and last character of the first protocol; of its hexadecimal form where one is not
 * alphanumeric. */
static void alpn_code(struct bytes alpn, char out[2])
{
	struct bytes name = { 0 };

	out[0] = out[1] = '0';
	if (!alpn_next(&alpn, &name) || name.n == 0)
		return;

	uint8_t first = name.p[0], last = name.p[name.n - 1];
	bool plain = is_alnum(first) && is_alnum(last);

	out[0] = plain ? (char)first : digits[first >> 4];
	out[1] = plain ? (char)last : digits[last & 15];
}

static void two_digits(size_t v, char out[2])
{
	v = v > 99 ? 99 : v;
	out[0] = digits[v / 10];
	out[1] = digits[v % 10];
}

static bool has_server_name(const struct client_hello *hello)
{
	return hello->server_name.n > 0;
}

/* "t13d1516h2" */
static void prefix_write(const struct ja4 *j, const struct client_hello *hello, char transport,
			 char out[PREFIX_SIZE])
{
	const char *version = version_code(hello->max_version);

	out[0] = transport;
	out[1] = version[0];
	out[2] = version[1];
	out[3] = has_server_name(hello) ? 'd' : 'i';
	two_digits(j->ciphers.n, out + 4);
	two_digits(j->extension_count, out + 6);
	alpn_code(hello->alpn, out + 8);
}

/* "002f,0035": appended at text + n; the new n. */
static size_t hex_write(const struct codes *c, char *text, size_t n)
{
	for (size_t i = 0; i < c->n; i++) {
		uint16_t code = c->list[i];

		if (i)
			text[n++] = ',';
		for (int shift = 12; shift >= 0; shift -= 4)
			text[n++] = digits[code >> shift & 15];
	}
	return n;
}

#define LIST_TEXT_MAX (JA_CODES_MAX * 5)

/* The first 12 hexadecimal digits of the hash; zeros where there is nothing to hash. */
static int hash_write(struct bytes text, ja_sha256_fn *sha256, char out[12], struct err *e)
{
	uint8_t hash[32] = { 0 };

	if (text.n && sha256(text, hash, e) < 0)
		return -1;
	for (size_t i = 0; i < 6; i++) {
		out[2 * i] = digits[hash[i] >> 4];
		out[2 * i + 1] = digits[hash[i] & 15];
	}
	return 0;
}

/* Extensions, and after an underscore signature algorithms if there are any. */
static size_t extensions_write(const struct ja4 *j, char text[2 * LIST_TEXT_MAX + 1])
{
	size_t n = hex_write(&j->extensions, text, 0);

	if (n == 0 || j->sigalgs.n == 0)
		return n;
	text[n++] = '_';
	return hex_write(&j->sigalgs, text, n);
}

int ja4_write(const struct client_hello *hello, char transport, ja_sha256_fn *sha256,
	      char out[JA4_TEXT_MAX], struct err *e)
{
	char text[2 * LIST_TEXT_MAX + 1];
	struct ja4 j;
	size_t n;

	if (ja4_collect(&j, hello, e) < 0)
		return -1;
	prefix_write(&j, hello, transport, out);
	out[PREFIX_SIZE] = '_';
	n = hex_write(&j.ciphers, text, 0);
	if (hash_write(bytes_of(text, n), sha256, out + PREFIX_SIZE + 1, e) < 0)
		return -1;
	out[PREFIX_SIZE + 13] = '_';
	n = extensions_write(&j, text);
	if (hash_write(bytes_of(text, n), sha256, out + PREFIX_SIZE + 14, e) < 0)
		return -1;
	out[JA4_TEXT_MAX - 1] = '\0';
	return 0;
}

int ja4_write_raw(const struct client_hello *hello, char transport, struct buf *out, struct err *e)
{
	char text[PREFIX_SIZE + 2 + 3 * LIST_TEXT_MAX + 1];
	struct ja4 j;
	size_t n = PREFIX_SIZE;

	if (ja4_collect(&j, hello, e) < 0)
		return -1;
	prefix_write(&j, hello, transport, text);
	text[n++] = '_';
	n = hex_write(&j.ciphers, text, n);
	text[n++] = '_';
	n += extensions_write(&j, text + n);
	return buf_add(out, bytes_of(text, n), e);
}
