#include "http/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

#define OUT_MAX (1u << 20)

static const char hello[] = "hello hello hello hello\n";

/* Made by Python's gzip and zlib, Node's brotli, zstd. */
static const uint8_t gzip[] = {
	0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9,
	0x57, 0xc8, 0x40, 0x27, 0xb9, 0x00, 0x00, 0x88, 0x59, 0x0b, 0x18, 0x00, 0x00, 0x00,
};
static const uint8_t zlib[] = {
	0x78, 0xda, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8,
	0x40, 0x27, 0xb9, 0x00, 0x70, 0xbe, 0x08, 0xbb,
};
static const uint8_t raw[] = {
	0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x27, 0xb9, 0x00,
};
static const uint8_t brotli[] = {
	0x1b, 0x17, 0x00, 0xf8, 0x8d, 0x94, 0x6e, 0xde, 0x44, 0x55, 0x86, 0xd6,
	0x0a, 0x20, 0x6c, 0x6f, 0x4a, 0x11, 0x79, 0xe2, 0x80, 0xae, 0x16,
};
static const uint8_t zstd[] = {
	0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68, 0x6d, 0x00, 0x00, 0x38, 0x68,
	0x65, 0x6c, 0x6c, 0x6f, 0x20, 0x0a, 0x01, 0x00, 0x99, 0x4b, 0x11,
};

static const struct {
	const char *encoding;
	struct bytes in;
} codings[] = {
	{ "gzip", { gzip, sizeof(gzip) } },    { "X-GZip", { gzip, sizeof(gzip) } },
	{ "deflate", { zlib, sizeof(zlib) } }, { "deflate", { raw, sizeof(raw) } },
	{ "br", { brotli, sizeof(brotli) } },  { "zstd", { zstd, sizeof(zstd) } },
};

static void add(void *ctx, struct bytes data)
{
	assert_int_equal(buf_add(ctx, data, NULL), 0);
}

/* Decodes in pieces of step bytes, each on the heap, and says how it ended. */
static enum body_status decode(const char *encoding, struct bytes in, size_t step, struct buf *out)
{
	struct body_options options = {
		.encoding = bytes_str(encoding),
		.cap = out->max,
		.on_data = add,
		.ctx = out,
	};
	enum body_status status;
	struct body *b;

	assert_int_equal(body_new(&options, &b, NULL), 0);
	while (in.n) {
		struct bytes piece = bytes_slice(in, 0, step);
		uint8_t *copy = malloc(piece.n);

		memcpy(copy, piece.p, piece.n);
		(void)body_feed(b, bytes_of(copy, piece.n));
		free(copy);
		in = bytes_slice(in, piece.n, in.n);
	}
	status = body_finish(b);
	body_free(b);
	return status;
}

static void expect(const char *encoding, struct bytes in, enum body_status expected,
		   struct bytes text)
{
	static const size_t steps[] = { SIZE_MAX, 1, 2, 7 };

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct buf out = buf_init(OUT_MAX);

		assert_int_equal(decode(encoding, in, steps[i], &out), expected);
		assert_int_equal(out.n, text.n);
		assert_true(bytes_equal(buf_bytes(&out), text));
		buf_fini(&out);
	}
}

static void undoes_each_coding(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codings); i++)
		expect(codings[i].encoding, codings[i].in, BODY_DONE, bytes_str(hello));
	expect("", bytes_str(hello), BODY_DONE, bytes_str(hello));
	expect(" identity ", bytes_str(hello), BODY_DONE, bytes_str(hello));
}

static void says_when_a_coding_is_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
		for (size_t n = 1; n < codings[i].in.n; n++) {
			struct buf out = buf_init(OUT_MAX);
			struct bytes part = bytes_slice(codings[i].in, 0, n);

			assert_int_equal(decode(codings[i].encoding, part, SIZE_MAX, &out),
					 BODY_BAD);
			assert_true(bytes_starts(bytes_str(hello), buf_bytes(&out)));
			buf_fini(&out);
		}
	}
}

/* The answer to HEAD has a Content-Encoding and no body. */
static void takes_no_bytes_at_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codings); i++)
		expect(codings[i].encoding, bytes_of(NULL, 0), BODY_DONE, bytes_of(NULL, 0));
}

static void goes_on_with_the_next_member(void **state)
{
	struct buf twice = buf_init(1000), text = buf_init(1000);

	(void)state;
	for (int i = 0; i < 2; i++) {
		add(&twice, bytes_of(gzip, sizeof(gzip)));
		add(&text, bytes_str(hello));
	}
	expect("gzip", buf_bytes(&twice), BODY_DONE, buf_bytes(&text));
	buf_clear(&twice);
	add(&twice, bytes_of(zstd, sizeof(zstd)));
	add(&twice, bytes_of(zstd, sizeof(zstd)));
	expect("zstd", buf_bytes(&twice), BODY_DONE, buf_bytes(&text));
	buf_fini(&twice);
	buf_fini(&text);
}

static void ignores_what_comes_behind(void **state)
{
	struct buf more = buf_init(1000);

	(void)state;
	add(&more, bytes_of(gzip, sizeof(gzip)));
	add(&more, bytes_of("\0\0", 2));
	expect("gzip", buf_bytes(&more), BODY_DONE, bytes_str(hello));
	/* What would begin a member does so only directly behind one. */
	add(&more, bytes_str("\x1f\x8b\x1f\x8b\x1f\x8b\x1f\x8b"));
	expect("gzip", buf_bytes(&more), BODY_DONE, bytes_str(hello));
	buf_clear(&more);
	add(&more, bytes_of(brotli, sizeof(brotli)));
	add(&more, bytes_str("garbage"));
	expect("br", buf_bytes(&more), BODY_DONE, bytes_str(hello));
	buf_fini(&more);
}

/* One deflate of zlib's over what is given. */
static void pack(struct bytes in, int bits, struct buf *out)
{
	z_stream z = { 0 };
	uint8_t *room;

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(buf_reserve(out, in.n + 1000, &room, NULL), 0);
	z.next_in = (z_const Bytef *)in.p;
	z.avail_in = (uInt)in.n;
	z.next_out = room;
	z.avail_out = (uInt)(in.n + 1000);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_commit(out, in.n + 1000 - z.avail_out);
	deflateEnd(&z);
}

static void undoes_two_codings(void **state)
{
	struct buf both = buf_init(10000);

	(void)state;
	pack(bytes_of(brotli, sizeof(brotli)), 31, &both);
	expect("br, gzip", buf_bytes(&both), BODY_DONE, bytes_str(hello));
	expect("identity, br,gzip", buf_bytes(&both), BODY_DONE, bytes_str(hello));
	buf_clear(&both);
	pack(bytes_of(gzip, sizeof(gzip)), -15, &both);
	expect("gzip,deflate", buf_bytes(&both), BODY_DONE, bytes_str(hello));
	buf_fini(&both);
}

static void refuses_other_codings(void **state)
{
	static const char *const encodings[] = { "compress", "gzip, gzip, gzip", "gzip;q=1",
						 "exi" };
	struct body *b;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(encodings); i++) {
		struct body_options options = { .encoding = bytes_str(encodings[i]) };

		assert_int_equal(body_new(&options, &b, &e), -1);
		assert_int_equal(e.code, ERR_UNSUPPORTED);
	}
}

static void says_when_a_coding_is_malformed(void **state)
{
	static const char *const encodings[] = { "gzip", "deflate", "br", "zstd" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(encodings); i++)
		expect(encodings[i], bytes_str("\xff\xfe plainly no compressed bytes \xff"),
		       BODY_BAD, bytes_of(NULL, 0));
}

#define BOMB (64u << 20)

/* What comes out stops exactly at the cap, whatever went in. */
static void cuts_bombs(void **state)
{
	/* Brotli's form of 64 MiB of zeros, by Node. */
	static const uint8_t brotli_bomb[] = {
		0xcb, 0xff, 0xff, 0x3f, 0xf8, 0x27, 0x00, 0xe2, 0xb1, 0x40, 0x20, 0xf7, 0xfe, 0x8f,
		0xff, 0xff, 0x7f, 0xf0, 0x4f, 0x00, 0xc4, 0x61, 0x11, 0x80, 0xee, 0xfd, 0x1f, 0xff,
		0xff, 0xff, 0xe0, 0x9f, 0x00, 0x88, 0xc3, 0x02, 0x00, 0xdd, 0xfb, 0x3f, 0xfe, 0xff,
		0xff, 0xc1, 0x3f, 0x01, 0x10, 0x87, 0x05, 0x00, 0xba, 0xf7, 0x7f, 0xfc, 0xff, 0xff,
		0x83, 0x7f, 0x02, 0x20, 0x0e, 0x0b, 0x00, 0x74, 0xef, 0xff, 0xf8, 0xff, 0xff, 0x07,
		0xff, 0x04, 0x40, 0x1c, 0x16, 0x00, 0xe8, 0xde, 0xff, 0xf1, 0xff, 0xff, 0x0f, 0xfe,
		0x09, 0x80, 0x38, 0x2c, 0x00, 0xd0, 0xbd, 0xff, 0xcb, 0xff, 0xff, 0x3f, 0xfc, 0x13,
		0x00, 0x71, 0x58, 0x00, 0xa0, 0x7b, 0xff, 0x07
	};
	uint8_t *zeros = mem_new(BOMB);
	struct buf bomb = buf_init(BOMB + 2000), twice = buf_init(OUT_MAX);
	struct buf packed = buf_init(OUT_MAX);
	struct bytes cases[4];
	static const char *const encodings[] = { "gzip", "gzip, gzip", "br", "zstd" };
	uint8_t *room;

	(void)state;
	pack(bytes_of(zeros, BOMB), 31, &bomb);
	pack(buf_bytes(&bomb), 31, &twice);
	assert_int_equal(buf_reserve(&packed, 100000, &room, NULL), 0);
	buf_commit(&packed, ZSTD_compress(room, 100000, zeros, BOMB, 19));
	cases[0] = buf_bytes(&bomb);
	cases[1] = buf_bytes(&twice);
	cases[2] = bytes_of(brotli_bomb, sizeof(brotli_bomb));
	cases[3] = buf_bytes(&packed);
	for (size_t i = 0; i < 4; i++) {
		struct buf out = buf_init(100000);

		assert_int_equal(decode(encodings[i], cases[i], SIZE_MAX, &out), BODY_CUT);
		assert_int_equal(out.n, out.max);
		buf_fini(&out);
	}
	buf_fini(&bomb);
	buf_fini(&twice);
	buf_fini(&packed);
	mem_free(zeros);
}

/* It reaches the cap and not one byte more: nothing is cut. */
static void fills_the_cap_exactly(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
		struct buf out = buf_init(sizeof(hello) - 1);

		assert_int_equal(decode(codings[i].encoding, codings[i].in, 3, &out), BODY_DONE);
		assert_true(bytes_equal(buf_bytes(&out), bytes_str(hello)));
		buf_fini(&out);
		out = buf_init(sizeof(hello) - 2);
		assert_int_equal(decode(codings[i].encoding, codings[i].in, 3, &out), BODY_CUT);
		assert_int_equal(out.n, out.max);
		buf_fini(&out);
	}
}

static void decodes_all_at_once(void **state)
{
	struct buf out = buf_init(100), small = buf_init(10);
	enum body_status status;

	(void)state;
	assert_int_equal(body_decode(bytes_str("gzip"), bytes_of(gzip, sizeof(gzip)), &out, &status,
				     NULL),
			 0);
	assert_int_equal(status, BODY_DONE);
	assert_true(bytes_equal(buf_bytes(&out), bytes_str(hello)));
	assert_int_equal(body_decode(bytes_str(""), bytes_str(hello), &small, &status, NULL), 0);
	assert_int_equal(status, BODY_CUT);
	assert_int_equal(small.n, 10);
	assert_string_equal(body_status_text(status), "cut off at the limit");
	assert_int_equal(body_decode(bytes_str("x"), bytes_str(hello), &out, &status, NULL), -1);
	buf_fini(&out);
	buf_fini(&small);
}

static void survives_a_lack_of_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < 5; i++) {
		bool made = false;

		for (size_t fail = 1; fail < 20; fail++) {
			struct buf out = buf_init(1000);
			struct body_options options = { .encoding = bytes_str(codings[i].encoding),
							.cap = 1000,
							.on_data = add,
							.ctx = &out };
			struct body *b = NULL;
			struct err e = { 0 };

			uint8_t *room;

			assert_int_equal(buf_reserve(&out, 100, &room, NULL), 0);
			mem_fail_at(fail);
			if (body_new(&options, &b, &e) < 0) {
				assert_int_equal(e.code, ERR_NOMEM);
				assert_false(made);
			} else {
				made = true;
				(void)body_feed(b, codings[i].in);
			}
			mem_fail_at(0);
			body_free(b);
			buf_fini(&out);
		}
		assert_true(made);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(undoes_each_coding),
		cmocka_unit_test(says_when_a_coding_is_truncated),
		cmocka_unit_test(takes_no_bytes_at_all),
		cmocka_unit_test(goes_on_with_the_next_member),
		cmocka_unit_test(ignores_what_comes_behind),
		cmocka_unit_test(undoes_two_codings),
		cmocka_unit_test(refuses_other_codings),
		cmocka_unit_test(says_when_a_coding_is_malformed),
		cmocka_unit_test(cuts_bombs),
		cmocka_unit_test(fills_the_cap_exactly),
		cmocka_unit_test(decodes_all_at_once),
		cmocka_unit_test(survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
