/* IP addresses, endpoints and address ranges as plain data: no socket structures, no resolving. */
#ifndef WIRE_ADDR_H
#define WIRE_ADDR_H

#include "base/err.h"

enum addr_family { ADDR_NONE, ADDR_IP4, ADDR_IP6 };

/* An address and a port. An IPv4 address mapped into IPv6 (::ffff:a.b.c.d) is always kept as IPv4. */
struct addr {
	enum addr_family family;
	uint8_t ip[16]; /* 4 or 16 bytes, network order; the rest is zero */
	uint16_t port;
	uint32_t scope; /* interface of a link-local IPv6 address, or 0 */
};

struct addr_range {
	struct addr base; /* its port means nothing */
	unsigned prefix;  /* leading bits that must match: 0 to 32 or 128 */
};

#define ADDR_TEXT_MAX 64 /* "[ipv6%scope]:port" and NUL */

/* A literal IPv4 (four decimal parts, no leading zeros) or IPv6 address, with or without brackets;
 * the port is set to port. False when it is no literal. */
bool addr_parse_ip(struct bytes text, uint16_t port, struct addr *out);
/* "ip:port" or "[ip6]:port". Fails with ERR_WIRE_DECODE. */
int addr_parse(struct bytes text, struct addr *out, struct err *e) MUST_CHECK;
/* "10.0.0.0/8", "fd00::/8", or one address. Bits after the prefix must be zero. Fails with ERR_WIRE_DECODE. */
int addr_range_parse(struct bytes text, struct addr_range *out, struct err *e) MUST_CHECK;
bool addr_in_range(const struct addr *a, const struct addr_range *range);
bool addr_equal(const struct addr *a, const struct addr *b);   /* address and port */
bool addr_same_ip(const struct addr *a, const struct addr *b); /* address only */
/* 4 or 16 bytes. */
struct bytes addr_ip(const struct addr *a);
const char *addr_text(const struct addr *a, char out[ADDR_TEXT_MAX]); /* with port */
const char *addr_ip_text(const struct addr *a,
			 char out[ADDR_TEXT_MAX]); /* without port or brackets */

/* What kind of address it is (RFC 6890 and the cloud metadata services). */
enum addr_kind {
	ADDR_PUBLIC,	  /* anything not below; private ranges count here */
	ADDR_LOOPBACK,	  /* 127.0.0.0/8, ::1 */
	ADDR_LINK_LOCAL,  /* 169.254.0.0/16 (metadata services), fe80::/10 */
	ADDR_METADATA,	  /* fd00:ec2::254, 100.100.100.200, 168.63.129.16 */
	ADDR_UNSPECIFIED, /* 0.0.0.0/8, :: */
	ADDR_MULTICAST,	  /* 224.0.0.0/4, ff00::/8, 255.255.255.255 */
};
/* An IPv4 address inside an IPv6 one (mapped, NAT64 64:ff9b::/96, 6to4 2002::/16) counts as that IPv4 address. */
enum addr_kind addr_kind(const struct addr *a);
const char *addr_kind_text(enum addr_kind kind); /* "a loopback address" */

#endif
