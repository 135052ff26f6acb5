#include "wire/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/handshake.h"

#define B(s) bytes_of("" s, sizeof(s) - 1)
/* For static tables. */
#define LIT(s)                                                                                     \
	{                                                                                          \
		(const uint8_t *)("" s), sizeof(s) - 1                                             \
	}

static void reads_one_record_after_another(void **state)
{
	struct bytes in = B("\x16\x03\x01\x00\x03"
			    "abc"
			    "\x17\x03\x03\x00\x00"
			    "\x15\x03\x03\x00\x02\x01\x00\x16");
	struct record r;

	(void)state;
	assert_int_equal(record_next(in, RECORD_PLAIN_MAX, &r, NULL, NULL), RECORD_DONE);
	assert_int_equal(r.type, RECORD_HANDSHAKE);
	assert_int_equal(r.version, 0x0301);
	assert_true(bytes_equal(r.body, B("abc")));
	assert_int_equal(r.raw.n, 8);
	in = bytes_slice(in, r.raw.n, in.n);
	assert_int_equal(record_next(in, RECORD_PLAIN_MAX, &r, NULL, NULL), RECORD_DONE);
	assert_int_equal(r.type, RECORD_APPLICATION_DATA);
	assert_int_equal(r.body.n, 0);
	in = bytes_slice(in, r.raw.n, in.n);
	assert_int_equal(record_next(in, RECORD_PLAIN_MAX, &r, NULL, NULL), RECORD_DONE);
	assert_int_equal(r.type, RECORD_ALERT);
	in = bytes_slice(in, r.raw.n, in.n);
	assert_int_equal(in.n, 1);
}

static void wants_more_of_every_truncation(void **state)
{
	struct bytes in = B("\x16\x03\x03\x00\x04"
			    "abcd");
	struct record r = { .type = 99 };

	(void)state;
	for (size_t n = 0; n < in.n; n++)
		assert_int_equal(record_next(bytes_slice(in, 0, n), RECORD_PLAIN_MAX, &r, NULL,
					     NULL),
				 RECORD_MORE);
	assert_int_equal(r.type, 99);
}

static void judges_the_header_as_early_as_it_can(void **state)
{
	static const struct {
		struct bytes in;
		enum record_outcome outcome;
		enum alert alert;
	} cases[] = {
		{ LIT("G"), RECORD_NOT_TLS, 0 },
		{ LIT("\x13"), RECORD_NOT_TLS, 0 },
		{ LIT("\x19"), RECORD_NOT_TLS, 0 },
		{ LIT("\x16\x02"), RECORD_NOT_TLS, 0 },
		{ LIT("\x16\x04"), RECORD_NOT_TLS, 0 },
		{ LIT("\x16\x03\x01\x40\x01"), RECORD_BAD, ALERT_RECORD_OVERFLOW },
		{ LIT("\x16\x03\x01\x00\x00"), RECORD_BAD, ALERT_UNEXPECTED_MESSAGE },
		{ LIT("\x15\x03\x01\x00\x00"), RECORD_BAD, ALERT_UNEXPECTED_MESSAGE },
		{ LIT("\x14\x03\x01\x00\x00"), RECORD_BAD, ALERT_UNEXPECTED_MESSAGE },
		{ LIT("\x16\x03\x01\x40\x00"), RECORD_MORE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		struct record r;
		enum alert alert = 0;

		assert_int_equal(record_next(cases[i].in, RECORD_PLAIN_MAX, &r, &alert, &e),
				 cases[i].outcome);
		assert_int_equal(alert, cases[i].alert);
		assert_int_equal(e.code,
				 cases[i].outcome == RECORD_MORE ? ERR_NONE : ERR_TLS_DECODE);
	}
}

static void the_limits_are_those_of_the_rfcs(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(record_next(B("\x17\x03\x03\x41\x00"), RECORD_CIPHER_MAX, &r, NULL, NULL),
			 RECORD_MORE);
	assert_int_equal(record_next(B("\x17\x03\x03\x41\x01"), RECORD_CIPHER_MAX, &r, NULL, NULL),
			 RECORD_BAD);
	assert_int_equal(record_next(B("\x17\x03\x03\x48\x00"), RECORD_CIPHER_MAX_12, &r, NULL,
				     NULL),
			 RECORD_MORE);
	assert_int_equal(record_next(B("\x17\x03\x03\x48\x01"), RECORD_CIPHER_MAX_12, &r, NULL,
				     NULL),
			 RECORD_BAD);
}

static void reads_handshake_messages(void **state)
{
	struct bytes in = B("\x0b\x00\x00\x02"
			    "xy"
			    "\x0e\x00\x00\x00");
	struct handshake h;

	(void)state;
	for (size_t n = 0; n < 6; n++)
		assert_int_equal(handshake_next(bytes_slice(in, 0, n), 100, &h), HANDSHAKE_MORE);
	assert_int_equal(handshake_next(in, 100, &h), HANDSHAKE_DONE);
	assert_int_equal(h.type, HANDSHAKE_CERTIFICATE);
	assert_true(bytes_equal(h.body, B("xy")));
	assert_int_equal(h.raw.n, 6);
	assert_int_equal(handshake_next(bytes_slice(in, 6, 4), 4, &h), HANDSHAKE_DONE);
	assert_int_equal(h.type, HANDSHAKE_SERVER_HELLO_DONE);
	assert_int_equal(h.body.n, 0);
	assert_int_equal(handshake_next(in, 6, &h), HANDSHAKE_DONE);
	assert_int_equal(handshake_next(in, 5, &h), HANDSHAKE_TOO_LONG);
	assert_int_equal(handshake_next(bytes_slice(in, 0, 4), 5, &h), HANDSHAKE_TOO_LONG);
	assert_int_equal(handshake_next(in, 0, &h), HANDSHAKE_TOO_LONG);
}

static void knows_names_of_types(void **state)
{
	(void)state;
	assert_string_equal(record_type_name(RECORD_HANDSHAKE), "handshake");
	assert_string_equal(record_type_name(0), "unknown");
	assert_string_equal(record_type_name(255), "unknown");
	assert_string_equal(handshake_type_name(HANDSHAKE_CLIENT_HELLO), "client_hello");
	assert_string_equal(handshake_type_name(HANDSHAKE_MESSAGE_HASH), "message_hash");
	assert_string_equal(handshake_type_name(7), "unknown");
	assert_string_equal(handshake_type_name(255), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_one_record_after_another),
		cmocka_unit_test(wants_more_of_every_truncation),
		cmocka_unit_test(judges_the_header_as_early_as_it_can),
		cmocka_unit_test(the_limits_are_those_of_the_rfcs),
		cmocka_unit_test(reads_handshake_messages),
		cmocka_unit_test(knows_names_of_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
