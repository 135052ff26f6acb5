/* `oriel trust`: puts the bump root where programs look, takes it out again, tells where it is. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/escape.h"
#include "cmd/ask.h"
#include "cmd/tempdir.h"
#include "cmd/trust_store.h"
#include "cmd/verbs.h"
#include "crypt/hash.h"
#include "pki/bundle.h"
#include "pki/cert.h"
#include "proc/file.h"

#define CA_MAX ((size_t)1 << 20)

const char *const trust_actions[] = { "install", "remove", "status", NULL };
const struct args_option trust_options[] = {
	{ "store", 0, "LIST", "only these of system,nss,java" },
	{ "dry-run", 'n', NULL, "print what would be changed, and change nothing" },
	{ "ca", 0, "FILE", "this root, instead of that of the oriel that runs" },
	{ "system-root", 0, "DIR", "the system store of the system below DIR" },
	{ "java-keystore", 0, "FILE", "this key store, instead of the installed Java's cacerts" },
	{ "java-password", 0, "WORD", "its password, instead of changeit" },
	ADMIN_OPTION,
	{ 0 },
};

static const struct trust_kind *const kinds[] = { &trust_system, &trust_nss, &trust_java };

/* --- for the stores --- */

void trust_say(const struct trust_job *j, const char *kind, const char *fmt, ...)
{
	va_list ap;

	printf("%s: %s", kind, j->dry_run ? "would " : "");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

void trust_tell(const struct trust_job *j, const char *kind, bool trusted, const char *where)
{
	printf(j->action == TRUST_STATUS ? "%-7s %-11s  %s\n" : "%s: %s already: %s\n", kind,
	       trusted ? "trusted" : "not trusted", where);
	fflush(stdout);
}

bool trust_is_settled(const struct trust_job *j, bool trusted)
{
	return j->action == TRUST_STATUS || trusted == (j->action == TRUST_INSTALL);
}

bool trust_is_root(const struct trust_job *j, struct bytes pem)
{
	struct pem p = { .rest = pem, .line = 1 };
	AUTO(buf_fini) struct buf der = buf_init(CA_MAX);

	return pem_next_cert(&p, &der, NULL) == PEM_BLOCK && bytes_equal(buf_bytes(&der), j->der);
}

int trust_check(const struct trust_job *j, bool trusted, const char *where, struct err *e)
{
	if (trusted == (j->action == TRUST_INSTALL))
		return 0;
	return FAIL(e, SYSTEM,
		    "%s %s the root all the same: `oriel trust status` shows how it is now", where,
		    trusted ? "has" : "does not have");
}

int trust_may_write(const struct trust_job *j, const char *kind, const char *path, struct err *e)
{
	if (j->dry_run || access(path, W_OK) == 0)
		return 0;
	return FAIL(e, FILE,
		    "%s may only be changed by its owner: sudo oriel trust %s --store %s --ca FILE",
		    path, trust_actions[j->action], kind);
}

/* --- the verb --- */

struct trust_verb {
	const struct args *args;
	struct trust_job job;
	bool wanted[ARRAY_LEN(kinds)];
	bool named; /* with --store: what is not there is a failure */
	struct buf der, pem;
	struct sha256 hash;
	char name[128];
	char dir[PATHS_MAX], pem_path[PATHS_MAX];
};

static int want(struct trust_verb *t, struct bytes name, struct err *e)
{
	char shown[64];

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (bytes_equal(name, bytes_str(kinds[i]->name))) {
			t->wanted[i] = true;
			return 0;
		}
	}
	return FAIL(e, USAGE, "trust: there is no store %s; there are system, nss and java",
		    escape_to(shown, sizeof(shown), name));
}

static int parse_stores(struct trust_verb *t, struct err *e)
{
	struct bytes list = bytes_str(args_value(t->args, "store"));

	t->named = args_has(t->args, "store");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		t->wanted[i] = !t->named;
	if (t->named && list.n == 0)
		return want(t, list, e);
	while (list.n) {
		struct bytes name = bytes_slice(list, 0, bytes_index(list, ','));

		if (want(t, name, e) < 0)
			return -1;
		list = bytes_slice(list, name.n + 1, list.n);
	}
	return 0;
}

static int parse_action(struct trust_verb *t, struct err *e)
{
	const char *word = t->args->operands[0];

	for (size_t i = 0; trust_actions[i]; i++) {
		if (strcmp(trust_actions[i], word) == 0)
			t->job.action = (enum trust_action)i;
	}
	t->job.dry_run = args_has(t->args, "dry-run");
	t->job.system_root = args_value(t->args, "system-root");
	t->job.keystore = args_value(t->args, "java-keystore");
	t->job.keystore_password = args_value(t->args, "java-password");
	if (!t->job.keystore_password)
		t->job.keystore_password = "changeit";
	return parse_stores(t, e);
}

static int read_root(struct trust_verb *t, struct buf *text, struct err *e)
{
	const char *file = args_value(t->args, "ca");

	if (file)
		return file_read(file, text, e) < 0 ? err_ctx(e, "--ca") : 0;
	if (ask_ok(args_value(t->args, "admin"), "/ca.pem", text, e) == 0)
		return 0;
	if (e->code == ERR_CONNECT)
		return FAIL(e, CONNECT,
			    "no oriel answers that would tell its root: start one with "
			    "`oriel run`, name its socket with --admin PATH, or the root with "
			    "--ca FILE");
	return -1;
}

static int take_root(struct trust_verb *t, struct bytes text, struct err *e)
{
	struct pem p = { .rest = text, .line = 1 };
	const uint8_t *h = t->hash.b;
	struct cert c;
	struct bytes der;

	if (pem_next_cert(&p, &t->der, NULL) != PEM_BLOCK)
		return FAIL(e, CERT, "there is no certificate in it (PEM is expected)");
	der = buf_bytes(&t->der);
	if (cert_parse(der, &c, e) < 0 || sha256_of(&der, 1, &t->hash, e) < 0)
		return -1;
	if (!c.is_ca)
		return FAIL(e, CERT,
			    "this is the certificate of no authority: expected the bump root, "
			    "bump/ca.pem in oriel's state folder");
	name_short_text(c.subject, t->name, sizeof(t->name));
	snprintf(t->job.nickname, sizeof(t->job.nickname), "oriel-bump-%02x%02x%02x%02x", h[0],
		 h[1], h[2], h[3]);
	return pem_write(&t->pem, "CERTIFICATE", der, e);
}

static int get_root(struct trust_verb *t, struct err *e)
{
	AUTO(buf_fini) struct buf text = buf_init(CA_MAX);
	const char *file = args_value(t->args, "ca");

	if (read_root(t, &text, e) < 0)
		return -1;
	if (take_root(t, buf_bytes(&text), e) < 0)
		return err_ctx(e, "%s", file ? file : "the bump root");
	t->job.der = buf_bytes(&t->der);
	t->job.pem = buf_bytes(&t->pem);
	return 0;
}

/* For comparing it with what the page http://oriel.internal/ shows elsewhere. */
static void say_root(const struct trust_verb *t)
{
	printf("root    %s, SHA-256 ", t->name);
	for (size_t i = 0; i < sizeof(t->hash.b); i++)
		printf("%s%02X", i ? ":" : "", t->hash.b[i]);
	printf("\n");
}

/* One store after another: what fails in one keeps nobody from the next. */
static int run_all(struct trust_verb *t)
{
	int status = EXIT_OK;

	if (t->job.action == TRUST_STATUS)
		say_root(t);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct err e = { 0 };

		if (!t->wanted[i] || kinds[i]->run(&t->job, &e) == 0)
			continue;
		if (e.code == ERR_UNSUPPORTED && !t->named) {
			printf("%s: left out: %s\n", kinds[i]->name, e.sentence);
			continue;
		}
		fflush(stdout);
		(void)err_ctx(&e, "%s", kinds[i]->name);
		status = verb_fail(&e);
	}
	fflush(stdout);
	return status;
}

static int with_file(struct trust_verb *t, int *status, struct err *e)
{
	struct err late = { 0 };
	int r;

	if (tempdir_make(t->dir, e) < 0)
		return -1;
	r = paths_join(t->pem_path, t->dir, "ca.pem", e);
	if (r == 0)
		r = file_write(t->pem_path, t->job.pem, 0644, e);
	t->job.pem_path = t->pem_path;
	if (r == 0)
		*status = run_all(t);
	if (tempdir_remove(t->dir, &late) < 0)
		fprintf(stderr, "oriel: %s\n", late.sentence);
	return r;
}

int trust_verb(const struct args_verb *verb, void *args)
{
	struct trust_verb t = { .args = args, .der = buf_init(CA_MAX), .pem = buf_init(CA_MAX) };
	struct err e = { 0 };
	int status = EXIT_OK;

	(void)verb;
	if (parse_action(&t, &e) < 0 || get_root(&t, &e) < 0 || with_file(&t, &status, &e) < 0)
		status = verb_fail(&e);
	buf_fini(&t.der);
	buf_fini(&t.pem);
	return status;
}
