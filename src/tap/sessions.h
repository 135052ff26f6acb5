/* Sessions of TLS 1.2 and before that later connections may resume: the master secret by session id
 * or by the hash of a ticket. Bounded; the least recently used leave first. */
#ifndef TAP_SESSIONS_H
#define TAP_SESSIONS_H

#include "base/err.h"

#define SESSIONS_MAX 65536
#define MASTER_SIZE 48

struct sessions;

int sessions_new(struct sessions **out, struct err *e) MUST_CHECK;
void sessions_free(struct sessions *s); /* wipes all */
/* packet: where it was learned. A session that is known from an earlier packet stays as it is; there
 * may be no memory for it, which is not told. master is MASTER_SIZE bytes. */
void sessions_put(struct sessions *s, struct bytes key, struct bytes master, uint64_t packet);
/* Only what was learned at a packet before this one. */
bool sessions_find(struct sessions *s, struct bytes key, uint64_t packet,
		   uint8_t master[MASTER_SIZE]);

#endif
