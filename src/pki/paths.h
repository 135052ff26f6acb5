/* Every path that could lead from a certificate to a root, and why each holds or fails: for a person
 * who asks why. The verdict is libcrypto's alone; what is told of a path is what libcrypto itself
 * objects to when it may go no other way (RFC 5280, 6). */
#ifndef PKI_PATHS_H
#define PKI_PATHS_H

#include "base/buf.h"

enum path_purpose { PATH_FOR_ANY, PATH_FOR_SERVER, PATH_FOR_CLIENT };

/* Everything borrows. */
struct path_request {
	struct bytes leaf;
	const struct bytes *untrusted, *roots,
		*crls; /* DER; without CRLs revocation is no matter */
	size_t untrusted_count, root_count, crl_count;
	struct bytes name; /* host name or literal address; empty: not checked */
	enum path_purpose purpose;
	int64_t now_s;
	unsigned floor_bits; /* 0: 112, as verifier_options; 1: however weak */
	/* Initial policies in dotted form (RFC 5280, 6.1.1 (c)); none: any. */
	const char *const *policies;
	size_t policy_count;
	bool check_policy; /* at all; else the next three mean nothing */
	bool require_policy, inhibit_mapping, inhibit_any; /* 6.1.1 (e) to (g) */
};

#define PATHS_MAX_TOLD 16
#define PATH_STEPS_MAX 12
#define PATH_FAULTS_MAX 12

struct path_fault {
	size_t at;	     /* which step it is about */
	int error;	     /* X509_V_ERR_* */
	const char *word;    /* "expired" */
	const char *section; /* "RFC 5280, 4.1.2.5"; "" when no text says so */
	const char *remedy;  /* or "" */
	char sentence[320];  /* escaped */
};
struct path {
	struct {
		struct bytes der; /* the request's */
		bool trusted;
	} steps[PATH_STEPS_MAX]; /* from the leaf upwards */
	size_t count;
	bool chosen; /* the one that libcrypto judged */
	struct path_fault faults[PATH_FAULTS_MAX];
	size_t fault_count; /* none: it holds */
};
struct path_report {
	bool ok; /* libcrypto's verdict */
	int error;
	char verdict[320]; /* in libcrypto's words; escaped */
	struct path paths[PATHS_MAX_TOLD];
	size_t count;
	bool more;	/* there are more paths than these */
	size_t skipped; /* certificates and CRLs that cannot be read, or not alike by both readers */
};

/* Fails with ERR_DER or ERR_CERT when the leaf cannot be read or is read differently by our reader
 * and libcrypto's, with ERR_USAGE for a policy that is no OID, with ERR_NOMEM. */
int paths_explain(const struct path_request *q, struct path_report **out, struct err *e) MUST_CHECK;
void path_report_free(struct path_report *r);
void path_report_freep(struct path_report **r); /* for AUTO */

#endif
