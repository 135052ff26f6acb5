#include "ca/extension.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/escape.h"
#include "wire/der.h"

#define VALUE_MAX ((size_t)1 << 20)

enum row {
	ROW_KEY_USAGE,
	ROW_EXT_KEY_USAGE,
	ROW_BASIC_CONSTRAINTS,
	ROW_SUBJECT_KEY_ID,
	ROW_AUTHORITY_KEY_ID,
	ROW_OCSP,
	ROW_NAMES,
	ROW_NAME_CONSTRAINTS,
	ROW_CRL,
	ROW_MUST_STAPLE,
	ROW_COUNT
};

#define OID(s)                                                                                     \
	{                                                                                          \
		(const uint8_t *)(s), sizeof(s) - 1                                                \
	}
const struct ca_extension ca_extensions[] = {
	[ROW_KEY_USAGE] = { "key_usages", OID("\x55\x1d\x0f"), false, true },
	[ROW_EXT_KEY_USAGE] = { "ext_key_usages", OID("\x55\x1d\x25"), false, false },
	[ROW_BASIC_CONSTRAINTS] = { "ca", OID("\x55\x1d\x13"), false, true },
	[ROW_SUBJECT_KEY_ID] = { "subject key identifier", OID("\x55\x1d\x0e"), true, false },
	[ROW_AUTHORITY_KEY_ID] = { "authority key identifier", OID("\x55\x1d\x23"), true, false },
	[ROW_OCSP] = { "ocsp", OID("\x2b\x06\x01\x05\x05\x07\x01\x01"), false, false },
	[ROW_NAMES] = { "sans", OID("\x55\x1d\x11"), false, false },
	[ROW_NAME_CONSTRAINTS] = { "name_constraints", OID("\x55\x1d\x1e"), false, true },
	[ROW_CRL] = { "crl_distribution_points", OID("\x55\x1d\x1f"), false, false },
	[ROW_MUST_STAPLE] = { "must_staple", OID("\x2b\x06\x01\x05\x05\x07\x01\x18"), false,
			      false },
	[ROW_COUNT] = { 0 },
};

static void put_name(struct wr *w, const struct san *n)
{
	if (n->kind == SAN_DIRECTORY) {
		struct der_mark m = der_begin(w, DER_CONTEXT_OPEN(SAN_DIRECTORY));

		wr_bytes(w, n->value);
		der_end(w, m);
		return;
	}
	der_put(w, (uint8_t)DER_CONTEXT((unsigned)n->kind), n->value);
}

/* The names of one kind after those of another, as certyaml's library orders them. */
static void put_names(struct wr *w, const struct profile *p)
{
	static const enum san_kind order[] = { SAN_DNS, SAN_EMAIL, SAN_IP, SAN_URI };
	struct der_mark m = der_begin(w, DER_SEQUENCE);

	for (size_t k = 0; k < ARRAY_LEN(order); k++)
		for (size_t i = 0; i < p->names.count; i++)
			if (p->names.list[i].kind == order[k])
				put_name(w, &p->names.list[i]);
	der_end(w, m);
}

static void put_key_usage(struct wr *w, const struct profile *p)
{
	der_put_named_bits(w, p->key_usage);
}

static void put_ext_key_usage(struct wr *w, const struct profile *p)
{
	struct der_mark m = der_begin(w, DER_SEQUENCE);

	for (size_t i = 0; i < p->ext_key_usage.count; i++)
		der_put(w, DER_OID, p->ext_key_usage.list[i]);
	der_end(w, m);
}

static void put_basic_constraints(struct wr *w, const struct profile *p)
{
	struct der_mark m = der_begin(w, DER_SEQUENCE);

	der_put_bool(w, true);
	if (p->path_length >= 0)
		der_put_uint(w, (uint64_t)p->path_length);
	der_end(w, m);
}

static void put_ocsp(struct wr *w, const struct profile *p)
{
	static const char method[] = "\x2b\x06\x01\x05\x05\x07\x30\x01"; /* id-ad-ocsp */
	struct der_mark list = der_begin(w, DER_SEQUENCE);

	for (size_t i = 0; i < p->ocsp_urls.count; i++) {
		struct der_mark m = der_begin(w, DER_SEQUENCE);

		der_put(w, DER_OID, bytes_str(method));
		der_put(w, DER_CONTEXT(SAN_URI), p->ocsp_urls.list[i]);
		der_end(w, m);
	}
	der_end(w, list);
}

/* One DistributionPoint a URL: other places of the same list would share one. */
static void put_crl(struct wr *w, const struct profile *p)
{
	struct der_mark list = der_begin(w, DER_SEQUENCE);

	for (size_t i = 0; i < p->crl_urls.count; i++) {
		struct der_mark point = der_begin(w, DER_SEQUENCE);
		struct der_mark name = der_begin(w, DER_CONTEXT_OPEN(0));
		struct der_mark full = der_begin(w, DER_CONTEXT_OPEN(0));

		der_put(w, DER_CONTEXT(SAN_URI), p->crl_urls.list[i]);
		der_end(w, full);
		der_end(w, name);
		der_end(w, point);
	}
	der_end(w, list);
}

static void put_subtrees(struct wr *w, uint8_t tag, const struct ca_names *names)
{
	struct der_mark list;

	if (names->count == 0)
		return;
	list = der_begin(w, tag);
	for (size_t i = 0; i < names->count; i++) {
		struct der_mark m = der_begin(w, DER_SEQUENCE);

		put_name(w, &names->list[i]);
		der_end(w, m);
	}
	der_end(w, list);
}

static void put_name_constraints(struct wr *w, const struct profile *p)
{
	struct der_mark m = der_begin(w, DER_SEQUENCE);

	put_subtrees(w, DER_CONTEXT_OPEN(0), &p->permitted);
	put_subtrees(w, DER_CONTEXT_OPEN(1), &p->excluded);
	der_end(w, m);
}

static void put_must_staple(struct wr *w, const struct profile *p)
{
	struct der_mark m = der_begin(w, DER_SEQUENCE);

	(void)p;
	der_put_uint(w, 5); /* status_request */
	der_end(w, m);
}

static void put_key_ids(struct wr *w, enum row row, const struct ca_key_ids *ids)
{
	struct der_mark m;

	if (row == ROW_SUBJECT_KEY_ID && ids->ski.n)
		der_put(w, DER_OCTET_STRING, ids->ski);
	if (row != ROW_AUTHORITY_KEY_ID || ids->aki.n == 0)
		return;
	m = der_begin(w, DER_SEQUENCE);
	der_put(w, DER_CONTEXT(0), ids->aki);
	der_end(w, m);
}

static bool is_wanted(enum row row, const struct profile *p)
{
	switch (row) {
	case ROW_KEY_USAGE:
		return p->key_usage != 0;
	case ROW_EXT_KEY_USAGE:
		return p->ext_key_usage.count != 0;
	case ROW_BASIC_CONSTRAINTS:
		return p->is_ca;
	case ROW_OCSP:
		return p->ocsp_urls.count != 0;
	case ROW_NAMES:
		return p->names.count != 0;
	case ROW_NAME_CONSTRAINTS:
		return p->permitted.count != 0 || p->excluded.count != 0;
	case ROW_CRL:
		return p->crl_urls.count != 0;
	case ROW_MUST_STAPLE:
		return p->must_staple;
	case ROW_SUBJECT_KEY_ID:
	case ROW_AUTHORITY_KEY_ID:
	case ROW_COUNT:
		break;
	}
	return false;
}

static void (*const puts_value[ROW_COUNT])(struct wr *w, const struct profile *p) = {
	[ROW_KEY_USAGE] = put_key_usage,
	[ROW_EXT_KEY_USAGE] = put_ext_key_usage,
	[ROW_BASIC_CONSTRAINTS] = put_basic_constraints,
	[ROW_OCSP] = put_ocsp,
	[ROW_NAMES] = put_names,
	[ROW_NAME_CONSTRAINTS] = put_name_constraints,
	[ROW_CRL] = put_crl,
	[ROW_MUST_STAPLE] = put_must_staple,
};

int ca_extension_value(const struct ca_extension *x, const struct profile *p,
		       const struct ca_key_ids *ids, struct buf *out, struct err *e)
{
	enum row row = (enum row)(x - ca_extensions);
	struct wr w = wr_init(out);

	if (x->of_the_keys && ids)
		put_key_ids(&w, row, ids);
	else if (puts_value[row] && is_wanted(row, p))
		puts_value[row](&w, p);
	return wr_end(&w, e);
}

bool ca_extension_is_critical(const struct ca_extension *x, const struct profile *p)
{
	/* RFC 5280, 4.2.1.6: then the names are all that there is. */
	if (x == &ca_extensions[ROW_NAMES])
		return name_is_empty(p->subject);
	return x->critical;
}

struct ca_difference *ca_differences_add(struct ca_differences *d, const char *word)
{
	struct ca_difference *row;

	if (d->count == CA_DIFFERENCES_MAX)
		return NULL;
	row = &d->list[d->count++];
	*row = (struct ca_difference){ .word = word };
	return row;
}

/* In libcrypto's words, on one line. */
static void tell(const struct ca_extension *x, struct bytes value, char *out, size_t size)
{
	const unsigned char *oid = NULL;
	uint8_t whole[16] = { DER_OID, (uint8_t)x->oid.n };
	ASN1_OCTET_STRING *content = ASN1_OCTET_STRING_new();
	BIO *bio = BIO_new(BIO_s_mem());
	X509_EXTENSION *extension = NULL;
	ASN1_OBJECT *object;
	char *text = NULL;
	long n = 0;

	memcpy(whole + 2, x->oid.p, x->oid.n);
	oid = whole;
	object = d2i_ASN1_OBJECT(NULL, &oid, (long)x->oid.n + 2);
	if (value.n && object && content && bio &&
	    ASN1_OCTET_STRING_set(content, value.p, (int)value.n) == 1)
		extension = X509_EXTENSION_create_by_OBJ(NULL, object, 0, content);
	if (extension && X509V3_EXT_print(bio, extension, X509V3_EXT_DUMP_UNKNOWN, 0) == 1)
		n = BIO_get_mem_data(bio, &text);
	for (long i = 0; i < n; i++)
		if (text[i] == '\n')
			text[i] = ' ';
	if (value.n == 0)
		snprintf(out, size, "nothing");
	else
		escape_to(out, size, bytes_trim(bytes_of(text, (size_t)n)));
	X509_EXTENSION_free(extension);
	ASN1_OBJECT_free(object);
	ASN1_OCTET_STRING_free(content);
	BIO_free(bio);
	ERR_clear_error();
}

/* certyaml gives every key both usages; of an EC key the second is only superfluous. */
static bool is_same_usage(const struct profile *p, const struct cert *have)
{
	return (have->has & CERT_HAS_KEY_USAGE) && !p->is_ca &&
	       (have->key_usage | 1u << USAGE_KEY_ENCIPHERMENT) ==
		       (p->key_usage | 1u << USAGE_KEY_ENCIPHERMENT);
}

/* CA:FALSE in so many words says what silence says. */
static bool is_no_ca(const struct profile *p, const struct cert *have)
{
	return !p->is_ca && !have->is_ca;
}

int ca_extensions_compare(const struct profile *p, const struct cert *have, bool lenient,
			  struct ca_differences *out, struct err *e)
{
	AUTO(buf_fini) struct buf want = buf_init(VALUE_MAX);

	for (const struct ca_extension *x = ca_extensions; x->word; x++) {
		struct cert_extension found = { 0 };
		struct ca_difference *d;

		if (x->of_the_keys)
			continue;
		buf_clear(&want);
		if (ca_extension_value(x, p, NULL, &want, e) < 0)
			return -1;
		if (!cert_extension_find(have, x->oid, &found))
			found.value = (struct bytes){ 0 };
		if (bytes_equal(found.value, buf_bytes(&want)))
			continue;
		if (x == &ca_extensions[ROW_KEY_USAGE] && lenient && is_same_usage(p, have))
			continue;
		if (x == &ca_extensions[ROW_BASIC_CONSTRAINTS] && is_no_ca(p, have))
			continue;
		d = ca_differences_add(out, x->word);
		if (!d)
			return 0;
		tell(x, found.value, d->have, sizeof(d->have));
		tell(x, buf_bytes(&want), d->want, sizeof(d->want));
	}
	return 0;
}
