/* Protocol Buffers without a schema, for people's eyes. */
#ifndef HTTP_PROTOBUF_H
#define HTTP_PROTOBUF_H

#include "base/buf.h"

/* Adds one line a field to out: `1: 150`, `2: "text"`, `3 {` with what is nested two spaces further
 * in and `}` after it, `4: <0a0bff>` for other bytes, `5: 0x3ff0000000000000` and `6: 0x3f800000` for
 * fixed ones. A length-delimited field is text when it is UTF-8 without control characters but line
 * ends and tabs, else a message when it reads as one completely, else bytes. At most 16 deep. When
 * out is full it ends with what fits. False (out unchanged) when msg does not read as a message.
 * The text is the network's: it goes to a terminal through escape.h. */
bool protobuf_explain(struct bytes msg, struct buf *out);

#endif
