/* What a flow tells the event bus. */
#ifndef PROXY_TELL_H
#define PROXY_TELL_H

#include "proxy/flow.h"

void tell_open(struct flow *f);
void tell_client_hello(struct flow *f); /* while f->hello is there */
void tell_chain(struct flow *f, const struct bytes *der, size_t count, const struct verdict *v);
void tell_secret(struct flow *f, enum flow_leg leg, struct bytes label);
void tell_handshake(struct flow *f, enum flow_leg leg);
void tell_alert(struct flow *f, enum flow_leg leg, bool sent, uint8_t level, uint8_t description);
void tell_leg_end(struct flow *f, enum flow_leg leg, enum leg_end how);
void tell_end(struct flow *f);

#endif
