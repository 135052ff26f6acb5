#include "wire/name.h"

#include <stdio.h>

#include "base/escape.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char lower(uint8_t c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool is_allowed(char c)
{
	return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

/* What inet_aton takes for a number: decimal, or hexadecimal after 0x (also without digits). */
static bool is_number(struct bytes label)
{
	bool hex = label.n >= 2 && label.p[0] == '0' && label.p[1] == 'x';

	for (size_t i = hex ? 2 : 0; i < label.n; i++) {
		uint8_t c = label.p[i];

		if (!is_digit((char)c) && !(hex && c >= 'a' && c <= 'f'))
			return false;
	}
	return label.n > 0;
}

/* A reason, or NULL. text is lower case and has no trailing dot. */
static const char *label_fault(struct bytes text)
{
	struct bytes last;

	do {
		size_t dot = bytes_index(text, '.');

		if (dot == 0 || dot + 1 == text.n)
			return "has an empty label";
		if (dot > 63)
			return "has a label of more than 63 bytes";
		last = bytes_slice(text, 0, dot);
		text = bytes_slice(text, dot + 1, text.n);
	} while (text.n);
	return is_number(last) ? "ends in a number, which resolvers take for an address" : NULL;
}

static int name_fail(struct bytes text, const char *why, struct err *e)
{
	char shown[120];

	return FAIL(e, NAME, "'%s' is not a host name: it %s",
		    escape_to(shown, sizeof(shown), text), why);
}

static int bad_byte(struct bytes text, uint8_t c, struct err *e)
{
	char why[80];

	if (c > 0x20 && c < 0x7f)
		snprintf(why, sizeof(why), "has '%c' in it (letters, digits, '-', '_', '.' may be)",
			 c);
	else
		snprintf(why, sizeof(why), "has byte 0x%02x in it", c);
	return name_fail(text, why, e);
}

int name_parse(struct bytes text, struct name *out, struct err *e)
{
	struct bytes whole = text;
	struct name name = { 0 };
	struct addr ignored;
	const char *why;

	if (text.n > 1 && text.p[text.n - 1] == '.')
		text.n--;
	if (text.n == 0)
		return FAIL(e, NAME, "an empty host name");
	if (text.n > NAME_MAX_BYTES)
		return FAIL(e, NAME, "a host name of %zu bytes; at most %d may be", text.n,
			    NAME_MAX_BYTES);
	if (addr_parse_ip(text, 0, &ignored))
		return name_fail(whole, "is an address", e);
	for (size_t i = 0; i < text.n; i++) {
		name.text[i] = lower(text.p[i]);
		if (!is_allowed(name.text[i]) && name.text[i] != '.')
			return bad_byte(whole, text.p[i], e);
	}
	name.n = text.n;
	why = label_fault(name_bytes(&name));
	if (why)
		return name_fail(whole, why, e);
	*out = name;
	return 0;
}

bool name_equal(const struct name *a, const struct name *b)
{
	return bytes_equal(name_bytes(a), name_bytes(b));
}

int host_parse(struct bytes text, uint16_t port, struct host *out, struct err *e)
{
	struct host host = { .kind = HOST_ADDR, .port = port };

	if (!addr_parse_ip(text, port, &host.addr)) {
		host.kind = HOST_NAME;
		if (name_parse(text, &host.name, e) < 0)
			return -1;
	}
	*out = host;
	return 0;
}

/* Splits "host:port"; a bracketed address keeps its brackets. False: there is no colon after it. */
static bool split_port(struct bytes text, struct bytes *host, struct bytes *port)
{
	size_t from = text.n && text.p[0] == '[' ? bytes_index(text, ']') : 0;
	size_t colon = from + bytes_index(bytes_slice(text, from, text.n), ':');

	*host = bytes_slice(text, 0, colon);
	*port = bytes_slice(text, colon + 1, text.n);
	return colon < text.n;
}

int host_parse_authority(struct bytes text, uint16_t port, struct host *out, struct err *e)
{
	struct bytes host, digits;
	uint64_t given = port;
	char shown[120];

	escape_to(shown, sizeof(shown), text);
	if (split_port(text, &host, &digits)) {
		if (bytes_index(digits, ':') < digits.n)
			return FAIL(e, NAME, "'%s': an IPv6 address needs brackets, like [::1]:443",
				    shown);
		/* "host:" without digits is allowed by RFC 3986, 3.2.3, and means the default. */
		if ((digits.n || port == 0) &&
		    (!bytes_decimal(digits, 65535, &given) || given == 0 || digits.n > 5))
			return FAIL(e, NAME, "'%s': a port is a number from 1 to 65535", shown);
	} else if (port == 0) {
		return FAIL(e, NAME, "'%s': a port is needed, like example.com:443", shown);
	}
	if (host.n && host.p[0] == '[' && host.p[host.n - 1] != ']')
		return FAIL(e, NAME, "'%s': brackets hold an IPv6 address and nothing else", shown);
	return host_parse(host, (uint16_t)given, out, e);
}

const char *host_text(const struct host *h, char out[HOST_TEXT_MAX])
{
	char ip[ADDR_TEXT_MAX];

	if (h->kind == HOST_ADDR && h->port)
		snprintf(out, HOST_TEXT_MAX, "%s", addr_text(&h->addr, ip));
	else if (h->kind == HOST_ADDR)
		snprintf(out, HOST_TEXT_MAX, "%s", addr_ip_text(&h->addr, ip));
	else if (h->kind == HOST_NAME && h->port)
		snprintf(out, HOST_TEXT_MAX, "%s:%u", h->name.text, h->port);
	else
		snprintf(out, HOST_TEXT_MAX, "%s", h->kind == HOST_NAME ? h->name.text : "none");
	return out;
}

int name_pattern_parse(struct bytes text, struct name_pattern *out, struct err *e)
{
	struct name_pattern pattern = { .kind = NAME_EXACT };
	struct bytes rest = text;
	char shown[120];

	escape_to(shown, sizeof(shown), text);
	if (bytes_equal(text, bytes_str("*"))) {
		*out = (struct name_pattern){ .kind = NAME_ANY };
		return 0;
	}
	if (bytes_starts(text, bytes_str("*."))) {
		pattern.kind = NAME_SUFFIX;
		rest = bytes_slice(text, 2, text.n);
	}
	if (bytes_index(rest, '*') < rest.n)
		return FAIL(
			e, NAME,
			"'%s': a '*' stands alone or as the whole first label, like *.example.com",
			shown);
	if (name_parse(rest, &pattern.name, e) < 0)
		return err_ctx(e, "pattern '%s'", shown);
	/* At least "a." must fit before it. */
	if (pattern.kind == NAME_SUFFIX && pattern.name.n > NAME_MAX_BYTES - 2)
		return FAIL(e, NAME, "'%s': no name is long enough to match", shown);
	*out = pattern;
	return 0;
}

bool name_match(const struct name_pattern *pattern, const struct name *name)
{
	const struct name *p = &pattern->name;

	if (pattern->kind == NAME_ANY)
		return true;
	if (!name)
		return false;
	if (pattern->kind == NAME_EXACT)
		return name_equal(p, name);
	return name->n > p->n + 1 && name->text[name->n - p->n - 1] == '.' &&
	       bytes_equal(bytes_slice(name_bytes(name), name->n - p->n, p->n), name_bytes(p));
}
