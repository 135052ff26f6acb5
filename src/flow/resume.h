/* Where HTTP can be read again after bytes were lost. A guess, made to be right: what it takes for a
 * beginning is hardly ever anything else, and a beginning that it misses costs one message. */
#ifndef FLOW_RESUME_H
#define FLOW_RESUME_H

#include "base/bytes.h"

/* The first place where a line of in is the first one of an HTTP/1 request, or of a response; in.n
 * when there is none. The line must be in one piece. */
size_t resume_http1(bool request, struct bytes in);
/* Likewise the place of an HTTP/2 frame: only the front of in, where a sender that begins to write
 * puts it; 0 or in.n. */
size_t resume_http2(struct bytes in);

#endif
