/* The parts of a stream that wait, in the order of their sequence numbers, never overlapping. Shared
 * by stream.c and stream_queue.c only. */
#ifndef TAP_STREAM_QUEUE_H
#define TAP_STREAM_QUEUE_H

#include "tap/stream.h"

struct part {
	struct list node;
	uint32_t seq, n;
	uint32_t ack; /* of the segment; acked: it had one */
	bool acked;
	bool cut; /* the capture cut these bytes off: p is empty */
	struct tap_at at;
	uint8_t p[];
};

/* How far a is after b; less than 0 when it is before (RFC 9293, 3.4). */
static inline int32_t seq_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static inline uint32_t part_end(const struct part *p)
{
	return p->seq + p->n;
}

static inline struct bytes part_bytes(const struct part *p)
{
	return bytes_of(p->p, p->cut ? 0 : p->n);
}

/* The earliest, or NULL. */
struct part *queue_first(const struct stream *s);
/* The one that has the byte seq, or NULL; *free_n is then how many bytes from seq on none has (of n). */
struct part *queue_find(struct stream *s, uint32_t seq, size_t n, size_t *free_n);
/* Adds bytes that no part has; cut_n instead of them: that many were cut off. False when there is no
 * room, and nothing changed. */
bool queue_add(struct stream *s, const struct stream_segment *in, uint32_t seq, struct bytes b,
	       uint32_t cut_n) MUST_CHECK;
void queue_remove(struct stream *s, struct part *p);
/* Takes seq to seq + n out of p, which was cut off; a part of p. False when there is no room. */
bool queue_carve(struct stream *s, struct part *p, uint32_t seq, uint32_t n) MUST_CHECK;

#endif
