/* A TCP connection as packets (RFC 791, 8200, 9293), made from the bytes that one of its ends sent and
 * received: for a capture of what was not captured. Handshake, segments, acknowledgements and the end
 * are such as a reader of captures expects; the bytes are the real ones. */
#ifndef WIRE_TCP_TALK_H
#define WIRE_TCP_TALK_H

#include "base/buf.h"
#include "wire/addr.h"

enum tcp_end { TCP_CLIENT, TCP_SERVER };

#define TCP_PACKET_MAX 1520

struct tcp_talk {
	struct addr end[2];
	uint32_t next[2]; /* sequence number of the next byte of each */
	uint16_t id;	  /* of the last IPv4 packet */
	/* Takes each packet, IP header first; fails as its own business is. */
	int (*packet)(void *ctx, struct bytes packet, struct err *e);
	void *ctx;
};

/* Both of one family. Fill in packet and ctx. */
struct tcp_talk tcp_talk_init(const struct addr *client, const struct addr *server);
/* Each fails when packet does. */
int tcp_talk_open(struct tcp_talk *t, struct err *e) MUST_CHECK;
int tcp_talk_data(struct tcp_talk *t, enum tcp_end from, struct bytes data,
		  struct err *e) MUST_CHECK;
int tcp_talk_close(struct tcp_talk *t, enum tcp_end first, struct err *e) MUST_CHECK;

#endif
