#include "pki/judge.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/escape.h"
#include "pki/key.h"
#include "pki/x509.h"
#include "wire/addr.h"

#define PATH_DEPTH_MAX 10
#define ISSUER_FAULTS                                                                              \
	(1u << VERIFY_SELF_SIGNED | 1u << VERIFY_UNKNOWN_ISSUER | 1u << VERIFY_INCOMPLETE)

/* What matters first comes first. */
static const enum verify_result order[] = {
	VERIFY_UNREADABLE,    VERIFY_SELF_SIGNED,   VERIFY_UNKNOWN_ISSUER, VERIFY_INCOMPLETE,
	VERIFY_OTHER,	      VERIFY_WRONG_PURPOSE, VERIFY_WEAK,	   VERIFY_EXPIRED,
	VERIFY_NOT_YET_VALID, VERIFY_WRONG_NAME,
};

enum verify_result first_fault(unsigned faults)
{
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		if (faults & 1u << order[i])
			return order[i];
	}
	return VERIFY_OK;
}

enum span_state span_at(const struct span *s, int64_t now_s)
{
	if (now_s < s->from)
		return SPAN_BEFORE;
	/* X509_cmp_time counts the last second as past. */
	return now_s >= s->to ? SPAN_AFTER : SPAN_IN;
}

/* What libcrypto says of a path, one row an error. Errors that are not here are VERIFY_OTHER. */
static const struct {
	int error;
	enum verify_result result;
} meanings[] = {
	{ X509_V_ERR_CERT_HAS_EXPIRED, VERIFY_EXPIRED },
	{ X509_V_ERR_CERT_NOT_YET_VALID, VERIFY_NOT_YET_VALID },
	{ X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD, VERIFY_UNREADABLE },
	{ X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD, VERIFY_UNREADABLE },
	{ X509_V_ERR_HOSTNAME_MISMATCH, VERIFY_WRONG_NAME },
	{ X509_V_ERR_IP_ADDRESS_MISMATCH, VERIFY_WRONG_NAME },
	{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, VERIFY_SELF_SIGNED },
	{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, VERIFY_UNKNOWN_ISSUER },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, VERIFY_INCOMPLETE },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, VERIFY_INCOMPLETE },
	{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, VERIFY_INCOMPLETE },
	{ X509_V_ERR_CERT_UNTRUSTED, VERIFY_UNKNOWN_ISSUER },
	{ X509_V_ERR_CERT_REJECTED, VERIFY_UNKNOWN_ISSUER },
	/* Somebody else signed it than it says, or somebody who may not sign. */
	{ X509_V_ERR_CERT_SIGNATURE_FAILURE, VERIFY_UNKNOWN_ISSUER },
	{ X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE, VERIFY_UNKNOWN_ISSUER },
	{ X509_V_ERR_INVALID_CA, VERIFY_UNKNOWN_ISSUER },
	{ X509_V_ERR_KEYUSAGE_NO_CERTSIGN, VERIFY_UNKNOWN_ISSUER },
	{ X509_V_ERR_INVALID_PURPOSE, VERIFY_WRONG_PURPOSE },
	{ X509_V_ERR_EE_KEY_TOO_SMALL, VERIFY_WEAK },
	{ X509_V_ERR_CA_KEY_TOO_SMALL, VERIFY_WEAK },
	{ X509_V_ERR_CA_MD_TOO_WEAK, VERIFY_WEAK },
};

/* What the callback collects: the first complaint of each kind. */
struct inquest {
	unsigned faults;
	struct complaint first[VERIFY_OTHER + 1];
};

static void complain(struct inquest *q, enum verify_result result, struct complaint c)
{
	if (!(q->faults & 1u << result))
		q->first[result] = c;
	q->faults |= 1u << result;
}

static enum verify_result meaning_of(int error)
{
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
		if (meanings[i].error == error)
			return meanings[i].result;
	}
	return VERIFY_OTHER;
}

/* Is there a root of the name that x names as its issuer? Then no intermediate is missing. */
static bool issuer_name_is_trusted(X509_STORE_CTX *ctx, const X509 *x)
{
	X509_OBJECT *found =
		X509_STORE_CTX_get_obj_by_subject(ctx, X509_LU_X509, X509_get_issuer_name(x));

	X509_OBJECT_free(found);
	return found != NULL;
}

/* libcrypto's verify callback: notes every complaint and lets it go on. */
static int on_complaint(int ok, X509_STORE_CTX *ctx)
{
	struct inquest *q = X509_STORE_CTX_get_app_data(ctx);
	struct complaint c = { .error = X509_STORE_CTX_get_error(ctx),
			       .depth = X509_STORE_CTX_get_error_depth(ctx),
			       .about = X509_STORE_CTX_get_current_cert(ctx) };
	enum verify_result result;

	if (ok)
		return 1;
	result = meaning_of(c.error);
	if (result == VERIFY_INCOMPLETE && c.about && issuer_name_is_trusted(ctx, c.about))
		result = VERIFY_UNKNOWN_ISSUER;
	complain(q, result, c);
	/* An error that is left standing hides those that come later. */
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

/* May a certificate match this host name at all? A leading dot would match every name below it, and
 * an empty name all; libcrypto refuses a NUL. */
static bool is_matchable(struct bytes host)
{
	return host.n && host.p[0] != '.' && bytes_index(host, 0) == host.n;
}

int param_set_name(X509_VERIFY_PARAM *param, struct bytes name, bool *hopeless)
{
	struct addr a;

	*hopeless = false;
	if (name.n == 0)
		return 1;
	if (addr_parse_ip(name, 0, &a))
		return X509_VERIFY_PARAM_set1_ip(param, addr_ip(&a).p, addr_ip(&a).n);
	if (name.p[name.n - 1] == '.')
		name.n--;
	*hopeless = !is_matchable(name);
	if (*hopeless)
		return 1;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
						       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, (const char *)name.p, name.n);
}

static int set_name(X509_VERIFY_PARAM *param, const struct judge_request *req, struct inquest *q)
{
	bool hopeless;
	int set = param_set_name(param, req->name, &hopeless);

	if (hopeless)
		complain(q, VERIFY_WRONG_NAME,
			 (struct complaint){ X509_V_ERR_HOSTNAME_MISMATCH, 0, req->leaf });
	return set;
}

/* 1, or 0 when libcrypto has no memory. */
static int set_up(X509_STORE_CTX *ctx, const struct judge_request *req, struct inquest *q)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

	X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_trust(param, X509_TRUST_SSL_SERVER);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_TRUSTED_FIRST);
	X509_VERIFY_PARAM_set_depth(param, PATH_DEPTH_MAX);
	X509_VERIFY_PARAM_set_auth_level(param, req->auth_level);
	X509_VERIFY_PARAM_set_time(param, (time_t)req->now_s);
	X509_STORE_CTX_set_app_data(ctx, q);
	X509_STORE_CTX_set_verify_cb(ctx, on_complaint);
	return set_name(param, req, q);
}

/* Narrows the time in which all issuers of the path are valid. */
static void narrow(struct judgement *j, const X509 *x)
{
	struct bytes subject = x509_subject(x);
	struct span s;

	if (!x509_time(X509_get0_notBefore(x), &s.from) || !x509_time(X509_get0_notAfter(x), &s.to))
		return;
	if (s.from > j->issuers.from) {
		j->issuers.from = s.from;
		name_short_text(subject, j->last_issuer_in, sizeof(j->last_issuer_in));
	}
	if (s.to < j->issuers.to) {
		j->issuers.to = s.to;
		name_short_text(subject, j->first_issuer_out, sizeof(j->first_issuer_out));
	}
}

/* Dates, and keys that must not be there, along the path that was found. */
static void walk_path(const struct judge_request *req, struct judgement *j, struct inquest *q)
{
	for (int i = 0; i < sk_X509_num(j->path); i++) {
		const X509 *x = sk_X509_value(j->path, i);

		if (i > 0)
			narrow(j, x);
		if (!trust_excludes(req->trust, x))
			continue;
		q->faults &= ~(1u << VERIFY_UNKNOWN_ISSUER);
		complain(q, VERIFY_UNKNOWN_ISSUER,
			 (struct complaint){ X509_V_ERR_CERT_REJECTED, i, x });
	}
}

static void explain(const struct judge_request *req, struct inquest *q, struct judgement *j)
{
	enum verify_result first;
	const X509 *top = sk_X509_value(j->path, sk_X509_num(j->path) - 1);
	char name[128];

	j->faults = q->faults & ~DATE_FAULTS;
	first = first_fault(j->faults);
	if (first != VERIFY_OK) {
		complaint_reason(&q->first[first], first, req, j->reason, sizeof(j->reason));
		return;
	}
	name_short_text(top ? x509_subject(top) : (struct bytes){ 0 }, name, sizeof(name));
	snprintf(j->reason, sizeof(j->reason), "signed up to the trusted root \"%s\"", name);
}

static int run(X509_STORE_CTX *ctx, const struct judge_request *req, struct judgement *j,
	       struct err *e)
{
	struct inquest q = { 0 };
	int error;

	if (set_up(ctx, req, &q) != 1)
		return FAIL(e, NOMEM, "verifying a chain");
	if (X509_verify_cert(ctx) <= 0) {
		/* The callback objects to nothing: it was stopped by something else. */
		error = X509_STORE_CTX_get_error(ctx);
		if (error == X509_V_ERR_OUT_OF_MEM)
			return FAIL(e, NOMEM, "verifying a chain");
		complain(&q, VERIFY_OTHER, (struct complaint){ error, 0, req->leaf });
	}
	j->path = X509_STORE_CTX_get1_chain(ctx);
	if (!j->path)
		j->path = sk_X509_new_null();
	if (!j->path)
		return FAIL(e, NOMEM, "verifying a chain");
	/* No path without a root, whatever the callback was told. */
	if (!(q.faults & ISSUER_FAULTS) &&
	    X509_STORE_CTX_get_num_untrusted(ctx) >= sk_X509_num(j->path))
		complain(&q, VERIFY_UNKNOWN_ISSUER,
			 (struct complaint){ X509_V_ERR_CERT_UNTRUSTED, 0, req->leaf });
	walk_path(req, j, &q);
	explain(req, &q, j);
	return 0;
}

int judge(const struct judge_request *req, struct judgement *out, struct err *e)
{
	struct judgement j = { .leaf = { req->cert->not_before, req->cert->not_after },
			       .issuers = { INT64_MIN, INT64_MAX } };
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int done = -1;

	if (ctx && X509_STORE_CTX_init(ctx, req->trust->store, req->leaf, req->untrusted) == 1)
		done = run(ctx, req, &j, e);
	else
		FAIL(e, NOMEM, "verifying a chain");
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	if (done == 0)
		*out = j;
	return done;
}

void judgement_fini(struct judgement *j)
{
	sk_X509_pop_free(j->path, X509_free);
	j->path = NULL;
}
