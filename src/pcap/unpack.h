/* Undoes gzip (RFC 1952, several members) or zstd (RFC 8878, several frames) around a capture,
 * piece by piece. What follows the last member of gzip and is none is ignored, as gzip(1) does. */
#ifndef PCAP_UNPACK_H
#define PCAP_UNPACK_H

#include "base/buf.h"

enum unpack_coding { UNPACK_UNKNOWN, UNPACK_NONE, UNPACK_GZIP, UNPACK_ZSTD };

/* What the first bytes of a file say: UNPACK_UNKNOWN when there are fewer than UNPACK_FIRST. */
#define UNPACK_FIRST 4
enum unpack_coding unpack_sniff(struct bytes first);
const char *unpack_coding_text(enum unpack_coding coding); /* "gzip" */

/* Frames of zstd that need more memory for their window are refused, as zstd(1) does. */
#define UNPACK_WINDOW_LOG 27

struct unpack;

/* coding: UNPACK_GZIP or UNPACK_ZSTD. */
int unpack_new(enum unpack_coding coding, struct unpack **out, struct err *e) MUST_CHECK;
void unpack_free(struct unpack *u);
/* Takes from in and appends to out until in is used up or out is full; then more may come out
 * without more going in. *used is how much was taken. Fails with ERR_WIRE_DECODE when the packing is
 * damaged (what was appended is good), ERR_NOMEM. */
int unpack_feed(struct unpack *u, struct bytes in, size_t *used, struct buf *out,
		struct err *e) MUST_CHECK;
/* At the end of the input, when nothing more comes out: fails with ERR_WIRE_DECODE when it ends in
 * the middle. */
int unpack_end(const struct unpack *u, struct err *e) MUST_CHECK;
/* Bytes that were ignored so far; zeros that fill up a tape's block are not counted. */
uint64_t unpack_ignored(const struct unpack *u);

#endif
