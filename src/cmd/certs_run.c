#include "cmd/certs_run.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/escape.h"
#include "cmd/certs_write.h"
#include "wire/der.h"

#define LINE_MAX ((size_t)1 << 20)

struct job {
	const struct certs_run *run;
	const struct certs_plan *plan;
	size_t changes;
};

static const char *shown(const char *text, char *out, size_t size)
{
	return escape_to(out, size, bytes_str(text));
}

static int put_json_text(struct buf *b, const char *key, struct bytes value, struct err *e)
{
	if (buf_printf(b, e, "%s\"%s\":\"", b->n > 1 ? "," : "", key) < 0 ||
	    escape_json(b, value, e) < 0)
		return -1;
	return buf_add(b, bytes_str("\""), e);
}

static int put_why(struct buf *b, const struct ca_differences *why, struct err *e)
{
	if (buf_add(b, bytes_str(",\"changes\":["), e) < 0)
		return -1;
	for (size_t n = 0; n < why->count; n++) {
		const struct ca_difference *d = &why->list[n];

		if (buf_printf(b, e, "%s{\"field\":\"%s\",\"have\":\"", n ? "," : "", d->word) <
			    0 ||
		    escape_json(b, bytes_str(d->have), e) < 0 ||
		    buf_add(b, bytes_str("\",\"want\":\""), e) < 0 ||
		    escape_json(b, bytes_str(d->want), e) < 0 ||
		    buf_add(b, bytes_str("\"}"), e) < 0)
			return -1;
	}
	return buf_add(b, bytes_str("]"), e);
}

static int tell_item_json(const struct certs_plan_item *i, const char *path, struct err *e)
{
	AUTO(buf_fini) struct buf b = buf_init(LINE_MAX);
	char serial[2 * 64 + 1] = "";
	struct bytes s = i->cert.serial;

	for (size_t n = 0; n < s.n && n < 64; n++)
		snprintf(serial + 2 * n, 3, "%02x", s.p[n]);
	if (buf_add(&b, bytes_str("{"), e) < 0 ||
	    put_json_text(&b, "file", bytes_str(path), e) < 0 ||
	    put_json_text(&b, "action", bytes_str(certs_action_text(i->action)), e) < 0 ||
	    put_json_text(&b, "subject", bytes_str(i->entry->subject), e) < 0 ||
	    put_json_text(&b, "serial", bytes_str(serial), e) < 0 ||
	    buf_printf(&b, e,
		       ",\"new_key\":%s,\"not_before\":%lld,\"not_after\":%lld,\"revoked\":%s",
		       i->new_key ? "true" : "false", (long long)i->cert.not_before,
		       (long long)i->cert.not_after, i->entry->revoked ? "true" : "false") < 0 ||
	    put_why(&b, &i->why, e) < 0)
		return -1;
	printf("%.*s}\n", BYTES_FMT(buf_bytes(&b)));
	return 0;
}

static int tell_file_json(const char *path, const char *action, struct err *e)
{
	AUTO(buf_fini) struct buf b = buf_init(LINE_MAX);

	if (buf_add(&b, bytes_str("{"), e) < 0 ||
	    put_json_text(&b, "file", bytes_str(path), e) < 0 ||
	    put_json_text(&b, "action", bytes_str(action), e) < 0)
		return -1;
	printf("%.*s}\n", BYTES_FMT(buf_bytes(&b)));
	return 0;
}

static void tell_why(const struct ca_differences *why)
{
	for (size_t n = 0; n < why->count; n++) {
		const struct ca_difference *d = &why->list[n];

		printf("  %s: %s%s%s\n", d->word, d->have, d->want[0] ? " -> " : "", d->want);
	}
}

/* certyaml's words, and why. */
static void tell_item(const struct job *j, const struct certs_plan_item *i, const char *cert,
		      const char *key)
{
	const char *verb = j->run->dry ? "Would write" : "Writing";
	char a[CERTS_PATH_MAX], b[CERTS_PATH_MAX];

	if (i->action == CERTS_KEEP)
		printf("No changes: skipping %s\n", shown(i->entry->filename, a, sizeof(a)));
	else if (i->new_key)
		printf("%s: %s %s\n", verb, shown(cert, a, sizeof(a)), shown(key, b, sizeof(b)));
	else
		printf("%s: %s\n", verb,
		       shown(i->action == CERTS_KEY_FORM ? key : cert, a, sizeof(a)));
	tell_why(&i->why);
}

static int do_item(struct job *j, const struct certs_plan_item *i, struct err *e)
{
	char cert[CERTS_PATH_MAX], key[CERTS_PATH_MAX];

	if (certs_path(j->plan, i->entry, ".pem", cert, e) < 0 ||
	    certs_path(j->plan, i->entry, "-key.pem", key, e) < 0)
		return -1;
	if (!j->run->json)
		tell_item(j, i, cert, key);
	else if (tell_item_json(i, cert, e) < 0)
		return -1;
	if (i->action == CERTS_KEEP)
		return 0;
	j->changes++;
	return j->run->dry ? 0 : certs_write_pair(j->plan, i, e);
}

static int do_crl(struct job *j, const struct certs_plan_item *ca, struct err *e)
{
	char path[CERTS_PATH_MAX], text[CERTS_PATH_MAX];

	if (!ca->crl_wanted)
		return 0;
	if (certs_path(j->plan, ca->entry, "-crl.pem", path, e) < 0)
		return -1;
	if (j->run->json && tell_file_json(path, ca->crl_fresh ? "keep" : "write", e) < 0)
		return -1;
	if (ca->crl_fresh)
		return 0;
	if (!j->run->json)
		printf("%s CRL: %s\n  %s\n", j->run->dry ? "Would write" : "Writing",
		       shown(path, text, sizeof(text)), ca->crl_why);
	j->changes++;
	return j->run->dry ? 0 : certs_write_crl(j->plan, ca, e);
}

static int do_files(struct job *j, const struct certs_files *files, struct err *e)
{
	char text[CERTS_PATH_MAX];

	for (size_t n = 0; n < files->count; n++) {
		const struct certs_file *f = files->list[n];

		if (j->run->json && tell_file_json(f->path, f->fresh ? "keep" : "write", e) < 0)
			return -1;
		if (f->fresh)
			continue;
		if (!j->run->json)
			printf("%s: %s\n", j->run->dry ? "Would write" : "Writing",
			       shown(f->path, text, sizeof(text)));
		j->changes++;
		if (!j->run->dry && certs_write_file(f, e) < 0)
			return -1;
	}
	return 0;
}

static int do_outputs(struct job *j, const struct certs_plan_item *i, struct err *e)
{
	struct certs_files files;
	int done = certs_output_make(j->plan, i, &files, e);

	if (done == 0)
		done = do_files(j, &files, e);
	certs_files_fini(&files);
	return done;
}

static int do_all(struct job *j, struct err *e)
{
	const struct certs_plan *p = j->plan;

	for (size_t n = 0; n < p->count; n++)
		if (do_item(j, &p->items[n], e) < 0)
			return -1;
	for (size_t n = 0; n < p->count; n++)
		if (do_crl(j, &p->items[n], e) < 0)
			return -1;
	for (size_t n = 0; n < p->count; n++)
		if (do_outputs(j, &p->items[n], e) < 0)
			return -1;
	return 0;
}

/* Like certyaml: the folder is not made. */
static int check_dir(const char *dir, struct err *e)
{
	struct stat st;

	if (!dir[0])
		return 0;
	if (stat(dir, &st) < 0)
		return FAIL_SYS(e, FILE, "%s: make the folder first", dir);
	if (!S_ISDIR(st.st_mode))
		return FAIL(e, FILE, "%s: not a folder", dir);
	return 0;
}

int certs_run(const struct certs_run *run, size_t *changes, struct err *e)
{
	struct certs_manifest m = { 0 };
	struct certs_plan p = { 0 };
	struct job j = { run, &p, 0 };
	char text[CERTS_PATH_MAX];
	int done;

	if (run->told && !run->json)
		printf("Loading manifest file: %s\n", shown(run->name, text, sizeof(text)));
	done = certs_manifest_parse(run->name, run->text, &m, e);
	if (done == 0)
		done = check_dir(run->options.dir, e);
	if (done == 0)
		done = certs_plan_make(&m, &run->options, &p, e);
	if (done == 0)
		done = do_all(&j, e);
	*changes = j.changes;
	certs_plan_fini(&p);
	certs_manifest_fini(&m);
	if (fflush(stdout) != 0 && done == 0)
		done = FAIL_SYS(e, FILE, "standard output");
	return done;
}
