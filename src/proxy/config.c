#include "proxy/config.h"

#include "base/mem.h"

#define SECONDS(n) ((int64_t)(n)*1000000000)

/* A configuration file has at most a megabyte; what is made of it stays well below this. */
#define ARENA_MAX ((size_t)64 << 20)

/* clang-format off */
#define TIMEOUTS_DEFAULT                \
	{                               \
		.hello = SECONDS(10),   \
		.dial = SECONDS(10),    \
		.handshake = SECONDS(15), \
		.idle = SECONDS(600),   \
		.silent_client = SECONDS(2), \
		.half_close = SECONDS(60), \
		.drain = SECONDS(30),   \
	}
/* clang-format on */

const struct config_timeouts config_timeouts_default = TIMEOUTS_DEFAULT;

const struct config_limits config_limits_default = {
	.connections = 20000,
	.connections_per_client = 10000,
	.buffer = 256 * 1024,
	.certificates = 10000,
	.sessions = 1000,
};

const struct config_observe config_observe_default = {
	.log = CONFIG_LOG_TEXT,
	.store = 1000,
	.body_max = 64 * 1024,
};

const struct config_admin config_admin_default = {
	.socket = CONFIG_ADMIN_DEFAULT,
	.token = CONFIG_NO_ASSET,
};

const struct config_upstream_proxy config_upstream_proxy_default = {
	.password = CONFIG_NO_ASSET,
};

#define RULE_DEFAULT .invalid_upstream = CONFIG_INVALID_MIRROR, .upstream_min_version = 0x0303

const struct config_rule config_rule_default = { RULE_DEFAULT };

const struct config_listener config_listener_default = {
	.mode = CONFIG_EGRESS,
	.transparent = CONFIG_NOT_TRANSPARENT,
	.port = 443,
	.otherwise = { RULE_DEFAULT },
	.timeouts = TIMEOUTS_DEFAULT,
};

const char *config_action_text(enum config_action a)
{
	static const char *const texts[] = {
		[CONFIG_NO_ACTION] = "nothing",
		[CONFIG_BUMP] = "bump",
		[CONFIG_SPLICE] = "splice",
		[CONFIG_BLOCK] = "block",
	};

	return texts[a];
}

int proxy_config_new(struct proxy_config **out, struct err *e)
{
	struct proxy_config *c = mem_new(sizeof(*c));

	if (!c)
		return FAIL(e, NOMEM, "configuration: out of memory");
	atomic_init(&c->refs, 1);
	c->arena = arena_init(ARENA_MAX);
	c->admin = config_admin_default;
	c->observe = config_observe_default;
	c->upstream_proxy = config_upstream_proxy_default;
	c->bump_cert = c->bump_key = CONFIG_NO_ASSET;
	c->limits = config_limits_default;
	c->timeouts = config_timeouts_default;
	*out = c;
	return 0;
}

int proxy_config_defaults(struct proxy_config **out, struct err *e)
{
	AUTO(proxy_config_freep) struct proxy_config *c = NULL;
	struct config_listener *l;

	if (proxy_config_new(&c, e) < 0)
		return -1;
	l = arena_new(&c->arena, 1, sizeof(*l));
	if (!l)
		return FAIL(e, NOMEM, "configuration: out of memory");
	*l = config_listener_default;
	l->bind = (struct addr){ .family = ADDR_IP4, .ip = { 127, 0, 0, 1 }, .port = 8080 };
	l->otherwise.action = CONFIG_BUMP;
	c->listeners = l;
	c->listener_count = 1;
	*out = STEAL(c);
	return 0;
}

struct proxy_config *proxy_config_ref(struct proxy_config *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void proxy_config_free(struct proxy_config *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	arena_fini(&c->arena);
	mem_free(c);
}

void proxy_config_freep(struct proxy_config **c)
{
	proxy_config_free(*c);
}
