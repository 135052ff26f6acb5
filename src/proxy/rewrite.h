/* The rule's filter on the requests of an HTTP/1.1 flow: the up direction is terminated and written
 * again (http/rewrite1.h). */
#ifndef PROXY_REWRITE_H
#define PROXY_REWRITE_H

#include "proxy/flow.h"

struct rewrite;

int rewrite_new(const struct config_rule *rule, struct rewrite **out, struct err *e) MUST_CHECK;
void rewrite_free(struct rewrite *r);
/* Plaintext of the client; what is to go to the server is appended to out. Fails with ERR_HTTP_DECODE
 * or ERR_LIMIT when the request is refused: the connection must not go on. */
int rewrite_up(struct rewrite *r, struct bytes in, struct buf *out, struct err *e) MUST_CHECK;
/* The server's bytes pass by: the answer to an Upgrade decides how the requests go on. */
int rewrite_down(struct rewrite *r, struct bytes in, struct buf *out, struct err *e) MUST_CHECK;

#endif
