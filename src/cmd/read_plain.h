/* Decrypted connections as packets of TCP (--plain): what programs that cannot decrypt can read. A
 * consumer of events that appends pcapng blocks of packets; connections of which nothing is known in
 * plaintext are left out. Addresses are the real ones; a server's port 443 becomes 80, and 8443
 * 8080, where something was decrypted, since programs take what goes to those ports for TLS. */
#ifndef CMD_READ_PLAIN_H
#define CMD_READ_PLAIN_H

#include "base/buf.h"
#include "flow/event.h"

struct read_plain;

/* out is borrowed. filter_flow 0: all. */
int read_plain_new(struct buf *out, uint64_t filter_flow, struct read_plain **plain,
		   struct err *e) MUST_CHECK;
void read_plain_free(struct read_plain *p);
struct event_sink read_plain_sink(struct read_plain *p);
/* Fails with what went wrong since the beginning. */
int read_plain_check(const struct read_plain *p, struct err *e) MUST_CHECK;
/* What a file begins with. */
int read_plain_begin(struct buf *out, struct err *e) MUST_CHECK;

#endif
