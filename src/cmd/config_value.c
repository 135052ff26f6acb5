/* Text to value, for each kind of key. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/suggest.h"
#include "cmd/config_value.h"
#include "wire/name.h"

enum {
	PATH_LENGTH_MAX = 4096,
	TEXT_LENGTH_MAX = 1000,
};

uint64_t config_field_number(const struct config_key *k, const void *field)
{
	uint8_t one;
	uint16_t two;
	uint32_t four;
	uint64_t eight;

	switch (k->size) {
	case sizeof(one):
		memcpy(&one, field, sizeof(one));
		return one;
	case sizeof(two):
		memcpy(&two, field, sizeof(two));
		return two;
	case sizeof(four):
		memcpy(&four, field, sizeof(four));
		return four;
	}
	assert(k->size == sizeof(eight));
	memcpy(&eight, field, sizeof(eight));
	return eight;
}

void config_field_set_number(const struct config_key *k, void *field, uint64_t value)
{
	uint8_t one = (uint8_t)value;
	uint16_t two = (uint16_t)value;
	uint32_t four = (uint32_t)value;

	switch (k->size) {
	case sizeof(one):
		memcpy(field, &one, sizeof(one));
		return;
	case sizeof(two):
		memcpy(field, &two, sizeof(two));
		return;
	case sizeof(four):
		memcpy(field, &four, sizeof(four));
		return;
	}
	assert(k->size == sizeof(value));
	memcpy(field, &value, sizeof(value));
}

struct config_any_list config_field_list(const void *field)
{
	struct config_any_list l;

	memcpy(&l, field, sizeof(l));
	return l;
}

void config_field_set_list(void *field, const void *list, size_t count)
{
	struct config_any_list l = { list, count };

	memcpy(field, &l, sizeof(l));
}

int config_no_memory(struct err *e)
{
	return FAIL(e, NOMEM, "configuration: out of memory");
}

int config_value_refuse(const struct config_key *k, const struct config_node *n, struct err *e)
{
	char expects[CONFIG_EXPECTS_MAX], found[CONFIG_FOUND_MAX];

	return CONFIG_FAIL(&n->at, e, "%s: expected %s; found %s", k->name,
			   config_key_expects(k, expects), config_node_text(n, found));
}

int config_value_refuse_because(const struct config_key *k, const struct config_node *n,
				const struct err *why, struct err *e)
{
	return CONFIG_FAIL(&n->at, e, "%s: %s", k->name, why->sentence);
}

bool config_node_is_text(const struct config_node *n)
{
	return n->kind == CONFIG_NODE_TEXT && !config_node_is_nothing(n);
}

/* Numbers. */

/* "10s": digits, then one of the units. */
struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {
	{ "ms", 1000000ull },
	{ "s", 1000000000ull },
	{ "m", 60 * 1000000000ull },
	{ "h", 3600 * 1000000000ull },
	{ NULL, 0 },
};

static const struct unit sizes[] = {
	{ "", 1 },
	{ "KiB", 1 << 10 },
	{ "MiB", 1 << 20 },
	{ NULL, 0 },
};

static const struct unit plain[] = {
	{ "", 1 },
	{ NULL, 0 },
};

static const struct unit *units_of(const struct config_key *k)
{
	if (k->kind == CONFIG_KIND_DURATION)
		return durations;
	return k->kind == CONFIG_KIND_SIZE ? sizes : plain;
}

static bool parse_units(struct bytes text, const struct unit *units, uint64_t *out)
{
	struct bytes digits = text;
	struct bytes name;
	uint64_t n;

	while (digits.n && !(digits.p[digits.n - 1] >= '0' && digits.p[digits.n - 1] <= '9'))
		digits.n--;
	name = bytes_slice(text, digits.n, text.n);
	if (!bytes_decimal(digits, UINT64_MAX, &n))
		return false;
	for (; units->name; units++)
		if (bytes_equal(name, bytes_str(units->name)))
			return !__builtin_mul_overflow(n, units->factor, out);
	return false;
}

void config_number_text(const struct config_key *k, uint64_t value, char out[CONFIG_NUMBER_MAX])
{
	const struct unit *best = units_of(k);

	for (const struct unit *u = best; u->name; u++)
		if (value && value % u->factor == 0 && u->factor > best->factor)
			best = u;
	snprintf(out, CONFIG_NUMBER_MAX, "%" PRIu64 "%s", value / best->factor, best->name);
}

static int parse_number(struct config_reader *r, const struct config_key *k,
			const struct config_node *n, void *field, struct err *e)
{
	uint64_t value;

	(void)r;
	if (!config_node_is_text(n) || !parse_units(n->text, units_of(k), &value) ||
	    value < k->min || value > k->max)
		return config_value_refuse(k, n, e);
	config_field_set_number(k, field, value);
	return 0;
}

static int parse_bool(struct config_reader *r, const struct config_key *k,
		      const struct config_node *n, void *field, struct err *e)
{
	bool yes = config_node_is_text(n) && bytes_equal(n->text, bytes_str("true"));

	(void)r;
	if (!yes && !(config_node_is_text(n) && bytes_equal(n->text, bytes_str("false"))))
		return config_value_refuse(k, n, e);
	config_field_set_number(k, field, yes);
	return 0;
}

static int parse_choice(struct config_reader *r, const struct config_key *k,
			const struct config_node *n, void *field, struct err *e)
{
	char expects[CONFIG_EXPECTS_MAX], found[CONFIG_FOUND_MAX], near[SUGGEST_MAX];
	struct suggest s = suggest_init(n->text);

	(void)r;
	for (const struct config_choice *c = k->choices; config_node_is_text(n) && c->name; c++) {
		if (bytes_equal(n->text, bytes_str(c->name))) {
			config_field_set_number(k, field, c->value);
			return 0;
		}
		suggest_offer(&s, c->name);
	}
	return CONFIG_FAIL(&n->at, e, "%s: expected %s; found %s%s", k->name,
			   config_key_expects(k, expects), config_node_text(n, found),
			   suggest_text(&s, "", near));
}

/* Texts and files. */

bool config_rune_take(struct bytes *text, uint32_t *rune)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t least; /* what is below could be written shorter */
	} forms[] = {
		{ 0x80, 0x00, 0 },
		{ 0xe0, 0xc0, 0x80 },
		{ 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 },
	};
	struct bytes t = *text;

	for (size_t more = 0; more < ARRAY_LEN(forms) && more < t.n; more++) {
		uint32_t value;

		if ((t.p[0] & forms[more].mask) != forms[more].lead)
			continue;
		value = t.p[0] & (uint8_t)~forms[more].mask;
		for (size_t i = 1; i <= more; i++) {
			if ((t.p[i] & 0xc0) != 0x80)
				return false;
			value = value << 6 | (t.p[i] & 0x3f);
		}
		*rune = value;
		*text = bytes_slice(t, more + 1, t.n);
		return value >= forms[more].least && value <= 0x10ffff &&
		       value >> 11 != 0xd800 >> 11;
	}
	return false;
}

/* UTF-8 in which nothing ends a line of a log or a protocol, nor a C string. */
static bool is_clean(struct bytes text)
{
	uint32_t rune;

	while (text.n) {
		if (!config_rune_take(&text, &rune) || rune < 0x20 || (rune >= 0x7f && rune < 0xa0))
			return false;
	}
	return true;
}

int config_text_read(struct config_reader *r, const struct config_key *k,
		     const struct config_node *n, void *field, struct err *e)
{
	size_t max = k->kind == CONFIG_KIND_TEXT ? TEXT_LENGTH_MAX : PATH_LENGTH_MAX - 1;
	char *copy;

	if (!config_node_is_text(n) || n->text.n == 0 || n->text.n > max || !is_clean(n->text))
		return config_value_refuse(k, n, e);
	copy = arena_dup(&r->config->arena, n->text);
	if (!copy)
		return config_no_memory(e);
	memcpy(field, &copy, sizeof(copy));
	return 0;
}

static int add_asset(struct config_reader *r, const struct config_node *n,
		     const struct config_asset *asset, int *index, struct err *e)
{
	struct proxy_config *c = r->config;

	for (size_t i = 0; i < c->asset_count; i++) {
		if (c->assets[i].kind == asset->kind &&
		    strcmp(c->assets[i].path, asset->path) == 0) {
			*index = (int)i;
			return 0;
		}
	}
	if (c->asset_count == CONFIG_ASSETS_MAX)
		return CONFIG_FAIL(&n->at, e, "more than %d files are named", CONFIG_ASSETS_MAX);
	if (!r->assets) {
		r->assets = arena_new(&c->arena, CONFIG_ASSETS_MAX, sizeof(*r->assets));
		if (!r->assets)
			return config_no_memory(e);
		c->assets = r->assets;
	}
	*index = (int)c->asset_count;
	r->assets[c->asset_count++] = *asset;
	return 0;
}

static int parse_asset(struct config_reader *r, const struct config_key *k,
		       const struct config_node *n, void *field, struct err *e)
{
	struct config_asset asset = {
		.kind = k->asset,
		.line = n->at.line,
		.column = n->at.column,
	};
	int index = 0;

	if (config_text_read(r, k, n, &asset.path, e) < 0 || add_asset(r, n, &asset, &index, e) < 0)
		return -1;
	memcpy(field, &index, sizeof(index));
	return 0;
}

/* Addresses, names and lists of them. */

static int refuse_entry(const struct config_key *k, const struct config_node *n, struct err *e)
{
	static const char *const expects[CONFIG_KIND_COUNT] = {
		[CONFIG_KIND_RANGES] = "an address range such as 10.0.0.0/8",
		[CONFIG_KIND_ALLOW] = "an address range such as 10.0.0.0/8",
		[CONFIG_KIND_TARGETS] = ("a host, an address or a range, with or without :PORT, "
					 "such as \"*.example.com:443\""),
		[CONFIG_KIND_NAMES] = "a name such as www.example.com or \"*.example.com\"",
	};
	char found[CONFIG_FOUND_MAX];

	return CONFIG_FAIL(&n->at, e, "%s: expected %s; found %s", k->name, expects[k->kind],
			   config_node_text(n, found));
}

static int parse_addr(struct config_reader *r, const struct config_key *k,
		      const struct config_node *n, void *field, struct err *e)
{
	struct addr a;
	struct err why;

	(void)r;
	if (!config_node_is_text(n))
		return config_value_refuse(k, n, e);
	if (addr_parse(n->text, &a, &why) < 0)
		return config_value_refuse_because(k, n, &why, e);
	memcpy(field, &a, sizeof(a));
	return 0;
}

static int parse_range(struct config_reader *r, const struct config_key *k,
		       const struct config_node *n, void *field, struct err *e)
{
	struct addr_range range;
	struct err why;

	(void)r;
	if (!config_node_is_text(n))
		return refuse_entry(k, n, e);
	if (addr_range_parse(n->text, &range, &why) < 0)
		return config_value_refuse_because(k, n, &why, e);
	memcpy(field, &range, sizeof(range));
	return 0;
}

/* "host", "host:port", "[ip6]:port", "ip6"; the brackets stay outside. */
static bool split_port(struct bytes text, struct bytes *host, uint16_t *port)
{
	bool bracket = text.n && text.p[0] == '[';
	size_t end = bracket ? bytes_index(text, ']') : bytes_index(text, ':');
	struct bytes rest = bytes_slice(text, end + bracket, text.n);
	uint64_t number;

	*port = 0;
	*host = bracket ? bytes_slice(text, 1, end - 1) : bytes_slice(text, 0, end);
	if (bracket && end == text.n)
		return false;
	if (rest.n == 0)
		return true;
	/* Several colons without brackets are an IPv6 address. */
	if (!bracket && bytes_index(bytes_slice(rest, 1, rest.n), ':') + 1 < rest.n) {
		*host = text;
		return true;
	}
	if (rest.p[0] != ':' || !bytes_decimal(bytes_slice(rest, 1, rest.n), 65535, &number) ||
	    number == 0)
		return false;
	*port = (uint16_t)number;
	return true;
}

static int parse_name_pattern(struct config_reader *r, struct bytes text,
			      struct config_pattern *out, struct err *why)
{
	struct name_pattern p;
	char dotted[NAME_MAX_BYTES + 2] = ".";
	size_t dot;
	uint8_t *copy;

	if (name_pattern_parse(text, &p, why) < 0)
		return -1;
	dot = p.kind == NAME_SUFFIX;
	memcpy(dotted + dot, p.name.text, p.name.n + 1);
	copy = arena_dup(&r->config->arena, bytes_of(dotted, p.name.n + dot));
	if (!copy)
		return config_no_memory(why);
	out->kind = p.kind == NAME_ANY	    ? CONFIG_PATTERN_ANY
		    : p.kind == NAME_SUFFIX ? CONFIG_PATTERN_SUFFIX
					    : CONFIG_PATTERN_NAME;
	out->name = bytes_of(copy, p.name.n + dot);
	return 0;
}

/* As a complaint about this entry, unless there is no memory. */
static int refuse_pattern(const struct config_key *k, const struct config_node *n,
			  const struct err *why, struct err *e)
{
	return why->code == ERR_NOMEM ? config_no_memory(e)
				      : config_value_refuse_because(k, n, why, e);
}

static int parse_name(struct config_reader *r, const struct config_key *k,
		      const struct config_node *n, void *field, struct err *e)
{
	struct config_pattern p = { .text = arena_dup(&r->config->arena, n->text) };
	struct err why;

	if (!config_node_is_text(n))
		return refuse_entry(k, n, e);
	if (!p.text)
		return config_no_memory(e);
	if (parse_name_pattern(r, n->text, &p, &why) < 0)
		return refuse_pattern(k, n, &why, e);
	memcpy(field, &p, sizeof(p));
	return 0;
}

static int parse_target(struct config_reader *r, const struct config_key *k,
			const struct config_node *n, void *field, struct err *e)
{
	struct config_pattern p = { .text = arena_dup(&r->config->arena, n->text) };
	struct bytes host;
	struct addr ip;
	struct err why;
	int result;

	if (!config_node_is_text(n) || !split_port(n->text, &host, &p.port))
		return refuse_entry(k, n, e);
	if (!p.text)
		return config_no_memory(e);
	if (bytes_index(host, '/') < host.n || addr_parse_ip(host, 0, &ip)) {
		p.kind = CONFIG_PATTERN_RANGE;
		result = addr_range_parse(host, &p.range, &why);
	} else {
		result = parse_name_pattern(r, host, &p, &why);
	}
	if (result < 0)
		return refuse_pattern(k, n, &why, e);
	memcpy(field, &p, sizeof(p));
	return 0;
}

/* Every entry by parse, into an array. An empty list is a slip: what is meant is to leave it out. */
static int parse_list(struct config_reader *r, const struct config_key *k,
		      const struct config_node *n, void *field, struct err *e)
{
	static const struct {
		config_value_fn *parse;
		size_t size;
	} entries[CONFIG_KIND_COUNT] = {
		[CONFIG_KIND_ASSETS] = { parse_asset, sizeof(int) },
		[CONFIG_KIND_RANGES] = { parse_range, sizeof(struct addr_range) },
		[CONFIG_KIND_TARGETS] = { parse_target, sizeof(struct config_pattern) },
		[CONFIG_KIND_NAMES] = { parse_name, sizeof(struct config_pattern) },
	};
	size_t size = entries[k->kind].size, i = 0;
	uint8_t *list;

	assert(entries[k->kind].parse);
	if (n->kind != CONFIG_NODE_LIST || n->count == 0)
		return config_value_refuse(k, n, e);
	list = arena_new(&r->config->arena, n->count, size);
	if (!list)
		return config_no_memory(e);
	for (const struct config_node *entry = n->first; entry; entry = entry->next, i++)
		if (entries[k->kind].parse(r, k, entry, list + i * size, e) < 0)
			return -1;
	config_field_set_list(field, list, n->count);
	return 0;
}

/* One file or a list of files. */
static int parse_assets(struct config_reader *r, const struct config_key *k,
			const struct config_node *n, void *field, struct err *e)
{
	int *index;

	if (n->kind != CONFIG_NODE_TEXT)
		return parse_list(r, k, n, field, e);
	index = arena_new(&r->config->arena, 1, sizeof(*index));
	if (!index)
		return config_no_memory(e);
	if (parse_asset(r, k, n, index, e) < 0)
		return -1;
	config_field_set_list(field, index, 1);
	return 0;
}

/* Kinds of destinations and ranges, mixed. */
static int parse_allow(struct config_reader *r, const struct config_key *k,
		       const struct config_node *n, void *field, struct err *e)
{
	struct config_allow allow = { 0 };
	struct addr_range *ranges;
	struct addr ip;

	if (n->kind != CONFIG_NODE_LIST || n->count == 0)
		return config_value_refuse(k, n, e);
	ranges = arena_new(&r->config->arena, n->count, sizeof(*ranges));
	if (!ranges)
		return config_no_memory(e);
	for (const struct config_node *entry = n->first; entry; entry = entry->next) {
		struct config_key kind = { .name = k->name,
					   .kind = CONFIG_KIND_CHOICE,
					   .size = sizeof(unsigned),
					   .choices = k->choices };
		unsigned bit = 0;
		bool address = config_node_is_text(entry) &&
			       (bytes_index(entry->text, '/') < entry->text.n ||
				addr_parse_ip(entry->text, 0, &ip));

		if ((address ? parse_range(r, k, entry, &ranges[allow.ranges.count], e)
			     : parse_choice(r, &kind, entry, &bit, e)) < 0)
			return -1;
		allow.ranges.count += address;
		allow.kinds |= bit;
	}
	allow.ranges.list = allow.ranges.count ? ranges : NULL;
	memcpy(field, &allow, sizeof(allow));
	return 0;
}

int config_value_read(struct config_reader *r, const struct config_key *k,
		      const struct config_node *n, void *field, struct err *e)
{
	static config_value_fn *const kinds[CONFIG_KIND_COUNT] = {
		[CONFIG_KIND_BOOL] = parse_bool,
		[CONFIG_KIND_NUMBER] = parse_number,
		[CONFIG_KIND_SIZE] = parse_number,
		[CONFIG_KIND_DURATION] = parse_number,
		[CONFIG_KIND_CHOICE] = parse_choice,
		[CONFIG_KIND_TEXT] = config_text_read,
		[CONFIG_KIND_PATH] = config_text_read,
		[CONFIG_KIND_ASSET] = parse_asset,
		[CONFIG_KIND_ASSETS] = parse_assets,
		[CONFIG_KIND_ADDR] = parse_addr,
		[CONFIG_KIND_RANGES] = parse_list,
		[CONFIG_KIND_TARGETS] = parse_list,
		[CONFIG_KIND_NAMES] = parse_list,
		[CONFIG_KIND_ALLOW] = parse_allow,
		[CONFIG_KIND_HEADERS] = config_headers_read,
		[CONFIG_KIND_HOSTS] = config_hosts_read,
		[CONFIG_KIND_SOCKET] = config_socket_read,
		[CONFIG_KIND_PROXY] = config_proxy_read,
		[CONFIG_KIND_LIST] = config_list_read,
	};

	if (k->kind == CONFIG_KIND_MAP)
		return config_map_read(r, k->of, n, field, e);
	return kinds[k->kind](r, k, n, field, e);
}
