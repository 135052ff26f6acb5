#include "cmd/bump_root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "pki/bundle.h"
#include "pki/cert.h"
#include "pki/mint.h"
#include "proc/child.h"
#include "proc/file.h"

#define PEM_MAX ((size_t)64 << 10)
#define BUNDLE_MAX ((size_t)32 << 20)
#define BUNDLE_CERTS_MAX 4096

int bump_root_paths(struct bump_root *r, struct err *e)
{
	char state[PATHS_MAX];

	*r = (struct bump_root){ .cert_pem = buf_init(PEM_MAX) };
	if (paths_state_dir(state, e) < 0 || paths_join(r->dir, state, "bump", e) < 0 ||
	    paths_join(r->cert_path, r->dir, "ca.pem", e) < 0 ||
	    paths_join(r->key_path, r->dir, "ca-key.pem", e) < 0 ||
	    paths_join(r->bundle_path, r->dir, "bundle.pem", e) < 0)
		return -1;
	return paths_join(r->p12_path, r->dir, "trust.p12", e);
}

void bump_root_fini(struct bump_root *r)
{
	buf_fini(&r->cert_pem);
}

int bump_root_copy(const struct bump_root *r, struct bump_root *out, struct err *e)
{
	*out = *r;
	out->cert_pem = buf_init(PEM_MAX);
	out->made = false;
	return buf_add(&out->cert_pem, buf_bytes(&r->cert_pem), e);
}

static int make(struct bump_root *r, struct err *e)
{
	AUTO(buf_fini) struct buf key = buf_init_secret(BUMP_KEY_MAX);
	char host[256] = "localhost";

	if (gethostname(host, sizeof(host) - 1) < 0)
		memcpy(host, "localhost", sizeof("localhost"));
	buf_clear(&r->cert_pem);
	if (authority_make_root(host, time(NULL), &r->cert_pem, &key, e) < 0 ||
	    file_write(r->key_path, buf_bytes(&key), 0600, e) < 0 ||
	    file_write(r->cert_path, buf_bytes(&r->cert_pem), 0644, e) < 0)
		return err_ctx(e, "the bump root cannot be made");
	r->made = true;
	return 0;
}

static bool has_expired(struct bytes pem)
{
	struct pem p = { .rest = pem, .line = 1 };
	AUTO(buf_fini) struct buf der = buf_init(PEM_MAX);
	struct cert c;

	if (pem_next_cert(&p, &der, NULL) != PEM_BLOCK || cert_parse(buf_bytes(&der), &c, NULL) < 0)
		return false; /* what is wrong with it, whoever uses it will say */
	return c.not_after < time(NULL);
}

int bump_root_read_key(const struct bump_root *r, struct buf *out, struct err *e)
{
	return file_read_secret(r->key_path, out, e) < 0 ? err_ctx(e, "the bump root") : 0;
}

/* What the keeper will do with it, tried now, while the complaint can still be the answer. */
static int try_key(const struct bump_root *r, struct err *e)
{
	AUTO(buf_fini) struct buf key = buf_init_secret(BUMP_KEY_MAX);
	struct authority *a;

	if (bump_root_read_key(r, &key, e) < 0)
		return -1;
	if (authority_new(buf_bytes(&r->cert_pem), buf_bytes(&key), &a, e) < 0)
		return err_ctx(e, "the bump root %s with %s", r->cert_path, r->key_path);
	authority_free(a);
	return 0;
}

static int load_or_make(struct bump_root *r, bool own, struct err *e)
{
	if (own && access(r->cert_path, F_OK) < 0 && errno == ENOENT)
		return make(r, e);
	if (file_read(r->cert_path, &r->cert_pem, e) < 0)
		return err_ctx(e, "the bump root");
	if (own && has_expired(buf_bytes(&r->cert_pem)))
		return make(r, e);
	return try_key(r, e);
}

/* The child in which the key is seen, and what it tells. */
struct errand {
	struct bump_root *root;
	bool own;
	int report;
};

struct outcome {
	bool made, failed;
	struct err e;
};

static int run_errand(void *ctx)
{
	struct errand *er = ctx;
	struct outcome o = { 0 };

	o.failed = load_or_make(er->root, er->own, &o.e) < 0;
	o.made = er->root->made;
	return write(er->report, &o, sizeof(o)) == (ssize_t)sizeof(o) ? EXIT_OK : EXIT_FAULT;
}

static int errand_start(struct errand *er, int fds[2], pid_t *pid, struct err *e)
{
	struct child_options o = { .role = "root",
				   .run = run_errand,
				   .ctx = er,
				   .keep = &er->report,
				   .keep_count = 1,
				   .hidden = true };
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return FAIL_SYS(e, SYSTEM, "a pipe");
	er->report = fds[1];
	r = child_start(&o, pid, e);
	close(fds[1]);
	if (r < 0)
		close(fds[0]);
	return r;
}

static int load_in_child(struct bump_root *r, bool own, struct err *e)
{
	struct errand er = { .root = r, .own = own };
	struct outcome o;
	ssize_t n;
	int fds[2];
	pid_t pid;

	if (errand_start(&er, fds, &pid, e) < 0)
		return -1;
	do
		n = read(fds[0], &o, sizeof(o));
	while (n < 0 && errno == EINTR);
	close(fds[0]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(o))
		return FAIL(e, SYSTEM, "the process that makes the bump root ended too early");
	r->made = o.made;
	if (!o.failed)
		return 0;
	*e = o.e;
	return -1;
}

int bump_root_load(struct bump_root *r, const char *cert, const char *key, struct err *e)
{
	bool own = !cert;

	if (cert &&
	    (paths_join(r->cert_path, cert, "", e) < 0 || paths_join(r->key_path, key, "", e) < 0))
		return -1;
	if (file_make_private_dir(r->dir, e) < 0 || load_in_child(r, own, e) < 0)
		return -1;
	return file_read(r->cert_path, &r->cert_pem, e) < 0 ? err_ctx(e, "the bump root") : 0;
}

/* --- what is made from it --- */

/* Writes a file unless it holds just this already, so that those who watch it are not disturbed. */
static int write_changed(const char *path, struct bytes content, struct err *e)
{
	AUTO(buf_fini) struct buf old = buf_init(BUNDLE_MAX);

	if (file_read(path, &old, NULL) == 0 && bytes_equal(buf_bytes(&old), content))
		return 0;
	return file_write(path, content, 0644, e);
}

/* A PKCS#12 file has salts in it: it is made anew only when the bundle is newer. */
static bool is_older(const char *path, const char *than)
{
	struct stat a, b;

	if (stat(path, &a) < 0 || stat(than, &b) < 0)
		return true;
	return a.st_mtim.tv_sec != b.st_mtim.tv_sec ? a.st_mtim.tv_sec < b.st_mtim.tv_sec
						    : a.st_mtim.tv_nsec < b.st_mtim.tv_nsec;
}

static int write_p12(const struct bump_root *r, struct bytes bundle, struct err *e)
{
	struct pem p = { .rest = bundle, .line = 1 };
	AUTO(buf_fini)
	struct buf all = buf_init(BUNDLE_MAX), one = buf_init(1 << 20), out = buf_init(BUNDLE_MAX);
	AUTO(mem_freep) size_t *ends = mem_new_array(BUNDLE_CERTS_MAX, sizeof(*ends));
	AUTO(mem_freep) struct bytes *list = mem_new_array(BUNDLE_CERTS_MAX, sizeof(*list));
	size_t count = 0;
	enum pem_step step;

	if (!ends || !list)
		return FAIL(e, NOMEM, "the Java trust store");
	while (count < BUNDLE_CERTS_MAX && (step = pem_next_cert(&p, &one, NULL)) != PEM_END &&
	       step != PEM_NOMEM) {
		if (step != PEM_BLOCK)
			continue;
		if (buf_add(&all, buf_bytes(&one), e) < 0)
			return -1;
		ends[count++] = all.n;
	}
	for (size_t i = 0; i < count; i++) {
		size_t from = i ? ends[i - 1] : 0;

		list[i] = bytes_slice(buf_bytes(&all), from, ends[i] - from);
	}
	if (pkcs12_write_trust(&out, list, count, "changeit", e) < 0)
		return -1;
	return file_write(r->p12_path, buf_bytes(&out), 0644, e);
}

/* In a shell that points to our bundle, the bundle is what this start takes for the system's roots. */
static bool is_in(struct bytes roots, struct bytes pem)
{
	return roots.n && memmem(roots.p, roots.n, pem.p, pem.n);
}

int bump_root_write_bundles(const struct bump_root *r, struct bytes system_roots, struct err *e)
{
	AUTO(buf_fini) struct buf all = buf_init(BUNDLE_MAX);

	if (buf_add(&all, system_roots, e) < 0 ||
	    (!is_in(system_roots, buf_bytes(&r->cert_pem)) &&
	     (buf_add(&all, bytes_str("\n"), e) < 0 ||
	      buf_add(&all, buf_bytes(&r->cert_pem), e) < 0)) ||
	    write_changed(r->bundle_path, buf_bytes(&all), e) < 0)
		return -1;
	if (!is_older(r->p12_path, r->bundle_path))
		return 0;
	return write_p12(r, buf_bytes(&all), e);
}

/* --- the system's roots --- */

static int read_dir(const char *dir, struct buf *out, struct err *e)
{
	char path[PATHS_MAX];
	struct dirent *entry;
	DIR *d = opendir(dir);

	if (!d)
		return FAIL_SYS(e, FILE, "SSL_CERT_DIR %s", dir);
	while ((entry = readdir(d))) {
		AUTO(buf_fini) struct buf one = buf_init(ROOTS_MAX);

		if (entry->d_name[0] == '.' || paths_join(path, dir, entry->d_name, NULL) < 0 ||
		    file_read(path, &one, NULL) < 0)
			continue; /* OpenSSL passes over what it cannot read there, too */
		if (buf_add(out, buf_bytes(&one), e) < 0 || buf_add(out, bytes_str("\n"), e) < 0) {
			closedir(d);
			return -1;
		}
	}
	closedir(d);
	return 0;
}

int system_roots_read(struct buf *out, char where[PATHS_MAX], struct err *e)
{
	static const char *const bundles[] = {
		"/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Arch, Alpine */
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, RHEL */
		"/etc/ssl/ca-bundle.pem",			     /* openSUSE */
		"/etc/ssl/cert.pem",
	};
	const char *file = paths_env("SSL_CERT_FILE", true), *dir = paths_env("SSL_CERT_DIR", true);

	if (file) {
		snprintf(where, PATHS_MAX, "%s", file);
		return file_read(file, out, e) < 0 ? err_ctx(e, "SSL_CERT_FILE") : 0;
	}
	if (dir) {
		snprintf(where, PATHS_MAX, "%s", dir);
		return read_dir(dir, out, e);
	}
	for (size_t i = 0; i < ARRAY_LEN(bundles); i++) {
		snprintf(where, PATHS_MAX, "%s", bundles[i]);
		if (file_read(bundles[i], out, NULL) == 0)
			return 0;
	}
	where[0] = 0;
	return 0;
}
