/* The differential rule: our reader and libcrypto must see the same certificate. */
#include <openssl/x509v3.h>

#include "pki/cert.h"
#include "pki/x509.h"
#include "wire/der.h"

/* libcrypto gives views of what it read; each is compared with ours. */
static bool same_serial(const struct cert *c, const X509 *x)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
	uint8_t room[64], *to = room, *big = NULL;
	int n = i2d_ASN1_INTEGER(serial, NULL);
	bool bad = false, same;
	struct rd r;

	if (n <= 0)
		return false;
	if ((size_t)n > sizeof(room)) {
		n = i2d_ASN1_INTEGER(serial, &big);
		if (n <= 0)
			return false;
	} else {
		n = i2d_ASN1_INTEGER(serial, &to);
	}
	r = rd_init(bytes_of(big ? big : room, (size_t)n), &bad);
	same = bytes_equal(der_integer(&r), c->serial) && !bad;
	OPENSSL_free(big);
	return same;
}

static bool same_name(struct bytes ours, const X509_NAME *name)
{
	return bytes_equal(ours, x509_name(name));
}

static bool same_time(int64_t ours, const ASN1_TIME *t)
{
	int64_t theirs;

	return x509_time(t, &theirs) && theirs == ours;
}

static bool same_general_name(const struct san *ours, const GENERAL_NAME *theirs)
{
	if ((int)ours->kind != theirs->type)
		return false;
	switch (theirs->type) {
	case GEN_DNS:
	case GEN_EMAIL:
	case GEN_URI:
		return bytes_equal(ours->value, x509_string(theirs->d.ia5));
	case GEN_IPADD:
		return bytes_equal(ours->value, x509_string(theirs->d.iPAddress));
	case GEN_DIRNAME:
		return same_name(ours->value, theirs->d.directoryName);
	case GEN_RID:
		return bytes_equal(ours->value, bytes_of(OBJ_get0_data(theirs->d.registeredID),
							 OBJ_length(theirs->d.registeredID)));
	default: /* nothing of ours looks into the others */
		return true;
	}
}

static bool same_san_list(const struct cert *c, const GENERAL_NAMES *names)
{
	struct bytes rest = c->san;
	struct san s;
	int i = 0;

	while (san_next(&rest, &s)) {
		if (i >= sk_GENERAL_NAME_num(names) ||
		    !same_general_name(&s, sk_GENERAL_NAME_value(names, i)))
			return false;
		i++;
	}
	return i == sk_GENERAL_NAME_num(names);
}

static bool same_san(const struct cert *c, const X509 *x)
{
	int critical = -1;
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, &critical, NULL);
	bool same;

	if (!names) /* -1: there is no such extension */
		return critical == -1 && !(c->has & CERT_HAS_SAN);
	same = (c->has & CERT_HAS_SAN) && same_san_list(c, names);
	GENERAL_NAMES_free(names);
	return same;
}

int cert_agrees_with_libcrypto(const struct cert *c, const struct x509_st *x, struct err *e)
{
	const char *field = NULL;

	if (!same_serial(c, x))
		field = "serial number";
	else if (!same_name(c->issuer, X509_get_issuer_name(x)))
		field = "issuer";
	else if (!same_name(c->subject, X509_get_subject_name(x)))
		field = "subject";
	else if (!same_time(c->not_before, X509_get0_notBefore(x)) ||
		 !same_time(c->not_after, X509_get0_notAfter(x)))
		field = "validity";
	else if (!same_san(c, x))
		field = "subjectAltName";
	if (field)
		return FAIL(e, CERT, "certificate: libcrypto reads another %s than we do", field);
	return 0;
}
