#include "proxy/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <pthread.h>

#include "base/mem.h"

static void the_defaults_are_one_egress_on_loopback_that_bumps(void **state)
{
	struct proxy_config *c = NULL;
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(proxy_config_defaults(&c, NULL), 0);
	assert_int_equal(c->listener_count, 1);
	assert_string_equal(addr_text(&c->listeners[0].bind, text), "127.0.0.1:8080");
	assert_int_equal(c->listeners[0].otherwise.action, CONFIG_BUMP);
	assert_int_equal(c->listeners[0].otherwise.invalid_upstream, CONFIG_INVALID_MIRROR);
	assert_int_equal(c->listeners[0].otherwise.upstream_min_version, 0x0303);
	assert_int_equal(c->listeners[0].port, 443);
	assert_int_equal(c->listeners[0].timeouts.silent_client, 2000000000);
	assert_int_equal(c->bump_cert, CONFIG_NO_ASSET);
	assert_int_equal(c->asset_count, 0);
	assert_false(config_rule_rewrites(&c->listeners[0].otherwise));
	proxy_config_free(c);
	proxy_config_free(NULL);
}

static void every_default_timeout_and_limit_is_above_zero(void **state)
{
	const struct config_timeouts *t = &config_timeouts_default;
	const struct config_limits *l = &config_limits_default;

	(void)state;
	assert_true(t->hello > 0 && t->dial > 0 && t->handshake > 0 && t->idle > 0);
	assert_true(t->silent_client > 0 && t->half_close > 0 && t->drain > 0);
	assert_memory_equal(t, &config_listener_default.timeouts, sizeof(*t));
	assert_true(l->connections && l->connections_per_client && l->buffer);
	assert_true(l->certificates && l->sessions);
}

static void *take_and_drop(void *c)
{
	for (int i = 0; i < 10000; i++)
		proxy_config_free(proxy_config_ref(c));
	proxy_config_free(c);
	return NULL;
}

static void the_last_count_frees_from_any_thread(void **state)
{
	struct proxy_config *c = NULL;
	pthread_t threads[4];

	(void)state;
	assert_int_equal(proxy_config_defaults(&c, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_drop,
						proxy_config_ref(c)),
				 0);
	proxy_config_free(c);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
}

static void fails_cleanly_without_memory(void **state)
{
	struct proxy_config *c = NULL;
	struct err e;

	(void)state;
	for (size_t n = 1; n <= 2; n++) {
		mem_fail_at(n);
		assert_int_equal(proxy_config_defaults(&c, &e), -1);
		mem_fail_at(0);
		assert_int_equal(e.code, ERR_NOMEM);
		assert_null(c);
	}
}

static void actions_have_their_words(void **state)
{
	(void)state;
	assert_string_equal(config_action_text(CONFIG_BUMP), "bump");
	assert_string_equal(config_action_text(CONFIG_SPLICE), "splice");
	assert_string_equal(config_action_text(CONFIG_BLOCK), "block");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_one_egress_on_loopback_that_bumps),
		cmocka_unit_test(every_default_timeout_and_limit_is_above_zero),
		cmocka_unit_test(the_last_count_frees_from_any_thread),
		cmocka_unit_test(fails_cleanly_without_memory),
		cmocka_unit_test(actions_have_their_words),
	};

	return cmocka_run_group_tests_name("proxy/config", tests, NULL, NULL);
}
