#include "flow/mask.h"

enum mask_state {
	MASK_START,
	MASK_HIDE,  /* "***" comes next, what it stands for was taken already */
	MASK_SEEK,  /* the query of a URL */
	MASK_NAME,  /* a separator or a parameter */
	MASK_VALUE, /* of a parameter */
	MASK_PASS,  /* the rest as it is */
};

static const char *const url_headers[] = {
	"location", "content-location", "referer",    "refresh",
	"link",	    "destination",	":authority", ":path",
};
static const char *const secret_headers[] = {
	"x-api-key",
	"api-key",
	"apikey",
	"ocp-apim-subscription-key",
	"x-functions-key",
	"dpop",
	"token",
	"x-session",
	"x-session-id",
	"authentication",
	"x-auth",
	"x-secret",
	"x-password",
	"x-auth-key",
	"x-master-key",
	"x-amz-sse-c-key",
	"x-amz-server-side-encryption-customer-key",
	"x-ms-encryption-key",
	"x-goog-encryption-key",
};
static const char *const secret_ends[] = {
	"-token", "-secret", "-api-key", "-apikey", "-access-key", "-password", "-authorization",
};

static bool is_one_of(struct bytes name, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes_equal_nocase(name, bytes_str(list[i])))
			return true;
	return false;
}

bool mask_is_secret(struct bytes name)
{
	for (size_t i = 0; i < ARRAY_LEN(secret_ends); i++)
		if (bytes_ends_nocase(name, bytes_str(secret_ends[i])))
			return true;
	return is_one_of(name, secret_headers, ARRAY_LEN(secret_headers));
}

static enum mask_kind header_kind(struct bytes name)
{
	if (bytes_equal_nocase(name, bytes_str("cookie")))
		return MASK_COOKIE;
	if (bytes_equal_nocase(name, bytes_str("set-cookie")))
		return MASK_SET_COOKIE;
	if (bytes_equal_nocase(name, bytes_str("authorization")) ||
	    bytes_equal_nocase(name, bytes_str("proxy-authorization")))
		return MASK_SCHEME;
	if (is_one_of(name, url_headers, ARRAY_LEN(url_headers)))
		return MASK_URL;
	return mask_is_secret(name) ? MASK_ALL : MASK_NONE;
}

struct mask mask_url(struct bytes url)
{
	return (struct mask){ .rest = url, .kind = MASK_URL };
}

struct mask mask_header(struct bytes name, struct bytes value)
{
	return (struct mask){ .rest = value, .kind = header_kind(name) };
}

struct mask mask_none(struct bytes text)
{
	return (struct mask){ .rest = text };
}

/* The position of the first byte that is in set, or b.n. */
static size_t index_of_any(struct bytes b, const char *set)
{
	size_t i = 0;

	while (i < b.n && (b.p[i] == 0 || !strchr(set, b.p[i])))
		i++;
	return i;
}

/* Where the authority of a URL begins: after "://" or a leading "//"; a text that does not begin
 * like a path may be an authority itself. b.n: there is none. */
static size_t authority_at(struct bytes b)
{
	size_t i = index_of_any(b, "/?#");

	if (i + 1 < b.n && b.p[i] == '/' && b.p[i + 1] == '/' && (i == 0 || b.p[i - 1] == ':'))
		return i + 2;
	return i == 0 ? b.n : 0;
}

/* Takes n bytes as a part. */
static bool take(struct mask *m, size_t n, enum mask_state next, struct bytes *part)
{
	*part = bytes_slice(m->rest, 0, n);
	m->rest = bytes_slice(m->rest, n, m->rest.n);
	m->state = next;
	return n > 0;
}

/* Instead of n bytes. */
static bool hide(struct mask *m, size_t n, enum mask_state next, struct bytes *part)
{
	(void)take(m, n, next, part);
	*part = bytes_str("***");
	return true;
}

static bool start_url(struct mask *m, struct bytes *part)
{
	size_t from = authority_at(m->rest);
	struct bytes rest = bytes_slice(m->rest, from, m->rest.n);
	struct bytes authority = bytes_slice(rest, 0, index_of_any(rest, "/?#"));
	size_t at = authority.n;

	while (at && authority.p[at - 1] != '@')
		at--;
	if (at == 0)
		return take(m, 0, MASK_SEEK, part);
	/* The "@" itself stays; it is taken with what follows. */
	if (from == 0)
		return hide(m, at - 1, MASK_SEEK, part);
	return take(m, from, MASK_HIDE, part);
}

static bool start(struct mask *m, struct bytes *part)
{
	size_t n;

	switch (m->kind) {
	case MASK_NONE:
		return take(m, m->rest.n, MASK_PASS, part);
	case MASK_ALL:
		return hide(m, m->rest.n, MASK_PASS, part);
	case MASK_SCHEME:
		n = index_of_any(m->rest, " \t");
		/* Without a scheme all of it is the secret. */
		if (n == m->rest.n)
			return hide(m, n, MASK_PASS, part);
		return take(m, n + 1, MASK_HIDE, part);
	case MASK_URL:
		return start_url(m, part);
	case MASK_COOKIE:
	case MASK_SET_COOKIE:
		break;
	}
	m->state = MASK_NAME;
	return false;
}

static const char *separators(const struct mask *m)
{
	if (m->kind == MASK_URL)
		return "&;#";
	return m->kind == MASK_COOKIE ? "; \t" : ";";
}

static bool name(struct mask *m, struct bytes *part)
{
	struct bytes all = bytes_slice(m->rest, 0, index_of_any(m->rest, separators(m)));
	size_t n = bytes_index(all, '='), end = all.n;

	if (all.n == 0) {
		bool first_ended = m->kind == MASK_SET_COOKIE;

		return take(m, first_ended ? m->rest.n : 1, MASK_NAME, part);
	}
	while (end && all.p[end - 1] == '=')
		end--;
	if (n >= end)
		return hide(m, all.n, MASK_NAME, part);
	return take(m, n + 1, MASK_VALUE, part);
}

static bool hidden(struct mask *m, struct bytes *part)
{
	size_t n = m->rest.n;

	if (m->kind == MASK_SCHEME)
		return n ? hide(m, n, MASK_PASS, part) : false;
	/* Userinfo: up to the last "@" of the authority. */
	n = index_of_any(m->rest, "/?#");
	while (n && m->rest.p[n - 1] != '@')
		n--;
	return hide(m, n ? n - 1 : 0, MASK_SEEK, part);
}

static bool step(struct mask *m, struct bytes *part)
{
	size_t n;

	switch ((enum mask_state)m->state) {
	case MASK_START:
		return start(m, part);
	case MASK_HIDE:
		return hidden(m, part);
	case MASK_SEEK:
		n = index_of_any(m->rest, "?#");
		return take(m, n < m->rest.n ? n + 1 : n, MASK_NAME, part);
	case MASK_NAME:
		return name(m, part);
	case MASK_VALUE:
		return hide(m, index_of_any(m->rest, separators(m)), MASK_NAME, part);
	case MASK_PASS:
		break;
	}
	return take(m, m->rest.n, MASK_PASS, part);
}

bool mask_next(struct mask *m, struct bytes *part)
{
	while (m->rest.n)
		if (step(m, part))
			return true;
	return false;
}

int mask_add(struct buf *out, struct mask m, struct err *e)
{
	size_t before = out->n;
	struct bytes part;

	while (mask_next(&m, &part)) {
		if (buf_add(out, part, e) < 0) {
			out->n = before;
			return -1;
		}
	}
	return 0;
}
