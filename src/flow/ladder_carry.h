/* What a handshake message is called, what it is for, and what it carries, in words. Only for
 * ladder.c. */
#ifndef FLOW_LADDER_CARRY_H
#define FLOW_LADDER_CARRY_H

#include "flow/event.h"
#include "flow/put.h"

/* What was agreed so far, which later messages are read by. */
struct ladder_known {
	uint16_t version, cipher; /* 0: not known yet */
};

/* As the RFCs write it: "ClientHello". A HelloRetryRequest has a name of its own. */
const char *ladder_name(const struct ev_handshake_message *m);
/* One sentence for a learner. */
const char *ladder_purpose(const struct ev_handshake_message *m, const struct ladder_known *k);
/* Adds what it carries as text that is not escaped yet, and notes what is agreed by it. Nothing for a
 * message that cannot be read. */
void ladder_carries(struct put *w, const struct ev_handshake_message *m, struct ladder_known *k);

#endif
