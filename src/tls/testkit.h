/* For tests and benchmarks only: certificates made on the spot, and a session against a session in
 * memory. */
#ifndef TLS_TESTKIT_H
#define TLS_TESTKIT_H

#include <openssl/ssl.h>

#include "tls/tls.h"

/* A leaf and the authority that signed it, as DER; the leaf's key as PKCS#8. */
struct testkit_certs {
	struct buf leaf, issuer, key;
};
/* kind: "P-256", "P-384", "RSA" (2048), "ED25519". Ends the program when something fails. */
void testkit_certs_make(const char *kind, struct testkit_certs *out);
void testkit_certs_fini(struct testkit_certs *c);
struct tls_identity *testkit_identity(const struct testkit_certs *c);

/* One side: a session, what it puts out, and how far the other side was fed with it. */
struct testkit_end {
	struct tls *tls;
	struct buf out;
	enum tls_status status;
	struct err err;
};
/* Feeds to what from has put out, step bytes at a time (0: all at once), and runs or reads it.
 * Plaintext that comes of it is appended to plain, which may be NULL. */
void testkit_move(struct testkit_end *from, struct testkit_end *to, size_t step, struct buf *plain);
/* Until neither side has anything to say. */
void testkit_shake(struct testkit_end *client, struct testkit_end *server, size_t step);

/* A client or server of libssl alone, for what ours never does: tickets, key updates, old ways. Its
 * context is made by init and may be changed until start. */
struct testkit_raw {
	SSL_CTX *ctx;
	SSL *ssl;
	bool shut; /* close_notify came */
};
/* certs may be NULL for a client. */
void testkit_raw_init(struct testkit_raw *r, bool server, const struct testkit_certs *certs);
void testkit_raw_start(struct testkit_raw *r);
void testkit_raw_fini(struct testkit_raw *r);
void testkit_raw_stop(struct testkit_raw *r); /* the connection only */
/* Both go on until neither has anything to say; plaintext that our side reads goes to plain, which
 * may be NULL. */
void testkit_raw_talk(struct testkit_raw *r, struct testkit_end *end, struct buf *plain);
/* The same; adds to *raw_us what the raw side took of the clock. */
void testkit_raw_talk_timed(struct testkit_raw *r, struct testkit_end *end,
			    double (*clock_us)(void), double *raw_us);

#endif
