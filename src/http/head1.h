/* Where the parts of an HTTP/1.1 head (or of trailers) lie in its text, noted while the parser runs
 * over it. The text itself stays in the input; only what came of a head that is not complete at the
 * end of the input is kept (struct head1_kept). */
#ifndef HTTP_HEAD1_H
#define HTTP_HEAD1_H

#include "base/buf.h"
#include "http/message.h"

struct span {
	uint32_t at, n; /* from the first byte of the head */
};

struct head1 {
	uint32_t count; /* of headers */
	bool named;	/* the last header's name is complete */
	unsigned odd;
	struct span target, reason;
	struct span names[HTTP_HEADERS_MAX], values[HTTP_HEADERS_MAX];
};

struct head1_kept {
	struct buf text;
	struct head1 head;
};

/* Starts over. What lies beyond count is never looked at, and not wiped. */
void head1_reset(struct head1 *h);
/* The parser found a piece of a part. Pieces of one part come in order; those of a value may have
 * a gap, when it is folded. False when the head is beyond HTTP_HEAD_MAX or HTTP_HEADERS_MAX. */
bool head1_extend(struct span *part, struct span piece);
bool head1_name(struct head1 *h, struct span piece);
bool head1_value(struct head1 *h, struct span piece);
/* How many bytes of the text the parts reach over. */
size_t head1_reach(const struct head1 *h);
/* The headers, borrowed from text; out has room for h->count. */
void head1_headers(const struct head1 *h, struct bytes text, struct http_header *out);
static inline struct bytes head1_part(struct bytes text, struct span part)
{
	return bytes_slice(text, part.at, part.n);
}

/* Takes a request's target apart (RFC 9112, 3.2). Fills scheme, authority and path. */
void head1_target(struct bytes target, bool connect, struct http_head *out);

void head1_kept_free(struct head1_kept *k);

#endif
