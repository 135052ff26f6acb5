/* One direction of a TCP connection put in order (RFC 9293, 3.4): segments in, the bytes once and in
 * sequence out, and gaps where the capture lost some.
 *
 * Bytes that come twice count the first time; a second version that differs is told of. While the
 * first waits they are compared; of the last STREAM_PAST pieces that were handed out there is a
 * checksum (of samples, where they are long), and a second version that covers such a piece is held to
 * it.
 *
 * What comes early waits, at most STREAM_QUEUE_MAX of one direction and the pool's limit in all; where
 * there is no room the gap in front is declared.
 *
 * A capture may hold packets in another order than the wire had them, acknowledgements before what
 * they acknowledge too: it was taken from several queues, each written when it was full or after
 * some tens of milliseconds. So what is missing although the other side acknowledged it becomes a
 * gap only STREAM_SETTLE_NS of the capture's clock AND STREAM_SETTLE_PACKETS of its packets after
 * that was seen (twice as much at most); what nobody acknowledged, after STREAM_LOST_NS; all of it when
 * the stream is flushed. With nothing behind it a gap harms nobody, and waits for what comes next.
 *
 * Bytes that the capture cut off (snaplen) are such a gap too, told with truncated; a retransmission
 * may fill it until then.
 *
 * Without a SYN the first bytes wait for a moment, as others before them may still come: until the
 * other side acknowledges them, or STREAM_START_SEGMENTS came, or STREAM_START_NS passed. Then the
 * stream begins at the earliest. If the other side had acknowledged exactly what is before them, or
 * its SYN and ACK were seen, nothing waits.
 *
 * The two directions of a connection are a pair: bytes of one are not handed out before the bytes of
 * the other that they acknowledge, or the gap in their place. So no answer overtakes its question,
 * though the question may wait for a part of it. */
#ifndef TAP_STREAM_H
#define TAP_STREAM_H

#include "base/list.h"
#include "tap/at.h"

/* Memory that all streams of an engine share. */
struct stream_pool {
	size_t used, max;
};

#define STREAM_QUEUE_MAX (4 * 1024 * 1024) /* of one direction */
#define STREAM_PAST 16
#define STREAM_SETTLE_NS (200 * INT64_C(1000000))
#define STREAM_SETTLE_PACKETS 128
#define STREAM_LOST_NS (10 * INT64_C(1000000000))
#define STREAM_HELD_NS                                                                             \
	(1000 * INT64_C(1000000)) /* bytes never wait longer for the other direction */
#define STREAM_START_NS (50 * INT64_C(1000000))
#define STREAM_START_SEGMENTS 8

/* Where things happened never goes back within a stream: what waited has its own time, or that of
 * what came before it in the sequence, whichever is later. A hook calls nothing of its stream or of
 * the other one of the pair. */
struct stream_hooks {
	/* The next bytes, at least one; borrowed for the call. */
	void (*bytes)(void *ctx, struct bytes b, struct tap_at at);
	/* n bytes are lost for good. truncated: they were on the wire and cut off by the capture. */
	void (*gap)(void *ctx, uint64_t n, bool truncated, struct tap_at at);
	/* Bytes that had come before came again and were different; offset is of the first of them
	 * in the stream (of those handed out: of their piece), at the packet that brought the second
	 * version. */
	void (*conflict)(void *ctx, uint64_t offset, struct tap_at at);
	/* FIN or RST in its place in the sequence; nothing comes after it. */
	void (*end)(void *ctx, bool reset, struct tap_at at);
};

/* What was handed out at once. */
struct stream_piece {
	uint32_t seq, n;
	uint64_t sum;
};

struct stream {
	const struct stream_hooks *hooks;
	void *ctx;
	struct stream_pool *pool;
	struct stream *pair; /* the other direction, or NULL */
	uint32_t next;	     /* expected; while not begun: the earliest that waits */
	bool begun;	     /* next is where the stream goes on */
	bool sure;	     /* it began at a SYN, or at what a SYN and ACK asked for */
	bool ended;	     /* end was told */
	uint64_t offset;     /* bytes handed out or lost so far */
	struct list queue;   /* of struct part (stream_queue.h), by sequence number */
	size_t queued;	     /* what they count for in the pool */
	unsigned starting;   /* segments that wait for the stream to begin */
	struct tap_at last;  /* of what was handed out */
	bool acked_known, settled_known;
	uint32_t acked;	  /* highest acknowledgement of the other side */
	uint32_t mark;	  /* … at mark_at */
	uint32_t settled; /* … long enough ago */
	struct tap_at mark_at;
	bool fin_known, reset;
	uint32_t fin; /* where FIN or RST stands */
	struct tap_at fin_at;
	bool fin_acked;
	uint32_t fin_ack;		       /* what it acknowledges */
	struct stream_piece past[STREAM_PAST]; /* a ring */
	unsigned past_next;
};

/* s stays where it is. */
void stream_init(struct stream *s, const struct stream_hooks *hooks, void *ctx,
		 struct stream_pool *pool);
void stream_fini(struct stream *s);
/* They are the directions of one connection; both were just made. */
void stream_pair(struct stream *a, struct stream *b);

struct stream_segment {
	uint32_t seq, ack;
	uint8_t flags; /* enum tcp_flag */
	struct bytes payload;
	uint32_t missing; /* bytes after payload that the capture cut off */
	struct tap_at at;
};
/* To a pair it also says what of the other direction was received. */
void stream_segment(struct stream *s, const struct stream_segment *in);
/* No more segments: what waits is handed out, with gaps; of both directions of a pair. */
void stream_flush(struct stream *s, struct tap_at at);

#endif
