/* The candidates are found by names alone (issuer to subject), so that also those are told that
 * libcrypto would not even try. Each is then judged by libcrypto, which is made to take just this
 * path by a check_issued of ours and goes on after each complaint. */
#include "pki/paths.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/escape.h"
#include "base/mem.h"
#include "pki/cert.h"
#include "pki/judge.h"
#include "pki/key.h"
#include "pki/path_rule.h"
#include "pki/x509.h"

#define MEMBERS_MAX 8192
#define VISITS_MAX 4096 /* steps upwards in all: cross-signing multiplies paths */

struct member {
	X509 *x;
	struct bytes der;
	bool trusted;
};

struct search {
	const struct path_request *q;
	struct path_report *report;
	struct member *members; /* the leaf first */
	size_t count, visits;
	bool hopeless; /* the name */
	X509_STORE *store;
	STACK_OF(X509) * untrusted; /* not counted */
	STACK_OF(X509_CRL) * crls;
	X509_STORE_CTX_check_issued_fn usual;
};

/* One run of libcrypto over one path. */
struct run {
	struct search *s;
	struct path *path;
	const X509 *x[PATH_STEPS_MAX];
};

/* NULL with the reason. */
static X509 *decode(struct bytes der, struct err *e)
{
	const unsigned char *p = der.p;
	X509 *x = d2i_X509(NULL, &p, (long)der.n);
	struct cert c;

	if (!x)
		crypto_fail(e, ERR_CERT, "certificate: libcrypto cannot read it");
	else if (p != der.p + der.n)
		FAIL(e, CERT, "certificate: libcrypto sees another end of it");
	else if (cert_parse(der, &c, e) == 0 && cert_agrees_with_libcrypto(&c, x, e) == 0)
		return x;
	X509_free(x);
	return NULL;
}

static struct member *member_find(const struct search *s, struct bytes der)
{
	for (size_t i = 0; i < s->count; i++) {
		if (bytes_equal(s->members[i].der, der))
			return &s->members[i];
	}
	return NULL;
}

/* Of a step of a path: it was made of members. */
static X509 *member_cert(const struct search *s, struct bytes der)
{
	const struct member *m = member_find(s, der);

	assert(m);
	return m->x;
}

static void add_member(struct search *s, struct bytes der, bool trusted)
{
	struct member *there = member_find(s, der);
	X509 *x;

	if (there) {
		there->trusted |= trusted;
		return;
	}
	x = decode(der, NULL);
	ERR_clear_error();
	if (!x)
		s->report->skipped++;
	else
		s->members[s->count++] = (struct member){ x, der, trusted };
}

static int gather(struct search *s, struct err *e)
{
	const struct path_request *q = s->q;
	size_t most = 1 + q->untrusted_count + q->root_count;

	if (most > MEMBERS_MAX)
		return FAIL(e, LIMIT, "%zu certificates, at most %d are looked at", most,
			    MEMBERS_MAX);
	s->members = mem_new_array(most, sizeof(*s->members));
	if (!s->members)
		return FAIL(e, NOMEM, "%zu certificates", most);
	s->members[0].der = q->leaf;
	s->members[0].x = decode(q->leaf, e);
	if (!s->members[0].x)
		return -1;
	s->count = 1;
	for (size_t i = 0; i < q->untrusted_count; i++)
		add_member(s, q->untrusted[i], false);
	for (size_t i = 0; i < q->root_count; i++)
		add_member(s, q->roots[i], true);
	return 0;
}

static int gather_crls(struct search *s, struct err *e)
{
	for (size_t i = 0; i < s->q->crl_count; i++) {
		const unsigned char *p = s->q->crls[i].p;
		X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)s->q->crls[i].n);

		if (!crl) {
			s->report->skipped++;
			continue;
		}
		if (sk_X509_CRL_push(s->crls, crl) <= 0) {
			X509_CRL_free(crl);
			return FAIL(e, NOMEM, "a CRL");
		}
	}
	ERR_clear_error();
	return 0;
}

static int fill_stacks(struct search *s, struct err *e)
{
	s->store = X509_STORE_new();
	s->untrusted = sk_X509_new_null();
	s->crls = sk_X509_CRL_new_null();
	if (!s->store || !s->untrusted || !s->crls)
		return FAIL(e, NOMEM, "a set of certificates");
	for (size_t i = 0; i < s->count; i++) {
		struct member *m = &s->members[i];

		if (m->trusted && X509_STORE_add_cert(s->store, m->x) != 1)
			return crypto_fail(e, ERR_NOMEM, "a root cannot be added");
		if (i > 0 && !m->trusted && sk_X509_push(s->untrusted, m->x) <= 0)
			return FAIL(e, NOMEM, "a set of certificates");
	}
	return gather_crls(s, e);
}

static void search_fini(struct search *s)
{
	for (size_t i = 0; i < s->count; i++)
		X509_free(s->members[i].x);
	mem_free(s->members);
	sk_X509_free(s->untrusted);
	sk_X509_CRL_pop_free(s->crls, X509_CRL_free);
	X509_STORE_free(s->store);
	ERR_clear_error();
}

/* ---- the candidates */

static bool is_on(const struct path *p, struct bytes der)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->steps[i].der.p == der.p)
			return true;
	}
	return false;
}

static void keep(struct search *s, const struct path *p)
{
	if (s->report->count == PATHS_MAX_TOLD) {
		s->report->more = true;
		return;
	}
	s->report->paths[s->report->count++] = *p;
}

static void push(struct path *p, const struct member *m)
{
	p->steps[p->count].der = m->der;
	p->steps[p->count].trusted = m->trusted;
	p->count++;
}

static void climb(struct search *s, struct path *p, const struct member *m);

/* The paths over the trusted, or the other, certificates that have the name of m's issuer. */
static bool climb_over(struct search *s, struct path *p, const struct member *m, bool trusted)
{
	const X509_NAME *wanted = X509_get_issuer_name(m->x);
	bool any = false;

	for (size_t i = 0; i < s->count && !s->report->more; i++) {
		const struct member *up = &s->members[i];

		if (up->trusted != trusted || is_on(p, up->der) ||
		    X509_NAME_cmp(X509_get_subject_name(up->x), wanted) != 0)
			continue;
		any = true;
		climb(s, p, up);
	}
	return any;
}

/* p comes back as it was. */
static void climb(struct search *s, struct path *p, const struct member *m)
{
	size_t before = p->count;
	bool any = false;

	push(p, m);
	if (++s->visits > VISITS_MAX)
		s->report->more = true;
	else if (p->count < PATH_STEPS_MAX && X509_self_signed(m->x, 0) != 1) {
		any = climb_over(s, p, m, true);
		any |= climb_over(s, p, m, false);
	}
	if (!any)
		keep(s, p);
	p->count = before;
}

/* ---- libcrypto's opinion */

static const X509 *step_cert(const struct run *r, size_t at)
{
	return at < r->path->count ? r->x[at] : NULL;
}

static void add_fault(struct run *r, int error, size_t at)
{
	struct path *p = r->path;
	struct path_fault f = { .at = at, .error = error };

	if (p->fault_count == PATH_FAULTS_MAX)
		return;
	path_fault_tell(&f, step_cert(r, at), r->s->q);
	/* libcrypto has several errors for one thing. */
	for (size_t i = 0; i < p->fault_count; i++) {
		if (p->faults[i].at == at && strcmp(p->faults[i].word, f.word) == 0)
			return;
	}
	p->faults[p->fault_count++] = f;
}

/* libcrypto's verify callback. A path of its own, up from who signed a CRL, fails as usual. */
static int on_complaint(int ok, X509_STORE_CTX *ctx)
{
	struct run *r = X509_STORE_CTX_get_app_data(ctx);
	const X509 *about = X509_STORE_CTX_get_current_cert(ctx);
	int depth = X509_STORE_CTX_get_error_depth(ctx);
	size_t at = depth > 0 ? (size_t)depth : 0;

	if (ok || !r || X509_STORE_CTX_get0_parent_ctx(ctx))
		return ok;
	for (size_t i = 0; about && i < r->path->count; i++) {
		if (X509_cmp(r->x[i], about) == 0)
			at = i;
	}
	add_fault(r, X509_STORE_CTX_get_error(ctx), at < r->path->count ? at : 0);
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

/* Up from a step of the path leads only the next one. */
static int is_next_step(X509_STORE_CTX *ctx, X509 *x, X509 *issuer)
{
	const struct run *r = X509_STORE_CTX_get_app_data(ctx);
	const struct path *p;

	if (!r || X509_STORE_CTX_get0_parent_ctx(ctx))
		return X509_check_issued(issuer, x) == X509_V_OK;
	if (X509_cmp(x, issuer) == 0)
		return r->s->usual(ctx, x, issuer);
	p = r->path;
	for (size_t i = 0; i + 1 < p->count; i++) {
		if (X509_cmp(r->x[i], x) == 0 && X509_cmp(r->x[i + 1], issuer) == 0)
			return 1;
	}
	return 0;
}

static bool set_policies(X509_VERIFY_PARAM *param, const struct path_request *q, struct err *e)
{
	unsigned long flags = X509_V_FLAG_POLICY_CHECK;

	flags |= q->require_policy ? X509_V_FLAG_EXPLICIT_POLICY : 0;
	flags |= q->inhibit_mapping ? X509_V_FLAG_INHIBIT_MAP : 0;
	flags |= q->inhibit_any ? X509_V_FLAG_INHIBIT_ANY : 0;
	for (size_t i = 0; i < q->policy_count; i++) {
		ASN1_OBJECT *oid = OBJ_txt2obj(q->policies[i], 1);

		if (!oid)
			return FAIL(e, USAGE, "policy %.100s: expected an OID such as 2.5.29.32.0",
				    q->policies[i]) == 0;
		if (X509_VERIFY_PARAM_add0_policy(param, oid) != 1) {
			ASN1_OBJECT_free(oid);
			return FAIL(e, NOMEM, "a policy") == 0;
		}
	}
	X509_VERIFY_PARAM_set_flags(param, flags);
	return true;
}

static void set_purpose(X509_VERIFY_PARAM *param, enum path_purpose purpose)
{
	if (purpose == PATH_FOR_ANY)
		return;
	X509_VERIFY_PARAM_set_purpose(param, purpose == PATH_FOR_SERVER ? X509_PURPOSE_SSL_SERVER
									: X509_PURPOSE_SSL_CLIENT);
	X509_VERIFY_PARAM_set_trust(param, purpose == PATH_FOR_SERVER ? X509_TRUST_SSL_SERVER
								      : X509_TRUST_SSL_CLIENT);
}

static int set_up(struct search *s, X509_STORE_CTX *ctx, struct err *e)
{
	const struct path_request *q = s->q;
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	unsigned floor = q->floor_bits ? q->floor_bits : 112;

	set_purpose(param, q->purpose);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_TRUSTED_FIRST);
	X509_VERIFY_PARAM_set_depth(param, PATH_STEPS_MAX - 2);
	X509_VERIFY_PARAM_set_auth_level(param, (floor >= 80) + (floor >= 112));
	X509_VERIFY_PARAM_set_time(param, (time_t)q->now_s);
	if (q->crl_count) {
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK |
							   X509_V_FLAG_CRL_CHECK_ALL |
							   X509_V_FLAG_EXTENDED_CRL_SUPPORT |
							   X509_V_FLAG_USE_DELTAS);
		X509_STORE_CTX_set0_crls(ctx, s->crls);
	}
	if (q->check_policy && !set_policies(param, q, e))
		return -1;
	if (param_set_name(param, q->name, &s->hopeless) != 1)
		return FAIL(e, NOMEM, "a name");
	return 0;
}

/* A context that is ready to be judged; NULL with the reason. */
static X509_STORE_CTX *ctx_make(struct search *s, struct err *e)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();

	if (!ctx || X509_STORE_CTX_init(ctx, s->store, s->members[0].x, s->untrusted) != 1) {
		X509_STORE_CTX_free(ctx);
		crypto_fail(e, ERR_NOMEM, "verifying a chain");
		return NULL;
	}
	if (set_up(s, ctx, e) == 0)
		return ctx;
	X509_STORE_CTX_free(ctx);
	return NULL;
}

/* What our candidates are joined by is a name; the key identifiers may say otherwise. */
static void check_links(struct run *r)
{
	for (size_t i = 0; i + 1 < r->path->count; i++) {
		int error = X509_check_issued((X509 *)(uintptr_t)r->x[i + 1],
					      (X509 *)(uintptr_t)r->x[i]);

		if (error == X509_V_ERR_AKID_SKID_MISMATCH ||
		    error == X509_V_ERR_AKID_ISSUER_SERIAL_MISMATCH)
			add_fault(r, error, i);
	}
}

static int judge_path(struct search *s, struct path *p, struct err *e)
{
	struct run r = { .s = s, .path = p };
	X509_STORE_CTX *ctx;

	for (size_t i = 0; i < p->count; i++)
		r.x[i] = member_cert(s, p->steps[i].der);
	X509_STORE_set_check_issued(s->store, is_next_step);
	ctx = ctx_make(s, e);
	if (!ctx)
		return -1;
	check_links(&r);
	if (s->hopeless)
		add_fault(&r, X509_V_ERR_HOSTNAME_MISMATCH, 0);
	X509_STORE_CTX_set_app_data(ctx, &r);
	X509_STORE_CTX_set_verify_cb(ctx, on_complaint);
	if (X509_verify_cert(ctx) != 1 && p->fault_count == 0)
		add_fault(&r, X509_STORE_CTX_get_error(ctx), 0);
	X509_STORE_CTX_free(ctx);
	return 0;
}

static bool is_same(const struct search *s, const struct path *p, const STACK_OF(X509) * chain)
{
	if ((size_t)sk_X509_num(chain) != p->count)
		return false;
	for (size_t i = 0; i < p->count; i++) {
		if (X509_cmp(member_cert(s, p->steps[i].der), sk_X509_value(chain, (int)i)) != 0)
			return false;
	}
	return true;
}

static void push_x509(const struct search *s, struct path *p, const X509 *x)
{
	for (size_t i = 0; i < s->count; i++) {
		if (X509_cmp(s->members[i].x, x) == 0) {
			push(p, &s->members[i]);
			return;
		}
	}
}

/* Marks the path that libcrypto took; it is always among those that are told. */
static void choose(struct search *s, const STACK_OF(X509) * chain)
{
	struct path_report *out = s->report;
	struct path *p;
	int n = sk_X509_num(chain);

	for (size_t i = 0; i < out->count; i++) {
		out->paths[i].chosen = is_same(s, &out->paths[i], chain);
		if (out->paths[i].chosen)
			return;
	}
	if (n < 1 || n > PATH_STEPS_MAX)
		return;
	if (out->count == PATHS_MAX_TOLD)
		out->count--;
	p = &out->paths[out->count++];
	*p = (struct path){ .chosen = true };
	for (int i = 0; i < n; i++)
		push_x509(s, p, sk_X509_value(chain, i));
}

/* As anybody calls it: no callback, no path prescribed. */
static int pass_verdict(struct search *s, struct err *e)
{
	struct path_report *out = s->report;
	X509_STORE_CTX *ctx = ctx_make(s, e);
	char name[128] = "?";
	const X509 *about;

	if (!ctx)
		return -1;
	s->usual = X509_STORE_CTX_get_check_issued(ctx);
	out->ok = X509_verify_cert(ctx) == 1;
	out->error = X509_STORE_CTX_get_error(ctx);
	if (out->ok && s->hopeless) {
		out->ok = false;
		out->error = X509_V_ERR_HOSTNAME_MISMATCH;
	}
	about = X509_STORE_CTX_get_current_cert(ctx);
	if (about)
		name_short_text(x509_subject(about), name, sizeof(name));
	if (out->ok)
		snprintf(out->verdict, sizeof(out->verdict), "ok");
	else
		snprintf(out->verdict, sizeof(out->verdict), "%s (error %d, at \"%s\")",
			 X509_verify_cert_error_string(out->error), out->error, name);
	if (X509_STORE_CTX_get0_chain(ctx))
		choose(s, X509_STORE_CTX_get0_chain(ctx));
	X509_STORE_CTX_free(ctx);
	return 0;
}

static int explain(struct search *s, struct err *e)
{
	struct path empty = { 0 };

	if (gather(s, e) < 0 || fill_stacks(s, e) < 0)
		return -1;
	climb(s, &empty, &s->members[0]);
	if (pass_verdict(s, e) < 0)
		return -1;
	for (size_t i = 0; i < s->report->count; i++) {
		if (judge_path(s, &s->report->paths[i], e) < 0)
			return -1;
	}
	return 0;
}

int paths_explain(const struct path_request *q, struct path_report **out, struct err *e)
{
	AUTO(path_report_freep) struct path_report *report = mem_new(sizeof(*report));
	struct search s = { .q = q, .report = report };
	int done;

	if (!report)
		return FAIL(e, NOMEM, "a report");
	done = explain(&s, e);
	search_fini(&s);
	if (done < 0)
		return -1;
	*out = STEAL(report);
	return 0;
}

void path_report_free(struct path_report *r)
{
	mem_free(r);
}

void path_report_freep(struct path_report **r)
{
	path_report_free(*r);
}
