/* The manifest of `oriel certs`: certyaml's format, read whole and checked before anything is done.
 * Pure: no file is opened. */
#ifndef CMD_CERTS_MANIFEST_H
#define CMD_CERTS_MANIFEST_H

#include "base/arena.h"
#include "ca/profile.h"
#include "cmd/config_tree.h"

#define CERTS_MANIFEST_MAX CONFIG_DOCUMENTS_MAX

/* Bits of certs_entry.outputs: files besides NAME.pem and NAME-key.pem. */
enum certs_output {
	CERTS_PKCS12 = 1 << 0,	   /* NAME.p12: key, certificate, chain */
	CERTS_TRUSTSTORE = 1 << 1, /* NAME-trust.p12: the certificate, trusted, for Java */
	CERTS_COMBINED = 1 << 2,   /* NAME-combined.pem: chain and key, for HAProxy */
	CERTS_KUBERNETES = 1 << 3, /* NAME-secret.yaml: a Secret of type kubernetes.io/tls */
	CERTS_HASHED = 1 << 4,	   /* NAME-hashed/HASH.0: for -CApath */
};
const char *certs_output_suffix(enum certs_output o); /* ".p12" */

struct certs_entry {
	struct config_at at;
	const char *subject;  /* as written; "" when it is not */
	const char *filename; /* a relative path that stays within the folder */
	const char *issuer_subject;
	struct certs_entry *issuer; /* earlier in the list; NULL: self-signed */
	/* Dates and a serial number that the manifest does not say are zero. */
	struct profile profile;
	enum key_type key_type;
	unsigned key_bits;
	int64_t expires_s, backdate_s;
	bool says_usages; /* key_usages, or a profile: not the default */
	bool says_ca;
	bool revoked;
	unsigned outputs;	    /* of enum certs_output */
	const char *csr;	    /* paths, relative to the manifest; NULL: none */
	const char *key_passphrase; /* a file with it */
	const char *pkcs12_password;
	struct certs_plan_item *item; /* the planner's */
};

struct certs_manifest {
	struct arena arena; /* of everything below */
	const char *name;
	struct certs_entry *list;
	size_t count;
};

/* The text is borrowed for the call. Fails with ERR_CONFIG (`NAME:LINE:COLUMN: what, and what would be
 * right`), ERR_NOMEM. The caller ends *out, after a failure too. */
int certs_manifest_parse(const char *name, struct bytes text, struct certs_manifest *out,
			 struct err *e) MUST_CHECK;
void certs_manifest_fini(struct certs_manifest *m);

#endif
