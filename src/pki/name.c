/* Names (X.501) and what else of a certificate is told to people, as one line of text. */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/escape.h"
#include "pki/cert.h"
#include "wire/der.h"

#define RDNS_MAX 32

struct attribute {
	struct bytes type; /* OID */
	uint8_t tag;
	struct bytes value;
};

static struct attribute read_attribute(struct rd *set)
{
	struct rd seq = der_open(set, DER_SEQUENCE);
	struct attribute a = { .type = der_oid(&seq) };
	struct der d = der_next(&seq);

	a.tag = d.tag;
	a.value = d.value;
	rd_end(&seq);
	return a;
}

/* The length of the character at the front of v, which is not empty, by its ASN.1 type; 0 when it
 * is not one. */
static size_t next_char(uint8_t tag, struct bytes v, uint32_t *cp)
{
	size_t size = tag == DER_BMP_STRING ? 2 : tag == DER_UNIVERSAL_STRING ? 4 : 1;

	if (tag == DER_UTF8_STRING)
		return utf8_length(v, cp);
	if (v.n < size)
		return 0;
	*cp = 0;
	for (size_t i = 0; i < size; i++)
		*cp = *cp << 8 | v.p[i];
	return *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff) ? 0 : size;
}

/* The types that libcrypto takes as the value of an attribute, and that are in use. */
static bool value_is_valid(const struct attribute *a)
{
	struct bytes v = a->value;

	switch (a->tag) {
	case DER_PRINTABLE_STRING:
	case DER_IA5_STRING:
	case DER_T61_STRING:
	case DER_NUMERIC_STRING:
		return true;
	case DER_BIT_STRING: /* x500UniqueIdentifier */
		return v.n > 0 && v.p[0] <= 7 && (v.n > 1 || v.p[0] == 0);
	case DER_UTF8_STRING:
	case DER_BMP_STRING:
	case DER_UNIVERSAL_STRING:
		while (v.n) {
			uint32_t cp;
			size_t n = next_char(a->tag, v, &cp);

			if (n == 0)
				return false;
			v = bytes_slice(v, n, v.n);
		}
		return true;
	default:
		return false;
	}
}

bool name_is_valid(struct bytes name)
{
	bool bad = false;
	struct rd r = rd_init(name, &bad), rdns = der_open(&r, DER_SEQUENCE);

	while (rdns.n) {
		struct rd set = der_open(&rdns, DER_SET);

		bad |= set.n == 0;
		while (set.n) {
			struct attribute a = read_attribute(&set);

			bad |= !value_is_valid(&a);
		}
	}
	rd_end(&r);
	return !bad;
}

static const struct {
	struct bytes oid;
	const char *name;
} attribute_names[] = {
#define ROW(oid, name)                                                                             \
	{                                                                                          \
		{ (const uint8_t *)(oid), sizeof(oid) - 1 }, name                                  \
	}
	ROW("\x55\x04\x03", "CN"),
	ROW("\x55\x04\x06", "C"),
	ROW("\x55\x04\x0a", "O"),
	ROW("\x55\x04\x0b", "OU"),
	ROW("\x55\x04\x07", "L"),
	ROW("\x55\x04\x08", "ST"),
	ROW("\x55\x04\x09", "STREET"),
	ROW("\x55\x04\x04", "SN"),
	ROW("\x55\x04\x05", "serialNumber"),
	ROW("\x55\x04\x0c", "title"),
	ROW("\x55\x04\x0d", "description"),
	ROW("\x55\x04\x0f", "businessCategory"),
	ROW("\x55\x04\x11", "postalCode"),
	ROW("\x55\x04\x2a", "GN"),
	ROW("\x55\x04\x2e", "dnQualifier"),
	ROW("\x55\x04\x61", "organizationIdentifier"),
	ROW("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "UID"),
	ROW("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", "DC"),
	ROW("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", "emailAddress"),
	ROW("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x01", "jurisdictionL"),
	ROW("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x02", "jurisdictionST"),
	ROW("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x03", "jurisdictionC"),
#undef ROW
};
#define COMMON_NAME attribute_names[0].oid
#define ORGANIZATION attribute_names[2].oid

/* Text that grows in a fixed room. What does not fit whole is left out and the end marked. */
struct line {
	char *out;
	size_t size, at;
	bool full;
};

static struct line line_init(char *out, size_t size)
{
	if (size)
		out[0] = 0;
	return (struct line){ .out = out, .size = size, .full = size == 0 };
}

static void line_mark_cut(struct line *l)
{
	l->full = true;
	if (l->size < 4)
		return;
	if (l->at > l->size - 4)
		l->at = l->size - 4;
	/* Not inside of a character. */
	while (l->at && ((uint8_t)l->out[l->at] & 0xc0) == 0x80)
		l->at--;
	memcpy(l->out + l->at, "...", 4);
}

static void line_add(struct line *l, const char *s, size_t n)
{
	if (l->full)
		return;
	if (n >= l->size - l->at) {
		line_mark_cut(l);
		return;
	}
	memcpy(l->out + l->at, s, n);
	l->at += n;
	l->out[l->at] = 0;
}

static void line_str(struct line *l, const char *s)
{
	line_add(l, s, strlen(s));
}

static size_t utf8_put(uint32_t cp, char out[4])
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

/* The value as UTF-8, still as the network wrote it. */
static struct bytes value_utf8(const struct attribute *a, char *room, size_t size)
{
	struct bytes v = a->value;
	size_t at = 0;
	uint32_t cp;

	if (a->tag == DER_UTF8_STRING)
		return v;
	while (v.n && at + 4 <= size) {
		size_t n = next_char(a->tag, v, &cp);

		if (n == 0)
			break;
		at += utf8_put(cp, room + at);
		v = bytes_slice(v, n, v.n);
	}
	return bytes_of(room, at);
}

/* The escaper's text, with RFC 4514's specials escaped too (2.4). */
static void add_value(struct line *l, const struct attribute *a)
{
	char raw[256], clean[512];
	struct bytes v = value_utf8(a, raw, sizeof(raw));
	const char *c = escape_to(clean, sizeof(clean), v);

	if ((*c == '#' || *c == ' ') && !l->full)
		line_str(l, "\\");
	for (; *c; c++) {
		char one[2] = { '\\', *c };
		bool special = strchr(",+\"<>;", *c) != NULL;

		line_add(l, special ? one : one + 1, special ? 2 : 1);
	}
}

static void add_attribute(struct line *l, const struct attribute *a)
{
	char oid[64];
	const char *name = NULL;

	for (size_t i = 0; i < ARRAY_LEN(attribute_names); i++) {
		if (bytes_equal(attribute_names[i].oid, a->type))
			name = attribute_names[i].name;
	}
	line_str(l, name ? name : oid_text(a->type, oid, sizeof(oid)));
	line_str(l, "=");
	add_value(l, a);
}

const char *name_text(struct bytes name, char *out, size_t size)
{
	struct bytes list[RDNS_MAX];
	bool bad = false;
	struct rd r = rd_init(name, &bad), rdns = der_open(&r, DER_SEQUENCE);
	struct line l = line_init(out, size);
	size_t count = 0;

	while (rdns.n && count < RDNS_MAX)
		list[count++] = der_value(&rdns, DER_SET);
	if (count == 0)
		line_str(&l, bad ? "(unreadable)" : "(empty)");
	for (size_t i = count; i-- > 0;) {
		struct rd set = rd_init(list[i], &bad);

		if (i + 1 < count)
			line_str(&l, ",");
		while (set.n) {
			struct attribute a = read_attribute(&set);

			add_attribute(&l, &a);
			if (set.n)
				line_str(&l, "+");
		}
	}
	return out;
}

/* The last attribute of this type; false when there is none. */
static bool find_attribute(struct bytes name, struct bytes type, struct attribute *out)
{
	bool bad = false, found = false;
	struct rd r = rd_init(name, &bad), rdns = der_open(&r, DER_SEQUENCE);

	while (rdns.n) {
		struct rd set = der_open(&rdns, DER_SET);

		while (set.n) {
			struct attribute a = read_attribute(&set);

			if (bytes_equal(a.type, type) && !bad) {
				*out = a;
				found = true;
			}
		}
	}
	return found;
}

const char *name_short_text(struct bytes name, char *out, size_t size)
{
	struct attribute a;
	char raw[256];

	if (find_attribute(name, COMMON_NAME, &a) || find_attribute(name, ORGANIZATION, &a))
		return escape_to(out, size, value_utf8(&a, raw, sizeof(raw)));
	return name_text(name, out, size);
}

/* One DNS name or address of a certificate; false for the other kinds. */
static bool san_text(const struct san *s, char *out, size_t size)
{
	if (s->kind == SAN_DNS) {
		escape_to(out, size, s->value);
		return true;
	}
	if (s->kind != SAN_IP || (s->value.n != 4 && s->value.n != 16))
		return false;
	return inet_ntop(s->value.n == 4 ? AF_INET : AF_INET6, s->value.p, out, (socklen_t)size);
}

const char *cert_names_text(const struct cert *c, char *out, size_t size)
{
	enum { SHOWN = 3 };
	struct line l = line_init(out, size);
	struct bytes rest = c->san;
	struct san s;
	size_t count = 0;
	char one[128];

	while (san_next(&rest, &s)) {
		if (!san_text(&s, one, sizeof(one)))
			continue;
		if (count < SHOWN) {
			line_str(&l, count ? ", " : "");
			line_str(&l, one);
		}
		count++;
	}
	if (count > SHOWN) {
		snprintf(one, sizeof(one), " and %zu more", count - SHOWN);
		line_str(&l, one);
	}
	if (count == 0)
		line_str(&l, "no name");
	return out;
}

static const struct {
	struct bytes oid;
	const char *name;
} curves[] = {
#define ROW(oid, name)                                                                             \
	{                                                                                          \
		{ (const uint8_t *)(oid), sizeof(oid) - 1 }, name                                  \
	}
	ROW("\x2a\x86\x48\xce\x3d\x03\x01\x07", "P-256"),
	ROW("\x2b\x81\x04\x00\x22", "P-384"),
	ROW("\x2b\x81\x04\x00\x23", "P-521"),
	ROW("\x2b\x81\x04\x00\x21", "P-224"),
	ROW("\x2a\x86\x48\xce\x3d\x03\x01\x01", "P-192"),
	ROW("\x2b\x81\x04\x00\x0a", "secp256k1"),
	ROW("\x2b\x24\x03\x03\x02\x08\x01\x01\x07", "brainpoolP256r1"),
	ROW("\x2b\x24\x03\x03\x02\x08\x01\x01\x0b", "brainpoolP384r1"),
	ROW("\x2b\x24\x03\x03\x02\x08\x01\x01\x0d", "brainpoolP512r1"),
#undef ROW
};

static const char *curve_text(const struct cert_key *k, char *out, size_t size)
{
	char oid[64];

	for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
		if (bytes_equal(curves[i].oid, k->curve)) {
			snprintf(out, size, "EC %s", curves[i].name);
			return out;
		}
	}
	if (k->curve.n)
		snprintf(out, size, "EC curve %s", oid_text(k->curve, oid, sizeof(oid)));
	else
		snprintf(out, size, "EC of %u bits with a curve of its own", k->bits);
	return out;
}

const char *cert_key_text(const struct cert_key *k, char *out, size_t size)
{
	char oid[64];

	switch (k->type) {
	case KEY_TYPE_RSA:
		snprintf(out, size, "RSA %u", k->bits);
		return out;
	case KEY_TYPE_RSA_PSS:
		snprintf(out, size, "RSA-PSS %u", k->bits);
		return out;
	case KEY_TYPE_EC:
		return curve_text(k, out, size);
	case KEY_TYPE_ED25519:
		snprintf(out, size, "Ed25519");
		return out;
	case KEY_TYPE_ED448:
		snprintf(out, size, "Ed448");
		return out;
	case KEY_TYPE_DSA:
		snprintf(out, size, "DSA");
		return out;
	case KEY_TYPE_UNKNOWN:
		break;
	}
	snprintf(out, size, "an unknown algorithm (%s)", oid_text(k->oid, oid, sizeof(oid)));
	return out;
}

const char *date_text(int64_t unix_s, char out[16])
{
	struct civil c = civil_of(unix_s);

	snprintf(out, 16, "%04d-%02d-%02d", c.year % 10000, c.month % 100, c.day % 100);
	return out;
}
