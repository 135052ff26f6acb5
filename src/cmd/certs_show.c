/* `oriel certs show FILE|HOST[:PORT]`: a certificate in words, warnings first. */
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/certs.h"
#include "cmd/certs_input.h"
#include "cmd/certs_view.h"
#include "cmd/verbs.h"

#define TEXT_MAX ((size_t)256 << 20)

struct show {
	const struct args *a;
	struct material material, roots;
	struct bytes *ders; /* the certificates' */
	struct bytes *root_ders;
	struct cert *certs;
	struct notes *notes;
	struct notes chain;
	struct path_report *report;
	struct certs_shown shown;
	struct bytes host; /* of a server; empty: a file */
};

static void show_fini(struct show *s)
{
	mem_free(s->ders);
	mem_free(s->root_ders);
	mem_free(s->certs);
	mem_free(s->notes);
	path_report_free(s->report);
	material_fini(&s->material);
	material_fini(&s->roots);
}

/* A file, when there is one of that name, or it is named like one. */
static bool is_file(const char *text)
{
	static const char *const ends[] = { ".pem", ".crt", ".cer", ".der", ".p12", ".pfx",
					    ".csr", ".req", ".crl", ".p7b", ".key" };

	if (strcmp(text, "-") == 0 || strchr(text, '/') || access(text, F_OK) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		if (bytes_ends_nocase(bytes_str(text), bytes_str(ends[i])))
			return true;
	}
	return false;
}

static int get(struct show *s, const char *what, struct err *e)
{
	AUTO(buf_fini) struct buf secret = buf_init_secret(0);
	const char *password;
	uint16_t port;

	s->shown.from_host = !is_file(what);
	if (s->shown.from_host)
		return certs_target(what, &s->host, &port, e) < 0
			       ? -1
			       : certs_fetch(s->host, port, &s->material, e);
	if (certs_password(s->a, &secret, &password, e) < 0)
		return -1;
	return certs_read(what, password, &s->material, e);
}

static bool signs_another(const struct show *s, size_t of)
{
	for (size_t i = 0; i < s->shown.count; i++) {
		if (i != of && bytes_equal(s->certs[i].issuer, s->certs[of].subject))
			return true;
	}
	return false;
}

static bool has_host_name(const struct cert *c)
{
	struct bytes rest = c->san;
	struct san one;

	while (san_next(&rest, &one)) {
		if (one.kind == SAN_DNS || one.kind == SAN_IP)
			return true;
	}
	return false;
}

static bool is_leaf(const struct show *s, size_t i)
{
	const struct cert *c = &s->certs[i];

	if (s->shown.from_host)
		return i == 0;
	return !signs_another(s, i) && (!c->is_ca || has_host_name(c));
}

/* Are they one chain, and not a bundle of roots? */
static bool is_chain(const struct show *s)
{
	if (s->shown.from_host)
		return true;
	for (size_t i = 1; i < s->shown.count; i++) {
		if (bytes_equal(s->certs[i].subject, s->certs[0].issuer) &&
		    !cert_is_self_issued(&s->certs[0]))
			return true;
	}
	return false;
}

/* What cannot be read is said, and the rest shown; the first must be readable. */
static int parse(struct show *s, struct err *e)
{
	size_t n = certs_list(&s->material, MATERIAL_CERT, s->ders, s->material.count);
	struct err why = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (cert_parse(s->ders[i], &s->certs[s->shown.count], &why) == 0)
			s->shown.count++;
		else if (i == 0)
			return cert_parse(s->ders[i], &s->certs[0], e);
		else
			note_add(&s->chain, NOTE_ERROR, "unreadable", "", why.sentence);
	}
	return 0;
}

static int look(struct show *s, struct err *e)
{
	s->ders = mem_new_array(s->material.count + 1, sizeof(*s->ders));
	s->certs = mem_new_array(s->material.count + 1, sizeof(*s->certs));
	s->notes = mem_new_array(s->material.count + 1, sizeof(*s->notes));
	if (!s->ders || !s->certs || !s->notes)
		return FAIL(e, NOMEM, "%zu certificates", s->material.count);
	if (parse(s, e) < 0)
		return -1;
	for (size_t i = 0; i < s->shown.count; i++) {
		cert_notes(&s->certs[i], is_leaf(s, i), s->shown.now_s, &s->notes[i]);
		notes_sort(&s->notes[i]);
	}
	if (is_chain(s))
		chain_notes(s->certs, s->shown.count, &s->chain);
	return 0;
}

/* Is it told by the notes on the certificate itself, or nothing that a file can be blamed for? */
static bool is_told_elsewhere(const struct show *s, const struct path_fault *f)
{
	static const char *const always[] = { "expired", "not-yet-valid", "weak-key",
					      "weak-signature" };
	static const char *const in_files[] = { "no-issuer", "self-signed", "untrusted-root" };

	for (size_t i = 0; i < ARRAY_LEN(always); i++) {
		if (strcmp(f->word, always[i]) == 0)
			return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(in_files) && !s->shown.from_host; i++) {
		if (strcmp(f->word, in_files[i]) == 0)
			return true;
	}
	return false;
}

static int verify(struct show *s, struct err *e)
{
	const char *name = args_value(s->a, "name");
	struct path_request q = { .leaf = s->certs[0].der,
				  .untrusted = s->ders + 1,
				  .untrusted_count = s->shown.count - 1,
				  .now_s = s->shown.now_s };
	const struct path *p;

	if (certs_roots(s->a, &s->roots, e) < 0)
		return -1;
	s->root_ders = mem_new_array(s->roots.count + 1, sizeof(*s->root_ders));
	if (!s->root_ders)
		return FAIL(e, NOMEM, "%zu roots", s->roots.count);
	q.roots = s->root_ders;
	q.root_count = certs_list(&s->roots, MATERIAL_CERT, s->root_ders, s->roots.count);
	q.name = name ? bytes_str(name) : s->host;
	if (s->shown.from_host || name)
		q.purpose = PATH_FOR_SERVER;
	if (paths_explain(&q, &s->report, e) < 0)
		return -1;
	s->shown.report = s->report;
	p = certs_main_path(s->report);
	for (size_t i = 0; p && i < p->fault_count; i++) {
		if (!is_told_elsewhere(s, &p->faults[i]))
			note_add(&s->chain, NOTE_ERROR, p->faults[i].word, p->faults[i].remedy,
				 p->faults[i].sentence);
	}
	return 0;
}

static int print(struct show *s)
{
	AUTO(buf_fini) struct buf out = buf_init(TEXT_MAX);
	struct err e = { 0 };
	int done = args_has(s->a, "json") ? certs_show_json(&s->shown, &out, &e)
					  : certs_show_text(&s->shown, &out, &e);

	return done < 0 ? verb_fail(&e) : verb_print(buf_bytes(&out));
}

int certs_show(const struct args *a)
{
	struct show s = { .a = a };
	struct err e = { 0 };
	int status;

	s.shown.source = a->operands[1];
	s.shown.material = &s.material;
	if (certs_moment(a, &s.shown.now_s, &e) < 0 || get(&s, a->operands[1], &e) < 0 ||
	    look(&s, &e) < 0 || (s.shown.count && verify(&s, &e) < 0)) {
		show_fini(&s);
		return verb_fail(&e);
	}
	notes_sort(&s.chain);
	s.shown.certs = s.certs;
	s.shown.notes = s.notes;
	s.shown.chain = &s.chain;
	status = print(&s);
	show_fini(&s);
	return status;
}
