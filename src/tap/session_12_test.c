#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "crypt/rsa.h"
#include "tap/session_kit.h"

#include <cmocka.h>
#include <openssl/ssl.h> /* lint-ok: the peers that are listened to */
#include <openssl/pem.h>

static void talk(struct kit *k)
{
	kit_shake(k);
	kit_send(k, DIR_UP, 100);
	kit_send(k, DIR_DOWN, 40000);
	kit_send(k, DIR_UP, 3);
	kit_send(k, DIR_DOWN, 1);
	kit_close(k);
}

static void checks(struct play *p, const struct kit *k, size_t size)
{
	play_all(p, k, size);
	play_end(p);
	play_check(p, k);
	assert_int_equal(p->done, 1);
	assert_int_equal(p->ends[DIR_UP], END_CLEAN);
	assert_int_equal(p->ends[DIR_DOWN], END_CLEAN);
	assert_false(p->flow.truncated || p->flow.failed);
}

static void plays(const struct kit *k, struct bytes keys, size_t size)
{
	struct play p;

	play_init(&p, keys);
	checks(&p, k, size);
	play_fini(&p);
}

static void plays_each_way(const struct kit *k)
{
	plays(k, buf_bytes(&k->keys), 0);
	plays(k, buf_bytes(&k->keys), 1);
	for (int first = 0; first < 2; first++) {
		struct play p;

		play_init(&p, buf_bytes(&k->keys));
		for (int turn = 0; turn < 2; turn++)
			for (size_t i = 0; i < k->count; i++)
				if ((k->pieces[i].dir == (enum flow_dir)first) == (turn == 0))
					play_piece(&p, k, i, 0);
		play_end(&p);
		play_check(&p, k);
		play_fini(&p);
	}
}

static void opens_the_suites_of_tls_12(void **state)
{
	static const char *const suites[] = {
		"ECDHE-RSA-AES128-GCM-SHA256",
		"ECDHE-RSA-AES256-GCM-SHA384",
		"ECDHE-RSA-CHACHA20-POLY1305",
		"DHE-RSA-AES128-CCM",
		"DHE-RSA-AES256-CCM8",
		"ECDHE-RSA-AES128-SHA",
		"ECDHE-RSA-AES256-SHA384",
		"AES128-GCM-SHA256",
		"AES256-SHA256",
		"CAMELLIA128-SHA",
		"CAMELLIA256-SHA256",
		"NULL-SHA256",
		"ARIA128-GCM-SHA256",
		"ECDHE-ARIA256-GCM-SHA384",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		for (int mac = 0; mac < 2; mac++) {
			struct kit_options o = { .version = TLS1_2_VERSION,
						 .suites = suites[i],
						 .rsa = true,
						 .options = mac ? SSL_OP_NO_ENCRYPT_THEN_MAC : 0 };
			struct kit k;

			kit_init(&k, &o);
			talk(&k);
			plays_each_way(&k);
			kit_fini(&k);
		}
	}
}

static void opens_tls_10_and_11(void **state)
{
	static const int versions[] = { TLS1_VERSION, TLS1_1_VERSION };
	static const char *const suites[] = { "ECDHE-RSA-AES128-SHA:@SECLEVEL=0",
					      "AES256-SHA:@SECLEVEL=0",
					      "CAMELLIA128-SHA:@SECLEVEL=0" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions) * ARRAY_LEN(suites) * 2; i++) {
		struct kit_options o = { .version = versions[i % 2],
					 .suites = suites[i / 2 % 3],
					 .rsa = true,
					 .options = i >= 6 ? SSL_OP_NO_ENCRYPT_THEN_MAC : 0 };
		struct kit k;

		kit_init(&k, &o);
		talk(&k);
		plays_each_way(&k);
		kit_fini(&k);
	}
}

static void tells_what_was_agreed(void **state)
{
	struct kit_options o = { .version = TLS1_2_VERSION,
				 .suites = "ECDHE-RSA-AES128-GCM-SHA256",
				 .groups = "P-384",
				 .rsa = true };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	talk(&k);
	play_init(&p, buf_bytes(&k.keys));
	checks(&p, &k, 0);
	assert_true(play_logged(&p, "< answer TLS 1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n"));
	assert_true(play_logged(&p, "< certificate plain\n< chain 1\n"));
	assert_true(play_logged(&p, "> client_key_exchange plain\n> ccs plain\n"
				    "> secret CLIENT_RANDOM\n> finished encrypted\n"));
	assert_true(play_logged(&p, "< done TLS 1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 "
				    "secp384r1 h2\n"));
	assert_true(bytes_equal(buf_bytes(&p.above_alpn), bytes_str("h2")));
	play_fini(&p);
	kit_fini(&k);
}

/* As hexadecimal digits of the last word of the first line with this label. */
static void pms_line(const struct kit *k, struct buf *out)
{
	AUTO(buf_fini) struct buf rsa = buf_init(1 << 16);
	unsigned char random[32];

	keys_with(buf_bytes(&k->keys), "RSA ", true, &rsa);
	assert_true(rsa.n > 4 + 16 + 1 + 96);
	assert_int_equal(SSL_get_client_random(k->client, random, 32), 32);
	assert_int_equal(buf_printf(out, NULL, "PMS_CLIENT_RANDOM "), 0);
	for (int i = 0; i < 32; i++)
		assert_int_equal(buf_printf(out, NULL, "%02x", random[i]), 0);
	assert_int_equal(buf_printf(out, NULL, " %.96s\n", (const char *)rsa.p + 4 + 16 + 1), 0);
}

/* Each source by itself, with and without the extended master secret. */
static void opens_with_premaster_secrets(void **state)
{
	static const int versions[] = { TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION };

	(void)state;
	for (int i = 0; i < 6; i++) {
		AUTO(buf_fini) struct buf rsa = buf_init(1 << 16);
		AUTO(buf_fini) struct buf pms = buf_init(1 << 16);
		struct kit_options o = { .version = versions[i % 3],
					 .suites = "AES128-SHA:@SECLEVEL=0",
					 .rsa = true,
					 .options = i >= 3 ? SSL_OP_NO_EXTENDED_MASTER_SECRET : 0 };
		struct kit k;

		kit_init(&k, &o);
		talk(&k);
		keys_with(buf_bytes(&k.keys), "RSA ", true, &rsa);
		plays(&k, buf_bytes(&rsa), 0);
		plays(&k, buf_bytes(&rsa), 1);
		pms_line(&k, &pms);
		plays(&k, buf_bytes(&pms), 0);
		plays(&k, buf_bytes(&pms), 1);
		kit_fini(&k);
	}
}

static void opens_with_an_rsa_key(void **state)
{
	BIO *pem = BIO_new(BIO_s_mem());
	struct rsa_key *key;
	char *text;
	long n;

	(void)state;
	assert_int_equal(PEM_write_bio_PrivateKey(pem, kit_key(true), NULL, NULL, 0, NULL, NULL),
			 1);
	n = BIO_get_mem_data(pem, &text);
	assert_int_equal(rsa_key_read(bytes_of(text, (size_t)n), &key, NULL), 0);
	for (int i = 0; i < 2; i++) {
		struct kit_options o = { .version = TLS1_2_VERSION,
					 .suites = "AES128-GCM-SHA256",
					 .rsa = true,
					 .options = i ? SSL_OP_NO_EXTENDED_MASTER_SECRET : 0 };
		struct kit k;
		struct play p;

		kit_init(&k, &o);
		talk(&k);
		play_init(&p, (struct bytes){ 0 });
		p.shared.rsa_keys = &key;
		p.shared.rsa_key_count = 1;
		checks(&p, &k, 0);
		play_fini(&p);
		kit_fini(&k);
	}
	rsa_key_free(key);
	BIO_free(pem);
}

static void opens_with_a_pre_shared_key(void **state)
{
	struct kit_options o = { .version = TLS1_2_VERSION,
				 .suites = "PSK-AES128-GCM-SHA256",
				 .psk = "0123456789abcdef" };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	talk(&k);
	plays(&k, buf_bytes(&k.keys), 0);
	play_init(&p, (struct bytes){ 0 });
	p.shared.psk = bytes_str(o.psk);
	checks(&p, &k, 0);
	play_fini(&p);
	kit_fini(&k);
}

/* The key log has the first connection only. */
static void follows_resumptions(void **state)
{
	(void)state;
	for (int ids = 0; ids < 2; ids++) {
		AUTO(buf_fini) struct buf keys = buf_init(1 << 16);
		struct kit_options o = { .version = TLS1_2_VERSION, .no_tickets = ids };
		struct kit k;
		struct play p;

		kit_init(&k, &o);
		talk(&k);
		assert_int_equal(buf_add(&keys, buf_bytes(&k.keys), NULL), 0);
		play_init(&p, buf_bytes(&keys));
		checks(&p, &k, 0);
		for (int i = 0; i < 3; i++) {
			kit_again(&k);
			talk(&k);
			assert_true(SSL_session_reused(k.client));
			play_again(&p);
			checks(&p, &k, i == 1);
			assert_true(play_logged(&p, " resumed\n"));
		}
		play_fini(&p);
		/* Without the first connection. */
		play_init(&p, buf_bytes(&keys));
		play_all(&p, &k, 0);
		assert_int_equal(p.darks, 1);
		assert_int_equal(p.why, DARK_NO_SECRET);
		assert_non_null(strstr(p.reason, "resumes a session"));
		play_fini(&p);
		kit_fini(&k);
	}
}

static void follows_a_renegotiation(void **state)
{
	struct kit_options o = { .version = TLS1_2_VERSION,
				 .rsa = true,
				 .options = SSL_OP_ALLOW_CLIENT_RENEGOTIATION };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	kit_shake(&k);
	kit_send(&k, DIR_UP, 100);
	for (int i = 0; i < 3; i++) {
		kit_renegotiate(&k);
		kit_send(&k, DIR_UP, 1000);
		kit_send(&k, DIR_DOWN, 20000);
	}
	kit_close(&k);
	plays(&k, buf_bytes(&k.keys), 0);
	plays(&k, buf_bytes(&k.keys), 1);
	play_init(&p, buf_bytes(&k.keys));
	play_all(&p, &k, 0);
	assert_true(play_logged(&p, "> client_hello encrypted\n"));
	assert_true(play_logged(&p, "< server_hello encrypted\n"));
	play_fini(&p);
	kit_fini(&k);
}

static void conflicting_lines_are_all_tried(void **state)
{
	AUTO(buf_fini) struct buf keys = buf_init(1 << 16);
	struct kit_options o = { .version = TLS1_2_VERSION };
	struct kit k;

	(void)state;
	kit_init(&k, &o);
	talk(&k);
	for (int i = 0; i < 3; i++) {
		size_t at = keys.n;

		assert_int_equal(buf_add(&keys, buf_bytes(&k.keys), NULL), 0);
		if (i != 1)
			keys.p[at + k.keys.n - 2] = keys.p[at + k.keys.n - 2] == '0' ? '1' : '0';
	}
	plays(&k, buf_bytes(&keys), 0);
	kit_fini(&k);
}

static void says_why_it_stays_dark(void **state)
{
	AUTO(buf_fini) struct buf keys = buf_init(1 << 16);
	struct kit_options o = { .version = TLS1_2_VERSION };
	struct kit k;
	struct play p;

	(void)state;
	kit_init(&k, &o);
	talk(&k);
	play_init(&p, (struct bytes){ 0 });
	play_all(&p, &k, 0);
	play_end(&p);
	assert_int_equal(p.darks, 1);
	assert_int_equal(p.why, DARK_NO_SECRET);
	play_fini(&p);

	assert_int_equal(buf_add(&keys, buf_bytes(&k.keys), NULL), 0);
	keys.p[keys.n - 2] = keys.p[keys.n - 2] == '0' ? '1' : '0';
	play_init(&p, buf_bytes(&keys));
	play_all(&p, &k, 0);
	play_end(&p);
	assert_int_equal(p.darks, 1);
	assert_int_equal(p.why, DARK_TAG);
	assert_non_null(strstr(p.reason, "CLIENT_RANDOM"));
	play_fini(&p);
	kit_fini(&k);
}

static void waits_for_secrets(void **state)
{
	struct kit_options o = { .version = TLS1_2_VERSION };
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
		play_end(&p);
		play_check(&p, &k);
		play_fini(&p);
	}
	kit_fini(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_the_suites_of_tls_12),
		cmocka_unit_test(opens_tls_10_and_11),
		cmocka_unit_test(tells_what_was_agreed),
		cmocka_unit_test(opens_with_premaster_secrets),
		cmocka_unit_test(opens_with_an_rsa_key),
		cmocka_unit_test(opens_with_a_pre_shared_key),
		cmocka_unit_test(follows_resumptions),
		cmocka_unit_test(follows_a_renegotiation),
		cmocka_unit_test(conflicting_lines_are_all_tried),
		cmocka_unit_test(says_why_it_stays_dark),
		cmocka_unit_test(waits_for_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
