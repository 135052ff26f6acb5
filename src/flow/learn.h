/* What an event says of its flow, noted in the flow's record. Only for exchange.c. */
#ifndef FLOW_LEARN_H
#define FLOW_LEARN_H

#include "flow/slot.h"

/* Events that say nothing of the flow as a whole change nothing. */
void flow_learn(struct flow_slot *f, const struct event *ev);

#endif
