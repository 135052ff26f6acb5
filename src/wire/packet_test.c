#include "wire/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define ROOM (80 * 1024)
#define TEXT "GET / HTTP/1.1\r\n"
#define TEXT_N (sizeof(TEXT) - 1)

/* A packet made from the inside to the outside: each header is put before what is there. */
struct frame {
	uint8_t room[ROOM];
	size_t n;
};

static struct frame frame;

static struct bytes whole(void)
{
	return bytes_of(frame.room + ROOM - frame.n, frame.n);
}

static void begin(const void *payload, size_t n)
{
	frame.n = n;
	if (n)
		memcpy(frame.room + ROOM - n, payload, n);
}

static void before(const void *header, size_t n)
{
	frame.n += n;
	assert_true(frame.n <= ROOM);
	memcpy(frame.room + ROOM - frame.n, header, n);
}

#define BEFORE(s) before("" s, sizeof(s) - 1)

static void set16(size_t at, size_t v)
{
	frame.room[ROOM - frame.n + at] = (uint8_t)(v >> 8);
	frame.room[ROOM - frame.n + at + 1] = (uint8_t)v;
}

static void set8(size_t at, unsigned v)
{
	frame.room[ROOM - frame.n + at] = (uint8_t)v;
}

static void tcp(void)
{
	BEFORE("\xc0\x00\x01\xbb\x11\x22\x33\x44\x55\x66\x77\x88\x50\x18\xff\xff\0\0\0\0");
}

static void udp(unsigned port)
{
	BEFORE("\xc0\x00\0\0\0\0\0\0");
	set16(2, port);
	set16(4, frame.n);
}

static void ip4(unsigned protocol)
{
	BEFORE("\x45\0\0\0\x12\x34\x40\0\x40\0\0\0\x0a\0\0\x01\x0a\0\0\x02");
	set16(2, frame.n);
	set8(9, protocol);
}

static void ip6(unsigned next)
{
	size_t n = frame.n;

	BEFORE("\x60\0\0\0\0\0\0\x40"
	       "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02");
	set16(4, n < 65536 ? n : 0);
	set8(6, next);
}

static void type(unsigned t)
{
	BEFORE("\0\0");
	set16(0, t);
}

static void ethernet(unsigned t)
{
	type(t);
	BEFORE("\x02\0\0\0\0\x02\x02\0\0\0\0\x01");
}

static void tag(unsigned inner)
{
	type(inner);
	BEFORE("\0\x05");
}

static void http_in_ip4(void)
{
	begin(TEXT, TEXT_N);
	tcp();
	ip4(6);
}

static union packet got;

static enum packet_outcome parse(unsigned link)
{
	return packet_parse(link, whole(), frame.n, &got);
}

static void expect_http(unsigned link, enum addr_family family)
{
	assert_int_equal(parse(link), PACKET_SEGMENT);
	assert_false(got.segment.udp);
	assert_int_equal(got.segment.src.family, family);
	assert_int_equal(got.segment.dst.family, family);
	assert_int_equal(got.segment.src.ip[family == ADDR_IP4 ? 3 : 15], 1);
	assert_int_equal(got.segment.dst.ip[family == ADDR_IP4 ? 3 : 15], 2);
	assert_int_equal(got.segment.src.port, 0xc000);
	assert_int_equal(got.segment.dst.port, 443);
	assert_int_equal(got.segment.seq, 0x11223344);
	assert_int_equal(got.segment.ack, 0x55667788);
	assert_int_equal(got.segment.flags, TCP_PSH | TCP_ACK);
	assert_int_equal(got.segment.missing, 0);
	assert_true(bytes_equal(got.segment.payload, bytes_str(TEXT)));
}

/* Whatever is cut off: never more than there was, and never another packet. */
static void expect_every_truncation(unsigned link)
{
	struct bytes all = whole();

	for (size_t n = 0; n < all.n; n++) {
		enum packet_outcome o = packet_parse(link, bytes_slice(all, 0, n), all.n, &got);

		if (o == PACKET_CUT)
			continue;
		assert_int_equal(o, PACKET_SEGMENT);
		assert_int_equal(got.segment.dst.port, 443);
		assert_int_equal(got.segment.payload.n + got.segment.missing, TEXT_N);
		assert_true(bytes_starts(bytes_str(TEXT), got.segment.payload));
	}
}

static void expect_http_and_truncations(unsigned link, enum addr_family family)
{
	expect_http(link, family);
	expect_every_truncation(link);
}

static void reads_ethernet(void **state)
{
	(void)state;
	http_in_ip4();
	ethernet(0x0800);
	expect_http_and_truncations(LINK_ETHERNET, ADDR_IP4);
	begin(TEXT, TEXT_N);
	tcp();
	ip6(6);
	ethernet(0x86dd);
	expect_http_and_truncations(LINK_ETHERNET, ADDR_IP6);
}

static void reads_tags_of_vlans(void **state)
{
	static const unsigned outer[] = { 0x8100, 0x88a8, 0x9100 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(outer); i++) {
		http_in_ip4();
		tag(0x0800);
		ethernet(outer[i]);
		expect_http_and_truncations(LINK_ETHERNET, ADDR_IP4);
		http_in_ip4();
		tag(0x0800);
		tag(0x8100);
		ethernet(outer[i]);
		expect_http_and_truncations(LINK_ETHERNET, ADDR_IP4);
	}
}

static void reads_cooked_captures(void **state)
{
	(void)state;
	http_in_ip4();
	type(0x0800);
	BEFORE("\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0");
	expect_http_and_truncations(LINK_LINUX_SLL, ADDR_IP4);
	http_in_ip4();
	tag(0x0800);
	type(0x8100);
	BEFORE("\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0");
	expect_http_and_truncations(LINK_LINUX_SLL, ADDR_IP4);
	http_in_ip4();
	BEFORE("\x08\0\0\0\0\0\0\x03\0\x01\0\x06\x02\0\0\0\0\x01\0\0");
	expect_http_and_truncations(LINK_LINUX_SLL2, ADDR_IP4);
}

static void reads_captures_without_a_link(void **state)
{
	static const unsigned links[] = { LINK_RAW, LINK_RAW_BSD, LINK_RAW_OPENBSD, LINK_IPV4 };

	(void)state;
	http_in_ip4();
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		expect_http_and_truncations(links[i], ADDR_IP4);
	begin(TEXT, TEXT_N);
	tcp();
	ip6(6);
	expect_http_and_truncations(LINK_RAW, ADDR_IP6);
	expect_http_and_truncations(LINK_IPV6, ADDR_IP6);
}

static void reads_loopback_in_both_byte_orders(void **state)
{
	static const uint8_t ip6_families[] = { 10, 24, 28, 30 };

	(void)state;
	http_in_ip4();
	BEFORE("\x02\0\0\0");
	expect_http_and_truncations(LINK_NULL, ADDR_IP4);
	http_in_ip4();
	BEFORE("\0\0\0\x02");
	expect_http_and_truncations(LINK_NULL, ADDR_IP4);
	expect_http(LINK_LOOP, ADDR_IP4);
	for (size_t i = 0; i < ARRAY_LEN(ip6_families); i++) {
		begin(TEXT, TEXT_N);
		tcp();
		ip6(6);
		BEFORE("\0\0\0\0");
		set8(0, ip6_families[i]);
		expect_http(LINK_NULL, ADDR_IP6);
		set8(0, 0);
		set8(3, ip6_families[i]);
		expect_http(LINK_NULL, ADDR_IP6);
		expect_http(LINK_LOOP, ADDR_IP6);
	}
	set8(3, 7);
	assert_int_equal(parse(LINK_NULL), PACKET_OTHER);
}

static void reads_pppoe_mpls_and_snap(void **state)
{
	(void)state;
	http_in_ip4();
	BEFORE("\x11\0\0\x01\0\x3a\0\x21");
	ethernet(0x8864);
	expect_http_and_truncations(LINK_ETHERNET, ADDR_IP4);
	set8(14, 0x21);
	assert_int_equal(parse(LINK_ETHERNET), PACKET_OTHER);
	http_in_ip4();
	BEFORE("\0\x01\0\x40\0\x02\x01\x40");
	ethernet(0x8847);
	expect_http_and_truncations(LINK_ETHERNET, ADDR_IP4);
	http_in_ip4();
	BEFORE("\xaa\xaa\x03\0\0\0\x08\0");
	ethernet(64);
	expect_http_and_truncations(LINK_ETHERNET, ADDR_IP4);
	set8(14, 0x42); /* spanning tree */
	assert_int_equal(parse(LINK_ETHERNET), PACKET_OTHER);
}

static void steps_over_options(void **state)
{
	(void)state;
	begin(TEXT, TEXT_N);
	BEFORE("\x01\x01\x08\x0a\0\0\0\x01\0\0\0\x02");
	tcp();
	set8(12, 0x80);
	BEFORE("\x94\x04\0\0"); /* router alert */
	ip4(6);
	set8(0, 0x46);
	expect_http_and_truncations(LINK_RAW, ADDR_IP4);
}

static void steps_over_extension_headers(void **state)
{
	static const uint8_t kinds[] = { 0, 43, 60, 135, 139, 140 };
	uint8_t next = 6;

	(void)state;
	begin(TEXT, TEXT_N);
	tcp();
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		BEFORE("\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
		set8(0, next);
		next = kinds[i];
	}
	BEFORE("\0\x04\0\0\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0"); /* RFC 4302 */
	set8(0, next);
	ip6(51);
	expect_http_and_truncations(LINK_RAW, ADDR_IP6);
}

static void takes_padding_for_no_payload(void **state)
{
	(void)state;
	begin("\0\0\0\0\0\0", 6);
	tcp();
	ip4(6);
	set16(2, 40);
	ethernet(0x0800);
	assert_int_equal(parse(LINK_ETHERNET), PACKET_SEGMENT);
	assert_int_equal(got.segment.payload.n, 0);
	assert_int_equal(got.segment.missing, 0);
	begin("abcdef", 6);
	udp(53);
	set16(4, 8 + 2);
	ip4(17);
	assert_int_equal(parse(LINK_RAW), PACKET_SEGMENT);
	assert_true(got.segment.udp);
	assert_true(bytes_equal(got.segment.payload, bytes_str("ab")));
}

static void takes_all_there_is_when_the_length_is_left_to_the_card(void **state)
{
	static uint8_t much[70000];

	(void)state;
	http_in_ip4();
	set16(2, 0);
	ethernet(0x0800);
	expect_http_and_truncations(LINK_ETHERNET, ADDR_IP4);
	begin(much, sizeof(much));
	tcp();
	ip6(6);
	assert_int_equal(parse(LINK_RAW), PACKET_SEGMENT);
	assert_int_equal(got.segment.payload.n, sizeof(much));
	begin(much, sizeof(much));
	tcp();
	BEFORE("\x06\0\xc2\x04\0\x01\x11\x84"); /* jumbo payload option */
	ip6(0);
	assert_int_equal(parse(LINK_RAW), PACKET_SEGMENT);
	assert_int_equal(got.segment.payload.n, sizeof(much));
	assert_int_equal(packet_parse(LINK_RAW, bytes_slice(whole(), 0, 1000), frame.n, &got),
			 PACKET_SEGMENT);
	assert_int_equal(got.segment.payload.n + got.segment.missing, sizeof(much));
}

/* Some programs cut packets off and write the shorter length in both places. */
static void believes_the_header_before_the_file(void **state)
{
	(void)state;
	http_in_ip4();
	assert_int_equal(packet_parse(LINK_RAW, bytes_slice(whole(), 0, 44), 44, &got),
			 PACKET_SEGMENT);
	assert_int_equal(got.segment.payload.n, 4);
	assert_int_equal(got.segment.missing, TEXT_N - 4);
	/* A length on the wire that is less than what is there means nothing. */
	assert_int_equal(packet_parse(LINK_RAW, whole(), 0, &got), PACKET_SEGMENT);
	assert_true(bytes_equal(got.segment.payload, bytes_str(TEXT)));
}

static void hands_out_fragments_of_ip4(void **state)
{
	(void)state;
	begin("0123456789abcdef", 16);
	ip4(17);
	set16(6, 0x2000);
	assert_int_equal(parse(LINK_RAW), PACKET_FRAGMENT);
	assert_int_equal(got.fragment.id, 0x1234);
	assert_int_equal(got.fragment.protocol, 17);
	assert_int_equal(got.fragment.offset, 0);
	assert_true(got.fragment.more);
	assert_int_equal(got.fragment.payload.n, 16);
	set16(6, 0x0002);
	assert_int_equal(parse(LINK_RAW), PACKET_FRAGMENT);
	assert_int_equal(got.fragment.offset, 16);
	assert_false(got.fragment.more);
	assert_int_equal(got.fragment.src.ip[3], 1);
	assert_int_equal(got.fragment.dst.ip[3], 2);
	assert_int_equal(packet_parse(LINK_RAW, bytes_slice(whole(), 0, 30), 36, &got),
			 PACKET_FRAGMENT);
	assert_int_equal(got.fragment.payload.n, 10);
	assert_int_equal(got.fragment.missing, 6);
}

static void hands_out_fragments_of_ip6(void **state)
{
	(void)state;
	begin("0123456789abcdef", 16);
	BEFORE("\x11\0\x05\xa9\xde\xad\xbe\xef");
	BEFORE("\x2c\0\0\0\0\0\0\0");
	ip6(60);
	assert_int_equal(parse(LINK_RAW), PACKET_FRAGMENT);
	assert_int_equal(got.fragment.id, 0xdeadbeef);
	assert_int_equal(got.fragment.protocol, 17);
	assert_int_equal(got.fragment.offset, 0x05a8);
	assert_true(got.fragment.more);
	assert_int_equal(got.fragment.payload.n, 16);
	/* All of it in one fragment: RFC 6946. */
	begin(TEXT, TEXT_N);
	tcp();
	BEFORE("\x06\0\0\0\xde\xad\xbe\xef");
	ip6(44);
	expect_http_and_truncations(LINK_RAW, ADDR_IP6);
}

static void goes_on_with_a_datagram_that_was_put_together(void **state)
{
	struct packet_fragment f = { .protocol = 60 };

	(void)state;
	assert_true(addr_parse_ip(bytes_str("fd00::1"), 0, &f.src));
	assert_true(addr_parse_ip(bytes_str("fd00::2"), 0, &f.dst));
	begin(TEXT, TEXT_N);
	tcp();
	BEFORE("\x06\0\0\0\0\0\0\0");
	f.payload = whole();
	assert_int_equal(packet_parse_datagram(&f, &got), PACKET_SEGMENT);
	assert_int_equal(got.segment.src.ip[15], 1);
	assert_true(bytes_equal(got.segment.payload, bytes_str(TEXT)));
	f.payload.n -= 3;
	f.missing = 3;
	got.fragment = f;
	assert_int_equal(packet_parse_datagram(&got.fragment, &got), PACKET_SEGMENT);
	assert_int_equal(got.segment.payload.n, TEXT_N - 3);
	assert_int_equal(got.segment.missing, 3);
}

static void looks_into_vxlan(void **state)
{
	static const unsigned ports[] = { 4789, 8472 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		http_in_ip4();
		ethernet(0x0800);
		BEFORE("\x08\0\0\0\0\0\x2a\0");
		udp(ports[i]);
		ip6(17);
		expect_http_and_truncations(LINK_RAW, ADDR_IP4);
	}
	http_in_ip4();
	ethernet(0x0800);
	BEFORE("\x88\x48\x12\x34\0\0\x2a\0"); /* with a group policy */
	udp(4789);
	ip4(17);
	expect_http(LINK_RAW, ADDR_IP4);
}

static void looks_into_geneve(void **state)
{
	(void)state;
	http_in_ip4();
	ethernet(0x0800);
	BEFORE("\x02\x40\x65\x58\0\0\x2a\0\x01\x02\x80\x01\0\0\0\x07");
	udp(6081);
	ip4(17);
	expect_http_and_truncations(LINK_RAW, ADDR_IP4);
	begin(TEXT, TEXT_N);
	tcp();
	ip6(6);
	BEFORE("\0\0\x86\xdd\0\0\x2a\0");
	udp(6081);
	ip4(17);
	expect_http_and_truncations(LINK_RAW, ADDR_IP6);
}

static void looks_into_gre(void **state)
{
	(void)state;
	http_in_ip4();
	BEFORE("\0\0\x08\0");
	ip4(47);
	expect_http_and_truncations(LINK_RAW, ADDR_IP4);
	http_in_ip4();
	ethernet(0x0800);
	BEFORE("\xb0\0\x65\x58\xab\xcd\0\0\0\0\0\x01\0\0\0\x02");
	ip6(47);
	expect_http_and_truncations(LINK_RAW, ADDR_IP4);
	begin(TEXT, TEXT_N);
	tcp();
	ip6(6);
	BEFORE("\x20\0\x86\xdd\0\0\0\x01");
	ip4(47);
	expect_http_and_truncations(LINK_RAW, ADDR_IP6);
	set8(21, 1); /* version 1 is that of PPTP */
	assert_int_equal(parse(LINK_RAW), PACKET_OTHER);
	set8(21, 0);
	set8(20, 0x60); /* source routes */
	assert_int_equal(parse(LINK_RAW), PACKET_OTHER);
}

static void looks_into_mirrored_traffic(void **state)
{
	(void)state;
	http_in_ip4();
	ethernet(0x0800);
	BEFORE("\0\0\x88\xbe");
	ip4(47);
	expect_http_and_truncations(LINK_RAW, ADDR_IP4);
	http_in_ip4();
	ethernet(0x0800);
	BEFORE("\x10\0\x88\xbe\0\0\0\x01\x10\0\0\x01\0\0\0\0");
	ip4(47);
	expect_http_and_truncations(LINK_RAW, ADDR_IP4);
	http_in_ip4();
	ethernet(0x0800);
	BEFORE("\x10\0\x22\xeb\0\0\0\x01\x20\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0");
	ip4(47);
	expect_http_and_truncations(LINK_RAW, ADDR_IP4);
}

static void looks_into_ip_in_ip(void **state)
{
	(void)state;
	http_in_ip4();
	ip4(4);
	ip6(4);
	expect_http_and_truncations(LINK_RAW, ADDR_IP4);
	begin(TEXT, TEXT_N);
	tcp();
	ip6(6);
	ip4(41);
	expect_http_and_truncations(LINK_RAW, ADDR_IP6);
}

static void nesting_has_an_end(void **state)
{
	(void)state;
	http_in_ip4();
	for (int i = 0; i < 200; i++)
		ip4(4);
	assert_int_equal(parse(LINK_RAW), PACKET_OTHER);
	http_in_ip4();
	tag(0x0800);
	for (int i = 0; i < 200; i++)
		tag(0x8100);
	ethernet(0x8100);
	assert_int_equal(parse(LINK_ETHERNET), PACKET_OTHER);
}

/* As a tunnel it would have to have its flags, and whole packets inside. */
static void a_datagram_to_the_port_of_a_tunnel_may_be_none(void **state)
{
	static const struct {
		unsigned port;
		const char *payload;
		size_t n;
	} cases[] = {
		{ 4789, "\x40\x01\x02\x03\x04\x05\x06\x07\x08", 9 },
		{ 4789, "\x08\0\0\0\0\0\x2a\x01zzzzzz", 14 },
		{ 4789, "\x08\0\0", 3 },
		{ 4789, "\x08\0\0\0\0\0\x2a\0", 8 },
		{ 8472, "", 0 },
		{ 6081, "\x40\0\x65\x58\0\0\0\0", 8 },
		{ 6081, "\x3f\0\x65\x58\0\0\0\0", 8 },
		{ 6081, "\0\x20\x65\x58\0\0\0\0", 8 },
		{ 6081, "\0\0\x08\0\0\0\0\0\x99", 9 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(cases[i].payload, cases[i].n);
		udp(cases[i].port);
		ip4(17);
		assert_int_equal(parse(LINK_RAW), PACKET_SEGMENT);
		assert_true(got.segment.udp);
		assert_int_equal(got.segment.dst.port, cases[i].port);
		assert_true(
			bytes_equal(got.segment.payload, bytes_of(cases[i].payload, cases[i].n)));
	}
}

static void contradictions_are_bad(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} cases[] = {
		{ 0, 0x44 },  /* header shorter than it can be */
		{ 0, 0x55 },  /* version 5 */
		{ 3, 19 },    /* whole length less than the header's */
		{ 3, 39 },    /* no room for TCP's header */
		{ 32, 0x40 }, /* the same of TCP */
		{ 32, 0xf0 }, /* TCP's header longer than the packet */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		http_in_ip4();
		set8(cases[i].at, cases[i].value);
		assert_int_equal(parse(LINK_RAW), PACKET_BAD);
	}
	begin("ab", 2);
	udp(53);
	set16(4, 7);
	ip4(17);
	assert_int_equal(parse(LINK_RAW), PACKET_BAD);
	set16(24, 11);
	assert_int_equal(parse(LINK_RAW), PACKET_BAD);
	/* An inner packet that is longer than the outer one. */
	http_in_ip4();
	set16(2, frame.n + 1);
	ip4(4);
	assert_int_equal(parse(LINK_RAW), PACKET_BAD);
}

static void other_protocols_are_other(void **state)
{
	static const unsigned protocols[] = { 1, 2, 50, 132, 0, 44, 59 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		begin(TEXT, TEXT_N);
		ip4(protocols[i]);
		assert_int_equal(parse(LINK_RAW), PACKET_OTHER);
	}
	begin(TEXT, TEXT_N);
	ethernet(0x0806);
	assert_int_equal(parse(LINK_ETHERNET), PACKET_OTHER);
	assert_int_equal(parse(147), PACKET_OTHER);
}

static void knows_its_links(void **state)
{
	(void)state;
	assert_true(packet_link_known(LINK_ETHERNET));
	assert_true(packet_link_known(LINK_NULL));
	assert_false(packet_link_known(147));
	assert_string_equal(packet_link_text(LINK_LINUX_SLL2), "Linux cooked, version 2");
	assert_string_equal(packet_link_text(147), "unknown");
}

/* As everywhere, IPv4 inside IPv6 is IPv4. */
static void a_mapped_address_is_that_of_ip4(void **state)
{
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1 };

	(void)state;
	begin(TEXT, TEXT_N);
	tcp();
	ip6(6);
	memcpy(frame.room + ROOM - frame.n + 8, mapped, sizeof(mapped));
	assert_int_equal(parse(LINK_RAW), PACKET_SEGMENT);
	assert_int_equal(got.segment.src.family, ADDR_IP4);
	assert_int_equal(got.segment.src.ip[3], 1);
	assert_int_equal(got.segment.src.ip[15], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_ethernet),
		cmocka_unit_test(reads_tags_of_vlans),
		cmocka_unit_test(reads_cooked_captures),
		cmocka_unit_test(reads_captures_without_a_link),
		cmocka_unit_test(reads_loopback_in_both_byte_orders),
		cmocka_unit_test(reads_pppoe_mpls_and_snap),
		cmocka_unit_test(steps_over_options),
		cmocka_unit_test(steps_over_extension_headers),
		cmocka_unit_test(takes_padding_for_no_payload),
		cmocka_unit_test(takes_all_there_is_when_the_length_is_left_to_the_card),
		cmocka_unit_test(believes_the_header_before_the_file),
		cmocka_unit_test(hands_out_fragments_of_ip4),
		cmocka_unit_test(hands_out_fragments_of_ip6),
		cmocka_unit_test(goes_on_with_a_datagram_that_was_put_together),
		cmocka_unit_test(looks_into_vxlan),
		cmocka_unit_test(looks_into_geneve),
		cmocka_unit_test(looks_into_gre),
		cmocka_unit_test(looks_into_mirrored_traffic),
		cmocka_unit_test(looks_into_ip_in_ip),
		cmocka_unit_test(nesting_has_an_end),
		cmocka_unit_test(a_datagram_to_the_port_of_a_tunnel_may_be_none),
		cmocka_unit_test(contradictions_are_bad),
		cmocka_unit_test(other_protocols_are_other),
		cmocka_unit_test(knows_its_links),
		cmocka_unit_test(a_mapped_address_is_that_of_ip4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
