/* How many connections each client has, over all lanes. Thread-safe. */
#ifndef PROXY_QUOTA_H
#define PROXY_QUOTA_H

#include "wire/addr.h"

struct quota;

/* clients: how many addresses are told apart at once. */
int quota_new(size_t clients, struct quota **out, struct err *e) MUST_CHECK;
void quota_free(struct quota *q);
/* One more of this client's, of which there may be max. False when there are as many already, or
 * when there is no room to count. */
bool quota_take(struct quota *q, const struct addr *client, unsigned max);
void quota_give(struct quota *q, const struct addr *client);

#endif
