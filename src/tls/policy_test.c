#include "tls/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/rd.h"
#include "tls/issuers.h"
#include "tls/testkit.h"

#define LIST_MAX 64

/* What a ClientHello offers. */
struct hello {
	uint16_t ciphers[LIST_MAX], groups[LIST_MAX], sigalgs[LIST_MAX], versions[LIST_MAX];
	size_t cipher_count, group_count, sigalg_count, version_count;
	uint16_t shares[LIST_MAX];
	size_t share_count;
	bool sni, alpn, ticket, early_data;
};

static struct testkit_certs certs;

static size_t read_list(struct rd r, uint16_t *out)
{
	size_t n = 0;

	while (r.n && n < LIST_MAX)
		out[n++] = rd_u16(&r);
	return n;
}

static void read_shares(struct rd r, struct hello *h)
{
	while (r.n && h->share_count < LIST_MAX) {
		h->shares[h->share_count++] = rd_u16(&r);
		(void)rd_vec16(&r);
	}
}

static void read_extension(uint16_t type, struct rd body, struct hello *h)
{
	switch (type) {
	case 0:
		h->sni = true;
		break;
	case 10:
		h->group_count = read_list(rd_vec16(&body), h->groups);
		break;
	case 13:
		h->sigalg_count = read_list(rd_vec16(&body), h->sigalgs);
		break;
	case 16:
		h->alpn = true;
		break;
	case 35:
		h->ticket = true;
		break;
	case 42:
		h->early_data = true;
		break;
	case 43:
		h->version_count = read_list(rd_vec8(&body), h->versions);
		break;
	case 51:
		read_shares(rd_vec16(&body), h);
		break;
	default:
		break;
	}
}

static void read_hello(struct bytes record, struct hello *h)
{
	bool bad = false;
	struct rd r = rd_init(record, &bad), extensions;

	*h = (struct hello){ 0 };
	rd_skip(&r, 5 + 4 + 2 + 32);
	(void)rd_vec8(&r);
	h->cipher_count = read_list(rd_vec16(&r), h->ciphers);
	/* TLS_EMPTY_RENEGOTIATION_INFO_SCSV is no cipher; libssl 3.5 has an extension instead. */
	if (h->cipher_count && h->ciphers[h->cipher_count - 1] == 0x00ff)
		h->cipher_count--;
	(void)rd_vec8(&r);
	extensions = rd_vec16(&r);
	rd_end(&r);
	while (extensions.n) {
		uint16_t type = rd_u16(&extensions);

		read_extension(type, rd_vec16(&extensions), h);
	}
	assert_false(bad);
}

/* What a client with this policy offers. */
static void offer(const struct tls_policy_options *o, struct hello *h)
{
	struct tls_client_options c = { .sni = bytes_str("leaf.test") };
	struct buf out = buf_init(1 << 16);
	struct tls_policy *policy;
	struct tls *t;
	struct err e;

	if (tls_policy_new(o, &policy, &e) < 0)
		fail_msg("%s", e.sentence);
	c.policy = policy;
	assert_int_equal(tls_client_new(&c, &out, &t, NULL), 0);
	assert_int_equal(tls_run(t, NULL), TLS_HANDSHAKING);
	read_hello(buf_bytes(&out), h);
	tls_free(t);
	tls_policy_free(policy);
	buf_fini(&out);
}

static void assert_list(const uint16_t *got, size_t got_n, const uint16_t *expected,
			size_t expected_n)
{
	assert_int_equal(got_n, expected_n);
	for (size_t i = 0; i < got_n; i++)
		assert_int_equal(got[i], expected[i]);
}
#define ASSERT_LIST(got, n, ...)                                                                   \
	assert_list(got, n, (const uint16_t[]){ __VA_ARGS__ },                                     \
		    ARRAY_LEN(((const uint16_t[]){ __VA_ARGS__ })))

/* Chromium 131 on Linux. */
static const uint16_t chrome_ciphers[] = { 0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f,
					   0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
					   0x009c, 0x009d, 0x002f, 0x0035 };
static const uint16_t chrome_groups[] = { 0x7a7a, 0x11ec, 0x001d, 0x0017, 0x0018 };
static const uint16_t chrome_sigalgs[] = { 0x0403, 0x0804, 0x0401, 0x0503,
					   0x0805, 0x0501, 0x0806, 0x0601 };

static void offers_what_a_browser_offers(void **state)
{
	const struct tls_policy_options o = {
		.side = TLS_CLIENT,
		.ciphers = chrome_ciphers,
		.cipher_count = ARRAY_LEN(chrome_ciphers),
		.groups = chrome_groups,
		.group_count = ARRAY_LEN(chrome_groups),
		.sigalgs = chrome_sigalgs,
		.sigalg_count = ARRAY_LEN(chrome_sigalgs),
	};
	struct hello h;
	/* libssl 3.5 has ML-KEM, 3.0 has not; GREASE nobody. */
	size_t skip = OPENSSL_VERSION_MAJOR == 3 && OPENSSL_VERSION_MINOR < 5 ? 2 : 1;

	(void)state;
	offer(&o, &h);
	ASSERT_LIST(h.ciphers, h.cipher_count, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c,
		    0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035);
	assert_list(h.groups, h.group_count, chrome_groups + skip, 5 - skip);
	assert_list(h.sigalgs, h.sigalg_count, chrome_sigalgs, ARRAY_LEN(chrome_sigalgs));
	ASSERT_LIST(h.versions, h.version_count, 0x0304, 0x0303);
	assert_int_equal(h.share_count, 1);
	assert_int_equal(h.shares[0], h.groups[0]);
	assert_true(h.sni);
	assert_false(h.alpn || h.ticket || h.early_data);
}

/* curl 7.88 with OpenSSL 3.0, Debian 12. */
static const uint16_t curl_ciphers[] = { 0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0x009f,
					 0xcca9, 0xcca8, 0xccaa, 0xc02b, 0xc02f, 0x009e,
					 0xc024, 0xc028, 0x006b, 0xc023, 0xc027, 0x0067,
					 0xc00a, 0xc014, 0x0039, 0xc009, 0xc013, 0x0033,
					 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f };
static const uint16_t curl_groups[] = { 0x001d, 0x0017, 0x001e, 0x0019, 0x0018,
					0x0100, 0x0101, 0x0102, 0x0103, 0x0104 };
static const uint16_t curl_sigalgs[] = { 0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x080a,
					 0x080b, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601,
					 0x0303, 0x0301, 0x0302, 0x0402, 0x0502, 0x0602 };

static void offers_what_curl_offers(void **state)
{
	const struct tls_policy_options o = {
		.side = TLS_CLIENT,
		.ciphers = curl_ciphers,
		.cipher_count = ARRAY_LEN(curl_ciphers),
		.groups = curl_groups,
		.group_count = ARRAY_LEN(curl_groups),
		.sigalgs = curl_sigalgs,
		.sigalg_count = ARRAY_LEN(curl_sigalgs),
		.sessions = true,
	};
	struct hello h;

	(void)state;
	offer(&o, &h);
	assert_list(h.ciphers, h.cipher_count, curl_ciphers, ARRAY_LEN(curl_ciphers));
	assert_list(h.groups, h.group_count, curl_groups, ARRAY_LEN(curl_groups));
	/* Without DSA. */
	assert_list(h.sigalgs, h.sigalg_count, curl_sigalgs, 16);
	assert_true(h.ticket);
}

static void never_offers_anonymous_null_psk_or_export_ciphers(void **state)
{
	static const uint16_t list[] = { 0xc018, 0x0034, 0xc019, 0x00a6, 0x003b, 0x0002, 0xc010,
					 0x0000, 0x0003, 0x0008, 0x00a8, 0xc0a4, 0xc035, 0xc01d,
					 0x00ae, 0xc02b, 0xc02b, 0x1301, 0xffff };
	const struct tls_policy_options o = { .side = TLS_CLIENT,
					      .ciphers = list,
					      .cipher_count = ARRAY_LEN(list) };
	const struct tls_policy_options by_default = { .side = TLS_CLIENT };
	struct hello h;

	(void)state;
	offer(&o, &h);
	ASSERT_LIST(h.ciphers, h.cipher_count, 0x1301, 0xc02b);
	offer(&by_default, &h);
	assert_true(h.cipher_count > 10);
	for (size_t i = 0; i < h.cipher_count; i++)
		for (size_t j = 0; j < 15; j++)
			assert_int_not_equal(h.ciphers[i], list[j]);
}

static void follows_the_ciphers_with_the_versions(void **state)
{
	static const uint16_t only13[] = { 0x1301 }, only12[] = { 0xc02b };
	struct tls_policy_options o = { .side = TLS_CLIENT, .ciphers = only13, .cipher_count = 1 };
	struct hello h;

	(void)state;
	offer(&o, &h);
	ASSERT_LIST(h.versions, h.version_count, 0x0304);
	assert_int_equal(h.ciphers[0], 0x1301);
	o.ciphers = only12;
	offer(&o, &h);
	assert_int_equal(h.version_count, 0);
	ASSERT_LIST(h.ciphers, h.cipher_count, 0xc02b);
}

static void keeps_to_the_versions(void **state)
{
	struct tls_policy_options o = { .side = TLS_CLIENT };
	struct hello h;

	(void)state;
	offer(&o, &h);
	ASSERT_LIST(h.versions, h.version_count, 0x0304, 0x0303);
	o.min_version = 0x0304;
	offer(&o, &h);
	ASSERT_LIST(h.versions, h.version_count, 0x0304);
	o.min_version = 0x0301;
	offer(&o, &h);
	ASSERT_LIST(h.versions, h.version_count, 0x0304, 0x0303, 0x0302, 0x0301);
	/* A version of the future means the highest there is. */
	o.max_version = 0x0305;
	o.min_version = 0x0303;
	offer(&o, &h);
	ASSERT_LIST(h.versions, h.version_count, 0x0304, 0x0303);
}

static void fails_when_nothing_usable_is_left(void **state)
{
	static const uint16_t none[] = { 0x0a0a, 0xfefe }, only13[] = { 0x1301 };
	const struct tls_policy_options cases[] = {
		{ .ciphers = none, .cipher_count = 2 },
		{ .groups = none, .group_count = 2 },
		{ .sigalgs = none, .sigalg_count = 2 },
		{ .ciphers = only13, .cipher_count = 1, .max_version = 0x0303 },
		{ .min_version = 0x0304, .max_version = 0x0303 },
		{ .min_version = 0x0200 },
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		struct tls_policy_options o = cases[i / 2];
		struct tls_policy *policy = NULL;
		struct err e = { 0 };

		o.side = i % 2 ? TLS_SERVER : TLS_CLIENT;
		assert_int_equal(tls_policy_new(&o, &policy, &e), -1);
		assert_int_equal(e.code, ERR_UNSUPPORTED);
		assert_true(strlen(e.sentence) > 10);
		assert_null(policy);
	}
}

static void survives_every_allocation_that_fails(void **state)
{
	const struct tls_policy_options o = {
		.side = TLS_CLIENT,
		.ciphers = chrome_ciphers,
		.cipher_count = ARRAY_LEN(chrome_ciphers),
		.groups = chrome_groups,
		.group_count = ARRAY_LEN(chrome_groups),
	};
	struct tls_policy *policy = NULL;
	struct err e;
	size_t n = 1;

	(void)state;
	for (; n < 100; n++) {
		int r;

		mem_fail_at(n);
		r = tls_policy_new(&o, &policy, &e);
		mem_fail_at(0);
		if (r == 0)
			break;
		assert_int_equal(e.code, ERR_NOMEM);
		assert_null(policy);
	}
	assert_true(n > 3 && n < 100);
	tls_policy_free(policy);
}

static void counts_its_users(void **state)
{
	const struct tls_policy_options o = { .side = TLS_CLIENT };
	struct tls_policy *policy;

	(void)state;
	assert_int_equal(tls_policy_new(&o, &policy, NULL), 0);
	assert_ptr_equal(tls_policy_ref(policy), policy);
	tls_policy_free(policy);
	tls_policy_free(policy);
	tls_policy_free(NULL);
}

static void takes_keys_of_every_kind(void **state)
{
	static const char *const kinds[] = { "P-256", "P-384", "RSA", "ED25519" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct testkit_certs c;
		struct tls_identity *id;

		testkit_certs_make(kinds[i], &c);
		id = testkit_identity(&c);
		assert_ptr_equal(tls_identity_ref(id), id);
		tls_identity_free(id);
		tls_identity_free(id);
		testkit_certs_fini(&c);
	}
	tls_identity_free(NULL);
	tls_key_free(NULL);
	tls_session_free(NULL);
}

static void refuses_every_truncation_of_a_key(void **state)
{
	struct bytes der = buf_bytes(&certs.key);
	struct tls_key *key = NULL;
	struct buf longer = buf_init(1000);
	struct err e;

	(void)state;
	for (size_t n = 0; n < der.n; n++) {
		assert_int_equal(tls_key_new(bytes_slice(der, 0, n), &key, &e), -1);
		assert_int_equal(e.code, ERR_KEY);
	}
	assert_int_equal(buf_add(&longer, der, NULL), 0);
	assert_int_equal(buf_add(&longer, bytes_str("x"), NULL), 0);
	assert_int_equal(tls_key_new(buf_bytes(&longer), &key, &e), -1);
	assert_int_equal(e.code, ERR_KEY);
	assert_null(key);
	buf_fini(&longer);
}

static void refuses_every_truncation_of_a_certificate(void **state)
{
	struct bytes der[] = { buf_bytes(&certs.leaf), buf_bytes(&certs.issuer) };
	struct tls_identity *id = NULL;
	struct tls_key *key;
	struct err e;

	(void)state;
	assert_int_equal(tls_key_new(buf_bytes(&certs.key), &key, NULL), 0);
	for (size_t which = 0; which < 2; which++) {
		size_t whole = der[which].n;

		for (der[which].n = 0; der[which].n < whole; der[which].n++) {
			assert_int_equal(tls_identity_new(der, 2, key, &id, &e), -1);
			assert_int_equal(e.code, ERR_CERT);
		}
	}
	assert_int_equal(tls_identity_new(der, 0, key, &id, &e), -1);
	assert_int_equal(e.code, ERR_CERT);
	assert_null(id);
	tls_key_free(key);
}

static void refuses_a_key_of_another_certificate(void **state)
{
	struct bytes der = buf_bytes(&certs.issuer);
	struct tls_identity *id = NULL;
	struct tls_key *key;
	struct err e;

	(void)state;
	assert_int_equal(tls_key_new(buf_bytes(&certs.key), &key, NULL), 0);
	assert_int_equal(tls_identity_new(&der, 1, key, &id, &e), -1);
	assert_int_equal(e.code, ERR_CERT);
	assert_null(id);
	tls_key_free(key);
}

static void decodes_an_issuer_once(void **state)
{
	X509 *first = issuers_get(buf_bytes(&certs.issuer));
	X509 *second = issuers_get(buf_bytes(&certs.issuer));

	(void)state;
	assert_non_null(first);
	assert_ptr_equal(first, second);
	X509_free(first);
	X509_free(second);
}

/* Issuers are remembered, and then forgotten again; each identity must have its own chain still. */
static void sends_the_issuer_that_belongs_to_the_identity(void **state)
{
	static struct testkit_certs many[12];
	struct tls_identity *ids[ARRAY_LEN(many)];
	struct tls_client_options c = { 0 };
	struct tls_server_options s = { 0 };
	struct tls_policy_options o = { .side = TLS_CLIENT };

	(void)state;
	assert_int_equal(tls_policy_new(&o, &c.policy, NULL), 0);
	o.side = TLS_SERVER;
	assert_int_equal(tls_policy_new(&o, &s.policy, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		testkit_certs_make("P-256", &many[i]);
		ids[i] = testkit_identity(&many[i]);
		tls_identity_free(ids[i]);
		ids[i] = testkit_identity(&many[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		struct testkit_end client = { .out = buf_init(1 << 18) };
		struct testkit_end server = { .out = buf_init(1 << 18) };
		struct bytes der[2];
		size_t count;

		s.identity = ids[i];
		assert_int_equal(tls_client_new(&c, &client.out, &client.tls, NULL), 0);
		assert_int_equal(tls_server_new(&s, &server.out, &server.tls, NULL), 0);
		testkit_shake(&client, &server, 0);
		assert_int_equal(tls_peer_chain(client.tls, der, 2, &count, NULL), 0);
		assert_int_equal(count, 2);
		assert_true(bytes_equal(der[1], buf_bytes(&many[i].issuer)));
		tls_free(client.tls);
		tls_free(server.tls);
		buf_fini(&client.out);
		buf_fini(&server.out);
		tls_identity_free(ids[i]);
		testkit_certs_fini(&many[i]);
	}
	tls_policy_free(c.policy);
	tls_policy_free(s.policy);
}

static int set_up(void **state)
{
	(void)state;
	if (tls_init(NULL) < 0)
		return -1;
	testkit_certs_make("P-256", &certs);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	testkit_certs_fini(&certs);
	tls_fini();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offers_what_a_browser_offers),
		cmocka_unit_test(offers_what_curl_offers),
		cmocka_unit_test(never_offers_anonymous_null_psk_or_export_ciphers),
		cmocka_unit_test(follows_the_ciphers_with_the_versions),
		cmocka_unit_test(keeps_to_the_versions),
		cmocka_unit_test(fails_when_nothing_usable_is_left),
		cmocka_unit_test(survives_every_allocation_that_fails),
		cmocka_unit_test(counts_its_users),
		cmocka_unit_test(takes_keys_of_every_kind),
		cmocka_unit_test(refuses_every_truncation_of_a_key),
		cmocka_unit_test(refuses_every_truncation_of_a_certificate),
		cmocka_unit_test(refuses_a_key_of_another_certificate),
		cmocka_unit_test(decodes_an_issuer_once),
		cmocka_unit_test(sends_the_issuer_that_belongs_to_the_identity),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
