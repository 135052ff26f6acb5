#include "flow/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "flow/diagnose.h"
#include "flow/testkit.h"
#include "flow/testkit_json.h"

static json_t *schema;
static struct buf out = { .max = 1 << 20 };
static struct json_options options;

static void on_exchange(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	(void)ctx;
	assert_int_equal(exchange_json(&out, &options, f, x, NULL), 0);
}

static void on_flow(void *ctx, const struct flow_info *f)
{
	(void)ctx;
	assert_int_equal(flow_json(&out, &options, f, NULL), 0);
}

static void on_message(void *ctx, const struct flow_info *f, const struct flow_message *m)
{
	(void)ctx;
	assert_int_equal(message_json(&out, &options, f, m, NULL), 0);
}

static struct kit kit_new(struct json_options o)
{
	struct tracker_options t = { .max_body = TRACKER_BODY,
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

/* The first line, checked against the schema; the caller's. */
static json_t *take_line(void)
{
	size_t n = bytes_index(buf_bytes(&out), '\n');
	json_error_t error;
	json_t *line;
	const json_t *defs = json_object_get(schema, "$defs");
	char room[400];
	const char *wrong;

	assert_true(n < out.n);
	line = json_loadb((const char *)out.p, n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
	if (!line)
		fail_msg("%s in %.*s", error.text, (int)n, (const char *)out.p);
	wrong = schema_fault(schema,
			     json_object_get(defs,
					     json_string_value(json_object_get(line, "type"))),
			     line, room, sizeof(room));
	if (wrong)
		fail_msg("%s in %.*s", wrong, (int)n, (const char *)out.p);
	buf_take(&out, n + 1);
	return line;
}

/* The text of a member "a.b.c", or NULL. */
static const char *text_at(const json_t *line, const char *path)
{
	while (line && *path) {
		char key[50];
		size_t n = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		line = json_object_get(line, key);
		path += n + (path[n] == '.');
	}
	return json_string_value(line);
}

static void an_exchange_is_the_line_that_was_promised(void **state)
{
	static const char want[] =
		"{\"v\":1,\"type\":\"exchange\",\"time\":\"2026-03-01T12:34:56.126Z\",\"flow\":1,"
		"\"stream\":3,\"n\":1,\"way\":\"connect\",\"client\":{\"addr\":\"127.0.0.1:40100\","
		"\"process\":\"curl\",\"pid\":4711},\"target\":\"www.example.org:443\",\"tls\":{"
		"\"sni\":\"www.example.org\",\"ja4\":\"t13d1516h2_8daaf6152771_b186095e22b6\","
		"\"client\":{\"version\":\"TLS 1.3\",\"cipher\":\"TLS_AES_128_GCM_SHA256\","
		"\"group\":\"x25519\",\"alpn\":\"h2\",\"resumed\":false,"
		"\"issuer\":\"CN=oriel bump CA test 2026-03-01\",\"local\":\"127.0.0.1:8080\","
		"\"remote\":\"127.0.0.1:40100\",\"handshake_ms\":3.000},"
		"\"server\":{\"version\":\"TLS 1.3\",\"cipher\":\"TLS_AES_128_GCM_SHA256\","
		"\"group\":\"x25519\",\"alpn\":\"h2\",\"resumed\":false,"
		"\"issuer\":\"CN=R11, O=Let's Encrypt, C=US\",\"local\":\"192.0.2.10:50100\","
		"\"remote\":\"198.51.100.34:443\",\"handshake_ms\":3.000,\"verdict\":\"ok\"}},"
		"\"http\":{\"proto\":\"http2\",\"version\":\"2\",\"method\":\"GET\","
		"\"url\":\"https://www.example.org/a?b=c\",\"status\":200},"
		"\"request\":{\"bytes\":0},\"response\":{\"bytes\":6,\"type\":\"text/plain\"},"
		"\"first_byte_ms\":12.000,\"duration_ms\":12.000}\n";
	struct kit k = kit_new((struct json_options){ 0 });

	(void)state;
	kit_open(&k, 1, "www.example.org");
	tracker_set_process(k.tracker, 1, bytes_str("curl"), 4711);
	kit_bump(&k, 1, "www.example.org", "h2");
	kit_get(&k, 1, 3, "/a?b=c");
	if (!bytes_equal(buf_bytes(&out), bytes_str(want)))
		fail_msg("%.*s\ninstead of\n%s", BYTES_FMT(buf_bytes(&out)), want);
	json_decref(take_line());
	assert_int_equal(out.n, 0);
	tracker_free(k.tracker);
}

static void a_failed_connection_tells_word_side_and_reason(void **state)
{
	struct kit k = kit_new((struct json_options){ 0 });
	json_t *line;

	(void)state;
	kit_open(&k, 1, "api.bank.example");
	kit_hello(&k, 1, "api.bank.example");
	kit_alert(&k, 1, LEG_CLIENT, 48);
	kit_end(&k, 1,
		&(struct ev_flow_end){ .action = ACTION_BUMP,
				       .failed = true,
				       .failure = "client-rejects-certificate",
				       .side = LEG_CLIENT });
	line = take_line();
	assert_string_equal(text_at(line, "type"), "connection");
	assert_string_equal(text_at(line, "failure"), "client-rejects-certificate");
	assert_string_equal(text_at(line, "side"), "client");
	assert_string_equal(text_at(line, "tls.client.alert.name"), "unknown_ca");
	assert_non_null(strstr(text_at(line, "reason"), "oriel trust install"));
	json_decref(line);
	tracker_free(k.tracker);
}

static void a_word_that_is_not_in_the_table_never_gets_out(void **state)
{
	struct kit k = kit_new((struct json_options){ 0 });
	json_t *line;

	(void)state;
	kit_open(&k, 1, "h");
	kit_end(&k, 1, &(struct ev_flow_end){ .failed = true, .failure = "\"surprise" });
	line = take_line();
	assert_string_equal(text_at(line, "failure"), "internal");
	json_decref(line);
	tracker_free(k.tracker);
}

static void the_schema_lists_every_failure(void **state)
{
	const json_t *list =
		json_object_get(json_object_get(json_object_get(schema, "$defs"), "failure"),
				"enum");

	(void)state;
	assert_int_equal(json_array_size(list), FAILURE_COUNT - 1);
	for (size_t i = 1; i < FAILURE_COUNT; i++) {
		bool found = false;

		for (size_t k = 0; k < json_array_size(list); k++)
			found |= strcmp(json_string_value(json_array_get(list, k)),
					failure_word((enum failure)i)) == 0;
		if (!found)
			fail_msg("%s is not in the schema", failure_word((enum failure)i));
	}
}

/* Every optional member at once, and every enum's members. */
static void all_that_can_be_said_fits_the_schema(void **state)
{
	struct kit k = kit_new((struct json_options){ .headers = true, .body = true });
	struct flow_header header = { bytes_str("Set-Cookie"), bytes_str("a=b") };
	struct event ev;

	(void)state;
	for (unsigned i = 0; i <= CHAIN_OTHER; i++) {
		uint64_t flow = i + 1;
		enum flow_proto proto = (enum flow_proto)(PROTO_HTTP1 + i % 4);
		struct kit_request up = { proto, "POST", "h", "/", &header, 1, "body" };
		struct kit_response down = { proto, 200, &header, 1, "\x01\x02" };
		struct ev_message_end end = { .trailers = &header,
					      .trailer_count = 1,
					      .truncated = true,
					      .grpc_status = (int)i };
		struct ev_body_chunk chunk = { .proto = i % 2 ? PROTO_BYTES : PROTO_WEBSOCKET,
					       .data = bytes_str("x"),
					       .ws_opcode = i,
					       .message_end = true };

		ev = kit_event(&k, EV_FLOW_OPEN, flow);
		ev.u.flow_open.way = (enum flow_way)(i % (WAY_CAPTURE + 1));
		ev.u.flow_open.target_host = bytes_str(i % 2 ? "2001:db8::1" : "h");
		kit_emit(&k, &ev);
		kit_bump(&k, flow, i % 3 ? "" : "sni", "http/1.1");
		kit_verdict(&k, flow, (enum chain_verdict)i, "because \"it\" is");
		kit_request(&k, flow, 1, &up);
		kit_chunk(&k, flow, 1, DIR_UP, &chunk);
		kit_response(&k, flow, 1, &down);
		if (proto == PROTO_WEBSOCKET)
			kit_message_end(&k, flow, 1, DIR_UP, &end);
		kit_request(&k, flow, 2, &up);
		kit_message_end(&k, flow, 2, DIR_DOWN, &end);
		kit_request(&k, flow, 3, &up);
		for (unsigned leg = 0; leg < 2; leg++) {
			ev = kit_event(&k, EV_LEG_END, flow);
			ev.leg = (enum flow_leg)leg;
			ev.u.leg_end.how = (enum leg_end)(i % (END_LOCAL + 1));
			ev.u.leg_end.reason = bytes_str("reason");
			kit_emit(&k, &ev);
			kit_alert(&k, flow, (enum flow_leg)leg, (uint8_t)(i * 17 + 1));
		}
		ev = kit_event(&k, EV_GAP, flow);
		ev.u.gap.bytes = i;
		kit_emit(&k, &ev);
		ev = kit_event(&k, EV_DARK, flow);
		ev.u.dark.reason = bytes_str("dark");
		kit_emit(&k, &ev);
		kit_end(&k, flow,
			&(struct ev_flow_end){ .action = (enum flow_action)(i % (ACTION_PLAIN + 1)),
					       .failure = failure_word((enum failure)i),
					       .side = LEG_SERVER });
	}
	while (out.n)
		json_decref(take_line());
	tracker_free(k.tracker);
}

static void text_from_the_network_is_escaped(void **state)
{
	struct flow_header bad = { bytes_str("na\"me"), bytes_str("v\x1b[0m\xff\xe2\x80\xae") };
	struct kit_request up = { PROTO_HTTP1, "G\"ET", "h\\", "/\n", &bad, 1, "\"quoted\"" };
	struct kit_response down = { .proto = PROTO_HTTP1, .status = 200 };
	struct kit k = kit_new((struct json_options){ .headers = true, .body = true });
	json_t *line;

	(void)state;
	kit_open(&k, 1, "t\"arget");
	tracker_set_process(k.tracker, 1, bytes_str("pro\"cess\x07"), 1);
	kit_hello(&k, 1, "s\"ni\x01");
	kit_request(&k, 1, 1, &up);
	kit_response(&k, 1, 1, &down);
	line = take_line();
	assert_string_equal(text_at(line, "http.method"), "G\"ET");
	assert_string_equal(text_at(line, "http.url"), "https://h\\/\n");
	assert_string_equal(text_at(line, "client.process"), "pro\"cess\x07");
	assert_string_equal(text_at(line, "tls.sni"), "s\"ni\x01");
	assert_string_equal(text_at(line, "request.body.text"), "\"quoted\"");
	json_decref(line);
	tracker_free(k.tracker);
}

static void a_masked_line_has_no_values_and_no_bodies(void **state)
{
	struct flow_header headers[] = { { bytes_str("cookie"), bytes_str("a=SECRET") },
					 { bytes_str("authorization"),
					   bytes_str("Bearer SECRET") } };
	struct kit_request up = { PROTO_HTTP1, "POST", "u:SECRET@h", "/?q=SECRET",
				  headers,     2,      "SECRET" };
	struct kit_response down = { .proto = PROTO_HTTP1, .status = 200, .body = "SECRET" };
	struct ev_body_chunk chunk = { .proto = PROTO_BYTES, .data = bytes_str("SECRET") };
	struct kit k =
		kit_new((struct json_options){ .headers = true, .body = true, .mask = true });
	json_t *line;

	(void)state;
	kit_open(&k, 1, "h");
	kit_chunk(&k, 1, 0, DIR_UP, &chunk);
	kit_request(&k, 1, 1, &up);
	kit_response(&k, 1, 1, &down);
	assert_int_equal(buf_add(&out, bytes_of("", 1), NULL), 0);
	assert_null(strstr((const char *)out.p, "SECRET"));
	out.n--;
	json_decref(take_line());
	line = take_line();
	assert_string_equal(text_at(line, "http.url"), "https://***@h/?q=***");
	json_decref(line);
	tracker_free(k.tracker);
}

static void bodies_that_were_asked_for_by_name_are_not_masked(void **state)
{
	struct kit_request up = { PROTO_HTTP1, "POST", "h", "/?q=SECRET", NULL, 0, "body" };
	struct kit_response down = { .proto = PROTO_HTTP1, .status = 200 };
	struct kit k =
		kit_new((struct json_options){ .body = true, .mask = true, .mask_but_body = true });
	json_t *line;

	(void)state;
	kit_open(&k, 1, "h");
	kit_request(&k, 1, 1, &up);
	kit_response(&k, 1, 1, &down);
	line = take_line();
	assert_string_equal(text_at(line, "http.url"), "https://h/?q=***");
	assert_string_equal(text_at(line, "request.body.text"), "body");
	json_decref(line);
	tracker_free(k.tracker);
}

static void bodies_are_text_or_base64_and_decoded(void **state)
{
	static const uint8_t gzip[] = { 0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
					0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x86,
					0xa6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00 };
	struct flow_header coding = { bytes_str("content-encoding"), bytes_str("gzip") };
	struct kit_request up = { PROTO_HTTP2, "POST", "h", "/", NULL, 0, "\xff\xfe" };
	struct kit_response down = {
		.proto = PROTO_HTTP2, .status = 200, .headers = &coding, .header_count = 1
	};
	struct kit k = kit_new((struct json_options){ .body = true });
	struct event head;
	json_t *line;

	(void)state;
	kit_open(&k, 1, "h");
	kit_request(&k, 1, 1, &up);
	head = kit_event(&k, EV_MESSAGE_HEAD, 1);
	head.stream = 1;
	head.dir = DIR_DOWN;
	head.u.message_head = (struct ev_message_head){
		.proto = PROTO_HTTP2, .status = 200, .headers = &coding, .header_count = 1
	};
	kit_emit(&k, &head);
	kit_chunk(&k, 1, 1, DIR_DOWN,
		  &(struct ev_body_chunk){ .proto = PROTO_HTTP2,
					   .data = bytes_of(gzip, sizeof(gzip)) });
	kit_message_end(&k, 1, 1, DIR_DOWN,
			&(struct ev_message_end){ .body_bytes = sizeof(gzip), .grpc_status = -1 });
	line = take_line();
	assert_string_equal(text_at(line, "request.body.base64"), "//4=");
	assert_string_equal(text_at(line, "response.body.text"), "hello");
	json_decref(line);

	/* Not in the coding that it claims. */
	up.body = NULL;
	down.body = "plain";
	kit_request(&k, 1, 3, &up);
	kit_response(&k, 1, 3, &down);
	line = take_line();
	assert_string_equal(text_at(line, "response.body.text"), "plain");
	assert_true(json_is_true(
		json_object_get(json_object_get(json_object_get(line, "response"), "body"),
				"coded")));
	json_decref(line);
	tracker_free(k.tracker);
}

static void a_full_buffer_or_missing_memory_writes_no_part_of_a_line(void **state)
{
	static const struct flow_info f = { .flow = 1 };
	static const struct exchange x = { .n = 1, .flow = 1, .request.seen = true };
	const struct flow_message m = { .proto = PROTO_BYTES };
	struct json_options o = { .headers = true };
	struct err e;

	(void)state;
	for (size_t max = 0; max < 60; max++) {
		AUTO(buf_fini) struct buf small = buf_init(max);

		assert_int_equal(exchange_json(&small, &o, &f, &x, &e), -1);
		assert_int_equal(e.code, ERR_LIMIT);
		assert_int_equal(flow_json(&small, &o, &f, &e), -1);
		assert_int_equal(message_json(&small, &o, &f, &m, &e), -1);
		assert_int_equal(small.n, 0);
	}
	for (size_t i = 1; i <= 1; i++) {
		AUTO(buf_fini) struct buf large = buf_init(10000);

		mem_fail_at(i);
		assert_int_equal(exchange_json(&large, &o, &f, &x, &e), -1);
		mem_fail_at(0);
		assert_int_equal(e.code, ERR_NOMEM);
		assert_int_equal(large.n, 0);
	}
}

static int finish(void **state)
{
	(void)state;
	buf_fini(&out);
	json_decref(schema);
	return 0;
}

static void a_captured_connection_says_whether_it_was_decrypted(void **state)
{
	struct kit k = kit_new((struct json_options){ 0 });
	json_t *line;

	(void)state;
	kit_capture(&k, 12);
	kit_tcp_open(&k, 12);
	kit_hello(&k, 12, "www.example.org");
	kit_agreed(&k, 12, "h2");
	kit_process(&k, 12, DIR_UP, 4711, "curl");
	kit_process(&k, 12, DIR_DOWN, 80, "nginx");
	kit_note(&k, 12, "odd");
	kit_capture_end(&k, 12, END_CLEAN, false);
	line = take_line();
	assert_int_equal(json_integer_value(json_object_get(line, "flow")), 12);
	assert_null(json_object_get(line, "action"));
	assert_string_equal(text_at(line, "server.addr"), "198.51.100.34:443");
	assert_string_equal(text_at(line, "server.process"), "nginx");
	assert_string_equal(text_at(line, "client.process"), "curl");
	assert_string_equal(text_at(line, "state"), "complete");
	assert_string_equal(text_at(line, "note"), "odd");
	assert_true(json_is_true(json_object_get(line, "encrypted")));
	assert_true(json_is_true(json_object_get(line, "decrypted")));
	assert_int_equal(json_integer_value(json_object_get(line, "packets")), 9);
	assert_int_equal(json_integer_value(json_object_get(line, "first_packet")), 1);
	assert_null(json_object_get(line, "late"));
	json_decref(line);
	tracker_free(k.tracker);
}

static void a_captured_connection_that_stays_dark_says_why(void **state)
{
	struct kit k = kit_new((struct json_options){ 0 });
	json_t *line;

	(void)state;
	kit_capture(&k, FLOW_UDP | 7);
	kit_dark(&k, FLOW_UDP | 7, DARK_QUIC, "QUIC is not decrypted yet");
	kit_capture_end(&k, FLOW_UDP | 7, END_CLEAN, true);
	line = take_line();
	assert_string_equal(text_at(line, "flow"), "u7");
	assert_string_equal(text_at(line, "state"), "open");
	assert_string_equal(text_at(line, "decrypted.why"), "quic");
	assert_string_equal(text_at(line, "decrypted.reason"), "QUIC is not decrypted yet");
	assert_null(json_object_get(line, "dark"));
	json_decref(line);
	tracker_free(k.tracker);
}

static void exchanges_and_messages_of_captures_have_an_id(void **state)
{
	struct kit k = kit_new((struct json_options){ 0 });
	struct ev_body_chunk chunk = { .proto = PROTO_GRPC,
				       .data = bytes_str("hello"),
				       .message_end = true };
	json_t *line;

	(void)state;
	kit_capture(&k, 12);
	kit_get(&k, 12, 1, "/a");
	kit_request(&k, 12, 3,
		    &(struct kit_request){ .proto = PROTO_GRPC,
					   .method = "POST",
					   .authority = "a",
					   .path = "/S/M" });
	kit_chunk(&k, 12, 3, DIR_UP, &chunk);
	line = take_line();
	assert_string_equal(text_at(line, "id"), "12.1");
	assert_null(json_object_get(line, "n"));
	assert_int_equal(json_integer_value(json_object_get(line, "packet")), 1);
	json_decref(line);
	line = take_line();
	assert_string_equal(text_at(line, "type"), "message");
	assert_string_equal(text_at(line, "id"), "12.2");
	assert_null(json_object_get(line, "n"));
	json_decref(line);
	tracker_free(k.tracker);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exchange_is_the_line_that_was_promised),
		cmocka_unit_test(a_failed_connection_tells_word_side_and_reason),
		cmocka_unit_test(a_word_that_is_not_in_the_table_never_gets_out),
		cmocka_unit_test(the_schema_lists_every_failure),
		cmocka_unit_test(all_that_can_be_said_fits_the_schema),
		cmocka_unit_test(text_from_the_network_is_escaped),
		cmocka_unit_test(a_masked_line_has_no_values_and_no_bodies),
		cmocka_unit_test(bodies_that_were_asked_for_by_name_are_not_masked),
		cmocka_unit_test(bodies_are_text_or_base64_and_decoded),
		cmocka_unit_test(a_full_buffer_or_missing_memory_writes_no_part_of_a_line),
		cmocka_unit_test(a_captured_connection_says_whether_it_was_decrypted),
		cmocka_unit_test(a_captured_connection_that_stays_dark_says_why),
		cmocka_unit_test(exchanges_and_messages_of_captures_have_an_id),
	};

	schema = argc == 2 ? json_load_file(argv[1], 0, NULL) : NULL;
	if (!schema) {
		fprintf(stderr, "usage: %s events.schema.json\n", argv[0]);
		return 2;
	}
	return cmocka_run_group_tests(tests, NULL, finish);
}
