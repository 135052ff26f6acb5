#include "wire/tcp_talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/rd.h"

#define PACKETS_MAX 64

/* What was said, as read back from the packets. */
struct heard {
	struct {
		struct addr from, to;
		uint32_t seq, ack;
		uint8_t flags;
		size_t data_n;
	} p[PACKETS_MAX];
	size_t count;
	struct buf data[2];
	struct addr client;
	size_t fail_at; /* this packet is refused; 0: none */
};

static uint16_t checksum(uint32_t s, struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		s += i % 2 ? b.p[i] : (uint32_t)b.p[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static struct addr address(struct bytes ip)
{
	struct addr a = { .family = ip.n == 4 ? ADDR_IP4 : ADDR_IP6 };

	memcpy(a.ip, ip.p, ip.n);
	return a;
}

/* Reads the IP header; returns the segment. */
static struct bytes read_ip(struct rd *r, struct bytes packet, struct addr *from, struct addr *to)
{
	if (packet.p[0] >> 4 == 4) {
		assert_int_equal(checksum(0, bytes_slice(packet, 0, 20)), 0xffff);
		assert_int_equal(rd_u16(r), 0x4500);
		assert_int_equal(rd_u16(r), packet.n);
		rd_skip(r, 5);
		assert_int_equal(rd_u8(r), 6);
		rd_skip(r, 2);
		*from = address(rd_take(r, 4));
		*to = address(rd_take(r, 4));
		return rd_rest(r);
	}
	assert_int_equal(rd_u32(r), 0x60000000);
	assert_int_equal(rd_u16(r), packet.n - 40);
	assert_int_equal(rd_u8(r), 6);
	rd_skip(r, 1);
	*from = address(rd_take(r, 16));
	*to = address(rd_take(r, 16));
	return rd_rest(r);
}

static int hear(void *ctx, struct bytes packet, struct err *e)
{
	struct heard *h = ctx;
	bool bad = false;
	struct rd r = rd_init(packet, &bad);
	struct addr from, to;
	struct bytes segment = read_ip(&r, packet, &from, &to);
	uint32_t s = 6 + (uint32_t)segment.n;
	size_t i = h->count++;

	if (h->count == h->fail_at)
		return FAIL(e, FILE, "full");
	assert_true(i < PACKETS_MAX);
	assert_true(packet.n <= 1500);
	s += checksum(0, addr_ip(&from));
	s += checksum(0, addr_ip(&to));
	assert_int_equal(checksum(s, segment), 0xffff);
	from.port = rd_u16(&r);
	to.port = rd_u16(&r);
	h->p[i].from = from;
	h->p[i].to = to;
	h->p[i].seq = rd_u32(&r);
	h->p[i].ack = rd_u32(&r);
	assert_int_equal(rd_u8(&r), 0x50);
	h->p[i].flags = rd_u8(&r);
	rd_skip(&r, 6);
	h->p[i].data_n = r.n;
	assert_false(bad);
	return buf_add(&h->data[!addr_equal(&from, &h->client)], rd_rest(&r), e);
}

static struct tcp_talk talk_of(struct heard *h, const char *client, const char *server)
{
	struct addr c, s;
	struct tcp_talk t;

	assert_int_equal(addr_parse(bytes_str(client), &c, NULL), 0);
	assert_int_equal(addr_parse(bytes_str(server), &s, NULL), 0);
	*h = (struct heard){ .client = c, .data = { buf_init(100000), buf_init(100000) } };
	t = tcp_talk_init(&c, &s);
	t.packet = hear;
	t.ctx = h;
	return t;
}

static void heard_fini(struct heard *h)
{
	buf_fini(&h->data[0]);
	buf_fini(&h->data[1]);
}

/* Each packet acknowledges all that the other side has sent, and begins where its own ended. */
static void assert_in_order(const struct heard *h)
{
	uint32_t next[2] = { h->p[0].seq, h->p[1].seq };

	for (size_t i = 0; i < h->count; i++) {
		bool server = !addr_equal(&h->p[i].from, &h->client);

		assert_int_equal(h->p[i].seq, next[server]);
		if (i > 0)
			assert_int_equal(h->p[i].ack, next[!server]);
		next[server] += (uint32_t)h->p[i].data_n + ((h->p[i].flags & 0x03) != 0);
	}
}

static void opens_with_three_packets_and_closes_with_three(void **state)
{
	struct heard h;
	struct tcp_talk t = talk_of(&h, "127.0.0.1:1234", "127.0.0.2:443");

	(void)state;
	assert_int_equal(tcp_talk_open(&t, NULL), 0);
	assert_int_equal(h.count, 3);
	assert_int_equal(h.p[0].flags, 0x02);
	assert_int_equal(h.p[0].ack, 0);
	assert_int_equal(h.p[1].flags, 0x12);
	assert_int_equal(h.p[2].flags, 0x10);
	assert_int_equal(tcp_talk_close(&t, TCP_SERVER, NULL), 0);
	assert_int_equal(h.count, 6);
	assert_int_equal(h.p[3].flags, 0x11);
	assert_int_equal(h.p[3].from.port, 443);
	assert_int_equal(h.p[4].flags, 0x11);
	assert_int_equal(h.p[4].from.port, 1234);
	assert_int_equal(h.p[5].flags, 0x10);
	assert_in_order(&h);
	heard_fini(&h);
}

static void carries_every_byte_both_ways(void **state)
{
	static const char *const pairs[][2] = { { "127.0.0.1:1234", "127.0.0.1:443" },
						{ "[::1]:1234", "[fd00::2]:443" } };
	uint8_t long_one[5001];

	(void)state;
	for (size_t i = 0; i < sizeof(long_one); i++)
		long_one[i] = (uint8_t)(i * 7 / 3);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct heard h;
		struct tcp_talk t = talk_of(&h, pairs[i][0], pairs[i][1]);
		struct bytes data = bytes_of(long_one, sizeof(long_one));

		assert_int_equal(tcp_talk_open(&t, NULL), 0);
		assert_int_equal(tcp_talk_data(&t, TCP_CLIENT, bytes_str("ping"), NULL), 0);
		assert_int_equal(h.p[3].flags, 0x18);
		assert_int_equal(tcp_talk_data(&t, TCP_SERVER, data, NULL), 0);
		assert_int_equal(tcp_talk_data(&t, TCP_CLIENT, bytes_str(""), NULL), 0);
		assert_int_equal(tcp_talk_close(&t, TCP_CLIENT, NULL), 0);
		assert_true(bytes_equal(buf_bytes(&h.data[0]), bytes_str("ping")));
		assert_true(bytes_equal(buf_bytes(&h.data[1]), data));
		assert_in_order(&h);
		heard_fini(&h);
	}
}

static void fails_as_soon_as_a_packet_is_refused(void **state)
{
	(void)state;
	for (size_t at = 1; at <= 8; at++) {
		struct heard h;
		struct tcp_talk t = talk_of(&h, "127.0.0.1:1", "127.0.0.1:2");
		struct err e = { 0 };

		h.fail_at = at;
		assert_true(tcp_talk_open(&t, &e) < 0 ||
			    tcp_talk_data(&t, TCP_CLIENT, bytes_str("ping"), &e) < 0 ||
			    tcp_talk_close(&t, TCP_CLIENT, &e) < 0);
		assert_int_equal(e.code, ERR_FILE);
		assert_int_equal(h.count, at);
		heard_fini(&h);
	}
}

static void an_allocation_may_fail(void **state)
{
	struct heard h;
	struct tcp_talk t = talk_of(&h, "127.0.0.1:1", "127.0.0.1:2");
	struct err e = { 0 };

	(void)state;
	mem_fail_at(1);
	assert_int_equal(tcp_talk_open(&t, &e), -1);
	mem_fail_at(0);
	assert_int_equal(e.code, ERR_NOMEM);
	assert_int_equal(h.count, 0);
	heard_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_with_three_packets_and_closes_with_three),
		cmocka_unit_test(carries_every_byte_both_ways),
		cmocka_unit_test(fails_as_soon_as_a_packet_is_refused),
		cmocka_unit_test(an_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
