#include "proxy/failure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void every_failure_has_a_status_for_those_who_wait_for_one(void **state)
{
	(void)state;
	for (int f = FAILURE_NONE + 1; f < FAILURE_COUNT; f++) {
		const struct failure_shown *s = failure_shown((enum failure)f);

		if (s->http_status < 400 || s->http_status > 599 || s->socks == SOCKS_SUCCEEDED)
			fail_msg("%s: %u", failure_word((enum failure)f), s->http_status);
	}
}

static void an_alert_is_never_a_close_notify(void **state)
{
	(void)state;
	for (int f = FAILURE_NONE + 1; f < FAILURE_COUNT; f++) {
		const struct failure_shown *s = failure_shown((enum failure)f);
		bool alerts = s->sees == SEES_ALERT || s->sees == SEES_SAME_ALERT;

		assert_int_equal(alerts, s->alert != ALERT_CLOSE_NOTIFY);
	}
}

/* The rows that are promised. */
static void the_client_sees_what_the_server_did(void **state)
{
	(void)state;
	assert_int_equal(failure_shown(FAILURE_UPSTREAM_ALERT)->sees, SEES_SAME_ALERT);
	assert_int_equal(failure_shown(FAILURE_UPSTREAM_RESET)->sees, SEES_RESET);
	assert_int_equal(failure_shown(FAILURE_UPSTREAM_TIMEOUT)->sees, SEES_CLOSE);
	assert_int_equal(failure_shown(FAILURE_UPSTREAM_NOT_TLS)->sees, SEES_CLOSE);
	assert_int_equal(failure_shown(FAILURE_POLICY_BLOCK)->alert, ALERT_ACCESS_DENIED);
	assert_int_equal(failure_shown(FAILURE_POLICY_BLOCK)->http_status, 403);
	assert_int_equal(failure_shown(FAILURE_POLICY_BLOCK)->socks, SOCKS_NOT_ALLOWED);
	assert_int_equal(failure_shown(FAILURE_SNI_INVALID)->alert, ALERT_UNRECOGNIZED_NAME);
	assert_int_equal(failure_shown(FAILURE_DIAL_TIMEOUT)->http_status, 504);
	assert_int_equal(failure_shown(FAILURE_DIAL_REFUSED)->http_status, 502);
	assert_int_equal(failure_shown(FAILURE_DIAL_REFUSED)->socks, SOCKS_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failure_has_a_status_for_those_who_wait_for_one),
		cmocka_unit_test(an_alert_is_never_a_close_notify),
		cmocka_unit_test(the_client_sees_what_the_server_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
