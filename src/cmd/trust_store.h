/* The places where programs of this machine look for roots, for `oriel trust`. A kind of store finds
 * its places and does one thing to each; it prints each change before it makes it. */
#ifndef CMD_TRUST_STORE_H
#define CMD_TRUST_STORE_H

#include "base/buf.h"
#include "proc/paths.h"

enum trust_action { TRUST_INSTALL, TRUST_REMOVE, TRUST_STATUS };

struct trust_job {
	enum trust_action action;
	bool dry_run;
	struct bytes der;	 /* the root */
	struct bytes pem;	 /* the same, one block */
	const char *pem_path;	 /* a file with just that */
	char nickname[32];	 /* "oriel-bump-1a2b3c4d", after its SHA-256 */
	const char *system_root; /* the system's files are below this folder; NULL: / */
	const char *keystore;	 /* of Java; NULL: to be found */
	const char *keystore_password;
};

struct trust_kind {
	const char *name;
	/* Fails with ERR_UNSUPPORTED when there is no such store here, with the remedy; everything else is
	 * a failure at work. */
	int (*run)(const struct trust_job *j, struct err *e);
};
extern const struct trust_kind trust_system, trust_nss, trust_java;

/* "system: write FILE", or with "would" before it when nothing is to be done. */
void trust_say(const struct trust_job *j, const char *kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* One line of status, or that there is nothing to do. */
void trust_tell(const struct trust_job *j, const char *kind, bool trusted, const char *where);
/* Is it what the action wants already, or only a question? */
bool trust_is_settled(const struct trust_job *j, bool trusted);
/* Is the first certificate of the text the root? */
bool trust_is_root(const struct trust_job *j, struct bytes pem);
/* Fails with ERR_SYSTEM: what was done did not help. */
int trust_check(const struct trust_job *j, bool trusted, const char *where,
		struct err *e) MUST_CHECK;
/* Fails with ERR_FILE and the remedy unless the file or folder may be written. */
int trust_may_write(const struct trust_job *j, const char *kind, const char *path,
		    struct err *e) MUST_CHECK;

#endif
