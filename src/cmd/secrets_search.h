/* Looks through the bytes of connections for what secrets are looked up by: the client random of a
 * ClientHello, the session ids of both hellos, the beginning of an encrypted pre-master secret.
 * Handshake messages in the clear are found wherever they begin a record, after STARTTLS or CONNECT
 * too, in DTLS, and when two segments share one. What is itself encrypted (TLS in TLS, the hello of
 * QUIC or inside ECH) is not found. */
#ifndef CMD_SECRETS_SEARCH_H
#define CMD_SECRETS_SEARCH_H

#include "base/err.h"

enum secrets_key { SECRETS_CLIENT_RANDOM, SECRETS_SESSION_ID, SECRETS_PRE_MASTER };

struct secrets_search;

struct secrets_sink {
	/* key is borrowed. The same may come again. */
	void (*found)(void *ctx, enum secrets_key kind, struct bytes key);
	void *ctx;
};
int secrets_search_new(const struct secrets_sink *sink, struct secrets_search **out,
		       struct err *e) MUST_CHECK;
void secrets_search_free(struct secrets_search *s);
/* The next bytes of a direction of a connection: stream is any number that stands for it. Of many
 * streams at once the beginnings are remembered of SECRETS_STREAMS_MAX. Fails with ERR_NOMEM. */
#define SECRETS_STREAMS_MAX 4096
int secrets_search_feed(struct secrets_search *s, uint64_t stream, struct bytes in,
			struct err *e) MUST_CHECK;

#endif
