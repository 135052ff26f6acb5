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

/* Once for the process, before threads and before any other use of libcrypto: no configuration file
 * of OpenSSL is read and no exit handler is left behind. Makes an OSSL_LIB_CTX of our own. */
int tls_init(struct err *e) MUST_CHECK;
void tls_fini(void); /* after all handles and sessions were freed */

/* Handles: made from DER once, counted (thread-safe), used by any thread. free(NULL) is fine.
 * Fail with ERR_KEY, ERR_CERT (also when key and leaf do not belong together) or ERR_NOMEM. */
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
 * GREASE, anonymous, NULL, PSK and export ones, and what is named twice. count 0: libssl's
 * defaults. A client sends one key share, for the first group. */
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
	/* A complete key log line without the newline (RFC 9850). May be NULL, which saves libssl's
	 * formatting of some 10 us a handshake. */
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
	struct tls_session *session;   /* or NULL; left unused when the policy has not its cipher */
	struct tls_identity *identity; /* for client authentication, or NULL */
	bool ask_verdict;	       /* stop until tls_verdict once the peer's chain is there */
	struct tls_hooks hooks;
};
struct tls_server_options {
	struct tls_policy *policy;
	struct tls_identity *identity;
	struct bytes alpn;    /* the one protocol to choose if the client offers it; empty: none */
	bool ask_client_cert; /* the client may answer with none; its chain is then empty */
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
/* The handshake stands still (TLS_HANDSHAKING, however much is fed) until the peer's chain, which
 * tls_peer_chain now has, is judged. Only with ask_verdict; never on a resumed session. */
bool tls_wants_verdict(const struct tls *t);
/* alert 0: the chain is accepted. Else the next tls_run fails and sends the peer this alert; of
 * bad_certificate, unsupported_certificate, certificate_revoked, certificate_expired,
 * certificate_unknown, unknown_ca, handshake_failure, decrypt_error and internal_error libssl sends
 * what was asked for, for any other one certificate_unknown. */
void tls_verdict(struct tls *t, uint8_t alert);
/* Plaintext to at most n bytes; *got may be 0 (TLS_OPEN: needs more ciphertext). Reads as many
 * records as there is room for. Post-handshake messages are handled here. With TLS_CLOSED and
 * TLS_FAILED *got tells what came before the end; what was fed after it is consumed and dropped. */
enum tls_status tls_read(struct tls *t, uint8_t *p, size_t n, size_t *got, struct err *e);
/* More plaintext can be read from what was fed so far: the last tls_read filled its room. */
bool tls_pending(const struct tls *t);
/* Encrypts all of b into out (records of 16 KiB). Fails with ERR_LIMIT, nothing put, when out has
 * not the room; with ERR_CLOSED after tls_shutdown or before TLS_OPEN. The caller keeps out bounded
 * by asking first whether there is room for tls_write_room(b.n) bytes. */
static inline size_t tls_write_room(size_t n)
{
	return n + n / 128 + 512;
}
int tls_write(struct tls *t, struct bytes b, struct err *e) MUST_CHECK;
/* Puts close_notify into out, once. */
void tls_shutdown(struct tls *t);
/* Puts a fatal alert into out as a plaintext record of version 0x0303; the session is then
 * TLS_FAILED. t may be NULL: the alert before there is a session. out is the session's own. Fails
 * with ERR_UNSUPPORTED, nothing put and nothing changed, once the handshake has keys: libssl has no
 * call for it (a refused chain: tls_verdict); close or reset the connection then. */
int tls_send_alert(struct tls *t, struct buf *out, uint8_t description, struct err *e) MUST_CHECK;

/* What was agreed; valid from TLS_OPEN. */
struct tls_info {
	uint16_t version, cipher, group;
	struct bytes alpn; /* borrowed from the session; empty: none */
	bool resumed;
	bool cert_asked; /* client: the peer asked for a certificate (also when none was given) */
};
void tls_info(const struct tls *t, struct tls_info *out);
/* The peer's chain, leaf first, each borrowed from the session; count as given by the peer. Up to
 * max entries; *count is 0 when the peer sent none. On a resumed session: what the session kept. */
int tls_peer_chain(const struct tls *t, struct bytes *der, size_t max, size_t *count,
		   struct err *e) MUST_CHECK;
/* The same certificate as libssl decoded it, an X509 for pki: decoding it again costs 25 to 80 us.
 * Borrowed from the session until the next tls_run, tls_read, tls_slim or tls_free; of our
 * OSSL_LIB_CTX. NULL when there is none, or none any more: then only the DER is left. */
void *tls_peer_x509(const struct tls *t, size_t i);
/* The alert that the peer sent (not close_notify), or -1. */
int tls_peer_alert(const struct tls *t);
/* Gives back what only the handshake needed and empty buffers; for idle connections. The chain
 * stays. */
void tls_slim(struct tls *t);

#endif
