/* Undoes gzip (RFC 1952, several members) or zstd (RFC 8878, several frames) around a capture,
 * piece by piece; anything else passes as it is. */
#ifndef PCAP_UNPACK_H
#define PCAP_UNPACK_H

#include "base/buf.h"

enum unpack_coding { UNPACK_UNKNOWN, UNPACK_NONE, UNPACK_GZIP, UNPACK_ZSTD };

struct unpack;

int unpack_new(struct unpack **out, struct err *e) MUST_CHECK;
void unpack_free(struct unpack *u);
/* Takes from in and appends to out until in is used up or out is full; *used is how much was taken.
 * Fails with ERR_WIRE_DECODE when the packing is damaged (what was appended is good). */
int unpack_feed(struct unpack *u, struct bytes in, size_t *used, struct buf *out,
		struct err *e) MUST_CHECK;
/* At the end of the input: fails with ERR_WIRE_DECODE when it ends in the middle. */
int unpack_end(const struct unpack *u, struct err *e) MUST_CHECK;
/* UNPACK_UNKNOWN before four bytes were seen. */
enum unpack_coding unpack_coding(const struct unpack *u);

#endif
