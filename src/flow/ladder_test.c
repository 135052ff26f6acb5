#include "flow/ladder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "flow/testkit.h"
#include "flow/testkit_json.h"
#include "wire/extension.h"
#include "wire/handshake.h"
#include "wire/hello_make.h"
#include "wire/packet.h"

#define B(s) bytes_of("" s, sizeof(s) - 1)

struct rig {
	struct kit kit;
	struct event_bus bus;
	struct ladder *ladder;
	struct buf out;
};

static void rig_init(struct rig *r, struct ladder_options o)
{
	*r = (struct rig){ .out = buf_init(1 << 16) };
	o.out = &r->out;
	r->kit.bus = &r->bus;
	assert_int_equal(ladder_new(&o, &r->ladder, NULL), 0);
	assert_int_equal(event_bus_add(&r->bus, ladder_sink(r->ladder), NULL), 0);
}

static void rig_fini(struct rig *r)
{
	ladder_free(r->ladder);
	buf_fini(&r->out);
}

static bool has(const struct rig *r, const char *text)
{
	return memmem(r->out.p, r->out.n, text, strlen(text)) != NULL;
}

#define assert_has(r, text)                                                                        \
	do {                                                                                       \
		if (!has(r, text))                                                                 \
			fail_msg("%s is not in\n%.*s", text, BYTES_FMT(buf_bytes(&(r)->out)));     \
	} while (0)

static void assert_shows(const struct rig *r, const char *want)
{
	if (!bytes_equal(buf_bytes(&r->out), bytes_str(want))) {
		fwrite(r->out.p, 1, r->out.n, stderr);
		fail_msg("not\n%s", want);
	}
}

static void say(struct rig *r, enum flow_dir dir, struct bytes raw, bool encrypted)
{
	struct ev_handshake_message m = {
		.content = RECORD_HANDSHAKE, .type = raw.p[0], .encrypted = encrypted, .raw = raw
	};

	kit_handshake(&r->kit, 1, dir, &m);
}

static void say_ccs(struct rig *r, enum flow_dir dir)
{
	struct ev_handshake_message m = { .content = RECORD_CHANGE_CIPHER_SPEC,
					  .raw = bytes_str("\x01") };

	kit_handshake(&r->kit, 1, dir, &m);
}

static void say_hello(struct rig *r)
{
	struct hello_start s = hello_start_usual();
	struct hello_make m = { 0 };

	hello_make_begin(&m, &s);
	hello_make_extensions(&m);
	hello_make_add(&m, EXTENSION_SERVER_NAME,
		       B("\x00\x06\x00\x00\x03"
			 "a.b"));
	hello_make_add(&m, EXTENSION_SUPPORTED_GROUPS, B("\x00\x06\x1a\x1a\x00\x1d\x00\x17"));
	hello_make_add(&m, EXTENSION_ALPN, B("\x00\x0c\x02h2\x08http/1.1"));
	hello_make_add(&m, EXTENSION_SUPPORTED_VERSIONS, B("\x04\x03\x04\x03\x03"));
	hello_make_add(&m, EXTENSION_KEY_SHARE, B("\x00\x05\x00\x1d\x00\x01\x00"));
	say(r, DIR_UP, hello_make_end(&m), false);
	buf_fini(&m.b);
}

/* A ServerHello of that version with these extensions, with the last one's length. */
static void say_server_hello(struct rig *r, uint16_t version, uint16_t cipher,
			     struct bytes extensions)
{
	struct buf b = buf_init(1000);
	struct wr w = wr_init(&b);
	struct wr_mark message, list;

	wr_u8(&w, HANDSHAKE_SERVER_HELLO);
	message = wr_open(&w, 3);
	wr_u16(&w, version);
	for (int i = 0; i < 32; i++)
		wr_u8(&w, 7);
	wr_u8(&w, 0);
	wr_u16(&w, cipher);
	wr_u8(&w, 0);
	list = wr_open(&w, 2);
	wr_bytes(&w, extensions);
	wr_close(&w, list);
	wr_close(&w, message);
	say(r, DIR_DOWN, buf_bytes(&b), false);
	buf_fini(&b);
}

#define CERTIFICATE                                                                                \
	"\x30\x25\x30\x23\x02\x01\x05\x30\x00\x30\x00\x30\x00"                                     \
	"\x30\x18\x31\x16\x30\x14\x06\x03\x55\x04\x03\x0c\x0dwww.a.example"

static void play_13(struct rig *r)
{
	kit_capture(&r->kit, 1);
	kit_tcp_open(&r->kit, 1);
	kit_wait(&r->kit, 100);
	say_hello(r);
	kit_wait(&r->kit, 2000);
	say_server_hello(r, 0x0303, 0x1301,
			 B("\x00\x2b\x00\x02\x03\x04\x00\x33\x00\x05\x00\x1d\x00\x01\x07"));
	say_ccs(r, DIR_DOWN);
	say(r, DIR_DOWN, B("\x08\x00\x00\x0b\x00\x09\x00\x10\x00\x05\x00\x03\x02h2"), true);
	say(r, DIR_DOWN, B("\x0b\x00\x00\x30\x00\x00\x00\x2c\x00\x00\x27" CERTIFICATE "\x00\x00"),
	    true);
	say(r, DIR_DOWN, B("\x0f\x00\x00\x05\x08\x04\x00\x01\x99"), true);
	say(r, DIR_DOWN, B("\x14\x00\x00\x02\x01\x02"), true);
	kit_wait(&r->kit, 300);
	say_ccs(r, DIR_UP);
	say(r, DIR_UP, B("\x14\x00\x00\x02\x01\x02"), true);
	kit_data(&r->kit, 1, DIR_UP, "GET / HTTP/1.1\r\n\r\n");
	kit_wait(&r->kit, 1500);
	say(r, DIR_DOWN,
	    B("\x04\x00\x00\x11\x00\x00\x1c\x20\x01\x02\x03\x04\x00\x00\x04"
	      "abcd\x00\x00"),
	    true);
	kit_data(&r->kit, 1, DIR_DOWN, "hello");
	kit_data(&r->kit, 1, DIR_DOWN, "and more that is no step");
	say(r, DIR_UP, B("\x18\x00\x00\x01\x01"), true);
	kit_alert(&r->kit, 1, LEG_CLIENT, 0);
	kit_tcp(&r->kit, 1, DIR_UP, TCP_FIN | TCP_ACK);
}

static void a_handshake_is_a_ladder(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, (struct ladder_options){ 0 });
	play_13(&r);
	assert_int_equal(r.out.n, 0);
	kit_capture_end(&r.kit, 1, END_CLEAN, false);
	assert_shows(
		&r,
		"flow 1  192.0.2.1:40100 → 198.51.100.34:443  12:34:56.123  "
		"times in ms; {…} is encrypted\n"
		"step        at       step  client                          server\n"
		"   1      0.000      0.000  SYN ─────────────────────────────────▶\n"
		"   2      0.400     +0.400  ◀──────────────────────────── SYN, ACK  answers 1\n"
		"   3      0.500     +0.100  ACK ─────────────────────────────────▶  answers 2\n"
		"   4      0.600     +0.100  ClientHello ─────────────────────────▶  after 3  "
		"sni a.b, versions 1.3 1.2, 3 ciphers, groups x25519 secp256r1, key share x25519, "
		"alpn h2 http/1.1\n"
		"   5      2.600     +2.000  ◀───────────────────────── ServerHello  answers 4  "
		"version 1.3, TLS_AES_128_GCM_SHA256, key share x25519\n"
		"   6      2.600     +0.000  ◀──────────────────── ChangeCipherSpec  after 5\n"
		"   7      2.600     +0.000  ◀─────────────── {EncryptedExtensions}  after 6  "
		"alpn h2\n"
		"   8      2.600     +0.000  ◀─────────────────────── {Certificate}  after 7  "
		"1 certificate, 39 bytes, for www.a.example\n"
		"   9      2.600     +0.000  ◀───────────────── {CertificateVerify}  after 8  "
		"signed with rsa_pss_rsae_sha256\n"
		"  10      2.600     +0.000  ◀────────────────────────── {Finished}  after 9\n"
		"  11      2.900     +0.300  ChangeCipherSpec ────────────────────▶  answers 10\n"
		"  12      2.900     +0.000  {Finished} ──────────────────────────▶  after 11\n"
		"  13      2.900     +0.000  {application data} ──────────────────▶  after 12  "
		"the first 18 bytes\n"
		"  14      4.400     +1.500  ◀────────────────── {NewSessionTicket}  answers 12  "
		"ticket of 4 bytes, good for 7200 s\n"
		"  15      4.400     +0.000  ◀────────────────── {application data}  answers 13  "
		"the first 5 bytes\n"
		"  16      4.400     +0.000  {KeyUpdate} ─────────────────────────▶  after 13  "
		"asks the other side for the same\n"
		"  17      4.400     +0.000  {close_notify} ──────────────────────▶  after 16\n"
		"  18      4.400     +0.000  FIN ─────────────────────────────────▶  after 17\n"
		"                            the connection ended in order\n"
		"\n");
	rig_fini(&r);
}

static void a_learner_is_told_what_each_is_for(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, (struct ladder_options){ .explain = true });
	play_13(&r);
	kit_capture_end(&r.kit, 1, END_CLEAN, false);
	assert_has(&r, "  asks for a connection of TCP\n");
	assert_has(&r, "  means nothing in TLS 1.3; for middleboxes that expect it\n");
	assert_has(&r, "  proves that both saw the same messages: the first under the new keys\n");
	rig_fini(&r);
}

static void older_versions_have_other_messages(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, (struct ladder_options){ .explain = true });
	kit_capture(&r.kit, 1);
	kit_data(&r.kit, 1, DIR_DOWN, "220 hello\r\n");
	kit_data(&r.kit, 1, DIR_UP, "STARTTLS\r\n");
	say_hello(&r);
	say_server_hello(&r, 0x0303, 0xc02f, B("\x00\x17\x00\x00\x00\x16\x00\x00\x00\x23\x00\x00"));
	say(&r, DIR_DOWN, B("\x0b\x00\x00\x2d\x00\x00\x2a\x00\x00\x27" CERTIFICATE), false);
	say(&r, DIR_DOWN, B("\x0c\x00\x00\x0a\x03\x00\x1d\x01\x99\x04\x01\x00\x01\x99"), false);
	say(&r, DIR_DOWN, B("\x0e\x00\x00\x00"), false);
	say(&r, DIR_UP, B("\x10\x00\x00\x02\x01\x09"), false);
	say_ccs(&r, DIR_UP);
	say(&r, DIR_UP, B("\x14\x00\x00\x01\x09"), true);
	say(&r, DIR_DOWN,
	    B("\x04\x00\x00\x09\x00\x00\x01\x2c\x00\x03"
	      "abc"),
	    false);
	kit_alert(&r.kit, 1, LEG_CLIENT, 48);
	kit_gap(&r.kit, 1, DIR_DOWN, 1400);
	kit_dark(&r.kit, 1, DARK_GAP, "bytes are \033 missing");
	kit_capture_end(&r.kit, 1, END_RESET, false);
	assert_has(&r, "◀─────────────────── data in plaintext  the first 11 bytes\n");
	assert_has(&r, "extended master secret, encrypt then MAC, a ticket follows\n");
	assert_has(&r, "after 4  1 certificate, 39 bytes, for www.a.example\n");
	assert_has(&r, "after 5  x25519, signed with rsa_pkcs1_sha256\n");
	assert_has(&r, "ClientKeyExchange ───────────────────▶  answers 7  2 bytes\n");
	assert_has(&r, "  what the sender sends from here on is encrypted\n");
	assert_has(&r, "answers 10  ticket of 3 bytes, good for 300 s\n");
	assert_has(&r, "fatal unknown_ca: it does not");
	assert_has(&r, "  1400 bytes of the server are not in the capture\n");
	assert_has(&r, "  bytes are \\x1b missing\n");
	assert_has(&r, "  the connection was reset\n");
	rig_fini(&r);
}

static void a_group_of_dhe_is_named_by_its_size(void **state)
{
	static uint8_t raw[4 + 2 + 256 + 3 + 3] = { 12, 0, 1, 8, 1, 0 };
	struct rig r;

	(void)state;
	raw[4 + 2 + 256 + 1] = 1;
	raw[4 + 2 + 256 + 2] = 2;
	raw[4 + 2 + 256 + 4] = 1;
	rig_init(&r, (struct ladder_options){ 0 });
	kit_capture(&r.kit, 1);
	say_server_hello(&r, 0x0303, 0x009e, B(""));
	say(&r, DIR_DOWN, bytes_of(raw, sizeof(raw)), false);
	kit_capture_end(&r.kit, 1, END_CLEAN, true);
	assert_has(&r, "a group of 2048 bits\n");
	assert_has(&r, "  the capture ends before the connection\n");
	rig_fini(&r);
}

static void a_retry_has_its_own_name(void **state)
{
	static const uint8_t random[] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
					  0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
					  0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
					  0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c };
	uint8_t raw[] = "\x02\x00\x00\x34\x03\x03"
			"................................"
			"\x00\x13\x01\x00\x00\x0c\x00\x2b\x00\x02\x03\x04\x00\x33\x00\x02\x00\x17";
	struct rig r;

	(void)state;
	memcpy(raw + 6, random, sizeof(random));
	rig_init(&r, (struct ladder_options){ .explain = true });
	kit_capture(&r.kit, 1);
	say_hello(&r);
	say(&r, DIR_DOWN, bytes_of(raw, sizeof(raw) - 1), false);
	say_hello(&r);
	kit_capture_end(&r.kit, 1, END_TRUNCATED, false);
	assert_has(&r, "◀─────────────────── HelloRetryRequest  answers 1  version 1.3, "
		       "TLS_AES_128_GCM_SHA256, wants a key share of secp256r1\n");
	assert_has(&r,
		   "  asks for the hello once more, with a key share that the server can use\n");
	assert_has(&r, "▶  answers 2  sni a.b");
	assert_has(&r, "  the connection ended without close_notify\n");
	rig_fini(&r);
}

static void what_cannot_be_read_is_named_only(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, (struct ladder_options){ 0 });
	kit_capture(&r.kit, 1);
	/* Every message type, with nothing and with too little in it. */
	for (unsigned type = 0; type < 256; type++) {
		uint8_t raw[] = { (uint8_t)type, 0, 0, 2, 1, 2 };

		say(&r, DIR_DOWN, bytes_of(raw, 4), false);
		say(&r, DIR_DOWN, bytes_of(raw, sizeof(raw)), true);
	}
	kit_handshake(&r.kit, 1, DIR_UP,
		      &(struct ev_handshake_message){ .content = RECORD_HANDSHAKE,
						      .type = 1,
						      .bad = true,
						      .raw = B("\x01\x00\x00\x00") });
	kit_capture_end(&r.kit, 1, END_CLEAN, false);
	assert_has(&r, "{unknown message}");
	assert_has(&r, "ClientHello ─────────────────────────▶  answers 512  malformed\n");
	rig_fini(&r);
}

static json_t *schema;

static void as_json_each_step_is_a_line(void **state)
{
	const json_t *rule = json_object_get(json_object_get(schema, "$defs"), "handshake");
	struct rig r;
	size_t lines = 0;

	(void)state;
	rig_init(&r, (struct ladder_options){ .json = true });
	play_13(&r);
	kit_capture_end(&r.kit, 1, END_CLEAN, false);
	while (r.out.n) {
		size_t n = bytes_index(buf_bytes(&r.out), '\n');
		json_t *line = json_loadb((const char *)r.out.p, n, JSON_REJECT_DUPLICATES, NULL);
		char room[300];
		const char *wrong = schema_fault(schema, rule, line, room, sizeof(room));

		if (wrong)
			fail_msg("%s in %.*s", wrong, (int)n, (const char *)r.out.p);
		lines++;
		assert_int_equal(json_integer_value(json_object_get(line, "step")), lines);
		if (lines == 7) {
			assert_string_equal(json_string_value(json_object_get(line, "message")),
					    "EncryptedExtensions");
			assert_int_equal(json_integer_value(json_object_get(line, "after")), 6);
			assert_true(json_is_true(json_object_get(line, "encrypted")));
			assert_string_equal(json_string_value(json_object_get(line, "carries")),
					    "alpn h2");
		}
		if (lines == 5)
			assert_int_equal(json_integer_value(json_object_get(line, "answers")), 4);
		json_decref(line);
		buf_take(&r.out, n + 1);
	}
	assert_int_equal(lines, 18);
	rig_fini(&r);
}

static bool is_flow_2(void *ctx, uint64_t flow)
{
	(void)ctx;
	return flow == 2;
}

static void only_what_is_wanted_is_shown(void **state)
{
	static const bool forms[] = { false, true };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct rig r;

		rig_init(&r, (struct ladder_options){ .wanted = is_flow_2, .json = forms[i] });
		for (uint64_t flow = 1; flow <= 2; flow++) {
			kit_capture(&r.kit, flow);
			kit_tcp_open(&r.kit, flow);
			kit_capture_end(&r.kit, flow, END_CLEAN, false);
		}
		/* Nothing happened, and not TCP. */
		kit_capture(&r.kit, 3);
		kit_capture_end(&r.kit, 3, END_CLEAN, false);
		kit_capture(&r.kit, FLOW_UDP | 2);
		kit_capture_end(&r.kit, FLOW_UDP | 2, END_CLEAN, false);
		assert_has(&r, forms[i] ? "\"flow\":2" : "flow 2 ");
		assert_false(has(&r, forms[i] ? "\"flow\":1" : "flow 1 "));
		rig_fini(&r);
	}
}

static void what_does_not_fit_is_counted(void **state)
{
	struct ladder_stats stats;
	struct rig r;

	(void)state;
	rig_init(&r, (struct ladder_options){ .max_flows = 1, .max_text = 400 });
	kit_capture(&r.kit, 2);
	kit_capture(&r.kit, 1);
	kit_capture_end(&r.kit, 1, END_CLEAN, false);
	kit_capture_end(&r.kit, 2, END_CLEAN, false);
	ladder_stats(r.ladder, &stats);
	assert_int_equal(stats.dropped, 1);
	assert_int_equal(r.out.n, 0);
	play_13(&r);
	kit_capture_end(&r.kit, 1, END_CLEAN, false);
	ladder_stats(r.ladder, &stats);
	assert_int_equal(stats.dropped, 1 + 16);
	assert_has(&r, "   2  ");
	assert_has(&r, "  … more steps than are kept\n");
	rig_fini(&r);
}

static void missing_memory_drops_and_never_crashes(void **state)
{
	size_t i;

	(void)state;
	for (i = 1; i < 200; i++) {
		struct ladder_options o = { 0 };
		struct ladder_stats stats = { 0 };
		struct rig r = { .out = buf_init(1 << 16) };
		bool made;

		o.out = &r.out;
		r.kit.bus = &r.bus;
		mem_fail_at(i);
		made = ladder_new(&o, &r.ladder, NULL) == 0;
		if (made && event_bus_add(&r.bus, ladder_sink(r.ladder), NULL) == 0) {
			kit_capture(&r.kit, 1);
			kit_tcp_open(&r.kit, 1);
			say(&r, DIR_UP, B("\x18\x00\x00\x01\x01"), false);
			kit_capture_end(&r.kit, 1, END_CLEAN, false);
		}
		mem_fail_at(0);
		if (made)
			ladder_stats(r.ladder, &stats);
		rig_fini(&r);
		if (made && stats.dropped == 0)
			break;
	}
	assert_in_range(i, 4, 199);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_is_a_ladder),
		cmocka_unit_test(a_learner_is_told_what_each_is_for),
		cmocka_unit_test(older_versions_have_other_messages),
		cmocka_unit_test(a_group_of_dhe_is_named_by_its_size),
		cmocka_unit_test(a_retry_has_its_own_name),
		cmocka_unit_test(what_cannot_be_read_is_named_only),
		cmocka_unit_test(as_json_each_step_is_a_line),
		cmocka_unit_test(only_what_is_wanted_is_shown),
		cmocka_unit_test(what_does_not_fit_is_counted),
		cmocka_unit_test(missing_memory_drops_and_never_crashes),
	};
	int failed;

	assert_int_equal(argc, 2);
	schema = json_load_file(argv[1], 0, NULL);
	assert_non_null(schema);
	failed = cmocka_run_group_tests_name("flow/ladder", tests, NULL, NULL);
	json_decref(schema);
	return failed;
}
