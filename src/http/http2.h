/* HTTP/2 as it passes: both directions of one connection (RFC 9113, 8441; HPACK by nghttp2). It
 * reads frames, follows the streams and undoes nothing that it need not: bodies are handed over
 * where they lie, header blocks are inflated with a table as large as the other side allowed.
 * gRPC (content-type application/grpc) and WebSocket (extended CONNECT) are told apart by stream. */
#ifndef HTTP_HTTP2_H
#define HTTP_HTTP2_H

#include "http/message.h"

#define HTTP2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
/* Streams followed at the same time; the one that was opened first is given up (its messages end
 * truncated) when there are more. */
#define HTTP2_STREAMS_MAX 1024
/* The largest HPACK table that is followed; a peer that uses a larger one cannot be decoded. */
#define HTTP2_TABLE_MAX (256 * 1024)
/* The longest header block, compressed. */
#define HTTP2_BLOCK_MAX (256 * 1024)

struct http2;

struct http2_options {
	const struct http_sink *sink; /* borrowed until http2_free */
	/* The connection was joined after its start, at a frame: no preface is expected. What was put
	 * into the HPACK tables before is not known: heads that refer to it have .unknown, and in them
	 * "?" stands for a name or a value that is not known. */
	bool late;
	/* It follows an Upgrade from HTTP/1.1: stream 1 is open and its request complete. */
	bool upgraded;
};

/* Fails with ERR_NOMEM. */
int http2_new(const struct http2_options *options, struct http2 **out, struct err *e) MUST_CHECK;
void http2_free(struct http2 *h);
/* Fails with ERR_HTTP_DECODE, ERR_LIMIT or ERR_NOMEM when it cannot go on, and then always. */
int http2_feed(struct http2 *h, enum http_dir dir, struct bytes in, struct err *e) MUST_CHECK;
/* The direction ended: its open messages end truncated. */
void http2_end(struct http2 *h, enum http_dir dir);
size_t http2_streams(const struct http2 *h); /* open now */

#endif
