#include "wire/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static struct addr ip(const char *text)
{
	struct addr a;

	if (!addr_parse_ip(bytes_str(text), 0, &a))
		fail_msg("no literal: %s", text);
	return a;
}

static void reads_and_writes_literals(void **state)
{
	static const struct {
		const char *in, *out;
	} good[] = {
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "10.9.0.143", "10.9.0.143" },
		{ "::", "::" },
		{ "[::]", "::" },
		{ "::1", "::1" },
		{ "1::", "1::" },
		{ "2001:DB8::0:1", "2001:db8::1" },
		/* RFC 5952, 4.2.2: one zero group stays; 4.2.3: the longest run, the first of equals */
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
		{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
		{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
		{ "0:0:1::", "0:0:1::" },
		{ "1:2:3:4:5:6:9.8.7.6", "1:2:3:4:5:6:908:706" },
		{ "64:ff9b::1.2.3.4", "64:ff9b::102:304" },
		{ "::ffff:10.0.0.1", "10.0.0.1" },
		{ "::FFFF:0a00:0001", "10.0.0.1" },
		{ "fe80::1%3", "fe80::1%3" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};
	char text[ADDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct addr a = ip(good[i].in), again;

		assert_string_equal(addr_ip_text(&a, text), good[i].out);
		assert_true(addr_parse_ip(bytes_str(text), 0, &again));
		assert_true(addr_equal(&a, &again));
	}
}

static void refuses_what_is_no_literal(void **state)
{
	static const char *const bad[] = {
		"",
		"1",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.256",
		"01.2.3.4",
		"1.2.3.04",
		"1..2.3",
		"1.2.3.4.",
		".1.2.3.4",
		"1.2.3.-4",
		"0x7f.0.0.1",
		" 1.2.3.4",
		"[1.2.3.4]",
		"1.2.3.4%1",
		":",
		":::",
		"1:2:3:4:5:6:7",
		"1::2::3",
		"1:2:3:4:5:6:7:8:9",
		"1:2:3:4:5:6:7:8::",
		"::1:2:3:4:5:6:7:8",
		"12345::",
		"g::",
		":1::",
		"1:::",
		"[::1",
		"::1]",
		"[]",
		"::1.2.3",
		"::1.2.3.4:5",
		"1.2.3.4::",
		"1:2:3:4:5:6:7:1.2.3.4",
		"fe80::1%",
		"fe80::1%0",
		"fe80::1%eth0",
		"fe80::1%4294967296",
		"::1%1",
		"localhost",
	};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (addr_parse_ip(bytes_str(bad[i]), 0, &a))
			fail_msg("taken for a literal: %s", bad[i]);
	}
	assert_false(addr_parse_ip(bytes_of("1.2.3.4\0", 8), 0, &a));
}

static void reads_and_writes_endpoints(void **state)
{
	static const struct {
		const char *in, *out;
	} good[] = {
		{ "127.0.0.1:8080", "127.0.0.1:8080" },
		{ "[::1]:443", "[::1]:443" },
		{ "[fe80::1%2]:0", "[fe80::1%2]:0" },
		{ "[::ffff:1.2.3.4]:65535", "1.2.3.4:65535" },
		{ "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
		  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
	};
	char text[ADDR_TEXT_MAX];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(addr_parse(bytes_str(good[i].in), &a, NULL), 0);
		assert_string_equal(addr_text(&a, text), good[i].out);
	}
	a = (struct addr){ 0 };
	assert_string_equal(addr_text(&a, text), "none");
	assert_string_equal(addr_ip_text(&a, text), "none");
	assert_int_equal(addr_ip(&a).n, 0);
}

static void says_what_is_wrong_with_an_endpoint(void **state)
{
	static const struct {
		const char *in, *want;
	} bad[] = {
		{ "", "are needed" },	       { "127.0.0.1", "are needed" },
		{ "[::1]", "are needed" },     { "::1:443", "needs brackets" },
		{ "1.2.3.4:", "a port is" },   { "1.2.3.4:65536", "a port is" },
		{ "1.2.3.4:+1", "a port is" }, { "localhost:80", "no literal" },
		{ ":80", "no literal" },       { "[::1]x:80", "no literal" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct addr a = { .port = 7 };
		struct err e = { 0 };

		assert_int_equal(addr_parse(bytes_str(bad[i].in), &a, &e), -1);
		assert_int_equal(e.code, ERR_WIRE_DECODE);
		if (!strstr(e.sentence, bad[i].want))
			fail_msg("%s: %s", bad[i].in, e.sentence);
		assert_int_equal(a.port, 7);
	}
}

static void ranges_hold_what_they_should(void **state)
{
	static const struct {
		const char *range, *in, *out;
	} cases[] = {
		{ "10.0.0.0/8", "10.255.0.1", "11.0.0.0" },
		{ "10.9.0.128/25", "10.9.0.128", "10.9.0.127" },
		{ "1.2.3.4", "1.2.3.4", "1.2.3.5" },
		{ "1.2.3.4/32", "1.2.3.4", "1.2.3.5" },
		{ "0.0.0.0/0", "255.1.2.3", "::1" },
		{ "::/0", "::1", "1.2.3.4" },
		{ "fd00::/8", "fdff::1", "fc00::1" },
		{ "2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::" },
		{ "::1", "::1", "::2" },
		{ "::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr in = ip(cases[i].in), out = ip(cases[i].out);
		struct addr_range range;

		assert_int_equal(addr_range_parse(bytes_str(cases[i].range), &range, NULL), 0);
		assert_true(addr_in_range(&in, &range));
		assert_false(addr_in_range(&out, &range));
		assert_false(addr_in_range(&(struct addr){ 0 }, &range));
	}
}

static void says_what_is_wrong_with_a_range(void **state)
{
	static const struct {
		const char *in, *want;
	} bad[] = {
		{ "", "is needed" },
		{ "10.0.0.0/", "from 0 to 32" },
		{ "10.0.0.0/33", "from 0 to 32" },
		{ "::/129", "from 0 to 128" },
		{ "10.0.0.0/x", "from 0 to 32" },
		{ "10.0.0.1/8", "bits after the prefix of 8" },
		{ "fd00::1/8", "bits after the prefix of 8" },
		{ "::ffff:10.0.0.0/8", "from 96 to 128" },
		{ "example.com/8", "is needed" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct addr_range range;
		struct err e = { 0 };

		assert_int_equal(addr_range_parse(bytes_str(bad[i].in), &range, &e), -1);
		if (!strstr(e.sentence, bad[i].want))
			fail_msg("%s: %s", bad[i].in, e.sentence);
	}
}

static void knows_the_kind_of_an_address(void **state)
{
	static const struct {
		const char *ip;
		enum addr_kind kind;
	} cases[] = {
		{ "93.184.216.34", ADDR_PUBLIC },
		{ "10.0.0.1", ADDR_PUBLIC },
		{ "192.168.1.1", ADDR_PUBLIC },
		{ "127.0.0.1", ADDR_LOOPBACK },
		{ "127.255.255.255", ADDR_LOOPBACK },
		{ "128.0.0.1", ADDR_PUBLIC },
		{ "169.254.169.254", ADDR_LINK_LOCAL },
		{ "169.255.0.1", ADDR_PUBLIC },
		{ "100.100.100.200", ADDR_METADATA },
		{ "100.100.100.201", ADDR_PUBLIC },
		{ "168.63.129.16", ADDR_METADATA },
		{ "0.0.0.0", ADDR_UNSPECIFIED },
		{ "0.1.2.3", ADDR_UNSPECIFIED },
		{ "224.0.0.1", ADDR_MULTICAST },
		{ "239.255.255.255", ADDR_MULTICAST },
		{ "240.0.0.1", ADDR_PUBLIC },
		{ "255.255.255.255", ADDR_MULTICAST },
		{ "::1", ADDR_LOOPBACK },
		{ "::2", ADDR_PUBLIC },
		{ "::", ADDR_UNSPECIFIED },
		{ "fe80::1", ADDR_LINK_LOCAL },
		{ "febf::1", ADDR_LINK_LOCAL },
		{ "fec0::1", ADDR_PUBLIC },
		{ "fd00:ec2::254", ADDR_METADATA },
		{ "fd00:ec2::255", ADDR_PUBLIC },
		{ "ff02::1", ADDR_MULTICAST },
		{ "2001:db8::1", ADDR_PUBLIC },
		/* IPv4 inside IPv6 */
		{ "::ffff:127.0.0.1", ADDR_LOOPBACK },
		{ "64:ff9b::169.254.169.254", ADDR_LINK_LOCAL },
		{ "64:ff9b::8.8.8.8", ADDR_PUBLIC },
		{ "2002:7f00:1::", ADDR_LOOPBACK },
		{ "2002:808:808::1", ADDR_PUBLIC },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr a = ip(cases[i].ip);

		if (addr_kind(&a) != cases[i].kind)
			fail_msg("%s is %s", cases[i].ip, addr_kind_text(addr_kind(&a)));
	}
	/* Mapped and not turned into IPv4, as somebody else might have made it. */
	struct addr mapped = { .family = ADDR_IP6,
			       .ip = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } };
	assert_int_equal(addr_kind(&mapped), ADDR_LOOPBACK);
	assert_int_equal(addr_kind(&(struct addr){ 0 }), ADDR_UNSPECIFIED);
	assert_string_equal(addr_kind_text(ADDR_LOOPBACK), "a loopback address");
}

static void compares_addresses_with_and_without_port(void **state)
{
	struct addr a = ip("1.2.3.4"), b = ip("1.2.3.4"), c = ip("102:304::");

	(void)state;
	b.port = 80;
	assert_true(addr_same_ip(&a, &b));
	assert_false(addr_equal(&a, &b));
	assert_false(addr_same_ip(&a, &c));
	assert_int_equal(addr_ip(&a).n, 4);
	assert_int_equal(addr_ip(&c).n, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes_literals),
		cmocka_unit_test(refuses_what_is_no_literal),
		cmocka_unit_test(reads_and_writes_endpoints),
		cmocka_unit_test(says_what_is_wrong_with_an_endpoint),
		cmocka_unit_test(ranges_hold_what_they_should),
		cmocka_unit_test(says_what_is_wrong_with_a_range),
		cmocka_unit_test(knows_the_kind_of_an_address),
		cmocka_unit_test(compares_addresses_with_and_without_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
