#include "proxy/setup.h"

#include <assert.h>

#include "base/mem.h"
#include "net/sock.h"

static _Atomic uint64_t generations;

struct setup *setup_ref(struct setup *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

static void setup_wipe(struct setup *s)
{
	for (size_t i = 0; s->secrets && i < s->secret_count; i++) {
		uint8_t *p = STEAL(s->owned_secrets[i]);

		if (p)
			mem_wipe(p, s->secrets[i].n);
		mem_free(p);
	}
	mem_free(s->secrets);
	mem_free(s->owned_secrets);
}

void setup_free(struct setup *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < s->trust_count; i++)
		trust_free(s->trusts[i].trust);
	mem_free(s->trusts);
	setup_wipe(s);
	mem_free(s->listener_addrs);
	mem_free(s->own_addrs);
	for (size_t i = 0; i < s->keylog_count; i++)
		sock_close(&s->keylogs[i].fd);
	proxy_config_free(s->config);
	mem_free(s);
}

/* The roots of one list of assets (NULL: the system's), once. */
static int add_trust(struct setup *s, const struct setup_options *o, const struct config_assets *a,
		     struct err *e)
{
	AUTO(buf_fini) struct buf pem = buf_init((size_t)64 << 20);
	struct setup_trust *t = &s->trusts[s->trust_count];
	size_t count = 0, skipped = 0;

	for (size_t i = 0; i < s->trust_count; i++) {
		if (s->trusts[i].assets == (a->count ? a->index : NULL))
			return 0;
	}
	for (size_t i = 0; i < a->count; i++) {
		if (buf_add(&pem, o->assets[a->index[i]], e) < 0 ||
		    buf_add(&pem, bytes_str("\n"), e) < 0)
			return -1;
	}
	t->assets = a->count ? a->index : NULL;
	if (trust_new(a->count ? buf_bytes(&pem) : o->system_roots, &t->trust, &count, &skipped,
		      e) < 0)
		return err_ctx(e, "%s", a->count ? "`upstream-ca:`" : "the system's roots");
	s->trust_count++;
	if (a->count && count == 0)
		return FAIL(e, CONFIG, "`upstream-ca:` %s: there is no certificate in it",
			    s->config->assets[a->index[0]].path);
	return o->own_root.n ? trust_exclude(t->trust, o->own_root, e) : 0;
}

static int add_trusts(struct setup *s, const struct setup_options *o, struct err *e)
{
	const struct proxy_config *c = s->config;
	size_t max = 1;

	for (size_t i = 0; i < c->listener_count; i++)
		max += c->listeners[i].rule_count + 1;
	s->trusts = mem_new_array(max, sizeof(*s->trusts));
	if (!s->trusts)
		return FAIL(e, NOMEM, "the roots");
	if (add_trust(s, o, &c->upstream_ca, e) < 0)
		return -1;
	for (size_t i = 0; i < c->listener_count; i++) {
		const struct config_listener *l = &c->listeners[i];

		for (size_t k = 0; k < l->rule_count; k++) {
			if (l->rules[k].upstream_ca.count &&
			    add_trust(s, o, &l->rules[k].upstream_ca, e) < 0)
				return -1;
		}
		if (l->otherwise.upstream_ca.count &&
		    add_trust(s, o, &l->otherwise.upstream_ca, e) < 0)
			return -1;
	}
	return 0;
}

/* Passwords and tokens, without the line's end. */
static int add_secrets(struct setup *s, const struct setup_options *o, struct err *e)
{
	s->secret_count = s->config->asset_count;
	s->secrets = mem_new_array(s->secret_count, sizeof(*s->secrets));
	s->owned_secrets = mem_new_array(s->secret_count, sizeof(*s->owned_secrets));
	if (!s->secrets || !s->owned_secrets)
		return FAIL(e, NOMEM, "the passwords");
	for (size_t i = 0; i < s->secret_count; i++) {
		enum config_asset_kind kind = s->config->assets[i].kind;
		struct bytes b = o->assets[i];

		if (kind != CONFIG_ASSET_PASSWORD && kind != CONFIG_ASSET_TOKEN)
			continue;
		while (b.n && (b.p[b.n - 1] == '\n' || b.p[b.n - 1] == '\r'))
			b.n--;
		s->owned_secrets[i] = mem_dup(b);
		if (!s->owned_secrets[i])
			return FAIL(e, NOMEM, "the passwords");
		s->secrets[i] = bytes_of(s->owned_secrets[i], b.n);
	}
	return 0;
}

static int add_self(struct setup *s, const struct setup_options *o, struct err *e)
{
	s->listener_addrs =
		mem_dup(bytes_of(o->listeners, o->listener_count * sizeof(struct addr)));
	s->own_addrs = mem_dup(bytes_of(o->own, o->own_count * sizeof(struct addr)));
	if (!s->listener_addrs || !s->own_addrs)
		return FAIL(e, NOMEM, "the addresses of this machine");
	s->self = (struct policy_self){ .listeners = s->listener_addrs,
					.listener_count = o->listener_count,
					.own = s->own_addrs,
					.own_count = o->own_count };
	return 0;
}

int setup_new(const struct setup_options *o, struct setup **out, struct err *e)
{
	struct setup *s = mem_new(sizeof(*s));

	if (!s) {
		for (size_t i = 0; i < o->keylog_count; i++)
			sock_close(&(int){ o->keylogs[i].fd });
		proxy_config_free(o->config);
		return FAIL(e, NOMEM, "a configuration");
	}
	atomic_init(&s->refs, 1);
	s->generation = atomic_fetch_add(&generations, 1) + 1;
	s->config = o->config;
	assert(o->keylog_count <= SETUP_KEYLOGS_MAX);
	s->keylog_count = o->keylog_count;
	for (size_t i = 0; i < s->keylog_count; i++)
		s->keylogs[i] = o->keylogs[i];
	if (add_self(s, o, e) < 0 || add_secrets(s, o, e) < 0 || add_trusts(s, o, e) < 0) {
		setup_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

struct trust *setup_trust_for(const struct setup *s, const struct config_rule *rule)
{
	if (rule->upstream_ca.count == 0)
		return s->trusts[0].trust;
	for (size_t i = 1; i < s->trust_count; i++) {
		if (s->trusts[i].assets == rule->upstream_ca.index)
			return s->trusts[i].trust;
	}
	return s->trusts[0].trust;
}
