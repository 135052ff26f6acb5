#include "flow/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static struct buf out = { .max = 1 << 18 };

static void emit(struct metrics *m, struct event ev)
{
	struct event_sink sink = metrics_sink(m);

	assert_true(sink.mask & EV_BIT(ev.type));
	sink.on_event(sink.ctx, &ev);
}

static void write_all(const struct metrics *a, const struct metrics *b)
{
	const struct metrics *const all[] = { a, b };

	buf_clear(&out);
	assert_int_equal(metrics_write(&out, all, b ? 2 : 1, "1.2\"3\\4\n5", NULL), 0);
	assert_int_equal(buf_add(&out, bytes_of("", 1), NULL), 0);
}

static void assert_line(const char *line)
{
	const char *at = strstr((const char *)out.p, line);

	if (!at || (at > (const char *)out.p && at[-1] != '\n') || at[strlen(line)] != '\n')
		fail_msg("no line \"%s\"", line);
}

static void play(struct metrics *m)
{
	struct event open = { .type = EV_FLOW_OPEN, .u.flow_open.way = WAY_SOCKS5 };
	struct event done = { .type = EV_HANDSHAKE_DONE, .leg = LEG_SERVER };
	struct event chain = { .type = EV_CERT_CHAIN, .u.cert_chain.verdict = CHAIN_EXPIRED };
	struct event head = { .type = EV_MESSAGE_HEAD, .dir = DIR_DOWN };
	struct event end = { .type = EV_FLOW_END };

	emit(m, open);
	emit(m, open);
	done.u.handshake_done.version = 0x0304;
	emit(m, done);
	done.u.handshake_done.resumed = true;
	done.leg = LEG_CLIENT;
	done.u.handshake_done.version = 0x0303;
	emit(m, done);
	emit(m, chain);
	head.u.message_head = (struct ev_message_head){ .proto = PROTO_HTTP2, .status = 404 };
	emit(m, head);
	head.u.message_head.interim = true;
	emit(m, head);
	head.dir = DIR_UP;
	head.u.message_head.interim = false;
	emit(m, head);
	end.u.flow_end = (struct ev_flow_end){ .action = ACTION_BUMP,
					       .failed = true,
					       .failure = "upstream-alert",
					       .side = LEG_SERVER,
					       .bytes_up = 10,
					       .bytes_down = 100 };
	emit(m, end);
}

static void events_are_counted_and_threads_added_up(void **state)
{
	static struct metrics a, b;

	(void)state;
	play(&a);
	play(&b);
	metric_add(&b, METRIC_MINT_OK, 3);
	write_all(&a, &b);
	assert_line("oriel_open_flows 2");
	assert_line("oriel_connections_opened_total{way=\"socks5\"} 4");
	assert_line("oriel_connections_total{action=\"bump\",result=\"failed\"} 2");
	assert_line("oriel_connections_total{action=\"bump\",result=\"ok\"} 0");
	assert_line("oriel_failures_total{reason=\"upstream-alert\",side=\"server\"} 2");
	assert_line("oriel_failures_total{reason=\"dns\",side=\"client\"} 0");
	assert_line(
		"oriel_handshakes_total{side=\"server\",version=\"TLS 1.3\",result=\"full\"} 2");
	assert_line(
		"oriel_handshakes_total{side=\"client\",version=\"TLS 1.2\",result=\"resumed\"} 2");
	assert_line("oriel_handshakes_total{side=\"server\",version=\"none\",result=\"failed\"} 2");
	assert_line("oriel_handshakes_total{side=\"client\",version=\"none\",result=\"failed\"} 0");
	assert_line("oriel_verdicts_total{verdict=\"expired\"} 2");
	assert_line("oriel_responses_total{proto=\"http2\",class=\"4xx\"} 2");
	assert_line("oriel_responses_total{proto=\"http2\",class=\"none\"} 0");
	assert_line("oriel_bytes_total{direction=\"down\"} 200");
	assert_line("oriel_mints_total{result=\"ok\"} 3");
	assert_line("oriel_build_info{version=\"1.2\\\"3\\\\4\\n5\"} 1");
}

static void histograms_are_cumulative_and_in_seconds(void **state)
{
	static struct metrics m;

	(void)state;
	metric_observe(&m, HIST_MINT, 100000); /* exactly 100 us */
	metric_observe(&m, HIST_MINT, 100001);
	metric_observe(&m, HIST_MINT, -1);
	metric_observe(&m, HIST_MINT, 11000000000); /* beyond the last */
	write_all(&m, NULL);
	assert_line("oriel_mint_duration_seconds_bucket{le=\"0.0001\"} 2");
	assert_line("oriel_mint_duration_seconds_bucket{le=\"0.00025\"} 3");
	assert_line("oriel_mint_duration_seconds_bucket{le=\"10\"} 3");
	assert_line("oriel_mint_duration_seconds_bucket{le=\"+Inf\"} 4");
	assert_line("oriel_mint_duration_seconds_sum 11.000200001");
	assert_line("oriel_mint_duration_seconds_count 4");
	assert_line("oriel_handshake_duration_seconds_bucket{side=\"client\",le=\"0.5\"} 0");
	assert_line("oriel_handshake_duration_seconds_sum{side=\"server\"} 0.000000000");
}

/* The rules of the text format 0.0.4: each name has its HELP and TYPE once, before its values, and
 * its values stand together; a line of values is name, labels, number; the last line ends. */
static void the_text_keeps_the_rules_of_the_format(void **state)
{
	static struct metrics m;
	char current[100] = "", line[400];
	char seen[4000] = "\n";
	struct bytes rest;

	(void)state;
	write_all(&m, NULL);
	rest = bytes_of(out.p, out.n - 1);
	assert_int_equal(rest.p[rest.n - 1], '\n');
	while (rest.n) {
		size_t n = bytes_index(rest, '\n');
		char key[110], *value;

		assert_true(n < sizeof(line));
		memcpy(line, rest.p, n);
		line[n] = 0;
		rest = bytes_slice(rest, n + 1, rest.n);
		if (strncmp(line, "# HELP ", 7) == 0) {
			size_t len = strcspn(line + 7, " ");

			snprintf(current, sizeof(current), "%.*s", (int)len, line + 7);
			snprintf(key, sizeof(key), "\n%s\n", current);
			assert_null(strstr(seen, key));
			assert_true(strlen(seen) + strlen(key) < sizeof(seen));
			memcpy(seen + strlen(seen), key + 1, strlen(key));
			assert_true(strlen(line) > 7 + len + 1);
			continue;
		}
		if (line[0] == '#') {
			snprintf(key, sizeof(key), "# TYPE %s ", current);
			assert_int_equal(strncmp(line, key, strlen(key)), 0);
			continue;
		}
		assert_int_equal(strncmp(line, current, strlen(current)), 0);
		value = strrchr(line, ' ');
		assert_non_null(value);
		strtod(value + 1, &value);
		assert_int_equal(*value, 0);
	}
}

static void a_full_buffer_or_missing_memory_fails_and_writes_nothing(void **state)
{
	static struct metrics m;
	const struct metrics *const all[] = { &m };
	AUTO(buf_fini) struct buf small = buf_init(5000);
	AUTO(buf_fini) struct buf large = buf_init(1 << 20);
	struct err e;

	(void)state;
	assert_int_equal(metrics_write(&small, all, 1, "1", &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(small.n, 0);
	for (size_t i = 1; i < 5; i++) {
		mem_fail_at(i);
		assert_int_equal(metrics_write(&large, all, 1, "1", &e), -1);
		mem_fail_at(0);
		assert_int_equal(e.code, ERR_NOMEM);
		assert_int_equal(large.n, 0);
		buf_fini(&large);
	}
}

static int finish(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_counted_and_threads_added_up),
		cmocka_unit_test(histograms_are_cumulative_and_in_seconds),
		cmocka_unit_test(the_text_keeps_the_rules_of_the_format),
		cmocka_unit_test(a_full_buffer_or_missing_memory_fails_and_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
