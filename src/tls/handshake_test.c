#include "tls/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"
#include "tls/testkit.h"

#define WIRE_MAX ((size_t)1 << 18)

static const char *const kinds[] = { "P-256", "P-384", "RSA", "ED25519" };
static struct testkit_certs certs[ARRAY_LEN(kinds)];
static struct tls_identity *identities[ARRAY_LEN(kinds)];

/* What two sessions are made of, and what the hooks saw. */
struct pair {
	struct tls_policy_options client_offer, server_offer;
	struct tls_client_options client_options;
	struct tls_server_options server_options;
	struct tls_policy *client_policy, *server_policy;
	struct testkit_end client, server;
	struct buf client_log, server_log;
};

static void append_line(void *ctx, struct bytes line)
{
	struct buf *log = ctx;

	assert_int_equal(buf_add(log, line, NULL), 0);
	assert_int_equal(buf_add(log, bytes_str("\n"), NULL), 0);
}

static void pair_init(struct pair *p, size_t kind, uint16_t version)
{
	*p = (struct pair){
		.client_offer = { .side = TLS_CLIENT, .max_version = version },
		.server_offer = { .side = TLS_SERVER },
		.client_options = { .sni = bytes_str("leaf.test") },
		.server_options = { .identity = identities[kind] },
		.client_log = buf_init(WIRE_MAX),
		.server_log = buf_init(WIRE_MAX),
	};
	p->client_options.hooks.ctx = &p->client_log;
	p->server_options.hooks.ctx = &p->server_log;
	p->client.out = p->server.out = buf_init(WIRE_MAX);
}

static void pair_open(struct pair *p)
{
	assert_int_equal(tls_policy_new(&p->client_offer, &p->client_policy, NULL), 0);
	assert_int_equal(tls_policy_new(&p->server_offer, &p->server_policy, NULL), 0);
	p->client_options.policy = p->client_policy;
	p->server_options.policy = p->server_policy;
	assert_int_equal(tls_client_new(&p->client_options, &p->client.out, &p->client.tls, NULL),
			 0);
	assert_int_equal(tls_server_new(&p->server_options, &p->server.out, &p->server.tls, NULL),
			 0);
}

static void pair_fini(struct pair *p)
{
	tls_free(p->client.tls);
	tls_free(p->server.tls);
	tls_policy_free(p->client_policy);
	tls_policy_free(p->server_policy);
	buf_fini(&p->client.out);
	buf_fini(&p->server.out);
	buf_fini(&p->client_log);
	buf_fini(&p->server_log);
}

static void pair_assert_open(struct pair *p)
{
	assert_int_equal(tls_state(p->client.tls), TLS_OPEN);
	assert_int_equal(tls_state(p->server.tls), TLS_OPEN);
}

static void assert_chain(const struct tls *t, const struct testkit_certs *expected)
{
	struct bytes der[4];
	size_t count = 9;

	assert_int_equal(tls_peer_chain(t, der, ARRAY_LEN(der), &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_true(bytes_equal(der[0], buf_bytes(&expected->leaf)));
	assert_true(bytes_equal(der[1], buf_bytes(&expected->issuer)));
}

static void opens(size_t kind, uint16_t version, size_t step)
{
	/* In TLS 1.2 an ECDSA key's curve has to be among them. */
	static const uint16_t groups[] = { 0x1d, 0x17, 0x18 };
	struct pair p;
	struct tls_info at_client, at_server;

	pair_init(&p, kind, version);
	p.client_offer.groups = groups;
	p.client_offer.group_count = ARRAY_LEN(groups);
	pair_open(&p);
	testkit_shake(&p.client, &p.server, step);
	pair_assert_open(&p);
	tls_info(p.client.tls, &at_client);
	tls_info(p.server.tls, &at_server);
	assert_int_equal(at_client.version, version);
	assert_int_equal(at_server.version, version);
	assert_int_not_equal(at_client.cipher, 0);
	assert_int_equal(at_client.cipher, at_server.cipher);
	assert_int_equal(at_client.group, 0x1d);
	assert_int_equal(at_client.group, at_server.group);
	assert_int_equal(at_client.alpn.n, 0);
	assert_false(at_client.resumed || at_server.resumed || at_client.cert_asked);
	assert_int_equal(tls_peer_alert(p.client.tls), -1);
	assert_chain(p.client.tls, &certs[kind]);
	pair_fini(&p);
}

static void opens_with_each_version_and_kind_of_key(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++)
		for (uint16_t version = 0x0303; version <= 0x0304; version++) {
			opens(kind, version, 0);
			opens(kind, version, 1);
		}
}

static void hands_over_the_decoded_chain(void **state)
{
	struct bytes der[2];
	size_t count;
	struct pair p;

	(void)state;
	pair_init(&p, 0, 0x0304);
	pair_open(&p);
	assert_null(tls_peer_x509(p.client.tls, 0));
	testkit_shake(&p.client, &p.server, 0);
	for (size_t i = 0; i < 2; i++) {
		X509 *x = tls_peer_x509(p.client.tls, i);
		uint8_t *again = NULL;
		int n = i2d_X509(x, &again);

		assert_int_equal(tls_peer_chain(p.client.tls, der, 2, &count, NULL), 0);
		assert_true(bytes_equal(bytes_of(again, (size_t)n), der[i]));
		OPENSSL_free(again);
	}
	assert_null(tls_peer_x509(p.client.tls, 2));
	tls_slim(p.client.tls);
	assert_null(tls_peer_x509(p.client.tls, 1));
	assert_chain(p.client.tls, &certs[0]);
	pair_fini(&p);
}

static void refuses_a_chain_longer_than_the_callers_room(void **state)
{
	struct bytes der[1];
	size_t count = 9;
	struct err e;
	struct pair p;

	(void)state;
	pair_init(&p, 0, 0x0304);
	pair_open(&p);
	testkit_shake(&p.client, &p.server, 0);
	assert_int_equal(tls_peer_chain(p.client.tls, der, 1, &count, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(count, 9);
	pair_fini(&p);
}

static void chooses_the_one_protocol_if_the_client_offers_it(void **state)
{
	static const struct {
		const char *offered, *told, *chosen;
	} cases[] = {
		{ "\x02h2\x08http/1.1", "h2", "h2" },
		{ "\x02h2\x08http/1.1", "http/1.1", "http/1.1" },
		{ "\x02h2\x08http/1.1", "h3", "" },
		{ "\x02h2\x08http/1.1", "", "" },
		{ "", "h2", "" },
	};
	struct tls_info info;
	struct pair p;

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		size_t c = i / 2;

		pair_init(&p, 0, i % 2 ? 0x0303 : 0x0304);
		p.client_options.alpn = bytes_str(cases[c].offered);
		p.server_options.alpn = bytes_str(cases[c].told);
		pair_open(&p);
		testkit_shake(&p.client, &p.server, 0);
		pair_assert_open(&p);
		tls_info(p.client.tls, &info);
		assert_true(bytes_equal(info.alpn, bytes_str(cases[c].chosen)));
		tls_info(p.server.tls, &info);
		assert_true(bytes_equal(info.alpn, bytes_str(cases[c].chosen)));
		pair_fini(&p);
	}
}

static void asks_again_when_the_key_share_is_of_another_group(void **state)
{
	static const uint16_t both[] = { 0x1d, 0x17 }, one[] = { 0x17 };
	struct tls_info info;
	struct pair p;

	(void)state;
	for (size_t step = 0; step < 2; step++) {
		pair_init(&p, 0, 0x0304);
		p.client_offer.groups = both;
		p.client_offer.group_count = 2;
		p.server_offer.groups = one;
		p.server_offer.group_count = 1;
		pair_open(&p);
		testkit_shake(&p.client, &p.server, step);
		pair_assert_open(&p);
		tls_info(p.client.tls, &info);
		assert_int_equal(info.group, 0x17);
		pair_fini(&p);
	}
}

static void waits_for_the_verdict(void **state)
{
	struct pair p;

	(void)state;
	for (uint16_t version = 0x0303; version <= 0x0304; version++) {
		pair_init(&p, 0, version);
		p.client_options.ask_verdict = true;
		pair_open(&p);
		assert_false(tls_wants_verdict(p.client.tls));
		testkit_shake(&p.client, &p.server, 0);
		assert_int_equal(tls_state(p.client.tls), TLS_HANDSHAKING);
		assert_true(tls_wants_verdict(p.client.tls));
		assert_int_equal(p.client.out.n, 0);
		assert_int_equal(tls_run(p.client.tls, NULL), TLS_HANDSHAKING);
		assert_chain(p.client.tls, &certs[0]);
		tls_verdict(p.client.tls, 0);
		assert_false(tls_wants_verdict(p.client.tls));
		testkit_shake(&p.client, &p.server, 0);
		pair_assert_open(&p);
		pair_fini(&p);
	}
}

static void refuses(uint16_t version, uint8_t asked, uint8_t sent)
{
	struct err e;
	struct pair p;

	pair_init(&p, 0, version);
	p.client_options.ask_verdict = true;
	pair_open(&p);
	testkit_shake(&p.client, &p.server, 0);
	tls_verdict(p.client.tls, asked);
	assert_int_equal(tls_run(p.client.tls, &e), TLS_FAILED);
	assert_int_equal(e.code, ERR_REFUSED);
	testkit_move(&p.client, &p.server, 0, NULL);
	assert_int_equal(p.server.status, TLS_FAILED);
	assert_int_equal(p.server.err.code, ERR_TLS_ALERT);
	assert_int_equal(tls_peer_alert(p.server.tls), sent);
	pair_fini(&p);
}

static void refuses_a_chain_with_the_alert_asked_for(void **state)
{
	static const uint8_t alerts[] = { 40, 42, 43, 44, 45, 46, 48, 51, 80 };

	(void)state;
	for (uint16_t version = 0x0303; version <= 0x0304; version++) {
		for (size_t i = 0; i < ARRAY_LEN(alerts); i++)
			refuses(version, alerts[i], alerts[i]);
		refuses(version, 49, 46);
	}
}

static void gives_a_certificate_when_asked_for_one(void **state)
{
	struct tls_info info;
	struct pair p;

	(void)state;
	for (uint16_t version = 0x0303; version <= 0x0304; version++) {
		pair_init(&p, 0, version);
		p.server_options.ask_client_cert = true;
		p.client_options.identity = identities[1];
		pair_open(&p);
		testkit_shake(&p.client, &p.server, 0);
		pair_assert_open(&p);
		tls_info(p.client.tls, &info);
		assert_true(info.cert_asked);
		assert_chain(p.server.tls, &certs[1]);
		assert_non_null(tls_peer_x509(p.server.tls, 0));
		assert_non_null(tls_peer_x509(p.server.tls, 1));
		assert_null(tls_peer_x509(p.server.tls, 2));
		pair_fini(&p);
	}
}

static void goes_on_without_a_certificate_when_asked_for_one(void **state)
{
	struct tls_info info;
	struct bytes der[4];
	size_t count = 9;
	struct pair p;

	(void)state;
	for (uint16_t version = 0x0303; version <= 0x0304; version++) {
		pair_init(&p, 0, version);
		p.server_options.ask_client_cert = true;
		pair_open(&p);
		testkit_shake(&p.client, &p.server, 0);
		pair_assert_open(&p);
		tls_info(p.client.tls, &info);
		assert_true(info.cert_asked);
		assert_int_equal(tls_peer_chain(p.server.tls, der, 4, &count, NULL), 0);
		assert_int_equal(count, 0);
		pair_fini(&p);
	}
}

static size_t count_text(const struct buf *log, const char *what)
{
	struct bytes rest = buf_bytes(log), wanted = bytes_str(what);
	size_t n = 0;

	for (; rest.n; rest = bytes_slice(rest, 1, rest.n))
		n += bytes_starts(rest, wanted);
	return n;
}

static void logs_every_secret_on_both_sides(void **state)
{
	static const char *const labels[] = {
		"CLIENT_HANDSHAKE_TRAFFIC_SECRET ",
		"SERVER_HANDSHAKE_TRAFFIC_SECRET ",
		"CLIENT_TRAFFIC_SECRET_0 ",
		"SERVER_TRAFFIC_SECRET_0 ",
		"EXPORTER_SECRET ",
	};
	struct pair p;

	(void)state;
	for (uint16_t version = 0x0303; version <= 0x0304; version++) {
		pair_init(&p, 0, version);
		p.client_options.hooks.on_secret = append_line;
		p.server_options.hooks.on_secret = append_line;
		pair_open(&p);
		testkit_shake(&p.client, &p.server, 0);
		pair_assert_open(&p);
		for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
			assert_int_equal(count_text(&p.client_log, labels[i]), version == 0x0304);
			assert_int_equal(count_text(&p.server_log, labels[i]), version == 0x0304);
		}
		assert_int_equal(count_text(&p.client_log, "CLIENT_RANDOM "), version == 0x0303);
		assert_int_equal(count_text(&p.client_log, "\n"), version == 0x0304 ? 5 : 1);
		if (version == 0x0303)
			assert_true(
				bytes_equal(buf_bytes(&p.client_log), buf_bytes(&p.server_log)));
		pair_fini(&p);
	}
}

static void refuses_what_is_no_name_or_list(void **state)
{
	uint8_t longest[300] = { 0 };
	struct tls_client_options *o;
	struct tls *t = NULL;
	struct err e;
	struct pair p;

	(void)state;
	pair_init(&p, 0, 0x0304);
	pair_open(&p);
	o = &p.client_options;
	memset(longest, 'a', sizeof(longest));
	o->sni = bytes_of(longest, 256);
	assert_int_equal(tls_client_new(o, &p.client.out, &t, &e), -1);
	assert_int_equal(e.code, ERR_NAME);
	o->sni = bytes_of("a\0b", 3);
	assert_int_equal(tls_client_new(o, &p.client.out, &t, &e), -1);
	assert_int_equal(e.code, ERR_NAME);
	o->sni = bytes_str("leaf.test");
	o->alpn = bytes_str("\x05h2");
	assert_int_equal(tls_client_new(o, &p.client.out, &t, &e), -1);
	assert_int_equal(e.code, ERR_TLS_DECODE);
	p.server_options.alpn = bytes_of(longest, 256);
	assert_int_equal(tls_server_new(&p.server_options, &p.server.out, &t, &e), -1);
	assert_int_equal(e.code, ERR_TLS_DECODE);
	p.server_options.policy = p.client_policy;
	assert_int_equal(tls_server_new(&p.server_options, &p.server.out, &t, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	assert_null(t);
	pair_fini(&p);
}

static void survives_every_allocation_that_fails(void **state)
{
	struct tls *t = NULL;
	struct err e;
	struct pair p;
	size_t n = 0;

	(void)state;
	pair_init(&p, 0, 0x0304);
	pair_open(&p);
	p.server_options.alpn = bytes_str("h2");
	do {
		mem_fail_at(++n);
		if (tls_client_new(&p.client_options, &p.client.out, &t, &e) == 0) {
			tls_free(t);
			t = NULL;
		} else {
			assert_int_equal(e.code, ERR_NOMEM);
			continue;
		}
		if (tls_server_new(&p.server_options, &p.server.out, &t, &e) == 0)
			break;
		assert_int_equal(e.code, ERR_NOMEM);
	} while (n < 20);
	mem_fail_at(0);
	assert_non_null(t);
	assert_true(n >= 4);
	tls_free(t);
	pair_fini(&p);
}

/* The copy of the chain and the room in out are ours: without them the handshake fails cleanly. */
static void fails_cleanly_without_memory_in_the_handshake(void **state)
{
	(void)state;
	for (size_t n = 1;; n++) {
		struct pair p;
		bool open;

		pair_init(&p, 0, 0x0304);
		pair_open(&p);
		mem_fail_at(n);
		testkit_shake(&p.client, &p.server, 0);
		mem_fail_at(0);
		open = tls_state(p.client.tls) == TLS_OPEN && tls_state(p.server.tls) == TLS_OPEN;
		if (open)
			assert_chain(p.client.tls, &certs[0]);
		else
			assert_true(p.client.err.code == ERR_NOMEM ||
				    p.server.err.code == ERR_NOMEM);
		pair_fini(&p);
		if (open)
			break;
		assert_true(n < 50);
	}
}

static int set_up(void **state)
{
	(void)state;
	if (tls_init(NULL) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		testkit_certs_make(kinds[i], &certs[i]);
		identities[i] = testkit_identity(&certs[i]);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		tls_identity_free(identities[i]);
		testkit_certs_fini(&certs[i]);
	}
	tls_fini();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_with_each_version_and_kind_of_key),
		cmocka_unit_test(hands_over_the_decoded_chain),
		cmocka_unit_test(refuses_a_chain_longer_than_the_callers_room),
		cmocka_unit_test(chooses_the_one_protocol_if_the_client_offers_it),
		cmocka_unit_test(asks_again_when_the_key_share_is_of_another_group),
		cmocka_unit_test(waits_for_the_verdict),
		cmocka_unit_test(refuses_a_chain_with_the_alert_asked_for),
		cmocka_unit_test(gives_a_certificate_when_asked_for_one),
		cmocka_unit_test(goes_on_without_a_certificate_when_asked_for_one),
		cmocka_unit_test(logs_every_secret_on_both_sides),
		cmocka_unit_test(refuses_what_is_no_name_or_list),
		cmocka_unit_test(survives_every_allocation_that_fails),
		cmocka_unit_test(fails_cleanly_without_memory_in_the_handshake),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
