/* The PROXY protocol, versions 1 and 2: what a load balancer in front says about the client. */
#ifndef WIRE_PROXYPROTO_H
#define WIRE_PROXYPROTO_H

#include "wire/addr.h"

enum proxyproto_outcome { PROXYPROTO_MORE, PROXYPROTO_DONE, PROXYPROTO_NONE, PROXYPROTO_BAD };

struct proxyproto {
	unsigned version; /* 1 or 2 */
	bool local;	  /* a health check, or unknown: the connection's own addresses hold */
	struct addr source, destination; /* ADDR_NONE when local or not TCP over IP */
	struct bytes tlvs;		 /* version 2: borrowed, not checked further */
};

/* PROXYPROTO_NONE: these bytes do not begin with either signature. PROXYPROTO_BAD fills e with
 * ERR_WIRE_DECODE. PROXYPROTO_DONE: *used bytes are the header. At most 65551 bytes are needed. */
enum proxyproto_outcome proxyproto_parse(struct bytes in, struct proxyproto *out, size_t *used,
					 struct err *e) MUST_CHECK;

#endif
