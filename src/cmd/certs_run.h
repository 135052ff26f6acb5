/* One run of `oriel certs` over a manifest: plan, tell, write. */
#ifndef CMD_CERTS_RUN_H
#define CMD_CERTS_RUN_H

#include "cmd/certs_plan.h"

struct certs_run {
	const char *name;  /* of the manifest, for people */
	struct bytes text; /* its text; borrowed */
	bool told;	   /* "Loading manifest file" is of use */
	bool dry;	   /* nothing is written */
	bool json;
	struct certs_plan_options options;
};

/* Prints what it does to standard output. *changes: how many files' worth there was to do. Fails as
 * certs_plan_make and certs_write_pair do; what was written before stays. */
int certs_run(const struct certs_run *run, size_t *changes, struct err *e) MUST_CHECK;

#endif
