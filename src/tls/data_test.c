#include "tls/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"
#include "tls/testkit.h"

#define WIRE_MAX ((size_t)4 << 20)
#define BIG ((size_t)1 << 20)

static struct testkit_certs certs;
static struct tls_identity *identity;

struct alerts {
	size_t sent, received;
	uint8_t last_sent, last_received;
};

struct pair {
	struct tls_policy *client_policy, *server_policy;
	struct testkit_end client, server;
	struct alerts client_alerts, server_alerts;
	struct buf plain;
};

static void count_alert(void *ctx, bool sent, uint8_t level, uint8_t description)
{
	struct alerts *a = ctx;

	assert_true(level == 1 || level == 2);
	if (sent) {
		a->sent++;
		a->last_sent = description;
	} else {
		a->received++;
		a->last_received = description;
	}
}

static void pair_open(struct pair *p, uint16_t version)
{
	struct tls_policy_options o = { .side = TLS_CLIENT, .max_version = version };
	struct tls_client_options c = { .hooks = { .on_alert = count_alert } };
	struct tls_server_options s = { .hooks = { .on_alert = count_alert } };

	*p = (struct pair){ .plain = buf_init(WIRE_MAX) };
	p->client.out = p->server.out = buf_init(WIRE_MAX);
	assert_int_equal(tls_policy_new(&o, &p->client_policy, NULL), 0);
	o.side = TLS_SERVER;
	assert_int_equal(tls_policy_new(&o, &p->server_policy, NULL), 0);
	c.policy = p->client_policy;
	c.hooks.ctx = &p->client_alerts;
	s.policy = p->server_policy;
	s.identity = identity;
	s.hooks.ctx = &p->server_alerts;
	assert_int_equal(tls_client_new(&c, &p->client.out, &p->client.tls, NULL), 0);
	assert_int_equal(tls_server_new(&s, &p->server.out, &p->server.tls, NULL), 0);
	testkit_shake(&p->client, &p->server, 0);
	assert_int_equal(tls_state(p->client.tls), TLS_OPEN);
	assert_int_equal(tls_state(p->server.tls), TLS_OPEN);
}

static void pair_fini(struct pair *p)
{
	tls_free(p->client.tls);
	tls_free(p->server.tls);
	tls_policy_free(p->client_policy);
	tls_policy_free(p->server_policy);
	buf_fini(&p->client.out);
	buf_fini(&p->server.out);
	buf_fini(&p->plain);
}

static void say(struct testkit_end *from, const char *text)
{
	assert_int_equal(tls_write(from->tls, bytes_str(text), NULL), 0);
}

static void assert_plain(struct pair *p, const char *expected)
{
	assert_true(bytes_equal(buf_bytes(&p->plain), bytes_str(expected)));
	buf_clear(&p->plain);
}

static void carries_bytes_both_ways_whole_and_byte_by_byte(void **state)
{
	struct pair p;

	(void)state;
	for (uint16_t version = 0x0303; version <= 0x0304; version++)
		for (size_t step = 0; step < 2; step++) {
			pair_open(&p, version);
			say(&p.client, "a question");
			testkit_move(&p.client, &p.server, step, &p.plain);
			assert_plain(&p, "a question");
			say(&p.server, "an ");
			say(&p.server, "answer");
			testkit_move(&p.server, &p.client, step, &p.plain);
			assert_plain(&p, "an answer");
			pair_fini(&p);
		}
}

static uint8_t *make_big(void)
{
	uint8_t *p = mem_new(BIG);

	assert_non_null(p);
	for (size_t i = 0; i < BIG; i++)
		p[i] = (uint8_t)(i * 7 + i / 255);
	return p;
}

static void writes_a_mebibyte_in_full_records(void **state)
{
	uint8_t *big = make_big();
	struct pair p;

	(void)state;
	for (uint16_t version = 0x0303; version <= 0x0304; version++) {
		pair_open(&p, version);
		assert_int_equal(tls_write(p.client.tls, bytes_of(big, BIG), NULL), 0);
		assert_true(p.client.out.n <= tls_write_room(BIG));
		/* 64 records, each with a header, a tag and at most an explicit nonce. */
		assert_true(p.client.out.n <= BIG + 64 * 29);
		testkit_move(&p.client, &p.server, 0, &p.plain);
		assert_true(bytes_equal(buf_bytes(&p.plain), bytes_of(big, BIG)));
		pair_fini(&p);
	}
	mem_free(big);
}

static void puts_nothing_when_out_has_not_the_room(void **state)
{
	uint8_t *big = make_big();
	struct err e;
	struct pair p;

	(void)state;
	pair_open(&p, 0x0304);
	p.client.out.max = BIG;
	assert_int_equal(tls_write(p.client.tls, bytes_of(big, BIG), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(p.client.out.n, 0);
	assert_int_equal(tls_state(p.client.tls), TLS_OPEN);
	p.client.out.max = tls_write_room(BIG);
	assert_int_equal(tls_write(p.client.tls, bytes_of(big, BIG), &e), 0);
	testkit_move(&p.client, &p.server, 0, &p.plain);
	assert_true(bytes_equal(buf_bytes(&p.plain), bytes_of(big, BIG)));
	pair_fini(&p);
	mem_free(big);
}

static void reads_what_was_fed_into_any_room(void **state)
{
	struct bytes wire;
	uint8_t room[7];
	size_t got, all = 0;
	struct pair p;

	(void)state;
	pair_open(&p, 0x0304);
	say(&p.server, "twenty bytes of text");
	say(&p.server, "and twenty more here");
	wire = buf_bytes(&p.server.out);
	tls_feed(p.client.tls, wire);
	assert_false(tls_pending(p.client.tls));
	do {
		assert_int_equal(tls_read(p.client.tls, room, sizeof(room), &got, NULL), TLS_OPEN);
		all += got;
		assert_int_equal(tls_pending(p.client.tls), got == sizeof(room));
	} while (got == sizeof(room));
	assert_int_equal(all, 40);
	assert_int_equal(tls_consumed(p.client.tls), wire.n);
	pair_fini(&p);
}

static void goes_on_writing_after_the_peers_close_notify(void **state)
{
	struct pair p;

	(void)state;
	for (uint16_t version = 0x0303; version <= 0x0304; version++) {
		pair_open(&p, version);
		say(&p.client, "the last question");
		tls_shutdown(p.client.tls);
		tls_shutdown(p.client.tls);
		assert_int_equal(p.client_alerts.sent, 1);
		assert_int_equal(p.client_alerts.last_sent, 0);
		assert_int_equal(tls_write(p.client.tls, bytes_str("x"), NULL), -1);
		testkit_move(&p.client, &p.server, 0, &p.plain);
		assert_plain(&p, "the last question");
		assert_int_equal(p.server.status, TLS_CLOSED);
		assert_int_equal(p.server_alerts.received, 1);
		assert_int_equal(p.server_alerts.last_received, 0);
		assert_int_equal(tls_peer_alert(p.server.tls), -1);
		assert_int_equal(p.server_alerts.sent, 0);
		say(&p.server, "the answer");
		tls_shutdown(p.server.tls);
		testkit_move(&p.server, &p.client, 0, &p.plain);
		assert_plain(&p, "the answer");
		assert_int_equal(p.client.status, TLS_CLOSED);
		pair_fini(&p);
	}
}

static void ends_with_data_and_close_notify_in_one_read(void **state)
{
	uint8_t room[100];
	size_t got;
	struct pair p;

	(void)state;
	pair_open(&p, 0x0304);
	say(&p.server, "all of it");
	tls_shutdown(p.server.tls);
	tls_feed(p.client.tls, buf_bytes(&p.server.out));
	assert_int_equal(tls_read(p.client.tls, room, sizeof(room), &got, NULL), TLS_CLOSED);
	assert_int_equal(got, 9);
	assert_int_equal(tls_read(p.client.tls, room, sizeof(room), &got, NULL), TLS_CLOSED);
	assert_int_equal(got, 0);
	pair_fini(&p);
}

static void drops_what_comes_after_close_notify(void **state)
{
	uint8_t room[100];
	size_t got;
	struct pair p;

	(void)state;
	pair_open(&p, 0x0304);
	tls_shutdown(p.server.tls);
	assert_int_equal(buf_add(&p.server.out, bytes_str("and rubbish"), NULL), 0);
	tls_feed(p.client.tls, buf_bytes(&p.server.out));
	assert_int_equal(tls_read(p.client.tls, room, sizeof(room), &got, NULL), TLS_CLOSED);
	assert_int_equal(tls_consumed(p.client.tls), p.server.out.n);
	tls_feed(p.client.tls, bytes_str("more rubbish"));
	assert_int_equal(tls_read(p.client.tls, room, sizeof(room), &got, NULL), TLS_CLOSED);
	assert_int_equal(tls_consumed(p.client.tls), 12);
	assert_int_equal(got, 0);
	pair_fini(&p);
}

/* Without close_notify the session knows of no end: it is the socket's owner who does. */
static void stays_open_when_the_stream_is_cut_inside_a_record(void **state)
{
	struct bytes wire;
	uint8_t room[100];
	size_t got;
	struct pair p;

	(void)state;
	pair_open(&p, 0x0304);
	say(&p.server, "cut off");
	wire = buf_bytes(&p.server.out);
	for (size_t n = 0; n < wire.n; n++) {
		tls_feed(p.client.tls, bytes_slice(wire, n, 1));
		assert_int_equal(tls_read(p.client.tls, room, sizeof(room), &got, NULL), TLS_OPEN);
		assert_int_equal(got, n + 1 == wire.n ? 7 : 0);
		assert_int_equal(tls_consumed(p.client.tls), 1);
	}
	pair_fini(&p);
}

static void fails_on_rubbish_with_an_alert(void **state)
{
	uint8_t room[100];
	size_t got;
	struct pair p;
	struct err e;

	(void)state;
	for (uint16_t version = 0x0303; version <= 0x0304; version++) {
		pair_open(&p, version);
		say(&p.server, "fine");
		say(&p.server, "spoiled");
		p.server.out.p[p.server.out.n - 1] ^= 1;
		tls_feed(p.client.tls, buf_bytes(&p.server.out));
		assert_int_equal(tls_read(p.client.tls, room, sizeof(room), &got, &e), TLS_FAILED);
		assert_int_equal(got, 4);
		assert_int_equal(e.code, ERR_TLS_PROTOCOL);
		assert_non_null(strstr(e.sentence, "cannot be decrypted"));
		assert_int_equal(p.client_alerts.last_sent, 20);
		assert_int_equal(tls_write(p.client.tls, bytes_str("x"), &e), -1);
		assert_int_equal(tls_read(p.client.tls, room, sizeof(room), &got, &e), TLS_FAILED);
		testkit_move(&p.client, &p.server, 0, NULL);
		assert_int_equal(p.server.status, TLS_FAILED);
		assert_int_equal(p.server.err.code, ERR_TLS_ALERT);
		assert_int_equal(tls_peer_alert(p.server.tls), 20);
		pair_fini(&p);
	}
}

static void fails_on_bytes_that_are_no_record(void **state)
{
	uint8_t room[100];
	size_t got;
	struct pair p;
	struct err e;

	(void)state;
	pair_open(&p, 0x0304);
	tls_feed(p.client.tls, bytes_str("HTTP/1.1 400 Bad Request\r\n\r\n"));
	assert_int_equal(tls_read(p.client.tls, room, sizeof(room), &got, &e), TLS_FAILED);
	assert_int_equal(got, 0);
	assert_int_equal(tls_consumed(p.client.tls), 28);
	pair_fini(&p);
}

static void refuses_to_write_before_it_is_open(void **state)
{
	const struct tls_policy_options o = { .side = TLS_CLIENT };
	struct tls_client_options c = { 0 };
	struct buf out = buf_init(WIRE_MAX);
	struct tls_policy *policy;
	struct tls *t;
	struct err e;

	(void)state;
	assert_int_equal(tls_policy_new(&o, &policy, NULL), 0);
	c.policy = policy;
	assert_int_equal(tls_client_new(&c, &out, &t, NULL), 0);
	assert_int_equal(tls_write(t, bytes_str("early"), &e), -1);
	assert_int_equal(e.code, ERR_CLOSED);
	tls_shutdown(t);
	assert_int_equal(out.n, 0);
	tls_free(t);
	tls_policy_free(policy);
	buf_fini(&out);
}

static void goes_on_after_it_was_slimmed(void **state)
{
	struct pair p;

	(void)state;
	for (uint16_t version = 0x0303; version <= 0x0304; version++) {
		struct tls_info before, after;

		pair_open(&p, version);
		tls_info(p.client.tls, &before);
		for (int i = 0; i < 2; i++) {
			tls_slim(p.client.tls);
			tls_slim(p.server.tls);
			say(&p.client, "question");
			testkit_move(&p.client, &p.server, 0, &p.plain);
			say(&p.server, "answer");
			testkit_move(&p.server, &p.client, 3, &p.plain);
			assert_plain(&p, "questionanswer");
		}
		tls_info(p.client.tls, &after);
		assert_int_equal(before.version, after.version);
		assert_int_equal(before.cipher, after.cipher);
		assert_int_equal(before.group, after.group);
		assert_int_not_equal(after.group, 0);
		pair_fini(&p);
	}
}

/* Slimmed in the middle of a record, it has to keep what it read of it. */
static void keeps_half_a_record_when_it_is_slimmed(void **state)
{
	uint8_t room[100];
	size_t got;
	struct pair p;

	(void)state;
	pair_open(&p, 0x0304);
	say(&p.server, "in two parts");
	tls_feed(p.client.tls, bytes_of(p.server.out.p, 10));
	assert_int_equal(tls_read(p.client.tls, room, sizeof(room), &got, NULL), TLS_OPEN);
	assert_int_equal(tls_consumed(p.client.tls), 10);
	buf_take(&p.server.out, 10);
	tls_slim(p.client.tls);
	testkit_move(&p.server, &p.client, 0, &p.plain);
	assert_plain(&p, "in two parts");
	pair_fini(&p);
}

static void follows_the_peers_key_updates(void **state)
{
	const struct tls_policy_options o = { .side = TLS_SERVER };
	struct tls_server_options so = { .identity = identity };
	struct testkit_end server = { .out = buf_init(WIRE_MAX) };
	struct buf plain = buf_init(WIRE_MAX);
	struct testkit_raw client;

	(void)state;
	assert_int_equal(tls_policy_new(&o, &so.policy, NULL), 0);
	assert_int_equal(tls_server_new(&so, &server.out, &server.tls, NULL), 0);
	testkit_raw_init(&client, false, NULL);
	testkit_raw_start(&client);
	testkit_raw_talk(&client, &server, NULL);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(SSL_key_update(client.ssl, i % 2 ? SSL_KEY_UPDATE_NOT_REQUESTED
								  : SSL_KEY_UPDATE_REQUESTED),
				 1);
		assert_int_equal(SSL_write(client.ssl, "new keys", 8), 8);
		testkit_raw_talk(&client, &server, &plain);
		assert_true(bytes_equal(buf_bytes(&plain), bytes_str("new keys")));
		buf_clear(&plain);
		assert_int_equal(tls_write(server.tls, bytes_str("of mine too"), NULL), 0);
		testkit_raw_talk(&client, &server, &plain);
		assert_int_equal(server.status, TLS_OPEN);
	}
	tls_shutdown(server.tls);
	testkit_raw_talk(&client, &server, &plain);
	assert_true(client.shut);
	testkit_raw_fini(&client);
	tls_free(server.tls);
	tls_policy_free(so.policy);
	buf_fini(&server.out);
	buf_fini(&plain);
}

/* libssl as a server ends the connection when its wish is refused; ours had answered with no more than
 * a warning. */
static void refuses_to_negotiate_anew(void **state)
{
	const struct tls_policy_options o = { .side = TLS_CLIENT, .max_version = 0x0303 };
	struct alerts alerts = { 0 };
	struct tls_client_options co = { .hooks = { .on_alert = count_alert, .ctx = &alerts } };
	struct testkit_end client = { .out = buf_init(WIRE_MAX) };
	struct buf plain = buf_init(WIRE_MAX);
	struct testkit_raw server;

	(void)state;
	assert_int_equal(tls_policy_new(&o, &co.policy, NULL), 0);
	assert_int_equal(tls_client_new(&co, &client.out, &client.tls, NULL), 0);
	testkit_raw_init(&server, true, &certs);
	testkit_raw_start(&server);
	testkit_raw_talk(&server, &client, NULL);
	assert_int_equal(SSL_write(server.ssl, "before", 6), 6);
	assert_int_equal(SSL_renegotiate(server.ssl), 1);
	testkit_raw_talk(&server, &client, &plain);
	assert_true(bytes_equal(buf_bytes(&plain), bytes_str("before")));
	assert_int_equal(alerts.sent, 1);
	assert_int_equal(alerts.last_sent, 100);
	assert_int_equal(alerts.received, 1);
	assert_int_equal(tls_peer_alert(client.tls), 40);
	testkit_raw_fini(&server);
	tls_free(client.tls);
	tls_policy_free(co.policy);
	buf_fini(&client.out);
	buf_fini(&plain);
}

static int set_up(void **state)
{
	(void)state;
	if (tls_init(NULL) < 0)
		return -1;
	testkit_certs_make("P-256", &certs);
	identity = testkit_identity(&certs);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tls_identity_free(identity);
	testkit_certs_fini(&certs);
	tls_fini();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_bytes_both_ways_whole_and_byte_by_byte),
		cmocka_unit_test(writes_a_mebibyte_in_full_records),
		cmocka_unit_test(puts_nothing_when_out_has_not_the_room),
		cmocka_unit_test(reads_what_was_fed_into_any_room),
		cmocka_unit_test(goes_on_writing_after_the_peers_close_notify),
		cmocka_unit_test(ends_with_data_and_close_notify_in_one_read),
		cmocka_unit_test(drops_what_comes_after_close_notify),
		cmocka_unit_test(stays_open_when_the_stream_is_cut_inside_a_record),
		cmocka_unit_test(fails_on_rubbish_with_an_alert),
		cmocka_unit_test(fails_on_bytes_that_are_no_record),
		cmocka_unit_test(refuses_to_write_before_it_is_open),
		cmocka_unit_test(goes_on_after_it_was_slimmed),
		cmocka_unit_test(keeps_half_a_record_when_it_is_slimmed),
		cmocka_unit_test(follows_the_peers_key_updates),
		cmocka_unit_test(refuses_to_negotiate_anew),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
