/* From the plan to the disk. */
#ifndef CMD_CERTS_WRITE_H
#define CMD_CERTS_WRITE_H

#include "cmd/certs_plan.h"

/* Certificate and key of an entry: both are whole on the disk under other names before either takes its
 * place, so that a full disk changes nothing; when the second cannot take its place the first goes back.
 * Fails with ERR_FILE. */
int certs_write_pair(const struct certs_plan *p, const struct certs_plan_item *i,
		     struct err *e) MUST_CHECK;
int certs_write_crl(const struct certs_plan *p, const struct certs_plan_item *ca,
		    struct err *e) MUST_CHECK;

/* A file besides (enum certs_output). */
struct certs_file {
	char path[CERTS_PATH_MAX];
	struct buf content;
	unsigned mode;
	bool fresh;    /* the one on disk will do */
	bool in_a_dir; /* of its own */
};
#define CERTS_FILES_MAX 128
struct certs_files {
	struct certs_file *list[CERTS_FILES_MAX];
	size_t count;
};
/* What the entry's outputs are, and whether they are there. The caller ends *out, after a failure
 * too. */
int certs_output_make(const struct certs_plan *p, const struct certs_plan_item *i,
		      struct certs_files *out, struct err *e) MUST_CHECK;
int certs_write_file(const struct certs_file *f, struct err *e) MUST_CHECK;
void certs_files_fini(struct certs_files *f);

#endif
