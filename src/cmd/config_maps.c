/* Values with an inside of their own: header fields, hosts, the admin socket, a proxy's URL. */
#include "cmd/config_value.h"
#include "wire/name.h"

enum {
	HEADERS_MAX = 64,
	HEADER_NAME_MAX = 256,
	HEADER_VALUE_MAX = 8000,
	HOSTS_MAX = 4096,
};

static int refuse_twice(const struct config_key *k, const struct config_node *second,
			const struct config_node *first, struct err *e)
{
	char name[CONFIG_FOUND_MAX];

	return CONFIG_FAIL(&second->at, e, "%s: %s is there a second time, after line %u", k->name,
			   config_node_text(second, name), first->at.line);
}

/* Host names and header names do not differ by case. */
static int refuse_repeated_keys(const struct config_key *k, const struct config_node *map,
				struct err *e)
{
	for (const struct config_node *a = map->first; a; a = a->next)
		for (const struct config_node *b = map->first; b != a; b = b->next)
			if (a->key->text.n == b->key->text.n &&
			    bytes_equal_nocase(a->key->text, b->key->text))
				return refuse_twice(k, a->key, b->key, e);
	return 0;
}

/* RFC 9110, 5.6.2. */
static bool is_token(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (!(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
		    (c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return text.n > 0;
}

/* RFC 9110, 5.5, without what is obsolete. */
static bool is_field_value(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((text.p[i] < 0x20 && text.p[i] != '\t') || text.p[i] > 0x7e)
			return false;
	return text.n <= HEADER_VALUE_MAX && bytes_equal(text, bytes_trim(text));
}

/* Fields that say where a message ends or whom it is for, hop by hop: changing one would break it. */
static bool is_framing(struct bytes name)
{
	static const char *const names[] = {
		"connection",	       "content-length",   "keep-alive", "proxy-authenticate",
		"proxy-authorization", "proxy-connection", "te",	 "trailer",
		"transfer-encoding",   "upgrade",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (bytes_equal_nocase(name, bytes_str(names[i])))
			return true;
	return false;
}

static int parse_header(struct config_reader *r, const struct config_key *k,
			const struct config_node *n, struct config_header *out, struct err *e)
{
	char name[CONFIG_FOUND_MAX];

	config_node_text(n->key, name);
	if (!is_token(n->key->text) || n->key->text.n > HEADER_NAME_MAX)
		return CONFIG_FAIL(&n->key->at, e, "%s: %s is no name of a header field", k->name,
				   name);
	if (is_framing(n->key->text))
		return CONFIG_FAIL(&n->key->at, e,
				   "%s: %s cannot be set: it belongs to how messages are carried",
				   k->name, name);
	if (n->kind != CONFIG_NODE_TEXT || config_node_is_nothing(n) || !is_field_value(n->text))
		return CONFIG_FAIL(&n->at, e,
				   "%s: the value of %s has to be one line of printable ASCII",
				   k->name, name);
	out->name = arena_dup(&r->config->arena, n->key->text);
	out->value = arena_dup(&r->config->arena, n->text);
	return out->name && out->value ? 0 : config_no_memory(e);
}

int config_headers_read(struct config_reader *r, const struct config_key *k,
			const struct config_node *n, void *field, struct err *e)
{
	struct config_header *list;
	size_t i = 0;

	if (n->kind != CONFIG_NODE_MAP || n->count == 0 || n->count > HEADERS_MAX)
		return config_value_refuse(k, n, e);
	if (refuse_repeated_keys(k, n, e) < 0)
		return -1;
	list = arena_new(&r->config->arena, n->count, sizeof(*list));
	if (!list)
		return config_no_memory(e);
	for (const struct config_node *entry = n->first; entry; entry = entry->next)
		if (parse_header(r, k, entry, &list[i++], e) < 0)
			return -1;
	config_field_set_list(field, list, n->count);
	return 0;
}

/* Hosts: a name, and one address or a list of them. */

static size_t count_addresses(const struct config_node *map)
{
	size_t count = 0;

	for (const struct config_node *n = map->first; n; n = n->next)
		count += n->kind == CONFIG_NODE_LIST ? n->count : 1;
	return count;
}

static int parse_host_addr(const struct config_key *k, const struct config_node *n,
			   struct addr *out, struct err *e)
{
	char found[CONFIG_FOUND_MAX];

	if (n->kind == CONFIG_NODE_TEXT && addr_parse_ip(n->text, 0, out))
		return 0;
	return CONFIG_FAIL(&n->at, e, "%s: expected an address such as 10.9.0.43; found %s",
			   k->name, config_node_text(n, found));
}

static int parse_host(struct config_reader *r, const struct config_key *k,
		      const struct config_node *n, struct host_entry **next, struct err *e)
{
	struct name name;
	struct err why;
	uint8_t *copy;

	if (name_parse(n->key->text, &name, &why) < 0)
		return config_value_refuse_because(k, n->key, &why, e);
	copy = arena_dup(&r->config->arena, name_bytes(&name));
	if (!copy)
		return config_no_memory(e);
	if (n->kind == CONFIG_NODE_LIST && n->count == 0)
		return parse_host_addr(k, n, &(*next)->addr, e);
	for (const struct config_node *a = n->kind == CONFIG_NODE_LIST ? n->first : n; a;
	     a = a->next) {
		(*next)->name = bytes_of(copy, name.n);
		if (parse_host_addr(k, a, &(*next)->addr, e) < 0)
			return -1;
		(*next)++;
		if (n->kind != CONFIG_NODE_LIST)
			break;
	}
	return 0;
}

int config_hosts_read(struct config_reader *r, const struct config_key *k,
		      const struct config_node *n, void *field, struct err *e)
{
	size_t count = n->kind == CONFIG_NODE_MAP ? count_addresses(n) : 0;
	struct host_entry *list, *next;

	if (n->kind != CONFIG_NODE_MAP || n->count > HOSTS_MAX)
		return config_value_refuse(k, n, e);
	if (refuse_repeated_keys(k, n, e) < 0)
		return -1;
	list = next = arena_new(&r->config->arena, count, sizeof(*list));
	if (!list)
		return config_no_memory(e);
	for (const struct config_node *entry = n->first; entry; entry = entry->next)
		if (parse_host(r, k, entry, &next, e) < 0)
			return -1;
	config_field_set_list(field, list, count);
	return 0;
}

/* "unix:PATH" or "/PATH", "off", "default". */
int config_socket_read(struct config_reader *r, const struct config_key *k,
		       const struct config_node *n, void *field, struct err *e)
{
	static const struct config_key path = { .name = "socket", .kind = CONFIG_KIND_PATH };
	struct bytes prefix = bytes_str("unix:");
	struct config_admin *admin = field;
	struct config_node rest = *n;

	if (!config_node_is_text(n))
		return config_value_refuse(k, n, e);
	if (bytes_equal(n->text, bytes_str("default")) || bytes_equal(n->text, bytes_str("off"))) {
		admin->socket = n->text.p[0] == 'o' ? CONFIG_ADMIN_OFF : CONFIG_ADMIN_DEFAULT;
		return 0;
	}
	if (bytes_starts(n->text, prefix))
		rest.text = bytes_slice(n->text, prefix.n, n->text.n);
	if (rest.text.n == 0 || rest.text.p[0] != '/' || rest.text.n > CONFIG_SOCKET_PATH_MAX)
		return config_value_refuse(k, n, e);
	admin->socket = CONFIG_ADMIN_AT;
	return config_text_read(r, &path, &rest, &admin->path, e);
}

/* "http://HOST:PORT", perhaps with a slash behind it. */
int config_proxy_read(struct config_reader *r, const struct config_key *k,
		      const struct config_node *n, void *field, struct err *e)
{
	struct bytes scheme = bytes_str("http://"), rest;
	struct config_upstream_proxy *proxy = field;
	char ip[ADDR_TEXT_MAX];
	struct host host;
	struct err why;

	if (!config_node_is_text(n) || !bytes_starts(n->text, scheme))
		return config_value_refuse(k, n, e);
	rest = bytes_slice(n->text, scheme.n, n->text.n);
	if (bytes_index(rest, '@') < rest.n)
		return CONFIG_FAIL(&n->at, e,
				   "%s: no user and password in the URL; write {url: ..., user: "
				   "..., password-file: ...}",
				   k->name);
	if (rest.n && rest.p[rest.n - 1] == '/')
		rest.n--;
	if (host_parse_authority(rest, 0, &host, &why) < 0)
		return config_value_refuse_because(k, n, &why, e);
	proxy->port = host.port;
	proxy->host = arena_dup(&r->config->arena,
				host.kind == HOST_NAME ? name_bytes(&host.name)
						       : bytes_str(addr_ip_text(&host.addr, ip)));
	return proxy->host ? 0 : config_no_memory(e);
}
