#include "pki/extension_text.h"

#include <stdio.h>

#include "base/escape.h"
#include "wire/addr.h"
#include "wire/der.h"

#define HEX_SHOWN 16 /* bytes of what is not known */

struct word {
	const char *oid, *name;
};

static const struct word purposes[] = {
	{ "1.3.6.1.5.5.7.3.1", "serverAuth" },	  { "1.3.6.1.5.5.7.3.2", "clientAuth" },
	{ "1.3.6.1.5.5.7.3.3", "codeSigning" },	  { "1.3.6.1.5.5.7.3.4", "emailProtection" },
	{ "1.3.6.1.5.5.7.3.8", "timeStamping" },  { "1.3.6.1.5.5.7.3.9", "OCSPSigning" },
	{ "2.5.29.37.0", "anyExtendedKeyUsage" }, { "1.3.6.1.4.1.311.10.3.3", "msSGC" },
	{ "2.16.840.1.113730.4.1", "nsSGC" },
};
static const struct word policies[] = {
	{ "2.5.29.32.0", "anyPolicy" },
	{ "2.23.140.1.1", "extended validation" },
	{ "2.23.140.1.2.1", "domain validated" },
	{ "2.23.140.1.2.2", "organisation validated" },
	{ "2.23.140.1.2.3", "individual validated" },
};
static const struct word methods[] = {
	{ "1.3.6.1.5.5.7.48.1", "OCSP" },
	{ "1.3.6.1.5.5.7.48.2", "issuer" },
};
static const char *const usages[] = {
	[USAGE_DIGITAL_SIGNATURE] = "digitalSignature",
	[USAGE_NON_REPUDIATION] = "nonRepudiation",
	[USAGE_KEY_ENCIPHERMENT] = "keyEncipherment",
	[USAGE_DATA_ENCIPHERMENT] = "dataEncipherment",
	[USAGE_KEY_AGREEMENT] = "keyAgreement",
	[USAGE_KEY_CERT_SIGN] = "keyCertSign",
	[USAGE_CRL_SIGN] = "cRLSign",
	[USAGE_ENCIPHER_ONLY] = "encipherOnly",
	[USAGE_DECIPHER_ONLY] = "decipherOnly",
};

/* A list of things under way: after a failure nothing more is added. */
struct text {
	struct buf *out;
	struct err *e;
	size_t count; /* of things so far */
	bool failed;
};

static void say(struct text *t, const char *thing)
{
	if (!t->failed && buf_printf(t->out, t->e, "%s%s", t->count ? ", " : "", thing) < 0)
		t->failed = true;
	t->count++;
}

static const char *lookup(const struct word *words, size_t n, struct bytes oid, char room[64])
{
	oid_text(oid, room, 64);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i].oid, room) == 0)
			return words[i].name;
	}
	return room;
}

const char *eku_title(struct bytes oid, char room[64])
{
	return lookup(purposes, ARRAY_LEN(purposes), oid, room);
}

const char *key_usage_name(enum key_usage u)
{
	return usages[u];
}

/* An address, or with twice the length an address and its mask. */
static void ip_text(struct bytes value, char *out, size_t size)
{
	size_t half = value.n == 8 || value.n == 32 ? value.n / 2 : value.n;
	char a[2][ADDR_TEXT_MAX] = { "", "" };

	if (half != 4 && half != 16) {
		snprintf(out, size, "IP:(%zu bytes, expected 4 or 16)", value.n);
		return;
	}
	for (size_t i = 0; i * half < value.n; i++) {
		struct addr one = { .family = half == 4 ? ADDR_IP4 : ADDR_IP6 };

		memcpy(one.ip, value.p + i * half, half);
		addr_ip_text(&one, a[i]);
	}
	snprintf(out, size, "IP:%s%s%s", a[0], a[1][0] ? "/" : "", a[1]);
}

const char *san_kind_text(const struct san *s, char *out, size_t size)
{
	char text[300], oid[64];

	switch (s->kind) {
	case SAN_EMAIL:
		snprintf(out, size, "email:%s", escape_to(text, sizeof(text), s->value));
		break;
	case SAN_DNS:
		snprintf(out, size, "DNS:%s", escape_to(text, sizeof(text), s->value));
		break;
	case SAN_URI:
		snprintf(out, size, "URI:%s", escape_to(text, sizeof(text), s->value));
		break;
	case SAN_IP:
		ip_text(s->value, out, size);
		break;
	case SAN_DIRECTORY:
		snprintf(out, size, "name:%s", name_text(s->value, text, sizeof(text)));
		break;
	case SAN_REGISTERED_ID:
		snprintf(out, size, "OID:%s", oid_text(s->value, oid, sizeof(oid)));
		break;
	case SAN_OTHER:
	case SAN_X400:
	case SAN_EDI:
	default:
		snprintf(out, size, "name of kind %d (%zu bytes)", (int)s->kind, s->value.n);
	}
	return out;
}

static void general_name(struct text *t, struct rd *r)
{
	struct der d = der_next(r);
	struct san s = { .kind = d.tag & 0x1f, .value = d.value };
	char text[340];

	if (!*r->bad)
		say(t, san_kind_text(&s, text, sizeof(text)));
}

static void general_names(struct text *t, struct rd r)
{
	while (r.n)
		general_name(t, &r);
}

static void hex(struct text *t, const char *before, struct bytes b)
{
	char out[160];
	size_t at = (size_t)snprintf(out, sizeof(out), "%s", before);

	for (size_t i = 0; i < b.n && at + 8 < sizeof(out); i++)
		at += (size_t)snprintf(out + at, sizeof(out) - at, "%s%02X", i ? ":" : "", b.p[i]);
	say(t, out);
}

/* ---- one reader an extension; each raises the reader's flag when it is malformed */

static void read_names(struct text *t, struct rd *r)
{
	general_names(t, der_open(r, DER_SEQUENCE));
}

static void read_key_usage(struct text *t, struct rd *r)
{
	struct bytes bits = der_bits(r, &(unsigned){ 0 });

	for (size_t i = 0; i < ARRAY_LEN(usages); i++) {
		if (i / 8 < bits.n && bits.p[i / 8] & 0x80 >> i % 8)
			say(t, usages[i]);
	}
}

static void read_purposes(struct text *t, struct rd *r)
{
	struct rd list = der_open(r, DER_SEQUENCE);
	char room[64];

	while (list.n)
		say(t, eku_title(der_oid(&list), room));
}

static void read_constraints(struct text *t, struct rd *r)
{
	struct rd in = der_open(r, DER_SEQUENCE);
	bool ca = der_peek(&in) == DER_BOOLEAN && der_bool(&in);
	char text[64];

	say(t, ca ? "a CA" : "no CA");
	if (in.n) {
		snprintf(text, sizeof(text), "at most %llu CAs below it",
			 (unsigned long long)der_uint(&in));
		say(t, text);
	}
	rd_end(&in);
}

static void read_key_id(struct text *t, struct rd *r)
{
	hex(t, "", der_value(r, DER_OCTET_STRING));
}

static void read_authority_id(struct text *t, struct rd *r)
{
	struct rd in = der_open(r, DER_SEQUENCE);

	if (der_peek(&in) == DER_CONTEXT(0))
		hex(t, "", der_value(&in, DER_CONTEXT(0)));
	if (der_peek(&in) == DER_CONTEXT_OPEN(1))
		general_names(t, der_open(&in, DER_CONTEXT_OPEN(1)));
	if (der_peek(&in) == DER_CONTEXT(2))
		hex(t, "serial ", der_value(&in, DER_CONTEXT(2)));
	rd_end(&in);
}

static void subtrees(struct text *t, const char *what, struct rd list)
{
	while (list.n) {
		struct rd one = der_open(&list, DER_SEQUENCE);
		struct der d = der_next(&one);
		struct san s = { .kind = d.tag & 0x1f, .value = d.value };
		char name[340], text[360];

		snprintf(text, sizeof(text), "%s %s", what, san_kind_text(&s, name, sizeof(name)));
		say(t, text);
	}
}

static void read_name_constraints(struct text *t, struct rd *r)
{
	struct rd in = der_open(r, DER_SEQUENCE);

	if (der_peek(&in) == DER_CONTEXT_OPEN(0))
		subtrees(t, "only", der_open(&in, DER_CONTEXT_OPEN(0)));
	if (der_peek(&in) == DER_CONTEXT_OPEN(1))
		subtrees(t, "not", der_open(&in, DER_CONTEXT_OPEN(1)));
	rd_end(&in);
}

/* DistributionPointName ::= fullName [0], of which the names are told. */
static void read_points(struct text *t, struct rd *r)
{
	struct rd list = der_open(r, DER_SEQUENCE);

	while (list.n) {
		struct rd point = der_open(&list, DER_SEQUENCE), name;

		if (der_peek(&point) != DER_CONTEXT_OPEN(0))
			continue;
		name = der_open(&point, DER_CONTEXT_OPEN(0));
		if (der_peek(&name) == DER_CONTEXT_OPEN(0))
			general_names(t, der_open(&name, DER_CONTEXT_OPEN(0)));
	}
}

static void read_access(struct text *t, struct rd *r)
{
	struct rd list = der_open(r, DER_SEQUENCE);

	while (list.n) {
		struct rd one = der_open(&list, DER_SEQUENCE);
		char room[64], name[340], text[420];
		const char *method = lookup(methods, ARRAY_LEN(methods), der_oid(&one), room);
		struct der d = der_next(&one);
		struct san s = { .kind = d.tag & 0x1f, .value = d.value };

		snprintf(text, sizeof(text), "%s %s", method,
			 san_kind_text(&s, name, sizeof(name)));
		say(t, text);
	}
}

static void read_policies(struct text *t, struct rd *r)
{
	struct rd list = der_open(r, DER_SEQUENCE);
	char room[64];

	while (list.n) {
		struct rd one = der_open(&list, DER_SEQUENCE);

		say(t, lookup(policies, ARRAY_LEN(policies), der_oid(&one), room));
	}
}

static void read_mappings(struct text *t, struct rd *r)
{
	struct rd list = der_open(r, DER_SEQUENCE);
	char from[64], to[64], text[140];

	while (list.n) {
		struct rd one = der_open(&list, DER_SEQUENCE);

		oid_text(der_oid(&one), from, sizeof(from));
		oid_text(der_oid(&one), to, sizeof(to));
		snprintf(text, sizeof(text), "%s to %s", from, to);
		say(t, text);
	}
}

/* RFC 7633: extensions of TLS that the server promises to answer. */
static void read_features(struct text *t, struct rd *r)
{
	struct rd list = der_open(r, DER_SEQUENCE);
	char text[40];

	while (list.n) {
		unsigned long long feature = der_uint(&list);

		snprintf(text, sizeof(text), "feature %llu", feature);
		say(t, feature == 5 ? "must staple (status_request)" : text);
	}
}

/* RFC 6962, 3.3 */
static void read_scts(struct text *t, struct rd *r)
{
	struct bytes inner = der_value(r, DER_OCTET_STRING);
	struct rd v = rd_init(inner, r->bad), list = rd_vec16(&v);
	size_t n = 0;
	char text[60];

	while (list.n) {
		(void)rd_vec16(&list);
		n++;
	}
	rd_end(&v);
	snprintf(text, sizeof(text), "%zu signed certificate timestamp%s", n, n == 1 ? "" : "s");
	say(t, text);
}

static void read_number(struct text *t, struct rd *r)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)der_uint(r));
	say(t, text);
}

static const struct {
	const char *oid, *title;
	void (*read)(struct text *t, struct rd *r); /* NULL: only its bytes are shown */
} kinds[] = {
	{ "2.5.29.14", "subject key identifier", read_key_id },
	{ "2.5.29.15", "key usage", read_key_usage },
	{ "2.5.29.17", "subject alternative names", read_names },
	{ "2.5.29.18", "issuer alternative names", read_names },
	{ "2.5.29.19", "basic constraints", read_constraints },
	{ "2.5.29.20", "CRL number", read_number },
	{ "2.5.29.30", "name constraints", read_name_constraints },
	{ "2.5.29.31", "CRL distribution points", read_points },
	{ "2.5.29.32", "certificate policies", read_policies },
	{ "2.5.29.33", "policy mappings", read_mappings },
	{ "2.5.29.35", "authority key identifier", read_authority_id },
	{ "2.5.29.36", "policy constraints", NULL },
	{ "2.5.29.37", "extended key usage", read_purposes },
	{ "2.5.29.46", "freshest CRL", read_points },
	{ "2.5.29.54", "inhibit anyPolicy", read_number },
	{ "1.3.6.1.5.5.7.1.1", "authority information access", read_access },
	{ "1.3.6.1.5.5.7.1.24", "TLS features", read_features },
	{ "1.3.6.1.5.5.7.48.1.5", "OCSP no check", NULL },
	{ "1.3.6.1.4.1.11129.2.4.2", "signed certificate timestamps", read_scts },
	{ "1.3.6.1.4.1.11129.2.4.3", "precertificate poison", NULL },
	{ "2.16.840.1.113730.1.1", "Netscape certificate type", NULL },
	{ "2.16.840.1.113730.1.13", "Netscape comment", NULL },
};

static size_t kind_of(struct bytes oid)
{
	char room[64];
	size_t i = 0;

	oid_text(oid, room, sizeof(room));
	while (i < ARRAY_LEN(kinds) && strcmp(kinds[i].oid, room) != 0)
		i++;
	return i;
}

const char *extension_title(struct bytes oid, char room[64])
{
	size_t i = kind_of(oid);

	return i < ARRAY_LEN(kinds) ? kinds[i].title : oid_text(oid, room, 64);
}

static int tell_bytes(struct bytes value, const char *what, struct buf *out, struct err *e)
{
	struct text t = { .out = out, .e = e };
	char before[64];

	snprintf(before, sizeof(before), "%s%zu byte%s%s", what, value.n, value.n == 1 ? "" : "s",
		 value.n ? ": " : "");
	hex(&t, before, bytes_slice(value, 0, HEX_SHOWN));
	if (!t.failed && value.n > HEX_SHOWN)
		t.failed = buf_add(out, bytes_str("..."), e) < 0;
	return t.failed ? -1 : 0;
}

int extension_text(const struct cert_extension *x, struct buf *out, struct err *e)
{
	size_t i = kind_of(x->oid), before = out->n;
	bool bad = false;
	struct rd r = rd_init(x->value, &bad);
	struct text t = { .out = out, .e = e };

	if (i == ARRAY_LEN(kinds) || !kinds[i].read)
		return tell_bytes(x->value, "", out, e);
	kinds[i].read(&t, &r);
	rd_end(&r);
	if (t.failed)
		return -1;
	if (!bad && t.count)
		return 0;
	out->n = before;
	return bad ? tell_bytes(x->value, "malformed, ", out, e)
		   : buf_add(out, bytes_str("(nothing)"), e);
}
