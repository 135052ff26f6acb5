/* One flow that is open: its two streams, the layers on top, and what was told of it. */
#ifndef TAP_CONN_H
#define TAP_CONN_H

#include "flow/table.h"
#include "tap/context.h"
#include "tap/datagram.h"
#include "tap/front.h"
#include "tap/layer.h"
#include "tap/stream.h"

struct conn_side {
	struct conn *conn;
	enum flow_dir dir;
	struct stream stream;
	bool ended;	  /* the stream has */
	bool told;	  /* the layer knows it */
	enum leg_end how; /* … it ended */
	int64_t pid;	  /* 0: not told yet */
};

struct conn {
	struct table_node node; /* by number */
	struct list all;	/* in the order of their beginning */
	struct tap_flow flow;
	struct conn_side side[2]; /* by enum flow_dir */
	struct layer *layer;	  /* NULL: UDP */
	enum datagram datagram;
	uint64_t packets;
	uint64_t payload[2];   /* bytes seen, by direction */
	uint64_t cut_off;      /* bytes of the gaps that were on the wire */
	bool opened, answered; /* SYN; SYN and ACK */
	bool acknowledged;     /* the client's answer to that */
	bool reset;
	bool gone;	/* one side said RST after its FIN */
	bool wants_one; /* it stands in tap_shared.wanted */
	bool woken;	/* it is to hear of the secrets that came just now */
};

/* s is the first segment of its flow. Tells of the beginning. */
int conn_new(struct tap_shared *shared, struct stream_pool *pool, const struct tap_segment *s,
	     struct conn **out, struct err *e) MUST_CHECK;
void conn_free(struct conn *c);
void conn_segment(struct conn *c, const struct tap_segment *s);
/* Secrets came. */
void conn_secrets(struct conn *c, struct tap_at at);
/* Both directions of its TCP have ended, or it was reset. */
bool conn_has_ended(const struct conn *c);
/* That, and nothing is waited for. */
bool conn_is_over(const struct conn *c);
/* Tells of the end. open: the capture ends before the flow. */
void conn_finish(struct conn *c, bool open, struct tap_at at);

#endif
