#include "wire/alert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/record.h"

#define B(s) bytes_of("" s, sizeof(s) - 1)

static void every_alert_has_a_name_and_a_meaning_of_its_own(void **state)
{
	size_t assigned = 0;

	(void)state;
	for (unsigned a = 0; a < 256; a++) {
		if (strcmp(alert_name((uint8_t)a), "unassigned") == 0)
			continue;
		assigned++;
		for (unsigned b = 0; b < a; b++) {
			assert_string_not_equal(alert_name((uint8_t)a), alert_name((uint8_t)b));
			assert_string_not_equal(alert_meaning((uint8_t)a),
						alert_meaning((uint8_t)b));
		}
	}
	assert_int_equal(assigned, 38);
	assert_string_equal(alert_name(ALERT_UNKNOWN_CA), "unknown_ca");
	assert_string_equal(alert_name(ALERT_ECH_REQUIRED), "ech_required");
	assert_string_equal(alert_meaning(ALERT_UNKNOWN_CA),
			    "it does not trust the issuer of the certificate");
	assert_string_equal(alert_name(2), "unassigned");
	assert_string_equal(alert_name(255), "unassigned");
	assert_non_null(alert_meaning(255));
}

static void knows_which_alerts_are_about_the_certificate_shown(void **state)
{
	(void)state;
	assert_true(alert_is_about_certificate(ALERT_UNKNOWN_CA));
	assert_true(alert_is_about_certificate(ALERT_BAD_CERTIFICATE));
	assert_true(alert_is_about_certificate(ALERT_CERTIFICATE_UNKNOWN));
	assert_false(alert_is_about_certificate(ALERT_CERTIFICATE_REQUIRED));
	assert_false(alert_is_about_certificate(ALERT_HANDSHAKE_FAILURE));
	assert_false(alert_is_about_certificate(255));
}

static void writes_a_record_that_it_can_read(void **state)
{
	uint8_t out[ALERT_RECORD_SIZE], level, code;
	struct record r;

	(void)state;
	alert_write(out, 0x0303, ALERT_FATAL, ALERT_UNRECOGNIZED_NAME);
	assert_true(bytes_equal(bytes_of(out, sizeof(out)), B("\x15\x03\x03\x00\x02\x02\x70")));
	assert_int_equal(record_next(bytes_of(out, sizeof(out)), RECORD_PLAIN_MAX, &r, NULL, NULL),
			 RECORD_DONE);
	assert_int_equal(alert_parse(r.body, &level, &code, NULL), 0);
	assert_int_equal(level, ALERT_FATAL);
	assert_int_equal(code, ALERT_UNRECOGNIZED_NAME);
}

static void refuses_what_is_no_alert(void **state)
{
	uint8_t level = 9, code = 9;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(alert_parse(B(""), &level, &code, &e), -1);
	assert_int_equal(e.code, ERR_TLS_DECODE);
	assert_int_equal(alert_parse(B("\x02"), &level, &code, NULL), -1);
	assert_int_equal(alert_parse(B("\x02\x28\x00"), &level, &code, NULL), -1);
	assert_int_equal(alert_parse(B("\x00\x28"), &level, &code, NULL), -1);
	assert_int_equal(alert_parse(B("\x03\x28"), &level, &code, NULL), -1);
	assert_int_equal(level, 9);
	assert_int_equal(code, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_alert_has_a_name_and_a_meaning_of_its_own),
		cmocka_unit_test(knows_which_alerts_are_about_the_certificate_shown),
		cmocka_unit_test(writes_a_record_that_it_can_read),
		cmocka_unit_test(refuses_what_is_no_alert),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
