/* The one escaper for text from the network (URL, header, SNI, certificate, process name) on its
 * way to a terminal or a log: control characters (C0, DEL, C1), the marks that change the direction
 * of text, zero-width characters, line separators and invalid UTF-8 become \xNN for each byte, a
 * backslash becomes \\; other valid UTF-8 passes. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include "base/buf.h"

/* Fails as buf_add does; out then holds a part. */
int escape_add(struct buf *out, struct bytes text, struct err *e) MUST_CHECK;
/* Into a fixed room of size bytes, NUL at the end; cut off between characters when too long, with
 * "..." at the end. Returns out. */
const char *escape_to(char *out, size_t size, struct bytes text);
/* As the content of a JSON string (RFC 8259, 7), without the quotes: invalid UTF-8 becomes U+FFFD,
 * what escape_add escapes becomes \uNNNN. Fails as buf_add does; out then holds a part. */
int escape_json(struct buf *out, struct bytes text, struct err *e) MUST_CHECK;

/* The length of the valid UTF-8 character at the front of b, which is not empty (RFC 3629), its code
 * point in *cp; 0 when it is not valid. */
size_t utf8_length(struct bytes b, uint32_t *cp);

#endif
