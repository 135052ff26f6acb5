#include "cmd/certs_write.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/file.h"

#define CERT_MODE 0644
#define KEY_MODE 0600

/* Whole and safe on the disk, but under its temporary name. */
static int stage(const char *path, struct bytes content, mode_t mode, struct file_draft *d,
		 struct err *e)
{
	if (file_draft_open(path, mode, d, e) < 0)
		return -1;
	if (file_draft_write(d, content, e) < 0)
		return -1;
	if (d->temporary[0] && fsync(d->fd) < 0)
		return FAIL_SYS(e, FILE, "%s", path);
	return 0;
}

static int replace(const char *path, struct bytes content, mode_t mode, struct err *e)
{
	AUTO(file_draft_discard) struct file_draft d = { .fd = -1 };

	if (stage(path, content, mode, &d, e) < 0)
		return -1;
	return file_draft_commit(&d, e);
}

static int write_both(const struct certs_plan_item *i, const char *cert_path, const char *key_path,
		      struct err *e)
{
	AUTO(file_draft_discard) struct file_draft key = { .fd = -1 }, cert = { .fd = -1 };

	if (stage(key_path, buf_bytes(&i->key_text), KEY_MODE, &key, e) < 0 ||
	    stage(cert_path, buf_bytes(&i->text), CERT_MODE, &cert, e) < 0)
		return -1;
	if (file_draft_commit(&key, e) < 0)
		return -1;
	if (file_draft_commit(&cert, e) == 0)
		return 0;
	if (i->old_key_text.n)
		(void)!replace(key_path, buf_bytes(&i->old_key_text), KEY_MODE, NULL);
	else
		(void)unlink(key_path);
	return -1;
}

int certs_write_pair(const struct certs_plan *p, const struct certs_plan_item *i, struct err *e)
{
	char cert_path[CERTS_PATH_MAX], key_path[CERTS_PATH_MAX];

	if (certs_path(p, i->entry, ".pem", cert_path, e) < 0 ||
	    certs_path(p, i->entry, "-key.pem", key_path, e) < 0)
		return -1;
	if (i->action == CERTS_KEY_FORM)
		return replace(key_path, buf_bytes(&i->key_text), KEY_MODE, e);
	if (i->new_key)
		return write_both(i, cert_path, key_path, e);
	return replace(cert_path, buf_bytes(&i->text), CERT_MODE, e);
}

int certs_write_crl(const struct certs_plan *p, const struct certs_plan_item *ca, struct err *e)
{
	char path[CERTS_PATH_MAX];

	if (certs_path(p, ca->entry, "-crl.pem", path, e) < 0)
		return -1;
	return replace(path, buf_bytes(&ca->crl_text), CERT_MODE, e);
}

int certs_write_file(const struct certs_file *f, struct err *e)
{
	char dir[CERTS_PATH_MAX];
	char *slash;

	memcpy(dir, f->path, sizeof(dir));
	slash = strrchr(dir, '/');
	if (f->in_a_dir && slash) {
		*slash = 0;
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			return FAIL_SYS(e, FILE, "%s", dir);
	}
	return replace(f->path, buf_bytes(&f->content), (mode_t)f->mode, e);
}
