/* gRPC over HTTP/2: the framing of messages in a body (a flag, a length of 4 bytes, the message)
 * and the status. */
#ifndef HTTP_GRPC_H
#define HTTP_GRPC_H

#include "http/message.h"

/* application/grpc, application/grpc+proto, application/grpc;…; not application/grpc-web. */
bool grpc_content_type(struct bytes content_type);
/* The grpc-status among headers or trailers, 0 to 16 as a rule; -1 when there is none. */
int grpc_status(const struct http_header *headers, size_t count);
const char *grpc_status_text(int status); /* "NOT_FOUND"; NULL when not known */

/* One direction of one call. All zero at its start. */
struct grpc_framing {
	uint8_t prefix[5];
	uint8_t have;  /* bytes of the prefix that came */
	uint32_t left; /* bytes of the message that are missing */
};

/* The piece of a message at the front of *in, which it is taken from. False when *in is used up.
 * An empty message is a piece of no bytes with message_end. Only data, message_end and compressed
 * of *piece are set. */
bool grpc_next(struct grpc_framing *g, struct bytes *in, struct http_chunk *piece);

#endif
