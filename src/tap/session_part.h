/* What a session is made of. Only for session.c and its parts:
 *
 *   session.c         the layer; what is done with a record
 *   session_read.c    records out of bytes
 *   session_held.c    what waits, and is tried again
 *   session_hello.c   hellos, and what they agree on
 *   session_message.c handshake messages out of records
 *   session_tell.c    what is told, and the layer above
 *   session_keys.c    secrets that may fit
 *   session_13.c      keys of TLS 1.3
 *   session_12.c      keys of TLS 1.2 and before
 *   session_master.c  the master secrets that they may come from
 *   session_inflate.c compression within TLS
 *   session_seek.c    where to go on after a gap
 *   session_any.c     which connection it is, in a capture that begins in its middle
 *
 * A direction goes through these states; what it waits for is another matter (side.waits):
 *
 *   START  nothing was seen      a hello → READ; anything else → SEEK
 *   READ   record after record   a gap, or not a record → SEEK
 *   SEEK   which record is it?   found → READ; not to be found → DARK
 *   DARK   given up              new secrets → SEEK
 *   OVER   close_notify or the end of TCP */
#ifndef TAP_SESSION_PART_H
#define TAP_SESSION_PART_H

#include "tap/protect.h"
#include "tap/session.h"
#include "wire/handshake.h"
#include "wire/names.h"

#define SESSION_MESSAGES_MAX (256 * 1024) /* of one handshake message in several records */
/* While the next record is looked for: two of the longest, and a header. */
#define SESSION_BUFFER_MAX (3 * (RECORD_HEADER_SIZE + RECORD_CIPHER_MAX_12))
#define SESSION_RANDOM 32
#define SESSION_PLAIN_MAX (RECORD_CIPHER_MAX_12 + 1024)
/* A hello in SSLv2's format, which is no TLS record, goes by this type. */
#define RECORD_V2_HELLO 0x80

enum side_state { SIDE_START, SIDE_READ, SIDE_SEEK, SIDE_DARK, SIDE_OVER };

/* Which key a direction is under. */
enum epoch {
	EPOCH_PLAIN,
	EPOCH_EARLY, /* TLS 1.3 */
	EPOCH_HANDSHAKE,
	EPOCH_TRAFFIC, /* and its generations */
	EPOCH_SESSION, /* TLS 1.2 and before: after ChangeCipherSpec */
};

enum took {
	TOOK_ALL,   /* the record is done with */
	TOOK_WAITS, /* it is not, and must come again when something has changed */
	TOOK_AGAIN, /* it is not: the state has changed, look at it in that light */
};

struct side {
	enum side_state state;
	enum epoch epoch;
	struct protect *protect;   /* NULL: not chosen yet */
	struct inflater *inflater; /* NULL: nothing is compressed */
	uint64_t seq;		   /* of the next record */
	uint32_t generation;	   /* of EPOCH_TRAFFIC */
	unsigned failed;	   /* records in a row that did not open */
	bool finished;		   /* its Finished was seen */
	bool closed;		   /* its close_notify was seen */
	bool hello_lost;	   /* its hello is not in the capture, or not whole */
	bool broken;		   /* of the handshake messages something is missing */
	bool tcp_ended;		   /* nothing more comes, but for what is held */
	bool above_ended;
	size_t last_size; /* of the record that was opened last */
	uint64_t nonce;	  /* of that record, where TLS 1.2 sends it */

	bool waits;	     /* for the other direction, or for secrets */
	bool buffer_waits;   /* the record at the front of buffer does */
	struct list held;    /* struct held: what came since */
	struct buf buffer;   /* a record that came in part; in SEEK, where the next may be */
	struct tap_at at;    /* of what came last */
	struct buf messages; /* a handshake message that came in part */

	struct {
		uint64_t lost;	/* bytes since the record that was opened last */
		uint64_t gap;	/* of those, not captured */
		size_t from;	/* where in buffer the next record can begin at the earliest */
		size_t exact;	/* where it does begin, as the header before it said; or SIZE_MAX */
		bool any;	/* key and number are not known at all */
		bool truncated; /* the capture cut packets off */
		bool seen;	/* something came after the loss */
		unsigned tried; /* records that did not open */
		unsigned candidates; /* secrets of any connection that were tried */
		bool cut;	     /* not with all numbers: it would have cost too much */
		size_t searched;     /* when: how much was known then, to search once only */
		/* None of them was the key; one may still come to be, after an update. */
		bool fresh_only;
	} seek;
};

struct session_12;
struct seq_trial;

struct session {
	struct layer layer;
	struct tap_flow *flow;
	uint8_t depth;
	int (*make_above)(void *ctx, struct bytes alpn, bool late, struct layer **out,
			  struct err *e);
	void *ctx;
	struct layer *above;
	bool above_failed;
	struct side sides[2]; /* by enum flow_dir */
	struct buf own_plain; /* inside another session the shared one is taken */
	struct tap_at at;     /* of what came last */

	/* What the hellos say. */
	bool has_client, has_server; /* which were seen */
	uint16_t version;	     /* 0: not known yet */
	uint16_t cipher, group;
	const struct suite *suite;
	uint8_t client_random[SESSION_RANDOM], server_random[SESSION_RANDOM];
	bool retry;   /* a HelloRetryRequest came */
	bool retried; /* … and was answered */
	bool early_offered, early_accepted, early_known;
	bool ech;	/* the secrets may be under another client random */
	bool ech_tried; /* … which was looked for */
	bool resumed;
	uint8_t alpn_n;
	uint8_t alpn[255];
	uint64_t early_lost;  /* bytes of early data that did not open */
	uint32_t labels_told; /* EV_SECRET_SEEN: by bit of enum keylog_label */
	struct session_12 *old;

	bool moved;	/* something is known that a side may wait for */
	bool impatient; /* nothing is waited for any more */
	size_t held;	/* bytes, of both directions */
	bool late;	/* the beginning was not captured */
	/* Without a handshake the flow took the server for the client: what is told and handed on
	 * has the directions that the secrets have. */
	bool swapped;
	bool done; /* EV_HANDSHAKE_DONE was told */
	bool dark; /* EV_DARK was told, and nothing was found since */
	bool alerted;
};

static inline enum flow_dir dir_other(enum flow_dir dir)
{
	return dir == DIR_UP ? DIR_DOWN : DIR_UP;
}

/* What a side really is. */
static inline enum flow_dir session_role(const struct session *s, enum flow_dir side)
{
	return s->swapped ? dir_other(side) : side;
}

static inline const char *session_who(const struct session *s, enum flow_dir side)
{
	return session_role(s, side) == DIR_UP ? "client" : "server";
}

static inline bool session_is_13(const struct session *s)
{
	return s->version == 0x0304;
}

/* Where to decrypt to: room for the longest record. */
uint8_t *session_room(struct session *s);

/* session.c */

/* What is to be done with one record. */
enum took session_record(struct session *s, enum flow_dir dir, const struct record *r,
			 struct tap_at at);
/* A record that was opened. */
void session_opened(struct session *s, enum flow_dir dir, const struct protect_opened *o,
		    struct tap_at at);
/* A record does not open under the key that the ones before it opened with. */
enum took session_lost_record(struct session *s, enum flow_dir dir, const struct record *r);
void session_end_side(struct session *s, enum flow_dir dir, enum leg_end how, struct tap_at at);
/* May a hello of this direction still come? */
bool session_hello_may_come(const struct session *s, enum flow_dir dir);
bool session_secrets_may_come(const struct session *s);

/* session_read.c */

/* Takes bytes as far as it can; less than all only when the side now waits. */
size_t session_read(struct session *s, enum flow_dir dir, struct bytes in, struct tap_at at);
enum record_outcome session_frame(const struct side *side, enum flow_dir dir, struct bytes in,
				  struct record *out, size_t *need);

/* session_held.c */

void held_bytes(struct session *s, enum flow_dir dir, struct bytes in, struct tap_at at);
void held_gap(struct session *s, enum flow_dir dir, uint64_t n, bool truncated, struct tap_at at);
void held_end(struct session *s, enum flow_dir dir, enum leg_end how, struct tap_at at);
/* Must what comes now be held? */
static inline bool held_must(const struct side *side)
{
	return side->waits || side->buffer_waits || !list_empty(&side->held);
}
/* Tries again what waits, as long as something moves, in the order of the capture. */
/* Whether something of the other direction waits that came before what is read of dir. */
bool held_before(const struct session *s, enum flow_dir dir);
void held_run(struct session *s);
void held_fini(struct session *s, struct side *side);

/* session_hello.c. Each returns false when the message cannot be read. */

bool session_client_hello(struct session *s, const struct handshake *m, struct tap_at at);
bool session_v2_hello(struct session *s, struct bytes body, struct tap_at at);
bool session_server_hello(struct session *s, const struct handshake *m, struct tap_at at);
bool session_extensions(struct session *s, const struct handshake *m);

/* session_message.c */

void session_messages(struct session *s, enum flow_dir dir, struct bytes in, bool encrypted,
		      struct tap_at at);

/* session_tell.c */

void tell_message(struct session *s, enum flow_dir dir, const struct ev_handshake_message *m,
		  struct tap_at at);
bool tell_certificates(struct session *s, enum flow_dir dir, const struct handshake *m,
		       struct tap_at at);
void session_tell_alert(struct session *s, enum flow_dir dir, struct bytes body, struct tap_at at);
void session_tell_secret(struct session *s, enum keylog_label label, enum flow_dir dir);
void tell_gap(struct session *s, enum flow_dir dir, uint64_t n, struct tap_at at);
void tell_done(struct session *s, struct tap_at at);
/* The first sentence counts until something opens again. */
void tell_dark(struct session *s, enum dark_why why, struct tap_at at, const char *sentence, ...)
	PRINTF_LIKE(4, 5);
void tell_application(struct session *s, enum flow_dir dir, struct bytes plain, struct tap_at at);
void tell_above_gap(struct session *s, enum flow_dir dir, uint64_t n, struct tap_at at);
void tell_above_end(struct session *s, enum flow_dir dir, enum leg_end how, struct tap_at at);
#define RANDOM_TEXT 12
/* The first 8 hexadecimal digits of the client random, and "…". */
const char *random_text(const struct session *s, char out[RANDOM_TEXT]);

/* session_13.c */

enum took session_open_13(struct session *s, enum flow_dir dir, const struct record *r,
			  struct protect_opened *o);
void session_key_update(struct session *s, enum flow_dir dir);
void session_finished_13(struct session *s, enum flow_dir dir);
/* The direction ends, and nothing has opened with its secrets. */
void session_end_13(struct session *s, enum flow_dir dir, struct tap_at at);
void session_early_end(struct session *s);

/* This is the key of the direction from now on; the session owns it. */
void session_adopt(struct session *s, enum flow_dir dir, struct protect *p, enum epoch epoch);

/* session_keys.c */

/* Opens the record under the key that the direction has. Records that went bad count all the same. */
bool session_opens_now(struct session *s, enum flow_dir dir, const struct record *r,
		       struct protect_opened *o);
enum keylog_label session_label(const struct session *s, enum flow_dir side, enum epoch epoch);
/* The next secret of this label for the session's client random; generation KEYLOG_NEXT: any. */
const struct keylog_secret *session_secret(const struct session *s, enum keylog_label label,
					   uint32_t generation, const struct keylog_secret *after);
/* Of all client randoms: the last ones of the key logs. */
struct newest_secrets {
	const struct keylog_secret *ring[512];
	size_t seen, count;
};
void session_newest(const struct session *s, enum keylog_label label, struct newest_secrets *out);
const struct keylog_secret *newest_get(const struct newest_secrets *n, size_t i); /* 0: newest */

/* session_12.c */

struct client_hello;
struct server_hello;

/* Whether only secrets with the client's random can help. */
bool session_12_wants_one_random(const struct session *s);
void session_12_free(struct session_12 *o);
/* A ClientHello that may lead to TLS 1.2 or before; what was agreed. */
void session_hello_12(struct session *s, const struct client_hello *h);
void session_agreed_12(struct session *s, const struct server_hello *h);
enum took session_open_12(struct session *s, enum flow_dir dir, const struct record *r,
			  struct protect_opened *o);
/* Goes through the master secrets there may be until fits says so: then the key is the direction's. */
struct key_trial {
	bool (*fits)(struct session *s, enum flow_dir dir, struct protect *p, struct key_trial *t);
	const struct record *record;
	struct protect_opened *opened; /* filled by fits */
	struct seq_trial *numbers;     /* where fits looks for the record's number */
	unsigned tried;		       /* secrets */
	const char *name;	       /* of the last one */
	bool unsupported;	       /* no key can be made for the suite */
};
/* Does TLS 1.2 send the counting part of the nonce along with each record? */
bool session_sends_nonces(const struct session *s);
bool session_pick_12(struct session *s, enum flow_dir dir, struct key_trial *t);
/* A handshake message of any version up to 1.2, as it came. */
void session_message_12(struct session *s, enum flow_dir dir, const struct handshake *m,
			struct tap_at at);
void session_ccs_12(struct session *s, enum flow_dir dir, struct tap_at at);

/* session_inflate.c */

struct inflater;
int inflater_new(struct inflater **out) MUST_CHECK;
void inflater_free(struct inflater *i);
void inflater_miss(struct inflater *i); /* a record was lost; i may be NULL */
/* *out is valid until the next call. False: it makes no sense, and nothing after it will. */
bool inflater_run(struct inflater *i, struct bytes in, struct bytes *out);

/* session_seek.c */

/* The numbers among which a record's is looked for, from the likeliest one outwards. */
struct seq_range {
	uint64_t first, count, guess; /* guess: from first */
};
struct seq_trial {
	const struct record *record;
	struct protect_opened *opened;
	struct seq_range range;
	uint64_t seq; /* which it is */
};
/* False also when no more trials may be made. */
bool session_try_range(struct session *s, struct protect *p, struct seq_trial *t);

/* n bytes are lost; what buffer holds of the record that they belong to is so too. */
void session_lost(struct session *s, enum flow_dir dir, uint64_t n, bool truncated);
/* The next bytes are no record: one may begin further on. */
void session_seek_on(struct session *s, enum flow_dir dir);
/* The key of what comes is not known at all. */
void session_seek_any(struct session *s, enum flow_dir dir);
/* Takes bytes while a record is looked for. */
size_t session_seek(struct session *s, enum flow_dir dir, struct bytes in, struct tap_at at);
/* Nothing more comes that could help. */
void session_seek_end(struct session *s, enum flow_dir dir, struct tap_at at);
/* A direction is given up; n bytes of a record go with it. */
void session_darken(struct session *s, enum flow_dir dir, size_t n);
/* n bytes come in a direction that was given up or is over. */
void session_unread(struct session *s, enum flow_dir dir, size_t n);
/* New secrets: what was given up is tried again from here on. */
void session_revive(struct session *s, enum flow_dir dir);

/* session_any.c */

/* Tries the traffic secrets of all connections that key logs know, or of this one when its client
 * random is known; the one that fits says which connection it is. */
bool session_try_any(struct session *s, enum flow_dir dir, struct seq_trial *t);

#endif
