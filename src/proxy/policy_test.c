#include "proxy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Rules are written as in the file: "*.bank.test 10.0.0.0/8:443" is a list of two patterns. */
enum { LIST_MAX = 4, RULES_MAX = 8 };

struct written {
	const char *target, *sni, *client;
	enum config_action action;
	unsigned allow;
};

static struct config_pattern patterns[RULES_MAX][2][LIST_MAX];
static struct addr_range clients[RULES_MAX][LIST_MAX];
static struct config_rule rules[RULES_MAX];
static struct config_listener listener;

/* Up to the next space. */
static struct bytes take_word(struct bytes *text)
{
	struct bytes word = bytes_slice(*text, 0, bytes_index(*text, ' '));

	*text = bytes_slice(*text, word.n + 1, text->n);
	return word;
}

static struct config_pattern pattern(struct bytes word)
{
	struct config_pattern p = { .kind = CONFIG_PATTERN_NAME };
	size_t colon = bytes_index(word, ':');
	uint64_t port = 0;

	if (colon < word.n)
		assert_true(bytes_decimal(bytes_slice(word, colon + 1, word.n), 65535, &port));
	p.port = (uint16_t)port;
	p.name = bytes_slice(word, 0, colon);
	if (bytes_equal(p.name, bytes_str("*"))) {
		p.kind = CONFIG_PATTERN_ANY;
	} else if (bytes_starts(p.name, bytes_str("*."))) {
		p.kind = CONFIG_PATTERN_SUFFIX;
		p.name = bytes_slice(p.name, 1, p.name.n);
	} else if (addr_range_parse(p.name, &p.range, NULL) == 0) {
		p.kind = CONFIG_PATTERN_RANGE;
	}
	return p;
}

static struct config_patterns pattern_list(const char *written, struct config_pattern *room)
{
	struct bytes text = bytes_str(written);
	size_t n = 0;

	while (text.n)
		room[n++] = pattern(take_word(&text));
	return (struct config_patterns){ n ? room : NULL, n };
}

static struct config_ranges range_list(const char *written, struct addr_range *room)
{
	struct bytes text = bytes_str(written);
	size_t n = 0;

	while (text.n)
		assert_int_equal(addr_range_parse(take_word(&text), &room[n++], NULL), 0);
	return (struct config_ranges){ n ? room : NULL, n };
}

static void policy(enum config_action otherwise, const struct written *w, size_t count)
{
	listener = config_listener_default;
	listener.otherwise.action = otherwise;
	listener.rules = rules;
	listener.rule_count = count;
	for (size_t i = 0; i < count; i++) {
		rules[i] = config_rule_default;
		rules[i].action = w[i].action;
		rules[i].allow.kinds = w[i].allow;
		rules[i].match.target = pattern_list(w[i].target, patterns[i][0]);
		rules[i].match.sni = pattern_list(w[i].sni, patterns[i][1]);
		rules[i].match.client = range_list(w[i].client, clients[i]);
	}
}

#define POLICY(otherwise, ...)                                                                     \
	policy(otherwise, (const struct written[]){ __VA_ARGS__ },                                 \
	       ARRAY_LEN(((const struct written[]){ __VA_ARGS__ })))

static struct addr client, dialled;
static char why[POLICY_WHY_MAX];

static struct addr ip(const char *text)
{
	struct addr a = { 0 };

	assert_true(addr_parse_ip(bytes_str(text), 443, &a));
	return a;
}

/* host NULL: transparent. addr NULL: not known. sni NULL: not known yet, "": none. */
static struct policy_query query(const char *host, const char *addr, const char *sni)
{
	if (addr)
		dialled = ip(addr);
	return (struct policy_query){
		.listener = &listener,
		.client = &client,
		.host = bytes_str(host),
		.port = 443,
		.addr = addr ? &dialled : NULL,
		.sni_known = sni != NULL,
		.sni = bytes_str(sni),
	};
}

static struct policy_decision decide(const char *host, const char *addr, const char *sni)
{
	struct policy_query q = query(host, addr, sni);
	struct policy_decision d;

	policy_decide(&q, &d);
	policy_why(&q, &d, why);
	return d;
}

static enum config_action action(const char *host, const char *addr, const char *sni)
{
	return decide(host, addr, sni).action;
}

static enum policy_early before(const char *host, const char *addr, const char *sni)
{
	struct policy_query q = query(host, addr, sni);
	struct policy_decision d;

	return policy_before_dial(&q, &d);
}

static int set_up(void **state)
{
	(void)state;
	client = ip("10.9.0.5");
	return 0;
}

static void names_match_as_the_table_says(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool matches;
	} cases[] = {
		{ "x.test", "x.test", true },
		{ "x.test", "X.TeSt", true },
		{ "x.test", "x.test.", true },
		{ "x.test", "a.x.test", false },
		{ "x.test", "xx.test", false },
		{ "x.test", "x.test.evil", false },
		{ "x.test", "", false },
		{ "*.x.test", "a.x.test", true },
		{ "*.x.test", "a.b.x.test", true },
		{ "*.x.test", "A.X.TEST.", true },
		{ "*.x.test", "x.test", false },
		{ "*.x.test", ".x.test", false },
		{ "*.x.test", "ax.test", false },
		{ "*.x.test", "a.x.test.evil", false },
		{ "*.x.test", "", false },
		{ "*", "anything", true },
		{ "*", "", true },
		{ "10.0.0.0/8", "x.test", false },
		{ "10.0.0.0/8", "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config_pattern p = pattern(bytes_str(cases[i].pattern));
		struct config_patterns list = { &p, 1 };

		assert_int_equal(policy_matches_name(&list, bytes_str(cases[i].name)),
				 cases[i].matches);
	}
	assert_false(policy_matches_name(&(struct config_patterns){ 0 }, bytes_str("x")));
}

static void the_first_rule_that_matches_wins(void **state)
{
	struct policy_decision d;

	(void)state;
	POLICY(CONFIG_SPLICE, { .target = "a.test", .action = CONFIG_BLOCK },
	       { .target = "*.test", .action = CONFIG_BUMP },
	       { .target = "a.test", .action = CONFIG_SPLICE });
	d = decide("a.test", NULL, "a.test");
	assert_int_equal(d.action, CONFIG_BLOCK);
	assert_int_equal(d.rule, 0);
	assert_ptr_equal(d.settings, &rules[0]);
	assert_int_equal(d.passed_over, -1);
	assert_string_equal(why, "block by rule 1");
	d = decide("b.test", NULL, "");
	assert_int_equal(d.action, CONFIG_BUMP);
	assert_int_equal(d.rule, 1);
	d = decide("b.example", NULL, "b.example");
	assert_int_equal(d.action, CONFIG_SPLICE);
	assert_int_equal(d.rule, -1);
	assert_ptr_equal(d.settings, &listener.otherwise);
	assert_string_equal(why, "splice by the default");
}

static void every_condition_of_a_rule_has_to_match(void **state)
{
	(void)state;
	POLICY(CONFIG_BUMP, { .target = "a.test",
			      .sni = "b.test",
			      .client = "10.9.0.0/24",
			      .action = CONFIG_BLOCK });
	assert_int_equal(action("a.test", NULL, "b.test"), CONFIG_BLOCK);
	assert_int_equal(action("x.test", NULL, "b.test"), CONFIG_BUMP);
	assert_int_equal(action("a.test", NULL, "x.test"), CONFIG_BUMP);
	assert_int_equal(action("a.test", NULL, ""), CONFIG_BUMP);
	client = ip("10.9.1.5");
	assert_int_equal(action("a.test", NULL, "b.test"), CONFIG_BUMP);
	assert_int_equal(set_up(NULL), 0);
}

static void one_entry_of_a_list_is_enough(void **state)
{
	(void)state;
	POLICY(CONFIG_BUMP, { .target = "a.test *.b.test 10.1.0.0/16", .action = CONFIG_BLOCK });
	assert_int_equal(action("a.test", NULL, ""), CONFIG_BLOCK);
	assert_int_equal(action("x.b.test", NULL, ""), CONFIG_BLOCK);
	assert_int_equal(action("10.1.2.3", NULL, ""), CONFIG_BLOCK);
	assert_int_equal(action("b.test", NULL, ""), CONFIG_BUMP);
}

static void ports_are_compared_where_written(void **state)
{
	(void)state;
	POLICY(CONFIG_BUMP,
	       { .target = "a.test:22 *.b.test:443 *:25 10.0.0.0/8:443", .action = CONFIG_BLOCK });
	assert_int_equal(action("a.test", NULL, ""), CONFIG_BUMP);
	assert_int_equal(action("x.b.test", NULL, ""), CONFIG_BLOCK);
	assert_int_equal(action(NULL, "10.1.1.1", ""), CONFIG_BLOCK);
	assert_int_equal(action(NULL, "11.1.1.1", ""), CONFIG_BUMP);
}

static void addresses_match_as_asked_for_as_dialled_and_as_original_destination(void **state)
{
	(void)state;
	POLICY(CONFIG_BUMP, { .target = "10.0.0.0/8", .action = CONFIG_BLOCK });
	assert_int_equal(action("10.1.1.1", NULL, ""), CONFIG_BLOCK);
	assert_int_equal(action("a.test", "10.1.1.1", "a.test"), CONFIG_BLOCK);
	assert_int_equal(action(NULL, "10.1.1.1", "a.test"), CONFIG_BLOCK);
	assert_int_equal(action("a.test", "192.0.2.1", "a.test"), CONFIG_BUMP);
	/* Behind another proxy the address is never known. */
	assert_int_equal(action("a.test", NULL, "a.test"), CONFIG_BUMP);
}

static void a_star_in_sni_also_matches_no_sni(void **state)
{
	(void)state;
	POLICY(CONFIG_BUMP, { .sni = "*", .action = CONFIG_BLOCK });
	assert_int_equal(action("a.test", NULL, ""), CONFIG_BLOCK);
	assert_int_equal(action("a.test", NULL, "b.test"), CONFIG_BLOCK);
	POLICY(CONFIG_BUMP, { .sni = "*.test", .action = CONFIG_BLOCK });
	assert_int_equal(action("a.test", NULL, ""), CONFIG_BUMP);
}

/* The table in policy.h. */
static void a_splice_rule_matches_both_where_sni_and_target_differ(void **state)
{
	static const struct {
		const char *rule_target, *rule_sni; /* the splice rule */
		const char *host, *addr, *sni;
		bool splices, passed_over;
	} cases[] = {
		/* both lists: each for its own */
		{ "*.bank.test", "*.bank.test", "www.bank.test", NULL, "www.bank.test", true,
		  false },
		{ "*.bank.test", "*.bank.test", "www.bank.test", NULL, "login.bank.test", true,
		  false },
		{ "*.bank.test", "*.bank.test", "evil.test", NULL, "www.bank.test", false, false },
		{ "*.bank.test", "*.bank.test", "www.bank.test", NULL, "evil.test", false, false },
		{ "*", "*.bank.test", "other.test", NULL, "www.bank.test", true, false },
		{ "10.0.0.0/8", "*.bank.test", NULL, "10.0.0.1", "www.bank.test", true, false },
		{ "10.0.0.0/8", "*.bank.test", NULL, "192.0.2.1", "www.bank.test", false, false },
		{ "10.0.0.0/8", "*", NULL, "10.0.0.1", "evil.test", true, false },
		{ "10.0.0.0/8", "*", NULL, "10.0.0.1", "", true, false },
		/* sni only: the bypass, by a trusted SNI */
		{ NULL, "*.bank.test", "www.bank.test", NULL, "www.bank.test", true, false },
		{ NULL, "*.bank.test", "WWW.bank.test.", NULL, "www.BANK.test", true, false },
		{ NULL, "*.bank.test", "evil.test", NULL, "www.bank.test", false, true },
		{ NULL, "*.bank.test", "192.0.2.66", NULL, "www.bank.test", false, true },
		{ NULL, "*.bank.test", NULL, "192.0.2.66", "www.bank.test", false, true },
		{ NULL, "*.bank.test", "evil.test", "192.0.2.66", "www.bank.test", false, true },
		{ NULL, "*.bank.test", "www.bank.test", NULL, "login.bank.test", true, false },
		{ NULL, "*.bank.test", "www.bank.test", NULL, "", false, false },
		{ NULL, "*", "a.test", NULL, "b.test", true, false },
		/* target only: the bypass the other way round */
		{ "*.bank.test", NULL, "www.bank.test", NULL, "www.bank.test", true, false },
		{ "*.bank.test", NULL, "www.bank.test", NULL, "", true, false },
		{ "*.bank.test", NULL, "www.bank.test", NULL, "login.bank.test", true, false },
		{ "*.bank.test", NULL, "www.bank.test", NULL, "evil.test", false, true },
		{ "*.bank.test:443", NULL, "www.bank.test", NULL, "login.bank.test", true, false },
		{ "10.0.0.0/8", NULL, NULL, "10.0.0.1", "", true, false },
		{ "10.0.0.0/8", NULL, NULL, "10.0.0.1", "evil.test", false, true },
		{ "10.0.0.0/8", NULL, "a.test", "10.0.0.1", "a.test", true, false },
		{ "10.0.0.0/8", NULL, "a.test", "10.0.0.1", "evil.test", false, true },
		{ "*", NULL, "a.test", NULL, "b.test", true, false },
		{ "*:443", NULL, "a.test", NULL, "b.test", true, false },
		/* neither: it trusts the client */
		{ NULL, NULL, "a.test", NULL, "b.test", true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct policy_decision d;

		POLICY(CONFIG_BUMP, { .target = cases[i].rule_target,
				      .sni = cases[i].rule_sni,
				      .client = "10.9.0.0/24",
				      .action = CONFIG_SPLICE });
		d = decide(cases[i].host, cases[i].addr, cases[i].sni);
		if (d.action != (cases[i].splices ? CONFIG_SPLICE : CONFIG_BUMP) ||
		    d.passed_over != (cases[i].passed_over ? 0 : -1))
			fail_msg("case %zu: %s, passed over %d", i, why, d.passed_over);
		/* Who is no client of the rule learns nothing of it. */
		client = ip("10.9.9.5");
		d = decide(cases[i].host, cases[i].addr, cases[i].sni);
		assert_int_equal(d.action, CONFIG_BUMP);
		assert_int_equal(d.passed_over, -1);
		assert_int_equal(set_up(NULL), 0);
	}
}

static void the_line_tells_which_rule_did_not_splice(void **state)
{
	(void)state;
	POLICY(CONFIG_BUMP, { .sni = "*.bank.test", .action = CONFIG_SPLICE });
	decide("evil.test", NULL, "www.bank.test");
	assert_string_equal(why,
			    "bump by the default; rule 1 did not splice: SNI www.bank.test and "
			    "target evil.test:443 differ, and it has to match both");
	decide(NULL, "192.0.2.66", "www.bank.test");
	assert_string_equal(why,
			    "bump by the default; rule 1 did not splice: SNI www.bank.test and "
			    "target 192.0.2.66:443 differ, and it has to match both");
	decide("ev\x1bil.test", NULL, "www.bank.test");
	assert_non_null(strstr(why, "target ev\\x1bil.test:443"));
}

static void long_names_do_not_overrun_the_sentence(void **state)
{
	char name[2000];

	(void)state;
	memset(name, '\x1b', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	POLICY(CONFIG_BUMP, { .sni = "*.bank.test", .action = CONFIG_SPLICE });
	memcpy(name + sizeof(name) - 11, ".bank.test", 11);
	decide("evil.test", NULL, name);
	assert_in_range(strlen(why), 100, POLICY_WHY_MAX - 1);
}

static void what_target_and_client_decide_is_decided_before_dialling(void **state)
{
	(void)state;
	POLICY(CONFIG_BUMP, { .target = "bad.test", .action = CONFIG_BLOCK });
	assert_int_equal(before("bad.test", NULL, NULL), POLICY_BLOCKED);
	assert_int_equal(before("good.test", NULL, NULL), POLICY_DECIDED);
	POLICY(CONFIG_BUMP, { .client = "10.9.0.5", .action = CONFIG_BLOCK });
	assert_int_equal(before("any.test", NULL, NULL), POLICY_BLOCKED);
	POLICY(CONFIG_BLOCK, { .target = "good.test", .action = CONFIG_BUMP });
	assert_int_equal(before("good.test", NULL, NULL), POLICY_DECIDED);
	assert_int_equal(before("other.test", NULL, NULL), POLICY_BLOCKED);
}

static void what_needs_the_sni_stays_open(void **state)
{
	(void)state;
	POLICY(CONFIG_BUMP, { .sni = "bad.test", .action = CONFIG_BLOCK });
	assert_int_equal(before("good.test", NULL, NULL), POLICY_OPEN);
	assert_int_equal(before("good.test", NULL, "bad.test"), POLICY_BLOCKED);
	assert_int_equal(before("good.test", NULL, ""), POLICY_DECIDED);
	/* Whatever the SNI is, it ends in block. */
	POLICY(CONFIG_BLOCK, { .sni = "bad.test", .action = CONFIG_BLOCK });
	assert_int_equal(before("good.test", NULL, NULL), POLICY_BLOCKED);
	/* A star needs no SNI. */
	POLICY(CONFIG_BUMP, { .sni = "*", .target = "bad.test", .action = CONFIG_BLOCK });
	assert_int_equal(before("bad.test", NULL, NULL), POLICY_BLOCKED);
	assert_int_equal(before("good.test", NULL, NULL), POLICY_DECIDED);
	/* A rule after the open one does not make it certain. */
	POLICY(CONFIG_BUMP, { .sni = "a.test", .action = CONFIG_BUMP },
	       { .target = "*", .action = CONFIG_BLOCK });
	assert_int_equal(before("x.test", NULL, NULL), POLICY_OPEN);
}

static void a_splice_rule_is_certain_only_when_no_sni_can_undo_it(void **state)
{
	(void)state;
	POLICY(CONFIG_BUMP, { .target = "*.bank.test", .action = CONFIG_SPLICE });
	assert_int_equal(before("www.bank.test", NULL, NULL), POLICY_OPEN);
	assert_int_equal(before("www.test", NULL, NULL), POLICY_DECIDED);
	POLICY(CONFIG_BLOCK, { .sni = "*.bank.test", .action = CONFIG_SPLICE });
	/* The target is no bank: whatever the SNI says, this rule cannot apply. */
	assert_int_equal(before("www.test", NULL, NULL), POLICY_BLOCKED);
	assert_int_equal(before("www.bank.test", NULL, NULL), POLICY_OPEN);
	POLICY(CONFIG_BUMP, { .target = "*", .action = CONFIG_SPLICE });
	assert_int_equal(before("www.test", NULL, NULL), POLICY_DECIDED);
	POLICY(CONFIG_BUMP, { .client = "10.9.0.5", .action = CONFIG_SPLICE });
	assert_int_equal(before("www.test", NULL, NULL), POLICY_DECIDED);
	POLICY(CONFIG_BUMP, { .target = "*.bank.test", .sni = "*", .action = CONFIG_SPLICE });
	assert_int_equal(before("www.bank.test", NULL, NULL), POLICY_DECIDED);
}

static void an_address_rule_waits_for_the_address(void **state)
{
	(void)state;
	POLICY(CONFIG_BUMP, { .target = "10.0.0.0/8", .action = CONFIG_BLOCK });
	assert_int_equal(before("a.test", NULL, NULL), POLICY_OPEN);
	assert_int_equal(before("a.test", "10.1.1.1", NULL), POLICY_BLOCKED);
	assert_int_equal(before("a.test", "11.1.1.1", NULL), POLICY_DECIDED);
	assert_int_equal(before("10.1.1.1", NULL, NULL), POLICY_BLOCKED);
	assert_int_equal(before("11.1.1.1", NULL, NULL), POLICY_DECIDED);
}

/* Whatever is decided before dialling is decided the same way afterwards. */
static void early_and_late_answers_agree(void **state)
{
	static const char *const lists[] = { NULL,     "*",	     "a.test",
					     "*.test", "10.0.0.0/8", "*.x.test b.test" };
	static const char *const snis[] = { "", "a.test", "b.test", "c.x.test", "evil" };
	static const char *const hosts[] = { NULL, "a.test", "b.test", "10.0.0.1", "evil" };
	static const char *const addrs[] = { "10.0.0.1", "192.0.2.1" };
	size_t decided = 0;

	(void)state;
	for (unsigned i = 0; i < 6 * 6 * 3 * 3 * 5; i++) {
		const char *host = hosts[i / 324 % 5];
		struct policy_query q;
		struct policy_decision first, last;
		enum policy_early early;

		POLICY((enum config_action)(CONFIG_BUMP + i / 36 % 3),
		       { .target = lists[i % 6],
			 .sni = lists[i / 6 % 6],
			 .action = (enum config_action)(CONFIG_BUMP + i / 108 % 3) });
		q = query(host, host ? NULL : "10.0.0.1", NULL);
		early = policy_before_dial(&q, &first);
		if (early == POLICY_OPEN)
			continue;
		decided++;
		for (size_t s = 0; s < ARRAY_LEN(snis); s++) {
			for (size_t a = 0; a < ARRAY_LEN(addrs); a++) {
				bool literal = !host || host[0] == '1';

				q = query(host, literal ? "10.0.0.1" : addrs[a], snis[s]);
				policy_decide(&q, &last);
				assert_int_equal(last.action == CONFIG_BLOCK,
						 early == POLICY_BLOCKED);
				if (early == POLICY_DECIDED)
					assert_int_equal(last.rule, first.rule);
			}
		}
	}
	assert_in_range(decided, 100, 6 * 6 * 3 * 3 * 5);
}

static void only_the_clients_of_a_listener_may_ask(void **state)
{
	struct addr_range room[2];
	struct addr other = ip("10.8.0.1");

	(void)state;
	listener = config_listener_default;
	assert_true(policy_allows_client(&listener, &client));
	listener.clients = range_list("10.9.0.0/16 fd00::/8", room);
	assert_true(policy_allows_client(&listener, &client));
	assert_false(policy_allows_client(&listener, &other));
}

static const char *self_text[] = { "10.9.0.143", "fd00::1", "127.0.0.1" };

static bool allows(const char *listen, uint16_t port, const char *to, uint16_t to_port)
{
	struct addr own[ARRAY_LEN(self_text)], bound = ip(listen), a = ip(to);
	struct policy_self self = { &bound, 1, own, ARRAY_LEN(own) };
	struct policy_query q = query("some.test", NULL, NULL);

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		own[i] = ip(self_text[i]);
	bound.port = port;
	a.port = q.port = to_port;
	why[0] = 0;
	return policy_allows_address(&q, &a, &self, why);
}

static void oriel_never_connects_to_its_own_listeners(void **state)
{
	static const struct {
		const char *listen, *to;
		uint16_t port;
		bool allowed;
	} cases[] = {
		{ "127.0.0.1", "127.0.0.1", 8080, false },
		{ "127.0.0.1", "127.0.0.1", 8081, true },
		{ "127.0.0.1", "127.0.0.2", 8080, true },
		{ "127.0.0.1", "0.0.0.0", 8080, false },
		{ "127.0.0.1", "::", 8080, false },
		{ "127.0.0.1", "::ffff:127.0.0.1", 8080, false },
		{ "0.0.0.0", "127.0.0.1", 8080, false },
		{ "0.0.0.0", "127.1.2.3", 8080, false },
		{ "0.0.0.0", "10.9.0.143", 8080, false },
		{ "0.0.0.0", "10.9.0.144", 8080, true },
		{ "::", "10.9.0.143", 8080, false },
		{ "::", "::1", 8080, false },
		{ "::", "fd00::1", 8080, false },
		{ "10.9.0.143", "10.9.0.143", 8080, false },
		{ "10.9.0.143", "127.0.0.1", 8080, true },
		{ "10.9.0.143", "10.9.0.143", 8443, true },
	};

	(void)state;
	client = ip("127.0.0.1");
	POLICY(CONFIG_BUMP, { .target = "*", .action = CONFIG_BUMP, .allow = 63 });
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (allows(cases[i].listen, 8080, cases[i].to, cases[i].port) != cases[i].allowed)
			fail_msg("listening on %s, to %s:%u: %s", cases[i].listen, cases[i].to,
				 cases[i].port, why);
	assert_false(allows("127.0.0.1", 8080, "127.0.0.1", 8080));
	assert_string_equal(why, "127.0.0.1:8080 is oriel's own listener");
	assert_int_equal(set_up(NULL), 0);
}

static void special_destinations_need_a_client_on_loopback_or_a_rule(void **state)
{
	static const struct {
		const char *to;
		unsigned allow; /* any one of these bits is enough; 0: none is needed */
		const char *what;
	} cases[] = {
		{ "192.0.2.1", 0, NULL },
		{ "10.0.0.1", 0, NULL },
		{ "127.0.0.1", CONFIG_TO_LOOPBACK, "a loopback address" },
		{ "127.9.9.9", CONFIG_TO_LOOPBACK, "a loopback address" },
		{ "::1", CONFIG_TO_LOOPBACK, "a loopback address" },
		{ "::ffff:127.0.0.1", CONFIG_TO_LOOPBACK, "a loopback address" },
		{ "169.254.1.1", CONFIG_TO_LINK_LOCAL, "a link-local address" },
		{ "169.254.169.254", CONFIG_TO_LINK_LOCAL | CONFIG_TO_METADATA,
		  "a link-local address" },
		{ "fe80::1", CONFIG_TO_LINK_LOCAL, "a link-local address" },
		{ "fd00:ec2::254", CONFIG_TO_METADATA, NULL },
		{ "0.0.0.0", CONFIG_TO_UNSPECIFIED, NULL },
		{ "::", CONFIG_TO_UNSPECIFIED, NULL },
		{ "224.0.0.1", CONFIG_TO_MULTICAST, NULL },
		{ "ff02::1", CONFIG_TO_MULTICAST, NULL },
		{ "10.9.0.143", CONFIG_TO_OWN, "this machine's own address" },
		{ "fd00::1", CONFIG_TO_OWN, "this machine's own address" },
		{ "64:ff9b::7f00:1", CONFIG_TO_LOOPBACK, "a loopback address" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		POLICY(CONFIG_BUMP, { .target = "*", .action = CONFIG_BUMP });
		client = ip("127.0.0.9");
		assert_true(allows("10.9.0.143", 8080, cases[i].to, 443));
		client = ip("10.9.0.5");
		if (allows("10.9.0.143", 8080, cases[i].to, 443) != (cases[i].allow == 0))
			fail_msg("%s: %s", cases[i].to, why);
		if (cases[i].what)
			assert_non_null(strstr(why, cases[i].what));
		for (unsigned bit = 1; bit < 64; bit <<= 1) {
			POLICY(CONFIG_BUMP, { .target = "*", .action = CONFIG_BUMP, .allow = bit });
			if (allows("10.9.0.143", 8080, cases[i].to, 443) !=
			    (cases[i].allow == 0 || (cases[i].allow & bit)))
				fail_msg("%s with %u: %s", cases[i].to, bit, why);
		}
	}
	POLICY(CONFIG_BUMP, { .target = "*", .action = CONFIG_BUMP });
	assert_false(allows("10.9.0.143", 8080, "127.0.0.1", 25));
	assert_string_equal(why, "127.0.0.1:25 is a loopback address: for a client that is not on "
				 "loopback its rule must say allow-destinations");
}

static void a_rule_may_allow_ranges(void **state)
{
	struct addr_range room[2];

	(void)state;
	POLICY(CONFIG_BUMP, { .target = "*", .action = CONFIG_BUMP });
	rules[0].allow.ranges = range_list("169.254.169.254 127.0.0.0/30", room);
	assert_true(allows("10.9.0.143", 8080, "169.254.169.254", 80));
	assert_true(allows("10.9.0.143", 8080, "127.0.0.1", 80));
	assert_false(allows("10.9.0.143", 8080, "127.0.0.9", 80));
}

static void every_rule_that_may_still_apply_has_to_allow_it(void **state)
{
	(void)state;
	/* The SNI may choose the first rule, which does not allow it. */
	POLICY(CONFIG_BLOCK, { .sni = "a.test", .action = CONFIG_BUMP },
	       { .target = "*", .action = CONFIG_BUMP, .allow = CONFIG_TO_LOOPBACK });
	assert_false(allows("10.9.0.143", 8080, "127.0.0.1", 443));
	rules[0].allow.kinds = CONFIG_TO_LOOPBACK;
	assert_true(allows("10.9.0.143", 8080, "127.0.0.1", 443));
	/* A rule that would block does no harm. */
	rules[0].allow.kinds = 0;
	rules[0].action = CONFIG_BLOCK;
	assert_true(allows("10.9.0.143", 8080, "127.0.0.1", 443));
	/* The default allows nothing. */
	POLICY(CONFIG_BUMP,
	       { .sni = "a.test", .action = CONFIG_BUMP, .allow = CONFIG_TO_LOOPBACK });
	assert_false(allows("10.9.0.143", 8080, "127.0.0.1", 443));
}

static void a_name_does_not_lead_around_a_blocked_range(void **state)
{
	(void)state;
	POLICY(CONFIG_BUMP, { .target = "10.0.0.0/8", .action = CONFIG_BLOCK });
	assert_false(allows("127.0.0.1", 8080, "10.1.1.1", 443));
	assert_string_equal(why, "10.1.1.1:443 is blocked by rule 1");
	assert_true(allows("127.0.0.1", 8080, "192.0.2.1", 443));
	/* Unless an earlier rule wants this very name. */
	POLICY(CONFIG_BUMP, { .target = "some.test", .action = CONFIG_BUMP },
	       { .target = "10.0.0.0/8", .action = CONFIG_BLOCK });
	assert_true(allows("127.0.0.1", 8080, "10.1.1.1", 443));
}

static void a_catch_all_leaves_nothing(void **state)
{
	static const struct {
		const char *target, *sni, *client;
		bool all;
	} cases[] = {
		{ NULL, NULL, NULL, true },	   { "*", NULL, NULL, true },
		{ NULL, "*", NULL, true },	   { "*", "*", NULL, true },
		{ "a.test *", NULL, NULL, true },  { "*:443", NULL, NULL, false },
		{ "*.test", NULL, NULL, false },   { "*", "a.test", NULL, false },
		{ "*", NULL, "0.0.0.0/0", false }, { "0.0.0.0/0", NULL, NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (unsigned a = CONFIG_BUMP; a <= CONFIG_BLOCK; a++) {
			POLICY(CONFIG_NO_ACTION,
			       { cases[i].target, cases[i].sni, cases[i].client, a, 0 });
			assert_int_equal(policy_is_catch_all(&rules[0]), cases[i].all);
			if (!cases[i].all)
				continue;
			assert_int_equal(action("x.test", NULL, "y.test"), a);
			assert_int_equal(action(NULL, "192.0.2.1", "y.test"), a);
			assert_int_equal(action(NULL, "192.0.2.1", ""), a);
		}
	}
}

static void without_any_decision_nothing_passes(void **state)
{
	(void)state;
	POLICY(CONFIG_NO_ACTION, { .target = "a.test", .action = CONFIG_BUMP });
	assert_int_equal(action("b.test", NULL, "b.test"), CONFIG_BLOCK);
	assert_int_equal(before("b.test", NULL, NULL), POLICY_BLOCKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_match_as_the_table_says),
		cmocka_unit_test(the_first_rule_that_matches_wins),
		cmocka_unit_test(every_condition_of_a_rule_has_to_match),
		cmocka_unit_test(one_entry_of_a_list_is_enough),
		cmocka_unit_test(ports_are_compared_where_written),
		cmocka_unit_test(
			addresses_match_as_asked_for_as_dialled_and_as_original_destination),
		cmocka_unit_test(a_star_in_sni_also_matches_no_sni),
		cmocka_unit_test(a_splice_rule_matches_both_where_sni_and_target_differ),
		cmocka_unit_test(the_line_tells_which_rule_did_not_splice),
		cmocka_unit_test(long_names_do_not_overrun_the_sentence),
		cmocka_unit_test(what_target_and_client_decide_is_decided_before_dialling),
		cmocka_unit_test(what_needs_the_sni_stays_open),
		cmocka_unit_test(a_splice_rule_is_certain_only_when_no_sni_can_undo_it),
		cmocka_unit_test(an_address_rule_waits_for_the_address),
		cmocka_unit_test(early_and_late_answers_agree),
		cmocka_unit_test(only_the_clients_of_a_listener_may_ask),
		cmocka_unit_test(oriel_never_connects_to_its_own_listeners),
		cmocka_unit_test(special_destinations_need_a_client_on_loopback_or_a_rule),
		cmocka_unit_test(a_rule_may_allow_ranges),
		cmocka_unit_test(every_rule_that_may_still_apply_has_to_allow_it),
		cmocka_unit_test(a_name_does_not_lead_around_a_blocked_range),
		cmocka_unit_test(a_catch_all_leaves_nothing),
		cmocka_unit_test(without_any_decision_nothing_passes),
	};

	return cmocka_run_group_tests_name("proxy/policy", tests, set_up, NULL);
}
