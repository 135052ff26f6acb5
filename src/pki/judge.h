/* One run of libcrypto's X509_verify_cert, and what it found; inside of this room. */
#ifndef PKI_JUDGE_H
#define PKI_JUDGE_H

#include <openssl/x509.h>

#include "pki/cert.h"
#include "pki/trust.h"

#define DATE_FAULTS (1u << VERIFY_EXPIRED | 1u << VERIFY_NOT_YET_VALID)

struct judge_request {
	const struct trust *trust;
	int auth_level; /* X509_VERIFY_PARAM_set_auth_level */
	X509 *leaf;
	const struct cert *cert; /* the leaf, as we read it */
	STACK_OF(X509) * untrusted;
	struct bytes name;
	int64_t now_s;
};

/* When something is valid: from <= now < to, as libcrypto has it. */
struct span {
	int64_t from, to;
};

struct judgement {
	unsigned faults;  /* of enum verify_result, without dates */
	char reason[200]; /* of the first that matters among them; without any: who signed */
	struct span leaf;
	struct span issuers;	   /* of all the others on the path together */
	char first_issuer_out[64]; /* whose time ends first */
	char last_issuer_in[64];   /* whose time begins last */
	STACK_OF(X509) * path;	   /* counted; leaf first, as far as it goes */
};

/* The path is built for now_s. Fails with ERR_NOMEM only. */
int judge(const struct judge_request *req, struct judgement *out, struct err *e) MUST_CHECK;
void judgement_fini(struct judgement *j);

/* The first that matters of the faults; VERIFY_OK without any. */
enum verify_result first_fault(unsigned faults);

enum span_state { SPAN_BEFORE, SPAN_IN, SPAN_AFTER };
enum span_state span_at(const struct span *s, int64_t now_s);

/* "the certificate expired on 2025-03-01, 20 months ago"; whose: "the certificate", "its issuer X" */
void date_reason(const char *whose, const struct span *s, int64_t now_s, char *out, size_t size);

/* Asks for a certificate for this host name or literal address; empty: for any. hopeless: no
 * certificate is for such a name, and nothing was set. 1, or 0 when libcrypto has no memory. */
int param_set_name(X509_VERIFY_PARAM *param, struct bytes name, bool *hopeless);

/* What libcrypto reported, to be told to a person. */
struct complaint {
	int error; /* X509_V_ERR_* */
	int depth; /* of the certificate it is about */
	const X509 *about;
};
void complaint_reason(const struct complaint *c, enum verify_result result,
		      const struct judge_request *req, char *out, size_t size);

#endif
