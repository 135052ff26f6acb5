#include "wire/connect.h"

#include <stdio.h>

#include "base/escape.h"
#include "wire/base64.h"

static bool is_tchar(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++) {
		if (!is_tchar(b.p[i]))
			return false;
	}
	return b.n > 0;
}

static bool is_name(struct bytes name, const char *want)
{
	return bytes_equal_nocase(name, bytes_str(want));
}

/* The sentence is in e already. */
static enum connect_outcome bad(struct connect_scan *scan, unsigned status)
{
	scan->status = status;
	return CONNECT_BAD;
}

/* Lines. */

/* Takes one line without its CRLF; the end of lines was checked. */
static struct bytes take_line(struct bytes *rest)
{
	size_t cr = bytes_index(*rest, '\r');
	struct bytes line = bytes_slice(*rest, 0, cr);

	*rest = bytes_slice(*rest, cr + 2, rest->n);
	return line;
}

/* A reason, or NULL: may c follow prev? */
static const char *byte_fault(uint8_t prev, uint8_t c)
{
	if (c == '\n')
		return prev == '\r' ? NULL : "a line feed without carriage return";
	if (prev == '\r')
		return "a carriage return without line feed";
	if (c == '\r' || c == '\t')
		return NULL;
	return c < 0x20 || c == 0x7f ? "a control character" : NULL;
}

static bool ends_head(struct bytes in, size_t i)
{
	return i >= 3 && in.p[i] == '\n' && in.p[i - 2] == '\n';
}

/* Finds the end of the head; CONNECT_DONE: *n bytes. */
static enum connect_outcome scan_head(struct connect_scan *scan, struct bytes in, size_t *n,
				      struct err *e)
{
	for (size_t i = scan->scanned; i < in.n; i++) {
		const char *fault = byte_fault(i ? in.p[i - 1] : 0, in.p[i]);

		if (fault) {
			FAIL(e, HTTP_DECODE, "the request's head has %s at byte %zu", fault, i + 1);
			return bad(scan, 400);
		}
		if (i >= CONNECT_HEAD_MAX) {
			FAIL(e, HTTP_DECODE, "the request's head has more than %d bytes",
			     CONNECT_HEAD_MAX);
			return bad(scan, 431);
		}
		if (ends_head(in, i)) {
			*n = i + 1;
			return CONNECT_DONE;
		}
	}
	scan->scanned = in.n;
	return CONNECT_MORE;
}

/* The request line. */

static bool target_is_clean(struct bytes target)
{
	for (size_t i = 0; i < target.n; i++) {
		if (target.p[i] <= 0x20 || target.p[i] > 0x7e || target.p[i] == '#')
			return false;
	}
	return target.n > 0;
}

static enum connect_outcome parse_version(struct connect_scan *scan, struct bytes version,
					  struct connect_head *out, struct err *e)
{
	char shown[80];

	if (version.n != 8 || !bytes_starts(version, bytes_str("HTTP/")) || version.p[6] != '.' ||
	    version.p[5] < '0' || version.p[5] > '9' || version.p[7] < '0' || version.p[7] > '9') {
		FAIL(e, HTTP_DECODE, "the request line ends in '%s', not in HTTP/1.1",
		     escape_to(shown, sizeof(shown), version));
		return bad(scan, 400);
	}
	if (version.p[5] != '1') {
		FAIL(e, HTTP_DECODE, "HTTP/%c in a request line; HTTP/1.1 is spoken here",
		     version.p[5]);
		return bad(scan, 505);
	}
	out->version_minor = (unsigned)(version.p[7] - '0');
	return CONNECT_DONE;
}

/* "scheme://authority[/path][?query]" */
static enum connect_outcome parse_absolute(struct connect_scan *scan, struct connect_head *out,
					   struct err *e)
{
	struct bytes http = bytes_str("http://");
	struct bytes rest = bytes_slice(out->target, http.n, out->target.n);
	size_t n = bytes_index(rest, '/');
	char shown[120];

	escape_to(shown, sizeof(shown), out->target);
	if (!bytes_equal_nocase(bytes_slice(out->target, 0, http.n), http)) {
		size_t colon = bytes_index(out->target, ':');
		bool scheme = bytes_starts(bytes_slice(out->target, colon, 3), bytes_str("://"));

		FAIL(e, HTTP_DECODE,
		     scheme ? "'%s': only http:// is proxied so; for https use CONNECT"
			    : "'%s' is no request target: http://host/path or, after CONNECT, "
			      "host:port",
		     shown);
		return bad(scan, scheme ? 501 : 400);
	}
	if (bytes_index(rest, '?') < n)
		n = bytes_index(rest, '?');
	out->form = CONNECT_ABSOLUTE;
	out->authority = bytes_slice(rest, 0, n);
	out->path = bytes_slice(rest, n, rest.n);
	if (bytes_index(out->authority, '@') < out->authority.n) {
		FAIL(e, HTTP_DECODE, "a request target with user name or password before the host");
		return bad(scan, 400);
	}
	if (host_parse_authority(out->authority, 80, &out->host, e) < 0) {
		err_ctx(e, "request target");
		return bad(scan, 400);
	}
	return CONNECT_DONE;
}

static enum connect_outcome parse_target(struct connect_scan *scan, struct connect_head *out,
					 struct err *e)
{
	char shown[120];

	if (!target_is_clean(out->target)) {
		FAIL(e, HTTP_DECODE, "the request target '%s' has bytes that may not be in one",
		     escape_to(shown, sizeof(shown), out->target));
		return bad(scan, 400);
	}
	if (bytes_equal(out->method, bytes_str("CONNECT"))) {
		out->form = CONNECT_TUNNEL;
		out->authority = out->target;
		if (host_parse_authority(out->target, 0, &out->host, e) < 0) {
			err_ctx(e, "CONNECT");
			return bad(scan, 400);
		}
		return CONNECT_DONE;
	}
	if (out->target.p[0] == '/') {
		out->form = CONNECT_ORIGIN;
		return CONNECT_DONE;
	}
	if (bytes_equal(out->target, bytes_str("*")) &&
	    bytes_equal(out->method, bytes_str("OPTIONS"))) {
		out->form = CONNECT_ASTERISK;
		return CONNECT_DONE;
	}
	return parse_absolute(scan, out, e);
}

static enum connect_outcome parse_request_line(struct connect_scan *scan, struct bytes line,
					       struct connect_head *out, struct err *e)
{
	size_t first = bytes_index(line, ' ');
	struct bytes rest = bytes_slice(line, first + 1, line.n);
	size_t second = bytes_index(rest, ' ');
	char shown[80];

	out->method = bytes_slice(line, 0, first);
	out->target = bytes_slice(rest, 0, second);
	if (!is_token(out->method) || first == line.n || second == rest.n) {
		FAIL(e, HTTP_DECODE, "'%s' is no request line",
		     escape_to(shown, sizeof(shown), line));
		return bad(scan, 400);
	}
	if (parse_version(scan, bytes_slice(rest, second + 1, rest.n), out, e) != CONNECT_DONE)
		return CONNECT_BAD;
	return parse_target(scan, out, e);
}

/* The fields. */

static int check_field_line(struct bytes line, size_t number, struct err *e)
{
	size_t colon = bytes_index(line, ':');
	char shown[80];

	escape_to(shown, sizeof(shown), line);
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return FAIL(e, HTTP_DECODE, "field %zu goes on in a second line: '%s'", number,
			    shown);
	if (colon == line.n)
		return FAIL(e, HTTP_DECODE, "field %zu has no colon: '%s'", number, shown);
	if (!is_token(bytes_slice(line, 0, colon)))
		return FAIL(e, HTTP_DECODE, "field %zu has a name that is none: '%s'", number,
			    shown);
	return 0;
}

/* What frames the body, and the host, may be there only once or not at all. */
struct framing {
	unsigned hosts;
	bool length, coding;
	uint64_t content_length;
};

static int add_framing(struct framing *f, const struct connect_field *field, struct err *e)
{
	uint64_t n;

	if (is_name(field->name, "Host"))
		f->hosts++;
	if (is_name(field->name, "Transfer-Encoding"))
		f->coding = true;
	if (!is_name(field->name, "Content-Length"))
		return 0;
	if (!bytes_decimal(field->value, INT64_MAX, &n))
		return FAIL(e, HTTP_DECODE, "a Content-Length that is no number");
	if (f->length && n != f->content_length)
		return FAIL(e, HTTP_DECODE, "two Content-Lengths that differ");
	f->length = true;
	f->content_length = n;
	return 0;
}

static int check_framing(const struct framing *f, unsigned version_minor, struct err *e)
{
	if (f->hosts > 1)
		return FAIL(e, HTTP_DECODE, "%u Host fields", f->hosts);
	if (f->hosts == 0 && version_minor > 0)
		return FAIL(e, HTTP_DECODE, "HTTP/1.1 without a Host field");
	if (f->coding && f->length)
		return FAIL(e, HTTP_DECODE, "Transfer-Encoding and Content-Length together");
	if (f->coding && version_minor == 0)
		return FAIL(e, HTTP_DECODE, "Transfer-Encoding in HTTP/1.0");
	return 0;
}

static int check_fields(const struct connect_head *head, struct err *e)
{
	struct bytes lines = head->fields, fields = head->fields;
	struct framing framing = { 0 };
	struct connect_field field;

	for (size_t number = 1; lines.n; number++) {
		if (check_field_line(take_line(&lines), number, e) < 0)
			return -1;
	}
	while (connect_field_next(&fields, &field)) {
		if (add_framing(&framing, &field, e) < 0)
			return -1;
	}
	return check_framing(&framing, head->version_minor, e);
}

enum connect_outcome connect_run(struct connect_scan *scan, struct bytes in,
				 struct connect_head *out, struct err *e)
{
	struct connect_head head = { 0 };
	enum connect_outcome outcome;
	struct bytes rest;
	size_t n;

	outcome = scan_head(scan, in, &n, e);
	if (outcome != CONNECT_DONE)
		return outcome;
	head.raw = bytes_slice(in, 0, n);
	rest = head.raw;
	outcome = parse_request_line(scan, take_line(&rest), &head, e);
	if (outcome != CONNECT_DONE)
		return outcome;
	head.fields = bytes_slice(rest, 0, rest.n - 2);
	if (check_fields(&head, e) < 0)
		return bad(scan, 400);
	*out = head;
	return CONNECT_DONE;
}

bool connect_field_next(struct bytes *fields, struct connect_field *out)
{
	struct bytes line;
	size_t colon;

	if (fields->n == 0)
		return false;
	line = take_line(fields);
	colon = bytes_index(line, ':');
	out->name = bytes_slice(line, 0, colon);
	out->value = bytes_trim(bytes_slice(line, colon + 1, line.n));
	return true;
}

bool connect_field_find(const struct connect_head *head, const char *name, struct bytes *value)
{
	struct bytes fields = head->fields;
	struct connect_field field;

	while (connect_field_next(&fields, &field)) {
		if (is_name(field.name, name)) {
			*value = field.value;
			return true;
		}
	}
	return false;
}

/* Proxy-Authorization. */

#define LOGIN_MAX 4096

static unsigned count_fields(const struct connect_head *head, const char *name)
{
	struct bytes fields = head->fields;
	struct connect_field field;
	unsigned n = 0;

	while (connect_field_next(&fields, &field))
		n += is_name(field.name, name);
	return n;
}

/* RFC 7617, 2: neither has control characters. */
static bool login_is_clean(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < 0x20 || text.p[i] == 0x7f)
			return false;
	}
	return true;
}

enum connect_auth connect_auth_parse(const struct connect_head *head, struct connect_login *out)
{
	AUTO(connect_login_fini)
	struct connect_login login = { .text = buf_init_secret(LOGIN_MAX) };
	struct bytes value, text;
	size_t space, colon;

	if (!connect_field_find(head, "Proxy-Authorization", &value))
		return CONNECT_AUTH_NONE;
	space = bytes_index(value, ' ');
	if (count_fields(head, "Proxy-Authorization") > 1 ||
	    !is_name(bytes_slice(value, 0, space), "Basic"))
		return CONNECT_AUTH_BAD;
	if (base64_parse(bytes_trim(bytes_slice(value, space, value.n)), &login.text, NULL) < 0)
		return CONNECT_AUTH_BAD;
	text = buf_bytes(&login.text);
	colon = bytes_index(text, ':');
	if (colon == text.n || !login_is_clean(text))
		return CONNECT_AUTH_BAD;
	login.user = bytes_slice(text, 0, colon);
	login.password = bytes_slice(text, colon + 1, text.n);
	*out = login;
	login = (struct connect_login){ 0 }; /* moved */
	return CONNECT_AUTH_BASIC;
}

void connect_login_fini(struct connect_login *login)
{
	buf_fini(&login->text);
	login->user = login->password = (struct bytes){ 0 };
}

/* Writers. */

static bool is_for_proxies(struct bytes name)
{
	return is_name(name, "Proxy-Authorization") || is_name(name, "Proxy-Authenticate") ||
	       is_name(name, "Proxy-Connection");
}

static int forward_target(const struct connect_head *head, struct buf *out, struct err *e)
{
	/* RFC 9112, 3.2.4: OPTIONS of a URL without path asks for the server as a whole. */
	bool whole = head->path.n == 0 && bytes_equal(head->method, bytes_str("OPTIONS"));
	bool slash = head->path.n == 0 || head->path.p[0] != '/';

	if (buf_add(out, head->method, e) < 0)
		return -1;
	if (buf_printf(out, e, " %s",
		       whole   ? "*"
		       : slash ? "/"
			       : "") < 0 ||
	    buf_add(out, head->path, e) < 0)
		return -1;
	return buf_printf(out, e, " HTTP/1.%u\r\n", head->version_minor);
}

static int forward_field(struct bytes name, struct bytes value, struct buf *out, struct err *e)
{
	if (buf_add(out, name, e) < 0 || buf_printf(out, e, ": ") < 0)
		return -1;
	if (buf_add(out, value, e) < 0 || buf_printf(out, e, "\r\n") < 0)
		return -1;
	return 0;
}

static bool is_for_connection(struct bytes name)
{
	return is_name(name, "Connection") || is_name(name, "Keep-Alive");
}

static bool has_token(struct bytes list, const char *want)
{
	while (list.n) {
		size_t comma = bytes_index(list, ',');

		if (is_name(bytes_trim(bytes_slice(list, 0, comma)), want))
			return true;
		list = bytes_slice(list, comma + 1, list.n);
	}
	return false;
}

/* RFC 9110, 7.8: Upgrade counts only when Connection names it. */
static bool asks_for_upgrade(const struct connect_head *head)
{
	struct bytes fields = head->fields, ignored;
	struct connect_field field;

	if (!connect_field_find(head, "Upgrade", &ignored))
		return false;
	while (connect_field_next(&fields, &field)) {
		if (is_name(field.name, "Connection") && has_token(field.value, "upgrade"))
			return true;
	}
	return false;
}

static int forward(const struct connect_head *head, struct buf *out, struct err *e)
{
	struct bytes fields = head->fields;
	bool switches = asks_for_upgrade(head);
	struct connect_field field;

	if (forward_target(head, out, e) < 0 ||
	    forward_field(bytes_str("Host"), head->authority, out, e) < 0)
		return -1;
	while (connect_field_next(&fields, &field)) {
		if (is_name(field.name, "Host") || is_for_proxies(field.name) ||
		    (!switches && is_for_connection(field.name)))
			continue;
		if (forward_field(field.name, field.value, out, e) < 0)
			return -1;
	}
	return buf_printf(out, e, "%s\r\n", switches ? "" : "Connection: close\r\n");
}

int connect_forward_write(const struct connect_head *head, struct buf *out, struct err *e)
{
	size_t before = out->n;

	if (forward(head, out, e) == 0)
		return 0;
	out->n = before;
	return -1;
}

int connect_established_write(struct buf *out, struct err *e)
{
	return buf_printf(out, e, "HTTP/1.1 200 Connection established\r\n\r\n");
}

const char *connect_status_text(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} table[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 407, "Proxy Authentication Required" },
		{ 408, "Request Timeout" },
		{ 421, "Misdirected Request" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].status == status)
			return table[i].text;
	}
	return "Error";
}

int connect_status_write(const struct connect_status *s, struct buf *out, struct err *e)
{
	char reason[512], body[640], authenticate[200] = "";
	const char *text = connect_status_text(s->status);
	int n;

	escape_to(reason, sizeof(reason), s->reason);
	n = snprintf(body, sizeof(body), "oriel: %u %s: %s\n", s->status, text, reason);
	if (s->authenticate)
		snprintf(authenticate, sizeof(authenticate), "Proxy-Authenticate: %s\r\n",
			 s->authenticate);
	return buf_printf(out, e,
			  "HTTP/1.1 %u %s\r\n"
			  "Content-Type: text/plain; charset=utf-8\r\n"
			  "Content-Length: %d\r\n"
			  "Connection: close\r\n"
			  "%s"
			  "X-Oriel-Reason: %s\r\n"
			  "\r\n%s",
			  s->status, text, n, authenticate, reason, body);
}
