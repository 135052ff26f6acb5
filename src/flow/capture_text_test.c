#include "flow/capture_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "flow/testkit.h"

static struct buf out = { .max = 1 << 20 };
static struct text_options options;
static struct capture_group *group;
static bool why_only, hide_flows;

static void on_exchange(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	(void)ctx;
	if (why_only)
		return;
	if (group)
		assert_int_equal(capture_group_exchange(group, &out, f, x, NULL), 0);
	else
		assert_int_equal(capture_text_exchange(&out, &options, f, x, NULL), 0);
}

static void on_flow(void *ctx, const struct flow_info *f)
{
	(void)ctx;
	if (why_only)
		assert_int_equal(capture_text_why(&out, &options, f, NULL), 0);
	else if (group)
		assert_int_equal(capture_group_flow(group, &out, f, !hide_flows, NULL), 0);
	else
		assert_int_equal(capture_text_flow(&out, &options, f, NULL), 0);
}

static void on_message(void *ctx, const struct flow_info *f, const struct flow_message *m)
{
	(void)ctx;
	if (group)
		assert_int_equal(capture_group_message(group, &out, f, m, NULL), 0);
	else
		assert_int_equal(capture_text_message(&out, &options, f, m, NULL), 0);
}

static struct kit kit_new(struct text_options o)
{
	struct tracker_options t = { .max_body = TRACKER_BODY,
				     .messages = true,
				     .on_exchange = on_exchange,
				     .on_flow = on_flow,
				     .on_message = on_message };
	struct kit k = { 0 };

	options = o;
	why_only = hide_flows = false;
	group = NULL;
	buf_clear(&out);
	assert_int_equal(tracker_new(&t, &k.tracker, NULL), 0);
	return k;
}

static void assert_shows(struct kit *k, const char *want)
{
	if (!bytes_equal(buf_bytes(&out), bytes_str(want)))
		fail_msg("shown is\n%.*sinstead of\n%s", BYTES_FMT(buf_bytes(&out)), want);
	tracker_free(k->tracker);
	buf_fini(&out);
}

static void play_one(struct kit *k, uint64_t flow)
{
	kit_capture(k, flow);
	kit_tcp_open(k, flow);
	kit_hello(k, flow, "www.example.org");
	kit_wait(k, 3000);
	kit_agreed(k, flow, "h2");
	kit_get(k, flow, 1, "/a?b=c");
	kit_get(k, flow, 3, "/d");
}

static void exchanges_and_connections_have_aligned_lines(void **state)
{
	struct kit k = kit_new((struct text_options){ 0 });

	(void)state;
	assert_int_equal(capture_text_title(&out, &options, NULL), 0);
	play_one(&k, 12);
	kit_process(&k, 12, DIR_UP, 4711, "curl");
	kit_process(&k, 12, DIR_DOWN, 80, "nginx");
	kit_capture_end(&k, 12, END_CLEAN, false);
	kit_capture(&k, FLOW_UDP | 1);
	kit_capture_end(&k, FLOW_UDP | 1, END_CLEAN, true);
	assert_shows(
		&k,
		"time            flow client                  server                tls alpn       "
		" "
		"up  down   took state     server name, cipher, ...\n"
		"time        exchange method  sta  size   took url\n"
		"12:34:56.126    12.1 GET     200     6   12ms https://www.example.org/a?b=c\n"
		"12:34:56.138    12.2 GET     200     6   12ms https://www.example.org/d\n"
		"12:34:56.123      12 192.0.2.1:40100       → 198.51.100.34:443     1.3 h2         "
		"120 45.6k   27ms complete  www.example.org TLS_AES_128_GCM_SHA256 x25519 "
		"curl[4711] → nginx[80]\n"
		"12:34:56.150      u1 192.0.2.1:40100       → 198.51.100.34:443     -   -          "
		"120 45.6k  0.0ms open      bytes\n");
}

static void what_stays_dark_says_why(void **state)
{
	struct kit k = kit_new((struct text_options){ 0 });

	(void)state;
	kit_capture(&k, 3);
	kit_hello(&k, 3, "");
	kit_dark(&k, 3, DARK_NO_SECRET, "no secret for this \033 client random");
	kit_alert(&k, 3, LEG_CLIENT, 48);
	kit_capture_end(&k, 3, END_RESET, false);
	assert_shows(
		&k, "12:34:56.123       3 192.0.2.1:40100       → 198.51.100.34:443     -   -      "
		    "    120 45.6k  0.0ms reset     (no sni) [begun before the capture] alert: "
		    "unknown_ca  partly: no secret for this \\x1b client random\n");
}

static void why_lists_only_what_is_dark(void **state)
{
	struct kit k = kit_new((struct text_options){ 0 });

	(void)state;
	why_only = true;
	play_one(&k, 1);
	kit_capture(&k, 2);
	kit_hello(&k, 2, "www.example.org");
	kit_dark(&k, 2, DARK_GAP, "1400 bytes are missing");
	kit_dark(&k, 2, DARK_GAP, "more");
	kit_capture_end(&k, 2, END_CLEAN, false);
	kit_capture_end(&k, 1, END_CLEAN, false);
	assert_shows(&k, "      2 192.0.2.1:40100       → 198.51.100.34:443     www.example.org "
			 "partly: 1400 bytes are missing (and 1 more)\n");
}

static void verbose_has_heads_and_details(void **state)
{
	struct kit k = kit_new((struct text_options){ .verbose = true });

	(void)state;
	kit_capture(&k, 1);
	kit_tcp_open(&k, 1);
	kit_hello(&k, 1, "www.example.org");
	kit_wait(&k, 3000);
	kit_agreed(&k, 1, "h2");
	kit_get(&k, 1, 1, "/");
	kit_gap(&k, 1, DIR_UP, 99);
	kit_note(&k, 1, "the client sent other bytes again");
	kit_note(&k, 1, "b");
	kit_capture_end(&k, 1, END_CLEAN, false);
	assert_shows(
		&k,
		"12:34:56.126     1.1 GET     200     6   12ms https://www.example.org/\n"
		"             > GET / HTTP/2\n"
		"             > user-agent: curl/7.88.1\n"
		"             > accept: */*\n"
		"             < HTTP/2 200\n"
		"             < content-type: text/plain\n"
		"12:34:56.123       1 192.0.2.1:40100       → 198.51.100.34:443     1.3 h2         "
		"120 45.6k   15ms complete  www.example.org TLS_AES_128_GCM_SHA256 x25519\n"
		"             * packets 1 to 9, 9 of this flow, 99 bytes missing, handshake 3.0ms, "
		"ja4 "
		"t13d1516h2_8daaf6152771_b186095e22b6\n"
		"             * the client sent other bytes again (and 1 more)\n");
}

static void messages_have_the_name_of_their_exchange(void **state)
{
	struct kit k = kit_new((struct text_options){ .body = true });
	struct ev_body_chunk chunk = { .proto = PROTO_WEBSOCKET,
				       .data = bytes_str("hello"),
				       .ws_opcode = 1,
				       .message_end = true };

	(void)state;
	kit_capture(&k, 1);
	kit_request(&k, 1, 1,
		    &(struct kit_request){
			    .proto = PROTO_HTTP1, .method = "GET", .authority = "a", .path = "/" });
	kit_chunk(&k, 1, 1, DIR_DOWN, &chunk);
	chunk = (struct ev_body_chunk){ .proto = PROTO_BYTES, .data = bytes_str("plain") };
	kit_chunk(&k, 1, 0, DIR_UP, &chunk);
	assert_shows(&k, "12:34:56.123     1.1 < websocket text, 5 bytes: hello\n"
			 "12:34:56.123       1 > bytes, 5 bytes: plain\n");
}

static void plain_bytes_are_no_lines_without_body(void **state)
{
	struct kit k = kit_new((struct text_options){ .verbose = true });
	struct ev_body_chunk chunk = { .proto = PROTO_BYTES, .data = bytes_str("plain") };

	(void)state;
	kit_capture(&k, 1);
	kit_chunk(&k, 1, 0, DIR_UP, &chunk);
	assert_shows(&k, "");
}

static void a_message_of_grpc_is_shown_as_its_fields(void **state)
{
	struct kit k = kit_new((struct text_options){ .body = true });
	struct ev_body_chunk chunk = { .proto = PROTO_GRPC,
				       .data = bytes_of("\x0a\x03"
							"Ann\x10\x96\x01",
							8),
				       .message_end = true };

	(void)state;
	kit_capture(&k, 1);
	kit_request(&k, 1, 1,
		    &(struct kit_request){ .proto = PROTO_GRPC,
					   .method = "POST",
					   .authority = "a",
					   .path = "/S/M" });
	kit_chunk(&k, 1, 1, DIR_DOWN, &chunk);
	assert_shows(&k, "12:34:56.123     1.1 < grpc, 8 bytes:\n"
			 "             | 1: \"Ann\"\n"
			 "             | 2: 150\n");
}

static void grouped_lines_follow_their_connection(void **state)
{
	struct kit k = kit_new((struct text_options){ 0 });
	struct capture_group_options o = { .text = &options };

	(void)state;
	assert_int_equal(capture_group_new(&o, &group, NULL), 0);
	play_one(&k, 1);
	kit_capture(&k, 2);
	kit_get(&k, 2, 1, "/second");
	kit_capture_end(&k, 2, END_CLEAN, false);
	kit_get(&k, 1, 5, "/last");
	kit_capture_end(&k, 1, END_CLEAN, false);
	hide_flows = true;
	kit_capture(&k, 3);
	kit_capture_end(&k, 3, END_CLEAN, false);
	play_one(&k, 4);
	capture_group_free(group);
	group = NULL;
	assert_shows(
		&k,
		"12:34:56.150       2 192.0.2.1:40100       → 198.51.100.34:443     -   -          "
		"120 45.6k   12ms complete  http2 [begun before the capture]\n"
		"12:34:56.150     2.1 GET     200     6   12ms https://www.example.org/second\n"
		"12:34:56.123       1 192.0.2.1:40100       → 198.51.100.34:443     1.3 h2         "
		"120 45.6k   51ms complete  www.example.org TLS_AES_128_GCM_SHA256 x25519\n"
		"12:34:56.126     1.1 GET     200     6   12ms https://www.example.org/a?b=c\n"
		"12:34:56.138     1.2 GET     200     6   12ms https://www.example.org/d\n"
		"12:34:56.162     1.3 GET     200     6   12ms https://www.example.org/last\n");
}

static void a_group_that_grows_too_large_is_shown_in_pieces(void **state)
{
	struct kit k = kit_new((struct text_options){ 0 });
	struct capture_group_options o = { .text = &options, .max_flow = 100 };

	(void)state;
	assert_int_equal(capture_group_new(&o, &group, NULL), 0);
	play_one(&k, 1);
	assert_non_null(memmem(out.p, out.n, "open      www.example.org", 25));
	assert_non_null(memmem(out.p, out.n, "/d\n", 3));
	buf_clear(&out);
	kit_capture_end(&k, 1, END_CLEAN, false);
	assert_null(memmem(out.p, out.n, "/d\n", 3));
	assert_non_null(memmem(out.p, out.n, "complete", 8));
	capture_group_free(group);

	/* The same when all together are too many. */
	o = (struct capture_group_options){ .text = &options, .max_all = 1 };
	assert_int_equal(capture_group_new(&o, &group, NULL), 0);
	buf_clear(&out);
	play_one(&k, 2);
	assert_non_null(memmem(out.p, out.n, "     2.1 GET", 12));
	capture_group_free(group);
	group = NULL;
	tracker_free(k.tracker);
	buf_fini(&out);
}

static void colours_come_only_when_told(void **state)
{
	struct kit k = kit_new((struct text_options){ .colour = true });

	(void)state;
	play_one(&k, 1);
	kit_dark(&k, 1, DARK_GAP, "why");
	kit_capture_end(&k, 1, END_RESET, false);
	assert_non_null(memmem(out.p, out.n, "\033[31mreset", 10));
	assert_non_null(memmem(out.p, out.n, "\033[33mpartly: why\033[0m", 20));
	tracker_free(k.tracker);
	buf_fini(&out);
}

static void a_full_buffer_or_no_memory_writes_nothing(void **state)
{
	const struct flow_info f = { .flow = 1, .sni = bytes_str("a"), .capture.darks = 1 };
	const struct exchange x = { .flow = 1, .index = 1 };
	const struct flow_message m = { .proto = PROTO_BYTES };
	const struct text_options o = { .body = true, .verbose = true };
	struct capture_group_options go = { .text = &o };
	struct capture_group *g = NULL;
	struct buf small = buf_init(20);

	(void)state;
	assert_int_equal(capture_text_title(&small, &o, NULL), -1);
	assert_int_equal(capture_text_flow(&small, &o, &f, NULL), -1);
	assert_int_equal(capture_text_exchange(&small, &o, &f, &x, NULL), -1);
	assert_int_equal(capture_text_message(&small, &o, &f, &m, NULL), -1);
	assert_int_equal(capture_text_why(&small, &o, &f, NULL), -1);
	assert_int_equal(small.n, 0);
	for (size_t i = 1; i <= 2; i++) {
		mem_fail_at(i);
		assert_int_equal(capture_group_new(&go, &g, NULL), -1);
		mem_fail_at(0);
	}
	assert_int_equal(capture_group_new(&go, &g, NULL), 0);
	for (size_t i = 1; i <= 2; i++) {
		mem_fail_at(i);
		assert_int_equal(capture_group_exchange(g, &small, &f, &x, NULL), -1);
		mem_fail_at(0);
	}
	assert_int_equal(capture_group_exchange(g, &small, &f, &x, NULL), 0);
	assert_int_equal(capture_group_flow(g, &small, &f, false, NULL), -1);
	assert_int_equal(small.n, 0);
	capture_group_free(g);
	buf_fini(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exchanges_and_connections_have_aligned_lines),
		cmocka_unit_test(what_stays_dark_says_why),
		cmocka_unit_test(why_lists_only_what_is_dark),
		cmocka_unit_test(verbose_has_heads_and_details),
		cmocka_unit_test(messages_have_the_name_of_their_exchange),
		cmocka_unit_test(plain_bytes_are_no_lines_without_body),
		cmocka_unit_test(a_message_of_grpc_is_shown_as_its_fields),
		cmocka_unit_test(grouped_lines_follow_their_connection),
		cmocka_unit_test(a_group_that_grows_too_large_is_shown_in_pieces),
		cmocka_unit_test(colours_come_only_when_told),
		cmocka_unit_test(a_full_buffer_or_no_memory_writes_nothing),
	};

	return cmocka_run_group_tests_name("flow/capture_text", tests, NULL, NULL);
}
