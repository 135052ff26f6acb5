#include "flow/diagnose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"

static struct diagnosis about(enum failure f)
{
	return (struct diagnosis){
		.failure = f, .host = bytes_str("db.test"), .port = 443, .alert = -1
	};
}

static void assert_said(const struct diagnosis *d, const char *want)
{
	char room[600];

	assert_string_equal(diagnose_to(room, sizeof(room), d), want);
}

static void every_word_is_found_again(void **state)
{
	(void)state;
	for (size_t i = 1; i < FAILURE_COUNT; i++) {
		assert_non_null(failure_word((enum failure)i));
		assert_int_equal(failure_find(failure_word((enum failure)i)), i);
	}
	assert_null(failure_word(FAILURE_NONE));
	assert_null(failure_word(FAILURE_COUNT));
	assert_int_equal(failure_find(NULL), FAILURE_NONE);
	assert_int_equal(failure_find("no such word"), FAILURE_INTERNAL);
}

static void words_are_fit_for_metrics(void **state)
{
	(void)state;
	for (size_t i = 1; i < FAILURE_COUNT; i++)
		for (const char *p = failure_word((enum failure)i); *p; p++)
			assert_true(*p == '-' || (*p >= 'a' && *p <= 'z'));
}

/* Whatever is known or not, no sentence has a brace or a percent sign left, or a gap. */
static void every_sentence_is_whole_with_and_without_what_it_may_name(void **state)
{
	(void)state;
	for (size_t i = 1; i < FAILURE_COUNT; i++) {
		for (unsigned known = 0; known < 64; known++) {
			struct diagnosis d = { .failure = (enum failure)i, .alert = -1 };
			char room[600];

			for (int alert = known & 1 ? 0 : -1; alert < (known & 1 ? 130 : 0);
			     alert++) {
				d.alert = alert;
				if (known & 2)
					d.host = bytes_str("host");
				if (known & 4)
					d.port = 1;
				if (known & 8)
					d.sni = bytes_str("name");
				if (known & 16)
					d.verdict = bytes_str("bad");
				if (known & 32)
					d.detail = bytes_str("detail");
				diagnose_to(room, sizeof(room), &d);
				assert_true(strlen(room) > 10);
				assert_null(strpbrk(room, "{}%"));
				assert_null(strstr(room, "  "));
				assert_null(strstr(room, " ,"));
				assert_null(strstr(room, "()"));
			}
		}
	}
}

static void a_client_without_our_root_gets_the_remedy(void **state)
{
	struct diagnosis d = about(FAILURE_CLIENT_REJECTS);

	(void)state;
	d.alert = 48;
	assert_said(&d, "the client does not trust oriel's bump CA (alert unknown_ca); "
			"install it with `oriel trust install`, or use `oriel env`");
	d.alert = 46;
	assert_said(&d, "the client does not accept the certificate (alert certificate_unknown); "
			"install the bump CA with `oriel trust install`, or use `oriel env`; "
			"if the client pins its certificates, splice db.test:443");
}

static void an_expired_certificate_upstream_is_named(void **state)
{
	struct diagnosis d = about(FAILURE_UPSTREAM_CERT);

	(void)state;
	d.verdict = bytes_str("it expired on 2026-01-01");
	assert_said(&d, "the certificate of db.test:443 does not verify: it expired on 2026-01-01; "
			"renew or repair it, name its CA under `upstream-ca:`, "
			"or say `invalid-upstream: mirror` in the rule");
}

static void alerts_of_servers_are_told_apart(void **state)
{
	struct diagnosis d = about(FAILURE_UPSTREAM_ALERT);

	(void)state;
	assert_said(&d, "db.test:443 refused the handshake");
	d.alert = 80;
	assert_said(&d, "db.test:443 refused the handshake with alert internal_error");
	d.alert = 116;
	assert_said(&d,
		    "db.test:443 wants a client certificate (alert certificate_required); "
		    "splice this target: the client's own certificate cannot pass through a bump");
	d.alert = 112;
	d.sni = bytes_str("x.test");
	assert_said(&d, "db.test:443 does not serve the name x.test (alert unrecognized_name); "
			"check the name that the client asks for");
}

static void details_follow_and_missing_hosts_do_not_show(void **state)
{
	struct diagnosis d = { .failure = FAILURE_DIAL_REFUSED, .alert = -1 };

	(void)state;
	assert_said(&d, "the server refused the connection; "
			"check that the server runs and listens on this port");
	d = about(FAILURE_DNS);
	d.detail = bytes_str("NXDOMAIN");
	assert_said(&d, "the name db.test cannot be resolved: NXDOMAIN; "
			"check the name, or give its address under `hosts:`");
	d.failure = FAILURE_NONE;
	assert_said(&d, "");
}

static void a_flow_is_diagnosed_by_what_it_saw(void **state)
{
	struct flow_info f = { .failure = "upstream-certificate",
			       .side = LEG_SERVER,
			       .target_host = bytes_str("h"),
			       .verdict = CHAIN_OK,
			       .verdict_reason = bytes_str("why") };
	struct diagnosis d;

	(void)state;
	f.leg[LEG_SERVER].alert_seen = true;
	f.leg[LEG_SERVER].alert = 40;
	d = diagnosis_of(&f);
	assert_int_equal(d.failure, FAILURE_UPSTREAM_CERT);
	assert_int_equal(d.alert, 40);
	assert_int_equal(d.verdict.n, 0);
	f.verdict = CHAIN_EXPIRED;
	f.leg[LEG_SERVER].alert_sent = true;
	d = diagnosis_of(&f);
	assert_int_equal(d.alert, -1);
	assert_int_equal(d.verdict.n, 3);
}

static void a_small_room_is_not_overrun_and_missing_memory_gives_the_word(void **state)
{
	struct diagnosis d = about(FAILURE_DNS);
	char room[20];

	(void)state;
	memset(room, '#', sizeof(room));
	diagnose_to(room, 10, &d);
	assert_string_equal(room, "the name ");
	assert_int_equal(room[10], '#');
	mem_fail_at(1);
	diagnose_to(room, sizeof(room), &d);
	mem_fail_at(0);
	assert_string_equal(room, "dns");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word_is_found_again),
		cmocka_unit_test(words_are_fit_for_metrics),
		cmocka_unit_test(every_sentence_is_whole_with_and_without_what_it_may_name),
		cmocka_unit_test(a_client_without_our_root_gets_the_remedy),
		cmocka_unit_test(an_expired_certificate_upstream_is_named),
		cmocka_unit_test(alerts_of_servers_are_told_apart),
		cmocka_unit_test(details_follow_and_missing_hosts_do_not_show),
		cmocka_unit_test(a_flow_is_diagnosed_by_what_it_saw),
		cmocka_unit_test(a_small_room_is_not_overrun_and_missing_memory_gives_the_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
