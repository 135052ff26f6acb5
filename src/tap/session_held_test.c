#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "tap/session_kit.h"

#include <cmocka.h>
#include <openssl/ssl.h> /* lint-ok: the peers that are listened to */

/* A conversation: a request, an answer of several records, and the end. */
static void talk(struct kit *k)
{
	kit_shake(k);
	kit_send(k, DIR_UP, 100);
	kit_send(k, DIR_DOWN, 50000);
	kit_send(k, DIR_UP, 3);
	kit_send(k, DIR_DOWN, 1);
	kit_close(k);
}

static void either_direction_may_be_late(void **state)
{
	struct kit_options o = { 0 };
	struct kit k;

	(void)state;
	kit_init(&k, &o);
	talk(&k);
	for (int first = 0; first < 2; first++) {
		struct play p;

		play_init(&p, buf_bytes(&k.keys));
		for (int turn = 0; turn < 2; turn++)
			for (size_t i = 0; i < k.count; i++)
				if ((k.pieces[i].dir == (enum flow_dir)first) == (turn == 0))
					play_piece(&p, &k, i, 0);
		play_end(&p);
		play_check(&p, &k);
		play_fini(&p);
	}
	kit_fini(&k);
}

static void waits_for_secrets(void **state)
{
	struct kit_options o = { 0 };
	struct kit k;

	(void)state;
	kit_init(&k, &o);
	talk(&k);
	for (size_t when = 0; when <= k.count; when++) {
		struct play p;

		play_init(&p, (struct bytes){ 0 });
		p.shared.secrets_may_come = true;
		for (size_t i = 0; i < k.count; i++) {
			if (i == when)
				play_late_secrets(&p, buf_bytes(&k.keys));
			play_piece(&p, &k, i, 1000);
		}
		if (when == k.count)
			play_late_secrets(&p, buf_bytes(&k.keys));
		/* Whatever waited comes in the order in which it was captured. */
		assert_true(bytes_equal(buf_bytes(&p.turns), bytes_str("><><")));
		play_end(&p);
		play_check(&p, &k);
		assert_int_equal(p.ends[DIR_DOWN], END_CLEAN);
		play_fini(&p);
	}
	kit_fini(&k);
}

/* As blocks of secrets in a capture bring them: one after another, each perhaps late. */
static void secrets_may_come_one_by_one(void **state)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct kit_options o = { .version = versions[v] };
		struct kit k;

		kit_init(&k, &o);
		kit_shake(&k);
		kit_send(&k, DIR_UP, 100);
		kit_send(&k, DIR_DOWN, 50000);
		if (v == 0)
			kit_update(&k, DIR_UP, true);
		kit_send(&k, DIR_UP, 3);
		for (size_t from = 0; from < 6; from++) {
			struct bytes left = buf_bytes(&k.keys);
			struct play p;

			play_init(&p, (struct bytes){ 0 });
			p.shared.secrets_may_come = true;
			for (size_t i = 0; i < k.count || left.n; i++) {
				size_t n = bytes_index(left, '\n') + 1;

				if (i < k.count)
					play_piece(&p, &k, i, 0);
				if (i < from || left.n == 0)
					continue;
				play_late_secrets(&p, bytes_slice(left, 0, n));
				left = bytes_slice(left, n, left.n);
			}
			play_end(&p);
			play_check(&p, &k);
			play_fini(&p);
		}
		kit_fini(&k);
	}
}

static void secrets_that_never_come_are_missed_at_the_end(void **state)
{
	struct kit_options o = { 0 };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	talk(&k);
	play_init(&p, (struct bytes){ 0 });
	p.shared.secrets_may_come = true;
	play_all(&p, &k, 0);
	assert_int_equal(p.darks, 0);
	assert_true(p.shared.held > 50000);
	play_end(&p);
	assert_int_equal(p.darks, 1);
	assert_int_equal(p.why, DARK_NO_SECRET);
	play_fini(&p);
	kit_fini(&k);
}

/* More than may wait comes before its secrets: what waited is lost, what comes after them is not. */
static void too_late(int version)
{
	struct kit_options o = { .version = version };
	struct kit k;
	struct play p;
	size_t from;

	kit_init(&k, &o);
	kit_shake(&k);
	kit_send(&k, DIR_UP, 100);
	kit_send(&k, DIR_DOWN, 2 * TAP_HELD_FLOW);
	from = k.count;
	kit_send(&k, DIR_UP, 30);
	kit_send(&k, DIR_DOWN, 100000);
	kit_close(&k);
	play_init(&p, (struct bytes){ 0 });
	p.shared.secrets_may_come = true;
	for (size_t i = 0; i < from; i++)
		play_piece(&p, &k, i, 1400);
	assert_true(p.shared.held < 2 * TAP_HELD_FLOW);
	assert_int_equal(p.darks, 1);
	play_late_secrets(&p, buf_bytes(&k.keys));
	for (size_t i = from; i < k.count; i++)
		play_piece(&p, &k, i, 1400);
	play_end(&p);
	assert_int_equal(p.darks, 1);
	assert_int_equal(p.why, DARK_NO_SECRET);
	assert_true(p.plain[DIR_DOWN].n >= 100000);
	assert_memory_equal(p.plain[DIR_DOWN].p + p.plain[DIR_DOWN].n - 100000,
			    k.sent[DIR_DOWN].p + k.sent[DIR_DOWN].n - 100000, 100000);
	play_fini(&p);
	kit_fini(&k);
}

static void goes_on_when_secrets_come_too_late(void **state)
{
	(void)state;
	too_late(TLS1_3_VERSION);
	too_late(TLS1_2_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(either_direction_may_be_late),
		cmocka_unit_test(waits_for_secrets),
		cmocka_unit_test(secrets_may_come_one_by_one),
		cmocka_unit_test(secrets_that_never_come_are_missed_at_the_end),
		cmocka_unit_test(goes_on_when_secrets_come_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
