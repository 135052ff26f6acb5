/* What the layers of a flow share: who they are, to whom they tell what they find, where secrets come
 * from, and how much they may spend. */
#ifndef TAP_CONTEXT_H
#define TAP_CONTEXT_H

#include "base/buf.h"
#include "base/list.h"
#include "flow/event.h"
#include "flow/table.h"
#include "keylog/table.h"
#include "tap/at.h"

#define TAP_TRIALS_FLOW (1u << 22)  /* AEAD trials in the searches of a flow */
#define TAP_TRIALS_FILE (1u << 26)  /* … of a whole capture */
#define TAP_HELD_FLOW (1024 * 1024) /* bytes that wait for a secret or for the other direction */

struct rsa_key; /* crypt/rsa.h */

/* Master secrets (48 bytes) of TLS 1.2 and before, by session id or by the SHA-256 of a ticket. What
 * find answers depends only on what was put at packets before at. */
struct tap_sessions {
	void (*put)(void *ctx, struct bytes key, struct bytes master, struct tap_at at);
	bool (*find)(void *ctx, struct bytes key, struct tap_at at, uint8_t master[48]);
	void *ctx;
};

/* Of an engine. */
struct tap_shared {
	const struct event_bus *bus;
	const struct keylog_table *known; /* complete from the start; may be NULL */
	struct keylog_table *late;	  /* what came with the packets */
	bool secrets_may_come;		  /* more of them: wait for what is missing */
	struct rsa_key *const *rsa_keys;
	size_t rsa_key_count;
	struct bytes psk; /* --psk; empty: none */
	const struct tap_sessions *sessions;
	struct list waiting; /* flows (tap_flow.waiting) that want to hear of new secrets */
	struct table wanted; /* those (tap_flow.wanted) that only those of one client random help */
	uint64_t trials_left;
	size_t held, held_max; /* bytes that wait in all flows */
	struct buf plain;      /* scratch for one record, for whoever decrypts */
};

/* Of a flow. */
struct tap_flow {
	struct tap_shared *shared;
	uint64_t number;
	struct addr client, server;
	uint32_t trials_left;
	bool dark;	   /* some of it could not be decrypted: at least one EV_DARK was told */
	bool encrypted;	   /* something came encrypted */
	bool failed;	   /* a TLS handshake did not come to its end */
	bool truncated;	   /* TLS ended without close_notify in a direction */
	bool closed;	   /* it ended with those of both: what TCP did then does not matter */
	uint64_t bytes[2]; /* of application data in the clear, by direction */
	uint64_t gap_bytes;
	/* A bit for each TLS in the other: */
	uint8_t wants; /* new secrets are of use to it */
	uint8_t holds; /* and bytes wait for them: the flow is not over when its TCP is */
	/* Of no use to it are secrets of other client randoms than the one that begins so. */
	bool wants_one;
	uint64_t wanted_random[2];
	struct list waiting; /* among the flows that want them */
	struct table_node wanted;
};

/* Fills in flow, place and time, and tells it. */
void tap_emit(const struct tap_flow *f, struct event *ev, struct tap_at at);
void tap_dark(struct tap_flow *f, enum dark_why why, struct tap_at at, const char *sentence, ...)
	PRINTF_LIKE(4, 5);
void tap_note(const struct tap_flow *f, struct tap_at at, const char *sentence, ...)
	PRINTF_LIKE(3, 4);
/* Takes n trials; false when the flow or the capture has spent what it may. */
bool tap_spend(struct tap_flow *f, uint32_t n);
/* Secrets of this key: first the known ones, then the late ones; *after is NULL at first. */
const struct keylog_secret *tap_secret_next(const struct tap_flow *f, struct bytes key,
					    const struct keylog_secret *after);

#endif
