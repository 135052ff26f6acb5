#include "http/strict1.h"

#include "http/filter.h"

/* The next line, with its CRLF, from the front of *text. Its end is the first LF. */
static struct bytes take_line(struct bytes *text)
{
	struct bytes line = bytes_slice(*text, 0, bytes_index(*text, '\n') + 1);

	*text = bytes_slice(*text, line.n, text->n);
	return line;
}

static int without_crlf(struct bytes line, struct bytes *out, struct err *e)
{
	if (line.n < 2 || line.p[line.n - 1] != '\n' || line.p[line.n - 2] != '\r')
		return FAIL(e, HTTP_DECODE, "a line that does not end with CR LF");
	*out = bytes_slice(line, 0, line.n - 2);
	return 0;
}

static bool is_target(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] <= 0x20 || b.p[i] >= 0x7f)
			return false;
	return b.n > 0;
}

static int request_line(struct bytes line, struct strict1 *out, struct err *e)
{
	struct bytes rest, version;
	size_t space;

	out->first_line = line;
	if (without_crlf(line, &rest, e) < 0)
		return -1;
	space = bytes_index(rest, ' ');
	out->method = bytes_slice(rest, 0, space);
	rest = bytes_slice(rest, space + 1, rest.n);
	space = bytes_index(rest, ' ');
	out->target = bytes_slice(rest, 0, space);
	version = bytes_slice(rest, space + 1, rest.n);
	if (!http_is_token(out->method) || !is_target(out->target))
		return FAIL(e, HTTP_DECODE, "a request line that is not METHOD TARGET HTTP/1.1");
	if (bytes_equal(version, bytes_str("HTTP/1.1")))
		out->minor = 1;
	else if (bytes_equal(version, bytes_str("HTTP/1.0")))
		out->minor = 0;
	else
		return FAIL(e, HTTP_DECODE, "a request line whose version is not HTTP/1.1 or 1.0");
	return 0;
}

static int field(struct bytes line, struct http_header *out, struct err *e)
{
	struct bytes text;
	size_t colon;

	if (without_crlf(line, &text, e) < 0)
		return -1;
	if (text.n && (text.p[0] == ' ' || text.p[0] == '\t'))
		return FAIL(e, HTTP_DECODE, "a header that is folded over two lines");
	colon = bytes_index(text, ':');
	out->name = bytes_slice(text, 0, colon);
	out->value = bytes_trim(bytes_slice(text, colon + 1, text.n));
	if (colon == text.n || !http_is_token(out->name))
		return FAIL(e, HTTP_DECODE, "a header line that is not NAME: VALUE");
	if (!http_is_value(out->value))
		return FAIL(e, HTTP_DECODE, "header %.*s has control characters in its value",
			    (int)(out->name.n < 100 ? out->name.n : 100),
			    (const char *)out->name.p);
	return 0;
}

static int fields(struct bytes text, struct strict1 *out, struct err *e)
{
	for (;;) {
		struct bytes line = take_line(&text);

		if (bytes_equal(line, bytes_str("\r\n")))
			break;
		if (out->count == HTTP_HEADERS_MAX)
			return FAIL(e, LIMIT, "more than %d headers", HTTP_HEADERS_MAX);
		if (field(line, &out->headers[out->count], e) < 0)
			return -1;
		out->lines[out->count++] = line;
	}
	if (text.n)
		return FAIL(e, HTTP_DECODE, "bytes after the empty line");
	return 0;
}

static bool is_field(const struct http_header *h, const char *name)
{
	return bytes_equal_nocase(h->name, bytes_str(name));
}

struct framing {
	const struct bytes *length, *coding, *host;
};

static int once(const struct bytes **slot, const struct http_header *h, const char *name,
		struct err *e)
{
	if (*slot)
		return FAIL(e, HTTP_DECODE, "%s twice", name);
	*slot = &h->value;
	return 0;
}

/* Connection may name fields that are for the next hop only: never those that frame or route. */
static int check_connection(struct bytes value, struct err *e)
{
	if (http_has_token(value, "content-length") || http_has_token(value, "transfer-encoding") ||
	    http_has_token(value, "host"))
		return FAIL(e, HTTP_DECODE, "Connection names a field that frames the message");
	return 0;
}

static int framing_of(struct strict1 *r, struct framing *f, struct err *e)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct http_header *h = &r->headers[i];
		int status = 0;

		if (is_field(h, "content-length"))
			status = once(&f->length, h, "Content-Length", e);
		else if (is_field(h, "transfer-encoding"))
			status = once(&f->coding, h, "Transfer-Encoding", e);
		else if (is_field(h, "host"))
			status = once(&f->host, h, "Host", e);
		else if (is_field(h, "connection"))
			status = check_connection(h->value, e);
		else if (is_field(h, "upgrade"))
			r->asks_switch = true;
		if (status < 0)
			return -1;
	}
	return 0;
}

static int check_framing(struct strict1 *r, const struct framing *f, struct err *e)
{
	bool connect = bytes_equal(r->method, bytes_str("CONNECT"));

	r->asks_switch |= connect;
	if (f->length && f->coding)
		return FAIL(e, HTTP_DECODE, "both Content-Length and Transfer-Encoding");
	if (connect && (f->length || f->coding))
		return FAIL(e, HTTP_DECODE, "CONNECT with a body");
	if (f->coding && r->minor == 0)
		return FAIL(e, HTTP_DECODE, "Transfer-Encoding in HTTP/1.0");
	if (f->coding && !bytes_equal_nocase(*f->coding, bytes_str("chunked")))
		return FAIL(e, HTTP_DECODE, "a Transfer-Encoding that is not chunked");
	if (f->length && !bytes_decimal(*f->length, INT64_MAX, &r->length))
		return FAIL(e, HTTP_DECODE, "a Content-Length that is no number");
	if (!f->host && r->minor == 1)
		return FAIL(e, HTTP_DECODE, "no Host");
	r->body = STRICT1_NONE;
	if (f->coding)
		r->body = STRICT1_CHUNKED;
	else if (f->length && r->length)
		r->body = STRICT1_LENGTH;
	return 0;
}

static void start(struct strict1 *out)
{
	out->count = 0;
	out->length = 0;
	out->body = STRICT1_NONE;
	out->asks_switch = false;
	out->first_line = out->method = out->target = bytes_of(NULL, 0);
}

int strict1_request(struct bytes text, struct strict1 *out, struct err *e)
{
	struct framing f = { 0 };

	start(out);
	if (request_line(take_line(&text), out, e) < 0 || fields(text, out, e) < 0)
		return -1;
	if (framing_of(out, &f, e) < 0)
		return -1;
	return check_framing(out, &f, e);
}

int strict1_trailers(struct bytes text, struct strict1 *out, struct err *e)
{
	start(out);
	if (fields(text, out, e) < 0)
		return -1;
	/* A receiver that merged them into the head would frame the message anew (RFC 9110, 6.5.1). */
	for (size_t i = 0; i < out->count; i++)
		if (filter_is_framing(out->headers[i].name))
			return FAIL(e, HTTP_DECODE, "a trailer that frames the message");
	return 0;
}
