/* A session of libssl: a BIO over what is fed and what goes out, and the callbacks. Not for other
 * rooms. */
#ifndef TLS_SESSION_H
#define TLS_SESSION_H

#include <openssl/ssl.h>

#include "tls/chain.h"
#include "tls/tls.h"

/* What the owner says of the peer's chain, when it is asked. */
enum verdict_state {
	VERDICT_NOT_ASKED, /* every chain is accepted */
	VERDICT_ASKED,	   /* the chain will have to be judged */
	VERDICT_WANTED,	   /* the handshake waits */
	VERDICT_ACCEPTED,
	VERDICT_REFUSED,
};

#define ALPN_MAX 255
#define FIRST_BYTES 8

struct tls {
	SSL *ssl;
	enum tls_side side;
	enum tls_status state;
	struct tls_policy *policy;
	struct tls_hooks hooks;

	struct bytes in; /* fed; borrowed */
	size_t used;	 /* of it */
	size_t before;	 /* what was used before it */
	struct buf *out;
	enum err_code fault;	    /* of ours, inside a call of libssl's: ERR_LIMIT, ERR_NOMEM */
	uint8_t first[FIRST_BYTES]; /* of the peer, to tell what speaks no TLS */
	size_t first_n;

	struct bytes alpn;   /* server: the one to choose; owned */
	struct chain *chain; /* of the peer, as soon as it is known */
	struct chain *kept;  /* of the session to resume, until it is known whether it is */
	enum verdict_state verdict;
	uint8_t refusal; /* the alert */
	int peer_alert;	 /* or -1 */
	uint16_t group;
	bool cert_asked;
	bool shared; /* libssl's session is also in a tls_session */
	bool shut;   /* close_notify was put */
	bool full;   /* the last read filled its room */
};

/* Puts the callbacks that all sessions of a context share into it. */
void session_callbacks(SSL_CTX *ctx, const struct tls_policy_options *o);
void session_log_secrets(SSL_CTX *ctx);
struct tls *session_of(const SSL *ssl);
/* Frees what libssl decoded of the peer's chain behind its leaf. libssl needs it no more, and our
 * copy stays; the session of libssl must not be shared yet. */
void session_drop_issuers(SSL *ssl);

/* What a tls_session is made of. */
struct tls_session *resume_new(SSL_SESSION *take, struct chain *chain) MUST_CHECK;
SSL_SESSION *resume_ssl(const struct tls_session *s);
struct chain *resume_chain(const struct tls_session *s);

/* One sentence from what libssl left in this thread's queue of errors, which is emptied. Yields -1. */
int fault_take(const struct tls *t, struct err *e);

#endif
