/* Nodes to objects, as the tables say; and what holds across keys. */
#include <assert.h>
#include <stdio.h>

#include "base/escape.h"
#include "base/suggest.h"
#include "cmd/config_schema.h"
#include "proxy/policy.h"

enum { KEYS_MAX = 32 };

static int refuse_key(const struct config_schema *s, const struct config_node *key, struct err *e)
{
	struct suggest near = suggest_init(key->text);
	char shown[64], text[SUGGEST_MAX];

	for (const struct config_key *k = s->keys; k->name; k++)
		suggest_offer(&near, k->name);
	return CONFIG_FAIL(&key->at, e, "%s: there is no key %s%s", s->title,
			   escape_to(shown, sizeof(shown), key->text),
			   suggest_text(&near, "", text));
}

/* All keys are known, and each is there once. */
static int check_keys(const struct config_schema *s, const struct config_node *map, struct err *e)
{
	const struct config_node *seen[KEYS_MAX] = { 0 };

	for (const struct config_node *n = map->first; n; n = n->next) {
		const struct config_key *k = config_key_find(s, n->key->text);

		assert(!k || k - s->keys < KEYS_MAX);
		if (!k)
			return refuse_key(s, n->key, e);
		if (seen[k - s->keys])
			return CONFIG_FAIL(&n->key->at, e,
					   "%s is there a second time, after line %u", k->name,
					   seen[k - s->keys]->at.line);
		seen[k - s->keys] = n->key;
	}
	return 0;
}

static int check_needed(const struct config_schema *s, const struct config_node *map, struct err *e)
{
	char expects[CONFIG_EXPECTS_MAX];

	for (const struct config_key *k = s->keys; k->name; k++)
		if (k->needed && !config_node_find(map, k->name))
			return CONFIG_FAIL(&map->at, e, "%s: %s: is missing; it takes %s", s->title,
					   k->name, config_key_expects(k, expects));
	return 0;
}

/* The keys that others inherit from come first. */
static int read_keys(struct config_reader *r, const struct config_schema *s,
		     const struct config_node *map, uint8_t *object, struct err *e)
{
	for (int first = 1; first >= 0; first--) {
		for (const struct config_key *k = s->keys; k->name; k++) {
			const struct config_node *n = config_node_find(map, k->name);

			if (!n || k->first != first)
				continue;
			if (config_value_read(r, k, n, object + k->offset, e) < 0)
				return -1;
		}
	}
	return 0;
}

static int check_applies(const struct config_schema *s, const struct config_node *map,
			 const void *object, struct err *e)
{
	for (const struct config_node *n = map->first; n; n = n->next) {
		const struct config_key *k = config_key_find(s, n->key->text);

		if (k->applies && !k->applies(object))
			return CONFIG_FAIL(&n->key->at, e, "%s: only %s", k->name, k->where);
	}
	return 0;
}

/* A text in place of a mapping, as the mapping that it stands for. */
static int read_bare(struct config_reader *r, const struct config_schema *s,
		     const struct config_node *n, void *object, struct err *e)
{
	struct bytes name = bytes_str(s->bare(n->text));
	struct config_node key = { .kind = CONFIG_NODE_TEXT, .at = n->at, .text = name };
	struct config_node value = *n;
	struct config_node map = { .kind = CONFIG_NODE_MAP, .at = n->at };

	value.next = NULL;
	config_node_add(&map, &key, &value);
	return config_map_read(r, s, &map, object, e);
}

int config_map_read(struct config_reader *r, const struct config_schema *s,
		    const struct config_node *n, void *object, struct err *e)
{
	char found[CONFIG_FOUND_MAX];

	if (s->bare && n->kind == CONFIG_NODE_TEXT && !config_node_is_nothing(n))
		return read_bare(r, s, n, object, e);
	if (n->kind != CONFIG_NODE_MAP)
		return CONFIG_FAIL(&n->at, e, "%s: expected a mapping such as {%s: ...}; found %s",
				   s->title, s->keys->name, config_node_text(n, found));
	if (s->begin)
		s->begin(r, n, object);
	if (check_keys(s, n, e) < 0 || check_needed(s, n, e) < 0 ||
	    read_keys(r, s, n, object, e) < 0 || check_applies(s, n, object, e) < 0)
		return -1;
	return s->check ? s->check(r, n, object, e) : 0;
}

int config_list_read(struct config_reader *r, const struct config_key *k,
		     const struct config_node *n, void *field, struct err *e)
{
	const struct config_schema *s = k->of;
	uint8_t *list, *object;

	if (n->kind != CONFIG_NODE_LIST || n->count < k->min || (k->max && n->count > k->max))
		return config_value_refuse(k, n, e);
	list = object = arena_new(&r->config->arena, n->count, s->size);
	if (!list)
		return config_no_memory(e);
	for (const struct config_node *entry = n->first; entry; entry = entry->next) {
		memcpy(object, s->defaults, s->size);
		if (config_map_read(r, s, entry, object, e) < 0)
			return -1;
		object += s->size;
	}
	config_field_set_list(field, list, n->count);
	return 0;
}

/* What holds across keys. */

/* Where the value of a key is written, or the mapping itself. */
static const struct config_at *at_key(const struct config_node *map, const char *key)
{
	const struct config_node *n = config_node_find(map, key);

	return n ? &n->at : &map->at;
}

/* Nothing comes after a rule that matches everything, and without one there is a default. */
static int check_rules(const struct config_node *n, const struct config_listener *l, struct err *e)
{
	const struct config_node *rules = config_node_find(n, "rules");
	const struct config_node *rule = rules ? rules->first : NULL;

	for (size_t i = 0; i < l->rule_count && rule; i++, rule = rule->next) {
		if (!policy_is_catch_all(&l->rules[i]))
			continue;
		if (i + 1 == l->rule_count)
			return 0;
		return CONFIG_FAIL(
			&rule->next->at, e,
			"rule %zu can never apply: rule %zu before it matches everything", i + 2,
			i + 1);
	}
	if (l->otherwise.action != CONFIG_NO_ACTION)
		return 0;
	return CONFIG_FAIL(&n->at, e,
			   "no rule of this listener matches everything, so it has to say default: "
			   "bump | splice | block");
}

int config_check_listener(struct config_reader *r, const struct config_node *n, const void *object,
			  struct err *e)
{
	const struct config_listener *l = object;
	char ip[ADDR_TEXT_MAX];

	(void)r;
	if (addr_kind(&l->bind) != ADDR_LOOPBACK && l->clients.count == 0 && l->user_count == 0)
		return CONFIG_FAIL(at_key(n, "bind"), e,
				   "bind: %s is not loopback, so the listener has to say who may "
				   "use it: clients: [10.0.0.0/8] or auth:",
				   addr_ip_text(&l->bind, ip));
	for (size_t i = 1; i < l->user_count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(l->users[i].name, l->users[j].name) == 0)
				return CONFIG_FAIL(at_key(n, "auth"), e,
						   "auth: the same user is there twice");
	return check_rules(n, l, e);
}

int config_check_admin(struct config_reader *r, const struct config_node *n, const void *object,
		       struct err *e)
{
	const struct config_admin *a = object;

	(void)r;
	if (a->token != CONFIG_NO_ASSET && a->tcp.family == ADDR_NONE)
		return CONFIG_FAIL(
			at_key(n, "token-file"), e,
			"token-file: only with tcp: ADDRESS:PORT; the socket needs none");
	return 0;
}

int config_check_upstream_proxy(struct config_reader *r, const struct config_node *n,
				const void *object, struct err *e)
{
	const struct config_upstream_proxy *p = object;

	(void)r;
	if (p->user && p->password == CONFIG_NO_ASSET)
		return CONFIG_FAIL(at_key(n, "user"), e, "user: only with password-file:");
	if (!p->user && p->password != CONFIG_NO_ASSET)
		return CONFIG_FAIL(at_key(n, "password-file"), e, "password-file: only with user:");
	return 0;
}

/* Whether both cannot be bound. Port 0 is any free one. */
static bool is_same_place(const struct addr *a, const struct addr *b)
{
	if (a->port == 0 || a->port != b->port || a->family != b->family)
		return false;
	return addr_same_ip(a, b) || addr_kind(a) == ADDR_UNSPECIFIED ||
	       addr_kind(b) == ADDR_UNSPECIFIED;
}

int config_check_root(struct config_reader *r, const struct config_node *n, const void *object,
		      struct err *e)
{
	const struct proxy_config *c = object;
	const struct config_node *listeners = config_node_find(n, "listeners");
	const struct config_node *at = listeners ? listeners->first : NULL;

	(void)r;
	for (size_t i = 0; at && i < c->listener_count; i++, at = at->next) {
		for (size_t j = 0; j < i; j++)
			if (is_same_place(&c->listeners[i].bind, &c->listeners[j].bind))
				return CONFIG_FAIL(at_key(at, "bind"), e,
						   "bind: listener %zu already listens there",
						   j + 1);
		if (is_same_place(&c->listeners[i].bind, &c->admin.tcp))
			return CONFIG_FAIL(at_key(at, "bind"), e,
					   "bind: the admin interface already listens there");
	}
	return 0;
}
