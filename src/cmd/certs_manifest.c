#include "cmd/certs_manifest.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/escape.h"
#include "ca/issue.h"
#include "ca/subject.h"
#include "cmd/certs_keys.h"

#define YEAR_S (8760 * (int64_t)3600)
#define BACKDATE_S 60
#define DN_MAX ((size_t)1 << 17)
#define OUTPUTS 5
#define STEPS_MAX 1000

/* The document with this subject, wherever it stands. */
static const struct config_node *find_document(const struct certs_reader *r, struct bytes subject)
{
	for (const struct config_node *doc = r->documents->first; doc; doc = doc->next) {
		const struct config_node *n =
			doc->kind == CONFIG_NODE_MAP ? certs_keys_find(doc, "subject") : NULL;

		if (n && bytes_equal(n->text, subject))
			return doc;
	}
	return NULL;
}

/* Does the way up from this issuer lead back to the entry itself? */
static bool is_cycle(const struct certs_reader *r)
{
	struct bytes at = bytes_str(r->entry->issuer_subject);

	for (int step = 0; step < STEPS_MAX; step++) {
		const struct config_node *doc, *up;

		if (bytes_equal(at, bytes_str(r->entry->subject)))
			return true;
		doc = find_document(r, at);
		up = doc ? certs_keys_find(doc, "issuer") : NULL;
		if (!up)
			return false;
		at = up->text;
	}
	return true;
}

static int refuse_issuer(const struct certs_reader *r)
{
	const struct certs_entry *x = r->entry;
	const struct config_node *later = find_document(r, bytes_str(x->issuer_subject));
	char issuer[120], subject[120];

	escape_to(issuer, sizeof(issuer), bytes_str(x->issuer_subject));
	escape_to(subject, sizeof(subject), bytes_str(x->subject));
	if (is_cycle(r))
		return CONFIG_FAIL(&x->at, r->e,
				   "a cycle of issuers: `%s` is issued by `%s`, and the way up "
				   "from there leads back; leave out issuer of the one that is the "
				   "root",
				   subject, issuer);
	if (later)
		return CONFIG_FAIL(&x->at, r->e,
				   "issuer field defined but CA certificate `%s` not found before "
				   "this one; it stands in line %u, move it up",
				   issuer, later->at.line);
	return CONFIG_FAIL(&x->at, r->e,
			   "issuer field defined but CA certificate `%s` not found; expected the "
			   "subject of a certificate before this one, spelled alike",
			   issuer);
}

/* Who issues it: the last one before it with exactly that subject. */
static int find_issuer(struct certs_reader *r)
{
	struct certs_entry *x = r->entry;

	if (!x->issuer_subject)
		return 0;
	for (struct certs_entry *c = r->m->list; c < x; c++)
		if (strcmp(c->subject, x->issuer_subject) == 0)
			x->issuer = c;
	return x->issuer ? 0 : refuse_issuer(r);
}

static int parse_subject(struct certs_reader *r)
{
	AUTO(buf_fini) struct buf name = buf_init(DN_MAX), cn = buf_init(DN_MAX);
	struct certs_entry *x = r->entry;
	struct err why = { 0 };
	void *copy, *file;

	if (ca_subject_parse(bytes_str(x->subject), &name, &cn, &why) < 0)
		return CONFIG_FAIL(&x->at, r->e, "subject: %s", why.sentence);
	copy = arena_dup(&r->m->arena, buf_bytes(&name));
	file = arena_dup(&r->m->arena, buf_bytes(&cn));
	if (!copy || !file)
		return certs_no_memory(r);
	x->profile.subject = bytes_of(copy, name.n);
	if (x->filename)
		return 0;
	return certs_filename_set(r, &x->at, file);
}

static unsigned default_bits(enum key_type type)
{
	return type == KEY_TYPE_RSA ? 2048 : 256;
}

static int check_key(struct certs_reader *r)
{
	const struct certs_entry *x = r->entry;
	unsigned bits = x->key_bits;
	bool fits = x->key_type == KEY_TYPE_RSA	 ? bits >= 1024
		    : x->key_type == KEY_TYPE_EC ? bits == 256 || bits == 384 || bits == 521
						 : bits == 256;

	if (fits)
		return 0;
	return CONFIG_FAIL(&x->at, r->e,
			   "key_size: expected EC 256, 384 or 521, RSA 1024 to 16384, ED25519 256; "
			   "found %u",
			   bits);
}

static int check_entry(struct certs_reader *r)
{
	struct certs_entry *x = r->entry;

	if (!x->subject && !x->filename)
		return CONFIG_FAIL(&x->at, r->e,
				   "either subject or filename field must be defined");
	if (!x->subject)
		x->subject = "";
	if (find_issuer(r) < 0 || parse_subject(r) < 0)
		return -1;
	if (x->revoked && !x->issuer)
		return CONFIG_FAIL(&x->at, r->e,
				   "cannot revoke self-signed certificate: %s; only its issuer's "
				   "list could hold it",
				   x->subject);
	if (x->csr && !x->issuer)
		return CONFIG_FAIL(&x->at, r->e, "csr: a request needs an issuer");
	if (x->key_passphrase && (x->outputs & (CERTS_PKCS12 | CERTS_COMBINED | CERTS_KUBERNETES)))
		return CONFIG_FAIL(&x->at, r->e,
				   "key_passphrase_file: outputs pkcs12, combined and kubernetes "
				   "would hold the key without it");
	if (x->csr && (x->outputs & (CERTS_PKCS12 | CERTS_COMBINED | CERTS_KUBERNETES)))
		return CONFIG_FAIL(&x->at, r->e,
				   "csr: its key is elsewhere; outputs pkcs12, combined and "
				   "kubernetes need it");
	if (!x->says_ca)
		x->profile.is_ca = !x->issuer;
	if (x->profile.path_length >= 0 && !x->profile.is_ca)
		return CONFIG_FAIL(&x->at, r->e, "path_length: only of a CA (ca: true)");
	if (x->profile.not_after && x->profile.not_before > x->profile.not_after)
		return CONFIG_FAIL(&x->at, r->e, "not_after is before not_before");
	if (x->key_bits == 0)
		x->key_bits = default_bits(x->key_type);
	if (!x->says_usages)
		x->profile.key_usage = ca_key_usage(x->key_type, x->profile.is_ca);
	return check_key(r);
}

static int read_defaults(struct certs_reader *r, const struct config_node *doc)
{
	const struct config_node *n = doc->first;

	if (doc->count != 1)
		return CONFIG_FAIL(&doc->at, r->e,
				   "defaults stand in a document of their own; put --- after them");
	if (certs_keys_check(r, n, true) < 0)
		return -1;
	r->defaults = n;
	return 0;
}

static int read_document(struct certs_reader *r, const struct config_node *doc)
{
	if (doc->kind == CONFIG_NODE_MAP && config_node_find(doc, "defaults"))
		return read_defaults(r, doc);
	r->entry = &r->m->list[r->m->count];
	*r->entry = (struct certs_entry){ .at = doc->at,
					  .key_type = KEY_TYPE_EC,
					  .expires_s = YEAR_S,
					  .backdate_s = BACKDATE_S,
					  .profile.path_length = -1 };
	if (certs_keys_check(r, doc, false) < 0 || certs_keys_read(r, doc) < 0 ||
	    check_entry(r) < 0)
		return -1;
	r->m->count++;
	return 0;
}

/* A file that an entry writes. */
struct claim {
	const struct certs_entry *by;
	const char *suffix;
};

static int compare_claims(const void *one, const void *other)
{
	const struct claim *a = one, *b = other;
	char x[512], y[512];

	snprintf(x, sizeof(x), "%s%s", a->by->filename, a->suffix);
	snprintf(y, sizeof(y), "%s%s", b->by->filename, b->suffix);
	return strcmp(x, y);
}

/* No two entries write one file. */
static int check_files(struct certs_reader *r)
{
	size_t count = 0, most = r->m->count * (3 + OUTPUTS);
	struct claim *list = arena_new(&r->m->arena, most + 1, sizeof(*list));

	if (!list)
		return certs_no_memory(r);
	for (size_t i = 0; i < r->m->count; i++) {
		const struct certs_entry *x = &r->m->list[i];

		list[count++] = (struct claim){ x, ".pem" };
		list[count++] = (struct claim){ x, "-key.pem" };
		if (x->profile.is_ca)
			list[count++] = (struct claim){ x, "-crl.pem" };
		for (unsigned o = 1; o <= CERTS_HASHED; o <<= 1)
			if (x->outputs & o)
				list[count++] =
					(struct claim){ x,
							certs_output_suffix((enum certs_output)o) };
	}
	qsort(list, count, sizeof(*list), compare_claims);
	for (size_t i = 1; i < count; i++) {
		const struct certs_entry *a = list[i - 1].by, *b = list[i].by;

		if (compare_claims(&list[i - 1], &list[i]) != 0)
			continue;
		return CONFIG_FAIL(a > b ? &a->at : &b->at, r->e,
				   "a second entry for the file %s%s; the other is in line %u (set "
				   "filename)",
				   list[i].by->filename, list[i].suffix,
				   a > b ? b->at.line : a->at.line);
	}
	return 0;
}

int certs_manifest_parse(const char *name, struct bytes text, struct certs_manifest *out,
			 struct err *e)
{
	struct config_node *root;
	struct certs_reader r = { .m = out, .e = e };

	*out = (struct certs_manifest){ .arena = arena_init(SIZE_MAX / 2), .name = name };
	if (config_tree_parse_documents(&out->arena, name, text, &root, e) < 0)
		return -1;
	out->list = arena_new(&out->arena, root->count + 1, sizeof(*out->list));
	if (!out->list)
		return certs_no_memory(&r);
	r.documents = root;
	for (const struct config_node *doc = root->first; doc; doc = doc->next)
		if (read_document(&r, doc) < 0)
			return -1;
	return check_files(&r);
}

void certs_manifest_fini(struct certs_manifest *m)
{
	arena_fini(&m->arena);
}
