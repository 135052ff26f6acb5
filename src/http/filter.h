/* Filters change messages on their way. They see heads, pieces of bodies, trailers, the reset of a
 * stream, and the bytes of what is not HTTP; never the wire. Whoever terminates the protocol
 * (rewrite1.h for HTTP/1.1 requests) calls them and writes the wire again, so a filter cannot break
 * the framing. */
#ifndef HTTP_FILTER_H
#define HTTP_FILTER_H

#include "base/buf.h"
#include "http/message.h"

enum filter_answer {
	FILTER_PASS,	/* as it came */
	FILTER_CHANGED, /* as the filter says in the last argument */
	FILTER_HOLD,	/* not yet: asked again about it when the holder is told to go on */
	FILTER_END,	/* the message goes no further; the holder says why with edit->reason */
};

#define FILTER_EDITS_MAX 16
#define FILTER_TEXT_MAX 8192

enum header_edit_kind {
	HEADER_SET,    /* instead of all of that name, where the first one was; else at the end */
	HEADER_ADD,    /* at the end */
	HEADER_REMOVE, /* all of that name */
};

struct header_edit {
	enum header_edit_kind kind;
	struct http_header header; /* lies in text of the list */
};

/* What a filter wants changed in a head or in trailers. */
struct filter_edit {
	struct header_edit edits[FILTER_EDITS_MAX];
	size_t count;
	size_t used;
	uint8_t text[FILTER_TEXT_MAX];
	char reason[200];  /* with FILTER_END: one sentence */
	bool changes_body; /* set with on_head: on_body may answer FILTER_CHANGED. Only then is the
			    * body framed anew (chunked), and its length given up */
};

/* Copy name and value. Fail with ERR_LIMIT; with ERR_REFUSED when the name is no token, the value
 * has control characters, or the field frames or routes the message (Content-Length,
 * Transfer-Encoding, Connection, Upgrade, Host, TE, Trailer), which is not for filters. */
int filter_set(struct filter_edit *edit, struct bytes name, struct bytes value,
	       struct err *e) MUST_CHECK;
int filter_add(struct filter_edit *edit, struct bytes name, struct bytes value,
	       struct err *e) MUST_CHECK;
int filter_remove(struct filter_edit *edit, struct bytes name, struct err *e) MUST_CHECK;

/* Whether name stands for a field that filters must leave alone. */
bool filter_is_framing(struct bytes name);

/* Any of them may be NULL: passes. Pieces and heads are borrowed for the call. Answers with
 * changed bytes add them to changed, which is empty and bounded by the caller. */
struct http_filter {
	const char *name;
	enum filter_answer (*on_head)(void *ctx, const struct http_head *head,
				      struct filter_edit *edit);
	enum filter_answer (*on_body)(void *ctx, const struct http_chunk *piece,
				      struct buf *changed);
	enum filter_answer (*on_end)(void *ctx, const struct http_end *end,
				     struct filter_edit *edit);
	void (*on_reset)(void *ctx, enum http_dir dir, uint64_t stream);
	enum filter_answer (*on_bytes)(void *ctx, enum http_dir dir, struct bytes data,
				       struct buf *changed);
	void *ctx;
};

/* The one that oriel ships: sets or adds a header in each request. */
struct filter_header {
	struct bytes name, value; /* borrowed as long as the filter is used */
	bool add;		  /* else: instead of all of that name */
};
/* Fails as filter_set: what can be told from the rule alone is told when it is read. f is the ctx
 * of the filter. */
int filter_header_init(struct filter_header *f, struct http_filter *out, struct err *e) MUST_CHECK;

#endif
