/* What a session of TLS 1.2 and before keeps besides. Only for session_12.c and session_master.c. */
#ifndef TAP_SESSION_12_H
#define TAP_SESSION_12_H

#include "crypt/hash.h"
#include "tap/session_part.h"
#include "tap/sessions.h"

#define TRANSCRIPT_MAX (256 * 1024)
#define EXCHANGE_MAX 4096 /* of a ClientKeyExchange: RSA keys of 16,384 bits have 2 KiB */

struct short_id {
	uint8_t n;
	uint8_t b[32];
};

struct session_12 {
	bool has_client; /* which hellos it has; the server's can be captured first */
	bool has_server;
	bool extended; /* extended_master_secret (RFC 7627) */
	bool encrypt_then_mac, truncated_hmac;
	uint8_t compression;
	bool hello_done;		/* ServerHelloDone was seen: not resumed */
	bool exchanged;			/* ClientKeyExchange was */
	struct short_id offered, given; /* session ids of the client and of the server */
	struct short_id ticket;		/* offered, as its SHA-256 */
	struct short_id new_ticket;	/* given, likewise */
	struct buf exchange;		/* body of the ClientKeyExchange */
	/* Handshake messages up to that one: the client's hello, the server's, the client's. Kept
	 * only as long as a master secret may have to be made of them. */
	bool keeps;
	struct buf hello, said[2];
	struct protect *pair[2]; /* made with the key of the other direction, not in use yet */
	uint8_t master[MASTER_SIZE];
	bool master_known;
};

static inline struct bytes short_id_bytes(const struct short_id *id)
{
	return bytes_of(id->b, id->n);
}

/* Goes through the master secrets that there may be, from all sources, likeliest first. */
struct master_walk {
	unsigned source;
	size_t index;
	const struct keylog_secret *line; /* NULL: not from a key log */
	const char *name;		  /* of where it came from, for a person */
	uint8_t master[MASTER_SIZE];
};
bool master_next(struct session *s, struct master_walk *w);
/* Later connections may resume this one. */
void master_learned(struct session *s, struct tap_at at);

#endif
