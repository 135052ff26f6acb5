/* Base64 (RFC 4648, 4): the standard alphabet, padded, in one line. */
#ifndef WIRE_BASE64_H
#define WIRE_BASE64_H

#include "base/buf.h"

/* Strict: padding is needed, bits that are not used must be zero, no white space. Appended to out.
 * Fails with ERR_WIRE_DECODE, ERR_LIMIT, ERR_NOMEM; out is then unchanged. */
int base64_parse(struct bytes text, struct buf *out, struct err *e) MUST_CHECK;
int base64_write(struct bytes data, struct buf *out, struct err *e) MUST_CHECK;

#endif
