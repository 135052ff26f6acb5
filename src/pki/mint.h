/* Mimic certificates: a leaf made from a real one, signed by the bump root (or by its untrusted
 * twin). Pure but for the signature. */
#ifndef PKI_MINT_H
#define PKI_MINT_H

#include "base/buf.h"

/* The types and sizes in which leaf keys are kept ready. */
enum key_kind { KEY_P256, KEY_P384, KEY_RSA2048, KEY_RSA3072, KEY_RSA4096, KEY_KIND_COUNT };
const char *key_kind_text(enum key_kind k); /* "RSA 2048" */

/* A key as PKCS#8 (secret) and SubjectPublicKeyInfo, both DER. */
struct key_pair {
	enum key_kind kind;
	struct buf pkcs8; /* .secret */
	struct buf spki;
};
int key_pair_make(enum key_kind kind, struct key_pair *out,
		  struct err *e) MUST_CHECK; /* slow for RSA */
/* From PKCS#8, PEM or DER; the kind is found out. Fails with ERR_KEY when it is none of the kinds. */
int key_pair_load(struct bytes pkcs8, struct key_pair *out, struct err *e) MUST_CHECK;
void key_pair_fini(struct key_pair *k);

/* A signing authority: certificate and key. */
struct authority;
/* EC P-256, two years from now_s (UNIX seconds), subject "oriel bump CA <host> <yyyy-mm-dd>",
 * CA:TRUE, pathlen 0, keyCertSign and cRLSign, EKU serverAuth. DER and PKCS#8 PEM for the files. */
int authority_make_root(const char *host, int64_t now_s, struct buf *cert_pem, struct buf *key_pem,
			struct err *e) MUST_CHECK;
/* The first certificate of cert_pem must be a version 3 CA that may sign certificates; the key must
 * be its own, unencrypted: EC P-256, P-384, P-521 or RSA of 2048 bits and more. Fails with ERR_CERT,
 * ERR_KEY, ERR_NOMEM. */
int authority_new(struct bytes cert_pem, struct bytes key_pem, struct authority **out,
		  struct err *e) MUST_CHECK;
/* The twin: the same subject name plus " (untrusted)", a fresh key that never leaves memory. */
int authority_new_twin(const struct authority *of, int64_t now_s, struct authority **out,
		       struct err *e) MUST_CHECK;
void authority_free(struct authority *a);
struct bytes authority_cert_der(const struct authority *a);

/* Which kind fits the origin's key. When it is not the same, a clause that says why is appended to
 * reason (which may be NULL). Always an answer: P-256 for a key, or a certificate, that cannot be
 * read; e is filled only when the clause could not be written. */
enum key_kind mimic_key_kind(struct bytes origin_der, struct buf *reason, struct err *e);

/* The mimic of a certificate that does not verify, which a rule lets pass all the same, has what the
 * origin's lacks: it is valid at now_s and for a week, for this name too, and for servers. */
struct mint_repair {
	int64_t now_s;	   /* UNIX seconds */
	struct bytes name; /* host name or literal address; empty: the origin's names will do */
};

struct mint_request {
	struct bytes origin_der; /* the real leaf */
	const struct authority *by;
	struct bytes spki;		  /* of the pool's key */
	const uint8_t *serial;		  /* 16 random bytes; the first bit is cleared */
	const struct mint_repair *repair; /* NULL: what is wrong stays wrong */
};
struct mint_note { /* what was not copied, for the log */
	char oid[64];
	const char *what;   /* "dropped", "recomputed" */
	const char *reason; /* from the table */
};
#define MINT_NOTES_MAX 32
struct mint_notes {
	struct mint_note list[MINT_NOTES_MAX];
	size_t count;
	size_t more; /* that did not fit */
};
/* Appends the DER of the mimic leaf to out: version 3, subject, validity and alternative names of
 * the origin, extensions by mimic_table.h, never a CA. notes may be NULL. Thread-safe for one
 * authority. Fails with ERR_DER or ERR_CERT (the origin is nothing that could be mimicked), ERR_LIMIT,
 * ERR_NOMEM, ERR_CRYPTO; out is then unchanged. */
int mint_leaf(const struct mint_request *req, struct buf *out, struct mint_notes *notes,
	      struct err *e) MUST_CHECK;

#endif
