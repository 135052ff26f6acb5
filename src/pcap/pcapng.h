/* Writes a capture in the pcapng format (draft-ietf-opsawg-pcapng): one section, big-endian as its
 * byte-order magic says, times in nanoseconds. Secrets stand before the packets that they decrypt,
 * so that one file is all that a reader needs. */
#ifndef PCAP_PCAPNG_H
#define PCAP_PCAPNG_H

#include "base/buf.h"

/* What a packet of an interface begins with (LINKTYPE_...). */
enum pcapng_link {
	PCAPNG_ETHERNET = 1,
	PCAPNG_IP = 101, /* RAW: the IP header, of version 4 or 6 */
};

/* Each appends one block, or fails with ERR_LIMIT or ERR_NOMEM and appends nothing. */

/* First of all. application: who writes ("oriel 0.1"). */
int pcapng_section(struct buf *out, const char *application, struct err *e) MUST_CHECK;
/* Interfaces are numbered from 0 in this order. link may be any other LINKTYPE_ too; name may be NULL. */
int pcapng_interface(struct buf *out, enum pcapng_link link, const char *name,
		     struct err *e) MUST_CHECK;
/* A Decryption Secrets Block with lines of a TLS key log (RFC 9850). */
int pcapng_secrets(struct buf *out, struct bytes keylog, struct err *e) MUST_CHECK;
/* The same for a section of somebody else's, whose byte order may be the other one. */
int pcapng_secrets_in(struct buf *out, bool big_endian, struct bytes keylog,
		      struct err *e) MUST_CHECK;
struct pcapng_packet {
	uint32_t interface;
	int64_t wall_ns; /* since 1970 */
	struct bytes bytes;
	uint32_t wire_n; /* how long it was when bytes are a part of it; 0: they are all of it */
	const char *comment; /* may be NULL */
};
int pcapng_packet(struct buf *out, const struct pcapng_packet *p, struct err *e) MUST_CHECK;

#endif
