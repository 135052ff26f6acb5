/* The key log: secrets of either leg, in lines, to those files whose address ranges want them. */
#ifndef PROXY_SECRETS_H
#define PROXY_SECRETS_H

#include "proxy/flow.h"

bool secret_wanted(const struct flow *f, const struct leg *l);
/* One write a line, before anything protected by it is sent. */
void secret_log(struct flow *f, enum flow_leg leg, struct bytes line);

#endif
