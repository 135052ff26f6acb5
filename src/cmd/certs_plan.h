/* What is to be done: the certificates on disk held against the manifest. Everything is made in memory;
 * certs_write.h writes it. */
#ifndef CMD_CERTS_PLAN_H
#define CMD_CERTS_PLAN_H

#include "ca/crl.h"
#include "ca/extension.h"
#include "ca/issue.h"
#include "cmd/certs_manifest.h"

#define CERTS_PATH_MAX 4096
#define CERTS_FILE_MAX ((size_t)64 << 20)

enum certs_action {
	CERTS_KEEP,
	CERTS_NEW,	/* there was none */
	CERTS_CHANGED,	/* it says something else than the manifest, or hangs from another issuer */
	CERTS_RENEW,	/* it has expired, or soon will */
	CERTS_CHAIN,	/* only the certificates after it are others */
	CERTS_KEY_FORM, /* only the key's passphrase is put on or taken off */
};
const char *certs_action_text(enum certs_action a); /* "changed" */

struct certs_plan_item {
	struct certs_entry *entry;
	enum certs_action action;
	bool new_key;
	struct ca_differences why;
	/* As it will be. */
	struct evp_pkey_st *key; /* NULL with a csr */
	struct buf spki;
	struct buf der;
	struct cert cert;
	struct buf text; /* of NAME.pem */
	struct buf key_text;
	/* As it is on disk; empty: not there. */
	struct buf old_text, old_key_text;
	char passphrase[256]; /* "": none */
	/* The revocation list. */
	bool crl_wanted;
	bool crl_fresh; /* the one on disk will do */
	const char *crl_why;
	uint64_t crl_number;
	struct buf crl_text;
};

struct certs_plan_options {
	const char *dir;	  /* "": where we are */
	const char *manifest_dir; /* where csr and passphrase files are sought */
	int64_t now_s;		  /* UNIX seconds */
	bool rekey;
	bool renew_before_given;
	int64_t renew_before_s; /* else a third of the life, at most 30 days */
};

struct certs_plan {
	const struct certs_plan_options *o;
	struct certs_manifest *m;
	struct certs_plan_item *items; /* one an entry, in its order */
	size_t count;
};

/* m and o are borrowed. Fails with ERR_FILE, ERR_KEY (a key that cannot be read is never replaced),
 * ERR_CERT, ERR_CRYPTO, ERR_NOMEM … The caller ends *out, after a failure too. */
int certs_plan_make(struct certs_manifest *m, const struct certs_plan_options *o,
		    struct certs_plan *out, struct err *e) MUST_CHECK;
void certs_plan_fini(struct certs_plan *p);

/* DIR/NAME and suffix. Fails with ERR_LIMIT when it is too long. */
int certs_path(const struct certs_plan *p, const struct certs_entry *x, const char *suffix,
	       char out[CERTS_PATH_MAX], struct err *e) MUST_CHECK;

/* certs_disk.c: reads what is there into the item: texts, key, certificate (der empty: none that can be
 * read). */
int certs_disk_load(const struct certs_plan *p, struct certs_plan_item *i,
		    struct err *e) MUST_CHECK;
/* The whole file, or nothing when it is not there. */
int certs_disk_read(const char *path, struct buf *out, struct err *e) MUST_CHECK;
/* The first line of a passphrase file. */
int certs_disk_secret(const struct certs_plan *p, const char *file, char *out, size_t size,
		      struct err *e) MUST_CHECK;

/* certs_crl.c: decides on the revocation list of a CA. */
int certs_plan_crl(const struct certs_plan *p, struct certs_plan_item *ca,
		   struct err *e) MUST_CHECK;

#endif
