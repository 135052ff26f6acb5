#include "flow/curl.h"

#include "base/escape.h"
#include "flow/view.h"

/* One argument of a command may be 128 KiB on Linux; a body close to that goes through a pipe. */
#define ARGUMENT_MAX 100000

/* What curl makes itself, or what belongs to the one connection (RFC 9110, 7.6.1). */
static const char *const skipped[] = {
	"connection",
	"content-length",
	"http2-settings",
	"keep-alive",
	"proxy-authenticate",
	"proxy-connection",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
	"proxy-authorization",
};
/* What curl would add of its own, when the request had none. */
static const char *const added[] = { "user-agent", "accept" };

static bool is_token(struct bytes b)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] == 0 || !strchr(allowed, b.p[i]))
			return false;
	return b.n > 0;
}

/* Text that may be printed as it is: the escaper would not change it. Lines and tabs are fine
 * between quotes. */
static bool is_printable(struct bytes text, bool lines)
{
	while (text.n) {
		uint32_t cp = 0;
		size_t n = text.p[0] < 0x80 ? 1 : utf8_length(text, &cp);
		char shown[24];

		if (n == 0)
			return false;
		if (n == 1 && (text.p[0] < 0x20 || text.p[0] == 0x7f)) {
			if (!lines || (text.p[0] != '\n' && text.p[0] != '\t'))
				return false;
		} else if (n > 1) {
			escape_to(shown, sizeof(shown), bytes_slice(text, 0, n));
			if (!bytes_equal(bytes_str(shown), bytes_slice(text, 0, n)))
				return false;
		}
		text = bytes_slice(text, n, text.n);
	}
	return true;
}

/* Between single quotes the shell changes nothing; a single quote itself becomes '\''. */
static void put_quoted_part(struct put *w, struct bytes text)
{
	while (text.n) {
		size_t n = bytes_index(text, '\'');

		put_bytes(w, bytes_slice(text, 0, n));
		if (n < text.n)
			put_str(w, "'\\''");
		text = bytes_slice(text, n + 1, text.n);
	}
}

static void put_quoted(struct put *w, struct mask m)
{
	struct bytes part;

	put_char(w, '\'');
	while (mask_next(&m, &part))
		put_quoted_part(w, part);
	put_char(w, '\'');
}

static void put_option(struct put *w, const char *option)
{
	put_str(w, " \\\n  ");
	put_str(w, option);
}

static bool is_skipped(const struct exchange *x, const struct flow_header *h)
{
	/* The one value that HTTP/2 allows; servers of gRPC want it. */
	if (x->version_major == 2 && bytes_equal_nocase(h->name, bytes_str("te")))
		return false;
	if (x->unknown &&
	    (bytes_equal(h->name, bytes_str("?")) || bytes_equal(h->value, bytes_str("?"))))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(skipped); i++)
		if (bytes_equal_nocase(h->name, bytes_str(skipped[i])))
			return true;
	if (bytes_equal_nocase(h->name, bytes_str("host")))
		return bytes_equal_nocase(h->value, x->authority);
	return h->name.n && h->name.p[0] == ':';
}

static void put_header(struct put *w, const struct flow_header *h, bool mask)
{
	put_option(w, "-H '");
	put_bytes(w, h->name);
	if (h->value.n == 0) {
		put_str(w, ";'"); /* a header without a value; with a colon curl would remove it */
		return;
	}
	put_str(w, ": ");
	for (struct mask m = mask ? mask_header(h->name, h->value) : mask_none(h->value);;) {
		struct bytes part;

		if (!mask_next(&m, &part))
			break;
		put_quoted_part(w, part);
	}
	put_char(w, '\'');
}

static bool has(const struct message *m, const char *name)
{
	for (size_t i = 0; i < m->header_count; i++)
		if (bytes_equal_nocase(m->headers[i].name, bytes_str(name)))
			return true;
	return false;
}

static void put_without(struct put *w, const char *name)
{
	put_option(w, "-H '");
	put_str(w, name);
	put_str(w, ":'");
}

static bool header_is_clean(const struct flow_header *h)
{
	return is_token(h->name) && is_printable(h->value, false);
}

static void put_headers(struct put *w, const struct exchange *x, bool mask, bool body)
{
	const struct message *m = &x->request;

	for (size_t i = 0; i < m->header_count; i++)
		if (!is_skipped(x, &m->headers[i]) && header_is_clean(&m->headers[i]))
			put_header(w, &m->headers[i], mask);
	for (size_t i = 0; i < ARRAY_LEN(added); i++)
		if (!has(m, added[i]))
			put_without(w, added[i]);
	if (body && !has(m, "content-type"))
		put_without(w, "content-type");
	if (has(m, "accept-encoding"))
		put_option(w, "--compressed");
}

static void put_method(struct put *w, const struct exchange *x, bool body)
{
	bool get = bytes_equal(x->method, bytes_str("GET"));
	bool post = bytes_equal(x->method, bytes_str("POST"));

	/* What follows from the other options is not said again; curl would warn. */
	if ((get && !body) || (post && body))
		return;
	if (bytes_equal(x->method, bytes_str("HEAD")) && !body) {
		put_option(w, "--head");
		return;
	}
	put_option(w, "-X ");
	put_quoted(w, mask_none(x->method));
}

static void put_version(struct put *w, const struct exchange *x)
{
	bool tls = bytes_equal_nocase(x->scheme, bytes_str("https"));

	if (x->version_major == 2)
		put_option(w, tls ? "--http2" : "--http2-prior-knowledge");
	else if (x->version_major == 1)
		put_option(w, x->version_minor == 0 ? "--http1.0" : "--http1.1");
}

static bool contains(struct bytes text, const char *what)
{
	struct bytes wanted = bytes_str(what);

	for (; text.n >= wanted.n; text = bytes_slice(text, 1, text.n))
		if (bytes_starts(text, wanted))
			return true;
	return false;
}

static void put_url_options(struct put *w, const struct exchange *x)
{
	bool brackets = false;

	for (const char *c = "[]{}"; *c; c++)
		brackets |= bytes_index(x->path, (uint8_t)*c) < x->path.n ||
			    bytes_index(x->authority, (uint8_t)*c) < x->authority.n;
	if (brackets)
		put_option(w, "--globoff");
	if (contains(x->path, "/./") || contains(x->path, "/../"))
		put_option(w, "--path-as-is");
}

/* Lines that say what the command leaves out. */
static void put_comments(struct put *w, const struct exchange *x, bool mask)
{
	const struct message *m = &x->request;

	for (size_t i = 0; i < m->header_count; i++) {
		if (is_skipped(x, &m->headers[i]) || header_is_clean(&m->headers[i]))
			continue;
		put_str(w, "# left out, a shell could not carry it: ");
		put_escaped(w, m->headers[i].name);
		put_char(w, '\n');
	}
	if (m->headers_cut)
		put_str(w, "# some headers were not kept\n");
	if (x->unknown)
		put_str(w, "# some of the head is not known\n");
	if (m->body_bytes && mask) {
		put_str(w, "# the body is hidden\n");
	} else if (m->body_cut || m->body.n < m->body_bytes) {
		put_str(w, "# of the body ");
		put_u64(w, m->body.n);
		put_str(w, " of ");
		put_u64(w, m->body_bytes);
		put_str(w, " bytes were kept\n");
	}
}

static int check(const struct exchange *x, struct err *e)
{
	if (!x->request.seen)
		return FAIL(e, UNSUPPORTED, "exchange %llu has no request",
			    (unsigned long long)x->n);
	if (bytes_equal(x->method, bytes_str("CONNECT")) || x->scheme.n == 0)
		return FAIL(e, UNSUPPORTED, "exchange %llu has no URL that curl could ask for",
			    (unsigned long long)x->n);
	if (!is_token(x->method) || !is_token(x->scheme) || x->authority.n == 0 ||
	    !is_printable(x->authority, false) || !is_printable(x->path, false))
		return FAIL(e, UNSUPPORTED,
			    "method or URL of exchange %llu cannot be said in a shell",
			    (unsigned long long)x->n);
	return 0;
}

static void put_target_url(struct put *w, const struct exchange *x, bool mask)
{
	/* "*": the server as a whole. */
	bool whole = bytes_equal(x->path, bytes_str("*"));

	if (whole)
		put_option(w, "--request-target '*'");
	put_option(w, "'");
	put_bytes(w, x->scheme);
	put_str(w, "://");
	for (size_t i = 0; i < 2; i++) {
		struct bytes text = i == 0 ? x->authority : x->path, part;
		struct mask m = mask ? mask_url(text) : mask_none(text);

		if (i == 1 && whole)
			break;
		while (mask_next(&m, &part))
			put_quoted_part(w, part);
	}
	put_char(w, '\'');
}

int curl_write(struct buf *out, const struct curl_options *o, const struct exchange *x,
	       struct err *e)
{
	struct put w = put_init(out, e);
	struct bytes body = o->mask ? bytes_of(NULL, 0) : x->request.body;
	bool piped = body.n > ARGUMENT_MAX || !is_printable(body, true);

	if (check(x, e) < 0)
		return -1;
	put_comments(&w, x, o->mask);
	if (body.n && piped) {
		put_str(&w, "printf '%s' '");
		put_base64(&w, body);
		put_str(&w, "' | base64 -d | ");
	}
	put_str(&w, "curl");
	put_method(&w, x, body.n);
	put_version(&w, x);
	put_url_options(&w, x);
	put_headers(&w, x, o->mask, body.n);
	if (body.n && piped) {
		put_option(&w, "--data-binary @-");
	} else if (body.n) {
		/* --data-binary would take a body that begins with "@" for the name of a file. */
		put_option(&w, "--data-raw ");
		put_quoted(&w, mask_none(body));
	}
	put_target_url(&w, x, o->mask);
	put_char(&w, '\n');
	return put_end(&w);
}
