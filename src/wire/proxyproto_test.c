#include "wire/proxyproto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

/* For static tables. */
#define LIT(s)                                                                                     \
	{                                                                                          \
		(const uint8_t *)("" s), sizeof(s) - 1                                             \
	}
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static const struct {
	struct bytes in;
	size_t used;
	const char *source, *destination;
	bool local;
	size_t tlvs;
} good[] = {
	{ LIT("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET"), 42, "192.0.2.1:56324",
	  "192.0.2.2:443", false, 0 },
	{ LIT("PROXY TCP6 2001:db8::1 ::ffff:1.2.3.4 1 65535\r\n"), 47, "[2001:db8::1]:1",
	  "1.2.3.4:65535", false, 0 },
	{ LIT("PROXY UNKNOWN\r\n"), 15, "none", "none", true, 0 },
	{ LIT("PROXY UNKNOWN ffff::1 whatever\r\n"), 32, "none", "none", true, 0 },
	{ LIT(SIGNATURE "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\xdc\x04\x01\xbbGET"), 28,
	  "192.0.2.1:56324", "192.0.2.2:443", false, 0 },
	{ LIT(SIGNATURE
	      "\x21\x11\x00\x10\xc0\x00\x02\x01\xc0\x00\x02\x02\xdc\x04\x01\xbb\x01\x00\x01x"),
	  32, "192.0.2.1:56324", "192.0.2.2:443", false, 4 },
	{ LIT(SIGNATURE "\x21\x21\x00\x24"
			"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
			"\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\x02\x03\x04\x00\x01\xff\xff"),
	  52, "[2001:db8::1]:1", "1.2.3.4:65535", false, 0 },
	{ LIT(SIGNATURE "\x20\x00\x00\x00"), 16, "none", "none", true, 0 },
	{ LIT(SIGNATURE "\x20\x11\x00\x02zz"), 18, "none", "none", true, 0 },
	{ LIT(SIGNATURE "\x21\x00\x00\x00"), 16, "none", "none", true, 0 },
	{ LIT(SIGNATURE "\x21\x31\x00\x03zzz"), 19, "none", "none", true, 0 },
};

static void reads_both_versions_whole_and_wants_more_of_each_part(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct proxyproto p = { 0 };
		char text[ADDR_TEXT_MAX];
		struct err e = { 0 };
		size_t used = 0;

		for (size_t n = 0; n < good[i].used; n++)
			assert_int_equal(proxyproto_parse(bytes_slice(good[i].in, 0, n), &p, &used,
							  &e),
					 PROXYPROTO_MORE);
		if (proxyproto_parse(good[i].in, &p, &used, &e) != PROXYPROTO_DONE)
			fail_msg("case %zu: %s", i, e.sentence);
		assert_int_equal(used, good[i].used);
		assert_string_equal(addr_text(&p.source, text), good[i].source);
		assert_string_equal(addr_text(&p.destination, text), good[i].destination);
		assert_int_equal(p.local, good[i].local);
		assert_int_equal(p.tlvs.n, good[i].tlvs);
		assert_int_equal(p.version, good[i].in.p[0] == 'P' ? 1 : 2);
	}
}

static void refuses_each_rule_broken(void **state)
{
	static const struct bytes bad[] = {
		LIT("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\n"),
		LIT("PROXY \n"),
		LIT("PROXY TCP5 192.0.2.1 192.0.2.2 56324 443\r\n"),
		LIT("PROXY TCP4 192.0.2 192.0.2.2 56324 443\r\n"),
		LIT("PROXY TCP4 192.0.2.1 name.example 56324 443\r\n"),
		LIT("PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n"),
		LIT("PROXY TCP4 192.0.2.1 192.0.2.2 056 443\r\n"),
		LIT("PROXY TCP4 192.0.2.1 192.0.2.2 56324\r\n"),
		LIT("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443 9\r\n"),
		LIT("PROXY TCP4  192.0.2.1 192.0.2.2 56324 443\r\n"),
		LIT("PROXY TCP4 "
		    "1111111111111111111111111111111111111111111111111111111111111111111111111"
		    "1111111111111111111111111111"),
		LIT(SIGNATURE "\x11\x11\x00\x00"),
		LIT(SIGNATURE "\x22\x11\x00\x00"),
		LIT(SIGNATURE "\x21\x11\x00\x0b\xc0\x00\x02\x01\xc0\x00\x02\x02\xdc\x04\x01"),
		LIT(SIGNATURE "\x21\x21\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\xdc\x04\x01\xbb"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct proxyproto p = { .version = 77 };
		struct err e = { 0 };
		size_t used = 0;

		if (proxyproto_parse(bad[i], &p, &used, &e) != PROXYPROTO_BAD)
			fail_msg("case %zu: taken", i);
		assert_int_equal(e.code, ERR_WIRE_DECODE);
		assert_int_equal(p.version, 77);
		assert_int_equal(used, 0);
	}
}

static void other_bytes_are_no_header(void **state)
{
	static const struct bytes other[] = { LIT("GET / "), LIT("\x16\x03\x01"), LIT("PROXYTCP4"),
					      LIT("\r\n\r\nGET"), LIT("P0") };
	struct proxyproto p;
	size_t used;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		assert_int_equal(proxyproto_parse(other[i], &p, &used, NULL), PROXYPROTO_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_both_versions_whole_and_wants_more_of_each_part),
		cmocka_unit_test(refuses_each_rule_broken),
		cmocka_unit_test(other_bytes_are_no_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
