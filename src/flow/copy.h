/* Deep copies of a flow's and an exchange's records into one piece of memory. Only for store.c. */
#ifndef FLOW_COPY_H
#define FLOW_COPY_H

#include "flow/exchange.h"

/* The bytes that copy_into needs besides the two records. x may be NULL. */
size_t copy_size(const struct flow_info *f, const struct exchange *x);
/* room has that size and is aligned for any type; the copies point into it. */
void copy_into(void *room, const struct flow_info *f, const struct exchange *x,
	       struct flow_info *f_out, struct exchange *x_out);

#endif
