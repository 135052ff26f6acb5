#include "net/dial.h"

#include "base/mem.h"
#include "net/fake_dns.h"
#include "net/sock.h"

#include <dirent.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MS INT64_C(1000000)

/* A loop, a resolver, a name server, and what the last dial came to. */
struct lab {
	struct loop *loop;
	struct resolver *resolver;
	struct fake_dns *dns;
	char servers[128];
	struct addr denied[4]; /* addresses that the check refuses */
	size_t denied_count;
	char allowed[512]; /* what the check was asked, in order */
	unsigned wanted;   /* so many dials are under way */
	unsigned ended;
	unsigned connected;
	enum dial_result result;
	struct addr tried;
	char detail[256];
	int fd;
};

static void on_lab_end(struct lab *lab)
{
	if (++lab->ended == lab->wanted)
		loop_stop(lab->loop);
}

static bool on_allow(void *ctx, const struct addr *a)
{
	struct lab *lab = ctx;
	char text[ADDR_TEXT_MAX];
	size_t n = strlen(lab->allowed);

	snprintf(lab->allowed + n, sizeof(lab->allowed) - n, "%s ", addr_ip_text(a, text));
	for (size_t i = 0; i < lab->denied_count; i++) {
		if (addr_same_ip(a, &lab->denied[i]))
			return false;
	}
	return true;
}

static void on_done(void *ctx, enum dial_result r, int fd, const struct addr *tried,
		    struct bytes detail)
{
	struct lab *lab = ctx;

	assert_int_equal(fd >= 0, r == DIAL_OK);
	lab->result = r;
	lab->tried = *tried;
	snprintf(lab->detail, sizeof(lab->detail), "%.*s", BYTES_FMT(detail));
	sock_close(&lab->fd);
	lab->fd = fd;
	lab->connected += r == DIAL_OK;
	on_lab_end(lab);
}

static const struct fake_dns_rule no_rules[] = { { 0 } };

static void lab_open_with(struct lab *lab, const struct fake_dns_rule *rules,
			  const struct resolver_options *more)
{
	struct resolver_options o = more ? *more : (struct resolver_options){ 0 };
	struct err e = { 0 };

	*lab = (struct lab){ .fd = -1 };
	assert_int_equal(loop_new(&lab->loop, NULL), 0);
	lab->dns = fake_dns_new(lab->loop, rules);
	if (!o.dns_servers)
		o.dns_servers = fake_dns_address(lab->dns);
	else
		snprintf(lab->servers, sizeof(lab->servers), "%s,%s", o.dns_servers,
			 fake_dns_address(lab->dns));
	if (lab->servers[0])
		o.dns_servers = lab->servers;
	if (resolver_new(lab->loop, &o, &lab->resolver, &e) < 0)
		fail_msg("%s", e.sentence);
}

static void lab_open(struct lab *lab, const struct fake_dns_rule *rules)
{
	lab_open_with(lab, rules, NULL);
}

static void lab_close(struct lab *lab)
{
	sock_close(&lab->fd);
	resolver_free(lab->resolver);
	fake_dns_free(lab->dns);
	loop_free(lab->loop);
}

static int lab_start(struct lab *lab, const char *host, uint16_t port, int64_t timeout_ns,
		     struct dial **out)
{
	struct dial_options o = { .resolver = lab->resolver,
				  .host = bytes_str(host),
				  .port = port,
				  .timeout_ns = timeout_ns,
				  .allow = on_allow,
				  .done = on_done,
				  .ctx = lab };
	unsigned ended = lab->ended;
	int status = dial_start(lab->loop, &o, out, NULL);

	assert_int_equal(lab->ended, ended); /* never from inside */
	lab->wanted += status == 0;
	return status;
}

static enum dial_result lab_dial_for(struct lab *lab, const char *host, uint16_t port,
				     int64_t timeout_ns)
{
	struct dial *d;

	lab->allowed[0] = 0;
	assert_int_equal(lab_start(lab, host, port, timeout_ns, &d), 0);
	loop_run(lab->loop);
	assert_int_equal(lab->ended, lab->wanted);
	return lab->result;
}

static enum dial_result lab_dial(struct lab *lab, const char *host, uint16_t port)
{
	return lab_dial_for(lab, host, port, 0);
}

static const char *tried_text(const struct lab *lab)
{
	static char text[ADDR_TEXT_MAX];

	return addr_ip_text(&lab->tried, text);
}

static void stop_loop(void *ctx)
{
	loop_stop(ctx);
}

static void run_for(struct loop *l, int64_t ns)
{
	struct loop_timer *t;

	assert_int_equal(loop_timer_new(l, stop_loop, l, &t, NULL), 0);
	loop_timer_set(t, ns);
	loop_run(l);
	loop_timer_free(t);
}

/* Listeners on one port of several addresses. */

static int listen_on(const char *literal, uint16_t port, int backlog)
{
	struct sock_listen_options o = { .backlog = backlog };
	struct addr a;
	int fd = -1;

	assert_true(addr_parse_ip(bytes_str(literal), port, &a));
	return sock_listen(&a, &o, &fd, NULL) < 0 ? -1 : fd;
}

static uint16_t port_of(int fd)
{
	struct addr a;

	assert_int_equal(sock_local(fd, &a, NULL), 0);
	return a.port;
}

/* Answers nothing: its queue of connections is full, so that the kernel drops every SYN. */
struct black_hole {
	int listener, fillers[4];
};

static void black_hole_open(struct black_hole *h, const char *literal, uint16_t port)
{
	struct addr a;

	h->listener = listen_on(literal, port, 0);
	assert_true(h->listener >= 0);
	assert_int_equal(listen(h->listener, 0), 0);
	assert_int_equal(sock_local(h->listener, &a, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(h->fillers); i++) {
		struct pollfd p = { .events = POLLOUT };

		assert_int_equal(sock_connect(&a, &h->fillers[i], NULL), 0);
		p.fd = h->fillers[i];
		(void)!poll(&p, 1, 20);
	}
}

static void black_hole_close(struct black_hole *h)
{
	for (size_t i = 0; i < ARRAY_LEN(h->fillers); i++)
		sock_close(&h->fillers[i]);
	sock_close(&h->listener);
}

static bool has_ip6(void)
{
	int fd = listen_on("::1", 0, 0);
	bool yes = fd >= 0;

	sock_close(&fd);
	return yes;
}

/* A port on which nobody listens. */
static uint16_t dead_port(void)
{
	int fd = listen_on("127.0.0.1", 0, 0);
	uint16_t port = port_of(fd);

	sock_close(&fd);
	return port;
}

static size_t open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Literal addresses */

static void dials_a_literal_address_without_asking_anybody(void **state)
{
	struct lab lab;
	int listener = listen_on("127.0.0.1", 0, 0);

	(void)state;
	lab_open(&lab, no_rules);
	assert_int_equal(lab_dial(&lab, "127.0.0.1", port_of(listener)), DIAL_OK);
	assert_string_equal(tried_text(&lab), "127.0.0.1");
	assert_int_equal(lab.tried.port, port_of(listener));
	assert_int_equal(sock_error(lab.fd), 0);
	assert_int_equal(fake_dns_count(lab.dns), 0);
	assert_string_equal(lab.detail, "");
	sock_close(&listener);
	lab_close(&lab);
}

static void tells_that_the_connection_was_refused(void **state)
{
	struct lab lab;
	uint16_t port = dead_port();
	char expected[64];

	(void)state;
	lab_open(&lab, no_rules);
	assert_int_equal(lab_dial(&lab, "127.0.0.1", port), DIAL_REFUSED);
	snprintf(expected, sizeof(expected), "127.0.0.1:%u: Connection refused", port);
	assert_string_equal(lab.detail, expected);
	lab_close(&lab);
}

static void tells_that_nobody_answers_in_time(void **state)
{
	struct lab lab;
	struct black_hole hole;
	int64_t start = clock_mono_ns();

	(void)state;
	black_hole_open(&hole, "127.0.0.2", 0);
	lab_open(&lab, no_rules);
	assert_int_equal(lab_dial_for(&lab, "127.0.0.2", port_of(hole.listener), 100 * MS),
			 DIAL_TIMEOUT);
	assert_string_equal(tried_text(&lab), "127.0.0.2");
	assert_in_range(clock_mono_ns() - start, 100 * MS, 5000 * MS);
	black_hole_close(&hole);
	lab_close(&lab);
}

static void asks_before_each_address_and_tells_that_all_were_refused(void **state)
{
	struct lab lab;
	int listener = listen_on("127.0.0.1", 0, 0);

	(void)state;
	lab_open(&lab, no_rules);
	assert_true(addr_parse_ip(bytes_str("127.0.0.1"), 0, &lab.denied[lab.denied_count++]));
	assert_int_equal(lab_dial(&lab, "127.0.0.1", port_of(listener)), DIAL_DENIED);
	assert_string_equal(lab.allowed, "127.0.0.1 ");
	assert_string_equal(tried_text(&lab), "127.0.0.1");
	sock_close(&listener);
	lab_close(&lab);
}

/* Tables */

static const char hosts_file[] = "127.0.0.9 file.test both.test\n192.0.2.1 localhost\n";

static struct host_entry ours[] = {
	{ { (const uint8_t *)"both.test", 9 }, { .family = ADDR_IP4, .ip = { 127, 0, 0, 8 } } },
};

static const struct resolver_options with_tables = {
	.hosts = ours,
	.host_count = 1,
	.hosts_file = { (const uint8_t *)hosts_file, sizeof(hosts_file) - 1 },
};

static void our_hosts_come_before_those_of_the_file_and_both_before_dns(void **state)
{
	static const struct fake_dns_rule rules[] = {
		{ .name = "file.test", .family = ADDR_IP4, .addrs = { "127.0.0.7" } },
		{ .name = "file.test", .family = ADDR_IP6, .addrs = { "::1" } },
		{ 0 },
	};
	struct lab lab;

	(void)state;
	lab_open_with(&lab, rules, &with_tables);
	lab_dial(&lab, "both.test", dead_port());
	assert_string_equal(lab.allowed, "127.0.0.8 ");
	lab_dial(&lab, "FILE.test.", dead_port());
	assert_string_equal(lab.allowed, "127.0.0.9 ");
	assert_int_equal(fake_dns_count(lab.dns), 0);
	lab_close(&lab);
}

static void new_hosts_take_the_place_of_the_old(void **state)
{
	struct host_entry other = { bytes_str("new.test"),
				    { .family = ADDR_IP4, .ip = { 127, 0, 0, 6 } } };
	struct lab lab;

	(void)state;
	lab_open_with(&lab, no_rules, &with_tables);
	assert_int_equal(resolver_set_hosts(lab.resolver, &other, 1, NULL), 0);
	lab_dial(&lab, "new.test", dead_port());
	assert_string_equal(lab.allowed, "127.0.0.6 ");
	lab_dial(&lab, "both.test", dead_port());
	assert_string_equal(lab.allowed, "127.0.0.9 ");
	lab_close(&lab);
}

static void localhost_is_always_loopback(void **state)
{
	static const char *const names[] = { "localhost", "LOCALHOST.", "app.localhost" };
	struct lab lab;

	(void)state;
	lab_open_with(&lab, no_rules, &with_tables);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		lab_dial(&lab, names[i], dead_port());
		assert_string_equal(lab.allowed, "::1 127.0.0.1 ");
	}
	assert_int_equal(fake_dns_count(lab.dns), 0);
	assert_int_equal(lab_dial(&lab, "notlocalhost", 1), DIAL_NO_NAME);
	assert_int_equal(fake_dns_count(lab.dns), 2);
	lab_close(&lab);
}

static void what_is_no_name_is_never_asked_for(void **state)
{
	static char long_label[80], long_name[300];
	const char *const names[] = { "",	  ".",	     "a..b",  ".a",	 "a b",
				      "a/b",	  "a\\.b",   "1.2.3", "10.1",	 "a.1",
				      "x.onion",  "a:1",     "[::1",  "a\x1b[m", "\xc3\xa9.test",
				      long_label, long_name, "a.256" };
	struct lab lab;

	(void)state;
	memset(long_label, 'a', 64);
	for (size_t i = 0; i < 254; i++)
		long_name[i] = i % 2 ? '.' : 'a';
	long_name[254] = 'b';
	lab_open(&lab, no_rules);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (lab_dial(&lab, names[i], 443) != DIAL_NO_NAME)
			fail_msg("\"%s\"", names[i]);
		assert_true(lab.detail[0]);
		assert_int_equal(lab.tried.family, ADDR_NONE);
	}
	assert_int_equal(fake_dns_count(lab.dns), 0);
	lab_close(&lab);
}

/* DNS */

static const struct fake_dns_rule plain_rules[] = {
	{ .name = "four.test", .family = ADDR_IP4, .addrs = { "127.0.0.1" }, .ttl_s = 300 },
	{ .name = "four.test", .family = ADDR_IP6 },
	{ .name = "brief.test", .family = ADDR_IP4, .addrs = { "127.0.0.1" }, .ttl_s = 0 },
	{ .name = "brief.test", .family = ADDR_IP6 },
	{ .name = "second.test", .family = ADDR_IP4, .addrs = { "127.0.0.1" }, .ttl_s = 1 },
	{ .name = "second.test", .family = ADDR_IP6 },
	{ .name = "alias.test",
	  .family = ADDR_IP4,
	  .addrs = { "127.0.0.1" },
	  .ttl_s = 5,
	  .through_cname = true },
	{ .name = "alias.test", .family = ADDR_IP6 },
	{ .name = "nodata.test", .family = ADDR_IP4 },
	{ .name = "nodata.test", .family = ADDR_IP6 },
	{ .name = "fail.test", .family = ADDR_IP4, .manner = FAKE_DNS_SERVFAIL },
	{ .name = "fail.test", .family = ADDR_IP6, .manner = FAKE_DNS_SERVFAIL },
	{ .name = "silent.test", .family = ADDR_IP4, .manner = FAKE_DNS_SILENT },
	{ .name = "silent.test", .family = ADDR_IP6, .manner = FAKE_DNS_SILENT },
	{ .name = "garbage.test", .family = ADDR_IP4, .manner = FAKE_DNS_GARBAGE },
	{ .name = "garbage.test", .family = ADDR_IP6, .manner = FAKE_DNS_GARBAGE },
	{ .name = "large.test",
	  .family = ADDR_IP4,
	  .manner = FAKE_DNS_TRUNCATED,
	  .addrs = { "127.0.0.1" },
	  .ttl_s = 5 },
	{ .name = "large.test", .family = ADDR_IP6 },
	{ .name = "mapped.test", .family = ADDR_IP6, .addrs = { "127.0.0.1" }, .ttl_s = 5 },
	{ .name = "mapped.test", .family = ADDR_IP4 },
	{ 0 },
};

static void asks_dns_once_and_remembers(void **state)
{
	struct lab lab;
	int listener = listen_on("127.0.0.1", 0, 0);

	(void)state;
	lab_open(&lab, plain_rules);
	assert_int_equal(lab_dial(&lab, "four.test", port_of(listener)), DIAL_OK);
	assert_string_equal(fake_dns_asked(lab.dns), "AAAA four.test A four.test ");
	assert_int_equal(lab_dial(&lab, "Four.TEST.", port_of(listener)), DIAL_OK);
	/* There is no IPv6 address to remember: that is asked again. */
	assert_string_equal(fake_dns_asked(lab.dns), "AAAA four.test A four.test AAAA four.test ");
	sock_close(&listener);
	lab_close(&lab);
}

static void an_answer_without_a_life_is_not_remembered(void **state)
{
	struct lab lab;

	(void)state;
	lab_open(&lab, plain_rules);
	lab_dial(&lab, "brief.test", dead_port());
	lab_dial(&lab, "brief.test", dead_port());
	assert_int_equal(fake_dns_count(lab.dns), 4);
	lab_close(&lab);
}

static void an_answer_is_forgotten_after_its_life(void **state)
{
	struct lab lab;

	(void)state;
	lab_open(&lab, plain_rules);
	lab_dial(&lab, "second.test", dead_port());
	lab_dial(&lab, "second.test", dead_port());
	assert_int_equal(fake_dns_count(lab.dns), 3); /* AAAA twice */
	run_for(lab.loop, 1100 * MS);
	lab_dial(&lab, "second.test", dead_port());
	assert_int_equal(fake_dns_count(lab.dns), 5);
	lab_close(&lab);
}

static void many_dials_to_one_name_share_its_questions(void **state)
{
	struct lab lab;
	struct dial *d;
	int listener = listen_on("127.0.0.1", 0, 0);

	(void)state;
	lab_open(&lab, plain_rules);
	for (int i = 0; i < 50; i++)
		assert_int_equal(lab_start(&lab, "four.test", port_of(listener), 0, &d), 0);
	loop_run(lab.loop);
	assert_int_equal(lab.connected, 50);
	assert_int_equal(fake_dns_count(lab.dns), 2);
	sock_close(&listener);
	lab_close(&lab);
}

static void follows_aliases(void **state)
{
	struct lab lab;

	(void)state;
	lab_open(&lab, plain_rules);
	assert_int_equal(lab_dial(&lab, "alias.test", dead_port()), DIAL_REFUSED);
	assert_string_equal(lab.allowed, "127.0.0.1 ");
	lab_close(&lab);
}

static void asks_again_over_tcp_when_the_answer_was_cut_off(void **state)
{
	struct lab lab;

	(void)state;
	lab_open(&lab, plain_rules);
	assert_int_equal(lab_dial(&lab, "large.test", dead_port()), DIAL_REFUSED);
	assert_string_equal(lab.allowed, "127.0.0.1 ");
	lab_close(&lab);
}

static void shows_the_check_a_mapped_address_as_what_it_is(void **state)
{
	struct lab lab;

	(void)state;
	lab_open(&lab, plain_rules);
	assert_int_equal(lab_dial(&lab, "mapped.test", dead_port()), DIAL_REFUSED);
	assert_string_equal(lab.allowed, "127.0.0.1 ");
	lab_close(&lab);
}

static void tells_names_that_do_not_exist_from_servers_that_fail(void **state)
{
	static const struct {
		const char *name;
		enum dial_result result;
	} rows[] = {
		{ "nowhere.test", DIAL_NO_NAME },    { "single", DIAL_NO_NAME },
		{ "nodata.test", DIAL_NO_NAME },     { "fail.test", DIAL_DNS_FAILED },
		{ "garbage.test", DIAL_DNS_FAILED },
	};
	struct lab lab;

	(void)state;
	lab_open(&lab, plain_rules);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(lab_dial(&lab, rows[i].name, 443), rows[i].result);
		assert_true(lab.detail[0]);
		assert_null(strchr(lab.detail, ';')); /* said once */
	}
	lab_close(&lab);
}

static void never_tries_search_domains(void **state)
{
	struct lab lab;

	(void)state;
	/* c-ares takes them from here too. */
	assert_int_equal(setenv("LOCALDOMAIN", "search.example", 1), 0);
	lab_open(&lab, no_rules);
	unsetenv("LOCALDOMAIN");
	assert_int_equal(lab_dial(&lab, "single", 443), DIAL_NO_NAME);
	assert_string_equal(fake_dns_asked(lab.dns), "AAAA single A single ");
	lab_close(&lab);
}

static void gives_up_on_silent_servers(void **state)
{
	struct resolver_options o = { .timeout_ns = 100 * MS };
	struct lab lab;
	int64_t start = clock_mono_ns();

	(void)state;
	lab_open_with(&lab, plain_rules, &o);
	assert_int_equal(lab_dial(&lab, "silent.test", 443), DIAL_DNS_FAILED);
	assert_in_range(clock_mono_ns() - start, 100 * MS, 5000 * MS);
	/* The time-out of the dial is told in the same words. */
	assert_int_equal(lab_dial_for(&lab, "silent.test", 443, 50 * MS), DIAL_DNS_FAILED);
	assert_string_equal(lab.detail, "no name server answered in time");
	lab_close(&lab);
}

static void goes_on_to_the_next_server_when_the_first_is_dead(void **state)
{
	char dead[64];
	struct resolver_options o = { .dns_servers = dead };
	struct lab lab;

	(void)state;
	snprintf(dead, sizeof(dead), "127.0.0.1:%u", dead_port());
	lab_open_with(&lab, plain_rules, &o);
	assert_int_equal(lab_dial(&lab, "four.test", dead_port()), DIAL_REFUSED);
	assert_string_equal(lab.allowed, "127.0.0.1 ");
	lab_close(&lab);
}

static void a_server_that_cannot_even_be_asked_is_told_later_too(void **state)
{
	/* Nobody may send to the broadcast address: c-ares answers from inside the question. */
	struct resolver_options o = { .dns_servers = "255.255.255.255:53" };
	struct lab lab;
	struct resolver *r = NULL;

	(void)state;
	lab_open(&lab, no_rules);
	assert_int_equal(resolver_new(lab.loop, &o, &r, NULL), 0);
	resolver_free(lab.resolver);
	lab.resolver = r;
	assert_int_equal(lab_dial(&lab, "four.test", 443), DIAL_DNS_FAILED);
	lab_close(&lab);
}

static void refuses_servers_that_are_no_addresses(void **state)
{
	struct resolver_options o = { .dns_servers = "name.example" };
	struct resolver *r = NULL;
	struct loop *l = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(resolver_new(l, &o, &r, &e), -1);
	assert_int_equal(e.code, ERR_DNS);
	loop_free(l);
}

/* Happy eyeballs */

static const struct fake_dns_rule race_rules[] = {
	{ .name = "both.test", .family = ADDR_IP4, .addrs = { "127.0.0.3" }, .ttl_s = 5 },
	{ .name = "both.test", .family = ADDR_IP6, .addrs = { "::1" }, .ttl_s = 5 },
	{ .name = "late6.test", .family = ADDR_IP4, .addrs = { "127.0.0.3" }, .ttl_s = 5 },
	{ .name = "late6.test",
	  .family = ADDR_IP6,
	  .addrs = { "::1" },
	  .ttl_s = 5,
	  .delay_ns = 10 * MS },
	{ .name = "no6.test", .family = ADDR_IP4, .addrs = { "127.0.0.3" }, .ttl_s = 5 },
	{ .name = "no6.test", .family = ADDR_IP6, .manner = FAKE_DNS_SILENT },
	{ .name = "fast6.test",
	  .family = ADDR_IP4,
	  .addrs = { "127.0.0.3" },
	  .ttl_s = 5,
	  .delay_ns = 40 * MS },
	{ .name = "fast6.test", .family = ADDR_IP6, .addrs = { "::1" }, .ttl_s = 5 },
	{ .name = "mixed.test",
	  .family = ADDR_IP4,
	  .addrs = { "127.0.0.3", "127.0.0.4", "127.0.0.5" },
	  .ttl_s = 5 },
	{ .name = "mixed.test", .family = ADDR_IP6, .addrs = { "::1", "::1" }, .ttl_s = 5 },
	{ .name = "hole.test",
	  .family = ADDR_IP4,
	  .addrs = { "127.0.0.2", "127.0.0.3" },
	  .ttl_s = 5 },
	{ .name = "hole.test", .family = ADDR_IP6 },
	{ 0 },
};

static void prefers_ip6_when_both_answer(void **state)
{
	struct lab lab;
	int four = listen_on("127.0.0.3", 0, 0), six = listen_on("::1", port_of(four), 0);

	(void)state;
	if (six < 0) {
		sock_close(&four);
		skip();
	}
	lab_open(&lab, race_rules);
	assert_int_equal(lab_dial(&lab, "both.test", port_of(four)), DIAL_OK);
	assert_string_equal(lab.allowed, "::1 ");
	/* From memory too. */
	assert_int_equal(lab_dial(&lab, "both.test", port_of(four)), DIAL_OK);
	assert_string_equal(lab.allowed, "::1 ");
	/* IPv6 a little late: worth waiting for (RFC 8305, 3). */
	assert_int_equal(lab_dial(&lab, "late6.test", port_of(four)), DIAL_OK);
	assert_string_equal(lab.allowed, "::1 ");
	/* IPv6 first: it does not wait. */
	assert_int_equal(lab_dial(&lab, "fast6.test", port_of(four)), DIAL_OK);
	assert_string_equal(lab.allowed, "::1 ");
	sock_close(&four);
	sock_close(&six);
	lab_close(&lab);
}

static void does_not_wait_long_for_an_answer_about_ip6(void **state)
{
	struct lab lab;
	int four = listen_on("127.0.0.3", 0, 0);
	int64_t start;

	(void)state;
	lab_open(&lab, race_rules);
	start = clock_mono_ns();
	assert_int_equal(lab_dial(&lab, "no6.test", port_of(four)), DIAL_OK);
	assert_in_range(clock_mono_ns() - start, 50 * MS, 900 * MS);
	assert_string_equal(lab.allowed, "127.0.0.3 ");
	sock_close(&four);
	lab_close(&lab);
}

static void families_take_turns_and_failures_do_not_wait(void **state)
{
	struct lab lab;
	int64_t start;

	(void)state;
	lab_open(&lab, race_rules);
	start = clock_mono_ns();
	assert_int_equal(lab_dial(&lab, "mixed.test", dead_port()), DIAL_REFUSED);
	assert_string_equal(lab.allowed, "::1 127.0.0.3 ::1 127.0.0.4 127.0.0.5 ");
	assert_true(clock_mono_ns() - start < 240 * MS);
	lab_close(&lab);
}

static void a_silent_address_is_overtaken_and_closed(void **state)
{
	struct lab lab;
	struct black_hole hole;
	int four = listen_on("127.0.0.3", 0, 0);
	size_t before;
	int64_t start;

	(void)state;
	black_hole_open(&hole, "127.0.0.2", port_of(four));
	lab_open(&lab, race_rules);
	assert_int_equal(lab_dial(&lab, "nowhere.test", 1), DIAL_NO_NAME);
	before = open_descriptors();
	start = clock_mono_ns();
	assert_int_equal(lab_dial(&lab, "hole.test", port_of(four)), DIAL_OK);
	assert_in_range(clock_mono_ns() - start, 250 * MS, 5000 * MS);
	assert_string_equal(tried_text(&lab), "127.0.0.3");
	assert_string_equal(lab.allowed, "127.0.0.2 127.0.0.3 ");
	assert_string_equal(lab.detail, "");
	sock_close(&lab.fd);
	assert_int_equal(open_descriptors(), before);
	black_hole_close(&hole);
	sock_close(&four);
	lab_close(&lab);
}

static void silent_ip6_is_overtaken_by_ip4(void **state)
{
	struct lab lab;
	struct black_hole hole;
	int four = listen_on("127.0.0.3", 0, 0);

	(void)state;
	if (!has_ip6()) {
		sock_close(&four);
		skip();
	}
	black_hole_open(&hole, "::1", port_of(four));
	lab_open(&lab, race_rules);
	assert_int_equal(lab_dial(&lab, "both.test", port_of(four)), DIAL_OK);
	assert_string_equal(lab.allowed, "::1 127.0.0.3 ");
	assert_string_equal(tried_text(&lab), "127.0.0.3");
	black_hole_close(&hole);
	sock_close(&four);
	lab_close(&lab);
}

static void a_refused_address_is_passed_over(void **state)
{
	struct lab lab;
	int four = listen_on("127.0.0.3", 0, 0);

	(void)state;
	lab_open(&lab, race_rules);
	assert_true(addr_parse_ip(bytes_str("::1"), 0, &lab.denied[lab.denied_count++]));
	assert_int_equal(lab_dial(&lab, "both.test", port_of(four)), DIAL_OK);
	assert_string_equal(lab.allowed, "::1 127.0.0.3 ");
	assert_string_equal(tried_text(&lab), "127.0.0.3");
	assert_string_equal(lab.detail, ""); /* what failed on the way is not told */
	sock_close(&four);
	lab_close(&lab);
}

/* Ends before the end */

static void on_never(void *ctx, enum dial_result r, int fd, const struct addr *tried,
		     struct bytes detail)
{
	(void)ctx;
	(void)r;
	(void)fd;
	(void)tried;
	(void)detail;
	fail_msg("called after dial_cancel");
}

static void a_cancelled_dial_is_silent(void **state)
{
	static const char *const hosts[] = { "127.0.0.2",   "127.0.0.1", "four.test",
					     "silent.test", "localhost", "not a name" };
	struct lab lab;
	struct black_hole hole;

	(void)state;
	black_hole_open(&hole, "127.0.0.2", 0);
	lab_open(&lab, plain_rules);
	for (size_t i = 0; i < ARRAY_LEN(hosts) * 2; i++) {
		struct dial_options o = { .resolver = lab.resolver,
					  .host = bytes_str(hosts[i / 2]),
					  .port = port_of(hole.listener),
					  .done = on_never };
		struct dial *d = NULL;

		assert_int_equal(dial_start(lab.loop, &o, &d, NULL), 0);
		if (i % 2 && (i / 2 == 0 || i / 2 == 3))
			run_for(lab.loop, 10 * MS); /* those stay under way */
		dial_cancel(d);
		run_for(lab.loop, 10 * MS);
	}
	dial_cancel(NULL);
	black_hole_close(&hole);
	lab_close(&lab);
}

/* Cancels the question from inside its first answer. */
struct canceller {
	struct loop *loop;
	struct resolve *question;
	unsigned answers;
	unsigned cancel_at;
};

static void on_answer(void *ctx, const struct resolve_answer *a)
{
	struct canceller *c = ctx;

	(void)a;
	if (++c->answers == c->cancel_at)
		resolve_cancel(c->question);
	if (c->answers == 2)
		loop_stop(c->loop);
}

static void ask(struct lab *lab, const char *name, struct canceller *c)
{
	struct resolve_options o = { .name = bytes_str(name), .fn = on_answer, .ctx = c };

	assert_int_equal(resolve_start(lab->resolver, &o, &c->question, NULL), 0);
}

static void a_question_may_be_cancelled_inside_its_answer(void **state)
{
	static const char *const names[] = { "localhost", "four.test" };
	struct lab lab;

	(void)state;
	lab_open(&lab, plain_rules);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct canceller c = { .loop = lab.loop, .cancel_at = 1 };

		ask(&lab, names[i], &c);
		run_for(lab.loop, 50 * MS);
		assert_int_equal(c.answers, 1);
	}
	lab_close(&lab);
}

static void answers_come_exactly_twice(void **state)
{
	static const char *const names[] = { "localhost", "four.test", "nowhere.test", "?",
					     "fail.test" };
	struct lab lab;

	(void)state;
	lab_open(&lab, plain_rules);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct canceller c = { .loop = lab.loop };

		ask(&lab, names[i], &c);
		assert_int_equal(c.answers, 0);
		loop_run(lab.loop);
		assert_int_equal(c.answers, 2);
	}
	lab_close(&lab);
}

static void the_resolver_may_go_before_its_questions(void **state)
{
	struct lab lab;
	struct dial *waits, *told;

	(void)state;
	lab_open(&lab, plain_rules);
	assert_int_equal(lab_start(&lab, "silent.test", 443, 0, &waits), 0);
	assert_int_equal(lab_start(&lab, "silent.test", 443, 50 * MS, &told), 0);
	lab.wanted = 1;
	run_for(lab.loop, 5 * MS);
	resolver_free(STEAL(lab.resolver));
	loop_run(lab.loop);
	assert_int_equal(lab.ended, 1); /* by its own time-out */
	assert_int_equal(lab.result, DIAL_DNS_FAILED);
	dial_cancel(waits);
	lab_close(&lab);
}

static void every_allocation_may_fail(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "four.test", "both.test" };
	int listener = listen_on("127.0.0.1", 0, 0);

	(void)state;
	for (size_t n = 1; n < 40; n++) {
		struct resolver *r = NULL;
		struct dial *d = NULL;
		struct lab lab;
		int status;

		lab_open_with(&lab, plain_rules, &with_tables);
		mem_fail_at(n);
		status = resolver_new(lab.loop, &with_tables, &r, NULL);
		mem_fail_at(0);
		if (status == 0)
			resolver_free(r);
		mem_fail_at(n);
		status = lab_start(&lab, hosts[n % 3], port_of(listener), 2000 * MS, &d);
		mem_fail_at(0);
		if (status == 0)
			loop_run(lab.loop);
		lab_close(&lab);
	}
	sock_close(&listener);
}

static void every_result_has_its_words(void **state)
{
	(void)state;
	for (enum dial_result r = DIAL_OK; r <= DIAL_FAULT; r++)
		assert_string_not_equal(dial_result_text(r), "unknown");
	assert_string_equal(dial_result_text((enum dial_result)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dials_a_literal_address_without_asking_anybody),
		cmocka_unit_test(tells_that_the_connection_was_refused),
		cmocka_unit_test(tells_that_nobody_answers_in_time),
		cmocka_unit_test(asks_before_each_address_and_tells_that_all_were_refused),
		cmocka_unit_test(our_hosts_come_before_those_of_the_file_and_both_before_dns),
		cmocka_unit_test(new_hosts_take_the_place_of_the_old),
		cmocka_unit_test(localhost_is_always_loopback),
		cmocka_unit_test(what_is_no_name_is_never_asked_for),
		cmocka_unit_test(asks_dns_once_and_remembers),
		cmocka_unit_test(an_answer_without_a_life_is_not_remembered),
		cmocka_unit_test(an_answer_is_forgotten_after_its_life),
		cmocka_unit_test(many_dials_to_one_name_share_its_questions),
		cmocka_unit_test(follows_aliases),
		cmocka_unit_test(asks_again_over_tcp_when_the_answer_was_cut_off),
		cmocka_unit_test(shows_the_check_a_mapped_address_as_what_it_is),
		cmocka_unit_test(tells_names_that_do_not_exist_from_servers_that_fail),
		cmocka_unit_test(never_tries_search_domains),
		cmocka_unit_test(gives_up_on_silent_servers),
		cmocka_unit_test(goes_on_to_the_next_server_when_the_first_is_dead),
		cmocka_unit_test(a_server_that_cannot_even_be_asked_is_told_later_too),
		cmocka_unit_test(refuses_servers_that_are_no_addresses),
		cmocka_unit_test(prefers_ip6_when_both_answer),
		cmocka_unit_test(does_not_wait_long_for_an_answer_about_ip6),
		cmocka_unit_test(families_take_turns_and_failures_do_not_wait),
		cmocka_unit_test(a_silent_address_is_overtaken_and_closed),
		cmocka_unit_test(silent_ip6_is_overtaken_by_ip4),
		cmocka_unit_test(a_refused_address_is_passed_over),
		cmocka_unit_test(a_cancelled_dial_is_silent),
		cmocka_unit_test(a_question_may_be_cancelled_inside_its_answer),
		cmocka_unit_test(answers_come_exactly_twice),
		cmocka_unit_test(the_resolver_may_go_before_its_questions),
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(every_result_has_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
