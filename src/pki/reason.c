/* The sentences in which a verdict is told. */
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/escape.h"
#include "pki/judge.h"
#include "pki/x509.h"
#include "wire/der.h"

/* "20 months" for a length of time */
static const char *age_text(int64_t seconds, char out[32])
{
	static const struct {
		int64_t unit, up_to;
		const char *name;
	} units[] = {
		{ 1, 120, "second" },
		{ 60, 7200, "minute" },
		{ 3600, 2 * 86400, "hour" },
		{ 86400, 62 * 86400, "day" },
		{ 2629746, 24 * (int64_t)2629746, "month" },
		{ 31556952, INT64_MAX, "year" },
	};
	size_t i = 0;
	int64_t n;

	while (seconds >= units[i].up_to)
		i++;
	n = seconds / units[i].unit;
	snprintf(out, 32, "%lld %s%s", (long long)n, units[i].name, n == 1 ? "" : "s");
	return out;
}

void date_reason(const char *whose, const struct span *s, int64_t now_s, char *out, size_t size)
{
	char date[16], age[32];

	if (span_at(s, now_s) == SPAN_AFTER)
		snprintf(out, size, "%s expired on %s, %s ago", whose, date_text(s->to, date),
			 age_text(now_s - s->to, age));
	else
		snprintf(out, size, "%s is not valid before %s, in %s", whose,
			 date_text(s->from, date), age_text(s->from - now_s, age));
}

static const char *subject_of(const X509 *x, char *out, size_t size)
{
	if (!x)
		return "?";
	return name_short_text(x509_subject(x), out, size);
}

static const char *issuer_of(const X509 *x, char *out, size_t size)
{
	if (!x)
		return "?";
	return name_short_text(x509_issuer(x), out, size);
}

static void wrong_name(const struct judge_request *req, char *out, size_t size)
{
	char names[100], asked[60];

	escape_to(asked, sizeof(asked), req->name);
	if (req->cert->san.n == 0)
		snprintf(
			out, size,
			"the certificate has no subject alternative name, so that it is not for %s",
			asked);
	else
		snprintf(out, size, "the certificate is for %s, not for %s",
			 cert_names_text(req->cert, names, sizeof(names)), asked);
}

static void unknown_issuer(const struct complaint *c, const struct judge_request *req, char *out,
			   size_t size)
{
	char name[56], issuer[56];

	subject_of(c->about, name, sizeof(name));
	issuer_of(c->about, issuer, sizeof(issuer));
	switch (c->error) {
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		snprintf(out, size, "the chain ends at \"%s\", which is no trusted root", name);
		return;
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
		snprintf(out, size, "the signature on \"%s\" was not made by its issuer \"%s\"",
			 name, issuer);
		return;
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
		snprintf(out, size, "\"%s\" may not sign certificates, but signed one of the chain",
			 name);
		return;
	case X509_V_ERR_CERT_REJECTED:
		if (c->about && trust_excludes(req->trust, c->about)) {
			snprintf(out, size,
				 "signed by \"%s\", a root of oriel's own, which is never accepted "
				 "from a server",
				 name);
			return;
		}
		break;
	default:
		break;
	}
	snprintf(out, size, "\"%s\" was not signed by the trusted root that it names, \"%s\"", name,
		 issuer);
}

static void wrong_purpose(const struct complaint *c, const struct judge_request *req, char *out,
			  size_t size)
{
	char name[80], oid[64];
	struct bytes rest = req->cert->eku, first = { 0 };

	if (c->depth == 0 && eku_next(&rest, &first)) {
		snprintf(out, size,
			 "the certificate is not for TLS servers (its extended key usage is %s%s)",
			 oid_text(first, oid, sizeof(oid)), rest.n ? " and more" : "");
		return;
	}
	snprintf(out, size, "\"%s\" may not be used for TLS servers",
		 subject_of(c->about, name, sizeof(name)));
}

static void weak(const struct complaint *c, char *out, size_t size)
{
	char name[80];
	const EVP_PKEY *key = c->about ? X509_get0_pubkey(c->about) : NULL;

	subject_of(c->about, name, sizeof(name));
	if (c->error == X509_V_ERR_CA_MD_TOO_WEAK)
		snprintf(out, size, "the signature on \"%s\" is too weak (%s)", name,
			 c->about ? OBJ_nid2sn(X509_get_signature_nid(c->about)) : "?");
	else if (key)
		snprintf(out, size, "the key of \"%s\" is too weak (%s of %d bits)", name,
			 EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
	else
		snprintf(out, size, "the key of \"%s\" cannot be used by libcrypto", name);
}

void complaint_reason(const struct complaint *c, enum verify_result result,
		      const struct judge_request *req, char *out, size_t size)
{
	char name[80];

	switch (result) {
	case VERIFY_WRONG_NAME:
		wrong_name(req, out, size);
		return;
	case VERIFY_SELF_SIGNED:
		snprintf(out, size,
			 "the certificate \"%s\" is signed by itself, not by a trusted root",
			 subject_of(c->about, name, sizeof(name)));
		return;
	case VERIFY_UNKNOWN_ISSUER:
		unknown_issuer(c, req, out, size);
		return;
	case VERIFY_INCOMPLETE:
		snprintf(out, size,
			 "the issuer \"%s\" is neither trusted nor sent: an intermediate is "
			 "missing, or "
			 "the root is unknown",
			 issuer_of(c->about, name, sizeof(name)));
		return;
	case VERIFY_WRONG_PURPOSE:
		wrong_purpose(c, req, out, size);
		return;
	case VERIFY_WEAK:
		weak(c, out, size);
		return;
	case VERIFY_OK:
	case VERIFY_EXPIRED:
	case VERIFY_NOT_YET_VALID:
	case VERIFY_UNREADABLE:
	case VERIFY_OTHER:
		break;
	}
	snprintf(out, size, "\"%s\": %s", subject_of(c->about, name, sizeof(name)),
		 X509_verify_cert_error_string(c->error));
}
