#include "cmd/config_schema.h"

#include <assert.h>

/* A row: the key, its kind, its field, and what more there is to say. */
#define KEY(key, what, type, member, ...)                                                          \
	{                                                                                          \
		.name = (key), .kind = CONFIG_KIND_##what,                                         \
		.offset = offsetof(struct type, member),                                           \
		.size = sizeof(((struct type *)0)->member), __VA_ARGS__                            \
	}
/* The same for a kind that fills several fields of the object. */
#define KEY_OF(key, what, type, ...)                                                               \
	{                                                                                          \
		.name = (key), .kind = CONFIG_KIND_##what, .size = sizeof(struct type),            \
		__VA_ARGS__                                                                        \
	}
#define MS 1000000ull
#define HOURS(n) ((n)*3600000 * MS)

/* The pointer and its count stand beside each other wherever a list is. */
#define LIST_AT(type, pointer, number)                                                             \
	static_assert(offsetof(struct type, number) ==                                             \
			      offsetof(struct type, pointer) +                                     \
				      offsetof(struct config_any_list, count),                     \
		      "a list is a pointer and a count")
LIST_AT(config_patterns, list, count);
LIST_AT(config_ranges, list, count);
LIST_AT(config_assets, index, count);
LIST_AT(config_rule, set_headers, set_header_count);
LIST_AT(config_listener, rules, rule_count);
LIST_AT(config_listener, users, user_count);
LIST_AT(proxy_config, listeners, listener_count);
LIST_AT(proxy_config, hosts, host_count);

/* clang-format off */
static const struct config_choice actions[] = {
	{ "bump", CONFIG_BUMP }, { "splice", CONFIG_SPLICE }, { "block", CONFIG_BLOCK }, { NULL, 0 },
};
static const struct config_choice invalids[] = {
	{ "mirror", CONFIG_INVALID_MIRROR }, { "block", CONFIG_INVALID_BLOCK },
	{ "allow", CONFIG_INVALID_ALLOW }, { NULL, 0 },
};
static const struct config_choice versions[] = { { "1.2", 0x0303 }, { "1.3", 0x0304 }, { NULL, 0 } };
static const struct config_choice modes[] = { { "egress", CONFIG_EGRESS }, { NULL, 0 } };
static const struct config_choice transparents[] = {
	{ "none", CONFIG_NOT_TRANSPARENT }, { "redirect", CONFIG_REDIRECT },
	{ "tproxy", CONFIG_TPROXY }, { NULL, 0 },
};
static const struct config_choice logs[] = {
	{ "text", CONFIG_LOG_TEXT }, { "json", CONFIG_LOG_JSON }, { "off", CONFIG_LOG_OFF }, { NULL, 0 },
};
static const struct config_choice destinations[] = {
	{ "loopback", CONFIG_TO_LOOPBACK }, { "link-local", CONFIG_TO_LINK_LOCAL },
	{ "metadata", CONFIG_TO_METADATA }, { "unspecified", CONFIG_TO_UNSPECIFIED },
	{ "multicast", CONFIG_TO_MULTICAST }, { "own", CONFIG_TO_OWN }, { NULL, 0 },
};
/* clang-format on */

static bool rule_bumps(const void *object)
{
	const struct config_rule *r = object;

	return r->action == CONFIG_BUMP;
}

static bool rule_connects(const void *object)
{
	const struct config_rule *r = object;

	return r->action != CONFIG_BLOCK;
}

static bool listener_is_explicit(const void *object)
{
	const struct config_listener *l = object;

	return l->transparent == CONFIG_NOT_TRANSPARENT;
}

/* Rules. */

static bool match_present(const void *object)
{
	const struct config_match *m = object;

	return m->target.count || m->sni.count || m->client.count;
}

/* clang-format off */
static const struct config_key match_keys[] = {
	KEY("target", TARGETS, config_match, target,
	    .help = "what oriel dials: the host or address asked for or the address dialled, with `:PORT` where only one port is meant"),
	KEY("sni", NAMES, config_match, sni,
	    .help = "the name in the ClientHello; `\"*\"` also matches none"),
	KEY("client", RANGES, config_match, client,
	    .help = "where the client connects from"),
	{ NULL },
};
/* clang-format on */

static const struct config_schema match_schema = {
	.title = "listeners[].rules[].match",
	.help = "Every condition that is written has to match, by one entry of its list. Without "
		"any, the rule matches everything. `*.example.com` matches one label or more "
		"before `.example.com`, not `example.com` itself.",
	.keys = match_keys,
	.size = sizeof(struct config_match),
	.present = match_present,
};

static void begin_rule(struct config_reader *r, const struct config_node *n, void *object)
{
	struct config_rule *rule = object;

	(void)r;
	rule->line = n->at.line;
}

/* clang-format off */
static const struct config_key rule_keys[] = {
	KEY("match", MAP, config_rule, match,
	    .of = &match_schema,
	    .help = "which connections"),
	KEY("do", CHOICE, config_rule, action,
	    .choices = actions, .needed = true,
	    .help = "decrypt, pass on untouched, or refuse"),
	KEY("invalid-upstream", CHOICE, config_rule, invalid_upstream,
	    .choices = invalids, .applies = rule_bumps, .where = "with do: bump",
	    .help = "when the server's certificate does not verify: show the client one with the same fault, refuse, or vouch for it"),
	KEY("upstream-ca", ASSETS, config_rule, upstream_ca,
	    .asset = CONFIG_ASSET_UPSTREAM_CA, .applies = rule_bumps, .where = "with do: bump",
	    .help = "roots (PEM) for this rule's servers, in place of the top-level `upstream-ca`"),
	KEY("upstream-min-version", CHOICE, config_rule, upstream_min_version,
	    .choices = versions, .applies = rule_bumps, .where = "with do: bump",
	    .help = "the oldest TLS spoken with the server"),
	KEY("set-header", HEADERS, config_rule, set_headers,
	    .applies = rule_bumps, .where = "with do: bump",
	    .help = "header fields set in every HTTP/1.1 request; the rule then rewrites instead of observing"),
	KEY("allow-destinations", ALLOW, config_rule, allow,
	    .choices = destinations, .applies = rule_connects, .where = "with do: bump or splice",
	    .help = "where this rule's connections may also go when the client is not on loopback"),
	{ NULL },
};
/* clang-format on */

static const struct config_schema rule_schema = {
	.title = "listeners[].rules[]",
	.help = "Asked in order; the first that matches decides. A splice rule, where the SNI is "
		"not the target's name, applies only if it matches both: a list that it does not "
		"have is taken from the other (an address has the "
		"SNI's name when oriel's own resolver says so).",
	.keys = rule_keys,
	.defaults = &config_rule_default,
	.size = sizeof(struct config_rule),
	.begin = begin_rule,
};

/* Timeouts. */

#define TIMEOUT(key, member, text)                                                                 \
	KEY(key, DURATION, config_timeouts, member, .min = MS, .max = HOURS(24), .help = (text))

/* clang-format off */
static const struct config_key timeout_keys[] = {
	TIMEOUT("hello", hello, "for a whole request to connect and a whole ClientHello"),
	TIMEOUT("dial", dial, "for resolving a name and connecting"),
	TIMEOUT("handshake", handshake, "for each of the two TLS handshakes"),
	TIMEOUT("idle", idle, "for a connection on which nothing moves"),
	TIMEOUT("silent-client", silent_client, "transparent: a client silent for so long may wait for the server to speak, which is then dialled"),
	TIMEOUT("half-close", half_close, "when one side has ended and the other is silent"),
	TIMEOUT("drain", drain, "for what is still under way when oriel ends"),
	{ NULL },
};
/* clang-format on */

static const struct config_schema timeouts_schema = {
	.title = "timeouts",
	.help = "At the top for all listeners; a listener may have its own `timeouts:`.",
	.keys = timeout_keys,
	.size = sizeof(struct config_timeouts),
};

/* Listeners. */

/* clang-format off */
static const struct config_key user_keys[] = {
	KEY("user", TEXT, config_user, name,
	    .needed = true,
	    .help = "the name"),
	KEY("password-file", ASSET, config_user, password,
	    .asset = CONFIG_ASSET_PASSWORD, .needed = true,
	    .help = "a file (0600) whose first line is the password"),
	{ NULL },
};
/* clang-format on */

static const struct config_user user_default = { .password = CONFIG_NO_ASSET };

static const struct config_schema user_schema = {
	.title = "listeners[].auth[]",
	.help = "Who may use the listener (Proxy-Authorization: Basic; SOCKS user and password).",
	.keys = user_keys,
	.defaults = &user_default,
	.size = sizeof(struct config_user),
};

static void begin_listener(struct config_reader *r, const struct config_node *n, void *object)
{
	struct config_listener *l = object;

	l->line = n->at.line;
	l->timeouts = r->config->timeouts;
}

/* clang-format off */
static const struct config_key listener_keys[] = {
	KEY("bind", ADDR, config_listener, bind,
	    .needed = true,
	    .help = "where to listen; an address that is not loopback needs `clients` or `auth`"),
	KEY("mode", CHOICE, config_listener, mode,
	    .choices = modes,
	    .help = "a proxy on the way out"),
	KEY("transparent", CHOICE, config_listener, transparent,
	    .choices = transparents,
	    .help = "connections arrive by the firewall's REDIRECT or TPROXY instead of CONNECT or SOCKS"),
	KEY("port", NUMBER, config_listener, port,
	    .min = 1, .max = 65535, .applies = listener_is_explicit, .where = "with transparent: none",
	    .help = "dialled for TLS that comes without CONNECT or SOCKS; the host is the SNI"),
	KEY("rules", LIST, config_listener, rules,
	    .of = &rule_schema,
	    .help = "the policy"),
	KEY("default", CHOICE, config_listener, otherwise.action,
	    .choices = actions,
	    .help = "what to do without a matching rule; has to be written unless a rule matches everything"),
	KEY("clients", RANGES, config_listener, clients,
	    .help = "who may connect"),
	KEY("auth", LIST, config_listener, users,
	    .of = &user_schema, .applies = listener_is_explicit, .where = "with transparent: none",
	    .help = "proxy authentication"),
	KEY("timeouts", MAP, config_listener, timeouts,
	    .of = &timeouts_schema,
	    .help = "where they differ from the top-level ones"),
	{ NULL },
};
/* clang-format on */

static const struct config_schema listener_schema = {
	.title = "listeners[]",
	.help = "Where connections come in.",
	.keys = listener_keys,
	.defaults = &config_listener_default,
	.size = sizeof(struct config_listener),
	.begin = begin_listener,
	.check = config_check_listener,
};

/* Admin. */

static const char *bare_admin(struct bytes text)
{
	return bytes_starts(text, bytes_str("unix:")) || bytes_starts(text, bytes_str("/")) ||
			       bytes_equal(text, bytes_str("off"))
		       ? "socket"
		       : "tcp";
}

/* clang-format off */
static const struct config_key admin_keys[] = {
	KEY_OF("socket", SOCKET, config_admin,
	    .help = "the Unix socket (0600); `default` is `$XDG_RUNTIME_DIR/oriel/admin.sock`, else `/run/oriel/admin.sock` as root, else in `$XDG_STATE_HOME/oriel/run`"),
	KEY("tcp", ADDR, config_admin, tcp,
	    .help = "serves only metrics, health and the CA certificate"),
	KEY("token-file", ASSET, config_admin, token,
	    .asset = CONFIG_ASSET_TOKEN,
	    .help = "a file (0600) with the bearer token that flows and changes need over TCP"),
	{ NULL },
};
/* clang-format on */

static const struct config_schema admin_schema = {
	.title = "admin",
	.help = "Also as one text: `admin: unix:PATH`, `admin: 127.0.0.1:9901`, `admin: off`.",
	.keys = admin_keys,
	.size = sizeof(struct config_admin),
	.bare = bare_admin,
	.check = config_check_admin,
};

/* What is shown and kept. */

static const char *bare_path(struct bytes text)
{
	(void)text;
	return "path";
}

static bool keylog_present(const void *object)
{
	const struct config_keylog *k = object;

	return k->path != NULL;
}

/* clang-format off */
static const struct config_key keylog_keys[] = {
	KEY("path", PATH, config_keylog, path,
	    .needed = true,
	    .help = "the file (made 0600) or FIFO"),
	KEY("local", RANGES, config_keylog, local,
	    .help = "only connections with such an address at our end"),
	KEY("remote", RANGES, config_keylog, remote,
	    .help = "only connections with such an address at the other end"),
	{ NULL },
};
/* clang-format on */

static const struct config_schema keylog_schema = {
	.title = "observe.keylog",
	.help = "The secrets of both legs, as SSLKEYLOGFILE (RFC 9850). Also as one text: `keylog: "
		"PATH`.",
	.keys = keylog_keys,
	.size = sizeof(struct config_keylog),
	.bare = bare_path,
	.present = keylog_present,
};

/* clang-format off */
static const struct config_key observe_keys[] = {
	KEY("log", CHOICE, config_observe, log,
	    .choices = logs,
	    .help = "the lines on standard output"),
	KEY("headers", BOOL, config_observe, headers,
	    .help = "lines show header fields (`-v`)"),
	KEY("bodies", BOOL, config_observe, bodies,
	    .help = "lines show bodies (`--body`)"),
	KEY("redact", BOOL, config_observe, redact,
	    .help = "mask secrets also in what was asked for by name"),
	KEY("keylog", MAP, config_observe, keylog,
	    .of = &keylog_schema,
	    .help = "where secrets are written"),
	KEY("har", PATH, config_observe, har,
	    .help = "a HAR 1.2 file"),
	KEY("store", NUMBER, config_observe, store,
	    .max = 100000,
	    .help = "how many exchanges `oriel flows` can show"),
	KEY("body-max", SIZE, config_observe, body_max,
	    .max = 64u << 20,
	    .help = "how much of each body is kept and shown"),
	{ NULL },
};
/* clang-format on */

static const struct config_schema observe_schema = {
	.title = "observe",
	.help = "What is shown and kept.",
	.keys = observe_keys,
	.size = sizeof(struct config_observe),
};

/* The rest of the top level. */

/* clang-format off */
static const struct config_key limit_keys[] = {
	KEY("connections", NUMBER, config_limits, connections,
	    .min = 1, .max = 10000000,
	    .help = "of clients, at once"),
	KEY("connections-per-client", NUMBER, config_limits, connections_per_client,
	    .min = 1, .max = 10000000,
	    .help = "from one address, at once"),
	KEY("buffer", SIZE, config_limits, buffer,
	    .min = 32 << 10, .max = 64u << 20,
	    .help = "waiting in each direction of a connection"),
	KEY("certificates", NUMBER, config_limits, certificates,
	    .min = 1, .max = 1000000,
	    .help = "minted ones kept"),
	KEY("sessions", NUMBER, config_limits, sessions,
	    .min = 1, .max = 1000000,
	    .help = "of servers, kept for resumption"),
	{ NULL },
};
/* clang-format on */

static const struct config_schema limits_schema = {
	.title = "limits",
	.help = "What oriel takes on at most.",
	.keys = limit_keys,
	.size = sizeof(struct config_limits),
};

static const char *bare_url(struct bytes text)
{
	(void)text;
	return "url";
}

static bool upstream_proxy_present(const void *object)
{
	const struct config_upstream_proxy *p = object;

	return p->host != NULL;
}

/* clang-format off */
static const struct config_key upstream_proxy_keys[] = {
	KEY_OF("url", PROXY, config_upstream_proxy,
	    .needed = true,
	    .help = "the proxy; CONNECT is asked of it"),
	KEY("user", TEXT, config_upstream_proxy, user,
	    .help = "the name it wants"),
	KEY("password-file", ASSET, config_upstream_proxy, password,
	    .asset = CONFIG_ASSET_PASSWORD,
	    .help = "a file (0600) whose first line is the password"),
	{ NULL },
};
/* clang-format on */

static const struct config_schema upstream_proxy_schema = {
	.title = "upstream-proxy",
	.help = "For people behind a proxy. Also as one text: `upstream-proxy: http://HOST:PORT`.",
	.keys = upstream_proxy_keys,
	.size = sizeof(struct config_upstream_proxy),
	.bare = bare_url,
	.present = upstream_proxy_present,
	.check = config_check_upstream_proxy,
};

static bool bump_ca_present(const void *object)
{
	const struct proxy_config *c = object;

	return c->bump_cert != CONFIG_NO_ASSET;
}

/* clang-format off */
static const struct config_key bump_ca_keys[] = {
	KEY("cert", ASSET, proxy_config, bump_cert,
	    .asset = CONFIG_ASSET_BUMP_CERT, .needed = true,
	    .help = "PEM"),
	KEY("key", ASSET, proxy_config, bump_key,
	    .asset = CONFIG_ASSET_BUMP_KEY, .needed = true,
	    .help = "PEM, PKCS#8, 0600"),
	{ NULL },
};
/* clang-format on */

static const struct config_schema bump_ca_schema = {
	.title = "bump-ca",
	.help = "The bump root, where it is not the one in `$XDG_STATE_HOME/oriel/bump` that oriel "
		"makes itself.",
	.keys = bump_ca_keys,
	.size = sizeof(struct proxy_config),
	.present = bump_ca_present,
};

/* clang-format off */
static const struct config_key root_keys[] = {
	KEY("listeners", LIST, proxy_config, listeners,
	    .min = 1, .max = CONFIG_LISTENERS_MAX, .of = &listener_schema,
	    .help = "where connections come in; without the key: 127.0.0.1:8080, `default: bump`"),
	KEY("admin", MAP, proxy_config, admin,
	    .of = &admin_schema,
	    .help = "where oriel answers questions about itself"),
	KEY("observe", MAP, proxy_config, observe,
	    .of = &observe_schema,
	    .help = "what is shown and kept"),
	KEY("hosts", HOSTS, proxy_config, hosts,
	    .help = "names that do not come from DNS"),
	KEY("upstream-proxy", MAP, proxy_config, upstream_proxy,
	    .of = &upstream_proxy_schema,
	    .help = "for people behind one"),
	KEY("upstream-ca", ASSETS, proxy_config, upstream_ca,
	    .asset = CONFIG_ASSET_UPSTREAM_CA,
	    .help = "roots (PEM) for servers, in place of the system's"),
	KEY_OF("bump-ca", MAP, proxy_config,
	    .of = &bump_ca_schema,
	    .help = "who signs the certificates that clients see"),
	KEY("threads", NUMBER, proxy_config, threads,
	    .max = 256,
	    .help = "workers; 0 is one for each processor"),
	KEY("timeouts", MAP, proxy_config, timeouts,
	    .of = &timeouts_schema, .first = true,
	    .help = "how long things may take"),
	KEY("limits", MAP, proxy_config, limits,
	    .of = &limits_schema,
	    .help = "how much there may be"),
	{ NULL },
};
/* clang-format on */

const struct config_schema config_schema_root = {
	.title = "top level",
	.help = "One YAML document in UTF-8, at most 1 MiB. A relative path counts from the file's "
		"folder.",
	.keys = root_keys,
	.size = sizeof(struct proxy_config),
	.check = config_check_root,
};

const struct config_key *config_key_find(const struct config_schema *s, struct bytes name)
{
	for (const struct config_key *k = s->keys; k->name; k++)
		if (bytes_equal(bytes_str(k->name), name))
			return k;
	return NULL;
}
