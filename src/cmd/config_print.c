/* Objects to YAML: what parses back to the same. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/config_value.h"

typedef int print_fn(struct config_printer *p, const struct config_key *k, const void *field,
		     struct err *e);

/* What a value has to be, for complaints and for the reference. */

static const char *const expects_of[CONFIG_KIND_COUNT] = {
	[CONFIG_KIND_BOOL] = "true or false",
	[CONFIG_KIND_TEXT] = "a text of at most 1000 bytes without control characters",
	[CONFIG_KIND_PATH] = "the path of a file",
	[CONFIG_KIND_ASSET] = "the path of a file",
	[CONFIG_KIND_ASSETS] = "the path of a file, or a list of them",
	[CONFIG_KIND_ADDR] = "ADDRESS:PORT such as 127.0.0.1:8080",
	[CONFIG_KIND_RANGES] = "a list of address ranges such as [10.0.0.0/8]",
	[CONFIG_KIND_TARGETS] =
		("a list of hosts, addresses and ranges such as [\"*.example.com\", "
		 "\"10.0.0.0/8:443\"]"),
	[CONFIG_KIND_NAMES] = "a list of names such as [\"*.example.com\"]",
	[CONFIG_KIND_ALLOW] = ("a list of loopback, link-local, metadata, unspecified, multicast, "
			       "own and address ranges"),
	[CONFIG_KIND_HEADERS] = "a mapping of 1 to 64 header fields such as {X-Seen-By: oriel}",
	[CONFIG_KIND_HOSTS] =
		"a mapping of at most 4096 names to addresses such as {db.test: 10.9.0.43}",
	[CONFIG_KIND_SOCKET] = "unix:/PATH (at most 107 bytes), default or off",
	[CONFIG_KIND_PROXY] = "http://HOST:PORT",
	[CONFIG_KIND_MAP] = "a mapping",
	[CONFIG_KIND_LIST] = "a list of mappings",
};

/* "a, b or c" */
static void join_choices(const struct config_choice *c, char *out, size_t size)
{
	size_t n = 0;

	for (const char *before = ""; c->name && n < size; c++) {
		n += (size_t)snprintf(out + n, size - n, "%s%s", before, c->name);
		before = c[1].name && !c[2].name ? " or " : ", ";
	}
}

const char *config_key_expects(const struct config_key *k, char out[CONFIG_EXPECTS_MAX])
{
	static const struct {
		const char *what, *example;
	} numbers[CONFIG_KIND_COUNT] = {
		[CONFIG_KIND_NUMBER] = { "a number", "" },
		[CONFIG_KIND_SIZE] = { "a size", ", such as 64KiB" },
		[CONFIG_KIND_DURATION] = { "a duration", ", such as 10s" },
	};
	char min[CONFIG_NUMBER_MAX], max[CONFIG_NUMBER_MAX];

	if (k->kind == CONFIG_KIND_CHOICE) {
		join_choices(k->choices, out, CONFIG_EXPECTS_MAX);
	} else if (numbers[k->kind].what) {
		config_number_text(k, k->min, min);
		config_number_text(k, k->max, max);
		snprintf(out, CONFIG_EXPECTS_MAX, "%s from %s to %s%s", numbers[k->kind].what, min,
			 max, numbers[k->kind].example);
	} else if (k->kind == CONFIG_KIND_LIST && k->max) {
		snprintf(out, CONFIG_EXPECTS_MAX, "a list of %" PRIu64 " to %" PRIu64 " mappings",
			 k->min, k->max);
	} else {
		snprintf(out, CONFIG_EXPECTS_MAX, "%s", expects_of[k->kind]);
	}
	return out;
}

/* Text: without quotes where that cannot mean anything else. */

static bool is_plain(struct bytes text)
{
	static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off" };

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		bool word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

		if (!word && (c == 0 || !strchr(i ? "_./:+-" : "/", c)))
			return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (bytes_equal_nocase(text, bytes_str(words[i])))
			return false;
	return text.n > 0 && text.p[text.n - 1] != ':';
}

/* Beyond ASCII YAML knows line ends of its own, so everything there is escaped. */
static int print_rune(struct config_printer *p, uint32_t rune, struct err *e)
{
	if (rune == '"' || rune == '\\')
		return buf_printf(p->out, e, "\\%c", (char)rune);
	if (rune > 0xffff)
		return buf_printf(p->out, e, "\\U%08x", (unsigned)rune);
	if (rune >= 0x7f || rune < 0x20)
		return buf_printf(p->out, e, "\\u%04x", (unsigned)rune);
	return buf_printf(p->out, e, "%c", (char)rune);
}

static int print_text(struct config_printer *p, struct bytes text, struct err *e)
{
	uint32_t rune;

	if (is_plain(text))
		return buf_add(p->out, text, e);
	if (buf_printf(p->out, e, "\"") < 0)
		return -1;
	while (text.n) {
		if (!config_rune_take(&text, &rune))
			return FAIL(e, CONFIG, "a text in the configuration is not UTF-8");
		if (print_rune(p, rune, e) < 0)
			return -1;
	}
	return buf_printf(p->out, e, "\"");
}

static int print_string(struct config_printer *p, const struct config_key *k, const void *field,
			struct err *e)
{
	const char *s;

	(void)k;
	memcpy(&s, field, sizeof(s));
	return print_text(p, bytes_str(s), e);
}

static int print_number(struct config_printer *p, const struct config_key *k, const void *field,
			struct err *e)
{
	char text[CONFIG_NUMBER_MAX];

	config_number_text(k, config_field_number(k, field), text);
	return buf_printf(p->out, e, "%s", text);
}

static int print_bool(struct config_printer *p, const struct config_key *k, const void *field,
		      struct err *e)
{
	return buf_printf(p->out, e, config_field_number(k, field) ? "true" : "false");
}

static const char *choice_name(const struct config_key *k, const void *field)
{
	uint64_t value = config_field_number(k, field);

	for (const struct config_choice *c = k->choices; c->name; c++)
		if (c->value == value)
			return c->name;
	return NULL;
}

static int print_choice(struct config_printer *p, const struct config_key *k, const void *field,
			struct err *e)
{
	return buf_printf(p->out, e, "%s", choice_name(k, field));
}

/* Files and addresses. */

static int field_index(const void *field)
{
	int index;

	memcpy(&index, field, sizeof(index));
	return index;
}

static int print_asset(struct config_printer *p, const struct config_key *k, const void *field,
		       struct err *e)
{
	(void)k;
	return print_text(p, bytes_str(p->config->assets[field_index(field)].path), e);
}

static int print_addr(struct config_printer *p, const struct config_key *k, const void *field,
		      struct err *e)
{
	char text[ADDR_TEXT_MAX];
	struct addr a;

	(void)k;
	memcpy(&a, field, sizeof(a));
	return print_text(p, bytes_str(addr_text(&a, text)), e);
}

static int print_range(struct config_printer *p, const struct config_key *k, const void *field,
		       struct err *e)
{
	char ip[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX + 8];
	struct addr_range range;

	(void)k;
	memcpy(&range, field, sizeof(range));
	snprintf(text, sizeof(text), "%s/%u", addr_ip_text(&range.base, ip), range.prefix);
	return print_text(p, bytes_str(text), e);
}

static int print_pattern(struct config_printer *p, const struct config_key *k, const void *field,
			 struct err *e)
{
	struct config_pattern pattern;

	(void)k;
	memcpy(&pattern, field, sizeof(pattern));
	return print_text(p, bytes_str(pattern.text), e);
}

/* The entries of a list, without its brackets. */
static int print_entries(struct config_printer *p, const struct config_any_list *l, size_t size,
			 print_fn *print, struct err *e)
{
	const uint8_t *entry = l->list;

	for (size_t i = 0; i < l->count; i++, entry += size) {
		if (i && buf_printf(p->out, e, ", ") < 0)
			return -1;
		if (print(p, NULL, entry, e) < 0)
			return -1;
	}
	return 0;
}

static int print_list(struct config_printer *p, const struct config_key *k, const void *field,
		      struct err *e)
{
	static const struct {
		print_fn *print;
		size_t size;
	} entries[CONFIG_KIND_COUNT] = {
		[CONFIG_KIND_ASSETS] = { print_asset, sizeof(int) },
		[CONFIG_KIND_RANGES] = { print_range, sizeof(struct addr_range) },
		[CONFIG_KIND_TARGETS] = { print_pattern, sizeof(struct config_pattern) },
		[CONFIG_KIND_NAMES] = { print_pattern, sizeof(struct config_pattern) },
	};
	struct config_any_list l = config_field_list(field);

	if (buf_printf(p->out, e, "[") < 0 ||
	    print_entries(p, &l, entries[k->kind].size, entries[k->kind].print, e) < 0)
		return -1;
	return buf_printf(p->out, e, "]");
}

static int print_allow(struct config_printer *p, const struct config_key *k, const void *field,
		       struct err *e)
{
	const char *comma = "";
	struct config_any_list l;
	struct config_allow allow;

	memcpy(&allow, field, sizeof(allow));
	if (buf_printf(p->out, e, "[") < 0)
		return -1;
	for (const struct config_choice *c = k->choices; c->name; c++) {
		if (!(allow.kinds & c->value))
			continue;
		if (buf_printf(p->out, e, "%s%s", comma, c->name) < 0)
			return -1;
		comma = ", ";
	}
	l = config_field_list(&allow.ranges);
	if (l.count && buf_printf(p->out, e, "%s", comma) < 0)
		return -1;
	if (print_entries(p, &l, sizeof(struct addr_range), print_range, e) < 0)
		return -1;
	return buf_printf(p->out, e, "]");
}

/* Values with an inside. */

static int print_indent(struct config_printer *p, struct err *e)
{
	return buf_printf(p->out, e, "\n%*s", (int)p->indent + 2, "");
}

static int print_headers(struct config_printer *p, const struct config_key *k, const void *field,
			 struct err *e)
{
	struct config_any_list l = config_field_list(field);
	const struct config_header *h = l.list;

	(void)k;
	for (size_t i = 0; i < l.count; i++) {
		if (print_indent(p, e) < 0 || print_text(p, bytes_str(h[i].name), e) < 0 ||
		    buf_printf(p->out, e, ": ") < 0 || print_text(p, bytes_str(h[i].value), e) < 0)
			return -1;
	}
	return 0;
}

static int print_hosts(struct config_printer *p, const struct config_key *k, const void *field,
		       struct err *e)
{
	struct config_any_list l = config_field_list(field);
	const struct host_entry *h = l.list;
	char ip[ADDR_TEXT_MAX];

	(void)k;
	for (size_t i = 0, last; i < l.count; i = last) {
		if (print_indent(p, e) < 0 || print_text(p, h[i].name, e) < 0 ||
		    buf_printf(p->out, e, ": [") < 0)
			return -1;
		for (last = i; last < l.count && bytes_equal(h[last].name, h[i].name); last++) {
			if (last > i && buf_printf(p->out, e, ", ") < 0)
				return -1;
			if (print_text(p, bytes_str(addr_ip_text(&h[last].addr, ip)), e) < 0)
				return -1;
		}
		if (buf_printf(p->out, e, "]") < 0)
			return -1;
	}
	return 0;
}

static int print_socket(struct config_printer *p, const struct config_key *k, const void *field,
			struct err *e)
{
	const struct config_admin *a = field;
	char text[8 + CONFIG_SOCKET_PATH_MAX];

	(void)k;
	if (a->socket != CONFIG_ADMIN_AT)
		return buf_printf(p->out, e, a->socket == CONFIG_ADMIN_OFF ? "\"off\"" : "default");
	snprintf(text, sizeof(text), "unix:%s", a->path);
	return print_text(p, bytes_str(text), e);
}

static int print_proxy(struct config_printer *p, const struct config_key *k, const void *field,
		       struct err *e)
{
	const struct config_upstream_proxy *proxy = field;
	bool ip6 = strchr(proxy->host, ':') != NULL;

	(void)k;
	return buf_printf(p->out, e, ip6 ? "\"http://[%s]:%u\"" : "http://%s:%u", proxy->host,
			  proxy->port);
}

int config_value_print(struct config_printer *p, const struct config_key *k, const void *field,
		       struct err *e)
{
	static print_fn *const kinds[CONFIG_KIND_COUNT] = {
		[CONFIG_KIND_BOOL] = print_bool,       [CONFIG_KIND_NUMBER] = print_number,
		[CONFIG_KIND_SIZE] = print_number,     [CONFIG_KIND_DURATION] = print_number,
		[CONFIG_KIND_CHOICE] = print_choice,   [CONFIG_KIND_TEXT] = print_string,
		[CONFIG_KIND_PATH] = print_string,     [CONFIG_KIND_ASSET] = print_asset,
		[CONFIG_KIND_ASSETS] = print_list,     [CONFIG_KIND_ADDR] = print_addr,
		[CONFIG_KIND_RANGES] = print_list,     [CONFIG_KIND_TARGETS] = print_list,
		[CONFIG_KIND_NAMES] = print_list,      [CONFIG_KIND_ALLOW] = print_allow,
		[CONFIG_KIND_HEADERS] = print_headers, [CONFIG_KIND_HOSTS] = print_hosts,
		[CONFIG_KIND_SOCKET] = print_socket,   [CONFIG_KIND_PROXY] = print_proxy,
	};

	return kinds[k->kind](p, k, field, e);
}

bool config_value_is_set(const struct config_key *k, const void *field)
{
	struct config_allow allow;
	struct addr a;
	const char *s;

	switch (k->kind) {
	case CONFIG_KIND_CHOICE:
		return choice_name(k, field) != NULL;
	case CONFIG_KIND_TEXT:
	case CONFIG_KIND_PATH:
		memcpy(&s, field, sizeof(s));
		return s != NULL;
	case CONFIG_KIND_ASSET:
		return field_index(field) != CONFIG_NO_ASSET;
	case CONFIG_KIND_ADDR:
		memcpy(&a, field, sizeof(a));
		return a.family != ADDR_NONE;
	case CONFIG_KIND_ALLOW:
		memcpy(&allow, field, sizeof(allow));
		return allow.kinds || allow.ranges.count;
	case CONFIG_KIND_ASSETS:
	case CONFIG_KIND_RANGES:
	case CONFIG_KIND_TARGETS:
	case CONFIG_KIND_NAMES:
	case CONFIG_KIND_HEADERS:
	case CONFIG_KIND_HOSTS:
	case CONFIG_KIND_LIST:
		return config_field_list(field).count > 0;
	case CONFIG_KIND_MAP:
		return !k->of->present || k->of->present(field);
	case CONFIG_KIND_PROXY:
		return ((const struct config_upstream_proxy *)field)->host != NULL;
	default:
		return true;
	}
}
