/* A TLS connection that is listened to: records in, decrypted with the secrets there are, handshake
 * messages told as events, application data handed to the layer above. SSL 3.0 to TLS 1.3. */
#ifndef TAP_SESSION_H
#define TAP_SESSION_H

#include "tap/context.h"
#include "tap/layer.h"

struct session_options {
	struct tap_flow *flow;
	uint8_t depth; /* 0: TLS on TCP; 1: inside that … */
	/* Makes the layer for the application data once ALPN is known (alpn empty: none agreed;
	 * late: the beginning was not seen). The session owns it. */
	int (*above)(void *ctx, struct bytes alpn, bool late, struct layer **out, struct err *e);
	void *ctx;
};

/* The first bytes fed are those of a record, of either direction (or of a hello in SSLv2's format);
 * in a capture that begins in the middle they may be anything: the first record is then searched. */
int session_new(const struct session_options *o, struct layer **out, struct err *e) MUST_CHECK;

#endif
