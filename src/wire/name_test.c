#include "wire/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static struct name name_of(const char *text)
{
	struct name name;
	struct err e = { 0 };

	if (name_parse(bytes_str(text), &name, &e) < 0)
		fail_msg("%s: %s", text, e.sentence);
	return name;
}

static void refused(struct bytes text, const char *why)
{
	struct name name = { .n = 99 };
	struct err e = { 0 };

	assert_int_equal(name_parse(text, &name, &e), -1);
	assert_int_equal(e.code, ERR_NAME);
	assert_int_equal(name.n, 99);
	if (!strstr(e.sentence, why))
		fail_msg("%s", e.sentence);
}

static void takes_names_in_lower_case_without_trailing_dot(void **state)
{
	static const struct {
		const char *in, *out;
	} good[] = {
		{ "a", "a" },
		{ "Example.COM", "example.com" },
		{ "example.com.", "example.com" },
		{ "_dmarc.example.com", "_dmarc.example.com" },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example" },
		{ "-a-.example", "-a-.example" },
		{ "1.2.3.in-addr.arpa", "1.2.3.in-addr.arpa" },
		{ "127.0.0.1.nip.io", "127.0.0.1.nip.io" },
		{ "a.1b", "a.1b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct name name = name_of(good[i].in);

		assert_string_equal(name.text, good[i].out);
		assert_int_equal(name.n, strlen(good[i].out));
	}
}

static void refuses_bytes_that_may_not_be_in_a_name(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		uint8_t text[] = { 'a', (uint8_t)c, 'b', '.', 'c' };
		struct name name;
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';

		assert_int_equal(name_parse(bytes_of(text, 5), &name, NULL), good ? 0 : -1);
	}
	refused(bytes_of("a\0b.example", 11), "byte 0x00");
	refused(bytes_str("../../etc/passwd"), "has '/' in it");
	refused(bytes_str("a,DNS:b.example"), "has ',' in it");
	refused(bytes_str("\x1b[31mred"), "\\x1b[31mred");
	refused(bytes_str("*.example.com"), "has '*' in it");
	refused(bytes_str("a b"), "byte 0x20");
}

static void refuses_wrong_labels_and_lengths(void **state)
{
	char text[400];

	(void)state;
	refused(bytes_of(NULL, 0), "empty");
	refused(bytes_str("."), "empty label");
	refused(bytes_str(".."), "empty label");
	refused(bytes_str(".a"), "empty label");
	refused(bytes_str("a..b"), "empty label");
	refused(bytes_str("a.b.."), "empty label");

	memset(text, 'a', sizeof(text));
	(void)name_of("012345678901234567890123456789012345678901234567890123456789012.x");
	refused(bytes_of(text, 64), "more than 63 bytes");
	for (size_t i = 63; i < sizeof(text); i += 64)
		text[i] = '.';
	text[253] = '\0';
	assert_int_equal(name_of(text).n, 253);
	text[253] = '.'; /* the root's: not counted */
	text[254] = '\0';
	assert_int_equal(name_of(text).n, 253);
	text[253] = 'a';
	refused(bytes_of(text, 254), "254 bytes");
	refused(bytes_of(text, 300), "300 bytes");
}

static void tells_addresses_and_numbers_from_names(void **state)
{
	(void)state;
	refused(bytes_str("127.0.0.1"), "is an address");
	refused(bytes_str("127.0.0.1."), "is an address");
	refused(bytes_str("::1"), "is an address");
	refused(bytes_str("[::1]"), "is an address");
	refused(bytes_str("127.1"), "ends in a number");
	refused(bytes_str("2130706433"), "ends in a number");
	refused(bytes_str("0x7f000001"), "ends in a number");
	refused(bytes_str("127.0.0.0X1"), "ends in a number");
	refused(bytes_str("a.0x"), "ends in a number");
	refused(bytes_str("1.2.3.4.5"), "ends in a number");
	refused(bytes_str("010.0.0.1"), "ends in a number");
}

static void a_host_is_a_name_or_an_address(void **state)
{
	struct host host;
	char text[HOST_TEXT_MAX];

	(void)state;
	assert_int_equal(host_parse(bytes_str("A.example"), 443, &host, NULL), 0);
	assert_int_equal(host.kind, HOST_NAME);
	assert_string_equal(host_text(&host, text), "a.example:443");
	assert_int_equal(host_parse(bytes_str("::1"), 443, &host, NULL), 0);
	assert_int_equal(host.kind, HOST_ADDR);
	assert_int_equal(host.addr.port, 443);
	assert_string_equal(host_text(&host, text), "[::1]:443");
	assert_int_equal(host_parse(bytes_str("10.0.0.1"), 0, &host, NULL), 0);
	assert_string_equal(host_text(&host, text), "10.0.0.1");
	assert_int_equal(host_parse(bytes_str("a"), 0, &host, NULL), 0);
	assert_string_equal(host_text(&host, text), "a");
	assert_string_equal(host_text(&(struct host){ 0 }, text), "none");
	assert_int_equal(host_parse(bytes_str("a/b"), 0, &host, NULL), -1);
}

static void reads_authorities(void **state)
{
	static const struct {
		const char *in;
		uint16_t port;
		const char *out;
	} good[] = {
		{ "example.com:443", 0, "example.com:443" },
		{ "example.com", 80, "example.com:80" },
		{ "example.com:", 80, "example.com:80" },
		{ "EXAMPLE.com.:8080", 80, "example.com:8080" },
		{ "10.9.0.43:1", 0, "10.9.0.43:1" },
		{ "[::1]:65535", 0, "[::1]:65535" },
		{ "[2001:db8::1]", 80, "[2001:db8::1]:80" },
	};
	static const struct {
		const char *in;
		uint16_t port;
		const char *want;
	} bad[] = {
		{ "", 0, "a port is needed" },
		{ "", 80, "empty host name" },
		{ "example.com", 0, "a port is needed" },
		{ "example.com:", 0, "from 1 to 65535" },
		{ "example.com:0", 0, "from 1 to 65535" },
		{ "example.com:65536", 0, "from 1 to 65535" },
		{ "example.com:000443", 0, "from 1 to 65535" },
		{ "example.com:443x", 0, "from 1 to 65535" },
		{ "example.com:443:444", 0, "needs brackets" },
		{ "::1:443", 0, "needs brackets" },
		{ ":443", 0, "empty host name" },
		{ "[::1:443", 0, "a port is needed" },
		{ "[::1]443", 80, "brackets hold" },
		{ "[::1]x:443", 0, "brackets hold" },
		{ "[example.com]:443", 0, "not a host name" },
		{ "user@example.com:443", 0, "'@'" },
		{ "http://example.com:443", 0, "needs brackets" },
		{ "127.1:80", 0, "ends in a number" },
	};
	struct host host;
	char text[HOST_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(host_parse_authority(bytes_str(good[i].in), good[i].port, &host,
						      NULL),
				 0);
		assert_string_equal(host_text(&host, text), good[i].out);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = { 0 };

		assert_int_equal(host_parse_authority(bytes_str(bad[i].in), bad[i].port, &host, &e),
				 -1);
		if (!strstr(e.sentence, bad[i].want))
			fail_msg("%s: %s", bad[i].in, e.sentence);
	}
}

static bool matches(const char *pattern, const char *name)
{
	struct name_pattern p;
	struct err e = { 0 };

	if (name_pattern_parse(bytes_str(pattern), &p, &e) < 0)
		fail_msg("%s: %s", pattern, e.sentence);
	if (!name)
		return name_match(&p, NULL);
	struct name n = name_of(name);
	return name_match(&p, &n);
}

static void patterns_match_what_they_say(void **state)
{
	(void)state;
	assert_true(matches("example.com", "EXAMPLE.com."));
	assert_true(matches("Example.com.", "example.com"));
	assert_false(matches("example.com", "a.example.com"));
	assert_false(matches("example.com", NULL));
	assert_true(matches("*.example.com", "a.example.com"));
	assert_true(matches("*.EXAMPLE.com", "a.b.c.example.com"));
	assert_false(matches("*.example.com", "example.com"));
	assert_false(matches("*.example.com", "badexample.com"));
	assert_false(matches("*.example.com", "example.com.evil"));
	assert_false(matches("*.example.com", NULL));
	assert_true(matches("*.com", "a.com"));
	assert_true(matches("*", "anything.example"));
	assert_true(matches("*", NULL));
}

static void a_pattern_that_no_name_can_match_is_refused(void **state)
{
	char text[NAME_MAX_BYTES + 2] = "*.";
	struct name_pattern p;
	struct err e = { 0 };

	(void)state;
	memset(text + 2, 'a', NAME_MAX_BYTES);
	for (size_t i = 65; i < sizeof(text); i += 64)
		text[i] = '.';
	assert_int_equal(name_pattern_parse(bytes_of(text, 253), &p, NULL), 0);
	assert_int_equal(name_pattern_parse(bytes_of(text, 254), &p, &e), -1);
	assert_non_null(strstr(e.sentence, "no name is long enough"));
}

static void says_what_is_wrong_with_a_pattern(void **state)
{
	static const struct {
		const char *in, *want;
	} bad[] = {
		{ "", "empty host name" },
		{ "*.", "empty host name" },
		{ "**", "a '*' stands alone" },
		{ "*a.example", "a '*' stands alone" },
		{ "a.*.example", "a '*' stands alone" },
		{ "*.*.example", "a '*' stands alone" },
		{ "example.*", "a '*' stands alone" },
		{ "*.10.0.0.1", "is an address" },
		{ "10.0.0.0/8", "'/'" },
		{ "10.0.0.1", "is an address" },
		{ "a..b", "empty label" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct name_pattern p = { .kind = NAME_SUFFIX };
		struct err e = { 0 };

		assert_int_equal(name_pattern_parse(bytes_str(bad[i].in), &p, &e), -1);
		assert_int_equal(e.code, ERR_NAME);
		assert_int_equal(p.kind, NAME_SUFFIX);
		if (!strstr(e.sentence, bad[i].want))
			fail_msg("%s: %s", bad[i].in, e.sentence);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_names_in_lower_case_without_trailing_dot),
		cmocka_unit_test(refuses_bytes_that_may_not_be_in_a_name),
		cmocka_unit_test(refuses_wrong_labels_and_lengths),
		cmocka_unit_test(tells_addresses_and_numbers_from_names),
		cmocka_unit_test(a_host_is_a_name_or_an_address),
		cmocka_unit_test(reads_authorities),
		cmocka_unit_test(patterns_match_what_they_say),
		cmocka_unit_test(a_pattern_that_no_name_can_match_is_refused),
		cmocka_unit_test(says_what_is_wrong_with_a_pattern),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
