#include "flow/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"
#include "flow/testkit.h"
#include "flow/text_part.h"

static struct buf out = { .max = 1 << 20 };
static struct text_options options;

static void on_exchange(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	(void)ctx;
	assert_int_equal(text_exchange(&out, &options, f, x, NULL), 0);
}

static void on_flow(void *ctx, const struct flow_info *f)
{
	(void)ctx;
	assert_int_equal(text_flow(&out, &options, f, NULL), 0);
}

static void on_message(void *ctx, const struct flow_info *f, const struct flow_message *m)
{
	(void)ctx;
	assert_int_equal(text_message(&out, &options, f, m, NULL), 0);
}

static struct kit kit_new(struct text_options o)
{
	struct tracker_options t = { .max_body = 64,
				     .messages = true,
				     .on_exchange = on_exchange,
				     .on_flow = on_flow,
				     .on_message = on_message };
	struct kit k = { 0 };

	options = o;
	buf_clear(&out);
	assert_int_equal(tracker_new(&t, &k.tracker, NULL), 0);
	return k;
}

static void assert_out(const char *want)
{
	if (!bytes_equal(buf_bytes(&out), bytes_str(want)))
		fail_msg("\n%.*s\ninstead of\n\n%s", BYTES_FMT(buf_bytes(&out)), want);
	buf_clear(&out);
}

static void the_columns_stand_under_their_titles(void **state)
{
	struct kit k = kit_new((struct text_options){ .width = 120 });

	(void)state;
	assert_int_equal(text_title(&out, &options, NULL), 0);
	kit_open(&k, 1, "www.example.org");
	tracker_set_process(k.tracker, 1, bytes_str("curl"), 4711);
	kit_bump(&k, 1, "www.example.org", "h2");
	kit_get(&k, 1, 1, "/");
	kit_get(&k, 1, 3, "/a/path?that=is&longer=than&the=room&of=a&line=has");
	kit_open(&k, 2, "www.example.org");
	kit_hello(&k, 2, "www.example.org");
	kit_get(&k, 2, 1, "/");
	assert_out("time             # client          tls alpn     method  sta  size   took url\n"
		   "12:34:56.126     1 curl            1.3 h2       GET     200     6   12ms "
		   "https://www.example.org/\n"
		   "12:34:56.138     2 curl            1.3 h2       GET     200     6   12ms "
		   "https://www.example.org/a/path?that=is&longer=…\n"
		   "12:34:56.150     3 127.0.0.1:40100 -   -        GET     200     6   12ms "
		   "https://www.example.org/\n");
	tracker_free(k.tracker);
}

static void the_time_is_local(void **state)
{
	struct kit k = kit_new((struct text_options){ .utc_offset_s = -(13 * 3600) });

	(void)state;
	kit_open(&k, 1, "h");
	kit_get(&k, 1, 1, "/");
	out.n = 12;
	assert_out("23:34:56.123");
	tracker_free(k.tracker);
}

static void what_is_too_long_moves_only_its_own_line(void **state)
{
	struct kit_request up = { PROTO_HTTP1, "PROPPATCH", "h", "/", NULL, 0, NULL };
	struct kit_response down = { .proto = PROTO_HTTP1, .status = 207 };
	struct kit k = kit_new((struct text_options){ 0 });

	(void)state;
	kit_open(&k, 1, "h");
	tracker_set_process(k.tracker, 1, bytes_str("a-process-with-a-long-name"), 1);
	kit_request(&k, 1, 1, &up);
	kit_response(&k, 1, 1, &down);
	assert_out(
		"12:34:56.123     1 a-process-with-a-long-name -   -        PROPPATCH 207     0  "
		"0.0ms https://h/\n");
	tracker_free(k.tracker);
}

static void colours_follow_the_status(void **state)
{
	static const struct {
		unsigned status;
		const char *sgr;
	} want[] = { { 101, "\033[36m101" }, { 204, "\033[32m204" }, { 302, "\033[36m302" },
		     { 404, "\033[33m404" }, { 500, "\033[31m500" }, { 0, "\033[2m  -" } };
	struct kit_request up = { PROTO_HTTP2, "GET", "h", "/", NULL, 0, NULL };
	struct kit k = kit_new((struct text_options){ .colour = true });

	(void)state;
	kit_open(&k, 1, "h");
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct kit_response down = { .proto = PROTO_HTTP2, .status = want[i].status };

		kit_request(&k, 1, i, &up);
		kit_response(&k, 1, i, &down);
		assert_int_equal(buf_add(&out, bytes_of("", 1), NULL), 0);
		assert_non_null(strstr((const char *)out.p, want[i].sgr));
		buf_clear(&out);
	}
	tracker_free(k.tracker);
}

static void a_failure_is_one_line_with_side_reason_and_remedy(void **state)
{
	struct kit k = kit_new((struct text_options){ .width = 120 });
	struct ev_flow_end end = { .action = ACTION_BUMP,
				   .failed = true,
				   .failure = "client-rejects-certificate",
				   .side = LEG_CLIENT };

	(void)state;
	kit_open(&k, 1, "api.bank.example");
	tracker_set_process(k.tracker, 1, bytes_str("python3"), 1);
	kit_hello(&k, 1, "api.bank.example");
	kit_alert(&k, 1, LEG_CLIENT, 48);
	kit_wait(&k, 12000);
	kit_end(&k, 1, &end);
	assert_out(
		"12:34:56.123     - python3         -   -        failed    -     0   12ms "
		"api.bank.example:443  client: the client does not trust oriel's bump CA "
		"(alert unknown_ca); install it with `oriel trust install`, or use `oriel env`\n");

	kit_open(&k, 2, "2001:db8::1");
	end = (struct ev_flow_end){ .failed = true,
				    .failure = "dial-refused",
				    .side = LEG_SERVER,
				    .reason = bytes_str("said \x1b[31mby the proxy") };
	kit_end(&k, 2, &end);
	assert_out("12:34:56.135     - 127.0.0.1:40100 -   -        failed    -     0  0.0ms "
		   "[2001:db8::1]:443  server: said \\x1b[31mby the proxy\n");
	tracker_free(k.tracker);
}

static void spliced_and_blocked_and_byte_flows_are_one_line(void **state)
{
	struct kit k = kit_new((struct text_options){ 0 });
	struct event dark;

	(void)state;
	kit_open(&k, 1, "video.example");
	kit_hello(&k, 1, "cdn.example.net");
	kit_wait(&k, 65000000);
	kit_end(&k, 1,
		&(struct ev_flow_end){
			.action = ACTION_SPLICE, .bytes_up = 1234, .bytes_down = 34500000 });
	kit_open(&k, 2, "169.254.169.254");
	kit_hello(&k, 2, "");
	kit_end(&k, 2, &(struct ev_flow_end){ .action = ACTION_BLOCK, .failure = "policy-block" });
	kit_open(&k, 3, "mail.example");
	kit_end(&k, 3, &(struct ev_flow_end){ .action = ACTION_BUMP, .bytes_down = 5 });
	kit_open(&k, 4, "odd.example");
	dark = kit_event(&k, EV_DARK, 4);
	dark.u.dark.reason = bytes_str("no HTTP any more");
	kit_emit(&k, &dark);
	kit_end(&k, 4, &(struct ev_flow_end){ .action = ACTION_BUMP });
	assert_out("12:34:56.123     - 127.0.0.1:40100 -   -        spliced   - 34.5M  1m05s "
		   "video.example:443 (sni cdn.example.net)  1.2k up, 34.5M down\n"
		   "12:36:01.123     - 127.0.0.1:40100 -   -        blocked   -     0  0.0ms "
		   "169.254.169.254:443 (no sni)  a rule blocks 169.254.169.254:443; "
		   "change `rules:` if this should be allowed\n"
		   "12:36:01.123     - 127.0.0.1:40100 -   -        bytes     -     5  0.0ms "
		   "mail.example:443  0 up, 5 down\n"
		   "12:36:01.123     - 127.0.0.1:40100 -   -        bytes     -     0  0.0ms "
		   "odd.example:443  0 up, 0 down  no HTTP any more\n");
	tracker_free(k.tracker);
}

static void a_flow_whose_exchanges_say_everything_has_no_line(void **state)
{
	struct kit k = kit_new((struct text_options){ 0 });

	(void)state;
	kit_open(&k, 1, "h");
	kit_get(&k, 1, 1, "/");
	buf_clear(&out);
	kit_end(&k, 1, &(struct ev_flow_end){ .action = ACTION_BUMP, .bytes_down = 500 });
	kit_open(&k, 2, "h"); /* opened ahead and never used, as browsers do */
	kit_end(&k, 2, &(struct ev_flow_end){ .action = ACTION_BUMP });
	assert_out("");
	tracker_free(k.tracker);
}

static void notes_tell_verdict_other_sni_and_what_was_cut(void **state)
{
	struct kit_request up = {
		PROTO_HTTP2, "GET", "u:p@www.example.org:8443", "/", NULL, 0, NULL
	};
	struct kit k = kit_new((struct text_options){ .mask = true });

	(void)state;
	kit_open(&k, 1, "www.example.org");
	kit_hello(&k, 1, "WWW.example.org");
	kit_verdict(&k, 1, CHAIN_EXPIRED, "");
	kit_request(&k, 1, 1, &up);
	kit_end(&k, 1, &(struct ev_flow_end){ 0 });
	assert_out("12:34:56.123     1 127.0.0.1:40100 -   -        GET       -     0  0.0ms "
		   "https://***@www.example.org:8443/ [certificate: expired] [no answer]\n");
	tracker_free(k.tracker);
}

static void verbose_shows_legs_once_and_heads(void **state)
{
	struct kit k = kit_new((struct text_options){ .verbose = true });

	(void)state;
	kit_open(&k, 1, "www.example.org");
	kit_bump(&k, 1, "www.example.org", "h2");
	kit_get(&k, 1, 1, "/");
	kit_get(&k, 1, 3, "/");
	assert_out("12:34:56.126     1 127.0.0.1:40100 1.3 h2       GET     200     6   12ms "
		   "https://www.example.org/\n"
		   "             * client TLS 1.3 TLS_AES_128_GCM_SHA256 x25519, certificate by "
		   "CN=oriel bump CA test 2026-03-01, 127.0.0.1:40100\n"
		   "             * server TLS 1.3 TLS_AES_128_GCM_SHA256 x25519, certificate by "
		   "CN=R11, O=Let's Encrypt, C=US: ok, 198.51.100.34:443\n"
		   "             > GET / HTTP/2\n"
		   "             > user-agent: curl/7.88.1\n"
		   "             > accept: */*\n"
		   "             < HTTP/2 200\n"
		   "             < content-type: text/plain\n"
		   "12:34:56.138     2 127.0.0.1:40100 1.3 h2       GET     200     6   12ms "
		   "https://www.example.org/\n"
		   "             > GET / HTTP/2\n"
		   "             > user-agent: curl/7.88.1\n"
		   "             > accept: */*\n"
		   "             < HTTP/2 200\n"
		   "             < content-type: text/plain\n");
	tracker_free(k.tracker);
}

/* Plays an exchange whose answer has this body, and leaves only what follows its line. */
static void play_body(struct kit *k, struct bytes body, uint64_t all)
{
	struct kit_request up = { PROTO_HTTP2, "GET", "h", "/", NULL, 0, NULL };
	struct ev_message_end end = { .body_bytes = all, .grpc_status = -1 };
	struct event head;

	kit_open(k, 1, "h");
	kit_request(k, 1, 1, &up);
	head = kit_event(k, EV_MESSAGE_HEAD, 1);
	head.stream = 1;
	head.dir = DIR_DOWN;
	head.u.message_head = (struct ev_message_head){ .proto = PROTO_HTTP2, .status = 200 };
	kit_emit(k, &head);
	kit_chunk(k, 1, 1, DIR_DOWN, &(struct ev_body_chunk){ .proto = PROTO_HTTP2, .data = body });
	kit_message_end(k, 1, 1, DIR_DOWN, &end);
	buf_take(&out, bytes_index(buf_bytes(&out), '\n') + 1);
	tracker_free(k->tracker);
}

static void a_body_of_text_is_shown_in_lines(void **state)
{
	struct kit k = kit_new((struct text_options){ .body = true });

	(void)state;
	play_body(&k, bytes_str("one\r\n\ttwo \x1b"), 11);
	/* ESC makes it no text. */
	assert_out("             000000  6f 6e 65 0d 0a 09 74 77  6f 20 1b                 "
		   "one...two .\n");
	k = kit_new((struct text_options){ .body = true });
	play_body(&k, bytes_str("one\r\n\ttwo \xe2\x80\xae\n\nend"), 17);
	assert_out("             | one\n"
		   "             |     two \\xe2\\x80\\xae\n"
		   "             | \n"
		   "             | end\n");
}

static void a_binary_body_is_dumped_and_its_rest_counted(void **state)
{
	uint8_t data[100];
	struct kit k = kit_new((struct text_options){ .body = true, .body_max = 20 });

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i + 0x70);
	play_body(&k, bytes_of(data, sizeof(data)), 100);
	assert_out("             000000  70 71 72 73 74 75 76 77  78 79 7a 7b 7c 7d 7e 7f  "
		   "pqrstuvwxyz{|}~.\n"
		   "             000010  80 81 82 83                                       ....\n"
		   "             … 80 more bytes\n");
	/* Cut in the midst of a character: still text. */
	k = kit_new((struct text_options){ .body = true, .body_max = 4 });
	play_body(&k, bytes_str("abc\xc3\xa4\xc3\xa4"), 7);
	assert_out("             | abc\n"
		   "             … 4 more bytes\n");
	k = kit_new((struct text_options){ .body = true, .mask = true });
	play_body(&k, bytes_str("secret"), 6);
	assert_out("             | (hidden)\n");
	k = kit_new((struct text_options){ .body = true, .mask = true, .mask_but_body = true });
	play_body(&k, bytes_str("shown"), 5);
	assert_out("             | shown\n");
}

static void messages_are_lines(void **state)
{
	static const struct flow_info f = { .flow = 1 };
	static const uint8_t gzip[] = { 0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
					0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x86,
					0xa6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00 };
	struct flow_message m = { .proto = PROTO_WEBSOCKET,
				  .dir = DIR_UP,
				  .opcode = 1,
				  .n = 12,
				  .data = bytes_str("hello \x1b[0m"),
				  .wall_ns = KIT_START };
	struct text_options o = { .body = true };

	(void)state;
	m.bytes = m.data.n = 5;
	assert_int_equal(text_message(&out, &o, &f, &m, NULL), 0);
	assert_out("12:34:56.123    12 > websocket text, 5 bytes: hello\n");
	m.dir = DIR_DOWN;
	m.opcode = 2;
	m.data = bytes_str("\x01");
	m.bytes = 3;
	assert_int_equal(text_message(&out, &o, &f, &m, NULL), 0);
	assert_out("12:34:56.123    12 < websocket binary, 3 bytes:\n"
		   "             000000  01                                                .\n"
		   "             … 2 more bytes\n");
	m = (struct flow_message){ .proto = PROTO_GRPC,
				   .n = 12,
				   .data = bytes_of(gzip, sizeof(gzip)),
				   .bytes = sizeof(gzip),
				   .compressed = true,
				   .coding = bytes_str("gzip"),
				   .wall_ns = KIT_START };
	assert_int_equal(text_message(&out, &o, &f, &m, NULL), 0);
	assert_out("12:34:56.123    12 > grpc, 25 bytes of gzip: hello\n");
	/* Only its beginning was kept. */
	m.data.n = 18;
	assert_int_equal(text_message(&out, &o, &f, &m, NULL), 0);
	assert_out("12:34:56.123    12 > grpc, 25 bytes of gzip:\n"
		   "             | hello\n"
		   "             … more\n");
	m.data = bytes_str("plain");
	m.bytes = 5;
	m.coding = bytes_str("snappy");
	assert_int_equal(text_message(&out, &o, &f, &m, NULL), 0);
	assert_out(
		"12:34:56.123    12 > grpc, 5 bytes of snappy (which cannot be undone): plain\n");
	m.dir = DIR_DOWN;
	m.coding = bytes_str("");
	o = (struct text_options){ .verbose = true };
	m.proto = PROTO_BYTES;
	m.n = 0;
	m.bytes = 1;
	assert_int_equal(text_message(&out, &o, &f, &m, NULL), 0);
	assert_out("12:34:56.123     - < bytes, 1 byte\n");
	o = (struct text_options){ 0 };
	assert_int_equal(text_message(&out, &o, &f, &m, NULL), 0);
	assert_out("");
}

static void numbers_fit_their_columns(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = { { 0, "0" },	   { 999, "999" },	   { 1000, "1.0k" },
		      { 99999, "99.9k" },  { 100000, "100k" },	   { 999999, "999k" },
		      { 1000000, "1.0M" }, { 1234567890, "1.2G" }, { UINT64_MAX, "18.4E" } };
	static const struct {
		int64_t ns;
		const char *text;
	} times[] = { { -1, "-" },
		      { 0, "0.0ms" },
		      { 9940000, "9.9ms" },
		      { 10000000, "10ms" },
		      { 999999999, "999ms" },
		      { 1000000000, "1.0s" },
		      { 59900000000, "59.9s" },
		      { 125000000000, "2m05s" },
		      { 3720000000000, "1h02m" },
		      { 360000000000000, "4d04h" } };
	char room[TEXT_NUMBER_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		assert_string_equal(text_size(sizes[i].bytes, room), sizes[i].text);
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		assert_string_equal(text_duration(times[i].ns, room), times[i].text);
	assert_string_equal(text_version(0x0304), "1.3");
	assert_string_equal(text_version(0x0300), "SSL 3.0");
	assert_string_equal(text_version(0), "-");
	assert_string_equal(text_version(0x1234), "?");
}

static void a_url_is_cut_between_characters_and_never_within_an_escape(void **state)
{
	static const char url[] = "a\xc3\xa4\\x1b\xc3\xa4zzz";
	static const char *const want[] = { "…", "a…", "aä…", "aä…", "aä…", "aä…", "aä\\x1b…" };

	(void)state;
	for (size_t width = 1; width <= ARRAY_LEN(want); width++) {
		struct text_options o = { 0 };
		struct text t = text_begin(&out, &o, NULL);

		put_str(&t.w, url);
		text_cut(&t, 0, width);
		assert_int_equal(put_end(&t.w), 0);
		assert_out(want[width - 1]);
	}
}

/* Nothing that a peer chose brings a control character to the terminal. */
static void no_control_character_gets_out(void **state)
{
	static const char evil[] = "\x1b]0;x\x07\r\n\xc2\x9b\xe2\x80\xae\xff";
	struct flow_header header = { bytes_str(evil), bytes_str(evil) };
	struct kit_request up = { PROTO_HTTP1, evil, evil, evil, &header, 1, evil };
	struct kit_response down = { PROTO_HTTP1, 200, &header, 1, evil };
	struct kit k = kit_new((struct text_options){ .verbose = true, .body = true });

	(void)state;
	kit_open(&k, 1, evil);
	tracker_set_process(k.tracker, 1, bytes_str(evil), 1);
	kit_bump(&k, 1, evil, evil);
	kit_verdict(&k, 1, CHAIN_OTHER, evil);
	kit_request(&k, 1, 1, &up);
	kit_response(&k, 1, 1, &down);
	kit_chunk(&k, 1, 0, DIR_UP,
		  &(struct ev_body_chunk){ .proto = PROTO_BYTES, .data = bytes_str(evil) });
	kit_end(&k, 1, &(struct ev_flow_end){ .failure = "dns", .reason = bytes_str(evil) });
	assert_true(out.n > 500);
	for (size_t i = 0; i < out.n; i++) {
		assert_true(out.p[i] >= 0x20 || out.p[i] == '\n');
		assert_true(out.p[i] != 0x7f && out.p[i] != 0xff && out.p[i] != 0x9b);
	}
	buf_clear(&out);
	tracker_free(k.tracker);
}

static void a_full_buffer_or_missing_memory_writes_no_part_of_a_line(void **state)
{
	static const struct flow_info f = { .flow = 1, .failed = true };
	static const struct exchange x = { .n = 1, .request.seen = true };
	const struct flow_message m = { .proto = PROTO_BYTES };
	struct text_options o = { .verbose = true, .width = 80 };
	struct err e;

	(void)state;
	for (size_t max = 0; max < 30; max++) {
		AUTO(buf_fini) struct buf small = buf_init(max);

		assert_int_equal(text_title(&small, &o, &e), -1);
		assert_int_equal(text_exchange(&small, &o, &f, &x, &e), -1);
		assert_int_equal(text_flow(&small, &o, &f, &e), -1);
		assert_int_equal(text_message(&small, &o, &f, &m, &e), -1);
		assert_int_equal(e.code, ERR_LIMIT);
		assert_int_equal(small.n, 0);
	}
	mem_fail_at(1);
	buf_fini(&out);
	assert_int_equal(text_exchange(&out, &o, &f, &x, &e), -1);
	mem_fail_at(0);
	assert_int_equal(e.code, ERR_NOMEM);
	assert_int_equal(out.n, 0);
}

static int finish(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_columns_stand_under_their_titles),
		cmocka_unit_test(the_time_is_local),
		cmocka_unit_test(what_is_too_long_moves_only_its_own_line),
		cmocka_unit_test(colours_follow_the_status),
		cmocka_unit_test(a_failure_is_one_line_with_side_reason_and_remedy),
		cmocka_unit_test(spliced_and_blocked_and_byte_flows_are_one_line),
		cmocka_unit_test(a_flow_whose_exchanges_say_everything_has_no_line),
		cmocka_unit_test(notes_tell_verdict_other_sni_and_what_was_cut),
		cmocka_unit_test(verbose_shows_legs_once_and_heads),
		cmocka_unit_test(a_body_of_text_is_shown_in_lines),
		cmocka_unit_test(a_binary_body_is_dumped_and_its_rest_counted),
		cmocka_unit_test(messages_are_lines),
		cmocka_unit_test(numbers_fit_their_columns),
		cmocka_unit_test(a_url_is_cut_between_characters_and_never_within_an_escape),
		cmocka_unit_test(no_control_character_gets_out),
		cmocka_unit_test(a_full_buffer_or_missing_memory_writes_no_part_of_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
