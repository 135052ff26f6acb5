#include "proxy/policy.h"

#include <stdio.h>

#include "base/escape.h"

/* What can be said of a match while an address or the SNI is still unknown. In this order, so that
 * "and" is the smaller, "or" the greater. */
enum answer { NO, MAYBE, YES };

static enum answer both(enum answer a, enum answer b)
{
	return a < b ? a : b;
}

/* Something that lists of patterns are held against. */
struct thing {
	struct bytes name; /* without a trailing dot; empty: none */
	const struct addr *addr;
	uint16_t port;
	bool addr_open; /* addr is NULL now, but may still become known */
};

/* A query, seen the way rules ask. */
struct view {
	const struct policy_query *q;
	struct thing target;
	struct thing sni;
	bool sni_known;
	bool differ; /* an SNI was sent, and it is not the target's name */
	struct addr literal;
};

static struct bytes without_last_dot(struct bytes name)
{
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	return name;
}

static void view_init(struct view *v, const struct policy_query *q)
{
	*v = (struct view){ .q = q, .sni_known = q->sni_known };
	v->target = (struct thing){
		.name = without_last_dot(q->host),
		.addr = q->addr,
		.port = q->port,
	};
	if (!q->addr && addr_parse_ip(q->host, q->port, &v->literal))
		v->target.addr = &v->literal;
	v->target.addr_open = v->target.addr == NULL;
	v->sni = (struct thing){ .name = without_last_dot(q->sni), .port = q->port };
	v->differ = q->sni_known && v->sni.name.n > 0 &&
		    !bytes_equal_nocase(v->sni.name, v->target.name);
}

static enum answer pattern_answer(const struct config_pattern *p, const struct thing *t)
{
	if (p->port && p->port != t->port)
		return NO;
	switch (p->kind) {
	case CONFIG_PATTERN_ANY:
		return YES;
	case CONFIG_PATTERN_NAME:
		return bytes_equal_nocase(t->name, p->name) ? YES : NO;
	case CONFIG_PATTERN_SUFFIX:
		return t->name.n > p->name.n && bytes_ends_nocase(t->name, p->name) ? YES : NO;
	case CONFIG_PATTERN_RANGE:
		if (t->addr)
			return addr_in_range(t->addr, &p->range) ? YES : NO;
		return t->addr_open ? MAYBE : NO;
	}
	return NO;
}

static enum answer list_answer(const struct config_patterns *list, const struct thing *t)
{
	enum answer best = NO;

	for (size_t i = 0; i < list->count && best != YES; i++) {
		enum answer a = pattern_answer(&list->list[i], t);

		if (a > best)
			best = a;
	}
	return best;
}

/* Like list_answer, for the SNI, which may not be known yet: then only "*" is certain. */
static enum answer sni_answer(const struct config_patterns *list, const struct view *v)
{
	struct thing none = { .port = v->target.port };

	if (v->sni_known)
		return list_answer(list, &v->sni);
	return list_answer(list, &none) == YES ? YES : MAYBE;
}

/* Each condition for itself. */
static enum answer plain_answer(const struct config_match *m, const struct view *v)
{
	enum answer target = m->target.count ? list_answer(&m->target, &v->target) : YES;

	return m->sni.count ? both(target, sni_answer(&m->sni, v)) : target;
}

/* SNI and target differ, or it is not known whether they will: the table in policy.h. */
static enum answer strict_answer(const struct config_match *m, const struct view *v)
{
	const struct config_patterns *target = m->target.count ? &m->target : &m->sni;
	const struct config_patterns *sni = m->sni.count ? &m->sni : &m->target;

	if (target->count == 0)
		return YES;
	return both(list_answer(target, &v->target), sni_answer(sni, v));
}

static bool client_matches(const struct config_ranges *r, const struct addr *client)
{
	for (size_t i = 0; i < r->count; i++)
		if (addr_in_range(client, &r->list[i]))
			return true;
	return r->count == 0;
}

static enum answer rule_answer(const struct config_rule *r, const struct view *v)
{
	if (!client_matches(&r->match.client, v->q->client))
		return NO;
	if (r->action == CONFIG_SPLICE && (v->differ || !v->sni_known))
		return strict_answer(&r->match, v);
	return plain_answer(&r->match, v);
}

bool policy_allows_client(const struct config_listener *l, const struct addr *client)
{
	return client_matches(&l->clients, client);
}

static void take_rule(const struct config_listener *l, size_t i, struct policy_decision *out)
{
	out->rule = i < l->rule_count ? (int)i : -1;
	out->settings = i < l->rule_count ? &l->rules[i] : &l->otherwise;
	out->action = out->settings->action;
	/* The configuration has seen to it that this cannot be; if it has not, nothing passes. */
	if (out->action == CONFIG_NO_ACTION)
		out->action = CONFIG_BLOCK;
}

static enum policy_early early(const struct view *v, struct policy_decision *out)
{
	const struct config_listener *l = v->q->listener;
	bool certain = true, only_blocks = true;
	size_t i;

	for (i = 0; i < l->rule_count; i++) {
		enum answer a = rule_answer(&l->rules[i], v);

		if (a == YES)
			break;
		if (a == MAYBE) {
			certain = false;
			only_blocks &= l->rules[i].action == CONFIG_BLOCK;
		}
	}
	out->passed_over = -1;
	take_rule(l, i, out);
	if (out->action == CONFIG_BLOCK && only_blocks)
		return POLICY_BLOCKED;
	return certain ? POLICY_DECIDED : POLICY_OPEN;
}

enum policy_early policy_before_dial(const struct policy_query *q, struct policy_decision *out)
{
	struct view v;

	view_init(&v, q);
	return early(&v, out);
}

void policy_decide(const struct policy_query *q, struct policy_decision *out)
{
	const struct config_listener *l = q->listener;
	struct policy_query final = *q;
	struct view v;
	size_t i;

	final.sni_known = true;
	view_init(&v, &final);
	out->passed_over = -1;
	for (i = 0; i < l->rule_count; i++) {
		const struct config_rule *r = &l->rules[i];

		if (rule_answer(r, &v) == YES)
			break;
		if (r->action == CONFIG_SPLICE && v.differ && out->passed_over < 0 &&
		    client_matches(&r->match.client, q->client) &&
		    plain_answer(&r->match, &v) == YES)
			out->passed_over = (int)i;
	}
	take_rule(l, i, out);
}

/* "rule 2": the position in the listener's list. Lines of the file do not survive the way to the
 * worker. */
static const char *rule_text(int rule, char out[32])
{
	if (rule < 0)
		return "the default";
	snprintf(out, 32, "rule %d", rule + 1);
	return out;
}

static const char *target_text(const struct policy_query *q, char *out, size_t size)
{
	char ip[ADDR_TEXT_MAX], name[80];

	if (q->host.n == 0 && q->addr) {
		snprintf(out, size, "%s", addr_text(q->addr, ip));
		return out;
	}
	snprintf(out, size, "%s:%u", escape_to(name, sizeof(name), q->host), q->port);
	return out;
}

const char *policy_why(const struct policy_query *q, const struct policy_decision *d,
		       char out[POLICY_WHY_MAX])
{
	char by[32], over[32], sni[80], target[96];
	int n = snprintf(out, POLICY_WHY_MAX, "%s by %s", config_action_text(d->action),
			 rule_text(d->rule, by));

	if (d->passed_over < 0)
		return out;
	snprintf(out + n, POLICY_WHY_MAX - (size_t)n,
		 "; %s did not splice: SNI %s and target %s differ, and it has to match both",
		 rule_text(d->passed_over, over), escape_to(sni, sizeof(sni), q->sni),
		 target_text(q, target, sizeof(target)));
	return out;
}

static bool is_own(const struct addr *to, const struct policy_self *self)
{
	for (size_t i = 0; i < self->own_count; i++)
		if (addr_same_ip(to, &self->own[i]))
			return true;
	return false;
}

/* The kernel takes the unspecified address for the machine itself, and who listens on it listens
 * on every address that the machine has. */
static bool is_own_listener(const struct addr *to, const struct policy_self *self)
{
	enum addr_kind kind = addr_kind(to);
	bool here = kind == ADDR_LOOPBACK || kind == ADDR_UNSPECIFIED || is_own(to, self);

	for (size_t i = 0; i < self->listener_count; i++) {
		const struct addr *l = &self->listeners[i];

		if (l->port != to->port)
			continue;
		if (addr_same_ip(l, to) || kind == ADDR_UNSPECIFIED)
			return true;
		if (here && addr_kind(l) == ADDR_UNSPECIFIED)
			return true;
	}
	return false;
}

/* The metadata services of most clouds, of which the kind says only that it is link-local. */
static bool is_link_local_metadata(const struct addr *to)
{
	static const uint8_t first[3] = { 169, 254, 169 };

	return to->family == ADDR_IP4 && memcmp(to->ip, first, sizeof(first)) == 0 &&
	       to->ip[3] == 254;
}

/* Any of these bits lets a rule send somebody there; 0: no rule is needed. */
static unsigned needed_bits(const struct addr *to, const struct policy_self *self)
{
	switch (addr_kind(to)) {
	case ADDR_LOOPBACK:
		return CONFIG_TO_LOOPBACK;
	case ADDR_LINK_LOCAL:
		return CONFIG_TO_LINK_LOCAL | (is_link_local_metadata(to) ? CONFIG_TO_METADATA : 0);
	case ADDR_METADATA:
		return CONFIG_TO_METADATA;
	case ADDR_UNSPECIFIED:
		return CONFIG_TO_UNSPECIFIED;
	case ADDR_MULTICAST:
		return CONFIG_TO_MULTICAST;
	case ADDR_PUBLIC:
		break;
	}
	return is_own(to, self) ? CONFIG_TO_OWN : 0;
}

static bool rule_allows(const struct config_rule *r, const struct addr *to, unsigned needed)
{
	if (r->action == CONFIG_BLOCK || r->allow.kinds & needed)
		return true;
	return r->allow.ranges.count && client_matches(&r->allow.ranges, to);
}

/* Whether each rule that may still turn out to be the one allows it. */
static bool rules_allow(const struct view *v, const struct addr *to, unsigned needed)
{
	const struct config_listener *l = v->q->listener;

	for (size_t i = 0; i < l->rule_count; i++) {
		enum answer a = rule_answer(&l->rules[i], v);

		if (a != NO && !rule_allows(&l->rules[i], to, needed))
			return false;
		if (a == YES)
			return true;
	}
	return rule_allows(&l->otherwise, to, needed);
}

bool policy_allows_address(const struct policy_query *q, const struct addr *to,
			   const struct policy_self *self, char why[POLICY_WHY_MAX])
{
	struct policy_query dialled = *q;
	struct policy_decision d;
	char text[ADDR_TEXT_MAX], by[32];
	struct view v;
	unsigned needed;

	dialled.addr = to;
	view_init(&v, &dialled);
	needed = needed_bits(to, self);
	addr_text(to, text);
	if (is_own_listener(to, self)) {
		snprintf(why, POLICY_WHY_MAX, "%s is oriel's own listener", text);
		return false;
	}
	if (early(&v, &d) == POLICY_BLOCKED) {
		snprintf(why, POLICY_WHY_MAX, "%s is blocked by %s", text, rule_text(d.rule, by));
		return false;
	}
	if (!needed || addr_kind(q->client) == ADDR_LOOPBACK || rules_allow(&v, to, needed))
		return true;
	snprintf(why, POLICY_WHY_MAX,
		 "%s is %s: for a client that is not on loopback its rule must say "
		 "allow-destinations",
		 text,
		 needed == CONFIG_TO_OWN ? "this machine's own address"
					 : addr_kind_text(addr_kind(to)));
	return false;
}

bool policy_matches_name(const struct config_patterns *list, struct bytes name)
{
	struct thing t = { .name = without_last_dot(name) };

	return list_answer(list, &t) == YES;
}

static bool matches_everything(const struct config_patterns *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->list[i].kind == CONFIG_PATTERN_ANY && !list->list[i].port)
			return true;
	return list->count == 0;
}

bool policy_is_catch_all(const struct config_rule *r)
{
	return r->match.client.count == 0 && matches_everything(&r->match.target) &&
	       matches_everything(&r->match.sni);
}
