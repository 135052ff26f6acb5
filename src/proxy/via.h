/* Behind a proxy of somebody else's (`upstream-proxy:`): the connection is made to that, which is
 * asked by CONNECT to go on to the target. It resolves the name. */
#ifndef PROXY_VIA_H
#define PROXY_VIA_H

#include "proxy/flow.h"

bool via_is_wanted(const struct flow *f);
/* Appends the CONNECT request for the flow's target. */
int via_request(const struct flow *f, struct buf *out, struct err *e) MUST_CHECK;

enum via_outcome { VIA_MORE, VIA_OPEN, VIA_REFUSED };
/* in: all that the proxy has sent. VIA_OPEN: *used bytes were its answer. VIA_REFUSED fills e. */
enum via_outcome via_answer(struct bytes in, size_t *used, struct err *e);

#endif
