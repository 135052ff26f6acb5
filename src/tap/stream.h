/* One direction of a TCP connection put in order (RFC 9293, 3.4): segments in, the bytes once and in
 * sequence out, and gaps where the capture lost some. Bytes that come twice count the first time
 * (a second version that differs is told of); what comes early waits, within bounds. */
#ifndef TAP_STREAM_H
#define TAP_STREAM_H

#include "base/list.h"
#include "tap/at.h"

/* Memory that all streams of an engine share. */
struct stream_pool {
	size_t used, max;
};

#define STREAM_QUEUE_MAX (4 * 1024 * 1024) /* of one direction */

struct stream_hooks {
	/* The next bytes; borrowed for the call. */
	void (*bytes)(void *ctx, struct bytes b, struct tap_at at);
	/* n bytes are lost for good. truncated: they were on the wire and cut off by the capture. */
	void (*gap)(void *ctx, uint64_t n, bool truncated, struct tap_at at);
	/* Bytes that had come before came again and were different. */
	void (*conflict)(void *ctx, uint64_t offset, struct tap_at at);
	/* FIN or RST in its place in the sequence; nothing comes after it. */
	void (*end)(void *ctx, bool reset, struct tap_at at);
};

struct stream {
	const struct stream_hooks *hooks;
	void *ctx;
	struct stream_pool *pool;
	uint32_t next;	   /* sequence number that is expected */
	bool begun, ended; /* next means something; end was told */
	uint64_t offset;   /* bytes handed out or lost so far */
	struct list queue; /* segments that came early, by sequence number */
	size_t queued;	   /* bytes of them */
	bool acked_known;
	uint32_t acked;	     /* highest acknowledgement of the other side */
	int64_t waits_since; /* wall_ns; when the gap in front was first seen */
	uint64_t waits_packet;
	bool fin_known, reset;
	uint32_t fin;
};

void stream_init(struct stream *s, const struct stream_hooks *hooks, void *ctx,
		 struct stream_pool *pool);
void stream_fini(struct stream *s);

struct stream_segment {
	uint32_t seq;
	uint8_t flags; /* enum tcp_flag */
	struct bytes payload;
	uint32_t missing; /* bytes after payload that the capture cut off */
	struct tap_at at;
};
void stream_segment(struct stream *s, const struct stream_segment *in);
/* The other side acknowledged everything before ack: what is missing before it was received, and
 * is a gap if it does not come soon (it may have been captured late). */
void stream_acked(struct stream *s, uint32_t ack, struct tap_at at);
/* No more segments: what waits is handed out, with gaps. */
void stream_flush(struct stream *s, struct tap_at at);

#endif
