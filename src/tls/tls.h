/* Live TLS sessions: the seam to libssl, and the only room that knows it. A session is a machine
 * without sockets: ciphertext is fed in, ciphertext comes out into a buf, plaintext is read and
 * written. It verifies nothing: the peer's chain is handed over as DER and pki decides.
 *
 * What is dear is made once and shared by count: policies (what may be offered), identities (chain
 * and key), sessions (for resumption). Nothing is decoded for each connection. */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "base/buf.h"

struct tls;
struct tls_key;	     /* a private key */
struct tls_identity; /* a chain and its key */
struct tls_session;  /* what is needed to resume */
struct tls_policy;   /* versions, ciphers, groups, signature algorithms of one side */

enum tls_side { TLS_CLIENT, TLS_SERVER };

/* Once for the process, before threads. Makes an OSSL_LIB_CTX of our own. */
int tls_init(struct err *e) MUST_CHECK;
void tls_fini(void);

/* Handles: made from DER once, counted (thread-safe), used by any thread. */
int tls_key_new(struct bytes pkcs8_der, struct tls_key **out, struct err *e) MUST_CHECK;
struct tls_key *tls_key_ref(struct tls_key *k);
void tls_key_free(struct tls_key *k);
/* der[0] is the leaf. Takes its own count of key. */
int tls_identity_new(const struct bytes *der, size_t count, struct tls_key *key,
		     struct tls_identity **out, struct err *e) MUST_CHECK;
struct tls_identity *tls_identity_ref(struct tls_identity *id);
void tls_identity_free(struct tls_identity *id);
struct tls_session *tls_session_ref(struct tls_session *s);
void tls_session_free(struct tls_session *s);
bool tls_session_is_tls13(const struct tls_session *s); /* then it is used once */

/* Code points as on the wire, in order of preference; those libssl has not got are left out, also
 * GREASE, anonymous, NULL and export ones. count 0: libssl's defaults. */
struct tls_policy_options {
	enum tls_side side;
	uint16_t min_version, max_version; /* 0x0303, 0x0304; 0: 0x0303 and the highest there is */
	const uint16_t *ciphers;
	size_t cipher_count;
	const uint16_t *groups;
	size_t group_count;
	const uint16_t *sigalgs;
	size_t sigalg_count;
	bool sessions; /* client: on_session is called; server: always without tickets and cache */
};
/* Fails with ERR_UNSUPPORTED when nothing usable is left of a list. */
int tls_policy_new(const struct tls_policy_options *o, struct tls_policy **out,
		   struct err *e) MUST_CHECK;
struct tls_policy *tls_policy_ref(struct tls_policy *p);
void tls_policy_free(struct tls_policy *p);

/* Called from inside tls_run, tls_read and tls_write; they must not free the session. */
struct tls_hooks {
	/* A complete key log line without the newline (RFC 9850). May be NULL. */
	void (*on_secret)(void *ctx, struct bytes line);
	/* A session that can be resumed; the callee takes it. May be NULL. */
	void (*on_session)(void *ctx, struct tls_session *s);
	/* An alert went over the wire. May be NULL. */
	void (*on_alert)(void *ctx, bool sent, uint8_t level, uint8_t description);
	void *ctx;
};

struct tls_client_options {
	struct tls_policy *policy;     /* borrowed until tls_free */
	struct bytes sni;	       /* empty: none is sent */
	struct bytes alpn;	       /* list as on the wire; empty: none is offered */
	struct tls_session *session;   /* or NULL */
	struct tls_identity *identity; /* for client authentication, or NULL */
	struct tls_hooks hooks;
};
struct tls_server_options {
	struct tls_policy *policy;
	struct tls_identity *identity;
	struct bytes alpn; /* the one protocol to choose if the client offers it; empty: none */
	struct tls_hooks hooks;
};
/* out receives ciphertext; it is the caller's and outlives the session. */
int tls_client_new(const struct tls_client_options *o, struct buf *out, struct tls **tls,
		   struct err *e) MUST_CHECK;
int tls_server_new(const struct tls_server_options *o, struct buf *out, struct tls **tls,
		   struct err *e) MUST_CHECK;
void tls_free(struct tls *t);

enum tls_status {
	TLS_HANDSHAKING, /* needs more ciphertext */
	TLS_OPEN,
	TLS_CLOSED, /* the peer sent close_notify; writing still goes on */
	TLS_FAILED, /* see the err; an alert may be in out */
};

/* Ciphertext from the peer. Borrowed: it must stay in place until tls_run, tls_read or tls_write
 * has consumed it or the next tls_feed; tls_consumed says how many bytes of it are used up (the
 * caller then drops them from its buffer and feeds the rest again). */
void tls_feed(struct tls *t, struct bytes ciphertext);
size_t tls_consumed(const struct tls *t);
/* Goes on with the handshake as far as what was fed allows. Only TLS_FAILED fills e. */
enum tls_status tls_run(struct tls *t, struct err *e);
enum tls_status tls_state(const struct tls *t);
/* Plaintext to at most n bytes; *got may be 0 (TLS_OPEN: needs more ciphertext). Reads as many
 * records as there is room for. Post-handshake messages are handled here. */
enum tls_status tls_read(struct tls *t, uint8_t *p, size_t n, size_t *got, struct err *e);
/* Encrypts all of b into out (records of 16 KiB). The caller keeps out bounded by asking first
 * whether there is room for b.n + b.n / 128 + 512 bytes. */
int tls_write(struct tls *t, struct bytes b, struct err *e) MUST_CHECK;
/* Puts close_notify into out, once. */
void tls_shutdown(struct tls *t);
/* Puts a fatal alert into out as plaintext record (only before the handshake has keys) or
 * encrypted; the session is then TLS_FAILED. Needs no session: t may be NULL, then the alert is a
 * plaintext record of version 0x0303 in out. */
int tls_send_alert(struct tls *t, struct buf *out, uint8_t description, struct err *e) MUST_CHECK;

/* What was agreed; valid from TLS_OPEN. */
struct tls_info {
	uint16_t version, cipher, group;
	struct bytes alpn; /* borrowed from the session; empty: none */
	bool resumed;
};
void tls_info(const struct tls *t, struct tls_info *out);
/* The peer's chain, leaf first, each borrowed from the session; count as given by the peer. Up to
 * max entries; *count is 0 when the peer sent none. On a resumed session: what the session kept. */
int tls_peer_chain(const struct tls *t, struct bytes *der, size_t max, size_t *count,
		   struct err *e) MUST_CHECK;
/* The alert that the peer sent, or -1. */
int tls_peer_alert(const struct tls *t);
/* Gives back what only the handshake needed; for idle connections. */
void tls_slim(struct tls *t);

#endif
