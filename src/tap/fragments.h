/* Puts IP fragments together (RFC 791, 3.2; RFC 8200, 4.5). Of bytes that come twice the first
 * count. Bounded in memory and, by the capture's clock, in time: what does not become whole is
 * dropped. */
#ifndef TAP_FRAGMENTS_H
#define TAP_FRAGMENTS_H

#include "tap/at.h"
#include "wire/packet.h"

struct fragments;

#define FRAGMENTS_AGE_NS (30 * INT64_C(1000000000)) /* as long as Linux waits */

/* max_memory: of all datagrams that wait. */
int fragments_new(size_t max_memory, struct fragments **out, struct err *e) MUST_CHECK;
void fragments_free(struct fragments *f);
/* True when part made a datagram whole: *whole then is all of it (offset 0, no more), its payload
 * borrowed until the next call. Where fragments were cut off by the capture, the payload ends before
 * the first byte that is not there, and missing says how many follow. */
bool fragments_add(struct fragments *f, const struct packet_fragment *part, struct tap_at at,
		   struct packet_fragment *whole) MUST_CHECK;
/* Fragments that were malformed, or of datagrams that were given up. */
uint64_t fragments_dropped(const struct fragments *f);

#endif
