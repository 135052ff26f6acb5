#include "pki/cert.h"

#include "wire/der.h"

#define OID(s)                                                                                     \
	{                                                                                          \
		(const uint8_t *)(s), sizeof(s) - 1                                                \
	}

/* AlgorithmIdentifier (RFC 5280, 4.1.1.2). The parameters of every algorithm there is are absent,
 * NULL, an OID or a SEQUENCE; anything else is refused. */
static struct bytes read_algorithm(struct rd *r, struct der *parameters)
{
	struct rd alg = der_open(r, DER_SEQUENCE);
	struct bytes oid = der_oid(&alg);
	struct der p = { 0 };

	if (alg.n)
		p = der_next(&alg);
	if (p.whole.n && p.tag != DER_OID && p.tag != DER_SEQUENCE && p.tag != DER_NULL)
		*r->bad = true;
	if (!der_is_valid(p))
		*r->bad = true;
	rd_end(&alg);
	if (parameters)
		*parameters = p;
	return oid;
}

static void read_version(struct rd *tbs, struct cert *c)
{
	struct rd explicit;
	uint64_t v;

	c->version = 1;
	if (der_peek(tbs) != DER_CONTEXT_OPEN(0))
		return;
	explicit = der_open(tbs, DER_CONTEXT_OPEN(0));
	v = der_uint(&explicit);
	c->version = v > 3 ? 4 : (unsigned)v + 1;
	rd_end(&explicit);
}

static void read_serial(struct rd *tbs, struct cert *c)
{
	c->serial = der_integer(tbs);
}

static void read_signature(struct rd *tbs, struct cert *c)
{
	c->signature_oid = read_algorithm(tbs, NULL);
}

static struct bytes read_name(struct rd *tbs)
{
	struct bytes name = der_whole(tbs, DER_SEQUENCE);

	if (!name_is_valid(name))
		*tbs->bad = true;
	return name;
}

static void read_issuer(struct rd *tbs, struct cert *c)
{
	c->issuer = read_name(tbs);
}

static void read_validity(struct rd *tbs, struct cert *c)
{
	struct rd validity = der_open(tbs, DER_SEQUENCE);

	c->not_before = der_time(&validity);
	c->not_after = der_time(&validity);
	rd_end(&validity);
}

static void read_subject(struct rd *tbs, struct cert *c)
{
	c->subject = read_name(tbs);
}

static const struct {
	struct bytes oid;
	enum key_type type;
	unsigned bits;
} key_algorithms[] = {
	{ OID("\x2a\x86\x48\xce\x3d\x02\x01"), KEY_TYPE_EC, 0 },
	{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), KEY_TYPE_RSA, 0 },
	{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), KEY_TYPE_RSA_PSS, 0 },
	{ OID("\x2b\x65\x70"), KEY_TYPE_ED25519, 256 },
	{ OID("\x2b\x65\x71"), KEY_TYPE_ED448, 456 },
	{ OID("\x2a\x86\x48\xce\x38\x04\x01"), KEY_TYPE_DSA, 0 },
};

/* The bits of an RSA modulus, 0 when there is none to be found. */
static unsigned modulus_bits(struct bytes public)
{
	bool bad = false;
	struct rd r = rd_init(public, &bad), seq = der_open(&r, DER_SEQUENCE);
	struct bytes n = der_integer(&seq);
	unsigned bits;

	if (n.n && n.p[0] == 0)
		n = bytes_slice(n, 1, n.n);
	if (bad || n.n == 0)
		return 0;
	bits = (unsigned)n.n * 8;
	for (unsigned top = n.p[0]; top < 0x80 && bits; top = top << 1 | 1)
		bits--;
	return bits;
}

/* The size of the field, from the length of a point (SEC 1, 2.3.3). */
static unsigned point_bits(struct bytes point)
{
	if (point.n < 2)
		return 0;
	if (point.p[0] == 2 || point.p[0] == 3)
		return (unsigned)(point.n - 1) * 8;
	/* P-521 is the one curve whose size is no whole number of bytes. */
	return point.n == 133 ? 521 : (unsigned)(point.n - 1) * 4;
}

static void read_key(struct rd *r, struct cert_key *k)
{
	struct rd spki = der_open(r, DER_SEQUENCE);
	struct der parameters;

	k->oid = read_algorithm(&spki, &parameters);
	k->public = der_bits(&spki, NULL);
	rd_end(&spki);
	for (size_t i = 0; i < ARRAY_LEN(key_algorithms); i++) {
		if (!bytes_equal(key_algorithms[i].oid, k->oid))
			continue;
		k->type = key_algorithms[i].type;
		k->bits = key_algorithms[i].bits;
	}
	if (k->type == KEY_TYPE_RSA || k->type == KEY_TYPE_RSA_PSS)
		k->bits = modulus_bits(k->public);
	if (k->type == KEY_TYPE_EC) {
		k->bits = point_bits(k->public);
		if (parameters.tag == DER_OID)
			k->curve = parameters.value;
	}
}

static void read_spki(struct rd *tbs, struct cert *c)
{
	struct rd again = *tbs;

	c->spki = der_whole(&again, DER_SEQUENCE);
	read_key(tbs, &c->key);
}

int spki_parse(struct bytes spki, struct cert_key *key, struct err *e)
{
	bool bad = false;
	struct rd r = rd_init(spki, &bad);
	struct cert_key got = { 0 };

	read_key(&r, &got);
	rd_end(&r);
	if (bad)
		return FAIL(e, DER, "not a SubjectPublicKeyInfo");
	*key = got;
	return 0;
}

/* issuerUniqueID and subjectUniqueID: IMPLICIT BIT STRINGs that nobody uses. */
static void read_unique_ids(struct rd *tbs, struct cert *c)
{
	(void)c;
	for (uint8_t i = 1; i <= 2; i++) {
		struct bytes v;

		if (der_peek(tbs) != DER_CONTEXT(i))
			continue;
		v = der_value(tbs, DER_CONTEXT(i));
		if (v.n == 0 || v.p[0] > 7 || (v.n == 1 && v.p[0]))
			*tbs->bad = true;
	}
}

static void read_extension_list(struct rd *tbs, struct cert *c)
{
	struct rd explicit, list;

	if (tbs->n == 0)
		return;
	explicit = der_open(tbs, DER_CONTEXT_OPEN(3));
	list = der_open(&explicit, DER_SEQUENCE);
	c->extensions = rd_rest(&list);
	rd_end(&explicit);
}

static const struct {
	const char *name;
	void (*read)(struct rd *tbs, struct cert *c);
} parts[] = {
	{ "version", read_version },	       { "serialNumber", read_serial },
	{ "signature", read_signature },       { "issuer", read_issuer },
	{ "validity", read_validity },	       { "subject", read_subject },
	{ "subjectPublicKeyInfo", read_spki }, { "unique identifier", read_unique_ids },
	{ "extensions", read_extension_list },
};

static struct cert_extension read_extension(struct rd *list)
{
	struct rd one = der_open(list, DER_SEQUENCE);
	struct cert_extension x = { .oid = der_oid(&one) };

	/* critical is DEFAULT FALSE; an explicit FALSE is no DER but common. */
	if (der_peek(&one) == DER_BOOLEAN)
		x.critical = der_bool(&one);
	x.value = der_value(&one, DER_OCTET_STRING);
	rd_end(&one);
	return x;
}

static bool name_in_san_is_valid(struct der d)
{
	switch (d.tag) {
	case DER_CONTEXT(SAN_EMAIL):
	case DER_CONTEXT(SAN_DNS):
	case DER_CONTEXT(SAN_URI):
	case DER_CONTEXT(SAN_IP):
		return true;
	case DER_CONTEXT(SAN_REGISTERED_ID):
		return oid_is_valid(d.value);
	case DER_CONTEXT_OPEN(SAN_DIRECTORY):
		return name_is_valid(d.value);
	case DER_CONTEXT_OPEN(SAN_OTHER):
	case DER_CONTEXT_OPEN(SAN_X400):
	case DER_CONTEXT_OPEN(SAN_EDI):
		return true;
	default:
		return false;
	}
}

/* OtherName ::= SEQUENCE { type-id OID, value [0] EXPLICIT ANY }, IMPLICIT in the GeneralName. */
static void check_other_name(struct rd parent, struct bytes value)
{
	struct rd r = rd_init(value, parent.bad), inner;

	(void)der_oid(&r);
	inner = der_open(&r, DER_CONTEXT_OPEN(0));
	if (!der_is_valid(der_next(&inner)))
		*parent.bad = true;
	rd_end(&inner);
	rd_end(&r);
}

static void check_directory_string(struct rd *r, uint8_t tag)
{
	struct rd explicit = der_open(r, tag);
	struct der d = der_next(&explicit);

	if (d.tag != DER_UTF8_STRING && d.tag != DER_PRINTABLE_STRING && d.tag != DER_T61_STRING &&
	    d.tag != DER_BMP_STRING && d.tag != DER_UNIVERSAL_STRING)
		*r->bad = true;
	if (!der_is_valid(d))
		*r->bad = true;
	rd_end(&explicit);
}

/* EDIPartyName ::= SEQUENCE { nameAssigner [0] OPTIONAL, partyName [1] }, DirectoryStrings. */
static void check_edi_party_name(struct rd parent, struct bytes value)
{
	struct rd r = rd_init(value, parent.bad);

	if (der_peek(&r) == DER_CONTEXT_OPEN(0))
		check_directory_string(&r, DER_CONTEXT_OPEN(0));
	check_directory_string(&r, DER_CONTEXT_OPEN(1));
	rd_end(&r);
}

static void read_san(struct rd *r, struct cert *c)
{
	struct rd list = der_open(r, DER_SEQUENCE);

	c->san = rd_rest(&list);
	while (list.n) {
		struct der d = der_next(&list);

		if (!name_in_san_is_valid(d))
			*r->bad = true;
		if (d.tag == DER_CONTEXT_OPEN(SAN_OTHER))
			check_other_name(list, d.value);
		if (d.tag == DER_CONTEXT_OPEN(SAN_EDI))
			check_edi_party_name(list, d.value);
	}
	c->has |= CERT_HAS_SAN;
}

static void read_key_usage(struct rd *r, struct cert *c)
{
	unsigned unused;
	struct bytes bits = der_bits(r, &unused);

	for (unsigned i = 0; i < 16 && i / 8 < bits.n; i++) {
		if (bits.p[i / 8] & (0x80 >> i % 8))
			c->key_usage |= (uint16_t)(1u << i);
	}
	c->has |= CERT_HAS_KEY_USAGE;
}

static void read_eku(struct rd *r, struct cert *c)
{
	struct rd list = der_open(r, DER_SEQUENCE);

	c->eku = rd_rest(&list);
	while (list.n)
		(void)der_oid(&list);
	c->has |= CERT_HAS_EKU;
}

static void read_basic_constraints(struct rd *r, struct cert *c)
{
	struct rd seq = der_open(r, DER_SEQUENCE);

	if (der_peek(&seq) == DER_BOOLEAN)
		c->is_ca = der_bool(&seq);
	if (der_peek(&seq) == DER_INTEGER) {
		uint64_t n = der_uint(&seq);

		c->path_length = n > UINT16_MAX ? UINT16_MAX : (unsigned)n;
		c->has |= CERT_HAS_PATH_LENGTH;
	}
	rd_end(&seq);
	c->has |= CERT_HAS_BASIC_CONSTRAINTS;
}

static void read_ski(struct rd *r, struct cert *c)
{
	c->ski = der_value(r, DER_OCTET_STRING);
	c->has |= CERT_HAS_SKI;
}

static void read_aki(struct rd *r, struct cert *c)
{
	struct rd seq = der_open(r, DER_SEQUENCE);

	if (der_peek(&seq) == DER_CONTEXT(0))
		c->aki = der_value(&seq, DER_CONTEXT(0));
	c->has |= CERT_HAS_AKI;
}

/* The extensions that are decoded; all are id-ce, 2.5.29. */
static const struct {
	const char *name;
	struct bytes oid;
	void (*read)(struct rd *r, struct cert *c);
} decoded[] = {
	{ "subjectAltName", OID("\x55\x1d\x11"), read_san },
	{ "keyUsage", OID("\x55\x1d\x0f"), read_key_usage },
	{ "extKeyUsage", OID("\x55\x1d\x25"), read_eku },
	{ "basicConstraints", OID("\x55\x1d\x13"), read_basic_constraints },
	{ "subjectKeyIdentifier", OID("\x55\x1d\x0e"), read_ski },
	{ "authorityKeyIdentifier", OID("\x55\x1d\x23"), read_aki },
};

static int decode_extension(const struct cert_extension *x, struct cert *c, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(decoded); i++) {
		bool bad = false;
		struct rd r = rd_init(x->value, &bad);

		if (!bytes_equal(decoded[i].oid, x->oid))
			continue;
		decoded[i].read(&r, c);
		rd_end(&r);
		if (bad)
			return FAIL(e, DER, "certificate: malformed extension %s", decoded[i].name);
	}
	return 0;
}

static int read_extensions(struct cert *c, struct err *e)
{
	struct bytes seen[CERT_EXTENSIONS_MAX];
	bool bad = false;
	struct rd list = rd_init(c->extensions, &bad);

	for (size_t n = 0; list.n; n++) {
		struct cert_extension x = read_extension(&list);

		if (bad)
			return FAIL(e, DER, "certificate: malformed extension number %zu", n + 1);
		if (n >= CERT_EXTENSIONS_MAX)
			return FAIL(e, CERT, "certificate: more than %d extensions",
				    CERT_EXTENSIONS_MAX);
		for (size_t i = 0; i < n; i++) {
			char oid[64];

			if (bytes_equal(seen[i], x.oid))
				return FAIL(e, CERT, "certificate: two extensions %s",
					    oid_text(x.oid, oid, sizeof(oid)));
		}
		seen[n] = x.oid;
		if (decode_extension(&x, c, e) < 0)
			return -1;
	}
	return 0;
}

static int read_tbs(struct rd tbs, struct cert *c, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		parts[i].read(&tbs, c);
		if (*tbs.bad)
			return FAIL(e, DER, "certificate: malformed %s", parts[i].name);
	}
	if (tbs.n)
		return FAIL(e, DER, "certificate: %zu bytes after the extensions", tbs.n);
	if (c->version > 3)
		return FAIL(e, CERT, "certificate: version %u, expected 1 to 3", c->version);
	return read_extensions(c, e);
}

int cert_parse(struct bytes der, struct cert *c, struct err *e)
{
	bool bad = false;
	struct rd r = rd_init(der, &bad), all = der_open(&r, DER_SEQUENCE), inner;
	struct cert got = { .der = der };

	if (der.n > CERT_SIZE_MAX)
		return FAIL(e, CERT, "certificate: %zu bytes, at most %d are read", der.n,
			    CERT_SIZE_MAX);
	inner = all;
	got.tbs = der_whole(&inner, DER_SEQUENCE);
	(void)read_algorithm(&inner, NULL);
	(void)der_bits(&inner, NULL);
	rd_end(&inner);
	rd_end(&r);
	if (bad)
		return FAIL(e, DER, "certificate: not the structure of a certificate");
	if (read_tbs(der_open(&all, DER_SEQUENCE), &got, e) < 0)
		return -1;
	*c = got;
	return 0;
}

size_t cert_length(struct bytes der)
{
	bool bad = false;
	struct rd r = rd_init(der, &bad);
	struct bytes whole = der_whole(&r, DER_SEQUENCE);

	return bad ? 0 : whole.n;
}

bool cert_extension_next(struct bytes *rest, struct cert_extension *out)
{
	bool bad = false;
	struct rd list = rd_init(*rest, &bad);

	if (rest->n == 0)
		return false;
	*out = read_extension(&list);
	*rest = rd_rest(&list);
	return !bad;
}

bool cert_extension_find(const struct cert *c, struct bytes oid, struct cert_extension *out)
{
	struct bytes rest = c->extensions;

	while (cert_extension_next(&rest, out)) {
		if (bytes_equal(out->oid, oid))
			return true;
	}
	return false;
}

bool san_next(struct bytes *rest, struct san *out)
{
	bool bad = false;
	struct rd list = rd_init(*rest, &bad);
	struct der d;

	if (rest->n == 0)
		return false;
	d = der_next(&list);
	out->kind = d.tag & 0x1f;
	out->value = d.value;
	*rest = rd_rest(&list);
	return !bad;
}

bool eku_next(struct bytes *rest, struct bytes *oid)
{
	bool bad = false;
	struct rd list = rd_init(*rest, &bad);

	if (rest->n == 0)
		return false;
	*oid = der_oid(&list);
	*rest = rd_rest(&list);
	return !bad;
}
