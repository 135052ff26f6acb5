#include "cmd/certs_value.h"

#include <stdio.h>

#include "base/escape.h"
#include "wire/addr.h"
#include "wire/der.h"

#define NS_A_SECOND 1000000000ull

static int refuse(const struct config_node *n, struct err *e, const char *expected)
{
	char found[CONFIG_FOUND_MAX];

	return CONFIG_FAIL(&n->at, e, "%s%sexpected %s; found %s",
			   n->key ? (const char *)n->key->text.p : "", n->key ? ": " : "", expected,
			   config_node_text(n, found));
}

int certs_value_bool(const struct config_node *n, bool *out, struct err *e)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = { { "true", true },	  { "yes", true }, { "on", true },   { "y", true },
		      { "false", false }, { "no", false }, { "off", false }, { "n", false } };

	for (size_t i = 0; n->kind == CONFIG_NODE_TEXT && n->plain && i < ARRAY_LEN(words); i++) {
		if (!bytes_equal_nocase(n->text, bytes_str(words[i].word)))
			continue;
		*out = words[i].value;
		return 0;
	}
	return refuse(n, e, "true or false");
}

static bool parse_number(struct bytes text, uint64_t *out)
{
	unsigned base = 10;
	uint64_t v = 0;
	size_t digits = 0;

	if (text.n && text.p[0] == '+')
		text = bytes_slice(text, 1, text.n);
	if (text.n > 1 && text.p[0] == '0') {
		uint8_t c = text.p[1];

		base = c == 'x' || c == 'X' ? 16 : c == 'b' ? 2 : 8;
		text = bytes_slice(text, base != 8 || c == 'o' ? 2 : 1, text.n);
	}
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		unsigned digit = c >= '0' && c <= '9'	? c - (unsigned)'0'
				 : c >= 'a' && c <= 'f' ? c - 'a' + 10u
				 : c >= 'A' && c <= 'F' ? c - 'A' + 10u
							: 99;

		if (c == '_')
			continue;
		if (digit >= base || v > ((uint64_t)INT64_MAX - digit) / base)
			return false;
		v = v * base + digit;
		digits++;
	}
	*out = v;
	return digits != 0;
}

int certs_value_number(const struct config_node *n, uint64_t *out, struct err *e)
{
	if (n->kind != CONFIG_NODE_TEXT || !n->plain || !parse_number(n->text, out))
		return refuse(n, e, "a number from 0 to 9223372036854775807");
	return 0;
}

struct unit {
	const char *name;
	uint64_t ns;
};
/* The longer of two that begin alike comes first. */
static const struct unit units[] = { { "ns", 1 },
				     { "us", 1000 },
				     { "\xc2\xb5s", 1000 },
				     { "\xce\xbcs", 1000 },
				     { "ms", 1000000 },
				     { "s", NS_A_SECOND },
				     { "m", 60 * NS_A_SECOND },
				     { "h", 3600 * NS_A_SECOND } };
static const struct unit day = { "d", 24 * 3600 * NS_A_SECOND };

static const struct unit *find_unit(struct bytes text, bool days)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (bytes_starts(text, bytes_str(units[i].name)))
			return &units[i];
	return days && bytes_starts(text, bytes_str(day.name)) ? &day : NULL;
}

/* One number with its unit, added to *total. */
static bool take_part(struct bytes *text, bool days, uint64_t *total)
{
	uint64_t whole = 0, part = 0, scale = 1;
	const struct unit *unit;
	size_t i = 0, digits = 0;

	for (; i < text->n && text->p[i] >= '0' && text->p[i] <= '9'; i++, digits++) {
		if (whole > INT64_MAX / 100)
			return false;
		whole = whole * 10 + (text->p[i] - '0');
	}
	if (i < text->n && text->p[i] == '.')
		for (i++; i < text->n && text->p[i] >= '0' && text->p[i] <= '9'; i++, digits++) {
			if (scale >= NS_A_SECOND)
				continue;
			scale *= 10;
			part = part * 10 + (text->p[i] - '0');
		}
	*text = bytes_slice(*text, i, text->n);
	unit = find_unit(*text, days);
	if (!unit || digits == 0 || whole > (INT64_MAX - *total) / unit->ns)
		return false;
	*text = bytes_slice(*text, strlen(unit->name), text->n);
	*total += whole * unit->ns;
	/* A fraction of an hour in nanoseconds has 42 bits, times nine digits of it too many. */
	part = (uint64_t)((double)part / (double)scale * (double)unit->ns);
	*total += part;
	return *total <= INT64_MAX;
}

static bool parse_duration(struct bytes text, bool days, int64_t *seconds)
{
	uint64_t total = 0;

	if (text.n && text.p[0] == '+')
		text = bytes_slice(text, 1, text.n);
	if (text.n == 0)
		return false;
	while (text.n)
		if (!take_part(&text, days, &total))
			return false;
	*seconds = (int64_t)(total / NS_A_SECOND);
	return true;
}

int certs_value_duration(const struct config_node *n, int64_t *seconds, struct err *e)
{
	if (n->kind != CONFIG_NODE_TEXT || !parse_duration(n->text, false, seconds))
		return refuse(n, e,
			      "a duration of hours, minutes and seconds that is not negative, such "
			      "as 8760h for a year or 1h30m");
	return 0;
}

int certs_duration_parse(const char *option, const char *text, int64_t *seconds, struct err *e)
{
	char shown[64];

	if (!parse_duration(bytes_str(text), true, seconds))
		return FAIL(e, USAGE, "certs: --%s=%s: expected a duration such as 30d or 12h",
			    option, escape_to(shown, sizeof(shown), bytes_str(text)));
	return 0;
}

/* Exactly n digits; takes them. */
static int take_digits(struct bytes *text, size_t n, bool *bad)
{
	uint64_t v = 0;

	if (text->n < n || !bytes_decimal(bytes_slice(*text, 0, n), 9999, &v))
		*bad = true;
	*text = bytes_slice(*text, n, text->n);
	return (int)v;
}

static void take_char(struct bytes *text, const char *any, bool *bad)
{
	if (text->n == 0 || text->p[0] == 0 || !strchr(any, text->p[0]))
		*bad = true;
	*text = bytes_slice(*text, 1, text->n);
}

/* "Z", "+02:00": what must be taken away, in seconds. */
static int64_t take_zone(struct bytes *text, bool *bad)
{
	bool behind = text->n && text->p[0] == '-';
	int64_t s;

	if (text->n == 1 && (text->p[0] == 'Z' || text->p[0] == 'z')) {
		*text = bytes_slice(*text, 1, 0);
		return 0;
	}
	take_char(text, "+-", bad);
	s = take_digits(text, 2, bad) * 3600;
	take_char(text, ":", bad);
	s += take_digits(text, 2, bad) * 60;
	return behind ? -s : s;
}

static bool parse_time(struct bytes text, int64_t *out)
{
	struct civil c = { 0 };
	bool bad = false;
	int64_t zone;

	c.year = take_digits(&text, 4, &bad);
	take_char(&text, "-", &bad);
	c.month = take_digits(&text, 2, &bad);
	take_char(&text, "-", &bad);
	c.day = take_digits(&text, 2, &bad);
	if (bad || c.month < 1 || c.month > 12 || c.day < 1 || c.day > 31)
		return false;
	if (text.n == 0) {
		*out = civil_to_unix(&c);
		return true;
	}
	take_char(&text, "Tt ", &bad);
	c.hour = take_digits(&text, 2, &bad);
	take_char(&text, ":", &bad);
	c.minute = take_digits(&text, 2, &bad);
	take_char(&text, ":", &bad);
	c.second = take_digits(&text, 2, &bad);
	if (!bad && text.n && text.p[0] == '.')
		do
			text = bytes_slice(text, 1, text.n);
		while (text.n && text.p[0] >= '0' && text.p[0] <= '9');
	zone = take_zone(&text, &bad);
	if (bad || text.n || c.hour > 23 || c.minute > 59 || c.second > 59)
		return false;
	*out = civil_to_unix(&c) - zone;
	return true;
}

int certs_value_time(const struct config_node *n, int64_t *out, struct err *e)
{
	if (n->kind != CONFIG_NODE_TEXT || !parse_time(n->text, out))
		return refuse(n, e, "a time such as 2025-01-02T03:04:05Z");
	return 0;
}

int certs_value_text(const struct config_node *n, const char **out, struct err *e)
{
	if (n->kind != CONFIG_NODE_TEXT || n->text.n == 0)
		return refuse(n, e, "text");
	for (size_t i = 0; i < n->text.n; i++)
		if (n->text.p[i] < 0x20 || n->text.p[i] == 0x7f)
			return CONFIG_FAIL(&n->at, e,
					   "%s%scharacter %zu is a control character (\\x%02x), "
					   "which no name holds",
					   n->key ? (const char *)n->key->text.p : "",
					   n->key ? ": " : "", i + 1, n->text.p[i]);
	*out = (const char *)n->text.p;
	return 0;
}

static bool is_ascii(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] >= 0x80)
			return false;
	return true;
}

/* *out: its value is the text, then the bytes. */
static int take_ip(struct arena *a, const struct config_node *n, bool tree, struct san *out,
		   struct err *e)
{
	struct bytes text = out->value;
	struct addr_range range = { 0 };
	uint8_t both[32] = { 0 };
	struct bytes ip, value;
	void *copy;

	if (tree ? addr_range_parse(text, &range, NULL) < 0 : !addr_parse_ip(text, 0, &range.base))
		return refuse(n, e,
			      tree ? "a network such as IP:10.0.0.0/8"
				   : "an address such as IP:127.0.0.1 or IP:::1");
	ip = addr_ip(&range.base);
	memcpy(both, ip.p, ip.n);
	for (unsigned i = 0; i < range.prefix && i < ip.n * 8; i++)
		both[ip.n + i / 8] |= (uint8_t)(0x80 >> i % 8);
	value = bytes_of(both, tree ? ip.n * 2 : ip.n);
	copy = arena_dup(a, value);
	if (!copy)
		return FAIL(e, NOMEM, "%s: out of memory", n->at.name);
	*out = (struct san){ SAN_IP, bytes_of(copy, value.n) };
	return 0;
}

int certs_value_name(struct arena *a, const struct config_node *n, bool tree, struct san *out,
		     struct err *e)
{
	static const struct {
		const char *prefix;
		enum san_kind kind;
	} kinds[] = {
		{ "DNS:", SAN_DNS }, { "IP:", SAN_IP }, { "URI:", SAN_URI }, { "email:", SAN_EMAIL }
	};
	const char *text;
	struct bytes value;

	if (certs_value_text(n, &text, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!bytes_starts(n->text, bytes_str(kinds[i].prefix)))
			continue;
		value = bytes_slice(n->text, strlen(kinds[i].prefix), n->text.n);
		if (kinds[i].kind == SAN_IP) {
			*out = (struct san){ SAN_IP, value };
			return take_ip(a, n, tree, out, e);
		}
		if (tree && kinds[i].kind == SAN_DNS && value.n > 1 && value.p[0] == '.')
			value = bytes_slice(value, 1, value.n);
		if (value.n == 0 || !is_ascii(value))
			return refuse(n, e,
				      "a name in ASCII (write international ones as xn--...)");
		*out = (struct san){ kinds[i].kind, value };
		return 0;
	}
	return refuse(n, e,
		      "a name with DNS:, IP:, URI: or email: before it (unknown san, forgot "
		      "prefix?)");
}
