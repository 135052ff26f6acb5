/* Content codings undone (RFC 9110, 8.4.1): gzip, deflate (zlib's form and the raw one), br, zstd,
 * and two of them one after the other. Streaming; what comes out is bounded, so a small body that
 * means to fill the memory does not. */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "base/buf.h"

struct body;

enum body_status {
	BODY_MORE, /* the end of the coding was not seen yet */
	BODY_DONE, /* complete; only another gzip member or zstd frame may follow */
	BODY_CUT,  /* the cap was reached; further bytes are ignored */
	BODY_BAD,  /* malformed or truncated coding; what came out before is good */
};

struct body_options {
	struct bytes encoding; /* the Content-Encoding field; empty or "identity": bytes pass */
	uint64_t cap;	       /* never more bytes than this come out */
	void (*on_data)(void *ctx, struct bytes data);
	void *ctx;
};

/* Fails with ERR_UNSUPPORTED (an unknown coding, or more than two) or ERR_NOMEM. */
int body_new(const struct body_options *options, struct body **out, struct err *e) MUST_CHECK;
void body_free(struct body *b);
enum body_status body_feed(struct body *b, struct bytes in);
/* No more comes: BODY_MORE becomes BODY_BAD (identity: BODY_DONE). */
enum body_status body_finish(struct body *b);
const char *body_status_text(enum body_status s);

/* All at once, into out: as much as it has room for, then BODY_CUT. Fails as body_new. */
int body_decode(struct bytes encoding, struct bytes in, struct buf *out, enum body_status *status,
		struct err *e) MUST_CHECK;

#endif
