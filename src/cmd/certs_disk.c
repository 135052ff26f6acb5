/* What is on disk of one entry. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ca/csr.h"
#include "cmd/certs_plan.h"
#include "pki/bundle.h"
#include "proc/file.h"

int certs_path(const struct certs_plan *p, const struct certs_entry *x, const char *suffix,
	       char out[CERTS_PATH_MAX], struct err *e)
{
	size_t n = strlen(p->o->dir);
	bool slash = n && p->o->dir[n - 1] != '/';
	int len = snprintf(out, CERTS_PATH_MAX, "%s%s%s%s", p->o->dir, slash ? "/" : "",
			   x->filename, suffix);

	if (len < 0 || len >= CERTS_PATH_MAX)
		return FAIL(e, LIMIT, "a path of more than %d bytes", CERTS_PATH_MAX);
	return 0;
}

int certs_disk_read(const char *path, struct buf *out, struct err *e)
{
	struct err why = { 0 };

	if (file_read(path, out, &why) == 0)
		return 0;
	if (why.sys == ENOENT || why.sys == ENOTDIR)
		return 0;
	if (e)
		*e = why;
	return -1;
}

/* A file that the manifest names. */
static int read_beside(const struct certs_plan *p, const char *file, struct buf *out, struct err *e)
{
	char path[CERTS_PATH_MAX];
	bool absolute = file[0] == '/';
	int len = snprintf(path, sizeof(path), "%s%s%s", absolute ? "" : p->o->manifest_dir,
			   absolute || !p->o->manifest_dir[0] ? "" : "/", file);

	if (len < 0 || len >= (int)sizeof(path))
		return FAIL(e, LIMIT, "a path of more than %d bytes", CERTS_PATH_MAX);
	return file_read(path, out, e);
}

int certs_disk_secret(const struct certs_plan *p, const char *file, char *out, size_t size,
		      struct err *e)
{
	AUTO(buf_fini) struct buf text = buf_init_secret(4096);
	size_t n;

	if (read_beside(p, file, &text, e) < 0)
		return -1;
	n = bytes_index(buf_bytes(&text), '\n');
	if (n && text.p[n - 1] == '\r')
		n--;
	if (n == 0 || n >= size || memchr(text.p, 0, n))
		return FAIL(e, KEY, "%s: expected a passphrase of 1 to %zu bytes on the first line",
			    file, size - 1);
	memcpy(out, text.p, n);
	out[n] = 0;
	return 0;
}

/* The key comes from a request; what the manifest leaves out does, too. */
static int load_csr(const struct certs_plan *p, struct certs_plan_item *i, struct err *e)
{
	AUTO(buf_fini) struct buf text = buf_init(CSR_MAX);
	struct arena *a = &p->m->arena;
	struct profile *profile = &i->entry->profile;
	struct ca_csr csr;
	struct bytes rest;
	struct san *names;
	size_t count = 0;

	if (read_beside(p, i->entry->csr, &text, e) < 0)
		return -1;
	if (ca_csr_read(buf_bytes(&text), &csr, e) < 0)
		return err_ctx(e, "%s", i->entry->csr);
	i->spki = csr.spki;
	csr.spki = (struct buf){ 0 };
	rest = bytes_of(arena_dup(a, buf_bytes(&csr.san)), csr.san.n);
	names = arena_new(a, csr.san.n / 2 + 1, sizeof(*names));
	if (name_is_empty(profile->subject))
		profile->subject = bytes_of(arena_dup(a, buf_bytes(&csr.subject)), csr.subject.n);
	ca_csr_fini(&csr);
	if (!rest.p || !names || !profile->subject.p)
		return FAIL(e, NOMEM, "%s", i->entry->csr);
	while (san_next(&rest, &names[count]))
		count++;
	if (profile->names.count == 0)
		profile->names = (struct ca_names){ names, count };
	return 0;
}

static int load_key(const struct certs_plan *p, struct certs_plan_item *i, struct err *e)
{
	const char *passphrase = i->passphrase[0] ? i->passphrase : NULL;
	char path[CERTS_PATH_MAX];

	if (certs_path(p, i->entry, "-key.pem", path, e) < 0 ||
	    certs_disk_read(path, &i->old_key_text, e) < 0)
		return -1;
	if (i->old_key_text.p == NULL)
		return 0;
	if (ca_key_load(buf_bytes(&i->old_key_text), passphrase, &i->key, e) < 0)
		return err_ctx(e, "%s", path);
	return ca_key_spki(i->key, &i->spki, e);
}

int certs_disk_load(const struct certs_plan *p, struct certs_plan_item *i, struct err *e)
{
	struct pem pem = { .line = 1 };
	char path[CERTS_PATH_MAX];
	int done;

	if (i->entry->key_passphrase &&
	    certs_disk_secret(p, i->entry->key_passphrase, i->passphrase, sizeof(i->passphrase),
			      e) < 0)
		return -1;
	done = i->entry->csr ? load_csr(p, i, e) : load_key(p, i, e);
	if (done < 0 || certs_path(p, i->entry, ".pem", path, e) < 0 ||
	    certs_disk_read(path, &i->old_text, e) < 0)
		return -1;
	pem.rest = buf_bytes(&i->old_text);
	if (pem_next_cert(&pem, &i->der, NULL) != PEM_BLOCK ||
	    cert_parse(buf_bytes(&i->der), &i->cert, NULL) < 0)
		buf_clear(&i->der);
	return 0;
}
