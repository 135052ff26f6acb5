/* The verdict on a server's chain: libcrypto's X509_verify_cert, remembered by hash of chain,
 * store generation, purpose and name, and judged again against the clock at each use. */
#ifndef PKI_VERIFY_H
#define PKI_VERIFY_H

#include "base/buf.h"

struct x509_st; /* libcrypto's X509 */

struct trust; /* an immutable, counted set of roots; may be read by many threads */
/* PEM text of any size; certificates that libcrypto cannot read are skipped and counted in *skipped. */
int trust_new(struct bytes pem, struct trust **out, size_t *count, size_t *skipped,
	      struct err *e) MUST_CHECK;
struct trust *trust_ref(struct trust *t);
void trust_free(struct trust *t);
/* No path over this certificate's key (our own bump root's) is accepted, even when the file has it.
 * Before the set is shared with other threads; at most 16. Fails with ERR_DER, ERR_CERT, ERR_LIMIT,
 * ERR_NOMEM. */
int trust_exclude(struct trust *t, struct bytes der, struct err *e) MUST_CHECK;

enum verify_result {
	VERIFY_OK,
	VERIFY_EXPIRED,
	VERIFY_NOT_YET_VALID,
	VERIFY_WRONG_NAME,
	VERIFY_UNKNOWN_ISSUER,
	VERIFY_SELF_SIGNED,
	VERIFY_INCOMPLETE, /* an intermediate is missing */
	VERIFY_WRONG_PURPOSE,
	VERIFY_WEAK, /* key or signature below the floor */
	VERIFY_UNREADABLE,
	VERIFY_OTHER,
};

struct verify_request {
	const struct bytes *der; /* leaf first, as the server sent them */
	size_t count;
	struct bytes
		name;  /* host name or literal address that the client wants; empty: not checked */
	int64_t now_s; /* UNIX seconds */
	/* The leaf, der[0], as somebody else has decoded it already; NULL: it is decoded here, which
	 * costs a third of a verdict. Borrowed. */
	struct x509_st *leaf;
};
struct verdict {
	enum verify_result
		result; /* the first that matters: unreadable, issuer, then purpose, weak, dates, name */
	unsigned
		faults; /* 1u << each result that holds, so that "expired and wrong name" can be told */
	char reason[200]; /* one sentence, escaped; with VERIFY_OK it names the root */
	bool completed; /* intermediates that the server did not send were added from those seen before */
	bool known; /* judged before, and remembered */
};

struct verifier; /* caches; one a thread */
struct verifier_options {
	struct trust *trust;	  /* counted */
	size_t max_verdicts;	  /* 0: 4096 */
	size_t max_intermediates; /* 0: 1024 */
	/* Keys and signatures of less strength are VERIFY_WEAK. 0: 112 bits, which is what the
	 * distributions' own libraries ask for: RSA 2048, EC P-224, SHA-224; never MD5 or SHA-1 but
	 * in a root's own signature. 80: also RSA 1024. */
	unsigned floor_bits;
};
int verifier_new(const struct verifier_options *o, struct verifier **out, struct err *e) MUST_CHECK;
void verifier_free(struct verifier *v);
/* Always gives a verdict; fails only with ERR_NOMEM. */
int verifier_check(struct verifier *v, const struct verify_request *req, struct verdict *out,
		   struct err *e) MUST_CHECK;
/* The chain to show to a client: as sent (its first 32), completed from intermediates seen when that
 * is possible. Entries borrow from the request and from the verifier until its next call. Fails only
 * with ERR_NOMEM. */
#define VERIFY_CHAIN_MAX 36
struct verify_chain {
	struct bytes der[VERIFY_CHAIN_MAX];
	size_t count;
};
int verifier_complete(struct verifier *v, const struct verify_request *req,
		      struct verify_chain *out, struct err *e) MUST_CHECK;

#endif
