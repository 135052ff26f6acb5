/* The header blocks of one direction of an HTTP/2 connection (RFC 9113, 4.3; RFC 7541): inflated
 * piece by piece as frames bring them. What is beyond HTTP_HEAD_MAX or HTTP_HEADERS_MAX is inflated
 * too, for the table's sake, but not kept. */
#ifndef HTTP_BLOCK2_H
#define HTTP_BLOCK2_H

#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "http/message.h"

/* What stands for a name or value that was put into the table before the decoder came; no header
 * can be called so. */
#define BLOCK2_UNKNOWN "?"

struct block2 {
	nghttp2_hd_inflater *inflater; /* made with the first block */
	size_t table, table_applied; /* the limit of the table, and what the inflater knows of it */
	bool late; /* blocks before the first one went by: their part of the table is not known */
	bool lost; /* late: this block could not be read, the table is not known anew */
	bool open;
	bool cut;	   /* headers were left out */
	size_t compressed; /* bytes of this block so far */
	size_t count;	   /* of headers kept, pseudo headers included */
	struct buf text;   /* of each header: two lengths of 4 bytes, name, value */
};

void block2_init(struct block2 *b);
void block2_fini(struct block2 *b);
/* The table may have this many bytes from the next block on. */
void block2_limit(struct block2 *b, size_t table);
/* Fail with ERR_HTTP_DECODE, ERR_LIMIT or ERR_NOMEM; the connection cannot be decoded any further.
 * When it is late only the block is lost. */
int block2_begin(struct block2 *b, struct err *e) MUST_CHECK;
int block2_feed(struct block2 *b, struct bytes fragment, struct err *e) MUST_CHECK;
int block2_finish(struct block2 *b, struct err *e) MUST_CHECK;
/* After block2_finish, once: sets the pseudo headers in *head and the others in headers (room for
 * HTTP_HEADERS_MAX), borrowed until block2_clear. head->unknown: some of it is, or all. */
int block2_read(const struct block2 *b, struct http_head *head, struct http_header *headers,
		struct err *e) MUST_CHECK;
void block2_clear(struct block2 *b);

#endif
