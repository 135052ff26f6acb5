#include "tls/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <pthread.h>

#include "tls/testkit.h"

#define WIRE_MAX ((size_t)1 << 18)

static struct testkit_certs certs, rsa_certs;
static struct tls_identity *identity, *rsa_identity;

struct alert {
	size_t count;
	bool sent;
	uint8_t level, description;
};

static void note_alert(void *ctx, bool sent, uint8_t level, uint8_t description)
{
	struct alert *a = ctx;

	*a = (struct alert){ a->count + 1, sent, level, description };
}

/* One side alone. */
struct lone {
	struct tls_policy *policy;
	struct testkit_end end;
	struct alert alert;
};

static void lone_init(struct lone *l, const struct tls_policy_options *o, struct tls_identity *id)
{
	const struct tls_hooks hooks = { .on_alert = note_alert, .ctx = &l->alert };
	struct tls_client_options c = { .hooks = hooks };
	struct tls_server_options s = { .hooks = hooks, .identity = id };

	*l = (struct lone){ .end.out = buf_init(WIRE_MAX) };
	assert_int_equal(tls_policy_new(o, &l->policy, NULL), 0);
	c.policy = s.policy = l->policy;
	if (o->side == TLS_CLIENT)
		assert_int_equal(tls_client_new(&c, &l->end.out, &l->end.tls, NULL), 0);
	else
		assert_int_equal(tls_server_new(&s, &l->end.out, &l->end.tls, NULL), 0);
}

static void lone_fini(struct lone *l)
{
	tls_free(l->end.tls);
	tls_policy_free(l->policy);
	buf_fini(&l->end.out);
}

static const struct tls_policy_options client_defaults = { .side = TLS_CLIENT };
static const struct tls_policy_options server_defaults = { .side = TLS_SERVER };

/* Whole, then byte by byte, with the rest fed again as an owner does. */
/* Feeds until it fails; step 0: all at once. */
static void feed_until_failed(struct tls *t, struct bytes text, size_t step, struct err *e)
{
	if (!step)
		step = text.n;
	while (text.n && tls_state(t) != TLS_FAILED) {
		tls_feed(t, bytes_slice(text, 0, step));
		(void)tls_run(t, e);
		text = bytes_slice(text, tls_consumed(t), text.n);
	}
	assert_int_equal(tls_state(t), TLS_FAILED);
}

static void hears(enum tls_side side, const char *text, size_t step, const char *sentence)
{
	struct lone l;
	struct err e;

	lone_init(&l, side == TLS_CLIENT ? &client_defaults : &server_defaults, identity);
	(void)tls_run(l.end.tls, NULL);
	feed_until_failed(l.end.tls, bytes_str(text), step, &e);
	assert_int_equal(e.code, ERR_TLS_PROTOCOL);
	assert_string_equal(e.sentence, sentence);
	assert_int_equal(ERR_peek_error(), 0);
	assert_int_equal(tls_run(l.end.tls, &e), TLS_FAILED);
	lone_fini(&l);
}

static void says_what_speaks_no_tls(void **state)
{
	static const struct {
		enum tls_side side;
		const char *text, *sentence;
	} cases[] = {
		{ TLS_CLIENT, "HTTP/1.1 400 Bad Request\r\n\r\n",
		  "the peer answers in plaintext HTTP, not TLS" },
		{ TLS_CLIENT, "SSH-2.0-OpenSSH_9.2p1\r\n", "the peer speaks SSH, not TLS" },
		{ TLS_CLIENT, "220 mail.test ESMTP\r\n",
		  "the peer greets in plaintext (SMTP or FTP), not in TLS" },
		{ TLS_SERVER, "GET / HTTP/1.1\r\n\r\n",
		  "the peer sends a plaintext HTTP request, not TLS" },
		{ TLS_SERVER, "CONNECT leaf.test:443 HTTP/1.1\r\n\r\n",
		  "the peer sends a plaintext HTTP request, not TLS" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		hears(cases[i].side, cases[i].text, 0, cases[i].sentence);
		hears(cases[i].side, cases[i].text, 1, cases[i].sentence);
		hears(cases[i].side, cases[i].text, 3, cases[i].sentence);
	}
	hears(TLS_CLIENT, "\x1b[31mred, and no \xff TLS", 0,
	      "the peer does not speak TLS: it begins with \"\\x1b[31mred\"");
	hears(TLS_CLIENT, "\x1b[31mred, and no \xff TLS", 1,
	      "the peer does not speak TLS: it begins with \"\\x1b[31m\"");
}

static void shake_and_fail(const struct tls_policy_options *client,
			   const struct tls_policy_options *server, struct tls_identity *id,
			   struct lone *c, struct lone *s)
{
	lone_init(c, client, NULL);
	lone_init(s, server, id);
	testkit_shake(&c->end, &s->end, 0);
	assert_int_equal(c->end.status, TLS_FAILED);
	assert_int_equal(s->end.status, TLS_FAILED);
	assert_int_equal(c->end.err.code, ERR_TLS_ALERT);
	assert_int_equal(ERR_peek_error(), 0);
}

static void says_that_no_cipher_is_in_common(void **state)
{
	static const uint16_t ecdsa[] = { 0xc02b };
	const struct tls_policy_options o = { .side = TLS_CLIENT,
					      .ciphers = ecdsa,
					      .cipher_count = 1 };
	struct lone c, s;

	(void)state;
	shake_and_fail(&o, &server_defaults, rsa_identity, &c, &s);
	assert_non_null(strstr(s.end.err.sentence, "no cipher in common"));
	assert_string_equal(c.end.err.sentence,
			    "the peer sent the alert \"handshake failure\" (40)");
	assert_int_equal(tls_peer_alert(c.end.tls), 40);
	assert_false(c.alert.sent);
	assert_int_equal(c.alert.level, 2);
	assert_int_equal(c.alert.description, 40);
	assert_true(s.alert.sent);
	assert_int_equal(s.alert.description, 40);
	lone_fini(&c);
	lone_fini(&s);
}

static void says_that_no_version_is_in_common(void **state)
{
	const struct tls_policy_options old = { .side = TLS_CLIENT, .max_version = 0x0303 };
	const struct tls_policy_options new = { .side = TLS_SERVER, .min_version = 0x0304 };
	struct lone c, s;

	(void)state;
	shake_and_fail(&old, &new, identity, &c, &s);
	assert_non_null(strstr(s.end.err.sentence, "no TLS version in common"));
	assert_int_equal(tls_peer_alert(c.end.tls), 70);
	lone_fini(&c);
	lone_fini(&s);
}

static void says_that_no_group_is_in_common(void **state)
{
	static const uint16_t x25519[] = { 0x1d }, p256[] = { 0x17 };
	const struct tls_policy_options one = {
		.side = TLS_CLIENT, .min_version = 0x0304, .groups = x25519, .group_count = 1
	};
	const struct tls_policy_options other = { .side = TLS_SERVER,
						  .groups = p256,
						  .group_count = 1 };
	struct lone c, s;

	(void)state;
	shake_and_fail(&one, &other, identity, &c, &s);
	assert_non_null(strstr(s.end.err.sentence, "no key exchange group in common"));
	lone_fini(&c);
	lone_fini(&s);
}

static void says_that_no_signature_algorithm_fits(void **state)
{
	static const uint16_t rsa[] = { 0x0804 };
	const struct tls_policy_options o = {
		.side = TLS_CLIENT, .min_version = 0x0304, .sigalgs = rsa, .sigalg_count = 1
	};
	struct lone c, s;

	(void)state;
	shake_and_fail(&o, &server_defaults, identity, &c, &s);
	assert_non_null(strstr(s.end.err.sentence, "no signature algorithm in common"));
	lone_fini(&c);
	lone_fini(&s);
}

static void fails_when_out_is_full(void **state)
{
	struct lone l;
	struct err e;

	(void)state;
	lone_init(&l, &client_defaults, NULL);
	l.end.out.max = 20;
	assert_int_equal(tls_run(l.end.tls, &e), TLS_FAILED);
	assert_int_equal(e.code, ERR_LIMIT);
	lone_fini(&l);
}

static void fails_when_the_peer_closes_during_the_handshake(void **state)
{
	static const uint8_t close_notify[] = { 21, 3, 3, 0, 2, 1, 0 };
	struct lone l;
	struct err e;

	(void)state;
	lone_init(&l, &client_defaults, NULL);
	(void)tls_run(l.end.tls, NULL);
	tls_feed(l.end.tls, bytes_of(close_notify, sizeof(close_notify)));
	assert_int_equal(tls_run(l.end.tls, &e), TLS_FAILED);
	assert_int_equal(e.code, ERR_CLOSED);
	assert_int_equal(tls_peer_alert(l.end.tls), -1);
	lone_fini(&l);
}

/* Others in this thread may have left errors behind; libssl judges by the queue. */
static void is_not_misled_by_old_errors(void **state)
{
	struct lone c, s;
	uint8_t room[10];
	size_t got;

	(void)state;
	lone_init(&c, &client_defaults, NULL);
	lone_init(&s, &server_defaults, identity);
	ERR_raise(ERR_LIB_USER, 1);
	testkit_shake(&c.end, &s.end, 0);
	assert_int_equal(tls_state(c.end.tls), TLS_OPEN);
	assert_int_equal(tls_state(s.end.tls), TLS_OPEN);
	ERR_raise(ERR_LIB_USER, 1);
	assert_int_equal(tls_read(c.end.tls, room, sizeof(room), &got, NULL), TLS_OPEN);
	ERR_raise(ERR_LIB_USER, 1);
	assert_int_equal(tls_write(c.end.tls, bytes_str("x"), NULL), 0);
	ERR_clear_error();
	lone_fini(&c);
	lone_fini(&s);
}

static void assert_alert_record(struct buf *out, uint8_t description)
{
	const uint8_t expected[] = { 21, 3, 3, 0, 2, 2, description };

	assert_true(bytes_equal(buf_bytes(out), bytes_of(expected, sizeof(expected))));
}

static void sends_an_alert_without_a_session(void **state)
{
	struct buf out = buf_init(7);
	struct err e;

	(void)state;
	assert_int_equal(tls_send_alert(NULL, &out, 49, &e), 0);
	assert_alert_record(&out, 49);
	assert_int_equal(tls_send_alert(NULL, &out, 49, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_fini(&out);
}

static void sends_an_alert_before_the_handshake(void **state)
{
	struct lone c, s;
	struct err e;

	(void)state;
	lone_init(&c, &client_defaults, NULL);
	lone_init(&s, &server_defaults, identity);
	assert_int_equal(tls_send_alert(s.end.tls, &s.end.out, 112, &e), 0);
	assert_alert_record(&s.end.out, 112);
	assert_int_equal(s.alert.count, 1);
	assert_true(s.alert.sent);
	assert_int_equal(s.alert.description, 112);
	assert_int_equal(tls_state(s.end.tls), TLS_FAILED);
	(void)tls_run(c.end.tls, NULL);
	testkit_move(&s.end, &c.end, 0, NULL);
	assert_int_equal(c.end.status, TLS_FAILED);
	assert_int_equal(tls_peer_alert(c.end.tls), 112);
	assert_non_null(strstr(c.end.err.sentence, "(112)"));
	lone_fini(&c);
	lone_fini(&s);
}

static void sends_no_alert_in_clear_once_there_are_keys(void **state)
{
	struct lone c, s;
	struct err e;

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		struct tls_policy_options o = client_defaults;

		o.max_version = turn ? 0x0303 : 0x0304;
		lone_init(&c, &o, NULL);
		lone_init(&s, &server_defaults, identity);
		(void)tls_run(c.end.tls, NULL);
		testkit_move(&c.end, &s.end, 0, NULL);
		buf_clear(&s.end.out);
		/* After ServerHelloDone TLS 1.2 still has none, TLS 1.3 has. */
		assert_int_equal(tls_send_alert(s.end.tls, &s.end.out, 40, &e), turn ? 0 : -1);
		if (!turn)
			assert_int_equal(e.code, ERR_UNSUPPORTED);
		assert_int_equal(s.end.out.n, turn ? 7 : 0);
		assert_int_equal(tls_state(s.end.tls), turn ? TLS_FAILED : TLS_HANDSHAKING);
		lone_fini(&c);
		lone_fini(&s);
	}
	lone_init(&c, &client_defaults, NULL);
	lone_init(&s, &server_defaults, identity);
	testkit_shake(&c.end, &s.end, 0);
	assert_int_equal(tls_send_alert(c.end.tls, &c.end.out, 40, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	assert_int_equal(tls_state(c.end.tls), TLS_OPEN);
	lone_fini(&c);
	lone_fini(&s);
}

/* What threads share: policies with their late second context, an identity. */
struct shared {
	struct tls_policy *client, *server;
};

static void ignore_secret(void *ctx, struct bytes line)
{
	(void)ctx;
	(void)line;
}

static void shake_once(struct shared *sh, size_t *failed)
{
	const struct tls_hooks hooks = { .on_secret = ignore_secret };
	const struct tls_client_options co = { .policy = sh->client, .hooks = hooks };
	const struct tls_server_options so = { .policy = sh->server,
					       .identity = identity,
					       .hooks = hooks };
	struct testkit_end c = { .out = buf_init(WIRE_MAX) }, s = { .out = buf_init(WIRE_MAX) };

	if (tls_client_new(&co, &c.out, &c.tls, NULL) < 0 ||
	    tls_server_new(&so, &s.out, &s.tls, NULL) < 0) {
		*failed += 1;
		return;
	}
	testkit_shake(&c, &s, 0);
	*failed += tls_state(c.tls) != TLS_OPEN || tls_state(s.tls) != TLS_OPEN;
	tls_free(c.tls);
	tls_free(s.tls);
	buf_fini(&c.out);
	buf_fini(&s.out);
}

struct worker {
	pthread_t thread;
	struct shared *shared;
	size_t failed;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < 20; i++)
		shake_once(w->shared, &w->failed);
	return NULL;
}

static void shares_its_handles_among_threads(void **state)
{
	struct worker workers[4] = { 0 };
	struct shared sh = { 0 };

	(void)state;
	assert_int_equal(tls_policy_new(&client_defaults, &sh.client, NULL), 0);
	assert_int_equal(tls_policy_new(&server_defaults, &sh.server, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
		workers[i].shared = &sh;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].failed, 0);
	}
	tls_policy_free(sh.client);
	tls_policy_free(sh.server);
}

static void starts_once_and_again_after_its_end(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(tls_init(&e), -1);
	assert_int_equal(e.code, ERR_CRYPTO);
	tls_identity_free(identity);
	tls_identity_free(rsa_identity);
	tls_fini();
	assert_int_equal(tls_init(&e), 0);
	identity = testkit_identity(&certs);
	rsa_identity = testkit_identity(&rsa_certs);
}

static int set_up(void **state)
{
	(void)state;
	if (tls_init(NULL) < 0)
		return -1;
	testkit_certs_make("P-256", &certs);
	testkit_certs_make("RSA", &rsa_certs);
	identity = testkit_identity(&certs);
	rsa_identity = testkit_identity(&rsa_certs);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tls_identity_free(identity);
	tls_identity_free(rsa_identity);
	testkit_certs_fini(&certs);
	testkit_certs_fini(&rsa_certs);
	tls_fini();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_speaks_no_tls),
		cmocka_unit_test(says_that_no_cipher_is_in_common),
		cmocka_unit_test(says_that_no_version_is_in_common),
		cmocka_unit_test(says_that_no_group_is_in_common),
		cmocka_unit_test(says_that_no_signature_algorithm_fits),
		cmocka_unit_test(fails_when_out_is_full),
		cmocka_unit_test(fails_when_the_peer_closes_during_the_handshake),
		cmocka_unit_test(is_not_misled_by_old_errors),
		cmocka_unit_test(sends_an_alert_without_a_session),
		cmocka_unit_test(sends_an_alert_before_the_handshake),
		cmocka_unit_test(sends_no_alert_in_clear_once_there_are_keys),
		cmocka_unit_test(shares_its_handles_among_threads),
		cmocka_unit_test(starts_once_and_again_after_its_end),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
