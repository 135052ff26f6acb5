#include "wire/socks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define B(s) bytes_of("" s, sizeof(s) - 1)
/* For static tables. */
#define LIT(s)                                                                                     \
	{                                                                                          \
		(const uint8_t *)("" s), sizeof(s) - 1                                             \
	}

static void reads_greetings(void **state)
{
	struct bytes in = B("\x05\x03\x01\x02\x00rest");
	struct socks_greeting g = { 0 };
	size_t used = 99;

	(void)state;
	for (size_t n = 0; n < 5; n++)
		assert_int_equal(socks_greeting_parse(bytes_slice(in, 0, n), &g, &used, NULL),
				 SOCKS_MORE);
	assert_int_equal(used, 99);
	assert_int_equal(socks_greeting_parse(in, &g, &used, NULL), SOCKS_DONE);
	assert_int_equal(used, 5);
	assert_true(g.no_auth && g.password);
	assert_int_equal(socks_greeting_parse(B("\x05\x01\x02"), &g, &used, NULL), SOCKS_DONE);
	assert_true(!g.no_auth && g.password);
	assert_int_equal(socks_greeting_parse(B("\x05\x00"), &g, &used, NULL), SOCKS_DONE);
	assert_true(!g.no_auth && !g.password);
}

static void refuses_other_versions_at_the_first_byte(void **state)
{
	struct socks_greeting g;
	struct socks_password p;
	struct socks_request r;
	enum socks_reply reply;
	struct err e = { 0 };
	size_t used;

	(void)state;
	assert_int_equal(socks_greeting_parse(B("\x04"), &g, &used, &e), SOCKS_BAD);
	assert_int_equal(e.code, ERR_WIRE_DECODE);
	assert_string_equal(e.sentence, "SOCKS greeting of version 4, not 5");
	assert_int_equal(socks_password_parse(B("\x05"), &p, &used, &e), SOCKS_BAD);
	assert_int_equal(socks_request_parse(B("\x01"), &r, &used, &reply, &e), SOCKS_BAD);
	assert_int_equal(reply, SOCKS_FAILURE);
}

static void reads_user_name_and_password(void **state)
{
	struct bytes in = B("\x01\x02me\x03pw!\x05");
	struct socks_password p;
	size_t used;

	(void)state;
	for (size_t n = 0; n < in.n - 1; n++)
		assert_int_equal(socks_password_parse(bytes_slice(in, 0, n), &p, &used, NULL),
				 SOCKS_MORE);
	assert_int_equal(socks_password_parse(in, &p, &used, NULL), SOCKS_DONE);
	assert_int_equal(used, in.n - 1);
	assert_true(bytes_equal(p.user, B("me")));
	assert_true(bytes_equal(p.password, B("pw!")));
	assert_int_equal(socks_password_parse(B("\x01\x00\x00"), &p, &used, NULL), SOCKS_DONE);
	assert_int_equal(p.user.n, 0);
}

static void reads_requests_for_each_kind_of_host(void **state)
{
	static const struct {
		struct bytes in;
		uint8_t command;
		const char *host;
	} good[] = {
		{ LIT("\x05\x01\x00\x01\x0a\x09\x00\x2b\x01\xbb"), SOCKS_CONNECT, "10.9.0.43:443" },
		{ LIT("\x05\x01\x00\x03\x0b"
		      "Example.COM\x01\xbb"),
		  SOCKS_CONNECT, "example.com:443" },
		{ LIT("\x05\x01\x00\x03\x09"
		      "127.0.0.1\x00\x50"),
		  SOCKS_CONNECT, "127.0.0.1:80" },
		{ LIT("\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50"), SOCKS_CONNECT,
		  "[::1]:80" },
		{ LIT("\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01\x00\x50"),
		  SOCKS_CONNECT, "127.0.0.1:80" },
		{ LIT("\x05\x02\x00\x01\x01\x02\x03\x04\x00\x00"), SOCKS_BIND, "1.2.3.4" },
		{ LIT("\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00"), SOCKS_UDP_ASSOCIATE, "0.0.0.0" },
		{ LIT("\x05\x01\xff\x01\x01\x02\x03\x04\x00\x01"), SOCKS_CONNECT, "1.2.3.4:1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct socks_request r = { 0 };
		enum socks_reply reply;
		char text[HOST_TEXT_MAX];
		struct err e = { 0 };
		size_t used = 0;

		for (size_t n = 0; n < good[i].in.n; n++)
			assert_int_equal(socks_request_parse(bytes_slice(good[i].in, 0, n), &r,
							     &used, &reply, NULL),
					 SOCKS_MORE);
		if (socks_request_parse(good[i].in, &r, &used, &reply, &e) != SOCKS_DONE)
			fail_msg("%s: %s", good[i].host, e.sentence);
		assert_int_equal(used, good[i].in.n);
		assert_int_equal(r.command, good[i].command);
		assert_string_equal(host_text(&r.host, text), good[i].host);
	}
}

static void says_what_to_answer_to_a_bad_request(void **state)
{
	static const struct {
		struct bytes in;
		enum socks_reply reply;
	} bad[] = {
		{ LIT("\x04\x01\x00\x50"), SOCKS_FAILURE },
		{ LIT("\x05\x00"), SOCKS_BAD_COMMAND },
		{ LIT("\x05\x04\x00\x01\x01\x02\x03\x04\x00\x50"), SOCKS_BAD_COMMAND },
		{ LIT("\x05\x01\x00\x00"), SOCKS_BAD_ADDRESS },
		{ LIT("\x05\x01\x00\x02\x01\x02\x03\x04\x00\x50"), SOCKS_BAD_ADDRESS },
		{ LIT("\x05\x01\x00\x03\x00\x00\x50"), SOCKS_BAD_ADDRESS },
		{ LIT("\x05\x01\x00\x03\x03"
		      "a\0b\x00\x50"),
		  SOCKS_BAD_ADDRESS },
		{ LIT("\x05\x01\x00\x03\x05"
		      "127.1\x00\x50"),
		  SOCKS_BAD_ADDRESS },
		{ LIT("\x05\x01\x00\x01\x01\x02\x03\x04\x00\x00"), SOCKS_FAILURE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct socks_request r = { .command = 77 };
		enum socks_reply reply = SOCKS_SUCCEEDED;
		struct err e = { 0 };
		size_t used = 0;

		assert_int_equal(socks_request_parse(bad[i].in, &r, &used, &reply, &e), SOCKS_BAD);
		assert_int_equal(reply, bad[i].reply);
		assert_int_not_equal(e.code, ERR_NONE);
		assert_int_equal(r.command, 77);
		assert_int_equal(used, 0);
	}
}

static void writes_answers(void **state)
{
	uint8_t out[SOCKS_REPLY_MAX], two[2], four[SOCKS4_REPLY_SIZE];
	struct addr a;
	size_t n;

	(void)state;
	socks_method_write(SOCKS_PASSWORD, two);
	assert_true(bytes_equal(bytes_of(two, 2), B("\x05\x02")));
	socks_method_write(SOCKS_NO_METHOD, two);
	assert_true(bytes_equal(bytes_of(two, 2), B("\x05\xff")));
	socks_password_write(true, two);
	assert_true(bytes_equal(bytes_of(two, 2), B("\x01\x00")));
	socks_password_write(false, two);
	assert_true(bytes_equal(bytes_of(two, 2), B("\x01\x01")));
	n = socks_reply_write(SOCKS_NOT_ALLOWED, NULL, out);
	assert_true(bytes_equal(bytes_of(out, n), B("\x05\x02\x00\x01\0\0\0\0\0\0")));
	assert_true(addr_parse_ip(bytes_str("10.9.0.143"), 0x1234, &a));
	n = socks_reply_write(SOCKS_SUCCEEDED, &a, out);
	assert_true(bytes_equal(bytes_of(out, n), B("\x05\x00\x00\x01\x0a\x09\x00\x8f\x12\x34")));
	assert_true(addr_parse_ip(bytes_str("::1"), 1, &a));
	n = socks_reply_write(SOCKS_SUCCEEDED, &a, out);
	assert_int_equal(n, SOCKS_REPLY_MAX);
	assert_true(bytes_equal(bytes_of(out, n),
				B("\x05\x00\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x01")));
	n = socks_reply_write(SOCKS_FAILURE, &(struct addr){ 0 }, out);
	assert_int_equal(n, 10);
	socks4_refusal_write(four);
	assert_true(bytes_equal(bytes_of(four, 8), B("\x00\x5b\0\0\0\0\0\0")));
	assert_string_equal(socks_reply_text(SOCKS_HOST_UNREACHABLE), "host unreachable");
	assert_string_equal(socks_reply_text(9), "unassigned");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_greetings),
		cmocka_unit_test(refuses_other_versions_at_the_first_byte),
		cmocka_unit_test(reads_user_name_and_password),
		cmocka_unit_test(reads_requests_for_each_kind_of_host),
		cmocka_unit_test(says_what_to_answer_to_a_bad_request),
		cmocka_unit_test(writes_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
