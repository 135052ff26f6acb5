/* For tests: real handshakes made by libssl in memory, and played to a session as a capture would
 * be: whole, byte by byte, with gaps, one direction late. Neither side of it is ours. */
#ifndef TAP_SESSION_KIT_H
#define TAP_SESSION_KIT_H

#include "base/buf.h"
#include "tap/session.h"
#include "tap/sessions.h"

/* libssl's, under their names in its headers. */
struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;
struct evp_pkey_st;
struct x509_store_ctx_st;

#define KIT_PIECES 4096

struct kit_piece {
	enum flow_dir dir;
	size_t from, n; /* in kit.wire */
};

/* A record of application data, where it lies in the stream and in what was sent. */
struct kit_record {
	enum flow_dir dir;
	size_t from, n, plain_from, plain_n;
};
#define KIT_RECORDS 8192

struct kit {
	struct ssl_ctx_st *client_ctx, *server_ctx;
	struct ssl_st *client, *server;
	struct buf wire; /* everything that was sent, piece after piece */
	struct kit_piece pieces[KIT_PIECES];
	size_t count;
	struct buf keys;    /* the key log */
	struct buf sent[2]; /* application data, by direction */
	struct kit_record records[KIT_RECORDS];
	size_t record_count;
	size_t stream[2]; /* bytes on the wire, by direction */
	size_t fragment;
	struct ssl_session_st *session; /* the last that the client got; for kit_again */
};

struct kit_options {
	int version;	    /* TLS1_3_VERSION …; 0: 1.3 */
	const char *suites; /* of TLS 1.3, or a cipher list for 1.2 and before; NULL: libssl's */
	const char *groups; /* of the server; NULL: libssl's */
	bool rsa;	    /* an RSA certificate */
	bool no_tickets;
	bool ask_client;   /* for a certificate, after the handshake */
	uint64_t options;  /* SSL_OP_… of both */
	uint32_t early;	   /* max_early_data of the server */
	unsigned fragment; /* max_send_fragment; 0: libssl's */
	const char *psk;   /* 16 bytes; TLS 1.2 */
};

void kit_init(struct kit *k, const struct kit_options *o);
void kit_fini(struct kit *k);
/* The same contexts, another connection, resuming the session if there is one. Forgets the wire. */
void kit_again(struct kit *k);
void kit_shake(struct kit *k);
/* Moves what was written to the other side, one piece for each flight. */
void kit_move(struct kit *k, enum flow_dir dir);
void kit_pump(struct kit *k);
/* n bytes of a pattern from one side, received by the other. */
void kit_send(struct kit *k, enum flow_dir dir, size_t n);
/* These bytes as application data. */
void kit_pass(struct kit *k, enum flow_dir dir, struct bytes b);
void kit_update(struct kit *k, enum flow_dir dir, bool ask); /* KeyUpdate */
void kit_renegotiate(struct kit *k);
struct evp_pkey_st *kit_key(bool rsa);
void kit_close(struct kit *k);
int kit_any_certificate(int ok, struct x509_store_ctx_st *ctx); /* for SSL_set_verify */
/* The whole stream of a direction. */
void kit_stream(const struct kit *k, enum flow_dir dir, struct buf *out);

/* What is listened to. */
struct play {
	struct tap_shared shared;
	struct tap_flow flow;
	struct event_bus bus;
	struct layer *session;
	struct layer above; /* takes the application data */
	bool above_made, late;
	bool unwatched; /* write nothing down: memory fails on purpose */
	unsigned nest;	/* sessions that are still to be put on top */
	struct buf plain[2];
	struct buf above_alpn;
	struct buf turns; /* who spoke, whenever that changed */
	uint64_t gaps[2]; /* bytes that the layer above was told are missing */
	enum leg_end ends[2];
	bool ended[2];
	struct buf log; /* events, one a line */
	unsigned darks, notes, chains, done;
	enum dark_why why;
	char reason[300];
	uint64_t lost; /* bytes of EV_GAP */
	uint64_t packet;
	struct keylog_table *known;
	struct tap_sessions lore; /* into sessions */
	struct sessions *sessions;
};

void play_init(struct play *p, struct bytes keys);
void play_fini(struct play *p);
/* The application data is TLS itself; before anything is fed. */
void play_nest(struct play *p);
/* Another connection with the same engine. */
void play_again(struct play *p);
/* All pieces of k in chunks of at most size bytes (0: as they are). */
void play_all(struct play *p, const struct kit *k, size_t size);
void play_piece(struct play *p, const struct kit *k, size_t i, size_t size);
void play_feed(struct play *p, enum flow_dir dir, struct bytes b);
void play_gap(struct play *p, enum flow_dir dir, uint64_t n);
/* All pieces of k in chunks of size, but for n bytes at offset from of one direction. */
struct play_hole {
	enum flow_dir dir;
	size_t from, n;
};
void play_holes(struct play *p, const struct kit *k, const struct play_hole *holes, size_t count,
		size_t size);
void play_end(struct play *p);
void play_late_secrets(struct play *p, struct bytes keys);
/* The application data of both directions is what was sent, and nothing is dark. */
void play_check(const struct play *p, const struct kit *k);
/* The same, but for the records that touch the holes: those alone are missing, and told of. */
void play_check_holes(const struct play *p, const struct kit *k, const struct play_hole *holes,
		      size_t count);
bool play_logged(const struct play *p, const char *text);
/* Lines of a key log with (or without) a label. */
void keys_with(struct bytes keys, const char *label, bool with, struct buf *out);

#endif
