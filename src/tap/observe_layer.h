/* The innermost layer of a flow: application data, or what was said in plaintext before TLS began.
 * It tells the bytes themselves (EV_DATA) and what they mean (flow/observe.h), and counts them. */
#ifndef TAP_OBSERVE_LAYER_H
#define TAP_OBSERVE_LAYER_H

#include "tap/context.h"
#include "tap/layer.h"

struct observe_layer_options {
	struct tap_flow *flow;
	uint8_t depth;	   /* how many TLS layers are below */
	struct bytes alpn; /* of the TLS below; empty: none */
	bool late;	   /* the beginning was not seen */
	uint64_t streams;  /* HTTP/1.1 exchanges of this flow that were told before */
};

/* Fails with ERR_NOMEM. A gap ends the messages that it touches, truncated; HTTP goes on with the
 * next message that can be found. Outside of TLS (depth 0) it is told as EV_GAP; inside, whoever
 * decrypts has told it. */
int observe_layer_new(const struct observe_layer_options *o, struct layer **out,
		      struct err *e) MUST_CHECK;
/* What the bytes are so far. l is a layer of observe_layer_new, as for all below. */
enum flow_proto observe_layer_proto(const struct layer *l);
/* Whether HTTP/1.1 led to something else (CONNECT, Upgrade). From then on bytes are left alone;
 * *rest are those that were in the last call of layer_feed. */
bool observe_layer_tunnel(const struct layer *l, struct bytes *rest);
/* The number of the last HTTP/1.1 exchange. */
uint64_t observe_layer_streams(const struct layer *l);

#endif
