#include "tls/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tls/testkit.h"

#define KEPT_MAX 8

static struct testkit_certs certs, other_certs;

/* A client of ours against a server of libssl that resumes. */
struct bench {
	struct testkit_raw server;
	struct tls_policy *policy;
	struct testkit_end client;
	struct tls_session *kept[KEPT_MAX];
	size_t kept_count;
	struct tls_info info;
};

static void keep(void *ctx, struct tls_session *s)
{
	struct bench *b = ctx;

	assert_true(b->kept_count < KEPT_MAX);
	b->kept[b->kept_count++] = s;
}

static void make_policy(struct bench *b, uint16_t version, bool sessions, const uint16_t *cipher)
{
	const struct tls_policy_options o = { .side = TLS_CLIENT,
					      .max_version = version,
					      .ciphers = cipher,
					      .cipher_count = cipher ? 1 : 0,
					      .sessions = sessions };

	tls_policy_free(b->policy);
	assert_int_equal(tls_policy_new(&o, &b->policy, NULL), 0);
}

static void bench_init(struct bench *b, uint16_t version)
{
	*b = (struct bench){ .client.out = buf_init(1 << 18) };
	testkit_raw_init(&b->server, true, &certs);
	SSL_CTX_set_session_id_context(b->server.ctx, (const uint8_t *)"test", 4);
	make_policy(b, version, true, NULL);
}

static void bench_fini(struct bench *b)
{
	for (size_t i = 0; i < b->kept_count; i++)
		tls_session_free(b->kept[i]);
	testkit_raw_fini(&b->server);
	tls_policy_free(b->policy);
	buf_fini(&b->client.out);
}

static void open_connection(struct bench *b, struct tls_session *session)
{
	const struct tls_client_options o = { .policy = b->policy,
					      .sni = bytes_str("leaf.test"),
					      .session = session,
					      .hooks = { .on_session = keep, .ctx = b } };

	assert_int_equal(tls_client_new(&o, &b->client.out, &b->client.tls, NULL), 0);
	testkit_raw_start(&b->server);
	testkit_raw_talk(&b->server, &b->client, NULL);
	assert_int_equal(tls_state(b->client.tls), TLS_OPEN);
	tls_info(b->client.tls, &b->info);
}

static void close_connection(struct bench *b)
{
	tls_free(b->client.tls);
	b->client.tls = NULL;
	testkit_raw_stop(&b->server);
	buf_clear(&b->client.out);
}

static void assert_leaf(struct bench *b, const struct testkit_certs *expected)
{
	struct bytes der[4];
	size_t count;

	assert_int_equal(tls_peer_chain(b->client.tls, der, 4, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_true(bytes_equal(der[0], buf_bytes(&expected->leaf)));
	assert_true(bytes_equal(der[1], buf_bytes(&expected->issuer)));
}

static void resumes_with_tickets_of_tls13(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, 0x0304);
	open_connection(&b, NULL);
	assert_false(b.info.resumed);
	assert_int_equal(b.kept_count, 2);
	assert_true(tls_session_is_tls13(b.kept[0]));
	close_connection(&b);
	for (size_t i = 0; i < 2; i++) {
		open_connection(&b, b.kept[i]);
		assert_true(b.info.resumed);
		assert_int_equal(b.info.version, 0x0304);
		assert_leaf(&b, &certs);
		/* Ours carry the chain on, although libssl's have only a part of it. */
		assert_int_equal(b.kept_count, 3 + i);
		close_connection(&b);
	}
	open_connection(&b, b.kept[3]);
	assert_true(b.info.resumed);
	assert_leaf(&b, &certs);
	close_connection(&b);
	bench_fini(&b);
}

static void resumes_in_tls12(bool ticket)
{
	struct bench b;

	bench_init(&b, 0x0303);
	if (!ticket)
		SSL_CTX_set_options(b.server.ctx, SSL_OP_NO_TICKET);
	open_connection(&b, NULL);
	assert_false(b.info.resumed);
	assert_int_equal(b.kept_count, 1);
	assert_false(tls_session_is_tls13(b.kept[0]));
	close_connection(&b);
	for (int i = 0; i < 2; i++) {
		open_connection(&b, b.kept[0]);
		assert_true(b.info.resumed);
		assert_int_equal(b.info.version, 0x0303);
		assert_leaf(&b, &certs);
		close_connection(&b);
	}
	bench_fini(&b);
}

static void resumes_with_a_ticket_of_tls12_more_than_once(void **state)
{
	(void)state;
	resumes_in_tls12(true);
}

static void resumes_with_a_session_id_more_than_once(void **state)
{
	(void)state;
	resumes_in_tls12(false);
}

/* Decoded issuers are dropped with the first ticket, so that sessions kept for later are small; but
 * not from a session that others may be using already. */
static void keeps_decoded_issuers_no_longer_than_it_may(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, 0x0304);
	open_connection(&b, NULL);
	assert_non_null(tls_peer_x509(b.client.tls, 0));
	assert_null(tls_peer_x509(b.client.tls, 1));
	assert_leaf(&b, &certs);
	close_connection(&b);
	bench_fini(&b);
	bench_init(&b, 0x0303);
	open_connection(&b, NULL);
	tls_slim(b.client.tls);
	assert_non_null(tls_peer_x509(b.client.tls, 1));
	close_connection(&b);
	bench_fini(&b);
}

static void takes_a_new_chain_when_the_server_does_not_resume(void **state)
{
	struct bench b;
	struct testkit_raw first;

	(void)state;
	for (uint16_t version = 0x0303; version <= 0x0304; version++) {
		bench_init(&b, version);
		open_connection(&b, NULL);
		close_connection(&b);
		first = b.server;
		testkit_raw_init(&b.server, true, &other_certs);
		open_connection(&b, b.kept[0]);
		assert_false(b.info.resumed);
		assert_leaf(&b, &other_certs);
		close_connection(&b);
		testkit_raw_fini(&first);
		bench_fini(&b);
	}
}

static void does_not_offer_a_session_whose_cipher_is_not_offered(void **state)
{
	static const uint16_t aes256 = 0xc02c, aes128 = 0xc02b;
	struct bench b;

	(void)state;
	bench_init(&b, 0x0303);
	make_policy(&b, 0x0303, true, &aes256);
	open_connection(&b, NULL);
	assert_int_equal(b.info.cipher, aes256);
	close_connection(&b);
	make_policy(&b, 0x0303, true, &aes128);
	open_connection(&b, b.kept[0]);
	assert_false(b.info.resumed);
	assert_int_equal(b.info.cipher, aes128);
	close_connection(&b);
	bench_fini(&b);
}

static void keeps_no_session_unless_the_policy_says_so(void **state)
{
	struct bench b;

	(void)state;
	for (uint16_t version = 0x0303; version <= 0x0304; version++) {
		bench_init(&b, version);
		make_policy(&b, version, false, NULL);
		open_connection(&b, NULL);
		close_connection(&b);
		assert_int_equal(b.kept_count, 0);
		bench_fini(&b);
	}
}

/* A verdict was given when the chain came; a resumed session has the same chain. */
static void asks_for_no_verdict_when_resumed(void **state)
{
	struct tls_client_options o = { .ask_verdict = true };
	struct bench b;

	(void)state;
	bench_init(&b, 0x0304);
	open_connection(&b, NULL);
	close_connection(&b);
	o.policy = b.policy;
	o.session = b.kept[0];
	assert_int_equal(tls_client_new(&o, &b.client.out, &b.client.tls, NULL), 0);
	testkit_raw_start(&b.server);
	testkit_raw_talk(&b.server, &b.client, NULL);
	assert_int_equal(tls_state(b.client.tls), TLS_OPEN);
	assert_leaf(&b, &certs);
	close_connection(&b);
	bench_fini(&b);
}

/* The other way round: our server gives nothing to resume with, and refuses what others gave. */
static void serves_without_tickets_and_cache(void **state)
{
	const struct tls_policy_options o = { .side = TLS_SERVER };
	struct tls_server_options so = { 0 };
	struct testkit_end server = { .out = buf_init(1 << 18) };
	struct testkit_raw client;
	SSL_SESSION *session = NULL;

	(void)state;
	assert_int_equal(tls_policy_new(&o, &so.policy, NULL), 0);
	so.identity = testkit_identity(&certs);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		testkit_raw_init(&client, false, NULL);
		SSL_CTX_set_max_proto_version(client.ctx, version);
		for (int turn = 0; turn < 2; turn++) {
			assert_int_equal(tls_server_new(&so, &server.out, &server.tls, NULL), 0);
			testkit_raw_start(&client);
			if (session)
				assert_int_equal(SSL_set_session(client.ssl, session), 1);
			testkit_raw_talk(&client, &server, NULL);
			assert_int_equal(tls_state(server.tls), TLS_OPEN);
			assert_int_equal(SSL_version(client.ssl), version);
			assert_false(SSL_session_reused(client.ssl));
			assert_false(SSL_SESSION_has_ticket(SSL_get0_session(client.ssl)));
			SSL_SESSION_free(session);
			session = SSL_get1_session(client.ssl);
			testkit_raw_stop(&client);
			tls_free(server.tls);
		}
		SSL_SESSION_free(session);
		session = NULL;
		testkit_raw_fini(&client);
	}
	tls_identity_free(so.identity);
	tls_policy_free(so.policy);
	buf_fini(&server.out);
}

static int set_up(void **state)
{
	(void)state;
	if (tls_init(NULL) < 0)
		return -1;
	testkit_certs_make("P-256", &certs);
	testkit_certs_make("P-256", &other_certs);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	testkit_certs_fini(&certs);
	testkit_certs_fini(&other_certs);
	tls_fini();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resumes_with_tickets_of_tls13),
		cmocka_unit_test(resumes_with_a_ticket_of_tls12_more_than_once),
		cmocka_unit_test(resumes_with_a_session_id_more_than_once),
		cmocka_unit_test(keeps_decoded_issuers_no_longer_than_it_may),
		cmocka_unit_test(takes_a_new_chain_when_the_server_does_not_resume),
		cmocka_unit_test(does_not_offer_a_session_whose_cipher_is_not_offered),
		cmocka_unit_test(keeps_no_session_unless_the_policy_says_so),
		cmocka_unit_test(asks_for_no_verdict_when_resumed),
		cmocka_unit_test(serves_without_tickets_and_cache),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
