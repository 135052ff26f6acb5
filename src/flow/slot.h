/* What the tracker keeps of a flow and of an exchange under way: the record that others see, and
 * the memory it points into. Only for exchange.c and its parts. */
#ifndef FLOW_SLOT_H
#define FLOW_SLOT_H

#include "base/buf.h"
#include "base/list.h"
#include "flow/scratch.h"
#include "flow/exchange.h"
#include "flow/table.h"

#define FLOW_TEXT_ROOM 400  /* the strings of most flows */
#define FLOW_TEXT_HEAP 4096 /* and no more than this beyond */
#define SLOT_ROOM 3072	    /* the heads of most exchanges */
#define BODY_KEPT_CAP 16384 /* memory that a spare slot keeps for a body */

struct flow_slot {
	struct table_node node; /* by flow */
	struct list all;	/* in tracker.flows */
	struct flow_info info;
	struct list exchanges; /* under way, in order of their beginning */
	struct scratch text;
	uint8_t room[FLOW_TEXT_ROOM];
};

/* Copies text into the flow, at most max bytes of it; what does not fit stays empty. */
void flow_slot_set(struct flow_slot *f, struct bytes *field, struct bytes text, size_t max);

struct slot {
	struct table_node node; /* by flow and stream */
	struct list in_flow;	/* or in tracker.spare */
	struct flow_slot *of;
	struct exchange x;
	int64_t start_mono_ns;
	size_t budget;	      /* bytes of heads that may still be copied */
	size_t charged;	      /* in tracker.memory */
	struct buf bodies[2]; /* by direction */
	struct buf pieces[2]; /* of a message that comes in pieces */
	uint64_t piece_bytes[2];
	size_t frame[2]; /* where in the body the gRPC message under way begins; 0: none is */
	struct scratch arena;
	_Alignas(16) uint8_t room[SLOT_ROOM];
};

static inline struct message *slot_message(struct slot *s, enum flow_dir dir)
{
	return dir == DIR_UP ? &s->x.request : &s->x.response;
}

/* Copies as much of text as the budget allows; sets *cut when that is not all. */
struct bytes slot_text(struct slot *s, struct bytes text, bool *cut);
/* Copies headers; *count is how many were. */
const struct flow_header *slot_headers(struct slot *s, const struct flow_header *headers,
				       size_t *count, struct message *m);
/* Keeps the first bytes of a body: at most max, the frames of gRPC put back around its messages. */
void slot_body(struct slot *s, const struct event *ev, size_t max);
/* Empties the slot for its next exchange; memory beyond the usual goes back. */
void slot_reset(struct slot *s);
void slot_fini(struct slot *s);
size_t slot_memory(const struct slot *s);

#endif
