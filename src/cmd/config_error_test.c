/* What is wrong in a configuration, where, and what would be right: a row for each complaint. */
#include "cmd/config_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"

static struct err err;

static int parse(struct bytes text)
{
	struct config_file file = { .name = "oriel.yaml", .text = text };
	struct proxy_config *c = NULL;
	int result;

	err = (struct err){ 0 };
	result = config_file_parse(&file, &c, &err);
	if (result < 0)
		assert_null(c);
	proxy_config_free(c);
	return result;
}

struct row {
	const char *text, *sentence;
};

static void check(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (parse(bytes_str(rows[i].text)) == 0)
			fail_msg("accepted: %s", rows[i].text);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_int_equal(err_exit_status(&err), EXIT_CONFIG);
		assert_true(bytes_starts(bytes_str(err.sentence), bytes_str("oriel.yaml:")));
		if (strcmp(err.sentence + 11, rows[i].sentence) != 0)
			fail_msg("row %zu: %s", i, err.sentence + 11);
	}
}

#define CHECK(...)                                                                                 \
	check((const struct row[]){ __VA_ARGS__ }, ARRAY_LEN(((const struct row[]){ __VA_ARGS__ })))
#define LISTENER "listeners:\n  - bind: 127.0.0.1:8080\n    default: bump\n"
#define NAMES LISTENER "    rules:\n    - do: bump\n      match:\n        sni:\n"
#define RULE LISTENER "    rules:\n      - "

/* clang-format off */
static void what_is_not_yaml(void **state)
{
	(void)state;
	CHECK(
		{ "listeners:\n\t- bind: x\n", "2:1: a tab; YAML is indented with spaces only" },
		{ "listeners:\n  - a: 1\n \t b: 2\n", "3:2: a tab; YAML is indented with spaces only" },
		{ "a: [*.bank.example]\n", "1:5: text that begins with * needs quotes, such as \"*.example.com\"" },
		{ "a: [*]\n", "1:5: text that begins with * needs quotes, such as \"*.example.com\"" },
		{ "a: *bank\n", "1:4: *bank without quotes is an alias, which is not supported; write \"*bank\"" },
		{ "a: &x b\n", "1:4: an anchor (&...), which is not supported; write the value out" },
		{ "a: &x [b]\n", "1:4: an anchor (&...), which is not supported; write the value out" },
		{ "a: &x {b: c}\n", "1:4: an anchor (&...), which is not supported; write the value out" },
		{ "a: & b\n", "1:4: text that begins with & needs quotes" },
		{ "a: !x b\n", "1:4: a tag (!...), which is not supported; text that begins with ! needs quotes" },
		{ "a: !!seq [b]\n", "1:4: a tag (!...), which is not supported; text that begins with ! needs quotes" },
		{ "a: b\n---\nc: d\n", "2:1: a second document; a configuration is one document" },
		{ "a: b\n...\n---\n", "3:1: a second document; a configuration is one document" },
		{ "a: {b: c\n", "2:1: a mapping { ... } is not closed, or lacks a comma" },
		{ "a: {b: c", "1:9: a mapping { ... } is not closed, or lacks a comma" },
		{ "a: [b\n", "2:1: a list [ ... ] is not closed, or lacks a comma" },
		{ "a: \"b\n", "2:1: text in quotes is not closed" },
		{ "a: 'b\n", "2:1: text in quotes is not closed" },
		{ "a: \"b\n---\n", "2:1: text in quotes is not closed" },
		{ "a: \"\\q\"\n", "1:5: unknown escape after a backslash; single quotes leave backslashes alone" },
		{ "a: b: c\n", "1:5: \": \" where no key can be; text that holds it needs quotes, and keys of one mapping the same indentation" },
		{ "a: 1\nb\n", "3:1: a key needs \": \" and a value behind it" },
		{ "a:\n - x\n  - y\n- z\n", "4:1: expected a key; the indentation does not fit the lines above" },
		{ "a:\n - x\n b: c\n", "3:2: expected \"- \"; the indentation does not fit the list above" },
		{ "a: @x\n", "1:4: text that begins with @, ` or % needs quotes" },
		{ "{a: b}}\n", "1:7: not YAML: did not find expected <document start>" },
		{ "a: b\x01\n", "1:5: a control character; only text is allowed" },
		{ "a: b\nc: \xc3\xa9\xff\n", "2:5: not UTF-8" },
		{ "a: \xc3\n", "1:5: not UTF-8" },
		{ "\xff\xfe" "a", "1:1: not UTF-8" },
		{ "? [a]\n: b\n", "1:3: a key has to be text; found a list (text that begins with [ or { needs quotes)" },
		{ "{a: b}: c\n", "1:1: a key has to be text; found a mapping (text that begins with [ or { needs quotes)" },
		{ "[[[[[[[[[[[[[[[[[[[[", "1:13: nested more than 12 deep" },
		{ "{a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {", "1:49: nested more than 12 deep" });
}

static void what_is_no_configuration_at_all(void **state)
{
	(void)state;
	CHECK(
		{ "", "1:1: there is nothing in it; the least is a key, such as \"listeners:\"" },
		{ "\n\n", "1:1: there is nothing in it; the least is a key, such as \"listeners:\"" },
		{ "# a comment\n", "1:1: there is nothing in it; the least is a key, such as \"listeners:\"" },
		{ "---\n", "2:1: expected a mapping with keys such as listeners: and observe:" },
		{ "just text\n", "1:1: expected a mapping with keys such as listeners: and observe:" },
		{ "- a\n", "1:1: expected a mapping with keys such as listeners: and observe:" });
}

static void keys_that_are_unknown_missing_or_repeated(void **state)
{
	(void)state;
	CHECK(
		{ "listners: []\n", "1:1: top level: there is no key listners (did you mean listeners?)" },
		{ "threads: 1\nbananas: 1\n", "2:1: top level: there is no key bananas" },
		{ "\"\\e[31m\": 1\n", "1:1: top level: there is no key \\x1b[31m" },
		{ "observe: {keylogs: x}\n", "1:11: observe: there is no key keylogs (did you mean keylog?)" },
		{ "observe:\n  keylog: {path: x, loc: [10.0.0.0/8]}\n", "2:21: observe.keylog: there is no key loc (did you mean local?)" },
		{ RULE "{match: {snii: [a]}, do: bump}\n", "5:18: listeners[].rules[].match: there is no key snii (did you mean sni?)" },
		{ RULE "{match: {}, doo: bump}\n", "5:21: listeners[].rules[]: there is no key doo (did you mean do?)" },
		{ LISTENER "    <<: {}\n", "4:5: listeners[]: there is no key <<" },
		{ "threads: 1\nadmin: off\nthreads: 2\n", "3:1: threads is there a second time, after line 1" },
		{ "observe: {store: 1, store: 1}\n", "1:21: store is there a second time, after line 1" },
		{ "listeners:\n  - default: bump\n", "2:5: listeners[]: bind: is missing; it takes ADDRESS:PORT such as 127.0.0.1:8080" },
		{ RULE "{match: {sni: [a]}}\n", "5:9: listeners[].rules[]: do: is missing; it takes bump, splice or block" },
		{ "observe: {keylog: {local: [10.0.0.0/8]}}\n", "1:19: observe.keylog: path: is missing; it takes the path of a file" },
		{ "bump-ca: {cert: a}\n", "1:10: bump-ca: key: is missing; it takes the path of a file" },
		{ "upstream-proxy: {user: a}\n", "1:17: upstream-proxy: url: is missing; it takes http://HOST:PORT" },
		{ LISTENER "    auth: [{user: a}]\n", "4:12: listeners[].auth[]: password-file: is missing; it takes the path of a file" });
}

static void values_of_the_wrong_type(void **state)
{
	(void)state;
	CHECK(
		{ "listeners: []\n", "1:12: listeners: expected a list of 1 to 128 mappings; found an empty list" },
		{ "listeners: {bind: x}\n", "1:12: listeners: expected a list of 1 to 128 mappings; found a mapping" },
		{ "listeners:\n", "1:11: listeners: expected a list of 1 to 128 mappings; found nothing" },
		{ "listeners: [x]\n", "1:13: listeners[]: expected a mapping such as {bind: ...}; found \"x\"" },
		{ "observe:\nthreads: 1\n", "1:9: observe: expected a mapping such as {log: ...}; found nothing" },
		{ "observe: ~\n", "1:10: observe: expected a mapping such as {log: ...}; found nothing" },
		{ "observe: [a]\n", "1:10: observe: expected a mapping such as {log: ...}; found a list" },
		{ "observe: yes\n", "1:10: observe: expected a mapping such as {log: ...}; found \"yes\"" },
		{ "observe: {headers: yes}\n", "1:20: headers: expected true or false; found \"yes\"" },
		{ "observe: {headers: null}\n", "1:20: headers: expected true or false; found nothing" },
		{ "observe: {headers: {}}\n", "1:20: headers: expected true or false; found an empty mapping" },
		{ "observe: {log: jso}\n", "1:16: log: expected text, json or off; found \"jso\" (did you mean json?)" },
		{ "observe: {log: [json]}\n", "1:16: log: expected text, json or off; found a list" },
		{ "observe: {har: [a]}\n", "1:16: har: expected the path of a file; found a list" },
		{ "observe: {har: ''}\n", "1:16: har: expected the path of a file; found \"\"" },
		{ "observe: {har: \"a\\0b\"}\n", "1:16: har: expected the path of a file; found \"a\\x00b\"" },
		{ "observe: {har: \"a\\nb\"}\n", "1:16: har: expected the path of a file; found \"a\\x0ab\"" },
		{ "observe: {har: \"\\x85\"}\n", "1:16: har: expected the path of a file; found \"\\xc2\\x85\"" },
		{ "threads: many\n", "1:10: threads: expected a number from 0 to 256; found \"many\"" },
		{ "threads: -1\n", "1:10: threads: expected a number from 0 to 256; found \"-1\"" },
		{ "threads: 257\n", "1:10: threads: expected a number from 0 to 256; found \"257\"" },
		{ "threads: 1.5\n", "1:10: threads: expected a number from 0 to 256; found \"1.5\"" },
		{ "threads: 99999999999999999999\n", "1:10: threads: expected a number from 0 to 256; found \"99999999999999999999\"" },
		{ "timeouts: {hello: 10}\n", "1:19: hello: expected a duration from 1ms to 24h, such as 10s; found \"10\"" },
		{ "timeouts: {hello: s}\n", "1:19: hello: expected a duration from 1ms to 24h, such as 10s; found \"s\"" },
		{ "timeouts: {hello: 0s}\n", "1:19: hello: expected a duration from 1ms to 24h, such as 10s; found \"0s\"" },
		{ "timeouts: {hello: 25h}\n", "1:19: hello: expected a duration from 1ms to 24h, such as 10s; found \"25h\"" },
		{ "timeouts: {hello: 9999999999999999h}\n", "1:19: hello: expected a duration from 1ms to 24h, such as 10s; found \"9999999999999999h\"" },
		{ "timeouts: {hello: 10 s}\n", "1:19: hello: expected a duration from 1ms to 24h, such as 10s; found \"10 s\"" },
		{ "limits: {buffer: 1KB}\n", "1:18: buffer: expected a size from 32KiB to 64MiB, such as 64KiB; found \"1KB\"" },
		{ "limits: {buffer: 1}\n", "1:18: buffer: expected a size from 32KiB to 64MiB, such as 64KiB; found \"1\"" },
		{ "upstream-ca: []\n", "1:14: upstream-ca: expected the path of a file, or a list of them; found an empty list" },
		{ "upstream-ca: {}\n", "1:14: upstream-ca: expected the path of a file, or a list of them; found an empty mapping" },
		{ "upstream-ca: [[a]]\n", "1:15: upstream-ca: expected the path of a file, or a list of them; found a list" });
}

static void addresses_names_and_patterns(void **state)
{
	(void)state;
	CHECK(
		{ "listeners: [{bind: 8080, default: bump}]\n", "1:20: bind: '8080': an address and a port are needed, like 127.0.0.1:8080" },
		{ "listeners: [{bind: 127.0.0.1, default: bump}]\n", "1:20: bind: '127.0.0.1': an address and a port are needed, like 127.0.0.1:8080" },
		{ "listeners: [{bind: [], default: bump}]\n", "1:20: bind: expected ADDRESS:PORT such as 127.0.0.1:8080; found an empty list" },
		{ LISTENER "    port: 0\n", "4:11: port: expected a number from 1 to 65535; found \"0\"" },
		{ LISTENER "    port: 65536\n", "4:11: port: expected a number from 1 to 65535; found \"65536\"" },
		{ LISTENER "    clients: 10.0.0.0/8\n", "4:14: clients: expected a list of address ranges such as [10.0.0.0/8]; found \"10.0.0.0/8\"" },
		{ LISTENER "    clients: []\n", "4:14: clients: expected a list of address ranges such as [10.0.0.0/8]; found an empty list" },
		{ LISTENER "    clients: [localhost]\n", "4:15: clients: 'localhost': an address or a range like 10.0.0.0/8 is needed" },
		{ LISTENER "    clients: [10.0.0.1/8]\n", "4:15: clients: '10.0.0.1/8': bits after the prefix of 8 are set" },
		{ LISTENER "    clients: [10.0.0.0/33]\n", "4:15: clients: '10.0.0.0/33': the prefix is a number from 0 to 32" },
		{ LISTENER "    clients: [{a: b}]\n", "4:15: clients: expected an address range such as 10.0.0.0/8; found a mapping" },
		{ RULE "{match: {target: \"*\"}, do: bump}\n", "5:26: target: expected a list of hosts, addresses and ranges such as [\"*.example.com\", \"10.0.0.0/8:443\"]; found \"*\"" },
		{ RULE "{match: {target: [a, \"x:0\"]}, do: bump}\n", "5:30: target: expected a host, an address or a range, with or without :PORT, such as \"*.example.com:443\"; found \"x:0\"" },
		{ RULE "{match: {target: [\"[::1\"]}, do: bump}\n", "5:27: target: expected a host, an address or a range, with or without :PORT, such as \"*.example.com:443\"; found \"[::1\"" },
		{ RULE "{match: {target: [\"[::1]x\"]}, do: bump}\n", "5:27: target: expected a host, an address or a range, with or without :PORT, such as \"*.example.com:443\"; found \"[::1]x\"" },
		{ RULE "{match: {target: [a*.test]}, do: bump}\n", "5:27: target: 'a*.test': a '*' stands alone or as the whole first label, like *.example.com" },
		{ RULE "{match: {target: [1.2.3]}, do: bump}\n", "5:27: target: pattern '1.2.3': '1.2.3' is not a host name: it ends in a number, which resolvers take for an address" },
		{ RULE "{match: {target: [\"\"]}, do: bump}\n", "5:27: target: pattern '': an empty host name" },
		{ RULE "{match: {sni: [a b]}, do: bump}\n", "5:24: sni: pattern 'a b': 'a b' is not a host name: it has byte 0x20 in it" },
		{ RULE "{match: {sni: [10.0.0.1]}, do: bump}\n", "5:24: sni: pattern '10.0.0.1': '10.0.0.1' is not a host name: it is an address" },
		{ RULE "{match: {sni: [a.test:443]}, do: bump}\n", "5:24: sni: pattern 'a.test:443': 'a.test:443' is not a host name: it has ':' in it (letters, digits, '-', '_', '.' may be)" },
		{ RULE "{match: {sni: [[a]]}, do: bump}\n", "5:24: sni: expected a name such as www.example.com or \"*.example.com\"; found a list" },
		{ RULE "{match: {sni: []}, do: bump}\n", "5:23: sni: expected a list of names such as [\"*.example.com\"]; found an empty list" },
		{ RULE "{do: bump, allow-destinations: [lopback]}\n", "5:41: allow-destinations: expected loopback, link-local, metadata, unspecified, multicast or own; found \"lopback\" (did you mean loopback?)" },
		{ RULE "{do: bump, allow-destinations: loopback}\n", "5:40: allow-destinations: expected a list of loopback, link-local, metadata, unspecified, multicast, own and address ranges; found \"loopback\"" },
		{ RULE "{do: bump, allow-destinations: [10.0.0.0/99]}\n", "5:41: allow-destinations: '10.0.0.0/99': the prefix is a number from 0 to 32" },
		{ "hosts: [a]\n", "1:8: hosts: expected a mapping of at most 4096 names to addresses such as {db.test: 10.9.0.43}; found a list" },
		{ "hosts: {a.test: b.test}\n", "1:17: hosts: expected an address such as 10.9.0.43; found \"b.test\"" },
		{ "hosts: {a.test: []}\n", "1:17: hosts: expected an address such as 10.9.0.43; found an empty list" },
		{ "hosts: {a.test: [10.0.0.1, x]}\n", "1:28: hosts: expected an address such as 10.9.0.43; found \"x\"" },
		{ "hosts: {\"*.test\": 10.0.0.1}\n", "1:9: hosts: '*.test' is not a host name: it has '*' in it (letters, digits, '-', '_', '.' may be)" },
		{ "hosts:\n  a.test: 10.0.0.1\n  A.test: 10.0.0.2\n", "3:3: hosts: \"A.test\" is there a second time, after line 2" },
		{ "admin: relative.sock\n", "1:8: tcp: 'relative.sock': an address and a port are needed, like 127.0.0.1:8080" },
		{ "admin: unix:relative\n", "1:8: socket: expected unix:/PATH (at most 107 bytes), default or off; found \"unix:relative\"" });
}

static void proxies_and_header_fields(void **state)
{
	(void)state;
	CHECK(
		{ "upstream-proxy: proxy:3128\n", "1:17: url: expected http://HOST:PORT; found \"proxy:3128\"" },
		{ "upstream-proxy: https://proxy:3128\n", "1:17: url: expected http://HOST:PORT; found \"https://proxy:3128\"" },
		{ "upstream-proxy: http://proxy\n", "1:17: url: 'proxy': a port is needed, like example.com:443" },
		{ "upstream-proxy: http://proxy:0\n", "1:17: url: 'proxy:0': a port is a number from 1 to 65535" },
		{ "upstream-proxy: http://proxy:3128/x\n", "1:17: url: 'proxy:3128/x': a port is a number from 1 to 65535" },
		{ "upstream-proxy: http://u:p@proxy:3128\n", "1:17: url: no user and password in the URL; write {url: ..., user: ..., password-file: ...}" },
		{ "upstream-proxy: {url: \"http://p:1\", user: u}\n", "1:43: user: only with password-file:" },
		{ "upstream-proxy: {url: \"http://p:1\", password-file: u}\n", "1:52: password-file: only with user:" },
		{ RULE "{do: bump, set-header: {}}\n", "5:32: set-header: expected a mapping of 1 to 64 header fields such as {X-Seen-By: oriel}; found an empty mapping" },
		{ RULE "{do: bump, set-header: [a]}\n", "5:32: set-header: expected a mapping of 1 to 64 header fields such as {X-Seen-By: oriel}; found a list" },
		{ RULE "{do: bump, set-header: {\"a b\": c}}\n", "5:33: set-header: \"a b\" is no name of a header field" },
		{ RULE "{do: bump, set-header: {\"\": c}}\n", "5:33: set-header: \"\" is no name of a header field" },
		{ RULE "{do: bump, set-header: {content-Length: 1}}\n", "5:33: set-header: \"content-Length\" cannot be set: it belongs to how messages are carried" },
		{ RULE "{do: bump, set-header: {a: b, A: c}}\n", "5:39: set-header: \"A\" is there a second time, after line 5" },
		{ RULE "{do: bump, set-header: {a: \"b\\r\\nc: d\"}}\n", "5:36: set-header: the value of \"a\" has to be one line of printable ASCII" },
		{ RULE "{do: bump, set-header: {a: \"\xc3\xa9\"}}\n", "5:36: set-header: the value of \"a\" has to be one line of printable ASCII" },
		{ RULE "{do: bump, set-header: {a: \" b\"}}\n", "5:36: set-header: the value of \"a\" has to be one line of printable ASCII" },
		{ RULE "{do: bump, set-header: {a: [b]}}\n", "5:36: set-header: the value of \"a\" has to be one line of printable ASCII" },
		{ RULE "{do: bump, set-header: {a: }}\n", "5:36: set-header: the value of \"a\" has to be one line of printable ASCII" });
}

static void combinations_that_cannot_be(void **state)
{
	(void)state;
	CHECK(
		/* without a match */
		{ "listeners:\n  - bind: 127.0.0.1:8080\n", "2:5: no rule of this listener matches everything, so it has to say default: bump | splice | block" },
		{ "listeners:\n  - bind: 127.0.0.1:8080\n    rules: []\n", "2:5: no rule of this listener matches everything, so it has to say default: bump | splice | block" },
		{ "listeners:\n  - bind: 127.0.0.1:8080\n    rules: [{match: {target: [\"*.test\"]}, do: bump}]\n", "2:5: no rule of this listener matches everything, so it has to say default: bump | splice | block" },
		{ "listeners:\n  - bind: 127.0.0.1:8080\n    rules: [{match: {target: [\"*:443\"]}, do: bump}]\n", "2:5: no rule of this listener matches everything, so it has to say default: bump | splice | block" },
		{ "listeners:\n  - bind: 127.0.0.1:8080\n    rules: [{match: {target: [\"*\"], sni: [a]}, do: bump}]\n", "2:5: no rule of this listener matches everything, so it has to say default: bump | splice | block" },
		/* rules that nothing reaches */
		{ RULE "{do: bump}\n      - {do: block}\n", "6:9: rule 2 can never apply: rule 1 before it matches everything" },
		{ RULE "{match: {target: [\"*\"]}, do: splice}\n      - {do: block}\n", "6:9: rule 2 can never apply: rule 1 before it matches everything" },
		/* what only some rules can do */
		{ RULE "{do: splice, invalid-upstream: allow}\n", "5:22: invalid-upstream: only with do: bump" },
		{ RULE "{set-header: {a: b}, do: block}\n", "5:10: set-header: only with do: bump" },
		{ RULE "{do: block, upstream-ca: a}\n", "5:21: upstream-ca: only with do: bump" },
		{ RULE "{do: splice, upstream-min-version: 1.2}\n", "5:22: upstream-min-version: only with do: bump" },
		{ RULE "{do: bump, upstream-min-version: 1.1}\n", "5:42: upstream-min-version: expected 1.2 or 1.3; found \"1.1\"" },
		{ RULE "{do: block, allow-destinations: [own]}\n", "5:21: allow-destinations: only with do: bump or splice" },
		/* who may use it */
		{ "listeners:\n  - bind: 0.0.0.0:8080\n    default: bump\n", "2:11: bind: 0.0.0.0 is not loopback, so the listener has to say who may use it: clients: [10.0.0.0/8] or auth:" },
		{ "listeners:\n  - bind: 10.9.0.143:8080\n    default: bump\n", "2:11: bind: 10.9.0.143 is not loopback, so the listener has to say who may use it: clients: [10.0.0.0/8] or auth:" },
		{ "listeners:\n  - {bind: \"[::]:8080\", transparent: tproxy, default: bump}\n", "2:12: bind: :: is not loopback, so the listener has to say who may use it: clients: [10.0.0.0/8] or auth:" },
		{ LISTENER "    transparent: redirect\n    auth: [{user: a, password-file: b}]\n", "5:5: auth: only with transparent: none" },
		{ LISTENER "    transparent: tproxy\n    port: 443\n", "5:5: port: only with transparent: none" },
		{ LISTENER "    auth: [{user: a, password-file: b}, {user: a, password-file: c}]\n", "4:11: auth: the same user is there twice" },
		/* two at one place */
		{ LISTENER "  - bind: 127.0.0.1:8080\n    default: block\n", "4:11: bind: listener 1 already listens there" },
		{ LISTENER "  - bind: 0.0.0.0:8080\n    default: block\n    clients: [10.0.0.0/8]\n", "4:11: bind: listener 1 already listens there" },
		{ LISTENER "admin: 127.0.0.1:8080\n", "2:11: bind: the admin interface already listens there" },
		{ "admin: {token-file: t}\n", "1:21: token-file: only with tcp: ADDRESS:PORT; the socket needs none" });
}
/* clang-format on */

static void what_looks_odd_but_is_right(void **state)
{
	static const char *const texts[] = {
		"\xef\xbb\xbfthreads: 1\n", /* a byte order mark */
		"threads: 1\r\nadmin: off\r\n",
		"%YAML 1.1\n---\nthreads: 1\n...\n",
		"threads: \"1\"\n",
		"{}",
		"listeners: [{bind: '127.0.0.1:0', default: bump}, {bind: '127.0.0.1:0', default: "
		"bump}]\n",
		"listeners: [{bind: '[::1]:1', default: bump}, {bind: '127.0.0.1:1', default: "
		"bump}]\n",
		"listeners: [{bind: '127.0.0.1:1', default: bump, rules: [{do: splice}]}]\n",
		"listeners: [{bind: '0.0.0.0:1', default: bump, clients: [0.0.0.0/0]}]\n",
		"listeners: [{bind: '0.0.0.0:1', default: bump, auth: [{user: a, password-file: "
		"b}]}]\n",
		"hosts: {}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (parse(bytes_str(texts[i])) < 0)
			fail_msg("%s: %s", texts[i], err.sentence);
}

/* before, then each times over, then after. */
static int parse_many(const char *before, const char *each, size_t times, const char *after)
{
	struct buf b = buf_init(4 << 20);
	int result;

	assert_int_equal(buf_add(&b, bytes_str(before), NULL), 0);
	for (size_t i = 0; i < times; i++)
		assert_int_equal(buf_printf(&b, NULL, "%s%zu%s", each, i, after), 0);
	result = parse(buf_bytes(&b));
	buf_fini(&b);
	return result;
}

static void nothing_is_unbounded(void **state)
{
	(void)state;
	assert_int_equal(parse_many("hosts:\n", "  a", 4096, ": 10.0.0.1\n"), 0);
	assert_int_equal(parse_many("hosts:\n", "  a", 4097, ": 10.0.0.1\n"), -1);
	assert_string_equal(err.sentence,
			    "oriel.yaml:2:3: hosts: expected a mapping of at most 4096 names to "
			    "addresses such as {db.test: 10.9.0.43}; found a mapping");
	assert_int_equal(parse_many(NAMES, "        - a", 10000, "\n"), 0);
	assert_int_equal(parse_many(NAMES, "        - a", 10001, "\n"), -1);
	assert_string_equal(err.sentence,
			    "oriel.yaml:10008:11: more than 10000 entries in one list");
	assert_int_equal(parse_many("upstream-ca:\n", "- a", 256, "\n"), 0);
	assert_int_equal(parse_many("upstream-ca:\n", "- a", 257, "\n"), -1);
	assert_string_equal(err.sentence, "oriel.yaml:258:3: more than 256 files are named");
	assert_int_equal(parse_many("listeners:\n", "- {default: bump, bind: \"127.0.0.1:1", 128,
				    "\"}\n"),
			 0);
	assert_int_equal(parse_many("listeners:\n", "- {default: bump, bind: \"127.0.0.1:1", 129,
				    "\"}\n"),
			 -1);
	assert_string_equal(
		err.sentence,
		"oriel.yaml:2:1: listeners: expected a list of 1 to 128 mappings; found a list");
	assert_int_equal(parse_many("", "a", 10001, ":\n"), -1);
	assert_string_equal(err.sentence,
			    "oriel.yaml:10001:8: more than 10000 entries in one mapping");
	assert_int_equal(parse_many("", "- [1,2,3,4,5,6,7,8,9,10,", 10000, "]\n"), -1);
	assert_non_null(strstr(err.sentence, ": more than 100000 values"));
	assert_int_equal(parse_many("", "# ", 150000, "\n"), -1);
	assert_string_equal(err.sentence, "oriel.yaml:1:1: longer than 1048576 bytes");
	assert_int_equal(parse_many(RULE "do: bump\n        set-header:\n", "          a", 64,
				    ": b\n"),
			 0);
	assert_int_equal(parse_many(RULE "do: bump\n        set-header:\n", "          a", 65,
				    ": b\n"),
			 -1);
}

static void a_complaint_shows_no_more_than_a_piece_of_a_long_text(void **state)
{
	char text[3000] = "observe: {har: \"";

	(void)state;
	memset(text + 16, 'x', sizeof(text) - 20);
	memcpy(text + sizeof(text) - 4, "\"}\n", 4);
	assert_int_equal(parse(bytes_str(text)), 0);
	memcpy(text + 16, "\\x07", 4);
	assert_int_equal(parse(bytes_str(text)), -1);
	assert_in_range(strlen(err.sentence), 60, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_yaml),
		cmocka_unit_test(what_is_no_configuration_at_all),
		cmocka_unit_test(keys_that_are_unknown_missing_or_repeated),
		cmocka_unit_test(values_of_the_wrong_type),
		cmocka_unit_test(addresses_names_and_patterns),
		cmocka_unit_test(proxies_and_header_fields),
		cmocka_unit_test(combinations_that_cannot_be),
		cmocka_unit_test(what_looks_odd_but_is_right),
		cmocka_unit_test(nothing_is_unbounded),
		cmocka_unit_test(a_complaint_shows_no_more_than_a_piece_of_a_long_text),
	};

	return cmocka_run_group_tests_name("cmd/config_error", tests, NULL, NULL);
}
