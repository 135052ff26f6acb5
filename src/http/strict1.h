/* The head of an HTTP/1.1 request, and trailers, read so strictly that no two parsers can differ
 * about them (RFC 9112; what rewrite1.h lets through). */
#ifndef HTTP_STRICT1_H
#define HTTP_STRICT1_H

#include "http/message.h"

enum strict1_body { STRICT1_NONE, STRICT1_LENGTH, STRICT1_CHUNKED };

struct strict1 {
	struct bytes method, target;
	unsigned minor; /* HTTP/1.minor */
	enum strict1_body body;
	uint64_t length;
	bool asks_switch; /* CONNECT, or Upgrade */
	struct bytes first_line;
	size_t count;
	struct bytes lines[HTTP_HEADERS_MAX]; /* of each header, with CRLF */
	struct http_header headers[HTTP_HEADERS_MAX];
};

/* text: all lines with their CRLF, the empty one at the end too. *out borrows from it. Fail with
 * ERR_HTTP_DECODE, or ERR_LIMIT (too many headers), and a sentence for the one who sent it. */
int strict1_request(struct bytes text, struct strict1 *out, struct err *e) MUST_CHECK;
int strict1_trailers(struct bytes text, struct strict1 *out, struct err *e) MUST_CHECK;

#endif
