#include "http/http1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/mem.h"
#include "http/transcript.h"

enum { UP_END = 2, DOWN_END = 3, DOWN_CUT = 4 };

/* One thing that happens on the wire: dir, or one of the above with text NULL. */
struct act {
	int what;
	const char *text;
};

struct play {
	struct transcript t;
	struct http1 *h;
	bool failed, switched;
	struct err e;
};

/* What is no longer HTTP/1.1 is noted down, with the part of a head that was held. */
static void feed(struct play *p, enum http_dir dir, struct bytes in)
{
	char line[400];
	size_t used;
	struct bytes held, rest;

	if (p->failed || p->switched) {
		snprintf(line, sizeof(line), "%s rest \"%.*s\"", dir == HTTP_UP ? "up" : "down",
			 BYTES_FMT(in));
		transcript_note(&p->t, line);
		return;
	}
	switch (http1_feed(p->h, dir, in, &used, &p->e)) {
	case HTTP1_OPEN:
		assert_int_equal(used, in.n);
		return;
	case HTTP1_SWITCHED:
		p->switched = true;
		snprintf(line, sizeof(line), "switched to %d on %llu",
			 (int)http1_switched(p->h)->next,
			 (unsigned long long)http1_switched(p->h)->stream);
		transcript_note(&p->t, line);
		break;
	case HTTP1_FAILED:
		p->failed = true;
		transcript_note(&p->t, "failed");
		break;
	}
	assert_true(used <= in.n);
	held = http1_pending(p->h, dir);
	rest = bytes_slice(in, used, in.n);
	if (held.n + rest.n && p->failed) {
		snprintf(line, sizeof(line), "held \"%.*s%.*s\"", BYTES_FMT(held), BYTES_FMT(rest));
		transcript_note(&p->t, line);
	} else if (rest.n) {
		feed(p, dir, rest);
	}
}

/* Pieces on the heap, so that the sanitizer sees who reads beyond. */
static void feed_cut(struct play *p, enum http_dir dir, struct bytes in, size_t step)
{
	while (in.n) {
		struct bytes piece = bytes_slice(in, 0, step);
		uint8_t *copy = malloc(piece.n);

		memcpy(copy, piece.p, piece.n);
		feed(p, dir, bytes_of(copy, piece.n));
		free(copy);
		in = bytes_slice(in, piece.n, in.n);
	}
}

static void start(struct play *p)
{
	*p = (struct play){ 0 };
	transcript_init(&p->t);
	assert_int_equal(http1_new(&p->t.sink, &p->h, NULL), 0);
}

static void stop(struct play *p)
{
	http1_free(p->h);
	transcript_fini(&p->t);
}

static void perform(struct play *p, const struct act *acts, size_t step)
{
	for (; acts->what != UP_END || acts->text; acts++) {
		if (acts->what <= HTTP_DOWN)
			feed_cut(p, (enum http_dir)acts->what, bytes_str(acts->text), step);
		else
			http1_end(p->h, HTTP_DOWN, acts->what == DOWN_END);
	}
}

/* The same must be handed over however the bytes are cut. */
static void expect(const struct act *acts, bool headers, const char *expected)
{
	static const size_t steps[] = { SIZE_MAX, 1, 2, 3, 7, 16 };

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct play p;

		start(&p);
		p.t.headers = headers;
		perform(&p, acts, steps[i]);
		assert_string_equal(transcript_text(&p.t), expected);
		stop(&p);
	}
}

#define UP(s)                                                                                      \
	{                                                                                          \
		HTTP_UP, s                                                                         \
	}
#define DOWN(s)                                                                                    \
	{                                                                                          \
		HTTP_DOWN, s                                                                       \
	}
#define END                                                                                        \
	{                                                                                          \
		UP_END, NULL                                                                       \
	}

static void reads_a_request_and_its_response(void **state)
{
	static const struct act acts[] = {
		UP("POST /form?a=1 HTTP/1.1\r\nHost: a.test\r\nX-Empty:\r\nX-Pad:  v \t\r\n"
		   "Content-Length: 5\r\n\r\nhello"),
		DOWN("HTTP/1.1 200 Very OK\r\nContent-Length: 3\r\nSet-Cookie: a\r\n"
		     "Set-Cookie: b\r\n\r\nabc"),
		END,
	};

	(void)state;
	expect(acts, true,
	       "up 1 http1 POST |a.test|/form?a=1 1.1\n"
	       "  Host: a.test\n  X-Empty: \n  X-Pad: v\n  Content-Length: 5\n"
	       "up 1 http1 body \"hello\"\n"
	       "up 1 http1 end 5\n"
	       "down 1 http1 200 Very OK 1.1\n"
	       "  Content-Length: 3\n  Set-Cookie: a\n  Set-Cookie: b\n"
	       "down 1 http1 body \"abc\"\n"
	       "down 1 http1 end 3\n");
}

static void numbers_exchanges_of_a_kept_connection(void **state)
{
	static const struct act acts[] = {
		UP("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"),
		DOWN("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
		UP("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"),
		DOWN("HTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nx"),
		END,
	};

	(void)state;
	expect(acts, false,
	       "up 1 http1 GET |a|/1 1.1\nup 1 http1 end 0\n"
	       "down 1 http1 200 OK 1.1\ndown 1 http1 end 0\n"
	       "up 2 http1 GET |a|/2 1.1\nup 2 http1 end 0\n"
	       "down 2 http1 404 No 1.1\ndown 2 http1 body \"x\"\ndown 2 http1 end 1\n");
}

static void pairs_pipelined_requests(void **state)
{
	static const struct act acts[] = {
		UP("GET /1 HTTP/1.1\r\n\r\nHEAD /2 HTTP/1.1\r\n\r\n\r\nPOST /3 HTTP/1.1\r\n"
		   "Content-Length: 2\r\n\r\nokGET /4 HTTP/1.1\r\n\r\n"),
		DOWN("HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 B\r\n"
		     "Content-Length: 1000\r\n\r\nHTTP/1.1 204 C\r\n\r\nHTTP/1.1 200 D\r\n"
		     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		END,
	};

	(void)state;
	expect(acts, false,
	       "up 1 http1 GET ||/1 1.1\nup 1 http1 end 0\n"
	       "up 2 http1 HEAD ||/2 1.1\nup 2 http1 end 0\n"
	       "up 3 http1 POST ||/3 1.1\nup 3 http1 body \"ok\"\nup 3 http1 end 2\n"
	       "up 4 http1 GET ||/4 1.1\nup 4 http1 end 0\n"
	       "down 1 http1 200 A 1.1\ndown 1 http1 body \"a\"\ndown 1 http1 end 1\n"
	       "down 2 http1 200 B 1.1\ndown 2 http1 end 0\n"
	       "down 3 http1 204 C 1.1\ndown 3 http1 end 0\n"
	       "down 4 http1 200 D 1.1\ndown 4 http1 end 0\n");
}

static void reads_chunks_and_trailers(void **state)
{
	static const struct act acts[] = {
		UP("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		   "5;ext=\"1\"\r\nhello\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 7\r\nX-More: "
		   "z\r\n\r\n"),
		DOWN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"),
		UP("GET /next HTTP/1.1\r\nHost: a\r\n\r\n"),
		END,
	};

	(void)state;
	expect(acts, true,
	       "up 1 http1 POST |a|/ 1.1\n  Host: a\n  Transfer-Encoding: chunked\n"
	       "up 1 http1 body \"hello0123456789\"\n"
	       "up 1 http1 end 15\n  X-Sum: 7\n  X-More: z\n"
	       "down 1 http1 200 OK 1.1\n  Transfer-Encoding: chunked\n"
	       "down 1 http1 body \"x\"\n"
	       "down 1 http1 end 1\n"
	       "up 2 http1 GET |a|/next 1.1\n  Host: a\n"
	       "up 2 http1 end 0\n");
}

static void passes_interim_answers(void **state)
{
	static const struct act acts[] = {
		UP("PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
		DOWN("HTTP/1.1 100 Continue\r\n\r\n"),
		UP("hi"),
		DOWN("HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n"
		     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
		END,
	};

	(void)state;
	expect(acts, false,
	       "up 1 http1 PUT ||/ 1.1\n"
	       "down 1 http1 100 Continue 1.1 interim\n"
	       "up 1 http1 body \"hi\"\nup 1 http1 end 2\n"
	       "down 1 http1 103 Early Hints 1.1 interim\n"
	       "down 1 http1 200 OK 1.1\ndown 1 http1 end 0\n");
}

static void ends_a_body_with_the_connection(void **state)
{
	static const struct act acts[] = {
		UP("GET / HTTP/1.0\r\n\r\n"),
		DOWN("HTTP/1.0 200 OK\r\n\r\nall of it"),
		{ DOWN_END, NULL },
		END,
	};
	static const struct act cut[] = {
		UP("GET / HTTP/1.0\r\n\r\n"),
		DOWN("HTTP/1.0 200 OK\r\n\r\nall of it"),
		{ DOWN_CUT, NULL },
		END,
	};

	(void)state;
	expect(acts, false,
	       "up 1 http1 GET ||/ 1.0\nup 1 http1 end 0\n"
	       "down 1 http1 200 OK 1.0\ndown 1 http1 body \"all of it\"\ndown 1 http1 end 9\n");
	expect(cut, false,
	       "up 1 http1 GET ||/ 1.0\nup 1 http1 end 0\n"
	       "down 1 http1 200 OK 1.0\ndown 1 http1 body \"all of it\"\n"
	       "down 1 http1 end 9 truncated\n");
}

static void says_when_a_body_was_cut_off(void **state)
{
	static const struct act length[] = {
		UP("GET / HTTP/1.1\r\n\r\n"),
		DOWN("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
		{ DOWN_END, NULL },
		END,
	};
	static const struct act trailers[] = {
		UP("GET / HTTP/1.1\r\n\r\n"),
		DOWN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n"),
		{ DOWN_END, NULL },
		END,
	};

	(void)state;
	expect(length, false,
	       "up 1 http1 GET ||/ 1.1\nup 1 http1 end 0\n"
	       "down 1 http1 200 OK 1.1\ndown 1 http1 body \"half\"\n"
	       "down 1 http1 end 4 truncated\n");
	expect(trailers, false,
	       "up 1 http1 GET ||/ 1.1\nup 1 http1 end 0\n"
	       "down 1 http1 200 OK 1.1\ndown 1 http1 end 0 truncated\n");
}

static void takes_targets_apart(void **state)
{
	static const struct act acts[] = {
		UP("GET http://b.test:81/p?q HTTP/1.1\r\nHost: other\r\n\r\n"
		   "GET http://b.test HTTP/1.1\r\n\r\n"
		   "GET http://b.test?x HTTP/1.1\r\n\r\n"
		   "OPTIONS * HTTP/1.1\r\nHost: c\r\n\r\n"
		   "GET /a://b HTTP/1.1\r\nHost: d\r\n\r\n"),
		END,
	};

	(void)state;
	expect(acts, false,
	       "up 1 http1 GET http|b.test:81|/p?q 1.1\nup 1 http1 end 0\n"
	       "up 2 http1 GET http|b.test|/ 1.1\nup 2 http1 end 0\n"
	       "up 3 http1 GET http|b.test|?x 1.1\nup 3 http1 end 0\n"
	       "up 4 http1 OPTIONS |c|* 1.1\nup 4 http1 end 0\n"
	       "up 5 http1 GET |d|/a://b 1.1\nup 5 http1 end 0\n");
}

static void switches_to_websocket(void **state)
{
	static const struct act acts[] = {
		UP("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		   "\r\n"),
		DOWN("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
		     "Upgrade: WebSocket\r\n\r\n"),
		UP("frames"),
		DOWN("frames"),
		END,
	};
	struct play p;

	(void)state;
	start(&p);
	perform(&p, acts, SIZE_MAX);
	assert_string_equal(transcript_text(&p.t),
			    "up 1 http1 GET |a|/ws 1.1\nup 1 http1 end 0\n"
			    "down 1 websocket 101 Switching Protocols 1.1\nswitched to 1 on 1\n"
			    "up rest \"frames\"\ndown rest \"frames\"\n");
	stop(&p);
}

/* The first bytes of the other protocol may come together with the answer. */
static void hands_back_what_comes_behind_an_upgrade(void **state)
{
	static const struct act acts[] = {
		UP("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: foo/2\r\n\r\n"),
		DOWN("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: foo/2\r\n\r\n\r\nfoo!"),
		END,
	};
	struct play p;

	(void)state;
	start(&p);
	perform(&p, acts, SIZE_MAX);
	assert_string_equal(transcript_text(&p.t),
			    "up 1 http1 GET ||/ 1.1\nup 1 http1 end 0\n"
			    "down 1 http1 101 X 1.1\nswitched to 0 on 1\ndown rest \"\r\nfoo!\"\n");
	stop(&p);
}

static void goes_on_after_an_upgrade_that_was_refused(void **state)
{
	static const struct act acts[] = {
		UP("GET /1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
		DOWN("HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
		     "Content-Length: 2\r\n\r\nok"),
		UP("POST /2 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
		   "Content-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\n\r\n"),
		END,
	};

	(void)state;
	expect(acts, false,
	       "up 1 http1 GET ||/1 1.1\nup 1 http1 end 0\n"
	       "down 1 http1 200 OK 1.1\ndown 1 http1 body \"ok\"\ndown 1 http1 end 2\n"
	       "up 2 http1 POST ||/2 1.1\nup 2 http1 body \"abc\"\nup 2 http1 end 3\n"
	       "up 3 http1 GET ||/3 1.1\nup 3 http1 end 0\n");
}

static void switches_to_http2_on_the_first_exchange_only(void **state)
{
	static const struct act acts[] = {
		UP("GET /1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
		DOWN("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
		END,
	};
	struct play p;

	(void)state;
	start(&p);
	perform(&p, acts, SIZE_MAX);
	assert_string_equal(transcript_text(&p.t), "up 1 http1 GET ||/1 1.1\nup 1 http1 end 0\n"
						   "down 1 http1 101 X 1.1 interim\n"
						   "switched to 2 on 1\n");
	stop(&p);
}

static void tunnels_connect_when_it_is_granted(void **state)
{
	static const struct act acts[] = {
		UP("CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n"),
		DOWN("HTTP/1.1 407 Auth\r\nContent-Length: 2\r\n\r\nno"),
		UP("CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n"),
		DOWN("HTTP/1.1 200 OK\r\n\r\nhello"),
		END,
	};
	struct play p;

	(void)state;
	start(&p);
	perform(&p, acts, SIZE_MAX);
	assert_string_equal(transcript_text(&p.t),
			    "up 1 http1 CONNECT |b.test:443| 1.1\nup 1 http1 end 0\n"
			    "down 1 http1 407 Auth 1.1\ndown 1 http1 body \"no\"\n"
			    "down 1 http1 end 2\n"
			    "up 2 http1 CONNECT |b.test:443| 1.1\nup 2 http1 end 0\n"
			    "down 2 http1 200 OK 1.1\nswitched to 0 on 2\ndown rest \"hello\"\n");
	stop(&p);
}

static void numbers_an_answer_to_nothing(void **state)
{
	static const struct act acts[] = {
		DOWN("HTTP/1.1 408 Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
		END,
	};

	(void)state;
	expect(acts, false, "down 1 http1 408 Timeout 1.1\ndown 1 http1 end 0\n");
}

static void reports_what_parsers_read_differently(void **state)
{
	static const struct act both[] = {
		UP("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
		   "0\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"),
		END,
	};
	static const struct act lines[] = {
		UP("GET / HTTP/1.1\r\nA: 1\nB: 2\r\n\r\n"),
		END,
	};

	(void)state;
	expect(both, false,
	       "up 1 http1 POST ||/ 1.1 odd=1\nup 1 http1 end 0\n"
	       "up 2 http1 GET ||/2 1.1\nup 2 http1 end 0\n");
	expect(lines, false, "up 1 http1 GET ||/ 1.1 odd=4\nup 1 http1 end 0\n");
}

static void reports_a_folded_header(void **state)
{
	static const struct act acts[] = {
		UP("GET / HTTP/1.1\r\nA: one\r\n two\r\nB: c\r\n\r\n"),
		END,
	};

	(void)state;
	expect(acts, true,
	       "up 1 http1 GET ||/ 1.1 odd=2\n  A: one\\x0d\\x0a two\n  B: c\n"
	       "up 1 http1 end 0\n");
}

static void fails_on(const char *up, const char *expected)
{
	const struct act acts[] = { UP(up), END };
	struct play p;

	for (size_t step = 1; step < 40; step += 3) {
		start(&p);
		perform(&p, acts, step);
		if (!p.failed)
			fail_msg("not refused: %s", up);
		assert_int_equal(p.e.code, ERR_HTTP_DECODE);
		stop(&p);
	}
	if (!expected)
		return;
	start(&p);
	perform(&p, acts, SIZE_MAX);
	assert_string_equal(transcript_text(&p.t), expected);
	stop(&p);
}

static void gives_up_on_what_is_no_http(void **state)
{
	(void)state;
	fails_on("EHLO mail.test\r\n", "failed\nheld \"EHLO mail.test\r\n\"\n");
	fails_on("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", NULL);
	fails_on("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", NULL);
	fails_on("GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", NULL);
	fails_on("POST / HTTP/1.1\r\nTransfer-Encoding: foo\r\n\r\n", NULL);
	fails_on("GET / HTTP/1.1\r\nA(b: c\r\n\r\n", NULL);
	fails_on("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", NULL);
	fails_on("GET / HTTP/9.9\r\n\r\n", NULL);
	fails_on("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		 "up 1 http1 POST ||/ 1.1\nup 1 http1 end 0 truncated\nfailed\n"
		 "held \"xyz\r\n\"\n");
}

static void holds_what_came_of_an_incomplete_head(void **state)
{
	struct play p;
	static const char head[] = "GET /abc HTTP/1.1\r\nHost: a";

	(void)state;
	start(&p);
	feed_cut(&p, HTTP_UP, bytes_str(head), 4);
	assert_true(bytes_equal(http1_pending(p.h, HTTP_UP), bytes_str(head)));
	assert_false(http1_seen(p.h));
	http1_end(p.h, HTTP_UP, true);
	assert_true(bytes_equal(http1_pending(p.h, HTTP_UP), bytes_str(head)));
	assert_string_equal(transcript_text(&p.t), "");
	stop(&p);
}

static void feed_heads(struct play *p, size_t headers, size_t value, size_t step)
{
	feed_cut(p, HTTP_UP, bytes_str("GET / HTTP/1.1\r\n"), step);
	for (size_t i = 0; i < headers; i++) {
		feed_cut(p, HTTP_UP, bytes_str("X: "), step);
		for (size_t j = 0; j < value; j += 100)
			feed(p, HTTP_UP,
			     bytes_str("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
				       "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
		feed_cut(p, HTTP_UP, bytes_str("\r\n"), step);
		if (p->failed)
			return;
	}
	feed_cut(p, HTTP_UP, bytes_str("\r\n"), step);
}

static void bounds_heads(void **state)
{
	struct play p;

	(void)state;
	start(&p);
	feed_heads(&p, HTTP_HEADERS_MAX, 1, SIZE_MAX);
	assert_false(p.failed);
	stop(&p);
	start(&p);
	feed_heads(&p, HTTP_HEADERS_MAX + 1, 1, SIZE_MAX);
	assert_true(p.failed);
	assert_int_equal(p.e.code, ERR_LIMIT);
	stop(&p);
	start(&p);
	feed_heads(&p, 1, HTTP_HEAD_MAX - 200, SIZE_MAX);
	assert_false(p.failed);
	stop(&p);
	start(&p);
	feed_heads(&p, 1, HTTP_HEAD_MAX, SIZE_MAX);
	assert_true(p.failed);
	assert_int_equal(p.e.code, ERR_LIMIT);
	stop(&p);
}

/* In one piece nothing is kept, and the limit holds all the same. */
static void bounds_a_head_in_one_piece(void **state)
{
	size_t n = 2 * HTTP_HEAD_MAX;
	char *text = malloc(n + 1);
	struct play p;

	(void)state;
	memset(text, 'x', n);
	memcpy(text, "GET /", 5);
	text[n] = 0;
	start(&p);
	feed_cut(&p, HTTP_UP, bytes_of(text, n), SIZE_MAX);
	assert_true(p.failed);
	assert_int_equal(p.e.code, ERR_LIMIT);
	stop(&p);
	free(text);
}

static void bounds_the_pipeline(void **state)
{
	struct play p;

	(void)state;
	start(&p);
	for (int i = 0; i < HTTP1_PIPELINE_MAX; i++)
		feed_cut(&p, HTTP_UP, bytes_str("GET / HTTP/1.1\r\n\r\n"), SIZE_MAX);
	assert_false(p.failed);
	feed_cut(&p, HTTP_UP, bytes_str("GET / HTTP/1.1\r\n\r\n"), SIZE_MAX);
	assert_true(p.failed);
	assert_int_equal(p.e.code, ERR_LIMIT);
	stop(&p);
}

static void refuses_a_switch_in_the_midst_of_things(void **state)
{
	static const struct act acts[] = {
		UP("GET /1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
		   "GET /2 HTTP/1.1\r\n\r\n"),
		DOWN("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"),
		END,
	};
	struct play p;

	(void)state;
	start(&p);
	perform(&p, acts, SIZE_MAX);
	assert_true(p.failed);
	stop(&p);
}

static void counts_bodies_that_nobody_wants(void **state)
{
	struct play p;

	(void)state;
	start(&p);
	p.t.sink.on_body = NULL;
	feed_cut(&p, HTTP_UP, bytes_str("PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"), 3);
	assert_string_equal(transcript_text(&p.t), "up 1 http1 PUT ||/ 1.1\nup 1 http1 end 5\n");
	stop(&p);
}

static void ignore_head(void *ctx, const struct http_head *head)
{
	(void)ctx;
	(void)head;
}

static void ignore_end(void *ctx, const struct http_end *end)
{
	(void)ctx;
	(void)end;
}

static void survives_a_lack_of_memory(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	const struct http_sink sink = { .on_head = ignore_head, .on_end = ignore_end };
	enum http1_status status = HTTP1_FAILED;

	(void)state;
	for (size_t fail = 1; fail < 10 && status == HTTP1_FAILED; fail++) {
		struct http1 *h = NULL;
		struct err e = { 0 };
		size_t used;

		mem_fail_at(fail);
		status = http1_new(&sink, &h, &e) < 0 ? HTTP1_FAILED : HTTP1_OPEN;
		for (size_t at = 0; at < sizeof(text) - 1 && status == HTTP1_OPEN; at++)
			status = http1_feed(h, HTTP_UP, bytes_of(text + at, 1), &used, &e);
		if (status == HTTP1_FAILED)
			assert_int_equal(e.code, ERR_NOMEM);
		if (fail == 1)
			assert_int_equal(status, HTTP1_FAILED);
		mem_fail_at(0);
		http1_free(h);
	}
	assert_int_equal(status, HTTP1_OPEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_request_and_its_response),
		cmocka_unit_test(numbers_exchanges_of_a_kept_connection),
		cmocka_unit_test(pairs_pipelined_requests),
		cmocka_unit_test(reads_chunks_and_trailers),
		cmocka_unit_test(passes_interim_answers),
		cmocka_unit_test(ends_a_body_with_the_connection),
		cmocka_unit_test(says_when_a_body_was_cut_off),
		cmocka_unit_test(takes_targets_apart),
		cmocka_unit_test(switches_to_websocket),
		cmocka_unit_test(hands_back_what_comes_behind_an_upgrade),
		cmocka_unit_test(goes_on_after_an_upgrade_that_was_refused),
		cmocka_unit_test(switches_to_http2_on_the_first_exchange_only),
		cmocka_unit_test(tunnels_connect_when_it_is_granted),
		cmocka_unit_test(numbers_an_answer_to_nothing),
		cmocka_unit_test(reports_what_parsers_read_differently),
		cmocka_unit_test(reports_a_folded_header),
		cmocka_unit_test(gives_up_on_what_is_no_http),
		cmocka_unit_test(holds_what_came_of_an_incomplete_head),
		cmocka_unit_test(bounds_heads),
		cmocka_unit_test(bounds_a_head_in_one_piece),
		cmocka_unit_test(bounds_the_pipeline),
		cmocka_unit_test(refuses_a_switch_in_the_midst_of_things),
		cmocka_unit_test(counts_bodies_that_nobody_wants),
		cmocka_unit_test(survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
