#include "tap/front.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define PLAIN (TCP_ACK | TCP_PSH)

/* What came out, a word each: "1>" a segment of flow 1 upwards, "1<" downwards, "+1" its first before
 * that, "-1" its end; "u1" for UDP. */
struct lab {
	struct front *f;
	struct tap_at at;
	char log[8192];
	size_t n;
	struct tap_segment last;
	char client[ADDR_TEXT_MAX], server[ADDR_TEXT_MAX]; /* of the last first one */
	uint8_t payload[4096];
};

static void on_segment(void *ctx, const struct tap_segment *s)
{
	struct lab *lab = ctx;

	lab->n += (size_t)snprintf(lab->log + lab->n, sizeof(lab->log) - lab->n, "%s%s%s%llu%s",
				   lab->n ? " " : "",
				   s->over    ? "-"
				   : s->first ? "+"
					      : "",
				   s->flow & FLOW_UDP ? "u" : "",
				   (unsigned long long)(s->flow & ~FLOW_UDP),
				   s->over	      ? ""
				   : s->dir == DIR_UP ? ">"
						      : "<");
	assert_true(lab->n < sizeof(lab->log));
	if (s->first) {
		addr_text(&s->client, lab->client);
		addr_text(&s->server, lab->server);
	}
	if (s->over)
		return;
	lab->last = *s;
	assert_true(s->payload.n <= sizeof(lab->payload));
	if (s->payload.n)
		memcpy(lab->payload, s->payload.p, s->payload.n);
	lab->last.payload.p = lab->payload;
}

static int set_up_with(void **state, const struct front_options *o)
{
	static struct lab lab;

	lab = (struct lab){ .at = { .wall_ns = 1000 * SECOND } };
	*state = &lab;
	return front_new(o, &lab.f, NULL);
}

static int set_up(void **state)
{
	return set_up_with(state, &(const struct front_options){ 0 });
}

static int set_up_small(void **state)
{
	return set_up_with(state, &(const struct front_options){ .max_flows = 4 });
}

static int tear_down(void **state)
{
	struct lab *lab = *state;

	front_free(lab->f);
	return 0;
}

static void wait(struct lab *lab, int64_t ns, uint64_t packets)
{
	lab->at.wall_ns += ns;
	lab->at.packet += packets;
}

static void linger(struct lab *lab)
{
	wait(lab, FRONT_LINGER_NS, FRONT_LINGER_PACKETS);
}

static void give(struct lab *lab, unsigned link, const uint8_t *p, size_t n)
{
	uint8_t *copy = mem_dup(bytes_of(p, n));
	struct front_packet packet = { .link = link, .wire_n = n, .pid = 42 };
	const struct front_sink sink = { on_segment, lab };

	assert_non_null(copy);
	wait(lab, MS / 100, 1);
	packet.frame = bytes_of(copy, n);
	packet.at = lab->at;
	front_packet(lab->f, &packet, &sink);
	mem_free(copy);
}

struct packet_of {
	uint16_t from, to; /* ports; hosts are 10.0.0.1 for ports above 30000, else 10.0.0.2 */
	uint32_t seq, ack;
	uint8_t flags;
	const char *text;
	bool udp;
};

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* Raw IPv4. */
static size_t make(const struct packet_of *o, uint8_t *p)
{
	size_t n = o->text ? strlen(o->text) : 0, header = o->udp ? 8 : 20;

	memset(p, 0, 20 + header);
	p[0] = 0x45;
	put16(p + 2, 20 + header + n);
	p[9] = o->udp ? 17 : 6;
	put32(p + 12, o->from > 30000 ? 0x0a000001 : 0x0a000002);
	put32(p + 16, o->to > 30000 ? 0x0a000001 : 0x0a000002);
	put16(p + 20, o->from);
	put16(p + 22, o->to);
	if (o->udp) {
		put16(p + 24, 8 + n);
	} else {
		put32(p + 24, o->seq);
		put32(p + 28, o->ack);
		p[32] = 0x50;
		p[33] = o->flags;
	}
	if (n)
		memcpy(p + 20 + header, o->text, n);
	return 20 + header + n;
}

static void send(struct lab *lab, struct packet_of o)
{
	uint8_t p[1500];

	give(lab, LINK_RAW, p, make(&o, p));
}

#define CLIENT .from = 40000, .to = 443
#define SERVER .from = 443, .to = 40000

static void open_flow(struct lab *lab)
{
	send(lab, (struct packet_of){ CLIENT, 100, 0, TCP_SYN });
	send(lab, (struct packet_of){ SERVER, 500, 101, TCP_SYN | TCP_ACK });
	send(lab, (struct packet_of){ CLIENT, 101, 501, TCP_ACK });
}

static void close_flow(struct lab *lab)
{
	send(lab, (struct packet_of){ CLIENT, 101, 501, TCP_FIN | TCP_ACK });
	send(lab, (struct packet_of){ SERVER, 501, 102, TCP_FIN | TCP_ACK });
	send(lab, (struct packet_of){ CLIENT, 102, 502, TCP_ACK });
}

#define expect(lab, text) assert_string_equal((lab)->log, text)

static void numbers_flows_by_their_first_packet(void **state)
{
	struct lab *lab = *state;

	open_flow(lab);
	send(lab, (struct packet_of){ .from = 40001, .to = 80, .seq = 7, .flags = TCP_SYN });
	send(lab, (struct packet_of){ .from = 40001, .to = 53, .udp = true, .text = "q" });
	send(lab, (struct packet_of){ .from = 53, .to = 40001, .udp = true, .text = "a" });
	send(lab, (struct packet_of){ .from = 40001, .to = 443, .udp = true });
	send(lab, (struct packet_of){ CLIENT, 101, 501, PLAIN, "hello" });
	expect(lab, "+1> 1< 1> +2> +u1> u1< +u2> 1>");
	assert_string_equal(lab->client, "10.0.0.1:40001");
	assert_string_equal(lab->server, "10.0.0.2:443");
	assert_int_equal(lab->last.seq, 101);
	assert_int_equal(lab->last.ack, 501);
	assert_int_equal(lab->last.flags, PLAIN);
	assert_int_equal(lab->last.pid, 42);
	assert_true(bytes_equal(lab->last.payload, bytes_str("hello")));
}

static void finds_the_client(void **state)
{
	static const struct {
		struct packet_of p;
		bool from_client;
	} cases[] = {
		{ { .from = 40001, .to = 41001, .flags = TCP_SYN }, true },
		{ { .from = 40002, .to = 41002, .flags = TCP_SYN | TCP_ACK }, false },
		{ { .from = 40003,
		    .to = 41003,
		    .flags = PLAIN,
		    .text = "\x16\x03\x01\x02\x03\x01" },
		  true },
		{ { .from = 40004,
		    .to = 41004,
		    .flags = PLAIN,
		    .text = "\x16\x03\x03\x02\x03\x02" },
		  false },
		{ { .from = 443, .to = 41005, .flags = PLAIN, .text = "GET / HTTP/1.1\r\n" },
		  true },
		{ { .from = 41006, .to = 443, .flags = PLAIN, .text = "HTTP/1.1 200 OK\r\n" },
		  false },
		{ { .from = 41007, .to = 443, .flags = TCP_ACK }, true },
		{ { .from = 443, .to = 41008, .flags = TCP_ACK }, false },
		{ { .from = 8443, .to = 20000, .flags = TCP_ACK }, false },
		{ { .from = 20001, .to = 8443, .flags = TCP_ACK }, true },
		{ { .from = 20002, .to = 41009, .flags = TCP_ACK }, false },
		{ { .from = 40010, .to = 41010, .flags = TCP_ACK }, false },
		{ { .from = 41011, .to = 40011, .flags = TCP_ACK }, true },
		{ { .from = 40012, .to = 41013, .flags = TCP_ACK }, true },
		{ { .from = 41015, .to = 40014, .flags = TCP_ACK }, false },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		send(lab, cases[i].p);
		assert_true(lab->last.first);
		assert_int_equal(lab->last.dir, cases[i].from_client ? DIR_UP : DIR_DOWN);
		assert_int_equal(lab->last.client.port,
				 cases[i].from_client ? cases[i].p.from : cases[i].p.to);
	}
}

static void the_answer_may_come_first(void **state)
{
	struct lab *lab = *state;

	send(lab, (struct packet_of){ SERVER, 500, 101, TCP_SYN | TCP_ACK });
	send(lab, (struct packet_of){ CLIENT, 100, 0, TCP_SYN });
	send(lab, (struct packet_of){ CLIENT, 101, 501, TCP_ACK });
	expect(lab, "+1< 1> 1>");
	assert_string_equal(lab->client, "10.0.0.1:40000");
}

static void both_may_open_at_once(void **state)
{
	struct lab *lab = *state;

	send(lab, (struct packet_of){ CLIENT, 100, 0, TCP_SYN });
	send(lab, (struct packet_of){ SERVER, 500, 0, TCP_SYN });
	send(lab, (struct packet_of){ CLIENT, 100, 501, TCP_SYN | TCP_ACK });
	send(lab, (struct packet_of){ SERVER, 500, 101, TCP_SYN | TCP_ACK });
	expect(lab, "+1> 1< 1> 1<");
}

static void a_syn_with_another_number_is_a_new_flow(void **state)
{
	struct lab *lab = *state;

	open_flow(lab);
	send(lab, (struct packet_of){ CLIENT, 100, 0, TCP_SYN }); /* sent again */
	expect(lab, "+1> 1< 1> 1>");
	send(lab, (struct packet_of){ CLIENT, 7777, 0, TCP_SYN });
	expect(lab, "+1> 1< 1> 1> -1 +2>");
	send(lab, (struct packet_of){ SERVER, 8888, 7778, TCP_SYN | TCP_ACK });
	send(lab, (struct packet_of){ SERVER, 9999, 7778, TCP_SYN | TCP_ACK }); /* a SYN cookie */
	expect(lab, "+1> 1< 1> 1> -1 +2> 2< 2<");
}

static void the_new_flow_may_show_itself_by_the_answer(void **state)
{
	struct lab *lab = *state;

	open_flow(lab);
	close_flow(lab);
	send(lab, (struct packet_of){ SERVER, 8888, 7778, TCP_SYN | TCP_ACK });
	expect(lab, "+1> 1< 1> 1> 1< 1> -1 +2<");
}

static void the_other_side_may_open_the_next_one(void **state)
{
	struct lab *lab = *state;

	open_flow(lab);
	close_flow(lab);
	send(lab, (struct packet_of){ SERVER, 9000, 0, TCP_SYN });
	expect(lab, "+1> 1< 1> 1> 1< 1> -1 +2>");
	assert_string_equal(lab->client, "10.0.0.2:443");
}

static void a_syn_ends_a_flow_that_was_seen_midway(void **state)
{
	struct lab *lab = *state;

	send(lab, (struct packet_of){ CLIENT, 5000, 900, PLAIN, "x" });
	send(lab, (struct packet_of){ CLIENT, 100, 0, TCP_SYN });
	expect(lab, "+1> -1 +2>");
	/* From the other side, of which nothing but an acknowledgement is known. */
	send(lab,
	     (struct packet_of){ .from = 40009, .to = 443, .seq = 1, .ack = 77, .flags = TCP_ACK });
	send(lab, (struct packet_of){ .from = 443, .to = 40009, .seq = 200, .flags = TCP_SYN });
	expect(lab, "+1> -1 +2> +3> -3 +4>");
}

static void a_syn_after_its_first_bytes_is_of_the_same_flow(void **state)
{
	struct lab *lab = *state;

	send(lab, (struct packet_of){ CLIENT, 101, 501, PLAIN, "x" });
	send(lab, (struct packet_of){ CLIENT, 100, 0, TCP_SYN });
	send(lab, (struct packet_of){ SERVER, 500, 101, TCP_SYN | TCP_ACK });
	expect(lab, "+1> 1> 1<");
}

static void an_ended_flow_lingers_and_then_is_over(void **state)
{
	struct lab *lab = *state;

	open_flow(lab);
	close_flow(lab);
	send(lab, (struct packet_of){ SERVER, 501, 102, TCP_FIN | TCP_ACK }); /* late */
	expect(lab, "+1> 1< 1> 1> 1< 1> 1<");
	linger(lab);
	send(lab, (struct packet_of){ .from = 40001, .to = 80, .flags = TCP_SYN });
	expect(lab, "+1> 1< 1> 1> 1< 1> 1< -1 +2>");
	/* Very late: neither of the flow nor a new one. */
	send(lab, (struct packet_of){ SERVER, 501, 102, TCP_FIN | TCP_ACK });
	send(lab, (struct packet_of){ CLIENT, 100, 0, TCP_SYN });
	expect(lab, "+1> 1< 1> 1> 1< 1> 1< -1 +2>");
	send(lab, (struct packet_of){ CLIENT, 300, 0, TCP_SYN });
	expect(lab, "+1> 1< 1> 1> 1< 1> 1< -1 +2> +3>");
}

static void half_a_close_is_none(void **state)
{
	struct lab *lab = *state;

	open_flow(lab);
	send(lab, (struct packet_of){ CLIENT, 101, 501, TCP_FIN | TCP_ACK });
	send(lab, (struct packet_of){ SERVER, 501, 102, TCP_ACK });
	wait(lab, 600 * SECOND, 100000);
	send(lab, (struct packet_of){ SERVER, 501, 102, PLAIN, "x" });
	expect(lab, "+1> 1< 1> 1> 1< 1<");
}

static void an_end_that_nobody_acknowledged_takes_a_minute(void **state)
{
	struct lab *lab = *state;

	open_flow(lab);
	send(lab, (struct packet_of){ CLIENT, 101, 501, TCP_FIN | TCP_ACK });
	send(lab, (struct packet_of){ SERVER, 501, 102, TCP_FIN | TCP_ACK });
	linger(lab);
	send(lab, (struct packet_of){ .from = 40001, .to = 80, .flags = TCP_SYN });
	wait(lab, 61 * SECOND, 1);
	send(lab, (struct packet_of){ .from = 40001, .to = 80, .flags = TCP_SYN });
	expect(lab, "+1> 1< 1> 1> 1< +2> -1 2>");
}

static void a_reset_ends_a_flow_that_keeps_silent(void **state)
{
	struct lab *lab = *state;

	open_flow(lab);
	send(lab, (struct packet_of){ SERVER, 501, 101, TCP_RST | TCP_ACK });
	linger(lab);
	send(lab, (struct packet_of){ CLIENT, 101, 501, PLAIN, "x" });
	expect(lab, "+1> 1< 1> 1< -1");
}

static void a_reset_out_of_place_ends_nothing(void **state)
{
	struct lab *lab = *state;

	open_flow(lab);
	send(lab, (struct packet_of){ SERVER, 99999, 0, TCP_RST });
	linger(lab);
	send(lab, (struct packet_of){ CLIENT, 101, 501, PLAIN, "x" });
	expect(lab, "+1> 1< 1> 1< 1>");
}

static void a_refused_connection_is_over(void **state)
{
	struct lab *lab = *state;

	send(lab, (struct packet_of){ CLIENT, 100, 0, TCP_SYN });
	send(lab, (struct packet_of){ SERVER, 0, 101, TCP_RST | TCP_ACK });
	linger(lab);
	send(lab, (struct packet_of){ .from = 40001, .to = 80, .flags = TCP_SYN });
	expect(lab, "+1> 1< -1 +2>");
}

static void silence_ends_a_flow(void **state)
{
	struct lab *lab = *state;

	open_flow(lab);
	send(lab, (struct packet_of){ .from = 40001, .to = 53, .udp = true });
	wait(lab, FRONT_UDP_IDLE_NS, 1);
	send(lab, (struct packet_of){ .from = 40002, .to = 80, .flags = TCP_SYN });
	expect(lab, "+1> 1< 1> +u1> -u1 +2>");
	wait(lab, 3600 * SECOND - FRONT_UDP_IDLE_NS, 1);
	send(lab, (struct packet_of){ CLIENT, 101, 501, PLAIN, "x" }); /* begins anew, midway */
	expect(lab, "+1> 1< 1> +u1> -u1 +2> -1 +3>");
}

static void of_too_many_the_most_silent_go(void **state)
{
	struct lab *lab = *state;

	for (uint16_t i = 1; i <= 4; i++)
		send(lab, (struct packet_of){
				  .from = (uint16_t)(40000 + i), .to = 80, .flags = TCP_SYN });
	send(lab, (struct packet_of){ .from = 40001, .to = 80, .seq = 1, .flags = TCP_ACK });
	send(lab, (struct packet_of){ .from = 40005, .to = 80, .flags = TCP_SYN });
	expect(lab, "+1> +2> +3> +4> 1> -2 +5>");
	send(lab, (struct packet_of){ .from = 40001, .to = 53, .udp = true });
	send(lab, (struct packet_of){ .from = 40006, .to = 80, .flags = TCP_SYN });
	expect(lab, "+1> +2> +3> +4> 1> -2 +5> -3 +u1> -u1 +6>");
}

static struct packet_of numbered(uint32_t i)
{
	return (struct packet_of){ .from = (uint16_t)(30001 + i), .to = 80, .flags = TCP_SYN };
}

static void flows_that_are_over_are_forgotten_when_there_are_many(void **state)
{
	const uint32_t many = 10000, recent = 9000;
	struct lab *lab = *state;

	for (uint32_t i = 0; i < many; i++) {
		struct packet_of p = numbered(i);
		struct packet_of r = {
			.from = p.to, .to = p.from, .ack = 1, .flags = TCP_RST | TCP_ACK
		};

		lab->n = 0;
		send(lab, p);
		send(lab, r);
		wait(lab, 2 * MS, 1);
	}
	lab->n = 0;
	lab->log[0] = 0;
	send(lab, numbered(recent));
	assert_null(strchr(lab->log, '>')); /* at most the end of another */
	send(lab, numbered(0));
	assert_non_null(strstr(lab->log, "+10001>"));
}

/* The same packets on an interface and on the VLAN above it: one flow. */
static void duplicates_fall_into_the_same_flow(void **state)
{
	static const uint8_t plain[] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0 };
	static const uint8_t tagged[] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 5, 8, 0 };
	struct packet_of o = { CLIENT, 100, 0, TCP_SYN };
	struct lab *lab = *state;
	uint8_t p[200];

	memcpy(p, plain, sizeof(plain));
	give(lab, LINK_ETHERNET, p, sizeof(plain) + make(&o, p + sizeof(plain)));
	memcpy(p, tagged, sizeof(tagged));
	give(lab, LINK_ETHERNET, p, sizeof(tagged) + make(&o, p + sizeof(tagged)));
	expect(lab, "+1> 1>");
}

static void fragments_come_out_whole(void **state)
{
	struct packet_of o = { CLIENT, 101, 501, PLAIN, "a payload of some length" };
	struct lab *lab = *state;
	struct front_stats stats;
	uint8_t p[200], part[200];
	size_t n = make(&o, p);

	open_flow(lab);
	memcpy(part, p, 44);
	put16(part + 2, 44);
	part[6] = 0x20;
	give(lab, LINK_RAW, part, 44);
	expect(lab, "+1> 1< 1>");
	memcpy(part + 20, p + 44, n - 44);
	put16(part + 2, n - 24);
	put16(part + 6, 3);
	give(lab, LINK_RAW, part, n - 24);
	expect(lab, "+1> 1< 1> 1>");
	assert_true(bytes_equal(lab->last.payload, bytes_str(o.text)));
	front_stats(lab->f, &stats);
	assert_int_equal(stats.packets, 5);
	assert_int_equal(stats.segments, 4);
}

/* A fragmented tunnel, whose packet is a fragment itself. */
static void fragments_within_fragments_come_out_whole(void **state)
{
	struct packet_of o = { CLIENT, 101, 501, PLAIN, "a payload of some length" };
	struct lab *lab = *state;
	uint8_t p[200], inner[200], outer[200];
	size_t n = make(&o, p), cut = 44;

	for (int i = 0; i < 2; i++) {
		size_t from = i ? cut : 20, to = i ? n : cut, inner_n = 20 + to - from;

		memcpy(inner, p, 20);
		put16(inner + 2, inner_n);
		put16(inner + 6, i ? 3 : 0x2000);
		memcpy(inner + 20, p + from, to - from);
		for (size_t k = 0; k < inner_n; k += 16) {
			size_t m = inner_n - k < 16 ? inner_n - k : 16;

			memcpy(outer, p, 20);
			put16(outer + 2, 20 + m);
			put16(outer + 4, (size_t)i + 7);
			put16(outer + 6, k / 8 + (k + m < inner_n ? 0x2000 : 0));
			outer[9] = 4;
			memcpy(outer + 20, inner + k, m);
			give(lab, LINK_RAW, outer, 20 + m);
		}
	}
	expect(lab, "+1>");
	assert_true(bytes_equal(lab->last.payload, bytes_str(o.text)));
}

static void counts_what_it_does_not_read(void **state)
{
	static const uint8_t arp[60] = { [12] = 8, [13] = 6 };
	static const uint8_t bad[60] = { [12] = 8, [13] = 0, [14] = 0x99 };
	struct lab *lab = *state;
	struct front_stats stats;
	struct front_packet cut = { .link = LINK_ETHERNET, .wire_n = 60, .frame = { arp, 5 } };

	give(lab, LINK_ETHERNET, arp, sizeof(arp));
	give(lab, LINK_ETHERNET, bad, sizeof(bad));
	give(lab, 147, arp, sizeof(arp));
	cut.at = lab->at;
	front_packet(lab->f, &cut, &(const struct front_sink){ on_segment, lab });
	front_stats(lab->f, &stats);
	assert_int_equal(stats.packets, 4);
	assert_int_equal(stats.other, 1);
	assert_int_equal(stats.bad, 1);
	assert_int_equal(stats.cut, 1);
	assert_int_equal(stats.link_unknown, 1);
	assert_int_equal(stats.segments, 0);
	expect(lab, "");
}

static void survives_without_memory(void **state)
{
	struct lab *lab = *state;
	struct packet_of o = { CLIENT, 100, 0, TCP_SYN };
	struct front_packet p = { .link = LINK_RAW };
	struct front *f;
	struct err e = { 0 };
	uint8_t bytes[100];

	for (size_t failing = 1; failing <= 4; failing++) {
		mem_fail_at(failing);
		assert_int_equal(front_new(&(const struct front_options){ 0 }, &f, &e), -1);
		mem_fail_at(0);
		assert_int_equal(e.code, ERR_NOMEM);
	}
	p.frame = bytes_of(bytes, make(&o, bytes));
	mem_fail_at(1);
	front_packet(lab->f, &p, &(const struct front_sink){ on_segment, lab });
	mem_fail_at(0);
	expect(lab, "");
	open_flow(lab);
	expect(lab, "+1> 1< 1>");
}

static void many_flows_stay_apart(void **state)
{
	struct lab *lab = *state;

	for (int round = 0; round < 2; round++) {
		for (uint16_t i = 0; i < 5000; i++) {
			struct packet_of o = { .from = (uint16_t)(31000 + i),
					       .to = 443,
					       .seq = round ? 1u : 0u,
					       .flags = round ? TCP_ACK : TCP_SYN };

			lab->n = 0;
			send(lab, o);
			assert_int_equal(lab->last.flow, i + 1);
			assert_int_equal(lab->last.first, round == 0);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(numbers_flows_by_their_first_packet),
		TEST(finds_the_client),
		TEST(the_answer_may_come_first),
		TEST(both_may_open_at_once),
		TEST(a_syn_with_another_number_is_a_new_flow),
		TEST(the_new_flow_may_show_itself_by_the_answer),
		TEST(the_other_side_may_open_the_next_one),
		TEST(a_syn_ends_a_flow_that_was_seen_midway),
		TEST(a_syn_after_its_first_bytes_is_of_the_same_flow),
		TEST(an_ended_flow_lingers_and_then_is_over),
		TEST(half_a_close_is_none),
		TEST(an_end_that_nobody_acknowledged_takes_a_minute),
		TEST(a_reset_ends_a_flow_that_keeps_silent),
		TEST(a_reset_out_of_place_ends_nothing),
		TEST(a_refused_connection_is_over),
		TEST(silence_ends_a_flow),
		cmocka_unit_test_setup_teardown(of_too_many_the_most_silent_go, set_up_small,
						tear_down),
		TEST(flows_that_are_over_are_forgotten_when_there_are_many),
		TEST(duplicates_fall_into_the_same_flow),
		TEST(fragments_come_out_whole),
		TEST(fragments_within_fragments_come_out_whole),
		TEST(counts_what_it_does_not_read),
		TEST(survives_without_memory),
		TEST(many_flows_stay_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
