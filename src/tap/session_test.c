#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
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

static void plays(const struct kit *k, size_t size)
{
	struct play p;

	play_init(&p, buf_bytes(&k->keys));
	play_all(&p, k, size);
	play_end(&p);
	play_check(&p, k);
	assert_true(p.ended[0] && p.ended[1]);
	assert_int_equal(p.ends[DIR_UP], END_CLEAN);
	assert_int_equal(p.ends[DIR_DOWN], END_CLEAN);
	assert_int_equal(p.done, 1);
	assert_false(p.flow.truncated || p.flow.failed || p.flow.dark);
	play_fini(&p);
}

static void opens_every_suite_of_tls_13(void **state)
{
	static const char *const suites[] = { "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
					      "TLS_CHACHA20_POLY1305_SHA256",
					      "TLS_AES_128_CCM_SHA256",
					      "TLS_AES_128_CCM_8_SHA256" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		struct kit_options o = { .suites = suites[i] };
		struct kit k;

		kit_init(&k, &o);
		talk(&k);
		plays(&k, 0);
		plays(&k, 1);
		plays(&k, 1460);
		kit_fini(&k);
	}
}

static void tells_what_was_agreed(void **state)
{
	struct kit_options o = { .suites = "TLS_AES_128_GCM_SHA256", .groups = "X25519" };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	talk(&k);
	play_init(&p, buf_bytes(&k.keys));
	play_all(&p, &k, 0);
	play_end(&p);
	assert_true(play_logged(&p, "> client_hello plain\n> hello oriel.test TLS 1.3\n"));
	assert_true(play_logged(&p, "< answer TLS 1.3 TLS_AES_128_GCM_SHA256\n"));
	assert_true(play_logged(&p, "< secret SERVER_HANDSHAKE_TRAFFIC_SECRET\n"));
	assert_true(play_logged(&p, "< encrypted_extensions encrypted\n"));
	assert_true(play_logged(&p, "< certificate encrypted\n< chain 1\n"));
	assert_true(play_logged(&p, "< done TLS 1.3 TLS_AES_128_GCM_SHA256 x25519 h2\n"));
	assert_true(play_logged(&p, "< new_session_ticket encrypted\n"));
	assert_true(play_logged(&p, "> alert close_notify\n"));
	assert_true(bytes_equal(buf_bytes(&p.above_alpn), bytes_str("h2")));
	assert_false(p.late);
	assert_true(p.flow.encrypted);
	play_fini(&p);
	kit_fini(&k);
}

static void follows_a_retry(void **state)
{
	struct kit_options o = { .groups = "P-521" };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	talk(&k);
	plays(&k, 0);
	plays(&k, 1);
	play_init(&p, buf_bytes(&k.keys));
	play_all(&p, &k, 0);
	assert_true(play_logged(&p, "secp521r1"));
	play_fini(&p);
	kit_fini(&k);
}

static void follows_a_resumption(void **state)
{
	struct kit_options o = { 0 };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	talk(&k);
	kit_again(&k);
	talk(&k);
	plays(&k, 0);
	plays(&k, 1);
	play_init(&p, buf_bytes(&k.keys));
	play_all(&p, &k, 0);
	assert_true(play_logged(&p, "resumed"));
	play_fini(&p);
	kit_fini(&k);
}

static void follows_updates_of_keys(void **state)
{
	struct kit_options o = { 0 };
	struct kit k;

	(void)state;
	kit_init(&k, &o);
	kit_shake(&k);
	for (int i = 0; i < 10; i++) {
		kit_send(&k, DIR_UP, 10);
		kit_update(&k, DIR_UP, i % 2);
		kit_send(&k, DIR_DOWN, 20000);
		kit_update(&k, DIR_DOWN, i % 3);
		kit_update(&k, DIR_DOWN, false);
	}
	kit_send(&k, DIR_UP, 10);
	kit_close(&k);
	plays(&k, 0);
	plays(&k, 1);
	kit_fini(&k);
}

static void follows_authentication_after_the_handshake(void **state)
{
	struct kit_options o = { .ask_client = true };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	SSL_set_verify(k.server, SSL_VERIFY_NONE, NULL);
	kit_shake(&k);
	kit_send(&k, DIR_UP, 10);
	SSL_set_verify(k.server, SSL_VERIFY_PEER, kit_any_certificate);
	assert_int_equal(SSL_verify_client_post_handshake(k.server), 1);
	assert_int_equal(SSL_do_handshake(k.server), 1);
	kit_pump(&k);
	kit_send(&k, DIR_UP, 10);
	kit_send(&k, DIR_DOWN, 10);
	kit_close(&k);
	plays(&k, 0);
	play_init(&p, buf_bytes(&k.keys));
	play_all(&p, &k, 0);
	assert_true(play_logged(&p, "< certificate_request encrypted\n"));
	assert_true(play_logged(&p, "> certificate encrypted\n> chain 1\n"));
	play_fini(&p);
	kit_fini(&k);
}

/* 0-RTT: rejected by a server that has forgotten its keys for tickets. */
static void early(struct kit *k, bool rejected)
{
	struct kit_options o = { .early = 100000 };
	size_t n;

	kit_init(k, &o);
	talk(k);
	kit_again(k);
	if (rejected) {
		unsigned char keys[80] = { 1 };

		SSL_CTX_set_tlsext_ticket_keys(k->server_ctx, keys, sizeof(keys));
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(SSL_write_early_data(k->client, "early bird", 10, &n), 1);
	if (!rejected)
		assert_int_equal(buf_add(&k->sent[DIR_UP],
					 bytes_str("early birdearly birdearly bird"), NULL),
				 0);
	kit_move(k, DIR_UP);
	if (!rejected) {
		char room[100];

		while (SSL_read_early_data(k->server, room, sizeof(room), &n) ==
		       SSL_READ_EARLY_DATA_SUCCESS)
			;
	}
	kit_shake(k);
	kit_send(k, DIR_DOWN, 20);
	kit_close(k);
}

static void opens_early_data(void **state)
{
	struct kit k;

	(void)state;
	early(&k, false);
	plays(&k, 0);
	plays(&k, 1);
	kit_fini(&k);
}

static void leaves_out_early_data_that_was_rejected(void **state)
{
	AUTO(buf_fini) struct buf keys = buf_init(1 << 20);
	struct kit k;
	struct play p;

	(void)state;
	early(&k, true);
	plays(&k, 0);
	plays(&k, 1);
	keys_with(buf_bytes(&k.keys), "CLIENT_EARLY", false, &keys);
	play_init(&p, buf_bytes(&keys));
	play_all(&p, &k, 0);
	play_check(&p, &k);
	play_fini(&p);
	kit_fini(&k);
}

/* RFC 8446, 4.1.2: after a HelloRetryRequest there is no early data. */
static void leaves_out_early_data_before_a_retry(void **state)
{
	struct kit_options o = { .early = 100000 };
	struct kit k;
	size_t n;

	(void)state;
	kit_init(&k, &o);
	talk(&k);
	assert_int_equal(SSL_CTX_set1_groups_list(k.server_ctx, "P-521"), 1);
	kit_again(&k);
	assert_int_equal(SSL_write_early_data(k.client, "early bird", 10, &n), 1);
	kit_move(&k, DIR_UP);
	kit_shake(&k);
	kit_send(&k, DIR_UP, 50);
	kit_send(&k, DIR_DOWN, 20);
	kit_close(&k);
	plays(&k, 0);
	plays(&k, 1);
	kit_fini(&k);
}

static void tells_the_certificate_of_a_client(void **state)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct kit_options o = { .version = versions[v], .ask_client = true };
		struct kit k;
		struct play p;

		kit_init(&k, &o);
		SSL_set_verify(k.server, SSL_VERIFY_PEER, kit_any_certificate);
		talk(&k);
		plays(&k, 0);
		play_init(&p, buf_bytes(&k.keys));
		play_all(&p, &k, 0);
		assert_int_equal(p.chains, 2);
		assert_true(play_logged(&p, "> chain 1\n"));
		play_fini(&p);
		kit_fini(&k);
	}
}

static void says_when_early_data_stays_dark(void **state)
{
	AUTO(buf_fini) struct buf keys = buf_init(1 << 20);
	struct kit k;
	struct play p;

	(void)state;
	early(&k, false);
	keys_with(buf_bytes(&k.keys), "CLIENT_EARLY", false, &keys);
	play_init(&p, buf_bytes(&keys));
	play_all(&p, &k, 0);
	assert_int_equal(p.darks, 1);
	assert_int_equal(p.why, DARK_NO_SECRET);
	assert_int_equal(p.plain[DIR_DOWN].n, 20);
	play_fini(&p);
	kit_fini(&k);
}

static void application_secrets_suffice(void **state)
{
	AUTO(buf_fini) struct buf keys = buf_init(1 << 20);
	struct kit_options o = { 0 };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	talk(&k);
	keys_with(buf_bytes(&k.keys), "SERVER_HANDSHAKE", false, &keys);
	AUTO(buf_fini) struct buf only = buf_init(1 << 20);
	keys_with(buf_bytes(&keys), "CLIENT_HANDSHAKE", false, &only);
	play_init(&p, buf_bytes(&only));
	play_all(&p, &k, 0);
	play_end(&p);
	play_check(&p, &k);
	play_fini(&p);
	kit_fini(&k);
}

static void conflicting_lines_are_all_tried(void **state)
{
	AUTO(buf_fini) struct buf keys = buf_init(1 << 20);
	struct bytes good;
	struct kit_options o = { 0 };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	talk(&k);
	good = buf_bytes(&k.keys);
	/* The same lines with other secrets, before and after. */
	for (int round = 0; round < 3; round++) {
		for (struct bytes left = good; left.n;) {
			size_t n = bytes_index(left, '\n') + 1;
			struct bytes line = bytes_slice(left, 0, n);
			char copy[400];

			memcpy(copy, line.p, line.n);
			if (round != 1)
				copy[line.n - 2] =
					(char)(copy[line.n - 2] == '0' ? '1' + round : '0');
			assert_int_equal(buf_add(&keys, bytes_of(copy, line.n), NULL), 0);
			left = bytes_slice(left, n, left.n);
		}
	}
	play_init(&p, buf_bytes(&keys));
	play_all(&p, &k, 0);
	play_end(&p);
	play_check(&p, &k);
	play_fini(&p);
	kit_fini(&k);
}

static void says_when_there_is_no_secret(void **state)
{
	struct kit_options o = { 0 };
	struct kit k, other;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	kit_init(&other, &o);
	talk(&k);
	talk(&other);
	play_init(&p, buf_bytes(&other.keys));
	play_all(&p, &k, 0);
	play_end(&p);
	assert_int_equal(p.darks, 1);
	assert_int_equal(p.why, DARK_NO_SECRET);
	assert_non_null(strstr(p.reason, "no secret for client random "));
	assert_true(p.flow.dark);
	assert_int_equal(p.plain[0].n + p.plain[1].n, 0);
	play_fini(&p);
	kit_fini(&k);
	kit_fini(&other);
}

static void says_which_secret_does_not_fit(void **state)
{
	AUTO(buf_fini) struct buf keys = buf_init(1 << 20);
	struct kit_options o = { 0 };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	talk(&k);
	assert_int_equal(buf_add(&keys, buf_bytes(&k.keys), NULL), 0);
	for (size_t i = 0; i < keys.n; i++)
		if (keys.p[i] == '\n')
			keys.p[i - 1] = keys.p[i - 1] == '0' ? '1' : '0';
	play_init(&p, buf_bytes(&keys));
	play_all(&p, &k, 0);
	play_end(&p);
	assert_int_equal(p.darks, 1);
	assert_int_equal(p.why, DARK_TAG);
	assert_non_null(strstr(p.reason, "_HANDSHAKE_TRAFFIC_SECRET for client random "));
	play_fini(&p);
	kit_fini(&k);
}

static void a_flow_without_encryption_is_not_dark(void **state)
{
	struct kit_options o = { 0 };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	(void)SSL_do_handshake(k.client);
	kit_move(&k, DIR_UP);
	play_init(&p, (struct bytes){ 0 });
	play_all(&p, &k, 0);
	play_end(&p);
	assert_int_equal(p.darks, 0);
	assert_true(p.flow.failed);
	assert_false(p.flow.encrypted);
	play_fini(&p);
	kit_fini(&k);
}

static void an_end_without_close_notify_is_told(void **state)
{
	struct kit_options o = { 0 };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	kit_shake(&k);
	kit_send(&k, DIR_UP, 10);
	play_init(&p, buf_bytes(&k.keys));
	play_all(&p, &k, 0);
	play_end(&p);
	assert_int_equal(p.ends[DIR_UP], END_TRUNCATED);
	assert_true(p.flow.truncated);
	play_fini(&p);
	kit_fini(&k);
}

static void a_record_gone_bad_costs_itself_only(void **state)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct kit_options o = { .version = versions[v] };
		struct kit k;
		struct play p;
		size_t bad;

		kit_init(&k, &o);
		kit_shake(&k);
		kit_send(&k, DIR_DOWN, 1000);
		bad = k.count;
		kit_send(&k, DIR_DOWN, 1000);
		kit_send(&k, DIR_DOWN, 5000);
		kit_close(&k);
		k.wire.p[k.pieces[bad].from + 100] ^= 1;
		play_init(&p, buf_bytes(&k.keys));
		play_all(&p, &k, 0);
		play_end(&p);
		assert_int_equal(p.darks, 0);
		assert_int_equal(p.plain[DIR_DOWN].n, 6000);
		assert_int_equal(p.gaps[DIR_DOWN], k.pieces[bad].n);
		assert_true(p.lost > 0);
		play_fini(&p);
		kit_fini(&k);
	}
}

/* The record that says so cannot be read. */
static void finds_keys_that_were_updated_unseen(void **state)
{
	struct kit_options o = { 0 };
	struct kit k;
	struct play p;
	size_t bad;

	(void)state;
	kit_init(&k, &o);
	kit_shake(&k);
	kit_send(&k, DIR_DOWN, 1000);
	bad = k.count;
	kit_update(&k, DIR_DOWN, false);
	kit_send(&k, DIR_DOWN, 30000);
	kit_close(&k);
	k.wire.p[k.pieces[bad].from + 10] ^= 1;
	play_init(&p, buf_bytes(&k.keys));
	play_all(&p, &k, 0);
	play_end(&p);
	play_check(&p, &k);
	assert_true(play_logged(&p, "does not open"));
	play_fini(&p);
	kit_fini(&k);
}

static void says_when_records_no_longer_open(void **state)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct kit_options o = { .version = versions[v] };
		struct kit k;
		struct play p;
		size_t bad;

		kit_init(&k, &o);
		kit_shake(&k);
		kit_send(&k, DIR_DOWN, 1000);
		bad = k.count;
		for (int i = 0; i < 20; i++)
			kit_send(&k, DIR_DOWN, 1000);
		for (size_t i = bad; i < k.count; i++)
			k.wire.p[k.pieces[i].from + 100] ^= 1;
		play_init(&p, buf_bytes(&k.keys));
		play_all(&p, &k, 0);
		play_end(&p);
		assert_int_equal(p.darks, 1);
		assert_int_equal(p.why, DARK_TAG);
		assert_non_null(strstr(p.reason, "the server no longer open"));
		assert_int_equal(p.plain[DIR_DOWN].n, 1000);
		play_fini(&p);
		kit_fini(&k);
	}
}

/* lint-ok: libssl's callback */
static int add_ech(SSL *ssl, unsigned type, unsigned context, const unsigned char **out, size_t *n,
		   X509 *x, size_t chain, int *alert, void *arg)
{
	(void)ssl;
	(void)type;
	(void)context;
	(void)x;
	(void)chain;
	(void)alert;
	(void)arg;
	*out = (const unsigned char *)"\0\0\1\0\1\1\0\0\0\0";
	*n = 10;
	return 1;
}

/* The client random on the wire is the outer one, the key log has the inner one. */
static void finds_the_inner_client_random_of_ech(void **state)
{
	AUTO(buf_fini) struct buf keys = buf_init(1 << 20);
	struct kit_options o = { 0 };
	struct kit k, other;
	struct play p;

	(void)state;
	kit_init(&other, &o);
	kit_shake(&other);
	kit_init(&k, &o);
	assert_int_equal(SSL_CTX_add_custom_ext(k.client_ctx, 0xfe0d, SSL_EXT_CLIENT_HELLO, add_ech,
						NULL, NULL, NULL, NULL),
			 1);
	kit_again(&k);
	talk(&k);
	assert_int_equal(buf_add(&keys, buf_bytes(&k.keys), NULL), 0);
	for (size_t i = 0; i < keys.n; i++) {
		if (keys.p[i] == ' ') {
			keys.p[i + 1] = keys.p[i + 1] == 'a' ? 'b' : 'a';
			i += 66;
		}
	}
	assert_int_equal(buf_add(&keys, buf_bytes(&other.keys), NULL), 0);
	play_init(&p, buf_bytes(&keys));
	play_all(&p, &k, 0);
	play_end(&p);
	play_check(&p, &k);
	play_fini(&p);
	/* With none of them that fits it is dark as any other. */
	play_init(&p, buf_bytes(&other.keys));
	play_all(&p, &k, 0);
	play_end(&p);
	assert_int_equal(p.darks, 1);
	assert_int_equal(p.why, DARK_NO_SECRET);
	play_fini(&p);
	kit_fini(&other);
	kit_fini(&k);
}

static void records_may_be_short_or_padded(void **state)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct kit_options o = { .version = versions[v], .fragment = 512 };
		struct kit k;

		kit_init(&k, &o);
		SSL_CTX_set_block_padding(k.client_ctx, 500);
		SSL_CTX_set_block_padding(k.server_ctx, 300);
		kit_again(&k);
		talk(&k);
		plays(&k, 0);
		plays(&k, 1);
		kit_fini(&k);
	}
}

static void what_follows_is_no_longer_tls(void **state)
{
	struct kit_options o = { 0 };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	kit_shake(&k);
	kit_send(&k, DIR_UP, 10);
	play_init(&p, buf_bytes(&k.keys));
	play_all(&p, &k, 0);
	play_feed(&p, DIR_UP, bytes_str("QUIT\r\n"));
	play_end(&p);
	assert_int_equal(p.darks, 1);
	assert_int_equal(p.why, DARK_MALFORMED);
	assert_int_equal(p.plain[DIR_UP].n, 10);
	play_fini(&p);
	/* After close_notify it is nobody's business. */
	kit_close(&k);
	play_init(&p, buf_bytes(&k.keys));
	play_all(&p, &k, 0);
	play_feed(&p, DIR_UP, bytes_str("QUIT\r\n"));
	play_end(&p);
	play_check(&p, &k);
	play_fini(&p);
	kit_fini(&k);
}

static void survives_an_end_anywhere(void **state)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct kit_options o = { .version = versions[v] };
		struct kit k;

		kit_init(&k, &o);
		kit_shake(&k);
		kit_send(&k, DIR_UP, 100);
		kit_send(&k, DIR_DOWN, 1000);
		kit_close(&k);
		for (size_t n = 0; n < k.wire.n; n++) {
			struct play p;

			play_init(&p, buf_bytes(&k.keys));
			for (size_t i = 0; i < k.count && k.pieces[i].from < n; i++)
				play_feed(&p, k.pieces[i].dir,
					  bytes_slice(bytes_of(k.wire.p, n), k.pieces[i].from,
						      k.pieces[i].n));
			play_end(&p);
			assert_int_equal(p.darks, 0);
			assert_true(p.plain[0].n <= 100 && p.plain[1].n <= 1000);
			play_fini(&p);
		}
		kit_fini(&k);
	}
}

/* Whatever allocation fails, and all after it: it goes on as well as it can, and ends. */
static void survives_without_memory(void **state)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct kit_options o = { .version = versions[v] };
		struct kit k;

		kit_init(&k, &o);
		kit_shake(&k);
		kit_send(&k, DIR_UP, 100);
		kit_send(&k, DIR_DOWN, 1000);
		kit_close(&k);
		for (size_t n = 1; n < 60; n++) {
			struct play p;

			play_init(&p, buf_bytes(&k.keys));
			p.unwatched = true;
			for (size_t i = 0; i < k.count; i++) {
				mem_fail_at(i == n % 8 ? n / 2 + 1 : 0);
				layer_feed(p.session, k.pieces[i].dir,
					   bytes_of(k.wire.p + k.pieces[i].from, k.pieces[i].n),
					   (struct tap_at){ .packet = i + 1 });
			}
			mem_fail_at(0);
			play_end(&p);
			play_fini(&p);
		}
		kit_fini(&k);
	}
}

/* A session within a session: each decrypts into its own room. */
static void is_nested(void **state)
{
	struct kit_options o = { 0 };
	struct kit outer, inner;
	struct play p;

	(void)state;
	kit_init(&inner, &o);
	talk(&inner);
	kit_init(&outer, &o);
	kit_shake(&outer);
	for (size_t i = 0; i < inner.count; i++)
		kit_pass(&outer, inner.pieces[i].dir,
			 bytes_of(inner.wire.p + inner.pieces[i].from, inner.pieces[i].n));
	kit_close(&outer);
	AUTO(buf_fini) struct buf keys = buf_init(1 << 20);
	assert_int_equal(buf_add(&keys, buf_bytes(&outer.keys), NULL), 0);
	assert_int_equal(buf_add(&keys, buf_bytes(&inner.keys), NULL), 0);
	play_init(&p, buf_bytes(&keys));
	play_nest(&p);
	play_all(&p, &outer, 0);
	play_end(&p);
	play_check(&p, &inner);
	assert_int_equal(p.done, 2);
	play_fini(&p);
	kit_fini(&inner);
	kit_fini(&outer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_every_suite_of_tls_13),
		cmocka_unit_test(tells_what_was_agreed),
		cmocka_unit_test(follows_a_retry),
		cmocka_unit_test(follows_a_resumption),
		cmocka_unit_test(follows_updates_of_keys),
		cmocka_unit_test(follows_authentication_after_the_handshake),
		cmocka_unit_test(opens_early_data),
		cmocka_unit_test(leaves_out_early_data_that_was_rejected),
		cmocka_unit_test(leaves_out_early_data_before_a_retry),
		cmocka_unit_test(tells_the_certificate_of_a_client),
		cmocka_unit_test(says_when_early_data_stays_dark),
		cmocka_unit_test(application_secrets_suffice),
		cmocka_unit_test(conflicting_lines_are_all_tried),
		cmocka_unit_test(says_when_there_is_no_secret),
		cmocka_unit_test(says_which_secret_does_not_fit),
		cmocka_unit_test(a_flow_without_encryption_is_not_dark),
		cmocka_unit_test(an_end_without_close_notify_is_told),
		cmocka_unit_test(a_record_gone_bad_costs_itself_only),
		cmocka_unit_test(finds_keys_that_were_updated_unseen),
		cmocka_unit_test(says_when_records_no_longer_open),
		cmocka_unit_test(finds_the_inner_client_random_of_ech),
		cmocka_unit_test(records_may_be_short_or_padded),
		cmocka_unit_test(what_follows_is_no_longer_tls),
		cmocka_unit_test(survives_an_end_anywhere),
		cmocka_unit_test(survives_without_memory),
		cmocka_unit_test(is_nested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
