#include "wire/server_hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/wr.h"
#include "wire/handshake.h"

#define B(s) bytes_of("" s, sizeof(s) - 1)
/* For static tables. */
#define LIT(s)                                                                                     \
	{                                                                                          \
		(const uint8_t *)("" s), sizeof(s) - 1                                             \
	}

static const char *corpus; /* folder of server messages from real programs */

static struct bytes make(struct buf *out, uint8_t type, struct bytes before,
			 struct bytes extensions)
{
	struct wr w = wr_init(out);
	struct wr_mark message, list;

	wr_u8(&w, type);
	message = wr_open(&w, 3);
	wr_bytes(&w, before);
	list = wr_open(&w, 2);
	wr_bytes(&w, extensions);
	wr_close(&w, list);
	wr_close(&w, message);
	return buf_bytes(out);
}

#define RANDOM_24 "rrrrrrrrrrrrrrrrrrrrrrrr"
#define HEAD_12                                                                                    \
	"\x03\x03" RANDOM_24 "rrrrrrrr"                                                            \
	"\x02"                                                                                     \
	"id"                                                                                       \
	"\xc0\x2f\x00"

static int parse(struct bytes before, struct bytes extensions, struct server_hello *h,
		 enum alert *alert, struct err *e)
{
	AUTO(buf_fini) struct buf b = buf_init(1 << 17);

	return server_hello_parse(make(&b, HANDSHAKE_SERVER_HELLO, before, extensions), h, alert,
				  e);
}

static void reads_a_tls_1_2_hello(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(1 << 17);
	struct server_hello h;
	struct bytes message;

	(void)state;
	message = make(
		&b, HANDSHAKE_SERVER_HELLO, B(HEAD_12),
		B("\xff\x01\x00\x01\x00\x00\x00\x00\x00\x00\x0b\x00\x02\x01\x00\x00\x23\x00\x00"
		  "\x00\x17\x00\x00\x00\x16\x00\x00\x00\x05\x00\x00\x00\x01\x00\x01\x02"
		  "\x00\x1c\x00\x02\x40\x00\x00\x10\x00\x05\x00\x03\x02h2"));
	assert_int_equal(server_hello_parse(message, &h, NULL, NULL), 0);
	assert_int_equal(h.legacy_version, 0x0303);
	assert_int_equal(h.version, 0x0303);
	assert_int_equal(h.cipher, 0xc02f);
	assert_int_equal(h.compression, 0);
	assert_int_equal(h.group, 0);
	assert_true(bytes_equal(h.session_id, B("id")));
	assert_true(bytes_equal(h.alpn, B("h2")));
	assert_true(h.has_session_ticket && h.has_extended_master_secret && h.has_encrypt_then_mac);
	assert_true(h.has_status_request);
	assert_int_equal(h.max_fragment_length, 2);
	assert_int_equal(h.record_size_limit, 0x4000);
	assert_false(h.retry || h.has_psk);
	assert_int_equal(h.downgrade, 0);
}

static void reads_a_tls_1_3_hello(void **state)
{
	struct server_hello h;

	(void)state;
	assert_int_equal(
		parse(B("\x03\x03" RANDOM_24 "rrrrrrrr\x00\x13\x01\x00"),
		      B("\x00\x2b\x00\x02\x03\x04\x00\x33\x00\x06\x11\xec\x00\x02kk\x00\x29\x00"
			"\x02\x00\x01"),
		      &h, NULL, NULL),
		0);
	assert_int_equal(h.version, 0x0304);
	assert_int_equal(h.group, 0x11ec);
	assert_true(h.has_psk);
	assert_int_equal(h.psk, 1);
}

static void an_old_hello_may_have_no_extensions(void **state)
{
	static const uint8_t message[] =
		"\x02\x00\x00\x26\x03\x01" RANDOM_24 "rrrrrrrr\x00\x00\x2f\x00";
	struct server_hello h;

	(void)state;
	assert_int_equal(server_hello_parse(bytes_of(message, sizeof(message) - 1), &h, NULL, NULL),
			 0);
	assert_int_equal(h.version, 0x0301);
	assert_int_equal(h.extensions.n, 0);
}

static void sees_that_a_tls_1_3_server_was_talked_down(void **state)
{
	struct server_hello h;

	(void)state;
	assert_int_equal(parse(B("\x03\x03" RANDOM_24 "DOWNGRD\x01\x00\xc0\x2f\x00"), B(""), &h,
			       NULL, NULL),
			 0);
	assert_int_equal(h.downgrade, 0x0303);
	assert_int_equal(parse(B("\x03\x02" RANDOM_24 "DOWNGRD\x00\x00\xc0\x2f\x00"), B(""), &h,
			       NULL, NULL),
			 0);
	assert_int_equal(h.downgrade, 0x0302);
	assert_int_equal(parse(B("\x03\x02" RANDOM_24 "DOWNGRD\x02\x00\xc0\x2f\x00"), B(""), &h,
			       NULL, NULL),
			 0);
	assert_int_equal(h.downgrade, 0);
}

static void refuses_each_broken_part(void **state)
{
	static const struct {
		struct bytes extensions;
		enum alert alert;
	} rules[] = {
		{ LIT("\x00"), ALERT_DECODE_ERROR },
		{ LIT("\x00\x17\x00\x01"), ALERT_DECODE_ERROR },
		{ LIT("\x00\x17\x00\x01z"), ALERT_DECODE_ERROR },
		{ LIT("\x00\x17\x00\x00\x00\x17\x00\x00"), ALERT_ILLEGAL_PARAMETER },
		{ LIT("\x00\x2b\x00\x01\x03"), ALERT_DECODE_ERROR },
		{ LIT("\x00\x2b\x00\x03\x03\x04\x03"), ALERT_DECODE_ERROR },
		{ LIT("\x00\x33\x00\x02\x00\x1d"), ALERT_DECODE_ERROR },
		{ LIT("\x00\x33\x00\x04\x00\x1d\x00\x00"), ALERT_DECODE_ERROR },
		{ LIT("\x00\x29\x00\x01\x00"), ALERT_DECODE_ERROR },
		{ LIT("\x00\x10\x00\x02\x00\x00"), ALERT_DECODE_ERROR },
		{ LIT("\x00\x10\x00\x03\x00\x01\x00"), ALERT_DECODE_ERROR },
		{ LIT("\x00\x10\x00\x06\x00\x04\x01x\x01y"), ALERT_DECODE_ERROR },
		{ LIT("\x00\x1c\x00\x01\x40"), ALERT_DECODE_ERROR },
		{ LIT("\x00\x01\x00\x00"), ALERT_DECODE_ERROR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct server_hello h = { .cipher = 77 };
		enum alert alert = ALERT_CLOSE_NOTIFY;
		struct err e = { 0 };

		if (parse(B(HEAD_12), rules[i].extensions, &h, &alert, &e) == 0)
			fail_msg("rule %zu: taken", i);
		assert_int_equal(e.code, ERR_TLS_DECODE);
		assert_int_equal(alert, rules[i].alert);
		assert_int_equal(h.cipher, 77);
	}
}

static void refuses_more_extensions_than_any_server_has(void **state)
{
	AUTO(buf_fini) struct buf list = buf_init(1000);
	struct wr w = wr_init(&list);
	struct server_hello h;

	(void)state;
	for (uint16_t i = 0; i < 101; i++) {
		assert_int_equal(parse(B(HEAD_12), buf_bytes(&list), &h, NULL, NULL), 0);
		wr_u16(&w, (uint16_t)(0x5000 + i));
		wr_u16(&w, 0);
	}
	assert_int_equal(parse(B(HEAD_12), buf_bytes(&list), &h, NULL, NULL), -1);
}

static void refuses_every_truncation_and_other_messages(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(1 << 17);
	enum alert alert;
	struct server_hello h;
	struct bytes whole;
	uint8_t *copy;

	(void)state;
	whole = make(&b, HANDSHAKE_SERVER_HELLO, B(HEAD_12), B("\x00\x10\x00\x05\x00\x03\x02h2"));
	for (size_t n = 0; n < whole.n; n++) {
		copy = mem_dup(bytes_slice(whole, 0, n));
		assert_int_equal(server_hello_parse(bytes_of(copy, n), &h, &alert, NULL), -1);
		assert_int_equal(alert, ALERT_DECODE_ERROR);
		mem_free(copy);
	}
	copy = mem_dup(whole);
	assert_int_equal(server_hello_parse(bytes_of(copy, whole.n + 1), &h, &alert, NULL), -1);
	assert_int_equal(alert, ALERT_DECODE_ERROR);
	copy[0] = HANDSHAKE_CERTIFICATE;
	assert_int_equal(server_hello_parse(bytes_of(copy, whole.n), &h, &alert, NULL), -1);
	assert_int_equal(alert, ALERT_UNEXPECTED_MESSAGE);
	mem_free(copy);
	assert_int_equal(parse(B("\x03\x03" RANDOM_24 "rrrrrrrr"
				 "\x21"
				 "012345678901234567890123456789012"
				 "\xc0\x2f\x00"),
			       B(""), &h, &alert, NULL),
			 -1);
	assert_int_equal(alert, ALERT_DECODE_ERROR);
}

static void reads_encrypted_extensions(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(1000), twice = buf_init(1000);
	struct encrypted_extensions x;
	enum alert alert;
	struct bytes whole;

	(void)state;
	whole = make(
		&b, HANDSHAKE_ENCRYPTED_EXTENSIONS, B(""),
		B("\x00\x00\x00\x00\x00\x2a\x00\x00\x00\x1c\x00\x02\x40\x01\x00\x0a\x00\x04\x00\x02"
		  "\x00\x1d\x00\x10\x00\x05\x00\x03\x02h2"));
	assert_int_equal(encrypted_extensions_parse(whole, &x, NULL, NULL), 0);
	assert_true(bytes_equal(x.alpn, B("h2")));
	assert_true(x.has_early_data && x.has_server_name);
	assert_int_equal(x.record_size_limit, 0x4001);
	for (size_t n = 0; n < whole.n; n++)
		assert_int_equal(encrypted_extensions_parse(bytes_slice(whole, 0, n), &x, NULL,
							    NULL),
				 -1);
	/* Two bytes of extensions less than it says. */
	assert_int_equal(encrypted_extensions_parse(B("\x08\x00\x00\x04\x00\x04\x00\x00"), &x,
						    &alert, NULL),
			 -1);
	assert_int_equal(alert, ALERT_DECODE_ERROR);
	whole = make(&twice, HANDSHAKE_ENCRYPTED_EXTENSIONS, B(""), B("\0\0\0\0\0\0\0\0"));
	assert_int_equal(encrypted_extensions_parse(whole, &x, &alert, NULL), -1);
	assert_int_equal(alert, ALERT_ILLEGAL_PARAMETER);
}

static void reads_what_real_servers_send(void **state)
{
	static const struct {
		const char *file;
		uint16_t version, cipher, group;
		bool retry;
		const char *alpn;
	} samples[] = {
		{ "retry", 0x0304, 0x1302, 0x0018, true, "" },
		{ "retry_resumption", 0x0304, 0x1302, 0x0018, true, "" },
		{ "tls13", 0x0304, 0x1302, 0x0018, false, "" },
		{ "tls12", 0x0303, 0xc02c, 0, false, "h2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		struct server_hello h;
		uint8_t room[1024];
		char path[1024];
		struct err e = { 0 };
		FILE *f;
		size_t n;

		snprintf(path, sizeof(path), "%s/%s", corpus, samples[i].file);
		f = fopen(path, "rb");
		assert_non_null(f);
		n = fread(room, 1, sizeof(room), f);
		fclose(f);
		if (server_hello_parse(bytes_of(room, n), &h, NULL, &e) < 0)
			fail_msg("%s: %s", samples[i].file, e.sentence);
		assert_int_equal(h.version, samples[i].version);
		assert_int_equal(h.cipher, samples[i].cipher);
		assert_int_equal(h.group, samples[i].group);
		assert_int_equal(h.retry, samples[i].retry);
		assert_int_equal(h.key.n > 0, samples[i].group && !samples[i].retry);
		assert_true(bytes_equal(h.alpn, bytes_str(samples[i].alpn)));
		/* The server speaks TLS 1.3, so its TLS 1.2 hello says so. */
		assert_int_equal(h.downgrade, samples[i].version == 0x0303 ? 0x0303 : 0);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_tls_1_2_hello),
		cmocka_unit_test(reads_a_tls_1_3_hello),
		cmocka_unit_test(an_old_hello_may_have_no_extensions),
		cmocka_unit_test(sees_that_a_tls_1_3_server_was_talked_down),
		cmocka_unit_test(refuses_each_broken_part),
		cmocka_unit_test(refuses_more_extensions_than_any_server_has),
		cmocka_unit_test(refuses_every_truncation_and_other_messages),
		cmocka_unit_test(reads_encrypted_extensions),
		cmocka_unit_test(reads_what_real_servers_send),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER-OF-SERVER-HELLOS\n", argv[0]);
		return 2;
	}
	corpus = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
