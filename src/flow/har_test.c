#include "flow/har.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"
#include "flow/testkit.h"
#include "flow/testkit_json.h"

/* A file as it lies on the disk: what har_entry gives is written at its offset. */
struct rig {
	struct har har;
	struct buf file, out;
	struct kit kit;
};

static void assert_valid(const struct rig *r)
{
	char room[400];
	const char *wrong = har_fault(buf_bytes(&r->file), r->har.entries, room, sizeof(room));

	if (wrong)
		fail_msg("%s in %.*s", wrong, BYTES_FMT(buf_bytes(&r->file)));
}

static void on_exchange(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	struct rig *r = ctx;
	uint64_t at = r->har.at;
	struct buf rendered = buf_init(1 << 20), added = buf_init(1 << 20);
	struct har copy = r->har;

	assert_int_equal(har_entry(&r->har, &r->out, f, x, NULL), 0);
	/* The same in two steps. */
	assert_int_equal(har_render(&copy.options, &rendered, f, x, NULL), 0);
	assert_int_equal(har_add(&copy, &added, buf_bytes(&rendered), NULL), 0);
	assert_true(bytes_equal(buf_bytes(&added), buf_bytes(&r->out)));
	assert_int_equal(copy.at, r->har.at);
	assert_int_equal(copy.entries, r->har.entries);
	buf_fini(&rendered);
	buf_fini(&added);
	assert_true(r->out.n + at >= r->file.n);
	r->file.n = at;
	assert_int_equal(buf_add(&r->file, buf_bytes(&r->out), NULL), 0);
	buf_clear(&r->out);
	assert_valid(r);
}

static void rig_init(struct rig *r, struct har_options o)
{
	struct tracker_options t = { .max_body = TRACKER_BODY,
				     .on_exchange = on_exchange,
				     .ctx = r };

	*r = (struct rig){ .file = buf_init(1 << 20), .out = buf_init(1 << 20) };
	o.version = "0.1 \"test\"";
	assert_int_equal(har_begin(&r->har, &o, &r->file, NULL), 0);
	assert_int_equal(tracker_new(&t, &r->kit.tracker, NULL), 0);
	assert_valid(r);
}

static void rig_fini(struct rig *r)
{
	tracker_free(r->kit.tracker);
	buf_fini(&r->file);
	buf_fini(&r->out);
}

/* Entry i of the file; the root is the caller's. */
static json_t *entry(const struct rig *r, size_t i, json_t **root)
{
	*root = json_loadb((const char *)r->file.p, r->file.n, JSON_ALLOW_NUL, NULL);
	return json_array_get(json_object_get(json_object_get(*root, "log"), "entries"), i);
}

static const json_t *at(const json_t *value, const char *a, const char *b)
{
	value = json_object_get(value, a);
	return b ? json_object_get(value, b) : value;
}

static const char *text(const json_t *value, const char *a, const char *b)
{
	return json_string_value(at(value, a, b));
}

static void the_file_is_valid_after_every_entry(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, (struct har_options){ 0 });
	kit_open(&r.kit, 1, "www.example.org");
	kit_bump(&r.kit, 1, "www.example.org", "h2");
	for (uint64_t i = 1; i <= 20; i++)
		kit_get(&r.kit, 1, i, "/");
	assert_int_equal(r.har.entries, 20);
	rig_fini(&r);
}

static void a_captured_exchange_names_the_server_of_the_capture(void **state)
{
	struct rig r;
	json_t *root;
	const json_t *e;

	(void)state;
	rig_init(&r, (struct har_options){ 0 });
	kit_capture(&r.kit, 12);
	kit_hello(&r.kit, 12, "www.example.org");
	kit_wait(&r.kit, 3000);
	kit_agreed(&r.kit, 12, "h2");
	kit_get(&r.kit, 12, 1, "/");
	e = entry(&r, 0, &root);
	assert_string_equal(text(e, "serverIPAddress", NULL), "198.51.100.34");
	assert_string_equal(text(e, "connection", NULL), "12");
	assert_float_equal(json_number_value(at(e, "timings", "ssl")), 3, 1e-6);
	json_decref(root);
	rig_fini(&r);
}

static void rendering_fails_without_a_trace(void **state)
{
	static const struct flow_info f = { .flow = 1 };
	static const struct exchange x = { .n = 1 };
	struct buf small = buf_init(50);
	struct har h;
	struct rig r;

	(void)state;
	rig_init(&r, (struct har_options){ 0 });
	h = r.har;
	assert_int_equal(har_render(&h.options, &small, &f, &x, NULL), -1);
	assert_int_equal(small.n, 0);
	assert_int_equal(har_add(&h, &small, bytes_of(r.file.p, 51), NULL), -1);
	assert_int_equal(small.n, 0);
	assert_int_equal(h.at, r.har.at);
	buf_fini(&small);
	rig_fini(&r);
}

static void an_entry_that_could_not_be_written_leaves_no_trace(void **state)
{
	static const struct flow_info f = { .flow = 1 };
	static const struct exchange x = { .n = 1 };
	uint64_t at;
	struct rig r;

	(void)state;
	rig_init(&r, (struct har_options){ 0 });
	at = r.har.at;
	assert_int_equal(har_entry(&r.har, &r.out, &f, &x, NULL), 0);
	buf_clear(&r.out);
	r.har.at = at; /* the disk was full */
	r.har.entries = 0;
	on_exchange(&r, &f, &x);
	on_exchange(&r, &f, &x);
	rig_fini(&r);
}

static void timings_are_what_happened_and_add_up(void **state)
{
	struct rig r;
	json_t *root, *e;

	(void)state;
	rig_init(&r, (struct har_options){ 0 });
	kit_open(&r.kit, 1, "www.example.org");
	kit_bump(&r.kit, 1, "www.example.org", "h2");
	kit_get(&r.kit, 1, 1, "/");
	kit_get(&r.kit, 1, 3, "/");
	e = entry(&r, 0, &root);
	/* The handshake comes before the request: 3 ms earlier. */
	assert_string_equal(text(e, "startedDateTime", NULL), "2026-03-01T12:34:56.123Z");
	assert_float_equal(json_number_value(at(e, "time", NULL)), 15, 0.001);
	assert_float_equal(json_number_value(at(e, "timings", "connect")), 3, 0.001);
	assert_float_equal(json_number_value(at(e, "timings", "ssl")), 3, 0.001);
	assert_float_equal(json_number_value(at(e, "timings", "wait")), 12, 0.001);
	assert_float_equal(json_number_value(at(e, "timings", "dns")), -1, 0.001);
	assert_string_equal(text(e, "serverIPAddress", NULL), "198.51.100.34");
	assert_string_equal(text(e, "connection", NULL), "1");
	json_decref(root);
	e = entry(&r, 1, &root);
	assert_float_equal(json_number_value(at(e, "timings", "connect")), -1, 0.001);
	assert_float_equal(json_number_value(at(e, "time", NULL)), 12, 0.001);
	json_decref(root);
	rig_fini(&r);
}

static void requests_are_taken_apart(void **state)
{
	struct flow_header up[] = { { bytes_str("cookie"), bytes_str("a=1; b=x=y") },
				    { bytes_str("Cookie"), bytes_str("c") },
				    { bytes_str("content-type"),
				      bytes_str("application/x-www-form-urlencoded") } };
	struct flow_header down[] = {
		{ bytes_str("Set-Cookie"),
		  bytes_str("sid=31; Path=/; Domain=example.org; HttpOnly; Secure; Max-Age=1") },
		{ bytes_str("Location"), bytes_str("/next") },
		{ bytes_str("content-type"), bytes_str("image/png") }
	};
	struct kit_request request = { PROTO_HTTP1, "POST", "h",	   "/p?a=1&b&c=%20#f",
				       up,	    3,	    "user=me&pw=x" };
	struct kit_response response = { PROTO_HTTP1, 302, down, 3, "\x89PNG" };
	const json_t *list;
	struct rig r;
	json_t *root, *e;

	(void)state;
	rig_init(&r, (struct har_options){ 0 });
	kit_open(&r.kit, 1, "h");
	kit_request(&r.kit, 1, 1, &request);
	kit_response(&r.kit, 1, 1, &response);
	e = entry(&r, 0, &root);
	list = at(e, "request", "cookies");
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(text(json_array_get(list, 1), "name", NULL), "b");
	assert_string_equal(text(json_array_get(list, 1), "value", NULL), "x=y");
	list = at(e, "request", "queryString");
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(text(json_array_get(list, 2), "value", NULL), "%20");
	list = json_object_get(at(e, "request", "postData"), "params");
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text(json_array_get(list, 1), "name", NULL), "pw");
	assert_string_equal(text(at(e, "request", "postData"), "text", NULL), "user=me&pw=x");
	assert_string_equal(text(e, "request", "httpVersion"), "HTTP/1.1");
	/* "POST /p?a=1&b&c=%20#f HTTP/1.1", three headers, an empty line. */
	assert_int_equal(json_integer_value(at(e, "request", "headersSize")),
			 32 + 20 + 11 + 49 + 2);

	list = at(e, "response", "cookies");
	assert_int_equal(json_array_size(list), 1);
	list = json_array_get(list, 0);
	assert_string_equal(text(list, "path", NULL), "/");
	assert_string_equal(text(list, "domain", NULL), "example.org");
	assert_true(json_is_true(at(list, "httpOnly", NULL)));
	assert_true(json_is_true(at(list, "secure", NULL)));
	assert_string_equal(text(e, "response", "redirectURL"), "/next");
	list = at(e, "response", "content");
	assert_string_equal(text(list, "encoding", NULL), "base64");
	assert_string_equal(text(list, "text", NULL), "iVBORw==");
	assert_string_equal(text(list, "mimeType", NULL), "image/png");
	json_decref(root);
	rig_fini(&r);
}

static void compressed_bodies_are_decoded_and_their_gain_told(void **state)
{
	static const char gzip[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\x4c"
				   "\x24\x1f\x00\x00\x29\xbd\x98\x1f\x3c\x00\x00\x00";
	struct flow_header coding = { bytes_str("content-encoding"), bytes_str("gzip") };
	struct kit_request request = { PROTO_HTTP2, "GET", "h", "/", NULL, 0, NULL };
	struct event head;
	struct rig r;
	json_t *root, *e;

	(void)state;
	rig_init(&r, (struct har_options){ 0 });
	kit_open(&r.kit, 1, "h");
	kit_request(&r.kit, 1, 1, &request);
	head = kit_event(&r.kit, EV_MESSAGE_HEAD, 1);
	head.stream = 1;
	head.dir = DIR_DOWN;
	head.u.message_head = (struct ev_message_head){
		.proto = PROTO_HTTP2, .status = 200, .headers = &coding, .header_count = 1
	};
	kit_emit(&r.kit, &head);
	kit_chunk(&r.kit, 1, 1, DIR_DOWN,
		  &(struct ev_body_chunk){ .proto = PROTO_HTTP2,
					   .data = bytes_of(gzip, sizeof(gzip) - 1) });
	kit_message_end(&r.kit, 1, 1, DIR_DOWN,
			&(struct ev_message_end){ .body_bytes = sizeof(gzip) - 1,
						  .grpc_status = -1 });
	e = entry(&r, 0, &root);
	assert_int_equal(json_integer_value(at(at(e, "response", "content"), "size", NULL)), 60);
	assert_int_equal(json_integer_value(at(at(e, "response", "content"), "compression", NULL)),
			 60 - (int)(sizeof(gzip) - 1));
	assert_int_equal(strlen(text(at(e, "response", "content"), "text", NULL)), 60);
	assert_int_equal(json_integer_value(at(e, "response", "bodySize")), sizeof(gzip) - 1);
	assert_string_equal(text(e, "request", "httpVersion"), "HTTP/2");
	json_decref(root);
	rig_fini(&r);
}

static void an_exchange_without_an_answer_is_an_entry(void **state)
{
	struct kit_request request = { PROTO_HTTP1, "GET", "h", "/", NULL, 0, NULL };
	struct rig r;
	json_t *root, *e;

	(void)state;
	rig_init(&r, (struct har_options){ 0 });
	kit_open(&r.kit, 1, "h");
	kit_request(&r.kit, 1, 1, &request);
	kit_wait(&r.kit, 5000);
	kit_end(&r.kit, 1, &(struct ev_flow_end){ 0 });
	e = entry(&r, 0, &root);
	assert_int_equal(json_integer_value(at(e, "response", "status")), 0);
	assert_float_equal(json_number_value(at(e, "timings", "wait")), 5, 0.001);
	assert_non_null(text(e, "comment", NULL));
	json_decref(root);
	rig_fini(&r);
}

static void a_masked_file_holds_no_secret(void **state)
{
	struct flow_header headers[] = { { bytes_str("cookie"), bytes_str("a=SECRET; SECRET") },
					 { bytes_str("set-cookie"), bytes_str("a=SECRET") },
					 { bytes_str("location"), bytes_str("/?SECRET") },
					 { bytes_str("authorization"), bytes_str("SECRET") },
					 { bytes_str("content-type"),
					   bytes_str("application/x-www-form-urlencoded") } };
	struct kit_request request = { PROTO_HTTP1, "POST", "h",       "/?q=SECRET&SECRET",
				       headers,	    5,	    "a=SECRET" };
	struct kit_response response = { PROTO_HTTP1, 200, headers, 5, "SECRET" };
	struct rig r;

	(void)state;
	rig_init(&r, (struct har_options){ .mask = true });
	kit_open(&r.kit, 1, "h");
	kit_request(&r.kit, 1, 1, &request);
	kit_response(&r.kit, 1, 1, &response);
	assert_int_equal(buf_add(&r.file, bytes_of("", 1), NULL), 0);
	assert_null(strstr((const char *)r.file.p, "SECRET"));
	rig_fini(&r);
}

static void a_failure_leaves_file_and_state_as_they_were(void **state)
{
	static const struct flow_info f = { .flow = 1 };
	static const struct exchange x = { .n = 1 };
	AUTO(buf_fini) struct buf small = buf_init(300), large = buf_init(100000);
	struct har_options o = { .version = "1" };
	struct har har = { 0 };
	struct err e;
	uint64_t before;

	(void)state;
	for (size_t max = 0; max < 20; max++) {
		AUTO(buf_fini) struct buf tiny = buf_init(max);

		assert_int_equal(har_begin(&har, &o, &tiny, &e), -1);
		assert_int_equal(har.at, 0);
	}
	assert_int_equal(har_begin(&har, &o, &small, NULL), 0);
	buf_clear(&small);
	before = har.at;
	assert_int_equal(har_entry(&har, &small, &f, &x, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	mem_fail_at(1);
	assert_int_equal(har_entry(&har, &large, &f, &x, &e), -1);
	mem_fail_at(0);
	assert_int_equal(e.code, ERR_NOMEM);
	assert_int_equal(har.at, before);
	assert_int_equal(har.entries, 0);
	assert_int_equal(small.n + large.n, 0);
	assert_int_equal(har_entry(&har, &large, &f, &x, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_is_valid_after_every_entry),
		cmocka_unit_test(an_entry_that_could_not_be_written_leaves_no_trace),
		cmocka_unit_test(timings_are_what_happened_and_add_up),
		cmocka_unit_test(requests_are_taken_apart),
		cmocka_unit_test(compressed_bodies_are_decoded_and_their_gain_told),
		cmocka_unit_test(an_exchange_without_an_answer_is_an_entry),
		cmocka_unit_test(a_masked_file_holds_no_secret),
		cmocka_unit_test(a_failure_leaves_file_and_state_as_they_were),
		cmocka_unit_test(a_captured_exchange_names_the_server_of_the_capture),
		cmocka_unit_test(rendering_fails_without_a_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
