#include "flow/expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "flow/expr_field.h"
#include "flow/testkit.h"

static const struct flow_header request_headers[] = {
	{ { (const uint8_t *)"User-Agent", 10 }, { (const uint8_t *)"curl/7.88.1", 11 } },
	{ { (const uint8_t *)"X-Trace", 7 }, { (const uint8_t *)"a", 1 } },
	{ { (const uint8_t *)"X-Trace", 7 }, { (const uint8_t *)"b", 1 } },
};
static const struct flow_header trailers[] = {
	{ { (const uint8_t *)"grpc-status", 11 }, { (const uint8_t *)"5", 1 } },
};

static struct flow_info flow_made(void)
{
	struct flow_info f = {
		.flow = 12,
		.way = WAY_CAPTURE,
		.proto = PROTO_HTTP2,
		.process = bytes_str("curl"),
		.pid = 4711,
		.sni = bytes_str("www.example.org"),
		.hello_seen = true,
		.offered_version = 0x0304,
		.gap_bytes = 1400,
		.ended = true,
		.exchanges = 2,
		.bytes_up = 120,
		.bytes_down = 45678,
		.start_wall_ns = KIT_START,
		.duration_ns = 1600000000,
	};

	assert_int_equal(addr_parse(bytes_str("10.1.2.3:40100"), &f.client, NULL), 0);
	assert_int_equal(addr_parse(bytes_str("[2001:db8::1]:443"), &f.local, NULL), 0);
	f.leg[0] = (struct leg_info){
		.version = 0x0304,
		.cipher = 0x1301,
		.group = 29,
		.alpn = bytes_str("h2"),
		.ended = true,
		.alert_seen = true,
		.alert = 48,
		.handshake_ns = 3000000,
	};
	f.capture = (struct capture_info){ .encrypted = true,
					   .packets = 20,
					   .inner_sni = bytes_str("inner.example"),
					   .handshake_types = 1 << 1 | 1 << 2 | 1 << 20,
					   .server_pid = 80,
					   .server_process = bytes_str("nginx") };
	return f;
}

static struct exchange exchange_made(void)
{
	return (struct exchange){
		.n = 7,
		.flow = 12,
		.stream = 3,
		.index = 2,
		.proto = PROTO_HTTP2,
		.method = bytes_str("POST"),
		.scheme = bytes_str("https"),
		.authority = bytes_str("www.example.org:8443"),
		.path = bytes_str("/v1/items?id=5"),
		.status = 503,
		.version_major = 2,
		.grpc_status = 5,
		.wall_ns = KIT_START,
		.response_ns = 12000000,
		.end_ns = 20000000,
		.request = { .seen = true,
			     .ended = true,
			     .headers = request_headers,
			     .header_count = ARRAY_LEN(request_headers),
			     .body = bytes_str("user=Ann"),
			     .body_bytes = 8 },
		.response = { .seen = true,
			      .ended = true,
			      .truncated = true,
			      .trailers = trailers,
			      .trailer_count = 1,
			      .body_bytes = 2000 },
	};
}

enum about { FLOW, EXCHANGE, MESSAGE };

static bool ask(const char *text, enum about about)
{
	const struct flow_info f = flow_made();
	const struct exchange x = exchange_made();
	const struct flow_message m = { .proto = PROTO_WEBSOCKET,
					.dir = DIR_DOWN,
					.opcode = 1,
					.data = bytes_str("hello"),
					.bytes = 5,
					.index = 2,
					.wall_ns = KIT_START };
	struct expr *e = NULL;
	struct err err;
	bool truth;

	if (expr_new(bytes_str(text), &e, NULL, &err) < 0)
		fail_msg("%s: %s", text, err.sentence);
	/* Asking allocates nothing. */
	mem_fail_at(1);
	truth = expr_matches(e, &f, about == EXCHANGE ? &x : NULL, about == MESSAGE ? &m : NULL);
	mem_fail_at(0);
	expr_free(e);
	return truth;
}

static void check(const char *const *list, size_t count, enum about about, bool truth)
{
	for (size_t i = 0; i < count; i++)
		if (ask(list[i], about) != truth)
			fail_msg("%s is not %s", list[i], truth ? "true" : "false");
}

static const char *const true_of_flow[] = {
	"flow == 12",
	"tcp.stream == 12",
	"flow != u12",
	"tcp",
	"not udp",
	"tls",
	"tls.sni == \"www.example.org\"",
	"tls.sni == WWW.example.org",
	"tls.handshake.extensions_server_name contains 'example'",
	"tls.sni == inner.example",
	"tls.sni matches '\\.org$'",
	"tls.sni ~ \"^INNER\\.\"",
	"tls.version == 1.3",
	"tls.version == \"TLS 1.3\"",
	"tls.version eq TLSv1.3",
	"tls.version == 0x0304",
	"tls.version == 772",
	"tls.version > 1.2 and tls.version >= 1.3 and tls.version <= 1.3",
	"tls.version in {1.2, 1.3}",
	"tls.version in {1.0..1.3}",
	"tls.cipher == TLS_AES_128_GCM_SHA256",
	"tls.handshake.ciphersuite == 0x1301",
	"tls.cipher contains gcm",
	"tls.cipher matches 'sha(256|384)'",
	"tls.group == x25519",
	"tls.alpn == h2",
	"tls.alert == unknown_ca",
	"tls.alert == 48",
	"tls.handshake.type == 1",
	"tls.handshake.type == finished",
	"tls.handshake.type in {11 2}",
	"not tls.handshake.type == 11",
	"tls.handshake_ms == 3",
	"tls.handshake_ms < 4ms",
	"ip == 10.1.2.3",
	"ip.addr == 10.0.0.0/8",
	"ip == 2001:db8::/32",
	"ip.src == 10.1.2.3",
	"ip.dst == 2001:db8::1",
	"ip in {192.0.2.1, 10.0.0.0/8}",
	"ip != 192.0.2.1",
	"port == 443",
	"tcp.port == 40100",
	"tcp.srcport == 40100 && tcp.dstport == 443",
	"port in {80, 443..444}",
	"!(port in {80, 8000..8080})",
	"process == curl",
	"process == nginx",
	"client.process == curl",
	"pid == 4711 and pid == 80",
	"decrypted",
	"decrypted == true",
	"encrypted == yes",
	"failed == false",
	"!failed",
	"!dark",
	"state == complete",
	"sight == decrypted",
	"way == capture",
	"proto == http2",
	"http2",
	"bytes > 45k",
	"bytes == 45798",
	"bytes.up lt 0x100",
	"bytes.down < 1MiB",
	"gap_bytes == 1400",
	"gap_bytes",
	"packets >= 20",
	"duration > 1.5s",
	"duration < 2",
	"duration_ms == 1600",
	"time > 2026-03-01",
	"time >= \"2026-03-01T12:34:56.123Z\"",
	"time < 2026-03-01T13:34:57+01:00",
	"time in {2026-03-01..2026-03-02}",
	"time > 1772368496.1",
	"exchanges == 2",
};
static const char *const false_of_flow[] = {
	"flow == 13",
	"flow == u12",
	"udp",
	"tls.sni == example.org",
	"tls.sni != inner.example",
	"tls.version == 1.2",
	"tls.version != 1.3",
	"tls.version < 1.3",
	"tls.cipher contains cbc",
	"ip == 10.1.2.4",
	"ip.src == 2001:db8::1",
	"ip != 10.0.0.0/8",
	"port == 80",
	"port != 443",
	"dark",
	"dark == 'x'",
	"dark != 'x'",
	"note contains a",
	"http",
	"http.status == 503",
	"http.status != 503",
	"http.method == POST",
	"http.url contains example",
	"grpc.status == 5",
	"message",
	"failed",
	"time < 2026-03-01T12:34:56+01:00",
	"duration > 1.6s",
};

static void what_is_asked_of_a_flow_is_answered(void **state)
{
	(void)state;
	check(true_of_flow, ARRAY_LEN(true_of_flow), FLOW, true);
	check(false_of_flow, ARRAY_LEN(false_of_flow), FLOW, false);
}

static void what_is_asked_of_an_exchange_is_answered(void **state)
{
	static const char *const yes[] = {
		"http",
		"http2",
		"tls.sni == www.example.org and http.status >= 500",
		"http.response.code in {500..599}",
		"http.request.method == post",
		"http.host == www.example.org",
		"http.host == www.example.org:8443",
		"http.url == \"https://www.example.org:8443/v1/items?id=5\"",
		"http.url matches \"/v[0-9]+/\"",
		"http.request.full_uri contains '/v1/'",
		"http.request.uri == '/v1/items?id=5'",
		"http.path == /v1/items",
		"http.query == 'id=5'",
		"http.version == 2",
		"http.version == HTTP/2",
		"http.header.user-agent contains curl",
		"http.user_agent contains curl",
		"http.header.x-trace == b",
		"http.header.X-Trace",
		"http.request.header.x-trace != c",
		"http.response.header.grpc-status == 5",
		"http.body contains 'Ann'",
		"http.request.body contains 'user='",
		"http2.streamid == 3",
		"stream in {1,3}",
		"id == 12.2",
		"index == 2",
		"n == 7",
		"bytes == 2008",
		"http.response.bytes > 1k",
		"duration == 20ms",
		"duration_ms > 19",
		"http.time == 0.012",
		"http.cut",
		"grpc.status == NOT_FOUND",
		"grpc.status == 5",
		"!grpc && !websocket && !message",
		"proto == http2",
	};
	static const char *const no[] = {
		"http.status < 500",
		"http.url contains EXAMPLE",
		"http.header.x-trace != a",
		"http.header.x-none",
		"http.response.header.user-agent",
		"http.response.body contains a",
		"websocket.opcode == text",
		"http.query == id",
	};

	(void)state;
	check(yes, ARRAY_LEN(yes), EXCHANGE, true);
	check(no, ARRAY_LEN(no), EXCHANGE, false);
}

static void what_is_asked_of_a_message_is_answered(void **state)
{
	static const char *const yes[] = {
		"message",	     "websocket",	  "websocket.opcode == text",
		"opcode == 1",	     "direction == down", "message.data contains ell",
		"bytes == 5",	     "index == 2",	  "flow == 12",
		"time > 2026-01-01",
	};
	static const char *const no[] = { "http", "direction == up", "n", "stream" };

	(void)state;
	check(yes, ARRAY_LEN(yes), MESSAGE, true);
	check(no, ARRAY_LEN(no), MESSAGE, false);
}

static void and_binds_closer_than_or(void **state)
{
	static const char *const yes[] = {
		"tcp or udp and udp",	    "(tcp or udp) and tcp", "not udp and tcp",
		"udp or udp or tcp",	    "not (udp or dark)",    "not not tcp",
		"tcp and (udp or not udp)", "!udp&&!dark||udp",	    "TCP AND NOT UDP",
		"udp and udp or tcp",	    "tcp or (udp and udp)",
	};
	static const char *const no[] = {
		"(tcp or udp) and udp",	       "not tcp or udp", "tcp and not tcp", "udp or dark",
		"udp and tcp or dark and tcp",
	};

	(void)state;
	check(yes, ARRAY_LEN(yes), FLOW, true);
	check(no, ARRAY_LEN(no), FLOW, false);
}

static void strings_have_escapes(void **state)
{
	(void)state;
	assert_true(ask("message.data contains \"he\\x6cl\"", MESSAGE));
	assert_true(ask("message.data == 'h\\x65llo'", MESSAGE));
	assert_false(ask("message.data contains \"\\\"\"", MESSAGE));
	assert_false(ask("message.data contains '\\n'", MESSAGE));
	assert_true(ask("message.data matches '\\w{5}'", MESSAGE));
	assert_true(ask("message.data contains ''", MESSAGE));
}

static void a_mistake_is_shown_in_its_place(void **state)
{
	static const struct {
		const char *text, *sentence, *mark;
	} rows[] = {
		{ "", "column 1: the filter is empty", "^" },
		{ "tls.snii == a", "column 1: no field is called tls.snii (did you mean tls.sni?)",
		  "^~~~~~~~" },
		{ "tcp && http.respones.code",
		  "column 8: no field is called http.respones.code "
		  "(did you mean http.response.code?)",
		  "       ^~~~~~~~~~~~~~~~~~" },
		{ "xyzzy", "column 1: no field is called xyzzy", "^~~~~" },
		{ "tcp udp", "column 5: expected and, or, or the end, not udp", "    ^~~" },
		{ "(tcp", "column 5: expected ), and or or, not the end", "    ^" },
		{ "tcp)", "column 4: expected and, or, or the end, not )", "   ^" },
		{ "tcp and", "column 8: expected the name of a field, not the end", "       ^" },
		{ "== 5", "column 1: expected the name of a field, not ==", "^~" },
		{ "\"a\" == 5", "column 1: expected the name of a field, not \"a\"", "^~~" },
		{ "port = 5", "column 6: = alone means nothing: expected ==", "     ^" },
		{ "tcp & udp", "column 5: & alone means nothing: expected && or and", "    ^" },
		{ "tcp | udp", "column 5: | alone means nothing: expected || or or", "    ^" },
		{ "port == http",
		  "column 9: port is a number: expected one such as 200, 0x1f, 1.5M",
		  "        ^~~~" },
		{ "port == 1.5", "column 9: port is a number: expected one such as 200, 0x1f, 1.5M",
		  "        ^~~" },
		{ "port ==", "column 8: expected a value for port, not the end", "       ^" },
		{ "port == ==", "column 9: expected a value for port, not ==", "        ^~" },
		{ "port in 5", "column 9: expected { after in, as in {80, 8000..8080}, not 5",
		  "        ^" },
		{ "port in {", "column 10: expected } at the end of the list", "         ^" },
		{ "port in {}", "column 10: expected a value in the list", "         ^" },
		{ "port in {5..1}", "column 10: the range ends before it begins", "         ^~~~" },
		{ "port contains 5",
		  "column 6: port is a number: expected ==, !=, <, <=, >, >= and in",
		  "     ^~~~~~~~" },
		{ "tls.sni < b",
		  "column 9: tls.sni is text: expected ==, !=, in, contains and matches",
		  "        ^" },
		{ "ip > 10.0.0.1", "column 4: ip is an address: expected ==, != and in", "   ^" },
		{ "tls < 5", "column 5: tls is yes or no: expected ==, != and in", "    ^" },
		{ "tls == maybe", "column 8: tls is yes or no: expected true or false",
		  "       ^~~~~" },
		{ "duration > 1x",
		  "column 12: duration is a duration: expected one such as 1.5s, 20ms, 3us",
		  "           ^~" },
		{ "time > soon",
		  "column 8: time is a time: expected one such as 2026-03-01T12:34:56Z",
		  "       ^~~~" },
		{ "tls.cipher == TLS_AES_128_GCM_SHA255",
		  "column 15: tls.cipher is compared with a name such as TLS_AES_128_GCM_SHA256 or "
		  "its "
		  "number (did you mean TLS_AES_128_GCM_SHA256?)",
		  "              ^~~~~~~~~~~~~~~~~~~~~~" },
		{ "tls.sni == \"a", "column 12: this text has no end: expected \" after it",
		  "           ^~" },
		{ "tls.sni matches 'a('",
		  "column 17: the regular expression is wrong at its character 3: "
		  "missing closing parenthesis",
		  "                ^~~~" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = buf_init(1000);
		struct expr_fault fault;
		struct expr *x = NULL;
		char want[300];
		struct err e;

		assert_int_equal(expr_new(bytes_str(rows[i].text), &x, &fault, &e), -1);
		assert_null(x);
		assert_int_equal(e.code, ERR_USAGE);
		assert_string_equal(e.sentence, rows[i].sentence);
		assert_int_equal(expr_caret(&out, bytes_str(rows[i].text), &fault, NULL), 0);
		snprintf(want, sizeof(want), "  %s\n  %s\n", rows[i].text, rows[i].mark);
		if (!bytes_equal(buf_bytes(&out), bytes_str(want)))
			fail_msg("%s: %.*s", rows[i].text, BYTES_FMT(buf_bytes(&out)));
		buf_fini(&out);
	}
}

static void a_long_expression_is_shown_in_part(void **state)
{
	struct buf out = buf_init(1000);
	struct expr_fault fault;
	struct expr *x = NULL;
	char text[600] = "";
	size_t n = 0;

	(void)state;
	while (n < 400)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "tls.sni == \"\xc3\xa4\" or ");
	snprintf(text + n, sizeof(text) - n, "wrong or %0100d", 0);
	assert_int_equal(expr_new(bytes_str(text), &x, &fault, NULL), -1);
	assert_int_equal(fault.column, n + 1);
	assert_int_equal(expr_caret(&out, bytes_str(text), &fault, NULL), 0);
	assert_true(bytes_starts(buf_bytes(&out), bytes_str("  …")));
	assert_true(bytes_ends_nocase(buf_bytes(&out), bytes_str("   ^~~~~\n")));
	assert_in_range(out.n, 100, 220);
	buf_fini(&out);
}

static void control_characters_of_an_expression_are_not_shown(void **state)
{
	struct buf out = buf_init(1000);
	struct expr_fault fault;
	struct expr *x = NULL;
	struct bytes text = bytes_str("tcp\n\tand \033[1m");

	(void)state;
	assert_int_equal(expr_new(text, &x, &fault, NULL), -1);
	assert_int_equal(expr_caret(&out, text, &fault, NULL), 0);
	assert_true(bytes_equal(buf_bytes(&out), bytes_str("  tcp  and \\x1b[1m\n"
							   "           ^~~~~~~\n")));
	buf_fini(&out);
}

/* What more there is than may be is refused, what just fits is not. */
static void expressions_have_limits(void **state)
{
	static char text[EXPR_MAX + 2];
	struct expr *x = NULL;
	struct err e;
	size_t n = 0;

	(void)state;
	memset(text, '!', sizeof(text));
	memcpy(text + EXPR_DEPTH - 1, "tcp", 4);
	assert_int_equal(expr_new(bytes_str(text), &x, NULL, &e), 0);
	expr_free(x);
	memset(text, '(', EXPR_DEPTH);
	memcpy(text + EXPR_DEPTH, "tcp", 4);
	assert_int_equal(expr_new(bytes_str(text), &x, NULL, &e), -1);
	assert_string_equal(e.sentence, "column 65: more than 64 nots and parentheses deep");

	memset(text, ' ', EXPR_MAX);
	memcpy(text, "tcp", 3);
	assert_int_equal(expr_new(bytes_of(text, EXPR_MAX), &x, NULL, &e), 0);
	expr_free(x);
	text[EXPR_MAX] = ' ';
	assert_int_equal(expr_new(bytes_of(text, EXPR_MAX + 1), &x, NULL, &e), -1);
	assert_string_equal(e.sentence, "a filter has at most 4096 characters");

	for (size_t i = 0; i < EXPR_TESTS; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, i ? "||tcp" : "tcp");
	assert_int_equal(expr_new(bytes_str(text), &x, NULL, &e), 0);
	expr_free(x);
	snprintf(text + n, sizeof(text) - n, "||tcp");
	assert_int_equal(expr_new(bytes_str(text), &x, NULL, &e), -1);
	assert_non_null(strstr(e.sentence, "more than 256 tests"));

	n = (size_t)snprintf(text, sizeof(text), "port in {");
	for (size_t i = 0; i <= EXPR_TESTS; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%zu,", i);
	assert_int_equal(expr_new(bytes_str(text), &x, NULL, &e), -1);
	assert_non_null(strstr(e.sentence, "more than 256 values"));
}

static void bodies_are_kept_only_for_who_asks_for_them(void **state)
{
	struct expr *x = NULL;

	(void)state;
	assert_int_equal(expr_new(bytes_str("http.status > 5"), &x, NULL, NULL), 0);
	assert_false(expr_wants_bodies(x));
	expr_free(x);
	assert_int_equal(expr_new(bytes_str("tcp or http.file_data contains a"), &x, NULL, NULL),
			 0);
	assert_true(expr_wants_bodies(x));
	expr_free(x);
}

static void fields_without_values_are_false_whatever_is_asked(void **state)
{
	const struct flow_info nothing = { .flow = 1 };

	(void)state;
	for (size_t i = 0; i < expr_field_count; i++) {
		const struct expr_field *f = &expr_field_table[i];
		struct expr *x = NULL;
		char text[100];

		if (f->type != EXPR_TEXT && f->type != EXPR_ADDR)
			continue;
		snprintf(text, sizeof(text), "%s%s == %s", f->name,
			 f->name[strlen(f->name) - 1] == '.' ? "x" : "",
			 f->type == EXPR_ADDR ? "0.0.0.0/0" : "''");
		assert_int_equal(expr_new(bytes_str(text), &x, NULL, NULL), 0);
		if (expr_matches(x, &nothing, NULL, NULL))
			fail_msg("%s", text);
		expr_free(x);
	}
}

static void every_field_can_be_found_and_is_listed(void **state)
{
	struct buf text = buf_init(1 << 16), table = buf_init(1 << 16);

	(void)state;
	assert_int_equal(expr_fields(&text, EXPR_LIST_TEXT, NULL), 0);
	assert_int_equal(expr_fields(&table, EXPR_LIST_MARKDOWN, NULL), 0);
	for (size_t i = 0; i < expr_field_count; i++) {
		const struct expr_field *f = &expr_field_table[i];
		struct bytes arg;
		char name[100];

		snprintf(name, sizeof(name), "%s%s", f->name,
			 f->name[strlen(f->name) - 1] == '.' ? "x" : "");
		assert_ptr_equal(expr_field_find(bytes_str(name), &arg), f);
		for (size_t k = 0; k < EXPR_OTHERS && f->others[k]; k++)
			assert_ptr_equal(expr_field_find(bytes_str(f->others[k]), &arg), f);
		assert_non_null(memmem(text.p, text.n, f->what, strlen(f->what)));
		assert_non_null(memmem(table.p, table.n, f->what, strlen(f->what)));
		assert_true(f->type != EXPR_CODE || (f->name_of && f->code_max && f->example));
		assert_true(f->type != EXPR_DURATION || f->unit);
		assert_true(f->get || f->place[0].base);
	}
	assert_true(bytes_starts(buf_bytes(&text), bytes_str("flow                    number")));
	buf_fini(&text);
	buf_fini(&table);
}

static const char *manual;

static void the_manual_has_the_table_as_it_is(void **state)
{
	struct buf table = buf_init(1 << 16);
	static char text[1 << 16];
	FILE *file = fopen(manual, "r");
	size_t n;

	(void)state;
	assert_non_null(file);
	n = fread(text, 1, sizeof(text), file);
	fclose(file);
	assert_int_equal(expr_fields(&table, EXPR_LIST_MARKDOWN, NULL), 0);
	assert_non_null(memmem(text, n, table.p, table.n));
	buf_fini(&table);
}

static void missing_memory_is_an_error(void **state)
{
	struct expr *x = NULL;
	struct err e;
	size_t i;

	(void)state;
	for (i = 1; i < 50; i++) {
		int done;

		mem_fail_at(i);
		done = expr_new(bytes_str("tcp and tls.sni matches 'a+'"), &x, NULL, &e);
		mem_fail_at(0);
		if (done == 0)
			break;
		assert_int_equal(e.code, ERR_NOMEM);
	}
	expr_free(x);
	assert_in_range(i, 5, 49);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_of_a_flow_is_answered),
		cmocka_unit_test(what_is_asked_of_an_exchange_is_answered),
		cmocka_unit_test(what_is_asked_of_a_message_is_answered),
		cmocka_unit_test(and_binds_closer_than_or),
		cmocka_unit_test(strings_have_escapes),
		cmocka_unit_test(a_mistake_is_shown_in_its_place),
		cmocka_unit_test(a_long_expression_is_shown_in_part),
		cmocka_unit_test(control_characters_of_an_expression_are_not_shown),
		cmocka_unit_test(expressions_have_limits),
		cmocka_unit_test(bodies_are_kept_only_for_who_asks_for_them),
		cmocka_unit_test(fields_without_values_are_false_whatever_is_asked),
		cmocka_unit_test(every_field_can_be_found_and_is_listed),
		cmocka_unit_test(the_manual_has_the_table_as_it_is),
		cmocka_unit_test(missing_memory_is_an_error),
	};

	assert_int_equal(argc, 2);
	manual = argv[1];
	return cmocka_run_group_tests_name("flow/expr", tests, NULL, NULL);
}
