/* `oriel certs verify FILE`: the verdict of libcrypto, and every candidate path with what holds it
 * up. Status 1: it does not verify. */
#include <stdio.h>

#include "base/mem.h"
#include "cmd/certs.h"
#include "cmd/certs_input.h"
#include "cmd/certs_view.h"
#include "cmd/verbs.h"

#define TEXT_MAX ((size_t)64 << 20)

struct verify {
	const struct args *a;
	struct material given, roots, crls;
	struct bytes *certs, *root_ders, *crl_ders;
	const char *policies[ARGS_MAX];
	struct path_request q;
	struct path_report *report;
};

static void verify_fini(struct verify *v)
{
	mem_free(v->certs);
	mem_free(v->root_ders);
	mem_free(v->crl_ders);
	path_report_free(v->report);
	material_fini(&v->given);
	material_fini(&v->roots);
	material_fini(&v->crls);
}

static int read_each(const struct args *a, const char *option, struct material *m, struct err *e)
{
	for (size_t i = 0; i < args_count(a, option); i++) {
		if (certs_read(args_nth(a, option, i), NULL, m, e) < 0)
			return err_ctx(e, "--%s", option);
	}
	return 0;
}

/* CRLs may lie in the same file as the certificates, and certificates beside CRLs. */
static int read_files(struct verify *v, struct err *e)
{
	AUTO(buf_fini) struct buf secret = buf_init_secret(0);
	const char *password, *path = v->a->operands[1];

	if (certs_password(v->a, &secret, &password, e) < 0 ||
	    certs_read(path, password, &v->given, e) < 0)
		return -1;
	if (v->given.items[0].kind != MATERIAL_CERT)
		return FAIL(e, CERT, "%.200s: expected a certificate first", path);
	if (read_each(v->a, "untrusted", &v->given, e) < 0 ||
	    read_each(v->a, "crl", &v->crls, e) < 0)
		return -1;
	return certs_roots(v->a, &v->roots, e);
}

static int list(const struct material *m, enum material_kind kind, struct bytes **out,
		size_t *count, struct err *e)
{
	*out = mem_new_array(m->count + 1, sizeof(**out));
	if (!*out)
		return FAIL(e, NOMEM, "%zu certificates", m->count);
	*count = certs_list(m, kind, *out, m->count);
	return 0;
}

static int read_purpose(const struct args *a, struct path_request *q, struct err *e)
{
	static const char *const words[] = {
		[PATH_FOR_ANY] = "any", [PATH_FOR_SERVER] = "server", [PATH_FOR_CLIENT] = "client"
	};
	const char *text = args_value(a, "purpose");

	q->purpose = args_has(a, "name") ? PATH_FOR_SERVER : PATH_FOR_ANY;
	if (!text)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(text, words[i]) == 0) {
			q->purpose = (enum path_purpose)i;
			return 0;
		}
	}
	return FAIL(e, USAGE, "certs verify: --purpose %.40s: expected server, client or any",
		    text);
}

static void read_policies(struct verify *v)
{
	struct path_request *q = &v->q;

	q->policy_count = args_count(v->a, "policy");
	for (size_t i = 0; i < q->policy_count; i++)
		v->policies[i] = args_nth(v->a, "policy", i);
	q->policies = v->policies;
	q->require_policy = args_has(v->a, "require-policy");
	q->inhibit_mapping = args_has(v->a, "inhibit-mapping");
	q->inhibit_any = args_has(v->a, "inhibit-any-policy");
	q->check_policy =
		q->policy_count || q->require_policy || q->inhibit_mapping || q->inhibit_any;
}

static int prepare(struct verify *v, struct err *e)
{
	const char *name = args_value(v->a, "name");
	struct path_request *q = &v->q;
	size_t count;

	if (certs_moment(v->a, &q->now_s, e) < 0 || read_purpose(v->a, q, e) < 0 ||
	    read_files(v, e) < 0 || list(&v->given, MATERIAL_CERT, &v->certs, &count, e) < 0 ||
	    list(&v->roots, MATERIAL_CERT, &v->root_ders, &q->root_count, e) < 0 ||
	    list(&v->crls, MATERIAL_CRL, &v->crl_ders, &q->crl_count, e) < 0)
		return -1;
	if (args_has(v->a, "crl") && q->crl_count == 0)
		return FAIL(e, CERT, "--crl: no revocation list in it");
	q->leaf = v->certs[0];
	q->untrusted = v->certs + 1;
	q->untrusted_count = count - 1;
	q->roots = v->root_ders;
	q->crls = v->crl_ders;
	q->name = bytes_str(name);
	q->floor_bits = args_has(v->a, "allow-weak") ? 1 : 0;
	read_policies(v);
	return paths_explain(q, &v->report, e);
}

int certs_verify(const struct args *a)
{
	AUTO(buf_fini) struct buf out = buf_init(TEXT_MAX);
	struct verify v = { .a = a };
	struct err e = { 0 };
	int done = prepare(&v, &e), status = EXIT_FAULT;

	if (done == 0)
		done = args_has(a, "json") ? certs_report_json(v.report, &out, &e)
					   : certs_report_text(v.report, &out, &e);
	if (done < 0)
		status = verb_fail(&e);
	else if (verb_print(buf_bytes(&out)) == EXIT_OK && v.report->ok)
		status = EXIT_OK;
	verify_fini(&v);
	return status;
}
