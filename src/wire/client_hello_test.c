#include "wire/client_hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "wire/hello_make.h"

#define B(s) bytes_of("" s, sizeof(s) - 1)
/* For static tables. */
#define LIT(s)                                                                                     \
	{                                                                                          \
		(const uint8_t *)("" s), sizeof(s) - 1                                             \
	}

static void start(struct hello_make *m)
{
	struct hello_start s = hello_start_usual();

	*m = (struct hello_make){ 0 };
	hello_make_begin(m, &s);
	hello_make_extensions(m);
}

static void parses(struct hello_make *m, struct client_hello *h)
{
	struct err e = { 0 };

	if (client_hello_parse(hello_make_end(m), h, NULL, &e) < 0)
		fail_msg("%s", e.sentence);
}

/* One extension; the answer to it. */
static int parse_one(uint16_t type, struct bytes body, struct client_hello *h, enum alert *alert,
		     struct err *e)
{
	struct hello_make m;
	int result;

	start(&m);
	hello_make_add(&m, type, body);
	result = client_hello_parse(hello_make_end(&m), h, alert, e);
	buf_fini(&m.b);
	return result;
}

/* One of everything. */
static void make_whole_hello(struct hello_make *m)
{
	start(m);
	hello_make_add(m, 0x3a3a, B(""));
	hello_make_add(m, EXTENSION_SERVER_NAME,
		       B("\x00\x06\x00\x00\x03"
			 "a.b"));
	hello_make_add(m, EXTENSION_SUPPORTED_GROUPS,
		       B("\x00\x08\x1a\x1a\x11\xec\x00\x1d\x00\x17"));
	hello_make_add(m, EXTENSION_EC_POINT_FORMATS, B("\x01\x00"));
	hello_make_add(m, EXTENSION_SIGNATURE_ALGORITHMS, B("\x00\x04\x04\x03\x08\x04"));
	hello_make_add(m, EXTENSION_SIGNATURE_ALGORITHMS_CERT, B("\x00\x02\x04\x03"));
	hello_make_add(m, EXTENSION_ALPN, B("\x00\x0c\x02h2\x08http/1.1"));
	hello_make_add(m, EXTENSION_STATUS_REQUEST, B("\x01\x00\x00\x00\x00"));
	hello_make_add(m, EXTENSION_EXTENDED_MASTER_SECRET, B(""));
	hello_make_add(m, EXTENSION_ENCRYPT_THEN_MAC, B(""));
	hello_make_add(m, EXTENSION_SESSION_TICKET, B(""));
	hello_make_add(m, EXTENSION_COMPRESS_CERTIFICATE, B("\x02\x00\x02"));
	hello_make_add(m, EXTENSION_RECORD_SIZE_LIMIT, B("\x40\x01"));
	hello_make_add(m, EXTENSION_MAX_FRAGMENT_LENGTH, B("\x04"));
	hello_make_add(m, EXTENSION_SUPPORTED_VERSIONS, B("\x06\xfa\xfa\x03\x04\x03\x03"));
	hello_make_add(m, EXTENSION_COOKIE, B("\x00\x01q"));
	hello_make_add(m, EXTENSION_PSK_KEY_EXCHANGE_MODES, B("\x01\x01"));
	hello_make_add(m, EXTENSION_POST_HANDSHAKE_AUTH, B(""));
	hello_make_add(m, EXTENSION_KEY_SHARE,
		       B("\x00\x0f\x1a\x1a\x00\x01\x00\x11\xec\x00\x01k\x00\x1d\x00\x01l"));
	hello_make_add(m, EXTENSION_EARLY_DATA, B(""));
	hello_make_add(m, EXTENSION_ENCRYPTED_CLIENT_HELLO, B("\x00xyz"));
	hello_make_add(m, EXTENSION_RENEGOTIATION_INFO, B("\x00"));
	hello_make_add(m, EXTENSION_QUIC_TRANSPORT_PARAMETERS, B("?"));
	hello_make_add(m, 0x1234, B("unknown"));
	hello_make_add(m, EXTENSION_PRE_SHARED_KEY,
		       B("\x00\x07\x00\x01i\x00\x00\x00\x01\x00\x21\x20"
			 "0123456789abcdef0123456789abcdef"));
}

static void reads_a_whole_hello(void **state)
{
	struct hello_make m;
	struct client_hello h;
	uint16_t codes[8];

	(void)state;
	make_whole_hello(&m);
	parses(&m, &h);
	assert_true(bytes_equal(h.raw, buf_bytes(&m.b)));
	assert_int_equal(h.legacy_version, 0x0303);
	assert_int_equal(h.max_version, 0x0304);
	assert_int_equal(h.random.n, 32);
	assert_int_equal(h.random.p[31], 0x11);
	assert_int_equal(h.session_id.n, 32);
	assert_int_equal(codes_count(h.cipher_suites), 3);
	assert_int_equal(codes_get(h.cipher_suites, 2), 0xc02f);
	assert_true(bytes_equal(h.compression, B("\0")));
	assert_int_equal(h.extension_count, 25);
	assert_true(bytes_equal(h.server_name, B("a.b")));
	assert_int_equal(codes_count(h.supported_groups), 4);
	assert_int_equal(codes_copy(h.supported_groups, codes, 8), 3);
	assert_int_equal(codes[0], 0x11ec);
	assert_int_equal(codes_copy(h.supported_groups, codes, 2), 2);
	assert_true(codes_have(h.signature_algorithms, 0x0804));
	assert_false(codes_have(h.signature_algorithms, 0x0805));
	assert_int_equal(codes_count(h.signature_algorithms_cert), 1);
	assert_int_equal(h.point_formats.n, 1);
	assert_int_equal(h.psk_modes.n, 1);
	assert_int_equal(codes_get(h.compress_certificate, 0), 2);
	assert_true(bytes_equal(h.cookie, B("q")));
	assert_int_equal(h.record_size_limit, 0x4001);
	assert_int_equal(h.max_fragment_length, 4);
	assert_true(h.has_key_share && h.has_session_ticket && h.has_psk && h.has_early_data);
	assert_true(h.has_ech && h.has_status_request && h.has_extended_master_secret);
	assert_true(h.has_encrypt_then_mac && h.has_renegotiation_info &&
		    h.has_post_handshake_auth);
	assert_true(h.has_quic_parameters && h.has_grease && !h.has_fallback_scsv);
	buf_fini(&m.b);
}

static void walks_the_lists_of_a_whole_hello(void **state)
{
	static const uint16_t groups_want[] = { 0x11ec, 0x001d };
	struct hello_make m;
	struct client_hello h;
	struct bytes list, name, key;
	struct extension ext;
	uint16_t codes[8], group;

	(void)state;
	make_whole_hello(&m);
	parses(&m, &h);
	list = h.alpn;
	assert_true(alpn_next(&list, &name) && bytes_equal(name, B("h2")));
	assert_true(alpn_next(&list, &name) && bytes_equal(name, B("http/1.1")));
	assert_false(alpn_next(&list, &name));
	assert_true(alpn_has(h.alpn, B("http/1.1")));
	assert_false(alpn_has(h.alpn, B("http/1")));

	list = h.key_shares;
	assert_true(key_share_next(&list, &group, &key) && group == 0x1a1a && key.n == 1);
	assert_true(key_share_next(&list, &group, &key) && group == 0x11ec &&
		    bytes_equal(key, B("k")));
	assert_int_equal(client_hello_share_groups(&h, codes, 8), 2);
	assert_memory_equal(codes, groups_want, sizeof(groups_want));
	assert_int_equal(client_hello_share_groups(&h, codes, 1), 1);

	list = h.extensions;
	assert_true(extension_next(&list, &ext) && ext.type == 0x3a3a && ext.body.n == 0);
	assert_true(extension_next(&list, &ext) && ext.type == EXTENSION_SERVER_NAME);
	buf_fini(&m.b);
}

static void a_hello_of_old_has_no_extensions(void **state)
{
	static const uint8_t ciphers[] = { 0x00, 0x2f, 0x00, 0xff, 0x56, 0x00 };
	struct hello_start s = hello_start_usual();
	struct hello_make m = { 0 };
	struct client_hello h;

	(void)state;
	s.version = 0x0301;
	s.session_id_n = 0;
	s.ciphers = bytes_of(ciphers, sizeof(ciphers));
	hello_make_begin(&m, &s);
	parses(&m, &h);
	assert_int_equal(h.max_version, 0x0301);
	assert_int_equal(h.session_id.n, 0);
	assert_int_equal(h.extensions.n, 0);
	assert_int_equal(h.server_name.n, 0);
	assert_true(h.has_fallback_scsv && h.has_renegotiation_info);
	assert_false(h.has_key_share || h.has_grease);
	buf_fini(&m.b);
}

/* A list that is as long as its prefix says is needed, nothing behind it. */
struct rule {
	uint16_t type;
	struct bytes body;
	enum alert alert;
};

static const struct rule broken_rules[] = {
	{ EXTENSION_SERVER_NAME, LIT(""), ALERT_DECODE_ERROR },
	{ EXTENSION_SERVER_NAME, LIT("\x00\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_SERVER_NAME, LIT("\x00\x03\x00\x00\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_SERVER_NAME, LIT("\x00\x04\x01\x00\x01x"), ALERT_DECODE_ERROR },
	{ EXTENSION_SERVER_NAME, LIT("\x00\x08\x00\x00\x01x\x00\x00\x01y"), ALERT_DECODE_ERROR },
	{ EXTENSION_SERVER_NAME, LIT("\x00\x04\x00\x00\x02x"), ALERT_DECODE_ERROR },
	{ EXTENSION_SERVER_NAME, LIT("\x00\x04\x00\x00\x01xz"), ALERT_DECODE_ERROR },
	{ EXTENSION_SERVER_NAME, LIT("\x00\x05\x00\x00\x01x"), ALERT_DECODE_ERROR },
	{ EXTENSION_MAX_FRAGMENT_LENGTH, LIT(""), ALERT_DECODE_ERROR },
	{ EXTENSION_MAX_FRAGMENT_LENGTH, LIT("\x00"), ALERT_ILLEGAL_PARAMETER },
	{ EXTENSION_MAX_FRAGMENT_LENGTH, LIT("\x05"), ALERT_ILLEGAL_PARAMETER },
	{ EXTENSION_MAX_FRAGMENT_LENGTH, LIT("\x01\x01"), ALERT_DECODE_ERROR },
	{ EXTENSION_STATUS_REQUEST, LIT(""), ALERT_DECODE_ERROR },
	{ EXTENSION_STATUS_REQUEST, LIT("\x01\x00\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_STATUS_REQUEST, LIT("\x01\x00\x00\x00\x00\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_SUPPORTED_GROUPS, LIT(""), ALERT_DECODE_ERROR },
	{ EXTENSION_SUPPORTED_GROUPS, LIT("\x00\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_SUPPORTED_GROUPS, LIT("\x00\x03\x00\x17\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_SUPPORTED_GROUPS, LIT("\x00\x02\x00\x17\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_EC_POINT_FORMATS, LIT("\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_SIGNATURE_ALGORITHMS, LIT("\x00\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_SIGNATURE_ALGORITHMS_CERT, LIT("\x00\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_ALPN, LIT("\x00\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_ALPN, LIT("\x00\x01\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_ALPN, LIT("\x00\x04\x02h2\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_ALPN, LIT("\x00\x03\x03h2"), ALERT_DECODE_ERROR },
	{ EXTENSION_ALPN, LIT("\x00\x03\x02h2z"), ALERT_DECODE_ERROR },
	{ EXTENSION_ENCRYPT_THEN_MAC, LIT("z"), ALERT_DECODE_ERROR },
	{ EXTENSION_EXTENDED_MASTER_SECRET, LIT("z"), ALERT_DECODE_ERROR },
	{ EXTENSION_COMPRESS_CERTIFICATE, LIT("\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_COMPRESS_CERTIFICATE, LIT("\x01\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_RECORD_SIZE_LIMIT, LIT("\x40"), ALERT_DECODE_ERROR },
	{ EXTENSION_RECORD_SIZE_LIMIT, LIT("\x00\x3f"), ALERT_ILLEGAL_PARAMETER },
	{ EXTENSION_EARLY_DATA, LIT("z"), ALERT_DECODE_ERROR },
	{ EXTENSION_SUPPORTED_VERSIONS, LIT("\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_SUPPORTED_VERSIONS, LIT("\x03\x03\x04\x03"), ALERT_DECODE_ERROR },
	{ EXTENSION_COOKIE, LIT("\x00\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_PSK_KEY_EXCHANGE_MODES, LIT("\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_POST_HANDSHAKE_AUTH, LIT("z"), ALERT_DECODE_ERROR },
	{ EXTENSION_KEY_SHARE, LIT("\x00\x04\x00\x1d\x00\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_KEY_SHARE, LIT("\x00\x05\x00\x1d\x00\x02x"), ALERT_DECODE_ERROR },
	{ EXTENSION_KEY_SHARE, LIT("\x00\x0a\x00\x1d\x00\x01x\x00\x1d\x00\x01y"),
	  ALERT_ILLEGAL_PARAMETER },
	{ EXTENSION_RENEGOTIATION_INFO, LIT(""), ALERT_DECODE_ERROR },
	{ EXTENSION_RENEGOTIATION_INFO, LIT("\x01"), ALERT_DECODE_ERROR },
	{ EXTENSION_PRE_SHARED_KEY, LIT("\x00\x00\x00\x00"), ALERT_DECODE_ERROR },
	{ EXTENSION_PRE_SHARED_KEY, LIT("\x00\x07\x00\x01i\x00\x00\x00\x01\x00\x02\x01z"),
	  ALERT_DECODE_ERROR },
	{ EXTENSION_PRE_SHARED_KEY,
	  LIT("\x00\x0e\x00\x01i\x00\x00\x00\x01\x00\x01j\x00\x00\x00\x01\x00\x21\x20"
	      "0123456789abcdef0123456789abcdef"),
	  ALERT_ILLEGAL_PARAMETER },
};

static void refuses_each_broken_extension(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken_rules); i++) {
		struct client_hello h = { .legacy_version = 77 };
		enum alert alert = ALERT_CLOSE_NOTIFY;
		struct err e = { 0 };

		if (parse_one(broken_rules[i].type, broken_rules[i].body, &h, &alert, &e) == 0)
			fail_msg("rule %zu: taken", i);
		assert_int_equal(e.code, ERR_TLS_DECODE);
		if (alert != broken_rules[i].alert)
			fail_msg("rule %zu: alert %s", i, alert_name((uint8_t)alert));
		assert_int_equal(h.legacy_version, 77);
	}
}

static void takes_what_looks_odd_but_is_allowed(void **state)
{
	static const struct rule rules[] = {
		/* A name of another type beside the host name. */
		{ EXTENSION_SERVER_NAME, LIT("\x00\x08\x01\x00\x01x\x00\x00\x01y"), 0 },
		/* Bytes that no name has: name_parse's business. */
		{ EXTENSION_SERVER_NAME, LIT("\x00\x06\x00\x00\x03\x00/\x1b"), 0 },
		{ EXTENSION_STATUS_REQUEST, LIT("\x02whatever"), 0 },
		{ EXTENSION_KEY_SHARE, LIT("\x00\x00"), 0 },
		{ EXTENSION_SESSION_TICKET, LIT("ticket"), 0 },
		{ EXTENSION_SUPPORTED_VERSIONS, LIT("\x02\x7f\x1c"), 0 },
		{ 0xffff, LIT(""), 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct client_hello h;
		struct err e = { 0 };

		if (parse_one(rules[i].type, rules[i].body, &h, NULL, &e) < 0)
			fail_msg("rule %zu: %s", i, e.sentence);
	}
}

static void refuses_an_extension_twice(void **state)
{
	static const uint16_t types[] = { 0x0023, 0x3a3a, 0xffff };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		enum alert alert = ALERT_CLOSE_NOTIFY;
		struct client_hello h;
		struct hello_make m;
		struct err e = { 0 };

		start(&m);
		hello_make_add(&m, types[i], B(""));
		hello_make_add(&m, 0x1234, B(""));
		hello_make_add(&m, types[i], B(""));
		assert_int_equal(client_hello_parse(hello_make_end(&m), &h, &alert, &e), -1);
		assert_int_equal(alert, ALERT_ILLEGAL_PARAMETER);
		assert_non_null(strstr(e.sentence, "is there twice"));
		buf_fini(&m.b);
	}
}

static void pre_shared_key_must_be_last(void **state)
{
	enum alert alert = ALERT_CLOSE_NOTIFY;
	struct client_hello h;
	struct hello_make m;
	struct err e = { 0 };

	(void)state;
	start(&m);
	hello_make_add(&m, EXTENSION_PRE_SHARED_KEY,
		       B("\x00\x07\x00\x01i\x00\x00\x00\x01\x00\x21\x20"
			 "0123456789abcdef0123456789abcdef"));
	hello_make_add(&m, EXTENSION_PADDING, B("\0\0"));
	assert_int_equal(client_hello_parse(hello_make_end(&m), &h, &alert, &e), -1);
	assert_int_equal(alert, ALERT_ILLEGAL_PARAMETER);
	assert_non_null(strstr(e.sentence, "not the last"));
	buf_fini(&m.b);
}

static int parse_start(const struct hello_start *s, bool tls13, enum alert *alert, struct err *e)
{
	struct hello_make m = { 0 };
	struct client_hello h;
	int result;

	hello_make_begin(&m, s);
	hello_make_extensions(&m);
	if (tls13)
		hello_make_add(&m, EXTENSION_SUPPORTED_VERSIONS, B("\x02\x03\x04"));
	result = client_hello_parse(hello_make_end(&m), &h, alert, e);
	buf_fini(&m.b);
	return result;
}

static void refuses_each_broken_field(void **state)
{
	struct hello_start s = hello_start_usual();
	enum alert alert;
	struct err e;

	(void)state;
	assert_int_equal(parse_start(&s, true, &alert, &e), 0);

	s.session_id_n = 33;
	assert_int_equal(parse_start(&s, false, &alert, &e), -1);
	assert_int_equal(alert, ALERT_DECODE_ERROR);

	s = hello_start_usual();
	s.version = 0x0200;
	assert_int_equal(parse_start(&s, false, &alert, &e), -1);
	assert_int_equal(alert, ALERT_PROTOCOL_VERSION);

	s = hello_start_usual();
	s.ciphers = B("");
	assert_int_equal(parse_start(&s, false, &alert, &e), -1);
	assert_int_equal(alert, ALERT_DECODE_ERROR);
	s.ciphers = B("\x13\x01\x13");
	assert_int_equal(parse_start(&s, false, &alert, &e), -1);

	s = hello_start_usual();
	s.compression = B("");
	assert_int_equal(parse_start(&s, false, &alert, &e), -1);
	assert_int_equal(alert, ALERT_DECODE_ERROR);
	s.compression = B("\x01");
	assert_int_equal(parse_start(&s, false, &alert, &e), -1);
	assert_int_equal(alert, ALERT_ILLEGAL_PARAMETER);
	s.compression = B("\x01\x00");
	assert_int_equal(parse_start(&s, false, &alert, &e), 0);
	assert_int_equal(parse_start(&s, true, &alert, &e), -1);
	assert_int_equal(alert, ALERT_ILLEGAL_PARAMETER);
}

static void refuses_every_truncation_and_a_byte_too_many(void **state)
{
	enum alert alert;
	struct client_hello h;
	struct hello_make m;
	struct bytes whole;
	uint8_t *copy;

	(void)state;
	start(&m);
	hello_make_add(&m, EXTENSION_SERVER_NAME,
		       B("\x00\x06\x00\x00\x03"
			 "a.b"));
	hello_make_add(&m, EXTENSION_KEY_SHARE, B("\x00\x05\x00\x1d\x00\x01x"));
	whole = hello_make_end(&m);
	assert_int_equal(client_hello_parse(whole, &h, NULL, NULL), 0);
	for (size_t n = 0; n < whole.n; n++) {
		copy = mem_dup(bytes_slice(whole, 0, n));
		assert_int_equal(client_hello_parse(bytes_of(copy, n), &h, &alert, NULL), -1);
		assert_int_equal(alert, ALERT_DECODE_ERROR);
		mem_free(copy);
	}
	copy = mem_dup(whole);
	assert_int_equal(client_hello_parse(bytes_of(copy, whole.n + 1), &h, &alert, NULL), -1);
	assert_int_equal(alert, ALERT_DECODE_ERROR);
	copy[0] = HANDSHAKE_SERVER_HELLO;
	assert_int_equal(client_hello_parse(bytes_of(copy, whole.n), &h, &alert, NULL), -1);
	assert_int_equal(alert, ALERT_UNEXPECTED_MESSAGE);
	mem_free(copy);
	buf_fini(&m.b);
}

/* As truncation above, but with the outer lengths made to fit: the inner ones are then wrong. */
static void refuses_extensions_that_are_cut_off(void **state)
{
	struct bytes body = B("\x00\x00\x00\x08\x00\x06\x00\x00\x03"
			      "a.b");

	(void)state;
	for (size_t n = 1; n < body.n; n++) {
		struct hello_start s = hello_start_usual();
		struct hello_make m = { 0 };
		struct client_hello h;

		hello_make_begin(&m, &s);
		hello_make_extensions(&m);
		wr_bytes(&m.w, bytes_slice(body, 0, n));
		assert_int_equal(client_hello_parse(hello_make_end(&m), &h, NULL, NULL), -1);
		buf_fini(&m.b);
	}
}

static void many_extensions_take_linear_time(void **state)
{
	struct client_hello h;
	struct hello_make m;

	(void)state;
	start(&m);
	for (unsigned type = 0x4000; type < 0x4000 + 16383; type++)
		hello_make_add(&m, (uint16_t)type, B(""));
	parses(&m, &h);
	assert_int_equal(h.extension_count, 16383);
	buf_fini(&m.b);
}

static void tells_grease_from_other_codes(void **state)
{
	size_t count = 0;

	(void)state;
	for (unsigned code = 0; code < 65536; code++)
		count += code_is_grease((uint16_t)code);
	assert_int_equal(count, 16);
	assert_true(code_is_grease(0x0a0a) && code_is_grease(0xfafa));
	assert_false(code_is_grease(0x0a1a) || code_is_grease(0x0b0b) || code_is_grease(0x1a0a));
}

static void iterators_stop_at_malformed_lists(void **state)
{
	struct bytes list = B("\x05h2"), name = { 0 };
	struct extension ext;
	uint16_t group;

	(void)state;
	assert_false(alpn_next(&list, &name));
	assert_false(alpn_next(&list, &name));
	list = B("\x00\x00\x00\x05x");
	assert_false(extension_next(&list, &ext));
	assert_int_equal(list.n, 0);
	list = B("\x00\x1d\x00\x05x");
	assert_false(key_share_next(&list, &group, &name));
	assert_int_equal(alpn_check(B("\x02h2\x08http/1.1"), NULL), 0);
	assert_int_equal(alpn_check(B("\x02h2\x08http/1."), NULL), -1);
	assert_int_equal(alpn_check(B(""), NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_whole_hello),
		cmocka_unit_test(walks_the_lists_of_a_whole_hello),
		cmocka_unit_test(a_hello_of_old_has_no_extensions),
		cmocka_unit_test(refuses_each_broken_extension),
		cmocka_unit_test(takes_what_looks_odd_but_is_allowed),
		cmocka_unit_test(refuses_an_extension_twice),
		cmocka_unit_test(pre_shared_key_must_be_last),
		cmocka_unit_test(refuses_each_broken_field),
		cmocka_unit_test(refuses_every_truncation_and_a_byte_too_many),
		cmocka_unit_test(refuses_extensions_that_are_cut_off),
		cmocka_unit_test(many_extensions_take_linear_time),
		cmocka_unit_test(tells_grease_from_other_codes),
		cmocka_unit_test(iterators_stop_at_malformed_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
