#include "wire/tcp_talk.h"

#include "base/wr.h"

enum { FIN = 0x01, SYN = 0x02, PSH = 0x08, ACK = 0x10 };

#define PROTOCOL_TCP 6
#define IP4_HEADER 20
#define TCP_HEADER 20
#define SEGMENT_MAX 1440 /* with an IPv6 header it fits into what Ethernet carries */
#define WINDOW 65535
#define HOPS 64

struct tcp_talk tcp_talk_init(const struct addr *client, const struct addr *server)
{
	return (struct tcp_talk){ .end = { *client, *server }, .next = { 1000, 5000 } };
}

/* The sum of RFC 1071, not yet complemented. */
static uint32_t sum(uint32_t so_far, struct bytes b)
{
	for (size_t i = 0; i + 1 < b.n; i += 2)
		so_far += (uint32_t)b.p[i] << 8 | b.p[i + 1];
	if (b.n % 2)
		so_far += (uint32_t)b.p[b.n - 1] << 8;
	return so_far;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static void set_u16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put_ip4(struct tcp_talk *t, struct wr *w, enum tcp_end from, size_t payload)
{
	size_t at = w->b->n;

	wr_u16(w, 0x4500); /* version 4, five words of header */
	wr_u16(w, (uint16_t)(IP4_HEADER + payload));
	wr_u16(w, ++t->id);
	wr_u16(w, 0x4000); /* not to be fragmented */
	wr_u8(w, HOPS);
	wr_u8(w, PROTOCOL_TCP);
	wr_u16(w, 0); /* the checksum */
	wr_bytes(w, addr_ip(&t->end[from]));
	wr_bytes(w, addr_ip(&t->end[!from]));
	if (!w->failed)
		set_u16(w->b->p + at + 10,
			fold(sum(0, bytes_slice(buf_bytes(w->b), at, IP4_HEADER))));
}

static void put_ip6(const struct tcp_talk *t, struct wr *w, enum tcp_end from, size_t payload)
{
	wr_u32(w, 0x60000000); /* version 6 */
	wr_u16(w, (uint16_t)payload);
	wr_u8(w, PROTOCOL_TCP);
	wr_u8(w, HOPS);
	wr_bytes(w, addr_ip(&t->end[from]));
	wr_bytes(w, addr_ip(&t->end[!from]));
}

static void put_tcp(const struct tcp_talk *t, struct wr *w, enum tcp_end from, uint8_t flags)
{
	wr_u16(w, t->end[from].port);
	wr_u16(w, t->end[!from].port);
	wr_u32(w, t->next[from]);
	wr_u32(w, flags & ACK ? t->next[!from] : 0);
	wr_u8(w, 0x50); /* five words of header */
	wr_u8(w, flags);
	wr_u16(w, WINDOW);
	wr_u16(w, 0); /* the checksum */
	wr_u16(w, 0);
}

/* Over the addresses, too (RFC 9293, 3.1). */
static uint16_t tcp_checksum(const struct tcp_talk *t, struct bytes segment)
{
	uint32_t s = PROTOCOL_TCP + (uint32_t)segment.n;

	s = sum(s, addr_ip(&t->end[0]));
	s = sum(s, addr_ip(&t->end[1]));
	return fold(sum(s, segment));
}

static int put_segment(struct tcp_talk *t, enum tcp_end from, uint8_t flags, struct bytes data,
		       struct err *e)
{
	AUTO(buf_fini) struct buf b = buf_init(TCP_PACKET_MAX);
	struct wr w = wr_init(&b);
	size_t at;

	if (t->end[from].family == ADDR_IP6)
		put_ip6(t, &w, from, TCP_HEADER + data.n);
	else
		put_ip4(t, &w, from, TCP_HEADER + data.n);
	at = b.n;
	put_tcp(t, &w, from, flags);
	wr_bytes(&w, data);
	if (wr_end(&w, e) < 0)
		return -1;
	set_u16(b.p + at + 16, tcp_checksum(t, bytes_slice(buf_bytes(&b), at, b.n)));
	t->next[from] += (uint32_t)data.n + ((flags & (SYN | FIN)) != 0);
	return t->packet(t->ctx, buf_bytes(&b), e);
}

static const struct bytes nothing;

int tcp_talk_open(struct tcp_talk *t, struct err *e)
{
	if (put_segment(t, TCP_CLIENT, SYN, nothing, e) < 0 ||
	    put_segment(t, TCP_SERVER, SYN | ACK, nothing, e) < 0)
		return -1;
	return put_segment(t, TCP_CLIENT, ACK, nothing, e);
}

int tcp_talk_data(struct tcp_talk *t, enum tcp_end from, struct bytes data, struct err *e)
{
	while (data.n) {
		struct bytes part = bytes_slice(data, 0, SEGMENT_MAX);

		data = bytes_slice(data, part.n, data.n);
		if (put_segment(t, from, data.n ? ACK : ACK | PSH, part, e) < 0 ||
		    put_segment(t, (enum tcp_end) !from, ACK, nothing, e) < 0)
			return -1;
	}
	return 0;
}

int tcp_talk_close(struct tcp_talk *t, enum tcp_end first, struct err *e)
{
	if (put_segment(t, first, FIN | ACK, nothing, e) < 0 ||
	    put_segment(t, (enum tcp_end) !first, FIN | ACK, nothing, e) < 0)
		return -1;
	return put_segment(t, first, ACK, nothing, e);
}
