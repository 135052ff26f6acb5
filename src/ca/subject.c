#include "ca/subject.h"

#include <openssl/objects.h>
#include <stdlib.h>

#include "base/escape.h"
#include "wire/der.h"

#define ATTRIBUTES_MAX 64
#define VALUE_MAX 32768
#define TYPE_MAX 64
#define OID_MAX 64

/* Those whose place is fixed come first, one RDN a type. */
static const struct {
	const char *name; /* lower case */
	const char *oid;
} places[] = {
	{ "c", "\x55\x04\x06" },
	{ "st", "\x55\x04\x08" },
	{ "l", "\x55\x04\x07" },
	{ "street", "\x55\x04\x09" },
	{ "postalcode", "\x55\x04\x11" },
	{ "o", "\x55\x04\x0a" },
	{ "ou", "\x55\x04\x0b" },
	{ "cn", "\x55\x04\x03" },
	{ "serialnumber", "\x55\x04\x05" },
};
#define OID_CN "\x55\x04\x03"
#define OID_DC "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"
#define OID_UID "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"
#define OID_EMAIL "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"

struct attribute {
	uint8_t oid[OID_MAX];
	size_t oid_n;
	size_t place; /* in the table; ARRAY_LEN(places): as it was written */
	size_t at, n; /* its value in the values' buffer */
};

struct parser {
	struct bytes text;
	size_t at;
	struct buf values;
	struct attribute list[ATTRIBUTES_MAX];
	size_t count;
};

static int complain(const struct parser *p, struct err *e, const char *what)
{
	char shown[120];

	return FAIL(e, NAME, "\"%s\": %s at character %zu",
		    escape_to(shown, sizeof(shown), p->text), what, p->at + 1);
}

static int peek(const struct parser *p)
{
	return p->at < p->text.n ? p->text.p[p->at] : -1;
}

static void skip_spaces(struct parser *p)
{
	while (peek(p) == ' ' || peek(p) == '\t' || peek(p) == '\n')
		p->at++;
}

/* The OID of a type that is spelled in any case, by our table, then by libcrypto's. */
static int find_type(const char *type, struct attribute *a)
{
	static const char *const own[][2] = { { "dc", OID_DC },
					      { "e", OID_EMAIL },
					      { "email", OID_EMAIL },
					      { "uid", OID_UID },
					      { "emailaddress", OID_EMAIL } };
	const char *oid = NULL;
	ASN1_OBJECT *object;

	a->place = ARRAY_LEN(places);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (!bytes_equal_nocase(bytes_str(type), bytes_str(places[i].name)))
			continue;
		a->place = i;
		oid = places[i].oid;
	}
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (bytes_equal_nocase(bytes_str(type), bytes_str(own[i][0])))
			oid = own[i][1];
	if (oid) {
		a->oid_n = strlen(oid);
		memcpy(a->oid, oid, a->oid_n);
		return 0;
	}
	object = OBJ_txt2obj(type, 0);
	for (int nid = 1; !object && nid < OBJ_new_nid(0); nid++) {
		const char *name = OBJ_nid2sn(nid), *full = OBJ_nid2ln(nid);

		if ((name && bytes_equal_nocase(bytes_str(type), bytes_str(name))) ||
		    (full && bytes_equal_nocase(bytes_str(type), bytes_str(full))))
			object = OBJ_nid2obj(nid);
	}
	if (!object || OBJ_length(object) == 0 || OBJ_length(object) > OID_MAX) {
		ASN1_OBJECT_free(object);
		return -1;
	}
	a->oid_n = OBJ_length(object);
	memcpy(a->oid, OBJ_get0_data(object), a->oid_n);
	ASN1_OBJECT_free(object);
	return 0;
}

static int parse_type(struct parser *p, struct attribute *a, struct err *e)
{
	char type[TYPE_MAX];
	size_t n = 0;

	skip_spaces(p);
	while (peek(p) > ' ' && peek(p) != '=' && peek(p) != ',' && peek(p) != '+') {
		if (n == TYPE_MAX - 1)
			return complain(p, e, "a type that is too long");
		type[n++] = (char)p->text.p[p->at++];
	}
	type[n] = 0;
	skip_spaces(p);
	if (peek(p) != '=' || n == 0)
		return complain(p, e, "expected TYPE=VALUE, such as CN=a.example,");
	if (find_type(type, a) < 0)
		return complain(p, e,
				"a type that is not known before the = (expected C, ST, L, O, OU, "
				"CN, DC, UID, emailAddress … or an OID)");
	p->at++;
	return 0;
}

static int hex_of(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What a backslash stands before: two digits, or the character itself. */
static int parse_escape(struct parser *p, uint8_t *out, struct err *e)
{
	int first, second;

	p->at++;
	first = peek(p);
	if (first < 0)
		return complain(p, e, "nothing after the backslash");
	second = p->at + 1 < p->text.n ? hex_of(p->text.p[p->at + 1]) : -1;
	if (hex_of(first) >= 0 && second >= 0) {
		*out = (uint8_t)(hex_of(first) << 4 | second);
		p->at += 2;
		return 0;
	}
	*out = (uint8_t)first;
	p->at++;
	return 0;
}

static int parse_value(struct parser *p, struct attribute *a, struct err *e)
{
	size_t significant = p->values.n; /* spaces at the end are not part of it */
	bool quoted;

	skip_spaces(p);
	a->at = p->values.n;
	quoted = peek(p) == '"';
	p->at += quoted;
	while (peek(p) >= 0 && (quoted ? peek(p) != '"' : peek(p) != ',' && peek(p) != '+')) {
		bool escaped = peek(p) == '\\';
		uint8_t c = (uint8_t)peek(p);

		if (escaped && parse_escape(p, &c, e) < 0)
			return -1;
		p->at += !escaped;
		if (c == 0)
			return complain(p, e, "a NUL, which no name holds,");
		if (buf_add(&p->values, bytes_of(&c, 1), e) < 0)
			return -1;
		if (escaped || quoted || c != ' ')
			significant = p->values.n;
	}
	if (quoted && peek(p) != '"')
		return complain(p, e, "quotes that are not closed");
	p->at += quoted;
	skip_spaces(p);
	a->n = significant - a->at;
	if (a->n == 0)
		return complain(p, e, "a value that is empty");
	return 0;
}

static int parse_all(struct parser *p, struct err *e)
{
	uint32_t cp;

	skip_spaces(p);
	while (p->at < p->text.n) {
		struct attribute *a = &p->list[p->count];

		if (p->count == ATTRIBUTES_MAX)
			return complain(p, e, "more than 64 attributes");
		if (parse_type(p, a, e) < 0 || parse_value(p, a, e) < 0)
			return -1;
		for (size_t i = 0, n; i < a->n; i += n) {
			n = utf8_length(bytes_of(p->values.p + a->at + i, a->n - i), &cp);
			if (n == 0)
				return complain(p, e, "a value that is not UTF-8");
		}
		p->count++;
		if (p->at == p->text.n)
			break;
		if (peek(p) != ',' && peek(p) != '+')
			return complain(p, e, "expected , or the end");
		p->at++;
		if (p->at == p->text.n)
			return complain(p, e, "expected TYPE=VALUE after the comma,");
	}
	return 0;
}

static bool is_printable(struct bytes value)
{
	for (size_t i = 0; i < value.n; i++) {
		uint8_t c = value.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c && strchr(" '()+,-./:=?", c))))
			return false;
	}
	return true;
}

static bool is_type(const struct attribute *a, const char *oid)
{
	return bytes_equal(bytes_of(a->oid, a->oid_n), bytes_str(oid));
}

static struct bytes value_of(const struct parser *p, const struct attribute *a)
{
	return bytes_of(p->values.p + a->at, a->n);
}

static void put_attribute(struct wr *w, const struct parser *p, const struct attribute *a)
{
	struct bytes value = value_of(p, a);
	struct der_mark m = der_begin(w, DER_SEQUENCE);
	uint8_t tag = is_printable(value) ? DER_PRINTABLE_STRING : DER_UTF8_STRING;

	if (is_type(a, OID_DC) || is_type(a, OID_EMAIL))
		tag = DER_IA5_STRING;
	der_put(w, DER_OID, bytes_of(a->oid, a->oid_n));
	der_put(w, tag, value);
	der_end(w, m);
}

static int compare_values(const void *one, const void *other)
{
	const struct bytes *a = one, *b = other;
	int order = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);

	return order ? order : (a->n > b->n) - (a->n < b->n);
}

/* All values of one type; a SET OF is sorted (X.690, 11.6). */
static int put_place(struct wr *w, const struct parser *p, size_t place, struct err *e)
{
	AUTO(buf_fini) struct buf made = buf_init(VALUE_MAX * 2);
	struct wr part = wr_init(&made);
	struct bytes parts[ATTRIBUTES_MAX];
	size_t ends[ATTRIBUTES_MAX], count = 0, from = 0;
	struct der_mark set;

	for (size_t i = 0; i < p->count; i++) {
		if (p->list[i].place != place)
			continue;
		put_attribute(&part, p, &p->list[i]);
		ends[count++] = made.n;
	}
	if (wr_end(&part, e) < 0)
		return -1;
	for (size_t i = 0; i < count; from = ends[i++])
		parts[i] = bytes_of(made.p + from, ends[i] - from);
	if (count == 0)
		return 0;
	qsort(parts, count, sizeof(parts[0]), compare_values);
	set = der_begin(w, DER_SET);
	for (size_t i = 0; i < count; i++)
		wr_bytes(w, parts[i]);
	der_end(w, set);
	return 0;
}

static int put_name(const struct parser *p, struct buf *out, struct err *e)
{
	struct wr w = wr_init(out);
	struct der_mark name = der_begin(&w, DER_SEQUENCE);

	for (size_t place = 0; place < ARRAY_LEN(places); place++)
		if (put_place(&w, p, place, e) < 0)
			return -1;
	for (size_t i = 0; i < p->count; i++) {
		struct der_mark set;

		if (p->list[i].place != ARRAY_LEN(places))
			continue;
		set = der_begin(&w, DER_SET);
		put_attribute(&w, p, &p->list[i]);
		der_end(&w, set);
	}
	der_end(&w, name);
	return wr_end(&w, e);
}

int ca_subject_parse(struct bytes text, struct buf *out, struct buf *common_name, struct err *e)
{
	struct parser p = { .text = text, .values = buf_init(VALUE_MAX) };
	const struct attribute *cn = NULL;
	size_t before = out->n;
	int done = parse_all(&p, e);

	for (size_t i = 0; i < p.count; i++)
		if (is_type(&p.list[i], OID_CN))
			cn = &p.list[i];
	if (done == 0)
		done = put_name(&p, out, e);
	if (done == 0 && cn && common_name)
		done = buf_add(common_name, value_of(&p, cn), e);
	if (done < 0)
		out->n = before;
	buf_fini(&p.values);
	return done;
}
