/* One question to the oriel that runs: GET on its admin socket, blocking, for the verbs. */
#ifndef CMD_ASK_H
#define CMD_ASK_H

#include "base/buf.h"
#include "proc/paths.h"

#define ASK_MAX ((size_t)65 << 20)

struct ask_reply {
	unsigned status;
	struct buf body;
};

/* Where the admin socket is when nobody says otherwise. */
int ask_default_path(char out[PATHS_MAX], struct err *e) MUST_CHECK;
/* admin: the socket, NULL: the usual one. target: path and query, as it stands on the request line.
 * out->body is the caller's to free, on failure too. Fails with ERR_CONNECT when nothing answers
 * there, ERR_REFUSED when the socket is somebody else's, ERR_TIMEOUT, ERR_HTTP_DECODE, ERR_LIMIT. */
int ask(const char *admin, const char *target, struct ask_reply *out, struct err *e) MUST_CHECK;
/* The same for verbs that can do nothing with any other status than 200: fails with ERR_REFUSED and
 * what the answer says. */
int ask_ok(const char *admin, const char *target, struct buf *body, struct err *e) MUST_CHECK;
/* A whole answer, head and body; out->body is empty at first. Fails with ERR_HTTP_DECODE, ERR_CLOSED
 * when it is not whole, ERR_LIMIT, ERR_NOMEM. */
int ask_parse(struct bytes in, struct ask_reply *out, struct err *e) MUST_CHECK;

#endif
