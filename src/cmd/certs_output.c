/* The outputs besides PEM, each from what the plan has made. */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "base/mem.h"
#include "ca/pkcs12.h"
#include "cmd/certs_write.h"
#include "pki/bundle.h"
#include "wire/base64.h"

#define CHAIN_MAX 64
#define FILE_MAX ((size_t)1 << 22)
#define USUAL_PASSWORD "changeit" /* Java's */
#define SECRET_MODE 0600
#define OPEN_MODE 0644

/* The certificate and those above it, up to the root. */
struct path {
	struct bytes der[CHAIN_MAX];
	size_t count;
	const struct certs_plan_item *items[CHAIN_MAX];
	const struct certs_plan *plan;
};

static void path_of(const struct certs_plan_item *i, struct path *out)
{
	out->count = 0;
	while (i && out->count < CHAIN_MAX) {
		out->items[out->count] = i;
		out->der[out->count++] = buf_bytes(&i->der);
		i = i->entry->issuer ? i->entry->issuer->item : NULL;
	}
}

void certs_files_fini(struct certs_files *f)
{
	for (size_t n = 0; n < f->count; n++) {
		buf_fini(&f->list[n]->content);
		mem_free(f->list[n]);
	}
	f->count = 0;
}

static struct certs_file *add_file(struct certs_files *out, unsigned mode, struct err *e)
{
	struct certs_file *f;

	if (out->count == CERTS_FILES_MAX) {
		(void)FAIL(e, LIMIT, "more than %d outputs of one certificate", CERTS_FILES_MAX);
		return NULL;
	}
	f = mem_new(sizeof(*f));
	if (!f) {
		(void)FAIL(e, NOMEM, "an output");
		return NULL;
	}
	f->mode = mode;
	f->content = mode == SECRET_MODE ? buf_init_secret(FILE_MAX) : buf_init(FILE_MAX);
	out->list[out->count++] = f;
	return f;
}

static int same_on_disk(struct certs_file *f, struct err *e)
{
	AUTO(buf_fini) struct buf old = buf_init_secret(FILE_MAX);

	if (certs_disk_read(f->path, &old, e) < 0)
		return -1;
	f->fresh = bytes_equal(buf_bytes(&old), buf_bytes(&f->content));
	return 0;
}

static int password_of(const struct certs_plan *p, const struct certs_entry *x, char *out,
		       size_t size, struct err *e)
{
	if (x->pkcs12_password)
		return certs_disk_secret(p, x->pkcs12_password, out, size, e);
	snprintf(out, size, "%s", USUAL_PASSWORD);
	return 0;
}

/* trust: only the certificate of the root, else of the CA itself. */
static int make_pkcs12(const struct certs_plan *p, const struct certs_plan_item *i, bool trust,
		       struct certs_file *f, struct err *e)
{
	AUTO(buf_fini) struct buf old = buf_init_secret(FILE_MAX);
	struct evp_pkey_st *key = trust ? NULL : i->key;
	char password[256];
	struct path path;
	struct ca_chain chain;
	int done;

	path_of(i, &path);
	chain = (struct ca_chain){ path.der, path.count };
	if (trust)
		chain = i->entry->profile.is_ca ? (struct ca_chain){ path.der, 1 }
						: (struct ca_chain){ path.der + path.count - 1, 1 };
	if (password_of(p, i->entry, password, sizeof(password), e) < 0 ||
	    certs_disk_read(f->path, &old, e) < 0)
		return -1;
	f->fresh = ca_pkcs12_holds(buf_bytes(&old), password, &chain, key);
	done = trust ? pkcs12_write_trust(&f->content, chain.der, chain.count, password, e)
		     : ca_pkcs12_write(&(struct ca_pkcs12){ chain, key, i->entry->filename,
							    password },
				       &f->content, e);
	mem_wipe(password, sizeof(password));
	return done;
}

static int make_combined(const struct certs_plan_item *i, struct certs_file *f, struct err *e)
{
	if (buf_add(&f->content, buf_bytes(&i->text), e) < 0 ||
	    buf_add(&f->content, buf_bytes(&i->key_text), e) < 0)
		return -1;
	return same_on_disk(f, e);
}

/* A name as Kubernetes takes it: RFC 1123, 2.1. */
static void put_resource_name(char *out, size_t size, const char *name)
{
	size_t n = 0;

	for (; *name && n < size - 1; name++) {
		char c = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
		bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (fine || ((c == '-' || c == '.') && n))
			out[n++] = c;
		else if (n)
			out[n++] = '-';
	}
	while (n && (out[n - 1] == '-' || out[n - 1] == '.'))
		n--;
	out[n] = 0;
}

static int make_kubernetes(const struct certs_plan_item *i, struct certs_file *f, struct err *e)
{
	AUTO(buf_fini) struct buf root = buf_init(FILE_MAX);
	struct path path;
	char name[254];

	path_of(i, &path);
	put_resource_name(name, sizeof(name), i->entry->filename);
	if (pem_write(&root, "CERTIFICATE", path.der[path.count - 1], e) < 0 ||
	    buf_printf(&f->content, e,
		       "apiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\ntype: "
		       "kubernetes.io/tls\ndata:\n  ca.crt: ",
		       name) < 0 ||
	    base64_write(buf_bytes(&root), &f->content, e) < 0 ||
	    buf_add(&f->content, bytes_str("\n  tls.crt: "), e) < 0 ||
	    base64_write(buf_bytes(&i->text), &f->content, e) < 0 ||
	    buf_add(&f->content, bytes_str("\n  tls.key: "), e) < 0 ||
	    base64_write(buf_bytes(&i->key_text), &f->content, e) < 0 ||
	    buf_add(&f->content, bytes_str("\n"), e) < 0)
		return -1;
	return same_on_disk(f, e);
}

/* What `openssl rehash` names it by. */
static unsigned long hash_of(struct bytes der)
{
	const unsigned char *p = der.p;
	X509 *x = d2i_X509(NULL, &p, (long)der.n);
	unsigned long hash = x ? X509_subject_name_hash(x) : 0;

	X509_free(x);
	ERR_clear_error();
	return hash;
}

/* The n-th of the path, and its revocation list. */
static int put_hashed(const struct path *path, size_t n, struct certs_files *out, struct err *e)
{
	unsigned long hash = hash_of(path->der[n]);
	const struct certs_plan_item *ca = path->items[n];
	struct certs_file *f = add_file(out, OPEN_MODE, e);
	unsigned number = 0;
	char suffix[64];

	if (!f)
		return -1;
	f->in_a_dir = true;
	for (size_t k = 0; k < n; k++)
		number += path->items[k]->entry->profile.is_ca && hash_of(path->der[k]) == hash;
	snprintf(suffix, sizeof(suffix), "-hashed/%08lx.%u", hash, number);
	if (certs_path(path->plan, path->items[0]->entry, suffix, f->path, e) < 0 ||
	    pem_write(&f->content, "CERTIFICATE", path->der[n], e) < 0 || same_on_disk(f, e) < 0)
		return -1;
	if (ca->crl_text.n == 0)
		return 0;
	f = add_file(out, OPEN_MODE, e);
	if (!f)
		return -1;
	f->in_a_dir = true;
	snprintf(suffix, sizeof(suffix), "-hashed/%08lx.r%u", hash, number);
	if (certs_path(path->plan, path->items[0]->entry, suffix, f->path, e) < 0 ||
	    buf_add(&f->content, buf_bytes(&ca->crl_text), e) < 0)
		return -1;
	return same_on_disk(f, e);
}

static int make_hashed(const struct certs_plan *p, const struct certs_plan_item *i,
		       struct certs_files *out, struct err *e)
{
	struct path path;

	path_of(i, &path);
	path.plan = p;
	for (size_t n = 0; n < path.count; n++)
		if (path.items[n]->entry->profile.is_ca && put_hashed(&path, n, out, e) < 0)
			return -1;
	return 0;
}

static int make_one(const struct certs_plan *p, const struct certs_plan_item *i,
		    enum certs_output which, struct certs_files *out, struct err *e)
{
	struct certs_file *f;

	if (which == CERTS_HASHED)
		return make_hashed(p, i, out, e);
	f = add_file(out, which == CERTS_TRUSTSTORE ? OPEN_MODE : SECRET_MODE, e);
	if (!f || certs_path(p, i->entry, certs_output_suffix(which), f->path, e) < 0)
		return -1;
	switch (which) {
	case CERTS_PKCS12:
	case CERTS_TRUSTSTORE:
		return make_pkcs12(p, i, which == CERTS_TRUSTSTORE, f, e);
	case CERTS_COMBINED:
		return make_combined(i, f, e);
	case CERTS_KUBERNETES:
		return make_kubernetes(i, f, e);
	case CERTS_HASHED:
		break;
	}
	return 0;
}

int certs_output_make(const struct certs_plan *p, const struct certs_plan_item *i,
		      struct certs_files *out, struct err *e)
{
	out->count = 0;
	for (unsigned which = 1; which <= CERTS_HASHED; which <<= 1)
		if ((i->entry->outputs & which) &&
		    make_one(p, i, (enum certs_output)which, out, e) < 0)
			return err_ctx(e, "%s", i->entry->filename);
	return 0;
}
