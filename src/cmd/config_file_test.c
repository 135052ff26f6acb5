#include "cmd/config_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"

/* As the manual shows it. */
static const char example[] =
	"listeners:\n"
	"  - bind: 127.0.0.1:8080\n"
	"    mode: egress\n"
	"    rules:\n"
	"      - {match: {sni: [\"*.bank.example\"], target: [\"*.bank.example\"]}, do: splice}\n"
	"      - {match: {target: [\"*\"]}, do: bump, invalid-upstream: mirror}\n"
	"admin: unix:/run/oriel/admin.sock      # or 127.0.0.1:9901: metrics, health, CA "
	"certificate only\n"
	"observe:\n"
	"  keylog: {path: /run/oriel/keys, local: [10.0.0.0/8], remote: [0.0.0.0/0]}\n"
	"hosts: {db.test: 10.9.0.43}            # names that do not come from DNS\n"
	"upstream-proxy: http://proxy.corp:3128 # for people behind one\n";

/* Every key that there is. */
static const char everything[] =
	"listeners:\n"
	"  - bind: '[::]:8080'\n"
	"    mode: egress\n"
	"    transparent: none\n"
	"    port: 8443\n"
	"    rules:\n"
	"      - match:\n"
	"          target: [a.test, \"*.b.test:443\", \"*:8443\", 10.0.0.0/8, \"10.1.0.0/16:22\",\n"
	"                   192.0.2.1, \"192.0.2.2:80\", \"::1\", \"[::1]:443\", "
	"\"[fd00::/8]:443\"]\n"
	"          sni: [\"*\", A.Test., \"*.b.test\"]\n"
	"          client: [10.9.0.0/24, fd00::/8, 10.8.0.1]\n"
	"        do: bump\n"
	"        invalid-upstream: allow\n"
	"        upstream-ca: [/etc/a.pem, \"b \\\"quoted\\\" \\\\ "
	"\\u00fc\\u2028\\U0001F600.pem\"]\n"
	"        upstream-min-version: 1.3\n"
	"        set-header:\n"
	"          X-Foo: bar\n"
	"          X-Empty: \"\"\n"
	"          X-Odd: \"a: b # c \\\" \\\\\\td\"\n"
	"        allow-destinations: [loopback, own, 169.254.169.254]\n"
	"      - {match: {target: [c.test]}, do: splice, allow-destinations: [metadata]}\n"
	"      - {match: {}, do: block}\n"
	"    clients: [0.0.0.0/0]\n"
	"    auth:\n"
	"      - {user: alice, password-file: alice.secret}\n"
	"      - {user: \"true\", password-file: /etc/a.pem}\n"
	"    timeouts: {idle: 90s}\n"
	"  - bind: 127.0.0.1:0\n"
	"    transparent: tproxy\n"
	"    default: splice\n"
	"  - bind: 127.0.0.1:0\n"
	"    transparent: redirect\n"
	"    default: block\n"
	"admin: {socket: off, tcp: 127.0.0.1:9901, token-file: token}\n"
	"observe:\n"
	"  log: json\n"
	"  headers: true\n"
	"  bodies: true\n"
	"  redact: true\n"
	"  keylog: keys.txt\n"
	"  har: out.har\n"
	"  store: 0\n"
	"  body-max: 1MiB\n"
	"hosts:\n"
	"  a.test: 10.9.0.43\n"
	"  B.test.: [10.9.0.44, \"fd00::44\"]\n"
	"upstream-proxy: {url: \"http://[fd00::1]:3128/\", user: me, password-file: secret}\n"
	"upstream-ca: /etc/roots.pem\n"
	"bump-ca: {cert: ca.pem, key: ca-key.pem}\n"
	"threads: 3\n"
	"timeouts: {hello: 1ms, dial: 2s, handshake: 3m, idle: 4h, silent-client: 1500ms,\n"
	"           half-close: 60s, drain: 24h}\n"
	"limits: {connections: 1, connections-per-client: 2, buffer: 32KiB,\n"
	"         certificates: 3, sessions: 4}\n";

static struct err err;

static int parse(struct bytes text, struct proxy_config **out)
{
	struct config_file file = { .name = "oriel.yaml", .text = text };

	err = (struct err){ 0 };
	return config_file_parse(&file, out, &err);
}

static struct proxy_config *parsed(const char *text)
{
	struct proxy_config *c = NULL;

	if (parse(bytes_str(text), &c) < 0)
		fail_msg("%s", err.sentence);
	return c;
}

static struct buf printed(const struct proxy_config *c)
{
	struct buf b = buf_init(1 << 20);

	if (config_file_print(c, &b, &err) < 0)
		fail_msg("%s", err.sentence);
	return b;
}

/* What the two mean is the same. */
static void assert_same(struct proxy_config *a, struct proxy_config *b)
{
	struct buf x = printed(a), y = printed(b);

	if (!bytes_equal(buf_bytes(&x), buf_bytes(&y)))
		fail_msg("%.*s\nis not\n%.*s", BYTES_FMT(buf_bytes(&x)), BYTES_FMT(buf_bytes(&y)));
	buf_fini(&x);
	buf_fini(&y);
}

static void assert_pattern(const struct config_pattern *p, enum config_pattern_kind kind,
			   const char *name, uint16_t port)
{
	char ip[ADDR_TEXT_MAX];

	assert_int_equal(p->kind, kind);
	assert_int_equal(p->port, port);
	if (kind == CONFIG_PATTERN_RANGE)
		assert_string_equal(addr_ip_text(&p->range.base, ip), name);
	else
		assert_true(bytes_equal(p->name, bytes_str(name)));
}

static void the_example_of_the_manual_means_what_it_says(void **state)
{
	struct proxy_config *c = parsed(example);
	const struct config_listener *l = &c->listeners[0];
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(c->listener_count, 1);
	assert_int_equal(l->line, 2);
	assert_string_equal(addr_text(&l->bind, text), "127.0.0.1:8080");
	assert_int_equal(l->mode, CONFIG_EGRESS);
	assert_int_equal(l->rule_count, 2);
	assert_int_equal(l->rules[0].line, 5);
	assert_int_equal(l->rules[0].action, CONFIG_SPLICE);
	assert_pattern(l->rules[0].match.sni.list, CONFIG_PATTERN_SUFFIX, ".bank.example", 0);
	assert_pattern(l->rules[0].match.target.list, CONFIG_PATTERN_SUFFIX, ".bank.example", 0);
	assert_pattern(l->rules[1].match.target.list, CONFIG_PATTERN_ANY, "", 0);
	assert_int_equal(l->rules[1].action, CONFIG_BUMP);
	assert_int_equal(l->rules[1].invalid_upstream, CONFIG_INVALID_MIRROR);
	assert_int_equal(l->otherwise.action, CONFIG_NO_ACTION);
	assert_int_equal(c->admin.socket, CONFIG_ADMIN_AT);
	assert_string_equal(c->admin.path, "/run/oriel/admin.sock");
	assert_int_equal(c->admin.tcp.family, ADDR_NONE);
	assert_string_equal(c->observe.keylog.path, "/run/oriel/keys");
	assert_int_equal(c->observe.keylog.local.count, 1);
	assert_int_equal(c->observe.keylog.local.list[0].prefix, 8);
	assert_int_equal(c->observe.keylog.remote.list[0].prefix, 0);
	assert_int_equal(c->host_count, 1);
	assert_true(bytes_equal(c->hosts[0].name, bytes_str("db.test")));
	assert_string_equal(addr_ip_text(&c->hosts[0].addr, text), "10.9.0.43");
	assert_string_equal(c->upstream_proxy.host, "proxy.corp");
	assert_int_equal(c->upstream_proxy.port, 3128);
	assert_int_equal(c->asset_count, 0);
	proxy_config_free(c);
}

static void block_style_and_flow_style_mean_the_same(void **state)
{
	struct proxy_config *a = parsed(example);
	struct proxy_config *b = parsed(
		"{\"listeners\": [{'bind': \"127.0.0.1:8080\", mode: egress, rules: [\n"
		"  {match: {sni: ['*.bank.example'], target: ['*.bank.example']}, do: splice},\n"
		"  {match: {target: ['*']}, do: bump}]}],\n"
		"admin: {socket: /run/oriel/admin.sock},\n"
		"observe: {keylog: {path: /run/oriel/keys, local: [10.0.0.0/8], remote: "
		"[0.0.0.0/0]}},\n"
		"hosts: {db.test: [10.9.0.43]}, upstream-proxy: {url: "
		"'http://proxy.corp:3128'}}\n");
	struct proxy_config *d = parsed("upstream-proxy:\n  url: http://proxy.corp:3128\n"
					"hosts:\n  db.test:\n    - 10.9.0.43\n"
					"observe:\n  keylog:\n    remote:\n    - 0.0.0.0/0\n"
					"    path: /run/oriel/keys\n    local:\n    - 10.0.0.0/8\n"
					"admin:\n  socket: unix:/run/oriel/admin.sock\n"
					"listeners:\n- rules:\n  - do: splice\n    match:\n"
					"      target:\n      - '*.bank.example'\n      sni:\n"
					"      - '*.bank.example'\n  - do: bump\n    match:\n"
					"      target: ['*']\n  bind: 127.0.0.1:8080\n");

	(void)state;
	assert_same(a, b);
	assert_same(a, d);
	proxy_config_free(a);
	proxy_config_free(b);
	proxy_config_free(d);
}

static void without_a_file_the_defaults_hold(void **state)
{
	struct proxy_config *a, *b, *c;

	(void)state;
	assert_int_equal(parse((struct bytes){ 0 }, &a), 0);
	assert_int_equal(proxy_config_defaults(&b, NULL), 0);
	c = parsed("threads: 0\n");
	assert_same(a, b);
	assert_same(a, c);
	assert_int_equal(a->listeners[0].line, 0);
	proxy_config_free(a);
	proxy_config_free(b);
	proxy_config_free(c);
}

static void every_key_reaches_its_field(void **state)
{
	struct proxy_config *c = parsed(everything);
	const struct config_listener *l = c->listeners;
	const struct config_rule *r = l->rules;
	const struct config_pattern *t = r->match.target.list;
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_string_equal(addr_text(&l->bind, text), "[::]:8080");
	assert_int_equal(l->port, 8443);
	assert_int_equal(r->match.target.count, 10);
	assert_pattern(&t[0], CONFIG_PATTERN_NAME, "a.test", 0);
	assert_pattern(&t[1], CONFIG_PATTERN_SUFFIX, ".b.test", 443);
	assert_pattern(&t[2], CONFIG_PATTERN_ANY, "", 8443);
	assert_pattern(&t[3], CONFIG_PATTERN_RANGE, "10.0.0.0", 0);
	assert_pattern(&t[4], CONFIG_PATTERN_RANGE, "10.1.0.0", 22);
	assert_pattern(&t[5], CONFIG_PATTERN_RANGE, "192.0.2.1", 0);
	assert_pattern(&t[6], CONFIG_PATTERN_RANGE, "192.0.2.2", 80);
	assert_pattern(&t[7], CONFIG_PATTERN_RANGE, "::1", 0);
	assert_pattern(&t[8], CONFIG_PATTERN_RANGE, "::1", 443);
	assert_pattern(&t[9], CONFIG_PATTERN_RANGE, "fd00::", 443);
	assert_int_equal(t[5].range.prefix, 32);
	assert_int_equal(t[8].range.prefix, 128);
	assert_pattern(&r->match.sni.list[1], CONFIG_PATTERN_NAME, "a.test", 0);
	assert_int_equal(r->match.client.count, 3);
	assert_int_equal(r->invalid_upstream, CONFIG_INVALID_ALLOW);
	assert_int_equal(r->upstream_min_version, 0x0304);
	assert_true(config_rule_rewrites(r));
	assert_int_equal(r->set_header_count, 3);
	assert_string_equal(r->set_headers[0].name, "X-Foo");
	assert_string_equal(r->set_headers[1].value, "");
	assert_string_equal(r->set_headers[2].value, "a: b # c \" \\\td");
	assert_int_equal(r->allow.kinds, CONFIG_TO_LOOPBACK | CONFIG_TO_OWN);
	assert_int_equal(r->allow.ranges.count, 1);
	assert_int_equal(r[1].allow.kinds, CONFIG_TO_METADATA);
	assert_int_equal(r[1].allow.ranges.count, 0);
	assert_int_equal(r[2].action, CONFIG_BLOCK);
	assert_int_equal(l->user_count, 2);
	assert_string_equal(l->users[1].name, "true");
	assert_int_equal(l->timeouts.idle, 90000000000);
	assert_int_equal(l->timeouts.dial, 2000000000);
	assert_int_equal(l[1].transparent, CONFIG_TPROXY);
	assert_int_equal(l[1].timeouts.idle, 4 * 3600 * 1000000000ll);
	assert_int_equal(l[1].timeouts.silent_client, 1500000000);
	assert_int_equal(l[2].transparent, CONFIG_REDIRECT);
	assert_int_equal(c->admin.socket, CONFIG_ADMIN_OFF);
	assert_string_equal(addr_text(&c->admin.tcp, text), "127.0.0.1:9901");
	assert_int_equal(c->observe.log, CONFIG_LOG_JSON);
	assert_true(c->observe.headers && c->observe.bodies && c->observe.redact);
	assert_string_equal(c->observe.keylog.path, "keys.txt");
	assert_int_equal(c->observe.store, 0);
	assert_int_equal(c->observe.body_max, 1 << 20);
	assert_int_equal(c->host_count, 3);
	assert_true(bytes_equal(c->hosts[2].name, bytes_str("b.test")));
	assert_string_equal(c->upstream_proxy.host, "fd00::1");
	assert_string_equal(c->upstream_proxy.user, "me");
	assert_int_equal(c->threads, 3);
	assert_int_equal(c->limits.buffer, 32768);
	assert_int_equal(c->limits.sessions, 4);
	proxy_config_free(c);
}

static void files_to_read_are_listed_once_with_their_place(void **state)
{
	static const struct {
		enum config_asset_kind kind;
		const char *path;
		unsigned line, column;
	} wanted[] = {
		{ CONFIG_ASSET_UPSTREAM_CA, "/etc/a.pem", 14, 23 },
		{ CONFIG_ASSET_UPSTREAM_CA,
		  "b \"quoted\" \\ \xc3\xbc\xe2\x80\xa8\xf0\x9f\x98\x80.pem", 14, 35 },
		{ CONFIG_ASSET_PASSWORD, "alice.secret", 25, 38 },
		{ CONFIG_ASSET_PASSWORD, "/etc/a.pem", 26, 39 },
		{ CONFIG_ASSET_TOKEN, "token", 34, 55 },
		{ CONFIG_ASSET_PASSWORD, "secret", 47, 74 },
		{ CONFIG_ASSET_UPSTREAM_CA, "/etc/roots.pem", 48, 14 },
		{ CONFIG_ASSET_BUMP_CERT, "ca.pem", 49, 17 },
		{ CONFIG_ASSET_BUMP_KEY, "ca-key.pem", 49, 30 },
	};
	struct proxy_config *c = parsed(everything);

	(void)state;
	assert_int_equal(c->asset_count, ARRAY_LEN(wanted));
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		bool found = false;

		for (size_t j = 0; j < c->asset_count; j++) {
			const struct config_asset *a = &c->assets[j];

			if (a->kind != wanted[i].kind || strcmp(a->path, wanted[i].path) != 0)
				continue;
			assert_int_equal(a->line, wanted[i].line);
			assert_int_equal(a->column, wanted[i].column);
			found = true;
		}
		assert_true(found);
	}
	assert_string_equal(c->assets[c->bump_key].path, "ca-key.pem");
	assert_string_equal(c->assets[c->listeners[0].users[0].password].path, "alice.secret");
	assert_string_equal(c->assets[c->listeners[0].rules[0].upstream_ca.index[0]].path,
			    "/etc/a.pem");
	proxy_config_free(c);
	c = parsed("upstream-ca: a\nlisteners: [{bind: '127.0.0.1:1', rules: [{do: bump, "
		   "upstream-ca: [a, a]}]}]\n");
	assert_int_equal(c->asset_count, 1);
	assert_int_equal(c->listeners[0].rules[0].upstream_ca.count, 2);
	proxy_config_free(c);
}

static void what_is_printed_parses_back_to_the_same(void **state)
{
	static const char *const texts[] = {
		example,	everything,
		"threads: 1\n", "admin: 127.0.0.1:9901\n",
		"admin: off\n", "upstream-proxy: http://10.0.0.1:1\n"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct proxy_config *a = parsed(texts[i]), *b;
		struct buf text = printed(a);

		if (parse(buf_bytes(&text), &b) < 0)
			fail_msg("%s\n%.*s", err.sentence, BYTES_FMT(buf_bytes(&text)));
		assert_same(a, b);
		assert_int_equal(a->asset_count, b->asset_count);
		assert_int_equal(a->host_count, b->host_count);
		buf_fini(&text);
		proxy_config_free(a);
		proxy_config_free(b);
	}
}

static void the_printer_writes_every_default_down(void **state)
{
	struct proxy_config *c = parsed("threads: 0\n");
	struct buf text = printed(c);

	(void)state;
	assert_int_equal(buf_printf(&text, NULL, "%c", 0), 0);
	assert_string_equal((char *)text.p, "listeners:\n"
					    "  - bind: 127.0.0.1:8080\n"
					    "    mode: egress\n"
					    "    transparent: none\n"
					    "    port: 443\n"
					    "    default: bump\n"
					    "    timeouts:\n"
					    "      hello: 10s\n"
					    "      dial: 10s\n"
					    "      handshake: 15s\n"
					    "      idle: 10m\n"
					    "      silent-client: 2s\n"
					    "      half-close: 1m\n"
					    "      drain: 30s\n"
					    "admin:\n"
					    "  socket: default\n"
					    "observe:\n"
					    "  log: text\n"
					    "  headers: false\n"
					    "  bodies: false\n"
					    "  redact: false\n"
					    "  store: 1000\n"
					    "  body-max: 64KiB\n"
					    "threads: 0\n"
					    "timeouts:\n"
					    "  hello: 10s\n"
					    "  dial: 10s\n"
					    "  handshake: 15s\n"
					    "  idle: 10m\n"
					    "  silent-client: 2s\n"
					    "  half-close: 1m\n"
					    "  drain: 30s\n"
					    "limits:\n"
					    "  connections: 20000\n"
					    "  connections-per-client: 10000\n"
					    "  buffer: 256KiB\n"
					    "  certificates: 10000\n"
					    "  sessions: 1000\n");
	buf_fini(&text);
	proxy_config_free(c);
}

static int override(const char *text, const char *path, const char *value, bool yaml,
		    struct proxy_config **out)
{
	struct config_override o = {
		.path = path, .value = bytes_str(value), .yaml = yaml, .origin = "--option"
	};
	struct config_file file = {
		.name = "oriel.yaml", .text = bytes_str(text), .overrides = &o, .override_count = 1
	};

	return config_file_parse(&file, out, &err);
}

static void the_command_line_overrides_the_file(void **state)
{
	struct proxy_config *c;
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(override(NULL, "listeners.0.bind", "[::1]:9090", false, &c), 0);
	assert_string_equal(addr_text(&c->listeners[0].bind, text), "[::1]:9090");
	assert_int_equal(c->listeners[0].otherwise.action, CONFIG_BUMP);
	proxy_config_free(c);
	assert_int_equal(override(example, "listeners.0.bind", "127.0.0.1:1", false, &c), 0);
	assert_int_equal(c->listeners[0].bind.port, 1);
	assert_int_equal(c->listeners[0].rule_count, 2);
	proxy_config_free(c);
	assert_int_equal(override(example, "observe.keylog.path", "- *x #", false, &c), 0);
	assert_string_equal(c->observe.keylog.path, "- *x #");
	assert_int_equal(c->observe.keylog.local.count, 1);
	proxy_config_free(c);
	assert_int_equal(override("threads: 1\n", "observe.keylog.path", "k", false, &c), 0);
	assert_string_equal(c->observe.keylog.path, "k");
	proxy_config_free(c);
	assert_int_equal(override("observe: {keylog: old}\n", "observe.keylog.path", "k", false,
				  &c),
			 0);
	assert_string_equal(c->observe.keylog.path, "k");
	proxy_config_free(c);
	assert_int_equal(override("observe:\n", "observe.keylog.path", "k", false, &c), 0);
	assert_string_equal(c->observe.keylog.path, "k");
	proxy_config_free(c);
	assert_int_equal(override(example, "upstream-ca", "[a, b]", true, &c), 0);
	assert_int_equal(c->upstream_ca.count, 2);
	assert_int_equal(c->assets[0].line, 0);
	proxy_config_free(c);
	assert_int_equal(override(example, "listeners.1", "{bind: '127.0.0.1:1', default: block}",
				  true, &c),
			 0);
	assert_int_equal(c->listener_count, 2);
	proxy_config_free(c);
}

static void a_bad_override_names_its_option(void **state)
{
	static const struct {
		const char *path, *value;
		bool yaml;
		const char *sentence;
	} cases[] = {
		{ "listeners.0.bind", "nonsense", false,
		  "--option: bind: 'nonsense': an address and a port are needed, like "
		  "127.0.0.1:8080" },
		{ "listeners.0.bind", "0.0.0.0:80", false,
		  "--option: bind: 0.0.0.0 is not loopback, so the listener has to say who may use "
		  "it: clients: [10.0.0.0/8] or auth:" },
		{ "listeners.7.bind", "127.0.0.1:80", false,
		  "--option: listeners.7.bind: the list has only 1 entries" },
		{ "listeners.bind", "127.0.0.1:80", false,
		  "--option: listeners.bind does not fit the configuration file: bind is no key" },
		{ "hosts.0", "127.0.0.1:80", false,
		  "--option: hosts.0 does not fit the configuration file: 0 is no list" },
		{ "threads", "", false,
		  "--option: threads: expected a number from 0 to 256; found \"\"" },
		{ "observe.har", "a\xff", false,
		  "--option: har: expected the path of a file; found \"a\\xff\"" },
		{ "hosts", "{a", true,
		  "--option:1:3: a mapping { ... } is not closed, or lacks a comma" },
		{ "hosts", "{a: x}", true,
		  "--option: hosts: expected an address such as 10.9.0.43; found \"x\"" },
		{ "hosts", "{a b: 10.0.0.1}", true,
		  "--option: hosts: 'a b' is not a host name: it has byte 0x20 in it" },
	};
	struct proxy_config *c = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(override(example, cases[i].path, cases[i].value, cases[i].yaml,
					  &c),
				 -1);
		assert_string_equal(err.sentence, cases[i].sentence);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_null(c);
	}
}

static void every_beginning_of_a_file_is_accepted_or_refused(void **state)
{
	struct proxy_config *c;

	(void)state;
	for (size_t n = 0; n < sizeof(everything); n++) {
		/* An exact copy, so that reading past the end is seen. */
		uint8_t *copy = mem_dup(bytes_of(everything, n));

		assert_non_null(copy);
		if (parse(bytes_of(copy, n), &c) == 0) {
			proxy_config_free(c);
		} else {
			assert_int_equal(err.code, ERR_CONFIG);
			assert_true(
				bytes_starts(bytes_str(err.sentence), bytes_str("oriel.yaml:")));
		}
		mem_free(copy);
	}
}

static void fails_cleanly_when_any_allocation_fails(void **state)
{
	struct proxy_config *c = NULL;
	struct buf b;
	size_t n;
	int result = -1;

	(void)state;
	for (n = 1; result < 0; n++) {
		mem_fail_at(n);
		result = parse(bytes_str(everything), &c);
		mem_fail_at(0);
		if (result < 0) {
			assert_int_equal(err.code, ERR_NOMEM);
			assert_null(c);
		}
	}
	assert_in_range(n, 4, 100);
	for (result = -1, n = 1; result < 0; n++) {
		b = buf_init(1 << 20);
		mem_fail_at(n);
		result = config_file_print(c, &b, &err);
		mem_fail_at(0);
		if (result < 0)
			assert_int_equal(err.code, ERR_NOMEM);
		buf_fini(&b);
	}
	for (size_t max = 0; max < 2000; max += 97) {
		b = buf_init(max);
		assert_int_equal(config_file_print(c, &b, &err), -1);
		assert_int_equal(err.code, ERR_LIMIT);
		buf_fini(&b);
	}
	proxy_config_free(c);
}

static void an_override_fails_cleanly_too(void **state)
{
	struct proxy_config *c = NULL;
	int result = -1;
	size_t n;

	(void)state;
	for (n = 1; result < 0; n++) {
		mem_fail_at(n);
		result = override(NULL, "observe.keylog.local", "[10.0.0.0/8]", true, &c);
		mem_fail_at(0);
		if (result == 0)
			break;
		/* With memory enough it is refused for another reason: a key log has a path. */
		if (err.code == ERR_CONFIG)
			break;
		assert_int_equal(err.code, ERR_NOMEM);
		assert_null(c);
	}
	assert_in_range(n, 2, 50);
	assert_string_equal(
		err.sentence,
		"--option: observe.keylog: path: is missing; it takes the path of a file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_manual_means_what_it_says),
		cmocka_unit_test(block_style_and_flow_style_mean_the_same),
		cmocka_unit_test(without_a_file_the_defaults_hold),
		cmocka_unit_test(every_key_reaches_its_field),
		cmocka_unit_test(files_to_read_are_listed_once_with_their_place),
		cmocka_unit_test(what_is_printed_parses_back_to_the_same),
		cmocka_unit_test(the_printer_writes_every_default_down),
		cmocka_unit_test(the_command_line_overrides_the_file),
		cmocka_unit_test(a_bad_override_names_its_option),
		cmocka_unit_test(every_beginning_of_a_file_is_accepted_or_refused),
		cmocka_unit_test(fails_cleanly_when_any_allocation_fails),
		cmocka_unit_test(an_override_fails_cleanly_too),
	};

	return cmocka_run_group_tests_name("cmd/config_file", tests, NULL, NULL);
}
