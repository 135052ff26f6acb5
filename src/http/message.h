/* HTTP messages as the decoders see them pass: the words that HTTP/1.1, HTTP/2, WebSocket and gRPC
 * share. The decoders take bytes of either direction and call a sink; all that they hand over is
 * borrowed for the call only. */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include "base/err.h"

/* A head, or trailers, beyond this are not decoded. */
#define HTTP_HEAD_MAX 65536
#define HTTP_HEADERS_MAX 256

enum http_dir { HTTP_UP, HTTP_DOWN }; /* up: from client to server */
enum http_proto { HTTP_1, HTTP_2, HTTP_WEBSOCKET, HTTP_GRPC };

struct http_header {
	struct bytes name; /* as on the wire; lower case in HTTP/2 */
	struct bytes value;
};

/* What two parsers could read differently: how requests are smuggled. A decoder that only observes
 * goes on and says so; a rewriter refuses (rewrite1.h). */
#define HTTP_ODD_LENGTH_AND_CODING 1u /* both Content-Length and Transfer-Encoding */
#define HTTP_ODD_FOLD 2u	      /* a header value goes on in the next line */
#define HTTP_ODD_BARE_LF 4u	      /* a line ends without CR */

struct http_head {
	enum http_proto proto;
	enum http_dir dir; /* up: a request, down: a response */
	uint64_t stream;   /* HTTP/2's stream; else exchanges are numbered from 1 */
	/* Of a request. In HTTP/1.1 scheme is empty in origin form, authority then comes from Host;
	 * path has the query, and is empty for CONNECT. protocol is RFC 8441's. */
	struct bytes method, scheme, authority, path, protocol;
	unsigned status;     /* of a response */
	struct bytes reason; /* of a response; HTTP/1.1 only */
	unsigned version_major, version_minor;
	const struct http_header *headers; /* in the order of the wire, without pseudo headers */
	size_t header_count;
	bool interim; /* 1xx: another head follows */
	bool pushed;  /* the request of a server push: promised downwards, dir is up all the same */
	bool unknown; /* HTTP/2 joined late: "?" stands for names and values that are not known; what
		       * is empty may have been there */
	bool cut;     /* HTTP/2: there were more headers than HTTP_HEADERS_MAX or HTTP_HEAD_MAX */
	unsigned odd; /* HTTP_ODD_ */
};

/* A piece of a body. */
struct http_chunk {
	enum http_proto proto;
	enum http_dir dir;
	uint64_t stream;
	struct bytes data;  /* decoded from transfer coding, not from content coding */
	unsigned ws_opcode; /* WebSocket: 1 text, 2 binary, 8 close, 9 ping, 10 pong; else 0 */
	bool message_end;   /* the last piece of a WebSocket or gRPC message */
	bool compressed;    /* gRPC: by grpc-encoding; WebSocket: by an extension not undone here */
};

struct http_end {
	enum http_proto proto;
	enum http_dir dir;
	uint64_t stream;
	uint64_t body_bytes; /* after transfer coding */
	const struct http_header *trailers;
	size_t trailer_count;
	bool truncated;	 /* cut off before its end, or reset; there may have been no head at all */
	int grpc_status; /* -1: none, or not gRPC */
};

/* The decoders look at on_body before each piece: while it is NULL bodies are only counted. It may
 * be changed between two calls of a decoder. on_head and on_end are never NULL. */
struct http_sink {
	void (*on_head)(void *ctx, const struct http_head *head);
	void (*on_body)(void *ctx, const struct http_chunk *chunk);
	void (*on_end)(void *ctx, const struct http_end *end);
	void *ctx;
};

/* The value of the first header of that name (compared without case); NULL when there is none. */
const struct bytes *http_find(const struct http_header *headers, size_t count, const char *name);
/* Whether b is a token: a method or the name of a field (RFC 9110, 5.6.2). */
bool http_is_token(struct bytes b);
/* Whether b can be the value of a field: no control characters but tab (RFC 9110, 5.5). */
bool http_is_value(struct bytes b);
/* Whether token stands in the comma separated list (RFC 9110, 5.6.1), compared without case. */
bool http_has_token(struct bytes list, const char *token);

#endif
