/* Protocol Buffers without a schema, for people's eyes. */
#ifndef HTTP_PROTOBUF_H
#define HTTP_PROTOBUF_H

#include "base/buf.h"

/* Adds one line a field to out: "1: 150", "2: \"text\"", "3 { … }" with nesting by two spaces, bytes
 * that are no text as "3: <0a0bff>", "4: 0x3ff0000000000000" and "5: 0x3f800000" for fixed ones.
 * Bytes of length-delimited fields count as a message when they read as one completely, as text
 * when they are UTF-8 without control characters, else as bytes. Nested at most 16 deep. When out
 * is full it ends with what fits. False (out unchanged) when msg does not read as a message. */
bool protobuf_explain(struct bytes msg, struct buf *out);

#endif
