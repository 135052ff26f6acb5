/* The one escaper for text from the network (URL, header, SNI, certificate, process name) on its
 * way to a terminal or a log: control characters, DEL, ESC, the bidirectional marks and invalid
 * UTF-8 become \xNN for each byte, a backslash becomes \\; valid UTF-8 passes. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include "base/buf.h"

int escape_add(struct buf *out, struct bytes text, struct err *e) MUST_CHECK;
/* Into a fixed room of size bytes, NUL at the end; cut off between characters when too long, with
 * "..." at the end. Returns out. */
const char *escape_to(char *out, size_t size, struct bytes text);
/* As the content of a JSON string (RFC 8259, 7), without the quotes: invalid UTF-8 becomes U+FFFD,
 * control characters and bidirectional marks \u00NN. */
int escape_json(struct buf *out, struct bytes text, struct err *e) MUST_CHECK;

#endif
