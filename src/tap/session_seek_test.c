#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "tap/session_kit.h"

#include <cmocka.h>
#include <openssl/ssl.h> /* lint-ok: the peers that are listened to */

/* A long answer, in records of 16 KiB and short ones. */
static void answer(struct kit *k, const struct kit_options *o)
{
	kit_init(k, o);
	kit_shake(k);
	kit_send(k, DIR_UP, 100);
	for (int i = 0; i < 8; i++) {
		kit_send(k, DIR_DOWN, 100000);
		kit_send(k, DIR_DOWN, 100);
		kit_send(k, DIR_UP, 30);
	}
	kit_send(k, DIR_DOWN, 700000);
	kit_close(k);
}

static void loses(const struct kit *k, const struct play_hole *holes, size_t count, size_t size)
{
	struct play p;
	uint64_t told = 0;

	play_init(&p, buf_bytes(&k->keys));
	play_holes(&p, k, holes, count, size);
	play_end(&p);
	play_check_holes(&p, k, holes, count);
	for (size_t i = 0; i < count; i++)
		told += holes[i].n;
	assert_true(p.lost >= told);
	assert_true(p.notes > 0);
	play_fini(&p);
}

/* The record of application data that is the n-th of its direction. */
static const struct kit_record *record_of(const struct kit *k, enum flow_dir dir, size_t n)
{
	for (size_t i = 0; i < k->record_count; i++)
		if (k->records[i].dir == dir && n-- == 0)
			return &k->records[i];
	fail();
	return &k->records[0];
}

static void loses_in_many_ways(const struct kit *k)
{
	const struct kit_record *r = record_of(k, DIR_DOWN, 5), *last;
	struct play_hole holes[] = {
		{ DIR_DOWN, r->from, r->n },	      /* one record, exactly */
		{ DIR_DOWN, r->from + 100, 1000 },    /* within one */
		{ DIR_DOWN, r->from + 2, 1 },	      /* of its header */
		{ DIR_DOWN, r->from - 10, 20 },	      /* the end of one, the header of the next */
		{ DIR_DOWN, r->from + 1000, 300000 }, /* many */
		{ DIR_DOWN, r->from, 500000 },	      { DIR_DOWN, r->from + 7, 1000000 },
	};
	struct play_hole two[2];

	for (size_t i = 0; i < ARRAY_LEN(holes); i++) {
		loses(k, &holes[i], 1, 0);
		loses(k, &holes[i], 1, 1460);
	}
	loses(k, &holes[1], 1, 1);
	loses(k, &holes[4], 1, 7);
	/* A record between two gaps that is whole, and is found. */
	two[0] = (struct play_hole){ DIR_DOWN, r->from - 30, 20 };
	two[1] = (struct play_hole){ DIR_DOWN, r->from + r->n + 10, 40000 };
	loses(k, two, 2, 0);
	last = record_of(k, DIR_UP, 3);
	two[0] = (struct play_hole){ DIR_UP, last->from + 3, last->n };
	loses(k, two, 2, 0);
}

static void goes_on_after_a_gap(void **state)
{
	static const struct kit_options of[] = {
		{ .suites = "TLS_AES_128_GCM_SHA256" },
		{ .suites = "TLS_AES_256_GCM_SHA384" },
		{ .suites = "TLS_CHACHA20_POLY1305_SHA256" },
		{ .suites = "TLS_AES_128_CCM_8_SHA256" },
		{ .version = TLS1_2_VERSION, .suites = "ECDHE-ECDSA-AES128-GCM-SHA256" },
		{ .version = TLS1_2_VERSION, .suites = "ECDHE-ECDSA-CHACHA20-POLY1305" },
		{ .version = TLS1_2_VERSION, .suites = "ECDHE-ECDSA-AES128-CCM" },
		{ .version = TLS1_2_VERSION, .suites = "ECDHE-ECDSA-AES128-SHA" },
		{ .version = TLS1_2_VERSION,
		  .suites = "ECDHE-ECDSA-AES256-SHA384",
		  .options = SSL_OP_NO_ENCRYPT_THEN_MAC },
		{ .version = TLS1_1_VERSION, .suites = "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(of); i++) {
		struct kit k;

		answer(&k, &of[i]);
		loses_in_many_ways(&k);
		kit_fini(&k);
	}
}

/* Cipher blocks are chained from record to record: of the record before, the end must be there. */
static void goes_on_after_a_gap_in_a_chained_cipher(void **state)
{
	struct kit_options o = { .version = TLS1_VERSION,
				 .suites = "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0",
				 .options = SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS };

	(void)state;
	for (int mac = 0; mac < 2; mac++) {
		const struct kit_record *r;
		struct kit k;

		o.options |= mac ? SSL_OP_NO_ENCRYPT_THEN_MAC : 0;
		answer(&k, &o);
		r = record_of(&k, DIR_DOWN, 5);
		const struct play_hole holes[] = {
			{ DIR_DOWN, r->from + 100, 1000 },
			{ DIR_DOWN, r->from + 100, 300000 },
		};

		loses(&k, &holes[0], 1, 0);
		loses(&k, &holes[0], 1, 1);
		loses(&k, &holes[1], 1, 1460);
		kit_fini(&k);
	}
}

static void finds_an_update_of_keys_within_a_gap(void **state)
{
	(void)state;
	for (int updates = 1; updates <= 3; updates++) {
		struct kit_options o = { 0 };
		struct play_hole hole = { DIR_DOWN, 0, 0 };
		struct kit k;

		kit_init(&k, &o);
		kit_shake(&k);
		kit_send(&k, DIR_UP, 100);
		kit_send(&k, DIR_DOWN, 50000);
		hole.from = k.stream[DIR_DOWN] - 1000;
		for (int i = 0; i < updates; i++) {
			kit_update(&k, DIR_DOWN, true);
			kit_send(&k, DIR_DOWN, 20000);
		}
		hole.n = k.stream[DIR_DOWN] - hole.from - 300;
		kit_send(&k, DIR_DOWN, 50000);
		kit_send(&k, DIR_UP, 10);
		kit_close(&k);
		loses(&k, &hole, 1, 0);
		loses(&k, &hole, 1, 100);
		kit_fini(&k);
	}
}

static void says_when_nothing_is_found_after_a_gap(void **state)
{
	struct kit_options o = { 0 };
	struct play_hole hole = { DIR_DOWN, 0, 0 };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	kit_shake(&k);
	kit_send(&k, DIR_DOWN, 5000);
	hole.from = k.stream[DIR_DOWN] - 1000;
	for (int i = 0; i < 40; i++)
		kit_update(&k, DIR_DOWN, false);
	hole.n = k.stream[DIR_DOWN] - hole.from;
	kit_send(&k, DIR_DOWN, 500000);
	kit_close(&k);
	play_init(&p, buf_bytes(&k.keys));
	play_holes(&p, &k, &hole, 1, 0);
	play_end(&p);
	assert_int_equal(p.darks, 1);
	assert_int_equal(p.why, DARK_GAP);
	assert_non_null(strstr(p.reason, "bytes of the server were not captured"));
	play_fini(&p);

	/* The budget is spent. */
	play_init(&p, buf_bytes(&k.keys));
	p.flow.trials_left = 50;
	play_holes(&p, &k, &hole, 1, 0);
	play_end(&p);
	assert_int_equal(p.darks, 1);
	assert_int_equal(p.why, DARK_BUDGET);
	play_fini(&p);
	kit_fini(&k);
}

/* What is lost is handshake; of the application data nothing is. */
static void goes_on_after_a_gap_in_the_handshake(void **state)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct kit_options o = { .version = versions[v] };
		struct play_hole hole = { DIR_DOWN, 0, 0 };
		size_t flight, first;
		struct kit k;

		answer(&k, &o);
		flight = k.pieces[1].n; /* the server's first one */
		first = record_of(&k, DIR_DOWN, 0)->from;
		for (hole.from = 200; hole.from < flight - 10; hole.from += 50) {
			for (hole.n = 1; hole.from + hole.n < first; hole.n += 97) {
				struct play p;

				play_init(&p, buf_bytes(&k.keys));
				play_holes(&p, &k, &hole, 1, 0);
				play_end(&p);
				play_check_holes(&p, &k, &hole, 1);
				play_fini(&p);
			}
		}
		kit_fini(&k);
	}
}

static void finds_where_a_capture_begins_in_the_middle(void **state)
{
	static const char *const suites[] = { "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
					      "TLS_CHACHA20_POLY1305_SHA256",
					      "TLS_AES_128_CCM_SHA256" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		struct kit_options o = { .suites = suites[i] };
		AUTO(buf_fini) struct buf keys = buf_init(1 << 20);
		struct kit k, other;

		/* Connections before and after it are in the key log as well. */
		kit_init(&other, &(struct kit_options){ 0 });
		kit_shake(&other);
		answer(&k, &o);
		assert_int_equal(buf_add(&keys, buf_bytes(&other.keys), NULL), 0);
		assert_int_equal(buf_add(&keys, buf_bytes(&k.keys), NULL), 0);
		kit_again(&other);
		kit_shake(&other);
		assert_int_equal(buf_add(&keys, buf_bytes(&other.keys), NULL), 0);
		for (size_t cut = 0; cut < 3; cut++) {
			const struct kit_record *r = record_of(&k, DIR_DOWN, 9);
			/* Everything up to there is missing: in the midst of a record, at its
			 * beginning; the client's side from its second record on. */
			const struct play_hole holes[] = {
				{ DIR_UP, 0, record_of(&k, DIR_UP, 1)->from + cut },
				{ DIR_DOWN, 0, r->from + cut * 1000 },
			};
			struct play p;

			play_init(&p, buf_bytes(&keys));
			play_holes(&p, &k, holes, 2, cut == 2 ? 100 : 0);
			play_end(&p);
			play_check_holes(&p, &k, holes, 2);
			assert_true(p.late);
			assert_true(play_logged(&p, "done TLS 1.3"));
			play_fini(&p);
		}
		kit_fini(&k);
		kit_fini(&other);
	}
}

/* As it comes: no gap is told of, the first bytes are just not those of a hello. */
static void begins_with_whatever_comes_first(void **state)
{
	struct kit_options o = { 0 };
	struct kit k;
	struct play p;

	(void)state;
	answer(&k, &o);
	for (size_t first = 4; first < 10; first++) {
		size_t up = 0, down = 0;

		play_init(&p, buf_bytes(&k.keys));
		for (size_t i = 0; i < k.count; i++) {
			struct bytes b = bytes_of(k.wire.p + k.pieces[i].from, k.pieces[i].n);
			size_t *done = k.pieces[i].dir == DIR_UP ? &up : &down;

			if (i < first)
				*done += b.n;
			else
				play_feed(&p, k.pieces[i].dir, b);
		}
		play_end(&p);
		const struct play_hole holes[] = { { DIR_UP, 0, up }, { DIR_DOWN, 0, down } };
		play_check_holes(&p, &k, holes, 2);
		play_fini(&p);
	}
	kit_fini(&k);
}

/* The key log has a line for each generation: that of the middle is among them. */
static void finds_a_later_generation_in_the_middle(void **state)
{
	struct kit_options o = { 0 };
	size_t cut[2];
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	kit_shake(&k);
	for (int i = 0; i < 6; i++) {
		kit_send(&k, DIR_DOWN, 1000);
		kit_update(&k, DIR_DOWN, true);
	}
	kit_send(&k, DIR_UP, 10);
	memcpy(cut, k.stream, sizeof(cut));
	kit_send(&k, DIR_UP, 100);
	kit_send(&k, DIR_DOWN, 100000);
	kit_update(&k, DIR_DOWN, true);
	kit_send(&k, DIR_DOWN, 100000);
	kit_send(&k, DIR_UP, 100);
	const struct play_hole holes[] = { { DIR_UP, 0, cut[0] }, { DIR_DOWN, 0, cut[1] } };
	play_init(&p, buf_bytes(&k.keys));
	play_holes(&p, &k, holes, 2, 0);
	play_end(&p);
	play_check_holes(&p, &k, holes, 2);
	play_fini(&p);
	kit_fini(&k);
}

/* Without a handshake nobody knows who is the client, but for the labels of the secrets. */
static void sees_who_is_the_client(void **state)
{
	struct kit_options o = { 0 };
	struct kit k;
	struct play p;
	size_t first = 6;

	(void)state;
	answer(&k, &o);
	play_init(&p, buf_bytes(&k.keys));
	for (size_t i = first; i < k.count; i++)
		play_feed(&p, k.pieces[i].dir == DIR_UP ? DIR_DOWN : DIR_UP,
			  bytes_of(k.wire.p + k.pieces[i].from, k.pieces[i].n));
	play_end(&p);
	assert_int_equal(p.darks, 0);
	assert_true(p.plain[DIR_DOWN].n > 1000000);
	assert_memory_equal(p.plain[DIR_DOWN].p,
			    k.sent[DIR_DOWN].p + k.sent[DIR_DOWN].n - p.plain[DIR_DOWN].n,
			    p.plain[DIR_DOWN].n);
	assert_true(p.plain[DIR_UP].n > 100);
	assert_memory_equal(p.plain[DIR_UP].p,
			    k.sent[DIR_UP].p + k.sent[DIR_UP].n - p.plain[DIR_UP].n,
			    p.plain[DIR_UP].n);
	assert_true(play_logged(&p, "the one taken for the "));
	play_fini(&p);
	kit_fini(&k);
}

/* What the other side sends was not captured at all. */
static void one_direction_suffices(void **state)
{
	struct kit_options o = { 0 };
	struct kit k;

	(void)state;
	answer(&k, &o);
	for (int dir = 0; dir < 2; dir++) {
		const struct play_hole hole = { (enum flow_dir) !dir, 0, k.stream[!dir] };
		struct play p;

		play_init(&p, buf_bytes(&k.keys));
		for (size_t i = 0; i < k.count; i++)
			if (k.pieces[i].dir == (enum flow_dir)dir)
				play_piece(&p, &k, i, 0);
		play_end(&p);
		play_check_holes(&p, &k, &hole, 1);
		play_fini(&p);
	}
	kit_fini(&k);
}

static void says_that_the_handshake_was_not_captured(void **state)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct kit_options o = { .version = versions[v] };
		struct kit k, other;
		struct play p;

		answer(&k, &o);
		kit_init(&other, &(struct kit_options){ 0 });
		kit_shake(&other);
		for (int known = 0; known < 2; known++) {
			play_init(&p, known ? buf_bytes(&other.keys) : (struct bytes){ 0 });
			for (size_t i = 4; i < k.count; i++)
				play_piece(&p, &k, i, 0);
			play_end(&p);
			assert_int_equal(p.darks, 1);
			assert_int_equal(p.why, DARK_NO_HANDSHAKE);
			assert_true(p.flow.dark && p.flow.encrypted);
			play_fini(&p);
		}
		kit_fini(&k);
		kit_fini(&other);
	}
}

static void says_that_packets_were_cut_off(void **state)
{
	struct kit_options o = { 0 };
	struct kit k;
	struct play p;

	(void)state;
	answer(&k, &o);
	play_init(&p, buf_bytes(&k.keys));
	for (size_t i = 0; i < k.count; i++) {
		struct bytes b = bytes_of(k.wire.p + k.pieces[i].from, k.pieces[i].n);
		size_t kept = b.n < 60 ? b.n : 60;

		play_feed(&p, k.pieces[i].dir, bytes_slice(b, 0, kept));
		if (kept < b.n)
			layer_gap(p.session, k.pieces[i].dir, b.n - kept, true,
				  (struct tap_at){ .packet = p.packet });
	}
	play_end(&p);
	assert_true(p.darks >= 1);
	assert_int_equal(p.why, DARK_TRUNCATED);
	play_fini(&p);
	kit_fini(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on_after_a_gap),
		cmocka_unit_test(goes_on_after_a_gap_in_a_chained_cipher),
		cmocka_unit_test(finds_an_update_of_keys_within_a_gap),
		cmocka_unit_test(says_when_nothing_is_found_after_a_gap),
		cmocka_unit_test(goes_on_after_a_gap_in_the_handshake),
		cmocka_unit_test(finds_where_a_capture_begins_in_the_middle),
		cmocka_unit_test(begins_with_whatever_comes_first),
		cmocka_unit_test(finds_a_later_generation_in_the_middle),
		cmocka_unit_test(sees_who_is_the_client),
		cmocka_unit_test(one_direction_suffices),
		cmocka_unit_test(says_that_the_handshake_was_not_captured),
		cmocka_unit_test(says_that_packets_were_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
