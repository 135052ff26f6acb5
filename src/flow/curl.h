/* An exchange as a curl command for a POSIX shell. */
#ifndef FLOW_CURL_H
#define FLOW_CURL_H

#include "base/buf.h"
#include "flow/exchange.h"

struct curl_options {
	bool mask; /* as mask.h says */
};

/* Appends the command and a newline. Left out are headers that curl makes itself or that belong to
 * the connection. A body that a shell cannot carry as an argument (NUL, not UTF-8) comes through a
 * pipe from base64 -d. When the body was not kept whole, a comment line before the command says so.
 * Fails with ERR_UNSUPPORTED when there is no request, or its method or URL cannot be said to curl;
 * ERR_LIMIT, ERR_NOMEM. */
int curl_write(struct buf *out, const struct curl_options *o, const struct exchange *x,
	       struct err *e) MUST_CHECK;

#endif
