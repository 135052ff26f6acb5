/* The rule's filter on the requests of an HTTP/1.1 flow: the up direction is terminated and written
 * again (http/rewrite1.h). What cannot go on yet is held here, and nothing more is read meanwhile. */
#ifndef PROXY_REWRITE_H
#define PROXY_REWRITE_H

#include "proxy/flow.h"

struct rewrite;

/* rule is borrowed until rewrite_free. Fails with ERR_NOMEM. */
int rewrite_new(const struct config_rule *rule, struct rewrite **out, struct err *e) MUST_CHECK;
void rewrite_free(struct rewrite *r);

enum rewrite_result {
	REWRITE_MORE,	 /* out is to be sent; then again, with what is left of in */
	REWRITE_DONE,	 /* in is used up */
	REWRITE_WAIT,	 /* what the server answers decides how the rest is read */
	REWRITE_REFUSED, /* the connection must not go on: see the err */
};
/* Goes on with the client's plaintext; what is used up is taken from in's front. What goes to the
 * server is in *out, which lies in r until the next call. */
enum rewrite_result rewrite_run(struct rewrite *r, struct bytes *in, struct bytes *out,
				struct err *e);
bool rewrite_begun(const struct rewrite *r); /* rewrite_run was called */
/* The server has answered: switched, from here on bytes are not HTTP. */
void rewrite_answer(struct rewrite *r, bool switched);
bool rewrite_waits(const struct rewrite *r);
/* An ERR_LIMIT or another fault of the request, not of ours: what a client may be told. */
bool rewrite_refused(const struct rewrite *r);

/* Keeps bytes for later; there are none kept. Fails with ERR_NOMEM. */
int rewrite_hold(struct rewrite *r, struct bytes rest, struct err *e) MUST_CHECK;
size_t rewrite_held(const struct rewrite *r);
/* What was kept, now the caller's. */
struct buf rewrite_take(struct rewrite *r);
/* The client's end, behind what is kept. */
void rewrite_end_later(struct rewrite *r, bool clean);
bool rewrite_end_due(const struct rewrite *r, bool *clean);

#endif
