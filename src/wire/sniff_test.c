#include "wire/sniff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

/* For static tables. */
#define LIT(s)                                                                                     \
	{                                                                                          \
		(const uint8_t *)("" s), sizeof(s) - 1                                             \
	}

static const struct {
	struct bytes in;
	enum sniff want;
} cases[] = {
	{ LIT("\x16\x03\x01\x00\xf4\x01"), SNIFF_TLS },
	{ LIT("\x16\x03\x03\x40\x00"), SNIFF_TLS },
	{ LIT("\x16\x03\x03\x41\x00"), SNIFF_OTHER },
	{ LIT("\x16\x04\x03\x40\x00"), SNIFF_OTHER },
	{ LIT("\x05\x01\x00"), SNIFF_SOCKS5 },
	{ LIT("\x04\x01\x00\x50"), SNIFF_SOCKS4 },
	{ LIT("\x04\x02\x00\x50"), SNIFF_SOCKS4 },
	{ LIT("\x04\x03\x00\x50"), SNIFF_OTHER },
	{ LIT("\x80\x2e\x01\x00\x02\x00"), SNIFF_SSLV2_HELLO },
	{ LIT("\x80\x2e\x01\x03\x01\x00"), SNIFF_SSLV2_HELLO },
	{ LIT("\x80\x2e\x02\x03\x01\x00"), SNIFF_OTHER },
	{ LIT("\x80\x2e\x01\x05\x01\x00"), SNIFF_OTHER },
	{ LIT("\x80\x03\x01\x03\x01\x00"), SNIFF_OTHER },
	{ LIT("GET / HTTP/1.1\r\n"), SNIFF_HTTP },
	{ LIT("CONNECT a:1 HTTP/1.1\r\n"), SNIFF_HTTP },
	{ LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), SNIFF_HTTP },
	{ LIT("BREW /pot-0 HTCPCP/1.0"), SNIFF_HTTP },
	{ LIT("M-SEARCH * HTTP/1.1\r\n"), SNIFF_HTTP },
	{ LIT("get http://a/ HTTP/1.1\r\n"), SNIFF_HTTP },
	{ LIT("EHLO mail.example\r\n"), SNIFF_OTHER },
	{ LIT("EHLO httpd.example\r\n"), SNIFF_OTHER },
	{ LIT("SSH-2.0-OpenSSH_9.2\r\n"), SNIFF_OTHER },
	{ LIT("* OK IMAP"), SNIFF_OTHER },
	{ LIT("a1 LOGIN x y"), SNIFF_OTHER },
	{ LIT("AVERYLONGTOKENWITHOUTANYSPACE"), SNIFF_OTHER },
	{ LIT("GET\t/"), SNIFF_OTHER },
	{ LIT(" GET /"), SNIFF_OTHER },
	{ LIT("\r\nGET /"), SNIFF_OTHER },
	{ LIT("\0\0\0\0"), SNIFF_OTHER },
	{ LIT("PROXY TCP4 "), SNIFF_OTHER },
};

static void tells_protocols_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (sniff_first(cases[i].in) != cases[i].want)
			fail_msg("case %zu: %s", i, sniff_text(sniff_first(cases[i].in)));
	}
}

/* An answer never changes once it is there, and comes within SNIFF_MAX bytes. */
static void an_answer_holds_from_the_first_byte_that_gives_it(void **state)
{
	(void)state;
	assert_int_equal(sniff_first(bytes_of(NULL, 0)), SNIFF_MORE);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t n = 1; n <= cases[i].in.n; n++) {
			enum sniff s = sniff_first(bytes_slice(cases[i].in, 0, n));

			if (s != SNIFF_MORE && s != cases[i].want)
				fail_msg("case %zu after %zu bytes: %s", i, n, sniff_text(s));
		}
	}
	for (size_t i = 0; i < 256; i++) {
		uint8_t first[SNIFF_MAX];

		memset(first, (int)i, sizeof(first));
		assert_int_not_equal(sniff_first(bytes_of(first, sizeof(first))), SNIFF_MORE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_protocols_apart),
		cmocka_unit_test(an_answer_holds_from_the_first_byte_that_gives_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
