/* A piece of a capture for one lane: segments and what else came between them, in the order of the
 * packets; and what the lane had to say about it. What it borrows is held until it is emptied. */
#ifndef CMD_READ_BATCH_H
#define CMD_READ_BATCH_H

#include "base/arena.h"
#include "base/buf.h"
#include "cmd/capture_input.h"
#include "tap/front.h"

#define BATCH_UNITS 512
#define BATCH_HOLDS 16
#define BATCH_PAYLOAD ((size_t)1 << 20)	  /* bytes after which it is full */
#define BATCH_TEXT_MAX ((size_t)64 << 20) /* a block of secrets may be large */
#define BATCH_OUT_MAX ((size_t)1 << 30)

enum unit_kind {
	UNIT_SEGMENT,
	UNIT_SECRETS, /* text: lines of a key log */
	UNIT_PROCESS, /* pid and its name in text */
	UNIT_FINISH,  /* the capture is over */
};

struct unit {
	uint64_t order; /* over all lanes; a unit that every lane gets has the same in all */
	enum unit_kind kind;
	struct tap_segment segment; /* of the others only at */
	struct bytes text;
	int64_t pid;
};

/* Where a lane's output goes. */
enum read_out { READ_LINES, READ_HAR, READ_PLAIN, READ_OUT_COUNT };

struct piece {
	uint64_t order, flow; /* what it is ordered by */
	enum read_out to;
	size_t n; /* bytes of that output */
};

struct read_batch {
	struct unit units[BATCH_UNITS];
	size_t count;
	size_t payload; /* bytes of all units */
	struct capture_hold *holds[BATCH_HOLDS];
	size_t hold_count;
	struct arena texts;   /* copies of what could not be held */
	uint64_t last_packet; /* everything up to it is in this batch or an earlier one */

	struct buf out[READ_OUT_COUNT];
	struct piece *pieces;
	size_t piece_count, piece_cap;
	bool failed; /* e says why; what is there is good */
	struct err e;
};

void read_batch_init(struct read_batch *b);
void read_batch_fini(struct read_batch *b);
/* Forgets units and output, releases what was held. */
void read_batch_clear(struct read_batch *b);
bool read_batch_full(const struct read_batch *b);
/* in: what the bytes were read from; they are held there as long as they are needed, unless they lie
 * elsewhere (not within item): then they are copied. A text always is. Fails with ERR_NOMEM,
 * ERR_LIMIT. */
int read_batch_add(struct read_batch *b, const struct unit *u, struct capture_input *in,
		   struct bytes item, struct err *e) MUST_CHECK;
/* n bytes were appended to out[to]. Fails with ERR_NOMEM. */
int read_batch_piece(struct read_batch *b, const struct piece *p, struct err *e) MUST_CHECK;

#endif
