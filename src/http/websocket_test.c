#include "http/websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <zlib.h>

#include "base/mem.h"
#include "http/transcript.h"

#define TEXT(s) bytes_of(s, sizeof(s) - 1)

struct play {
	struct transcript t;
	struct websocket *w;
	struct err e;
};

static void open_play(struct play *p, const char *extensions)
{
	struct websocket_options options = {
		.params = websocket_params(bytes_str(extensions)),
		.stream = 1,
	};

	*p = (struct play){ 0 };
	transcript_init(&p->t);
	options.sink = &p->t.sink;
	assert_int_equal(websocket_new(&options, &p->w, NULL), 0);
}

static void close_play(struct play *p)
{
	websocket_free(p->w);
	transcript_fini(&p->t);
}

static int feed_cut(struct play *p, enum http_dir dir, struct bytes in, size_t step)
{
	while (in.n) {
		struct bytes piece = bytes_slice(in, 0, step);
		uint8_t *copy = malloc(piece.n);
		int status;

		memcpy(copy, piece.p, piece.n);
		status = websocket_feed(p->w, dir, bytes_of(copy, piece.n), &p->e);
		free(copy);
		if (status < 0)
			return -1;
		in = bytes_slice(in, piece.n, in.n);
	}
	return 0;
}

static void expect(const char *extensions, struct bytes up, struct bytes down, const char *expected)
{
	static const size_t steps[] = { SIZE_MAX, 1, 3, 10 };

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct play p;

		open_play(&p, extensions);
		if (feed_cut(&p, HTTP_UP, up, steps[i]) < 0)
			fail_msg("%s", p.e.sentence);
		websocket_end(p.w, HTTP_UP, false);
		websocket_end(p.w, HTTP_UP, false);
		if (feed_cut(&p, HTTP_DOWN, down, steps[i]) < 0)
			fail_msg("%s", p.e.sentence);
		websocket_end(p.w, HTTP_DOWN, true);
		assert_string_equal(transcript_text(&p.t), expected);
		close_play(&p);
	}
}

static void reads_the_examples_of_the_rfc(void **state)
{
	(void)state;
	/* RFC 6455, 5.7: a masked text, a text in two fragments, a ping and its answer. */
	expect("",
	       TEXT("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
		    "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
	       TEXT("\x01\x03Hel\x80\x02lo\x89\x05Hello"),
	       "up 1 websocket body op=1 \"Hello\" end\n"
	       "up 1 websocket body op=10 \"Hello\" end\n"
	       "up 1 websocket end 5 truncated\n"
	       "down 1 websocket body op=1 \"Hello\" end\n"
	       "down 1 websocket body op=9 \"Hello\" end\n"
	       "down 1 websocket end 5\n");
}

static void lets_control_frames_between_fragments(void **state)
{
	(void)state;
	expect("", TEXT("\x88\x00"),
	       TEXT("\x02\x02"
		    "ab\x89\x01!\x80\x01"
		    "c\x82\x00"),
	       "up 1 websocket body op=8 \"\" end\n"
	       "up 1 websocket end 0\n"
	       "down 1 websocket body op=2 \"ab\"\n"
	       "down 1 websocket body op=9 \"!\" end\n"
	       "down 1 websocket body op=2 \"c\" end\n"
	       "down 1 websocket body op=2 \"\" end\n"
	       "down 1 websocket end 3\n");
}

static void says_when_a_message_was_cut_off(void **state)
{
	(void)state;
	expect("", TEXT("\x81\x05He"), TEXT("\x81"),
	       "up 1 websocket body op=1 \"He\"\n"
	       "up 1 websocket end 2 truncated\n"
	       "down 1 websocket end 0 truncated\n");
}

static void reads_long_lengths(void **state)
{
	static uint8_t frames[4 + 300 + 10 + 70000];

	(void)state;
	memcpy(frames, "\x82\x7e\x01\x2c", 4);
	memcpy(frames + 304, "\x82\x7f\0\0\0\0\0\x01\x11\x70", 10);
	expect("", TEXT("\x88\x00"), bytes_of(frames, sizeof(frames)),
	       "up 1 websocket body op=8 \"\" end\nup 1 websocket end 0\n"
	       "down 1 websocket body op=2 300 bytes sum=68323885 end\n"
	       "down 1 websocket body op=2 70000 bytes sum=b4949b05 end\n"
	       "down 1 websocket end 70300\n");
}

static void undoes_permessage_deflate(void **state)
{
	(void)state;
	/* RFC 7692, 7.2.3: Hello, Hello again with the window kept, in two fragments, not
	 * compressed at all, and with a final block. */
	expect("permessage-deflate",
	       TEXT("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00"
		    "\x41\x03\xf2\x00\x11\x80\x02\x00\x00"),
	       TEXT("\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00\x81\x02hi"
		    "\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00\xc1\x01\x00"),
	       "up 1 websocket body op=1 \"Hello\" end\n"
	       "up 1 websocket body op=1 \"Hello\" end\n"
	       "up 1 websocket body op=1 \"Hello\" end\n"
	       "up 1 websocket end 17 truncated\n"
	       "down 1 websocket body op=1 \"Hello\" end\n"
	       "down 1 websocket body op=1 \"hi\" end\n"
	       "down 1 websocket body op=1 \"Hello\" end\n"
	       "down 1 websocket body op=1 \"\" end\n"
	       "down 1 websocket end 22\n");
}

static void forgets_the_window_where_it_was_agreed(void **state)
{
	(void)state;
	/* The second message refers to the first one, which it must not. */
	expect("permessage-deflate; client_no_context_takeover",
	       TEXT("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"
		    "\xc1\x05\xf2\x00\x11\x00\x00"),
	       TEXT("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00"),
	       "up 1 websocket body op=1 \"Hello\" end\n"
	       "up 1 websocket body op=1 \"Hello\" end\n"
	       "up 1 websocket body op=1 compressed \"H\" end\n"
	       "up 1 websocket end 19 truncated\n"
	       "down 1 websocket body op=1 \"Hello\" end\n"
	       "down 1 websocket body op=1 \"Hello\" end\n"
	       "down 1 websocket end 12\n");
}

static void reads_what_was_agreed(void **state)
{
	struct websocket_params p;

	(void)state;
	p = websocket_params(bytes_str(""));
	assert_false(p.deflate);
	assert_false(p.unknown);
	p = websocket_params(bytes_str("Permessage-Deflate ; server_no_context_takeover; "
				       "server_max_window_bits=10;client_max_window_bits=\"12\""));
	assert_true(p.deflate);
	assert_false(p.unknown);
	assert_true(p.no_context[HTTP_DOWN]);
	assert_false(p.no_context[HTTP_UP]);
	assert_int_equal(p.bits[HTTP_DOWN], 10);
	assert_int_equal(p.bits[HTTP_UP], 12);
	p = websocket_params(bytes_str("permessage-deflate; server_max_window_bits=99, bar"));
	assert_true(p.deflate);
	assert_true(p.unknown);
	assert_int_equal(p.bits[HTTP_DOWN], 15);
}

static void hands_over_as_it_is_what_is_not_known(void **state)
{
	(void)state;
	expect("x-snappy", TEXT("\x88\x00"), TEXT("\xf1\x02zz"),
	       "up 1 websocket body op=8 \"\" end\nup 1 websocket end 0\n"
	       "down 1 websocket body op=1 compressed \"zz\" end\n"
	       "down 1 websocket end 2\n");
}

/* 64 MiB of zeros in 64 KiB: decompression stops, the flow goes on. */
static void bounds_what_is_decompressed(void **state)
{
	static uint8_t zeros[1 << 16], packed[1 << 17];
	uint8_t header[10] = { 0xc2, 127 };
	z_stream z = { 0 };
	struct play p;
	size_t n;

	(void)state;
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = packed;
	z.avail_out = sizeof(packed);
	for (int i = 0; i < 1024; i++) {
		z.next_in = zeros;
		z.avail_in = sizeof(zeros);
		assert_int_equal(deflate(&z, i == 1023 ? Z_SYNC_FLUSH : Z_NO_FLUSH), Z_OK);
	}
	n = sizeof(packed) - z.avail_out - 4;
	deflateEnd(&z);
	for (int i = 0; i < 8; i++)
		header[9 - i] = (uint8_t)(n >> (8 * i));
	open_play(&p, "permessage-deflate");
	assert_int_equal(feed_cut(&p, HTTP_DOWN, bytes_of(header, 10), SIZE_MAX), 0);
	assert_int_equal(feed_cut(&p, HTTP_DOWN, bytes_of(packed, n), SIZE_MAX), 0);
	assert_int_equal(feed_cut(&p, HTTP_DOWN, TEXT("\xc1\x01z\x81\x01y"), SIZE_MAX), 0);
	assert_true(p.t.text.max > 0);
	websocket_end(p.w, HTTP_DOWN, true);
	assert_non_null(strstr(transcript_text(&p.t),
			       "down 1 websocket body op=1 compressed \"z\" end\n"
			       "down 1 websocket body op=1 \"y\" end\n"));
	assert_true(p.t.body.cap < (16u << 20));
	close_play(&p);
}

static void refuses_frames_that_break_a_rule(void **state)
{
	static const struct {
		const char *extensions;
		struct bytes frames;
	} cases[] = {
		{ "", { (const uint8_t *)"\x83\x00", 2 } },	    /* unknown opcode */
		{ "", { (const uint8_t *)"\x8b\x00", 2 } },	    /* the same */
		{ "", { (const uint8_t *)"\x09\x00", 2 } },	    /* fragmented ping */
		{ "", { (const uint8_t *)"\x89\x7e\x00\x7e", 4 } }, /* 126 bytes of ping */
		{ "", { (const uint8_t *)"\x80\x00", 2 } },	    /* of nothing */
		{ "", { (const uint8_t *)"\x01\x00\x81\x00", 4 } }, /* within another */
		{ "", { (const uint8_t *)"\xc1\x00", 2 } },	    /* RSV1 not agreed */
		{ "permessage-deflate", { (const uint8_t *)"\xa1\x00", 2 } }, /* RSV2 */
		{ "permessage-deflate", { (const uint8_t *)"\xc9\x00", 2 } }, /* ping, RSV1 */
		{ "permessage-deflate", { (const uint8_t *)"\x01\x00\xc0\x00", 4 } },
		{ "", { (const uint8_t *)"\x81\x7f\x80\0\0\0\0\0\0\0", 10 } }, /* 2^63 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t step = 1; step < 12; step += 10) {
			struct play p;

			open_play(&p, cases[i].extensions);
			assert_int_equal(feed_cut(&p, HTTP_UP, cases[i].frames, step), -1);
			assert_int_equal(p.e.code, ERR_HTTP_DECODE);
			assert_int_equal(feed_cut(&p, HTTP_DOWN, TEXT("\x81\x00"), 2), -1);
			close_play(&p);
		}
	}
}

static void counts_messages_that_nobody_wants(void **state)
{
	struct transcript t;
	struct websocket_options options = { .params =
						     websocket_params(TEXT("permessage-deflate")) };
	struct websocket *w;

	(void)state;
	transcript_init(&t);
	t.sink.on_body = NULL;
	options.sink = &t.sink;
	mem_fail_at(2); /* no inflater is made */
	assert_int_equal(websocket_new(&options, &w, NULL), 0);
	assert_int_equal(websocket_feed(w, HTTP_UP, TEXT("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"),
					NULL),
			 0);
	mem_fail_at(0);
	websocket_end(w, HTTP_UP, true);
	assert_string_equal(transcript_text(&t), "up 0 websocket end 7\n");
	websocket_free(w);
	transcript_fini(&t);
}

static void ignore_body(void *ctx, const struct http_chunk *chunk)
{
	(void)ctx;
	(void)chunk;
}

static void survives_a_lack_of_memory(void **state)
{
	const struct http_sink sink = { .on_body = ignore_body };
	struct websocket_options options = { .params = websocket_params(TEXT("permessage-deflate")),
					     .sink = &sink };
	int status = -1;
	size_t fail;

	(void)state;
	for (fail = 1; status < 0; fail++) {
		struct websocket *w = NULL;
		struct err e = { 0 };

		mem_fail_at(fail);
		status = websocket_new(&options, &w, &e);
		if (status == 0)
			status = websocket_feed(w, HTTP_UP,
						TEXT("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), &e);
		mem_fail_at(0);
		if (status < 0)
			assert_int_equal(e.code, ERR_NOMEM);
		websocket_free(w);
		assert_true(fail < 20);
	}
	assert_true(fail > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_examples_of_the_rfc),
		cmocka_unit_test(lets_control_frames_between_fragments),
		cmocka_unit_test(says_when_a_message_was_cut_off),
		cmocka_unit_test(reads_long_lengths),
		cmocka_unit_test(undoes_permessage_deflate),
		cmocka_unit_test(forgets_the_window_where_it_was_agreed),
		cmocka_unit_test(reads_what_was_agreed),
		cmocka_unit_test(hands_over_as_it_is_what_is_not_known),
		cmocka_unit_test(bounds_what_is_decompressed),
		cmocka_unit_test(refuses_frames_that_break_a_rule),
		cmocka_unit_test(counts_messages_that_nobody_wants),
		cmocka_unit_test(survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
