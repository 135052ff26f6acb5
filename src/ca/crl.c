#include "ca/crl.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include "wire/der.h"

#define CRL_MAX ((size_t)64 << 20)

static const char oid_key_id[] = "\x55\x1d\x23", oid_number[] = "\x55\x1d\x14";

static void put_extension(struct wr *w, const char *oid, struct bytes value)
{
	struct der_mark m = der_begin(w, DER_SEQUENCE);

	der_put(w, DER_OID, bytes_str(oid));
	der_put(w, DER_OCTET_STRING, value);
	der_end(w, m);
}

static int put_extensions(struct wr *w, const struct ca_crl *crl, struct bytes key_id,
			  struct err *e)
{
	AUTO(buf_fini) struct buf value = buf_init(256);
	struct wr v = wr_init(&value);
	struct der_mark explicit = der_begin(w, DER_CONTEXT_OPEN(0)),
			list = der_begin(w, DER_SEQUENCE), m;

	if (key_id.n) {
		m = der_begin(&v, DER_SEQUENCE);
		der_put(&v, DER_CONTEXT(0), key_id);
		der_end(&v, m);
		if (wr_end(&v, e) < 0)
			return -1;
		put_extension(w, oid_key_id, buf_bytes(&value));
		buf_clear(&value);
	}
	der_put_uint(&v, crl->number);
	if (wr_end(&v, e) < 0)
		return -1;
	put_extension(w, oid_number, buf_bytes(&value));
	der_end(w, list);
	der_end(w, explicit);
	return 0;
}

static void put_revoked(struct wr *w, const struct ca_crl *crl)
{
	struct der_mark list;

	if (crl->count == 0)
		return; /* RFC 5280, 5.1.2.6: then it must be absent */
	list = der_begin(w, DER_SEQUENCE);
	for (size_t i = 0; i < crl->count; i++) {
		struct der_mark m = der_begin(w, DER_SEQUENCE);

		der_put_unsigned(w, crl->list[i].serial);
		der_put_time(w, crl->list[i].at);
		der_end(w, m);
	}
	der_end(w, list);
}

int ca_crl_write(const struct ca_crl *crl, const struct ca_issuer *by, struct buf *out,
		 struct err *e)
{
	AUTO(buf_fini) struct buf tbs = buf_init(CRL_MAX);
	struct wr w = wr_init(&tbs);
	struct der_mark whole = der_begin(&w, DER_SEQUENCE);

	der_put_uint(&w, 1);
	wr_bytes(&w, ca_algorithm(by->key));
	wr_bytes(&w, by->subject);
	der_put_time(&w, crl->this_update);
	der_put_time(&w, crl->next_update);
	put_revoked(&w, crl);
	if (put_extensions(&w, crl, by->key_id, e) < 0)
		return -1;
	der_end(&w, whole);
	if (wr_end(&w, e) < 0)
		return -1;
	return ca_sign(by->key, buf_bytes(&tbs), out, e);
}

static bool is_time(uint8_t tag)
{
	return tag == DER_UTC_TIME || tag == DER_GENERALIZED_TIME;
}

/* The number, of as many bytes as somebody liked. */
static uint64_t parse_number(struct bytes value, bool *bad)
{
	struct rd r = rd_init(value, bad);
	struct bytes number = der_integer(&r);
	uint64_t n = 0;

	rd_end(&r);
	if (*bad || number.n == 0 || (number.p[0] & 0x80))
		return 0;
	for (size_t i = 0; i < number.n; i++) {
		if (n >> 56)
			return UINT64_MAX;
		n = n << 8 | number.p[i];
	}
	return n;
}

static void parse_extensions(struct rd *r, struct ca_crl_view *v, bool *bad)
{
	struct rd explicit, list;

	if (der_peek(r) != DER_CONTEXT_OPEN(0))
		return;
	explicit = der_open(r, DER_CONTEXT_OPEN(0));
	list = der_open(&explicit, DER_SEQUENCE);
	while (list.n) {
		struct rd x = der_open(&list, DER_SEQUENCE);
		struct bytes oid = der_oid(&x), value;

		if (der_peek(&x) == DER_BOOLEAN)
			(void)der_bool(&x);
		value = der_value(&x, DER_OCTET_STRING);
		rd_end(&x);
		if (!*bad && bytes_equal(oid, bytes_str(oid_number)))
			v->number = parse_number(value, bad);
	}
	rd_end(&explicit);
}

/* One entry; what it has beside serial and date (reasons) is passed over. */
static void parse_entry(struct rd *list, struct ca_revoked *out)
{
	struct rd r = der_open(list, DER_SEQUENCE);
	struct bytes serial = der_integer(&r);

	while (serial.n > 1 && serial.p[0] == 0)
		serial = bytes_slice(serial, 1, serial.n);
	out->serial = serial;
	out->at = der_time(&r);
	if (r.n)
		(void)der_whole(&r, DER_SEQUENCE);
	rd_end(&r);
}

static struct bytes parse_revoked(struct rd *tbs)
{
	struct bytes content = { 0 };
	struct ca_revoked one;
	struct rd list;

	if (der_peek(tbs) != DER_SEQUENCE)
		return content;
	list = der_open(tbs, DER_SEQUENCE);
	content = bytes_of(list.p, list.n);
	while (list.n)
		parse_entry(&list, &one);
	return content;
}

int ca_crl_parse(struct bytes der, struct ca_crl_view *out, struct err *e)
{
	bool bad = false;
	struct rd r = rd_init(der, &bad), whole = der_open(&r, DER_SEQUENCE),
		  tbs = der_open(&whole, DER_SEQUENCE);
	struct ca_crl_view v = { 0 };

	rd_end(&r);
	if (der_peek(&tbs) == DER_INTEGER)
		bad |= der_uint(&tbs) != 1;
	(void)der_whole(&tbs, DER_SEQUENCE);
	v.issuer = der_whole(&tbs, DER_SEQUENCE);
	v.this_update = der_time(&tbs);
	if (is_time(der_peek(&tbs)))
		v.next_update = der_time(&tbs);
	v.revoked = parse_revoked(&tbs);
	parse_extensions(&tbs, &v, &bad);
	rd_end(&tbs);
	(void)der_whole(&whole, DER_SEQUENCE);
	(void)der_bits(&whole, NULL);
	rd_end(&whole);
	if (bad)
		return FAIL(e, DER, "CRL: not a list of version 1 or 2 in DER");
	*out = v;
	return 0;
}

bool ca_crl_next(struct bytes *rest, struct ca_revoked *out)
{
	bool bad = false;
	struct rd list = rd_init(*rest, &bad);

	if (rest->n == 0)
		return false;
	parse_entry(&list, out);
	*rest = bytes_of(list.p, list.n);
	return !bad;
}

bool ca_crl_is_signed_by(struct bytes der, EVP_PKEY *key)
{
	const unsigned char *p = der.p;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);
	bool ok = crl && X509_CRL_verify(crl, key) == 1;

	X509_CRL_free(crl);
	ERR_clear_error();
	return ok;
}
