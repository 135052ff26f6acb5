/* usage: observe_test FIXTURES [write]
 * FIXTURES holds what real peers said (NAME.rec, by record.py) and what must come of it (NAME.txt).
 * With "write" the .txt files are written anew, for a person to read before they are kept. */
#include "flow/observe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rd.h"
#include "flow/watch.h"
#include "http/message.h"

#define TEXT_MAX (16u << 20)

static const char *fixtures;
static bool write_anew;

static struct observe *observe_on(struct watch *w, const char *alpn)
{
	struct observe_options options = {
		.bus = &w->bus,
		.flow = 7,
		.leg = LEG_SERVER,
		.alpn = bytes_str(alpn),
		.scheme = bytes_str("https"),
		.authority = bytes_str("hint.test"),
	};
	struct observe *o;

	assert_int_equal(observe_new(&options, &o, NULL), 0);
	return o;
}

static void feed_cut(struct observe *o, enum flow_dir dir, struct bytes in, size_t step)
{
	while (in.n) {
		struct bytes piece = bytes_slice(in, 0, step);
		uint8_t *copy = malloc(piece.n);

		memcpy(copy, piece.p, piece.n);
		observe_feed(o, dir, bytes_of(copy, piece.n), 1000, 10);
		free(copy);
		in = bytes_slice(in, piece.n, in.n);
	}
}

struct act {
	enum flow_dir dir;
	struct bytes bytes;
};

#define UP(s)                                                                                      \
	{                                                                                          \
		DIR_UP,                                                                            \
		{                                                                                  \
			(const uint8_t *)(s), sizeof(s) - 1                                        \
		}                                                                                  \
	}
#define DOWN(s)                                                                                    \
	{                                                                                          \
		DIR_DOWN,                                                                          \
		{                                                                                  \
			(const uint8_t *)(s), sizeof(s) - 1                                        \
		}                                                                                  \
	}

static void play(struct watch *w, struct observe *o, const struct act *acts, size_t count,
		 size_t step)
{
	for (size_t i = 0; i < count; i++)
		feed_cut(o, acts[i].dir, acts[i].bytes, step);
	observe_end(o, DIR_UP, true, 1000, 10);
	observe_end(o, DIR_DOWN, true, 1000, 10);
	watch_outcome(w, o);
	observe_free(o);
}

static void expect_of(const char *alpn, const struct act *acts, size_t count, const char *expected)
{
	static const size_t steps[] = { SIZE_MAX, 1, 2, 5, 13 };

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct watch w;

		watch_init(&w, EV_ALL);
		play(&w, observe_on(&w, alpn), acts, count, steps[i]);
		assert_string_equal(watch_text(&w), expected);
		watch_fini(&w);
	}
}
#define EXPECT(alpn, acts, text) expect_of(alpn, acts, ARRAY_LEN(acts), text)

static void fills_in_what_a_request_does_not_say(void **state)
{
	static const struct act acts[] = {
		UP("GET /1 HTTP/1.1\r\n\r\nGET http://b.test/2 HTTP/1.1\r\nHost: c\r\n\r\n"
		   "GET /3 HTTP/1.1\r\nHost: d\r\n\r\n"),
	};

	(void)state;
	EXPECT("http/1.1", acts,
	       "up 1 http1 GET https://hint.test /1 1.1\nup 1 end 0\n"
	       "up 2 http1 GET http://b.test /2 1.1\n  Host: c\nup 2 end 0\n"
	       "up 3 http1 GET https://d /3 1.1\n  Host: d\nup 3 end 0\n"
	       "http1\n");
}

static void takes_for_bytes_what_is_no_http(void **state)
{
	static const struct act mail[] = {
		DOWN("220 mail.test\r\n"),
		UP("EHLO me\r\n"),
		DOWN("250 ok\r\n"),
	};
	static const struct act capitals[] = { UP("EHLO me\r\n"), DOWN("250 ok\r\n") };
	static const struct act shell[] = { UP("SSH-2.0-x\r\n"), DOWN("SSH-2.0-y\r\n") };
	static const struct act crumbs[] = { UP("GE") };

	(void)state;
	EXPECT("", mail,
	       "down 0 bytes body 15 \"220 mail.test\\x0d\\x0a\"\n"
	       "up 0 bytes body 9 \"EHLO me\\x0d\\x0a\"\n"
	       "down 0 bytes body 8 \"250 ok\\x0d\\x0a\"\nbytes\n");
	EXPECT("", capitals,
	       "up 0 bytes body 9 \"EHLO me\\x0d\\x0a\"\n"
	       "down 0 bytes body 8 \"250 ok\\x0d\\x0a\"\nbytes\n");
	EXPECT("", shell,
	       "up 0 bytes body 11 \"SSH-2.0-x\\x0d\\x0a\"\n"
	       "down 0 bytes body 11 \"SSH-2.0-y\\x0d\\x0a\"\nbytes\n");
	EXPECT("", crumbs, "up 0 bytes body 2 \"GE\"\nbytes\n");
	EXPECT("imap", crumbs, "up 0 bytes body 2 \"GE\"\nbytes\n");
}

static void lives_on_as_bytes_when_http_breaks_off(void **state)
{
	static const struct act acts[] = {
		UP("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"),
		DOWN("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
		UP("\x16\x03\x01 no HTTP"),
		DOWN("def"),
		UP("more"),
	};

	(void)state;
	EXPECT("", acts,
	       "up 1 http1 GET https://a /1 1.1\n  Host: a\nup 1 end 0\n"
	       "down 1 http1 200 OK 1.1\n  Content-Length: 9\n"
	       "down 1 http1 body 3 \"abc\"\n"
	       "down 1 end 3 truncated\n"
	       "up 0 bytes body 11 \"\\x16\\x03\\x01 no HTTP\"\n"
	       "down 0 bytes body 3 \"def\"\n"
	       "up 0 bytes body 4 \"more\"\n"
	       "bytes, because HTTP/1.1 request: Invalid method encountered\n");
}

static void says_why_http2_cannot_be_followed(void **state)
{
	static const struct act acts[] = {
		UP("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"),
		UP("\0\0\1\0\0\0\0\0\0"),
		DOWN("abc"),
	};
	static const struct act alpn[] = { UP("G"), UP("ET /") };

	(void)state;
	EXPECT("", acts, "down 0 bytes body 3 \"abc\"\nbytes, because HTTP/2: DATA on stream 0\n");
	EXPECT("h2", alpn,
	       "up 0 bytes body 4 \"ET /\"\n"
	       "bytes, because HTTP/2: the client does not begin with the preface\n");
	EXPECT("grpc-exp", alpn,
	       "up 0 bytes body 4 \"ET /\"\n"
	       "bytes, because HTTP/2: the client does not begin with the preface\n");
}

static void finds_http2_when_the_server_speaks_first(void **state)
{
	static const struct act acts[] = {
		DOWN("\0\0\0\4\0\0\0\0\0"),
		UP("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
		   "\0\0\4\1\5\0\0\0\1\x82\x84\x86\x41"),
	};
	static const struct act zeros[] = { DOWN("\0\0\0\1\0\0\0\0\0") };

	(void)state;
	/* The last header is cut off: a fault, but of HTTP/2. */
	EXPECT("", acts, "bytes, because HTTP/2: a header block that is no HPACK\n");
	EXPECT("", zeros,
	       "down 0 bytes body 9 \"\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\"\n"
	       "bytes\n");
}

static void ends_an_answer_that_leads_away_from_http(void **state)
{
	static const struct act upgrade[] = {
		UP("GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n"),
		DOWN("HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\nbar"),
		UP("GET is no request here"),
	};
	static const struct act connect[] = {
		UP("CONNECT b.test:5 HTTP/1.1\r\n\r\n"),
		DOWN("HTTP/1.1 200 OK\r\n\r\n"),
		DOWN("x"),
	};

	(void)state;
	EXPECT("", upgrade,
	       "up 1 http1 GET https://hint.test / 1.1\n"
	       "  Connection: upgrade\n  Upgrade: foo\nup 1 end 0\n"
	       "down 1 http1 101 Yes 1.1\n  Connection: upgrade\n  Upgrade: foo\ndown 1 end 0\n"
	       "down 0 bytes body 3 \"bar\"\n"
	       "up 0 bytes body 22 \"GET is no request here\"\nbytes\n");
	EXPECT("", connect,
	       "up 1 http1 CONNECT https://b.test:5  1.1\nup 1 end 0\n"
	       "down 1 http1 200 OK 1.1\ndown 1 end 0\n"
	       "down 0 bytes body 1 \"x\"\nbytes\n");
}

static void reads_an_answer_to_nothing(void **state)
{
	static const struct act acts[] = {
		DOWN("HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n"),
	};
	static const struct act other[] = { DOWN("HTTP/2 is not spoken so"), UP("x") };

	(void)state;
	EXPECT("", acts, "down 1 http1 408 Late 1.1\n  Content-Length: 0\ndown 1 end 0\nhttp1\n");
	EXPECT("", other,
	       "down 0 bytes body 23 \"HTTP/2 is not spoken so\"\n"
	       "up 0 bytes body 1 \"x\"\nbytes\n");
}

/* What a rewriter needs to know, which waits after an Upgrade. */
static void says_whether_an_upgrade_was_decided(void **state)
{
	static const char ask[] = "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n";
	struct watch w;
	struct observe *o;

	(void)state;
	watch_init(&w, EV_HEADS);
	o = observe_on(&w, "");
	assert_int_equal(observe_waiting(o), 0);
	feed_cut(o, DIR_UP, bytes_str(ask), SIZE_MAX);
	assert_int_equal(observe_waiting(o), 1);
	feed_cut(o, DIR_DOWN, bytes_str("HTTP/1.1 103 Hint\r\n\r\nHTTP/1.1 200"), SIZE_MAX);
	assert_int_equal(observe_waiting(o), 1);
	feed_cut(o, DIR_DOWN, bytes_str(" OK\r\nContent-Length: 0\r\n\r\n"), SIZE_MAX);
	assert_int_equal(observe_waiting(o), 0);
	assert_int_equal(observe_proto(o), PROTO_HTTP1);
	feed_cut(o, DIR_UP, bytes_str(ask), SIZE_MAX);
	feed_cut(o, DIR_DOWN,
		 bytes_str("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n"),
		 SIZE_MAX);
	assert_int_equal(observe_waiting(o), 0);
	assert_int_equal(observe_proto(o), PROTO_BYTES);
	observe_free(o);
	watch_fini(&w);
}

/* Whether it is idle after all of it, having been busy after each of its bytes but the last. */
static bool idle_after(struct observe *o, const struct act *acts, size_t count)
{
	assert_true(observe_idle(o));
	for (size_t i = 0; i < count; i++) {
		for (size_t at = 0; at < acts[i].bytes.n; at++) {
			assert_true((i == 0 && at == 0) || !observe_idle(o));
			observe_feed(o, acts[i].dir, bytes_slice(acts[i].bytes, at, 1), 1000, 10);
		}
	}
	return observe_idle(o);
}

static void is_idle_between_exchanges_and_never_within_one(void **state)
{
	static const struct act http1[] = {
		UP("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"),
		DOWN("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\ncd"),
	};
	static const struct act until_its_end[] = {
		UP("GET / HTTP/1.1\r\n\r\n"),
		DOWN("HTTP/1.1 200 OK\r\n\r\nno end"),
	};
	static const struct act other[] = { UP("\1\2"), DOWN("\3\4") };
	const struct {
		const char *alpn;
		const struct act *acts;
		size_t count;
		bool idle;
	} rows[] = {
		{ "http/1.1", http1, ARRAY_LEN(http1), true },
		{ "", http1, ARRAY_LEN(http1), true },
		{ "http/1.1", until_its_end, ARRAY_LEN(until_its_end), false },
		{ "", other, ARRAY_LEN(other), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct watch w;
		struct observe *o;

		watch_init(&w, EV_ALL);
		o = observe_on(&w, rows[i].alpn);
		assert_int_equal(idle_after(o, rows[i].acts, rows[i].count), rows[i].idle);
		observe_free(o);
		watch_fini(&w);
	}
}

static void is_idle_when_no_stream_is_open(void **state)
{
	static const struct act begin = UP("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0");
	static const struct act ask = UP("\0\0\3\1\5\0\0\0\1\x82\x87\x84");
	static const struct act answer = DOWN("\0\0\0\4\0\0\0\0\0\0\0\1\1\5\0\0\0\1\x88");
	struct watch w;
	struct observe *o;

	(void)state;
	watch_init(&w, EV_ALL);
	o = observe_on(&w, "h2");
	assert_true(observe_idle(o));
	feed_cut(o, begin.dir, begin.bytes, SIZE_MAX);
	assert_true(observe_idle(o));
	feed_cut(o, ask.dir, ask.bytes, SIZE_MAX);
	assert_false(observe_idle(o));
	feed_cut(o, answer.dir, answer.bytes, SIZE_MAX);
	assert_true(observe_idle(o));
	observe_free(o);
	/* What is neither HTTP/1.1 nor HTTP/2 may wait for something at any time. */
	o = observe_on(&w, "imap");
	assert_false(observe_idle(o));
	observe_free(o);
	watch_fini(&w);
}

static void reports_what_is_odd(void **state)
{
	static const struct act acts[] = {
		UP("GET / HTTP/1.1\r\nA: 1\n b\r\nC: d\nE: f\r\n\r\n"),
		DOWN("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
		     "0\r\n\r\n"),
	};
	struct watch w;
	struct observe *o;

	(void)state;
	watch_init(&w, EV_ALL);
	o = observe_on(&w, "");
	feed_cut(o, acts[0].dir, acts[0].bytes, SIZE_MAX);
	assert_int_equal(observe_odd(o), HTTP_ODD_FOLD | HTTP_ODD_BARE_LF);
	feed_cut(o, acts[1].dir, acts[1].bytes, SIZE_MAX);
	assert_int_equal(observe_odd(o),
			 HTTP_ODD_FOLD | HTTP_ODD_BARE_LF | HTTP_ODD_LENGTH_AND_CODING);
	assert_null(observe_fault(o));
	assert_int_equal(observe_bytes(o, DIR_UP), acts[0].bytes.n);
	assert_int_equal(observe_bytes(o, DIR_DOWN), acts[1].bytes.n);
	assert_null(http_odd_text(0));
	observe_free(o);
	watch_fini(&w);
}

/* Fed in two pieces; *n: how much of the last piece was left. */
static bool tunnel_after(const char *up, const char *down, size_t *n)
{
	struct watch w;
	struct observe_options options = {
		.bus = &w.bus, .flow = 7, .leg = LEG_SERVER, .tunnels = true
	};
	struct observe *o;
	struct bytes rest;
	bool is;

	watch_init(&w, EV_ALL);
	assert_int_equal(observe_new(&options, &o, NULL), 0);
	observe_feed(o, DIR_UP, bytes_str(up), 1000, 10);
	observe_feed(o, DIR_DOWN, bytes_str(down), 1000, 10);
	is = observe_tunnel(o, &rest);
	*n = rest.n;
	if (is) {
		assert_null(strstr(watch_text(&w), "bytes"));
		observe_feed(o, DIR_UP, bytes_str("more"), 1000, 10);
		assert_null(strstr(watch_text(&w), "more"));
		assert_true(observe_tunnel(o, &rest));
		assert_int_equal(rest.n, 4);
	}
	observe_free(o);
	watch_fini(&w);
	return is;
}

static void leaves_the_bytes_of_a_tunnel_alone(void **state)
{
	size_t n;

	(void)state;
	assert_true(tunnel_after("CONNECT a:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", &n));
	assert_int_equal(n, 0);
	assert_true(
		tunnel_after("CONNECT a:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nSSH-2", &n));
	assert_int_equal(n, 5);
	assert_true(tunnel_after("OPTIONS * HTTP/1.1\r\nUpgrade: TLS/1.0\r\n"
				 "Connection: Upgrade\r\n\r\n",
				 "HTTP/1.1 101 Go\r\nUpgrade: TLS/1.0, HTTP/1.1\r\n\r\n", &n));
	assert_false(tunnel_after("CONNECT a:443 HTTP/1.1\r\n\r\n",
				  "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", &n));
	assert_false(tunnel_after("GET / HTTP/1.1\r\nConnection: Upgrade\r\n"
				  "Upgrade: websocket\r\n\r\n",
				  "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n\r\n", &n));
}

static void numbers_exchanges_from_where_it_is_told(void **state)
{
	struct watch w;
	struct observe_options options = {
		.bus = &w.bus, .flow = 7, .leg = LEG_SERVER, .streams = 4
	};
	struct observe *o;

	(void)state;
	watch_init(&w, EV_ALL);
	assert_int_equal(observe_new(&options, &o, NULL), 0);
	assert_int_equal(observe_streams(o), 4);
	observe_feed(o, DIR_UP, bytes_str("GET / HTTP/1.1\r\n\r\n"), 1000, 10);
	assert_int_equal(observe_streams(o), 5);
	assert_non_null(strstr(watch_text(&w), "up 5 http1 GET"));
	assert_non_null(strstr(watch_text(&w), "up 5 end"));
	observe_free(o);
	watch_fini(&w);
}

static void goes_on_with_http1_after_a_gap(void **state)
{
	struct watch w;
	struct observe *o;

	(void)state;
	watch_init(&w, EV_ALL);
	o = observe_on(&w, "");
	observe_feed(o, DIR_UP, bytes_str("GET /1 HTTP/1.1\r\n\r\n"), 1000, 10);
	observe_feed(o, DIR_DOWN, bytes_str("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nab"),
		     1000, 10);
	observe_gap(o, DIR_DOWN, 0, 1000, 10);
	observe_feed(o, DIR_DOWN, bytes_str("the rest of it"), 1000, 10);
	observe_feed(o, DIR_UP, bytes_str("GET /2 HTTP/1.1\r\n\r\n"), 1000, 10);
	observe_feed(o, DIR_DOWN, bytes_str("HTTP/1.1 204 None\r\n\r\n"), 1000, 10);
	observe_end(o, DIR_UP, true, 1000, 10);
	observe_end(o, DIR_DOWN, true, 1000, 10);
	watch_outcome(&w, o);
	observe_free(o);
	assert_string_equal(watch_text(&w), "up 1 http1 GET https://hint.test /1 1.1\nup 1 end 0\n"
					    "down 1 http1 200 OK 1.1\n  Content-Length: 90\n"
					    "down 1 http1 body 2 \"ab\"\ndown 1 end 2 truncated\n"
					    "up 2 http1 GET https://hint.test /2 1.1\nup 2 end 0\n"
					    "down 2 http1 204 None 1.1\ndown 2 end 0\nhttp1\n");
	watch_fini(&w);
}

/* What comes of an answer whose head and first bytes are known, n bytes missing, and then the rest. */
static void expect_torn(const char *begin, uint64_t n, const char *rest, const char *expected)
{
	struct watch w;
	struct observe *o;

	watch_init(&w, EV_ALL);
	o = observe_on(&w, "");
	observe_feed(o, DIR_UP, bytes_str("GET / HTTP/1.1\r\n\r\n"), 1000, 10);
	observe_feed(o, DIR_DOWN, bytes_str(begin), 1000, 10);
	observe_gap(o, DIR_DOWN, n, 1000, 10);
	observe_feed(o, DIR_DOWN, bytes_str(rest), 1000, 10);
	observe_feed(o, DIR_UP, bytes_str("GET / HTTP/1.1\r\n\r\n"), 1000, 10);
	observe_feed(o, DIR_DOWN, bytes_str("HTTP/1.1 204 None\r\n\r\n"), 1000, 10);
	observe_end(o, DIR_UP, true, 1000, 10);
	observe_end(o, DIR_DOWN, true, 1000, 10);
	if (!strstr(watch_text(&w), expected))
		fail_msg("%s", watch_text(&w));
	observe_free(o);
	watch_fini(&w);
}

static void a_body_goes_on_behind_a_gap(void **state)
{
	(void)state;
	expect_torn("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", 3, "6789",
		    "body 6 \"ab6789\"\ndown 1 end 9 truncated\nup 2 ");
	expect_torn("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 8, "9",
		    "body 1 \"9\"\ndown 1 end 9 truncated\nup 2 ");
	expect_torn("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab", 3,
		    "6789\r\n1\r\nx\r\n0\r\n\r\n",
		    "body 7 \"ab6789x\"\ndown 1 end 10 truncated\nup 2 ");
	expect_torn("HTTP/1.1 200 OK\r\n\r\nab", 3, "6789", "down 1 end");
	/* Into the next message, or between chunks: it cannot be known what is missing. */
	expect_torn("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", 7, "x\r\n",
		    "body 2 \"ab\"\ndown 1 end 2 truncated\nup 2 ");
	expect_torn("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", 1, "x",
		    "body 2 \"ab\"\ndown 1 end 2 truncated\nup 2 ");
}

static const char *late_text(struct watch *w, const char *alpn, const struct act *acts,
			     size_t count)
{
	struct observe_options options = {
		.bus = &w->bus, .flow = 7, .leg = LEG_SERVER, .alpn = bytes_str(alpn), .late = true
	};
	struct observe *o;

	watch_init(w, EV_ALL);
	w->no_bytes = true;
	assert_int_equal(observe_new(&options, &o, NULL), 0);
	play(w, o, acts, count, SIZE_MAX);
	return watch_text(w);
}

static void finds_http_where_a_piece_begins_with_it(void **state)
{
	static const struct act http1[] = { DOWN("end of a body\r\nHTTP/1.1 no line of one"),
					    UP("GET / HTTP/1.1\r\n\r\n"), DOWN("more of it"),
					    DOWN("HTTP/1.1 204 None\r\n\r\n") };
	static const struct act http2[] = { DOWN("\xff\xff"),
					    DOWN("\0\0\1\1\4\0\0\0\1\x88\0\0\2\0\1\0\0\0\1hi") };
	static const struct act preface[] = { UP("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
						 "\0\0\0\4\0\0\0\0\0") };
	static const struct act bytes[] = { UP("anything"), DOWN("at all") };
	struct watch w;

	(void)state;
	assert_string_equal(late_text(&w, "", http1, ARRAY_LEN(http1)),
			    "up 1 http1 GET :// / 1.1\nup 1 end 0\n"
			    "down 1 http1 204 None 1.1\ndown 1 end 0\nhttp1\n");
	watch_fini(&w);
	for (size_t i = 0; i < 2; i++) {
		assert_non_null(strstr(late_text(&w, i ? "h2" : "", http2, ARRAY_LEN(http2)),
				       "http2 body 2 \"hi\""));
		watch_fini(&w);
	}
	assert_string_equal(late_text(&w, "", preface, 1), "http2\n");
	watch_fini(&w);
	assert_string_equal(late_text(&w, "", bytes, 2), "bytes\n");
	watch_fini(&w);
}

static void goes_on_with_http2_after_a_gap(void **state)
{
	static const char settings[] = "\0\0\0\4\0\0\0\0\0";
	static const char data[] = "\0\0\1\1\4\0\0\0\1\x88\0\0\2\0\1\0\0\0\1hi";
	struct watch w;
	struct observe *o;

	(void)state;
	watch_init(&w, EV_ALL);
	o = observe_on(&w, "h2");
	observe_feed(o, DIR_DOWN, bytes_of(settings, sizeof(settings) - 1), 1000, 10);
	observe_gap(o, DIR_DOWN, 0, 1000, 10);
	observe_feed(o, DIR_DOWN, bytes_str("the rest of a frame"), 1000, 10);
	observe_feed(o, DIR_DOWN, bytes_of(data, sizeof(data) - 1), 1000, 10);
	assert_non_null(strstr(watch_text(&w), "http2 body 2 \"hi\""));
	assert_int_equal(observe_proto(o), PROTO_HTTP2);
	observe_free(o);
	watch_fini(&w);
}

static void makes_no_bodies_that_nobody_wants(void **state)
{
	static const struct act acts[] = {
		UP("PUT /1 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"),
		DOWN("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
		UP("\x01 now bytes"),
	};
	struct watch w;

	(void)state;
	watch_init(&w, EV_HEADS);
	play(&w, observe_on(&w, ""), acts, ARRAY_LEN(acts), 3);
	assert_string_equal(watch_text(&w),
			    "up 1 http1 PUT https://hint.test /1 1.1\n  Content-Length: 5\n"
			    "up 1 end 5\ndown 1 http1 200 OK 1.1\n  Content-Length: 2\n"
			    "down 1 end 2\n"
			    "bytes, because HTTP/1.1 request: Invalid method encountered\n");
	assert_int_equal(w.chunks, 0);
	watch_fini(&w);
}

static void starts_small(void **state)
{
	struct watch w;
	struct observe *o;

	(void)state;
	watch_init(&w, EV_HEADS);
	o = observe_on(&w, "h2");
	mem_fail_at(1);
	assert_int_equal(observe_proto(o), PROTO_UNKNOWN);
	observe_end(o, DIR_UP, true, 0, 0);
	observe_end(o, DIR_DOWN, false, 0, 0);
	mem_fail_at(0);
	observe_free(o);
	observe_free(NULL);
	watch_fini(&w);
}

/* Without memory the flow lives on as bytes. */
static void survives_a_lack_of_memory(void **state)
{
	static const struct act acts[] = {
		UP("GET /1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
		DOWN("HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		     "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
		UP("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"),
	};
	struct event_bus quiet = { .mask = EV_BIT(EV_BODY_CHUNK) };
	bool done = false;

	(void)state;
	for (size_t fail = 1; !done; fail++) {
		struct observe_options options = { .bus = &quiet, .flow = 1 };
		struct observe *o = NULL;

		mem_fail_at(fail);
		if (observe_new(&options, &o, NULL) == 0) {
			for (size_t i = 0; i < ARRAY_LEN(acts); i++)
				for (size_t j = 0; j < acts[i].bytes.n; j++)
					observe_feed(o, acts[i].dir,
						     bytes_of(acts[i].bytes.p + j, 1), 0, 0);
			done = observe_fault(o) == NULL;
			assert_int_equal(observe_proto(o), done ? PROTO_WEBSOCKET : PROTO_BYTES);
		}
		mem_fail_at(0);
		observe_free(o);
		assert_true(fail < 30);
	}
}

static struct buf read_file(const char *name, const char *ending)
{
	struct buf b = buf_init(TEXT_MAX);
	char path[4096];
	uint8_t *room;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s%s", fixtures, name, ending);
	f = fopen(path, "rb");
	if (!f)
		fail_msg("%s", path);
	assert_int_equal(buf_reserve(&b, 1 << 20, &room, NULL), 0);
	buf_commit(&b, fread(room, 1, 1 << 20, f));
	fclose(f);
	return b;
}

static void write_file(const char *name, const char *text)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.txt", fixtures, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void play_record(struct watch *w, const char *alpn, struct bytes record, size_t step)
{
	struct observe *o = observe_on(w, alpn);
	bool bad = false;
	struct rd r = rd_init(record, &bad);

	while (r.n) {
		enum flow_dir dir = (enum flow_dir)rd_u8(&r);

		feed_cut(o, dir, rd_take(&r, rd_u32(&r)), step);
	}
	assert_false(bad);
	observe_end(o, DIR_UP, true, 1000, 10);
	observe_end(o, DIR_DOWN, true, 1000, 10);
	watch_outcome(w, o);
	observe_free(o);
}

static void expect_record(const char *name)
{
	static const size_t steps[] = { SIZE_MAX, 1, 2, 3, 9, 100 };
	struct buf record = read_file(name, ".rec"), expected;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct watch w;

		watch_init(&w, EV_ALL);
		play_record(&w, "", buf_bytes(&record), steps[i]);
		if (write_anew && i == 0)
			write_file(name, watch_text(&w));
		expected = read_file(name, ".txt");
		assert_int_equal(buf_add(&expected, bytes_of("", 1), NULL), 0);
		assert_string_equal(watch_text(&w), (const char *)expected.p);
		buf_fini(&expected);
		watch_fini(&w);
	}
	buf_fini(&record);
}

#define FOLLOWS(name, file)                                                                        \
	static void follows_##name(void **state)                                                   \
	{                                                                                          \
		(void)state;                                                                       \
		expect_record(file);                                                               \
	}
FOLLOWS(curl_and_nginx_in_http1, "curl-nginx-http1")
FOLLOWS(curl_and_nginx_in_http2, "curl-nginx-http2")
FOLLOWS(nghttp_and_nginx, "nghttp-nginx")
FOLLOWS(nghttp_and_a_server_that_pushes, "nghttp-push")
FOLLOWS(curl_from_http1_to_http2, "curl-upgrade-h2c")
FOLLOWS(a_websocket_with_deflate, "websocket-deflate")
FOLLOWS(a_plain_websocket, "websocket-plain")
FOLLOWS(a_websocket_within_http2, "h2-websocket")
FOLLOWS(grpc_calls, "grpc")
FOLLOWS(compressed_grpc_calls, "grpc-gzip")

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_in_what_a_request_does_not_say),
		cmocka_unit_test(takes_for_bytes_what_is_no_http),
		cmocka_unit_test(lives_on_as_bytes_when_http_breaks_off),
		cmocka_unit_test(says_why_http2_cannot_be_followed),
		cmocka_unit_test(finds_http2_when_the_server_speaks_first),
		cmocka_unit_test(ends_an_answer_that_leads_away_from_http),
		cmocka_unit_test(reads_an_answer_to_nothing),
		cmocka_unit_test(says_whether_an_upgrade_was_decided),
		cmocka_unit_test(is_idle_between_exchanges_and_never_within_one),
		cmocka_unit_test(is_idle_when_no_stream_is_open),
		cmocka_unit_test(reports_what_is_odd),
		cmocka_unit_test(leaves_the_bytes_of_a_tunnel_alone),
		cmocka_unit_test(numbers_exchanges_from_where_it_is_told),
		cmocka_unit_test(goes_on_with_http1_after_a_gap),
		cmocka_unit_test(goes_on_with_http2_after_a_gap),
		cmocka_unit_test(a_body_goes_on_behind_a_gap),
		cmocka_unit_test(finds_http_where_a_piece_begins_with_it),
		cmocka_unit_test(makes_no_bodies_that_nobody_wants),
		cmocka_unit_test(starts_small),
		cmocka_unit_test(survives_a_lack_of_memory),
		cmocka_unit_test(follows_curl_and_nginx_in_http1),
		cmocka_unit_test(follows_curl_and_nginx_in_http2),
		cmocka_unit_test(follows_nghttp_and_nginx),
		cmocka_unit_test(follows_nghttp_and_a_server_that_pushes),
		cmocka_unit_test(follows_curl_from_http1_to_http2),
		cmocka_unit_test(follows_a_websocket_with_deflate),
		cmocka_unit_test(follows_a_plain_websocket),
		cmocka_unit_test(follows_a_websocket_within_http2),
		cmocka_unit_test(follows_grpc_calls),
		cmocka_unit_test(follows_compressed_grpc_calls),
	};

	if (argc < 2)
		return 2;
	fixtures = argv[1];
	write_anew = argc > 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
