#include "http/http2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "base/mem.h"
#include "base/wr.h"
#include "http/frame2.h"
#include "http/transcript.h"

#define WIRE_MAX (8u << 20)

/* Both ends of a connection, as far as they are needed: what was put on the wire, with direction. */
struct wire {
	struct buf bytes;
	struct {
		enum http_dir dir;
		size_t end; /* in bytes */
	} acts[4096];
	size_t count;
	nghttp2_hd_deflater *encoders[2];
};

static void wire_init(struct wire *w)
{
	w->bytes = buf_init(WIRE_MAX);
	w->count = 0;
	for (int dir = 0; dir < 2; dir++)
		assert_int_equal(nghttp2_hd_deflate_new(&w->encoders[dir], 4096), 0);
}

static void wire_fini(struct wire *w)
{
	buf_fini(&w->bytes);
	nghttp2_hd_deflate_del(w->encoders[HTTP_UP]);
	nghttp2_hd_deflate_del(w->encoders[HTTP_DOWN]);
}

static void put(struct wire *w, enum http_dir dir, struct bytes b)
{
	assert_int_equal(buf_add(&w->bytes, b, NULL), 0);
	assert_true(w->count < ARRAY_LEN(w->acts));
	w->acts[w->count].dir = dir;
	w->acts[w->count++].end = w->bytes.n;
}

struct frame_head {
	unsigned type, flags;
	uint32_t stream;
};

static void frame(struct wire *w, enum http_dir dir, struct frame_head head, struct bytes payload)
{
	struct buf b = buf_init(WIRE_MAX);
	struct wr wr = wr_init(&b);

	wr_u24(&wr, (uint32_t)payload.n);
	wr_u8(&wr, (uint8_t)head.type);
	wr_u8(&wr, (uint8_t)head.flags);
	wr_u32(&wr, head.stream);
	wr_bytes(&wr, payload);
	assert_int_equal(wr_end(&wr, NULL), 0);
	put(w, dir, buf_bytes(&b));
	buf_fini(&b);
}

#define TEXT(s) bytes_of(s, sizeof(s) - 1)
#define NOTHING bytes_of(NULL, 0)

/* "name: value" lines, "\n" between them, to a header block. */
static size_t encode(struct wire *w, enum http_dir dir, const char *lines, uint8_t *out,
		     size_t room)
{
	nghttp2_nv nv[32];
	size_t count = 0;
	ssize_t n;

	while (*lines) {
		size_t length = strcspn(lines, "\n");
		const char *colon = memchr(lines + 1, ':', length - 1);

		nv[count].name = (uint8_t *)lines;
		nv[count].namelen = (size_t)(colon - lines);
		nv[count].value = (uint8_t *)colon + 2;
		nv[count].valuelen = length - nv[count].namelen - 2;
		nv[count++].flags = NGHTTP2_NV_FLAG_NONE;
		lines += length + (lines[length] == '\n');
	}
	n = nghttp2_hd_deflate_hd(w->encoders[dir], out, room, nv, count);
	assert_true(n >= 0);
	return (size_t)n;
}

static void headers(struct wire *w, enum http_dir dir, unsigned flags, uint32_t stream,
		    const char *lines)
{
	uint8_t block[8192];
	size_t n = encode(w, dir, lines, block, sizeof(block));

	frame(w, dir, (struct frame_head){ FRAME2_HEADERS, flags | FRAME2_END_HEADERS, stream },
	      bytes_of(block, n));
}

static void start(struct wire *w)
{
	wire_init(w);
	put(w, HTTP_UP, bytes_str(HTTP2_PREFACE));
	frame(w, HTTP_UP, (struct frame_head){ FRAME2_SETTINGS, 0, 0 }, NOTHING);
	frame(w, HTTP_DOWN, (struct frame_head){ FRAME2_SETTINGS, 0, 0 }, NOTHING);
	frame(w, HTTP_UP, (struct frame_head){ FRAME2_SETTINGS, FRAME2_ACK, 0 }, NOTHING);
	frame(w, HTTP_DOWN, (struct frame_head){ FRAME2_SETTINGS, FRAME2_ACK, 0 }, NOTHING);
}

struct play {
	struct transcript t;
	struct http2 *h;
	struct err e;
};

static int play_acts(struct play *p, const struct wire *w, size_t step)
{
	size_t at = 0;

	for (size_t i = 0; i < w->count; i++) {
		for (; at < w->acts[i].end;) {
			size_t left = w->acts[i].end - at, n = left < step ? left : step;
			uint8_t *copy = malloc(n);
			int status;

			memcpy(copy, w->bytes.p + at, n);
			status = http2_feed(p->h, w->acts[i].dir, bytes_of(copy, n), &p->e);
			free(copy);
			if (status < 0)
				return -1;
			at += n;
		}
	}
	return 0;
}

static void open_play(struct play *p, struct http2_options options)
{
	*p = (struct play){ 0 };
	transcript_init(&p->t);
	p->t.headers = true;
	options.sink = &p->t.sink;
	assert_int_equal(http2_new(&options, &p->h, NULL), 0);
}

static void close_play(struct play *p)
{
	http2_free(p->h);
	transcript_fini(&p->t);
}

static void expect_with(struct wire *w, struct http2_options options, const char *expected)
{
	static const size_t steps[] = { SIZE_MAX, 1, 2, 5, 16, 100 };

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct play p;

		open_play(&p, options);
		if (play_acts(&p, w, steps[i]) < 0)
			fail_msg("%s", p.e.sentence);
		http2_end(p.h, HTTP_UP);
		http2_end(p.h, HTTP_DOWN);
		assert_int_equal(http2_streams(p.h), 0);
		assert_string_equal(transcript_text(&p.t), expected);
		close_play(&p);
	}
	wire_fini(w);
}

static void expect(struct wire *w, const char *expected)
{
	expect_with(w, (struct http2_options){ 0 }, expected);
}

static void expect_fault(struct wire *w, enum err_code code)
{
	static const size_t steps[] = { SIZE_MAX, 1, 7 };

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct play p;

		open_play(&p, (struct http2_options){ 0 });
		assert_int_equal(play_acts(&p, w, steps[i]), -1);
		assert_int_equal(p.e.code, code);
		/* It stays so. */
		assert_int_equal(http2_feed(p.h, HTTP_DOWN, TEXT("x"), &p.e), -1);
		close_play(&p);
	}
	wire_fini(w);
}

#define GET ":method: GET\n:scheme: https\n:authority: a.test\n:path: /"

static void reads_a_request_and_its_response(void **state)
{
	struct wire w;

	(void)state;
	start(&w);
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 1, GET "\nb: 1\na: 2\nb: 3");
	headers(&w, HTTP_DOWN, 0, 1, ":status: 200\ncontent-length: 5");
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_DATA, 0, 1 }, TEXT("hel"));
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_DATA, FRAME2_END_STREAM, 1 }, TEXT("lo"));
	expect(&w, "up 1 http2 GET https|a.test|/ 2.0\n  b: 1\n  a: 2\n  b: 3\n"
		   "up 1 http2 end 0\n"
		   "down 1 http2 200  2.0\n  content-length: 5\n"
		   "down 1 http2 body \"hello\"\n"
		   "down 1 http2 end 5\n");
}

static void reads_padding_priority_and_continuations(void **state)
{
	struct wire w;
	uint8_t block[256], padded[300] = { 3, 0, 0, 0, 0, 16 };
	size_t n;

	(void)state;
	start(&w);
	n = encode(&w, HTTP_UP, GET "\nx: y", block, sizeof(block));
	memcpy(padded + 6, block, 4);
	frame(&w, HTTP_UP,
	      (struct frame_head){ FRAME2_HEADERS, FRAME2_PADDED | FRAME2_HAS_PRIORITY, 1 },
	      bytes_of(padded, 6 + 4 + 3));
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_CONTINUATION, 0, 1 }, NOTHING);
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_CONTINUATION, FRAME2_END_HEADERS, 1 },
	      bytes_of(block + 4, n - 4));
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_DATA, FRAME2_PADDED, 1 },
	      TEXT("\x02"
		   "body\0\0"));
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_DATA, FRAME2_PADDED | FRAME2_END_STREAM, 1 },
	      TEXT("\x01\0"));
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_RST_STREAM, 0, 1 }, TEXT("\0\0\0\1"));
	expect(&w, "up 1 http2 GET https|a.test|/ 2.0\n  x: y\n"
		   "up 1 http2 body \"body\"\n"
		   "up 1 http2 end 4\n"
		   "down 1 http2 end 0 truncated\n");
}

static void reads_trailers_and_interim_answers(void **state)
{
	struct wire w;

	(void)state;
	start(&w);
	headers(&w, HTTP_UP, 0, 1, GET);
	headers(&w, HTTP_DOWN, 0, 1, ":status: 100");
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_DATA, 0, 1 }, TEXT("x"));
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 1, "sum: 1");
	headers(&w, HTTP_DOWN, 0, 1, ":status: 200");
	headers(&w, HTTP_DOWN, FRAME2_END_STREAM, 1, "sum: 2\nmore: 3");
	expect(&w, "up 1 http2 GET https|a.test|/ 2.0\n"
		   "down 1 http2 100  2.0 interim\n"
		   "up 1 http2 body \"x\"\n"
		   "up 1 http2 end 1\n  sum: 1\n"
		   "down 1 http2 200  2.0\n"
		   "down 1 http2 end 0\n  sum: 2\n  more: 3\n");
}

static void tells_interleaved_streams_apart(void **state)
{
	struct wire w;

	(void)state;
	start(&w);
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 1, GET "one");
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 3, GET "two");
	headers(&w, HTTP_DOWN, 0, 3, ":status: 404");
	headers(&w, HTTP_DOWN, 0, 1, ":status: 200");
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_DATA, 0, 3 }, TEXT("b"));
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_DATA, FRAME2_END_STREAM, 1 }, TEXT("a"));
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_DATA, FRAME2_END_STREAM, 3 }, TEXT("b"));
	expect(&w, "up 1 http2 GET https|a.test|/one 2.0\nup 1 http2 end 0\n"
		   "up 3 http2 GET https|a.test|/two 2.0\nup 3 http2 end 0\n"
		   "down 3 http2 404  2.0\n"
		   "down 1 http2 200  2.0\n"
		   "down 3 http2 body \"b\"\ndown 1 http2 body \"a\"\ndown 1 http2 end 1\n"
		   "down 3 http2 body \"b\"\ndown 3 http2 end 2\n");
}

static void ends_what_is_open_with_the_connection(void **state)
{
	struct wire w;

	(void)state;
	start(&w);
	headers(&w, HTTP_UP, 0, 1, GET);
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 3, GET);
	headers(&w, HTTP_DOWN, 0, 3, ":status: 200");
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_GOAWAY, 0, 0 },
	      TEXT("\0\0\0\3\0\0\0\2bye"));
	expect(&w, "up 1 http2 GET https|a.test|/ 2.0\n"
		   "up 3 http2 GET https|a.test|/ 2.0\nup 3 http2 end 0\n"
		   "down 3 http2 200  2.0\n"
		   "up 1 http2 end 0 truncated\n"
		   "down 1 http2 end 0 truncated\n"
		   "down 3 http2 end 0 truncated\n");
}

static void ignores_frames_that_crossed_a_reset(void **state)
{
	struct wire w;

	(void)state;
	start(&w);
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 1, GET);
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_RST_STREAM, 0, 1 }, TEXT("\0\0\0\x08"));
	headers(&w, HTTP_DOWN, 0, 1, ":status: 200\nnew: value");
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_DATA, FRAME2_END_STREAM, 1 },
	      TEXT("late"));
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_WINDOW_UPDATE, 0, 1 }, TEXT("\0\0\0\x08"));
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 3, GET);
	/* The table still knows what the ignored head brought. */
	headers(&w, HTTP_DOWN, FRAME2_END_STREAM, 3, ":status: 200\nnew: value");
	expect(&w, "up 1 http2 GET https|a.test|/ 2.0\nup 1 http2 end 0\n"
		   "down 1 http2 end 0 truncated\n"
		   "up 3 http2 GET https|a.test|/ 2.0\nup 3 http2 end 0\n"
		   "down 3 http2 200  2.0\n  new: value\ndown 3 http2 end 0\n");
}

static void tells_of_pushed_streams(void **state)
{
	struct wire w;
	uint8_t payload[256] = { 0, 0, 0, 2 };
	size_t n;

	(void)state;
	start(&w);
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 1, GET);
	n = encode(&w, HTTP_DOWN, GET "pushed", payload + 4, sizeof(payload) - 4);
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_PUSH_PROMISE, FRAME2_END_HEADERS, 1 },
	      bytes_of(payload, n + 4));
	headers(&w, HTTP_DOWN, FRAME2_END_STREAM, 1, ":status: 200");
	headers(&w, HTTP_DOWN, FRAME2_END_STREAM, 2, ":status: 200");
	expect(&w, "up 1 http2 GET https|a.test|/ 2.0\nup 1 http2 end 0\n"
		   "up 2 http2 GET https|a.test|/pushed 2.0 pushed\nup 2 http2 end 0\n"
		   "down 1 http2 200  2.0\ndown 1 http2 end 0\n"
		   "down 2 http2 200  2.0\ndown 2 http2 end 0\n");
}

#define GRPC                                                                                       \
	":method: POST\n:scheme: http\n:authority: a\n:path: /S/M\ncontent-type: application/grpc"

static void frames_grpc_messages(void **state)
{
	struct wire w;

	(void)state;
	start(&w);
	headers(&w, HTTP_UP, 0, 1, GRPC);
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_DATA, 0, 1 }, TEXT("\0\0\0\0\2hi\1\0\0"));
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_DATA, FRAME2_END_STREAM, 1 },
	      TEXT("\0\3xyz\0\0\0\0\0"));
	headers(&w, HTTP_DOWN, 0, 1, ":status: 200\ncontent-type: application/grpc");
	headers(&w, HTTP_DOWN, FRAME2_END_STREAM, 1, "grpc-status: 5\ngrpc-message: no");
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 3, GRPC "+proto");
	headers(&w, HTTP_DOWN, FRAME2_END_STREAM, 3,
		":status: 200\ncontent-type: application/grpc\ngrpc-status: 12");
	expect(&w, "up 1 grpc POST http|a|/S/M 2.0\n  content-type: application/grpc\n"
		   "up 1 grpc body \"hi\" end\n"
		   "up 1 grpc body compressed \"xyz\" end\n"
		   "up 1 grpc body \"\" end\n"
		   "up 1 grpc end 20\n"
		   "down 1 grpc 200  2.0\n  content-type: application/grpc\n"
		   "down 1 grpc end 0 grpc=5\n  grpc-status: 5\n  grpc-message: no\n"
		   "up 3 grpc POST http|a|/S/M 2.0\n  content-type: application/grpc+proto\n"
		   "up 3 grpc end 0\n"
		   "down 3 grpc 200  2.0\n  content-type: application/grpc\n  grpc-status: 12\n"
		   "down 3 grpc end 0 grpc=12\n");
}

static void settings_table(struct wire *w, enum http_dir dir, uint32_t size)
{
	uint8_t payload[6] = { 0,
			       1,
			       (uint8_t)(size >> 24),
			       (uint8_t)(size >> 16),
			       (uint8_t)(size >> 8),
			       (uint8_t)size };

	frame(w, dir, (struct frame_head){ FRAME2_SETTINGS, 0, 0 }, bytes_of(payload, 6));
}

/* A request with headers that fill 40 bytes of the table each. */
static void fill_table(struct wire *w, uint32_t stream, int from, int to)
{
	char lines[2048];
	int n = snprintf(lines, sizeof(lines), "%s", GET);

	for (int i = from; i < to; i++)
		n += snprintf(lines + n, sizeof(lines) - (size_t)n, "\nh-%03d: v%03d", i, i);
	headers(w, HTTP_UP, FRAME2_END_STREAM, stream, lines);
}

/* A larger table than 4096 bytes: what was sent first is still found in it. */
static void follows_the_table_size_of_the_other_side(void **state)
{
	struct wire w;
	struct play p;
	struct buf expected;

	(void)state;
	start(&w);
	settings_table(&w, HTTP_DOWN, 65536);
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_SETTINGS, FRAME2_ACK, 0 }, NOTHING);
	nghttp2_hd_deflate_change_table_size(w.encoders[HTTP_UP], 65536);
	nghttp2_hd_deflate_change_table_size(w.encoders[HTTP_UP], 4096);
	for (uint32_t i = 0; i < 12; i++)
		fill_table(&w, 1 + 2 * i, (int)i * 20, (int)i * 20 + 20);
	fill_table(&w, 25, 0, 20);
	/* And a smaller one: the encoder says so with its next block. */
	settings_table(&w, HTTP_DOWN, 100);
	fill_table(&w, 27, 220, 240);
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_SETTINGS, FRAME2_ACK, 0 }, NOTHING);
	nghttp2_hd_deflate_change_table_size(w.encoders[HTTP_UP], 100);
	fill_table(&w, 29, 0, 20);
	fill_table(&w, 31, 10, 30);
	open_play(&p, (struct http2_options){ 0 });
	expected = buf_init(1 << 20);
	for (int i = 0; i <= 15; i++) {
		int from = i == 12 ? 0 : i == 13 ? 220 : i == 14 ? 0 : i == 15 ? 10 : i * 20;

		assert_int_equal(buf_printf(&expected, NULL, "up %d http2 GET https|a.test|/ 2.0\n",
					    1 + 2 * i),
				 0);
		for (int j = from; j < from + 20; j++)
			assert_int_equal(buf_printf(&expected, NULL, "  h-%03d: v%03d\n", j, j), 0);
		assert_int_equal(buf_printf(&expected, NULL, "up %d http2 end 0\n", 1 + 2 * i), 0);
	}
	if (play_acts(&p, &w, 11) < 0)
		fail_msg("%s", p.e.sentence);
	assert_string_equal(transcript_text(&p.t), (char *)expected.p);
	buf_fini(&expected);
	close_play(&p);
	wire_fini(&w);
}

/* An encoder that ignores that its table must shrink cannot be followed. */
static void gives_up_when_a_table_is_larger_than_allowed(void **state)
{
	struct wire w;

	(void)state;
	start(&w);
	fill_table(&w, 1, 0, 20);
	settings_table(&w, HTTP_DOWN, 0);
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_SETTINGS, FRAME2_ACK, 0 }, NOTHING);
	fill_table(&w, 3, 0, 20);
	expect_fault(&w, ERR_HTTP_DECODE);
}

#define WS ":method: CONNECT\n:protocol: websocket\n:scheme: https\n:authority: a\n:path: /c"

static void follows_a_websocket_within_a_stream(void **state)
{
	struct wire w;

	(void)state;
	start(&w);
	headers(&w, HTTP_UP, 0, 1, WS);
	headers(&w, HTTP_DOWN, 0, 1, ":status: 200");
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_DATA, 0, 1 }, TEXT("\x81\x82\0\0\0\0hi"));
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_DATA, 0, 1 }, TEXT("\x82\1"));
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_DATA, FRAME2_END_STREAM, 1 },
	      TEXT("x\x88\0"));
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_DATA, FRAME2_END_STREAM, 1 }, NOTHING);
	expect(&w, "up 1 http2 CONNECT https|a|/c protocol=websocket 2.0\n"
		   "down 1 websocket 200  2.0\n"
		   "up 1 websocket body op=1 \"hi\" end\n"
		   "down 1 websocket body op=2 \"x\" end\n"
		   "down 1 websocket body op=8 \"\" end\n"
		   "down 1 websocket end 1\n"
		   "up 1 websocket end 2\n");
}

static void goes_on_from_an_upgrade(void **state)
{
	struct wire w;

	(void)state;
	start(&w);
	headers(&w, HTTP_DOWN, FRAME2_END_STREAM, 1, ":status: 200");
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 3, GET);
	headers(&w, HTTP_DOWN, FRAME2_END_STREAM, 3, ":status: 204");
	expect_with(&w, (struct http2_options){ .upgraded = true },
		    "down 1 http2 200  2.0\ndown 1 http2 end 0\n"
		    "up 3 http2 GET https|a.test|/ 2.0\nup 3 http2 end 0\n"
		    "down 3 http2 204  2.0\ndown 3 http2 end 0\n");
}

static void says_what_is_unknown_when_it_came_late(void **state)
{
	struct wire w;

	(void)state;
	wire_init(&w);
	headers(&w, HTTP_DOWN, 0, 5, ":status: 200");
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_DATA, FRAME2_END_STREAM, 5 }, TEXT("abc"));
	headers(&w, HTTP_UP, 0, 7, GET);
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 7, "trailer: x");
	expect_with(&w, (struct http2_options){ .late = true },
		    "down 5 http2 200  2.0\ndown 5 http2 body \"abc\"\ndown 5 http2 end 3\n"
		    "up 5 http2 end 0\n"
		    "up 7 http2 GET https|a.test|/ 2.0\nup 7 http2 end 0\n  trailer: x\n"
		    "down 7 http2 end 0 truncated\n");
}

/* What was put into the tables before is "?", what comes after is known by its index, too. */
static void late_it_knows_what_was_put_into_the_table_since(void **state)
{
	uint8_t gone[256];
	struct wire w;

	(void)state;
	wire_init(&w);
	(void)encode(&w, HTTP_UP, GET "\nx-old: 1", gone, sizeof(gone));
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 7, GET "\nx-old: 1\nx-new: 2");
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 9, GET "\nx-old: 3\nx-new: 2");
	/* An answer to what was asked before. */
	headers(&w, HTTP_DOWN, FRAME2_END_STREAM, 5, ":status: 200");
	expect_with(&w, (struct http2_options){ .late = true },
		    "up 7 http2 unknown GET https||/ 2.0\n  ?: ?\n  ?: ?\n  x-new: 2\nup 7 http2 "
		    "end 0\n"
		    "up 9 http2 unknown GET https||/ 2.0\n  ?: ?\n  ?: 3\n  x-new: 2\nup 9 http2 "
		    "end 0\n"
		    "down 5 http2 200  2.0\ndown 5 http2 end 0\nup 5 http2 end 0\n"
		    "down 7 http2 end 0 truncated\ndown 9 http2 end 0 truncated\n");
}

static void late_a_block_that_cannot_be_read_costs_itself_only(void **state)
{
	struct wire w;

	(void)state;
	wire_init(&w);
	frame(&w, HTTP_UP,
	      (struct frame_head){ FRAME2_HEADERS, FRAME2_END_HEADERS | FRAME2_END_STREAM, 7 },
	      TEXT("\xff\xff\xff\xff\xff\xff"));
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 9, GET);
	expect_with(&w, (struct http2_options){ .late = true },
		    "up 7 http2 unknown  || 2.0\nup 7 http2 end 0\n"
		    "up 9 http2 GET https|a.test|/ 2.0\nup 9 http2 end 0\n"
		    "down 7 http2 end 0 truncated\ndown 9 http2 end 0 truncated\n");
}

static void leaves_out_headers_beyond_the_limit(void **state)
{
	struct wire w;
	struct play p;
	uint8_t block[1024];
	size_t n;

	(void)state;
	start(&w);
	/* One long header, put into the table, then named again and again by one byte. */
	n = encode(&w, HTTP_UP, GET, block, sizeof(block));
	memcpy(block + n, "\x40\x01x\x7f\x81\x01", 6);
	n += 6;
	memset(block + n, 'v', 256);
	n += 256;
	memset(block + n, 0xbe, 500);
	n += 500;
	frame(&w, HTTP_UP,
	      (struct frame_head){ FRAME2_HEADERS, FRAME2_END_HEADERS | FRAME2_END_STREAM, 1 },
	      bytes_of(block, n));
	headers(&w, HTTP_DOWN, FRAME2_END_STREAM, 1, ":status: 200");
	open_play(&p, (struct http2_options){ 0 });
	p.t.headers = false;
	if (play_acts(&p, &w, SIZE_MAX) < 0)
		fail_msg("%s", p.e.sentence);
	assert_string_equal(transcript_text(&p.t),
			    "up 1 http2 GET https|a.test|/ 2.0 cut\nup 1 http2 end 0\n"
			    "down 1 http2 200  2.0\ndown 1 http2 end 0\n");
	close_play(&p);
	wire_fini(&w);
}

static void bounds_header_blocks(void **state)
{
	struct wire w;
	static uint8_t many[16384];

	(void)state;
	memset(many, 0x82, sizeof(many)); /* :method: GET */
	start(&w);
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_HEADERS, 0, 1 },
	      bytes_of(many, sizeof(many)));
	for (int i = 0; i < HTTP2_BLOCK_MAX / 16384; i++)
		frame(&w, HTTP_UP, (struct frame_head){ FRAME2_CONTINUATION, 0, 1 },
		      bytes_of(many, sizeof(many)));
	expect_fault(&w, ERR_LIMIT);
}

static void gives_up_the_oldest_stream_when_there_are_too_many(void **state)
{
	struct wire w;
	struct play p;

	(void)state;
	start(&w);
	for (uint32_t i = 0; i <= HTTP2_STREAMS_MAX; i++)
		headers(&w, HTTP_UP, 0, 1 + 2 * i, GET);
	open_play(&p, (struct http2_options){ 0 });
	assert_int_equal(play_acts(&p, &w, SIZE_MAX), 0);
	assert_int_equal(http2_streams(p.h), HTTP2_STREAMS_MAX);
	assert_non_null(strstr(transcript_text(&p.t), "up 1 http2 end 0 truncated\n"
						      "down 1 http2 end 0 truncated\n"
						      "up 2049 http2 GET"));
	close_play(&p);
	wire_fini(&w);
}

static void bounds_unanswered_settings(void **state)
{
	struct wire w;

	(void)state;
	start(&w);
	for (int i = 0; i < 17; i++)
		frame(&w, HTTP_UP, (struct frame_head){ FRAME2_SETTINGS, 0, 0 }, NOTHING);
	expect_fault(&w, ERR_LIMIT);
}

static void refuses_frames_that_break_a_rule(void **state)
{
	static const struct {
		unsigned type, flags;
		uint32_t stream;
		struct bytes payload;
	} cases[] = {
		{ FRAME2_DATA, 0, 0, { (const uint8_t *)"x", 1 } },
		{ FRAME2_DATA, FRAME2_PADDED, 1, { (const uint8_t *)"\x02x", 2 } },
		{ FRAME2_DATA, FRAME2_PADDED, 1, { (const uint8_t *)"", 0 } },
		{ FRAME2_HEADERS, FRAME2_END_HEADERS, 0, { (const uint8_t *)"\x82", 1 } },
		{ FRAME2_HEADERS, FRAME2_END_HEADERS, 2, { (const uint8_t *)"\x82", 1 } },
		{ FRAME2_HEADERS, FRAME2_END_HEADERS, 1, { (const uint8_t *)"\xff\xff", 2 } },
		{ FRAME2_HEADERS, FRAME2_END_HEADERS, 1, { (const uint8_t *)"\x88", 1 } },
		{ FRAME2_HEADERS, FRAME2_HAS_PRIORITY, 1, { (const uint8_t *)"\0\0\0\0", 4 } },
		{ FRAME2_PUSH_PROMISE, FRAME2_END_HEADERS, 1, { (const uint8_t *)"\0\0\0\2", 4 } },
		{ FRAME2_CONTINUATION, FRAME2_END_HEADERS, 1, { (const uint8_t *)"\x82", 1 } },
		{ FRAME2_SETTINGS, 0, 1, { NULL, 0 } },
		{ FRAME2_SETTINGS, 0, 0, { (const uint8_t *)"12345", 5 } },
		{ FRAME2_SETTINGS, FRAME2_ACK, 0, { (const uint8_t *)"123456", 6 } },
		{ FRAME2_PING, 0, 0, { (const uint8_t *)"1234567", 7 } },
		{ FRAME2_GOAWAY, 0, 0, { (const uint8_t *)"1234567", 7 } },
		{ FRAME2_RST_STREAM, 0, 1, { (const uint8_t *)"123", 3 } },
		{ FRAME2_WINDOW_UPDATE, 0, 0, { (const uint8_t *)"12345", 5 } },
		{ FRAME2_PRIORITY, 0, 1, { (const uint8_t *)"1234", 4 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct wire w;

		start(&w);
		frame(&w, HTTP_UP,
		      (struct frame_head){ cases[i].type, cases[i].flags, cases[i].stream },
		      cases[i].payload);
		expect_fault(&w, ERR_HTTP_DECODE);
	}
}

static void refuses_a_header_block_that_is_torn_apart(void **state)
{
	struct wire w;

	(void)state;
	start(&w);
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_HEADERS, 0, 1 }, TEXT("\x82"));
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_PING, 0, 0 }, TEXT("12345678"));
	expect_fault(&w, ERR_HTTP_DECODE);
	start(&w);
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_HEADERS, 0, 1 }, TEXT("\x82"));
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_CONTINUATION, FRAME2_END_HEADERS, 3 },
	      TEXT("\x84"));
	expect_fault(&w, ERR_HTTP_DECODE);
}

static void refuses_responses_to_nothing(void **state)
{
	struct wire w;

	(void)state;
	start(&w);
	headers(&w, HTTP_DOWN, 0, 1, ":status: 200");
	expect_fault(&w, ERR_HTTP_DECODE);
	start(&w);
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 1, GET);
	headers(&w, HTTP_DOWN, 0, 1, ":status: abc");
	expect_fault(&w, ERR_HTTP_DECODE);
	start(&w);
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 1, GET);
	headers(&w, HTTP_DOWN, 0, 1, ":status: 200");
	headers(&w, HTTP_DOWN, 0, 1, "trailer: without-end");
	expect_fault(&w, ERR_HTTP_DECODE);
}

static void refuses_what_does_not_begin_as_it_must(void **state)
{
	struct wire w;

	(void)state;
	wire_init(&w);
	put(&w, HTTP_UP, TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"));
	expect_fault(&w, ERR_HTTP_DECODE);
	wire_init(&w);
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_PING, 0, 0 }, TEXT("12345678"));
	expect_fault(&w, ERR_HTTP_DECODE);
}

static void allows_larger_frames_when_they_are_announced(void **state)
{
	static uint8_t data[20000];
	struct wire w;

	(void)state;
	start(&w);
	headers(&w, HTTP_UP, 0, 1, GET);
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_DATA, 0, 1 }, bytes_of(data, sizeof(data)));
	expect_fault(&w, ERR_HTTP_DECODE);
	start(&w);
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_SETTINGS, 0, 0 }, TEXT("\0\5\0\1\0\0"));
	headers(&w, HTTP_UP, 0, 1, GET);
	frame(&w, HTTP_UP, (struct frame_head){ FRAME2_DATA, FRAME2_END_STREAM, 1 },
	      bytes_of(data, sizeof(data)));
	frame(&w, HTTP_DOWN, (struct frame_head){ FRAME2_RST_STREAM, 0, 1 }, TEXT("\0\0\0\0"));
	expect(&w, "up 1 http2 GET https|a.test|/ 2.0\n"
		   "up 1 http2 body 20000 bytes sum=1b0fa905\n"
		   "up 1 http2 end 20000\ndown 1 http2 end 0 truncated\n");
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
	const struct http_sink sink = { .on_head = ignore_head, .on_end = ignore_end };
	struct wire w;
	int status = -1;
	size_t fail;

	(void)state;
	start(&w);
	headers(&w, HTTP_UP, FRAME2_END_STREAM, 1, GET "\na: b");
	headers(&w, HTTP_DOWN, FRAME2_END_STREAM, 1, ":status: 200\na: b");
	headers(&w, HTTP_UP, 0, 3, WS);
	headers(&w, HTTP_DOWN, 0, 3, ":status: 200");
	for (fail = 1; status < 0; fail++) {
		struct play p = { 0 };

		mem_fail_at(fail);
		status = http2_new(&(struct http2_options){ .sink = &sink }, &p.h, &p.e);
		for (size_t i = 0, at = 0; i < w.count && status == 0; at = w.acts[i++].end)
			status = http2_feed(p.h, w.acts[i].dir,
					    bytes_of(w.bytes.p + at, w.acts[i].end - at), &p.e);
		mem_fail_at(0);
		if (status < 0)
			assert_int_equal(p.e.code, ERR_NOMEM);
		http2_free(p.h);
		assert_true(fail < 1000);
	}
	assert_true(fail > 10);
	wire_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_request_and_its_response),
		cmocka_unit_test(reads_padding_priority_and_continuations),
		cmocka_unit_test(reads_trailers_and_interim_answers),
		cmocka_unit_test(tells_interleaved_streams_apart),
		cmocka_unit_test(ends_what_is_open_with_the_connection),
		cmocka_unit_test(ignores_frames_that_crossed_a_reset),
		cmocka_unit_test(tells_of_pushed_streams),
		cmocka_unit_test(frames_grpc_messages),
		cmocka_unit_test(follows_the_table_size_of_the_other_side),
		cmocka_unit_test(gives_up_when_a_table_is_larger_than_allowed),
		cmocka_unit_test(follows_a_websocket_within_a_stream),
		cmocka_unit_test(goes_on_from_an_upgrade),
		cmocka_unit_test(says_what_is_unknown_when_it_came_late),
		cmocka_unit_test(late_it_knows_what_was_put_into_the_table_since),
		cmocka_unit_test(late_a_block_that_cannot_be_read_costs_itself_only),
		cmocka_unit_test(leaves_out_headers_beyond_the_limit),
		cmocka_unit_test(bounds_header_blocks),
		cmocka_unit_test(gives_up_the_oldest_stream_when_there_are_too_many),
		cmocka_unit_test(bounds_unanswered_settings),
		cmocka_unit_test(refuses_frames_that_break_a_rule),
		cmocka_unit_test(refuses_a_header_block_that_is_torn_apart),
		cmocka_unit_test(refuses_responses_to_nothing),
		cmocka_unit_test(refuses_what_does_not_begin_as_it_must),
		cmocka_unit_test(allows_larger_frames_when_they_are_announced),
		cmocka_unit_test(survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
