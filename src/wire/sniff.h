/* What a client speaks, told from its first bytes. */
#ifndef WIRE_SNIFF_H
#define WIRE_SNIFF_H

#include "base/bytes.h"

enum sniff {
	SNIFF_MORE, /* at most SNIFF_MAX bytes are ever needed */
	SNIFF_TLS,  /* a TLS record; whether it holds a ClientHello is hello.h's question */
	SNIFF_HTTP, /* a request line of HTTP/1, or HTTP/2's preface */
	SNIFF_SOCKS5,
	SNIFF_SOCKS4,
	SNIFF_SSLV2_HELLO, /* RFC 5246, E.2: nobody may answer it any more (RFC 6176) */
	SNIFF_OTHER,
};

#define SNIFF_MAX 32

enum sniff sniff_first(struct bytes first);
const char *sniff_text(enum sniff s); /* "TLS", "HTTP", "SOCKS4"; for a person */

#endif
