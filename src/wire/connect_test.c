#include "wire/connect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"

/* Whole, then byte by byte: the answers must agree. */
static enum connect_outcome run(struct bytes in, struct connect_head *head, unsigned *status,
				struct err *e)
{
	struct connect_scan whole = { 0 }, bytewise = { 0 };
	enum connect_outcome first = connect_run(&whole, in, head, e), second = CONNECT_MORE;
	struct connect_head other;

	for (size_t n = 0; n <= in.n && second == CONNECT_MORE; n++)
		second = connect_run(&bytewise, bytes_slice(in, 0, n), &other, NULL);
	assert_int_equal(first, second);
	assert_int_equal(whole.status, bytewise.status);
	if (first == CONNECT_DONE)
		assert_true(bytes_equal(head->raw, other.raw));
	*status = whole.status;
	return first;
}

static void takes(const char *in, struct connect_head *head)
{
	struct err e = { 0 };
	unsigned status;

	if (run(bytes_str(in), head, &status, &e) != CONNECT_DONE)
		fail_msg("%s: %s", in, e.sentence);
}

static void reads_connect(void **state)
{
	static const struct {
		const char *in, *host;
	} good[] = {
		{ "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
		  "example.com:443" },
		{ "CONNECT EXAMPLE.com.:8443 HTTP/1.0\r\n\r\n", "example.com:8443" },
		{ "CONNECT 10.9.0.43:1 HTTP/1.1\r\nHost:x\r\n\r\n", "10.9.0.43:1" },
		{ "CONNECT [2001:db8::1]:65535 HTTP/1.1\r\nHost: \r\n\r\n", "[2001:db8::1]:65535" },
	};
	char text[HOST_TEXT_MAX];
	struct connect_head head;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		takes(good[i].in, &head);
		assert_int_equal(head.form, CONNECT_TUNNEL);
		assert_int_equal(head.raw.n, strlen(good[i].in));
		assert_string_equal(host_text(&head.host, text), good[i].host);
	}
}

static void bytes_behind_the_head_are_not_its_own(void **state)
{
	static const char in[] =
		"CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n\x16\x03\x01\n\r\n";
	struct connect_scan scan = { 0 };
	struct connect_head head;

	(void)state;
	assert_int_equal(connect_run(&scan, bytes_of(in, sizeof(in) - 1), &head, NULL),
			 CONNECT_DONE);
	assert_int_equal(head.raw.n, strlen("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n"));
}

static void reads_absolute_form(void **state)
{
	static const struct {
		const char *target, *host, *path;
	} good[] = {
		{ "http://example.com/", "example.com:80", "/" },
		{ "HTTP://Example.com:8080/a/b?c=d", "example.com:8080", "/a/b?c=d" },
		{ "http://example.com", "example.com:80", "" },
		{ "http://example.com?q", "example.com:80", "?q" },
		{ "http://example.com?q=/x", "example.com:80", "?q=/x" },
		{ "http://[::1]:81/x", "[::1]:81", "/x" },
		{ "http://10.0.0.1/x@y:z", "10.0.0.1:80", "/x@y:z" },
		{ "http://oriel.internal/", "oriel.internal:80", "/" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		AUTO(buf_fini) struct buf in = buf_init(1000);
		char text[HOST_TEXT_MAX];
		struct connect_head head;
		struct err e = { 0 };
		unsigned status;

		assert_int_equal(buf_printf(&in, NULL, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
					    good[i].target),
				 0);
		if (run(buf_bytes(&in), &head, &status, &e) != CONNECT_DONE)
			fail_msg("%s: %s", good[i].target, e.sentence);
		assert_int_equal(head.form, CONNECT_ABSOLUTE);
		assert_true(bytes_equal(head.method, bytes_str("GET")));
		assert_string_equal(host_text(&head.host, text), good[i].host);
		assert_true(bytes_equal(head.path, bytes_str(good[i].path)));
	}
}

static void tells_the_other_forms_apart(void **state)
{
	struct connect_head head;

	(void)state;
	takes("GET /path HTTP/1.1\r\nHost: x\r\n\r\n", &head);
	assert_int_equal(head.form, CONNECT_ORIGIN);
	assert_int_equal(head.host.kind, HOST_NONE);
	takes("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", &head);
	assert_int_equal(head.form, CONNECT_ASTERISK);
}

#define FINE "GET http://a/ HTTP/1.1\r\nHost: a\r\n"

static const struct {
	const char *in;
	unsigned status;
	const char *want;
} broken_heads[] = {
	/* bytes */
	{ "GET http://a/ HTTP/1.1\nHost: a\n\n", 400, "a line feed without" },
	{ "GET http://a/ HTTP/1.1\rHost: a\r\n\r\n", 400, "a carriage return without" },
	{ FINE "A: b\x01\r\n\r\n", 400, "a control character" },
	{ FINE "A: b\x7f\r\n\r\n", 400, "a control character" },
	{ FINE "A: \x1b[31m\r\n\r\n", 400, "a control character at byte" },
	{ FINE "A: b\r\r\n\r\n", 400, "a carriage return without" },
	{ FINE "\n", 400, "a line feed without" },
	/* the request line */
	{ "\r\n" FINE "\r\n", 400, "is no request line" },
	{ "\r\n\r\n", 400, "is no request line" },
	{ "GET\r\n\r\n", 400, "is no request line" },
	{ "GET http://a/\r\n\r\n", 400, "is no request line" },
	{ "GET  http://a/ HTTP/1.1\r\n\r\n", 400, "not in HTTP/1.1" },
	{ "GET http://a/  HTTP/1.1\r\n\r\n", 400, "not in HTTP/1.1" },
	{ "GET http://a/ b HTTP/1.1\r\n\r\n", 400, "not in HTTP/1.1" },
	{ "GET http://a/ HTTP/1.1 \r\n\r\n", 400, "not in HTTP/1.1" },
	{ "GET http://a/ http/1.1\r\n\r\n", 400, "not in HTTP/1.1" },
	{ "GET http://a/ HTTP/1,1\r\n\r\n", 400, "not in HTTP/1.1" },
	{ "GET http://a/ HTTP/11.1\r\n\r\n", 400, "not in HTTP/1.1" },
	{ "GET http://a/ HTTP/2.0\r\n\r\n", 505, "HTTP/2" },
	{ "GET http://a/ HTTP/0.9\r\n\r\n", 505, "HTTP/0" },
	{ "GET\thttp://a/ HTTP/1.1\r\n\r\n", 400, "is no request line" },
	{ "G@T http://a/ HTTP/1.1\r\n\r\n", 400, "is no request line" },
	{ " http://a/ HTTP/1.1\r\n\r\n", 400, "is no request line" },
	/* the target */
	{ "GET http://a/\xc3\xa4 HTTP/1.1\r\n\r\n", 400, "may not be in one" },
	{ "GET http://a/\t HTTP/1.1\r\n\r\n", 400, "may not be in one" },
	{ "GET http://a/#x HTTP/1.1\r\n\r\n", 400, "may not be in one" },
	{ "GET https://a/ HTTP/1.1\r\n\r\n", 501, "for https use CONNECT" },
	{ "GET ftp://a/ HTTP/1.1\r\n\r\n", 501, "only http:// is proxied" },
	{ "GET http:/a/ HTTP/1.1\r\n\r\n", 400, "is no request target" },
	{ "GET a.example HTTP/1.1\r\n\r\n", 400, "is no request target" },
	{ "GET * HTTP/1.1\r\n\r\n", 400, "is no request target" },
	{ "GET http:///x HTTP/1.1\r\n\r\n", 400, "empty host name" },
	{ "GET http://u:p@a/ HTTP/1.1\r\n\r\n", 400, "user name or password" },
	{ "GET http://a:0/ HTTP/1.1\r\n\r\n", 400, "1 to 65535" },
	{ "GET http://a:65536/ HTTP/1.1\r\n\r\n", 400, "1 to 65535" },
	{ "GET http://a%2eb/ HTTP/1.1\r\n\r\n", 400, "'%'" },
	{ "GET http://127.1/ HTTP/1.1\r\n\r\n", 400, "ends in a number" },
	{ "GET http://::1/ HTTP/1.1\r\n\r\n", 400, "brackets" },
	{ "CONNECT a.example HTTP/1.1\r\n\r\n", 400, "a port is needed" },
	{ "CONNECT a.example: HTTP/1.1\r\n\r\n", 400, "1 to 65535" },
	{ "CONNECT http://a.example:443/ HTTP/1.1\r\n\r\n", 400, "CONNECT" },
	{ "CONNECT /x HTTP/1.1\r\n\r\n", 400, "CONNECT" },
	{ "CONNECT u@a.example:443 HTTP/1.1\r\n\r\n", 400, "'@'" },
	{ "CONNECT ::1:443 HTTP/1.1\r\n\r\n", 400, "brackets" },
	/* the fields */
	{ FINE " folded\r\n\r\n", 400, "field 2 goes on in a second line" },
	{ FINE "\tfolded\r\n\r\n", 400, "goes on in a second line" },
	{ FINE "nocolon\r\n\r\n", 400, "field 2 has no colon" },
	{ FINE ": empty\r\n\r\n", 400, "a name that is none" },
	{ FINE "A : b\r\n\r\n", 400, "a name that is none" },
	{ FINE "A\xe4: b\r\n\r\n", 400, "a name that is none" },
	{ FINE "host: b\r\n\r\n", 400, "2 Host fields" },
	{ "GET http://a/ HTTP/1.1\r\n\r\n", 400, "without a Host" },
	{ FINE "Content-Length: x\r\n\r\n", 400, "no number" },
	{ FINE "Content-Length: -1\r\n\r\n", 400, "no number" },
	{ FINE "Content-Length: 1, 1\r\n\r\n", 400, "no number" },
	{ FINE "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "that differ" },
	{ FINE "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "together" },
	{ "GET http://a/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "HTTP/1.0" },
};

static void refuses_each_rule_broken(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken_heads); i++) {
		struct connect_head head = { .version_minor = 77 };
		struct err e = { 0 };
		unsigned status;

		if (run(bytes_str(broken_heads[i].in), &head, &status, &e) != CONNECT_BAD)
			fail_msg("taken: %s", broken_heads[i].in);
		if (status != broken_heads[i].status || !strstr(e.sentence, broken_heads[i].want))
			fail_msg("case %zu: %u %s", i, status, e.sentence);
		assert_int_equal(head.version_minor, 77);
	}
}

static void wants_more_of_every_truncation(void **state)
{
	struct bytes in = bytes_str(FINE "A: b\r\n\r\n");

	(void)state;
	for (size_t n = 0; n < in.n; n++) {
		uint8_t *copy = mem_dup(bytes_slice(in, 0, n));
		struct connect_scan scan = { 0 };
		struct connect_head head;

		assert_int_equal(connect_run(&scan, bytes_of(copy, n), &head, NULL), CONNECT_MORE);
		assert_int_equal(scan.scanned, n);
		mem_free(copy);
	}
}

static void a_head_has_a_limit(void **state)
{
	AUTO(buf_fini) struct buf in = buf_init(1 << 20);
	struct connect_scan scan = { 0 };
	struct connect_head head;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(buf_printf(&in, NULL, FINE "A: "), 0);
	while (in.n < CONNECT_HEAD_MAX - 4)
		assert_int_equal(buf_printf(&in, NULL, "x"), 0);
	assert_int_equal(connect_run(&scan, buf_bytes(&in), &head, &e), CONNECT_MORE);
	assert_int_equal(buf_printf(&in, NULL, "\r\n\r\n"), 0);
	assert_int_equal(connect_run(&scan, buf_bytes(&in), &head, &e), CONNECT_DONE);
	in.n -= 4;
	assert_int_equal(buf_printf(&in, NULL, "xxxxx"), 0);
	scan = (struct connect_scan){ 0 };
	assert_int_equal(connect_run(&scan, buf_bytes(&in), &head, &e), CONNECT_BAD);
	assert_int_equal(scan.status, 431);
}

static void walks_and_finds_fields(void **state)
{
	struct connect_head head;
	struct connect_field f;
	struct bytes fields, value;

	(void)state;
	takes(FINE "X-One:1\r\nX-Two: \t two words \t\r\nX-Empty:\r\nX-Utf8: \xc3\xa4\r\n\r\n",
	      &head);
	fields = head.fields;
	assert_true(connect_field_next(&fields, &f));
	assert_true(bytes_equal(f.name, bytes_str("Host")));
	assert_true(connect_field_next(&fields, &f));
	assert_true(bytes_equal(f.value, bytes_str("1")));
	assert_true(connect_field_next(&fields, &f));
	assert_true(bytes_equal(f.value, bytes_str("two words")));
	assert_true(connect_field_next(&fields, &f) && f.value.n == 0);
	assert_true(connect_field_next(&fields, &f));
	assert_false(connect_field_next(&fields, &f));
	assert_true(connect_field_find(&head, "x-one", &value));
	assert_true(bytes_equal(value, bytes_str("1")));
	assert_false(connect_field_find(&head, "x-none", &value));
	takes("OPTIONS * HTTP/1.0\r\n\r\n", &head);
	fields = head.fields;
	assert_false(connect_field_next(&fields, &f));
}

static enum connect_auth auth(const char *field, struct connect_login *login)
{
	AUTO(buf_fini) struct buf in = buf_init(10000);
	struct connect_head head;
	struct connect_scan scan = { 0 };

	assert_int_equal(buf_printf(&in, NULL, FINE "%s\r\n", field), 0);
	assert_int_equal(connect_run(&scan, buf_bytes(&in), &head, NULL), CONNECT_DONE);
	return connect_auth_parse(&head, login);
}

static void reads_basic_authentication(void **state)
{
	struct connect_login login;

	(void)state;
	assert_int_equal(auth("", &login), CONNECT_AUTH_NONE);
	assert_int_equal(auth("Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n",
			      &login),
			 CONNECT_AUTH_BASIC);
	assert_true(bytes_equal(login.user, bytes_str("Aladdin")));
	assert_true(bytes_equal(login.password, bytes_str("open sesame")));
	assert_true(login.text.secret);
	connect_login_fini(&login);
	assert_null(login.user.p);
	/* A password may have colons; the scheme's case does not matter. */
	assert_int_equal(auth("proxy-authorization: bASIC  dTphOmI=\r\n", &login),
			 CONNECT_AUTH_BASIC);
	assert_true(bytes_equal(login.user, bytes_str("u")));
	assert_true(bytes_equal(login.password, bytes_str("a:b")));
	connect_login_fini(&login);
}

static void refuses_other_authentication(void **state)
{
	static const char *const bad[] = {
		"Proxy-Authorization: Bearer QWxhZGRpbjpvcGVu\r\n",
		"Proxy-Authorization: Basic\r\n",
		"Proxy-Authorization: Basic !!!!\r\n",
		"Proxy-Authorization: Basic QWxhZGRpbg==\r\n",
		"Proxy-Authorization: Basic dTphCg==\r\n",
		"Proxy-Authorization: Basic dTphOmI=\r\nProxy-Authorization: Basic dTphOmI=\r\n",
		"Proxy-Authorization:\r\n",
	};
	struct connect_login login;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(auth(bad[i], &login), CONNECT_AUTH_BAD);
}

static void authentication_without_memory_is_bad(void **state)
{
	struct connect_scan scan = { 0 };
	struct connect_login login;
	struct connect_head head;

	(void)state;
	assert_int_equal(connect_run(&scan,
				     bytes_str(FINE "Proxy-Authorization: Basic dTphOmI=\r\n\r\n"),
				     &head, NULL),
			 CONNECT_DONE);
	mem_fail_at(1);
	assert_int_equal(connect_auth_parse(&head, &login), CONNECT_AUTH_BAD);
	mem_fail_at(0);
}

static void forwards_in_origin_form_without_proxy_fields(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "GET http://A.example:8080/x?y HTTP/1.1\r\nAccept: */*\r\nHost: other\r\n"
		  "Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nX-A:  b "
		  "\r\n\r\n",
		  "GET /x?y HTTP/1.1\r\nHost: A.example:8080\r\nAccept: */*\r\nX-A: b\r\n"
		  "Connection: close\r\n\r\n" },
		{ "POST http://a?q HTTP/1.0\r\nContent-Length: 3\r\n\r\n",
		  "POST /?q HTTP/1.0\r\nHost: a\r\nContent-Length: 3\r\nConnection: "
		  "close\r\n\r\n" },
		{ "GET http://a HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nKeep-Alive: "
		  "5\r\n\r\n",
		  "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" },
		{ "GET http://a/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "
		  "websocket\r\n\r\n",
		  "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "
		  "websocket\r\n\r\n" },
		{ "GET http://a/ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive ,uPgrade\r\n"
		  "Upgrade: websocket\r\n\r\n",
		  "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive ,uPgrade\r\n"
		  "Upgrade: websocket\r\n\r\n" },
		/* Not named in Connection, it is no reason to keep the connection. */
		{ "GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nUpgrade: "
		  "h2c\r\n\r\n",
		  "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: close\r\n\r\n" },
		{ "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n",
		  "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" },
		{ "OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
		  "OPTIONS / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" },
	};
	struct connect_head head;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(buf_fini) struct buf out = buf_init(1000);

		takes(cases[i].in, &head);
		assert_int_equal(connect_forward_write(&head, &out, NULL), 0);
		if (!bytes_equal(buf_bytes(&out), bytes_str(cases[i].out)))
			fail_msg("%.*s", BYTES_FMT(buf_bytes(&out)));
	}
}

static void forwarding_fails_without_a_trace(void **state)
{
	AUTO(buf_fini) struct buf whole = buf_init(1000);
	struct connect_head head;
	struct err e;

	(void)state;
	takes("GET http://a/ HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n", &head);
	assert_int_equal(connect_forward_write(&head, &whole, NULL), 0);
	for (size_t max = 0; max < whole.n; max++) {
		AUTO(buf_fini) struct buf out = buf_init(max);

		assert_int_equal(connect_forward_write(&head, &out, &e), -1);
		assert_int_equal(e.code, ERR_LIMIT);
		assert_int_equal(out.n, 0);
	}
	for (size_t at = 1; at < 3; at++) {
		AUTO(buf_fini) struct buf out = buf_init(1000);
		int result;

		mem_fail_at(at);
		result = connect_forward_write(&head, &out, &e);
		mem_fail_at(0);
		assert_int_equal(out.n, result < 0 ? 0 : whole.n);
	}
}

static void writes_answers(void **state)
{
	AUTO(buf_fini) struct buf out = buf_init(4096);
	static const char reason[] = "example.com: connection\r\nInjected: \x1b[31m refused";
	struct connect_status s = { .status = 502, .reason = bytes_of(reason, sizeof(reason) - 1) };

	(void)state;
	assert_int_equal(connect_established_write(&out, NULL), 0);
	assert_true(bytes_equal(buf_bytes(&out),
				bytes_str("HTTP/1.1 200 Connection established\r\n\r\n")));
	buf_clear(&out);
	assert_int_equal(connect_status_write(&s, &out, NULL), 0);
	assert_true(bytes_equal(buf_bytes(&out),
				bytes_str("HTTP/1.1 502 Bad Gateway\r\n"
					  "Content-Type: text/plain; charset=utf-8\r\n"
					  "Content-Length: 82\r\n"
					  "Connection: close\r\n"
					  "X-Oriel-Reason: example.com: "
					  "connection\\x0d\\x0aInjected: \\x1b[31m refused\r\n"
					  "\r\n"
					  "oriel: 502 Bad Gateway: example.com: "
					  "connection\\x0d\\x0aInjected: \\x1b[31m "
					  "refused\n")));
	buf_clear(&out);
	s = (struct connect_status){ .status = 407,
				     .reason = bytes_str("a user name is needed"),
				     .authenticate = "Basic realm=\"oriel\"" };
	assert_int_equal(connect_status_write(&s, &out, NULL), 0);
	assert_non_null(
		strstr((const char *)out.p, "Proxy-Authenticate: Basic realm=\"oriel\"\r\n"));
	assert_string_equal(connect_status_text(599), "Error");
}

static void a_long_reason_is_cut_off(void **state)
{
	AUTO(buf_fini) struct buf out = buf_init(4096);
	static char reason[5000];
	struct connect_status s = { .status = 400, .reason = bytes_of(reason, sizeof(reason)) };
	const char *body, *length;
	uint64_t n = 0;

	(void)state;
	memset(reason, '\n', sizeof(reason));
	assert_int_equal(connect_status_write(&s, &out, NULL), 0);
	assert_int_equal(buf_printf(&out, NULL, "%c", 0), 0);
	body = strstr((const char *)out.p, "\r\n\r\n") + 4;
	length = strstr((const char *)out.p, "Content-Length: ") + 16;
	assert_true(
		bytes_decimal(bytes_of(length, bytes_index(bytes_str(length), '\r')), 4096, &n));
	assert_int_equal(n, strlen(body));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_connect),
		cmocka_unit_test(bytes_behind_the_head_are_not_its_own),
		cmocka_unit_test(reads_absolute_form),
		cmocka_unit_test(tells_the_other_forms_apart),
		cmocka_unit_test(refuses_each_rule_broken),
		cmocka_unit_test(wants_more_of_every_truncation),
		cmocka_unit_test(a_head_has_a_limit),
		cmocka_unit_test(walks_and_finds_fields),
		cmocka_unit_test(reads_basic_authentication),
		cmocka_unit_test(refuses_other_authentication),
		cmocka_unit_test(authentication_without_memory_is_bad),
		cmocka_unit_test(forwards_in_origin_form_without_proxy_fields),
		cmocka_unit_test(forwarding_fails_without_a_trace),
		cmocka_unit_test(writes_answers),
		cmocka_unit_test(a_long_reason_is_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
