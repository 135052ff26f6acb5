#include "pcap/unpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

#define OUT_MAX ((size_t)1 << 20)

/* Text that packs well, and not to nothing. */
static struct bytes sample(void)
{
	static uint8_t text[200000];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)("oriel reads"[i % 11] + i / 777 % 5);
	return bytes_of(text, sizeof(text));
}

static void add_gzip(struct buf *out, struct bytes text)
{
	z_stream z = { 0 };
	uint8_t *room;
	size_t n = text.n + 1000;

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(buf_reserve(out, n, &room, NULL), 0);
	z.next_in = (z_const Bytef *)text.p;
	z.avail_in = (uInt)text.n;
	z.next_out = room;
	z.avail_out = (uInt)n;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_commit(out, n - z.avail_out);
	deflateEnd(&z);
}

static void add_zstd(struct buf *out, struct bytes text)
{
	uint8_t *room;
	size_t n = ZSTD_compressBound(text.n);

	assert_int_equal(buf_reserve(out, n, &room, NULL), 0);
	n = ZSTD_compress(room, n, text.p, text.n, 3);
	assert_false(ZSTD_isError(n));
	buf_commit(out, n);
}

static void add(struct buf *packed, enum unpack_coding coding, struct bytes text)
{
	if (coding == UNPACK_GZIP)
		add_gzip(packed, text);
	else
		add_zstd(packed, text);
}

/* Unpacks in steps of in, into a buffer of room bytes that is emptied when it is full. -1: failed. */
struct way {
	size_t step, room;
};

static int unpack_all(struct bytes packed, struct way way, struct buf *out, struct err *e)
{
	AUTO(buf_fini) struct buf room = buf_init(way.room);
	struct unpack *u;
	int r = 0;

	assert_int_equal(unpack_new(unpack_sniff(packed), &u, NULL), 0);
	while (r == 0) {
		size_t used, came;

		r = unpack_feed(u, bytes_slice(packed, 0, way.step), &used, &room, e);
		packed = bytes_slice(packed, used, packed.n);
		assert_int_equal(buf_add(out, buf_bytes(&room), NULL), 0);
		came = room.n;
		buf_clear(&room);
		if (packed.n == 0 && came == 0)
			break;
		assert_true(used || came || r < 0);
	}
	if (r == 0)
		r = unpack_end(u, e);
	unpack_free(u);
	return r;
}

static const enum unpack_coding codings[] = { UNPACK_GZIP, UNPACK_ZSTD };

static void tells_the_packing_by_the_first_bytes(void **state)
{
	(void)state;
	assert_int_equal(unpack_sniff(bytes_str("\x1f\x8b\x08\x01")), UNPACK_GZIP);
	assert_int_equal(unpack_sniff(bytes_str("\x28\xb5\x2f\xfd")), UNPACK_ZSTD);
	assert_int_equal(unpack_sniff(bytes_str("\x5f\x2a\x4d\x18")), UNPACK_ZSTD);
	assert_int_equal(unpack_sniff(bytes_str("\x60\x2a\x4d\x18")), UNPACK_NONE);
	assert_int_equal(unpack_sniff(bytes_str("\x0a\x0d\x0d\x0a")), UNPACK_NONE);
	assert_int_equal(unpack_sniff(bytes_str("\x1f\x8b\x08")), UNPACK_UNKNOWN);
	assert_int_equal(unpack_sniff(bytes_str("")), UNPACK_UNKNOWN);
}

static void several_members_are_one_text_however_they_are_cut(void **state)
{
	static const struct way ways[] = {
		{ SIZE_MAX, OUT_MAX }, { 1, OUT_MAX }, { SIZE_MAX, 1 }, { 7, 13 }, { 4096, 65536 }
	};
	struct bytes text = sample();

	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(codings); c++) {
		AUTO(buf_fini) struct buf packed = buf_init(OUT_MAX);

		add(&packed, codings[c], bytes_slice(text, 0, 100000));
		add(&packed, codings[c], bytes_str(""));
		add(&packed, codings[c], bytes_slice(text, 100000, text.n));
		for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
			AUTO(buf_fini) struct buf out = buf_init(OUT_MAX);

			assert_int_equal(unpack_all(buf_bytes(&packed), ways[w], &out, NULL), 0);
			assert_true(bytes_equal(buf_bytes(&out), text));
		}
	}
}

static void every_end_in_the_middle_is_told(void **state)
{
	struct bytes text = bytes_str("a little text, and a little text");

	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(codings); c++) {
		AUTO(buf_fini) struct buf packed = buf_init(OUT_MAX);

		add(&packed, codings[c], text);
		for (size_t n = UNPACK_FIRST; n < packed.n; n++) {
			AUTO(buf_fini) struct buf out = buf_init(OUT_MAX);
			struct err e = { 0 };

			assert_int_equal(unpack_all(bytes_of(packed.p, n), (struct way){ 5, 5 },
						    &out, &e),
					 -1);
			assert_int_equal(e.code, ERR_WIRE_DECODE);
			assert_string_equal(e.sentence, c ? "the zstd data ends in the middle"
							  : "the gzip data ends in the middle");
			assert_true(bytes_starts(text, buf_bytes(&out)));
		}
	}
}

static void damage_is_told_and_what_came_before_is_good(void **state)
{
	struct bytes text = sample();

	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(codings); c++) {
		AUTO(buf_fini) struct buf packed = buf_init(OUT_MAX), out = buf_init(OUT_MAX);
		struct err e = { 0 };
		size_t good;

		add(&packed, codings[c], bytes_slice(text, 0, 5000));
		good = packed.n;
		add(&packed, codings[c], bytes_slice(text, 5000, 5000));
		packed.p[good + 3] ^= 0xff;
		assert_int_equal(unpack_all(buf_bytes(&packed), (struct way){ 64, 64 }, &out, &e),
				 -1);
		assert_int_equal(e.code, ERR_WIRE_DECODE);
		assert_non_null(strstr(e.sentence, c ? "zstd data" : "gzip data"));
		assert_true(out.n >= 5000);
		assert_true(bytes_starts(text, buf_bytes(&out)));
	}
}

static void a_wrong_checksum_is_told(void **state)
{
	AUTO(buf_fini) struct buf packed = buf_init(OUT_MAX), out = buf_init(OUT_MAX);
	struct err e = { 0 };

	(void)state;
	add_gzip(&packed, bytes_str("text"));
	packed.p[packed.n - 5] ^= 1;
	assert_int_equal(unpack_all(buf_bytes(&packed), (struct way){ 64, 64 }, &out, &e), -1);
	assert_string_equal(e.sentence, "damaged gzip data: incorrect data check");
}

/* How many bytes of garbage count as ignored behind a gzip member. */
static uint64_t ignored_of(struct bytes garbage, size_t step)
{
	AUTO(buf_fini) struct buf packed = buf_init(OUT_MAX), out = buf_init(OUT_MAX);
	struct bytes left;
	struct unpack *u;
	uint64_t ignored;

	add_gzip(&packed, bytes_str("text"));
	assert_int_equal(buf_add(&packed, garbage, NULL), 0);
	left = buf_bytes(&packed);
	assert_int_equal(unpack_new(UNPACK_GZIP, &u, NULL), 0);
	while (left.n) {
		size_t used;

		assert_int_equal(unpack_feed(u, bytes_slice(left, 0, step), &used, &out, NULL), 0);
		assert_true(used > 0);
		left = bytes_slice(left, used, left.n);
	}
	assert_int_equal(unpack_end(u, NULL), 0);
	assert_true(bytes_equal(buf_bytes(&out), bytes_str("text")));
	ignored = unpack_ignored(u);
	unpack_free(u);
	return ignored;
}

static void garbage_behind_the_last_member_is_ignored(void **state)
{
	static const uint8_t zeros[512];

	(void)state;
	for (size_t step = 1; step < 1000; step += 333) {
		assert_int_equal(ignored_of(bytes_str(""), step), 0);
		assert_int_equal(ignored_of(bytes_of(zeros, sizeof(zeros)), step), 0);
		assert_int_equal(ignored_of(bytes_str("garbage"), step), 7);
		assert_int_equal(ignored_of(bytes_str("\x1fgarbage"), step), 8);
	}
}

static void frames_that_say_nothing_are_skipped(void **state)
{
	static const uint8_t skippable[] = { 0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3 };
	AUTO(buf_fini) struct buf packed = buf_init(OUT_MAX), out = buf_init(OUT_MAX);

	(void)state;
	assert_int_equal(buf_add(&packed, bytes_of(skippable, sizeof(skippable)), NULL), 0);
	add_zstd(&packed, bytes_str("text"));
	assert_int_equal(unpack_all(buf_bytes(&packed), (struct way){ 3, 99 }, &out, NULL), 0);
	assert_true(bytes_equal(buf_bytes(&out), bytes_str("text")));
}

static void what_follows_a_zstd_frame_must_be_one(void **state)
{
	AUTO(buf_fini) struct buf packed = buf_init(OUT_MAX), out = buf_init(OUT_MAX);
	struct err e = { 0 };

	(void)state;
	add_zstd(&packed, bytes_str("text"));
	assert_int_equal(buf_add(&packed, bytes_str("garbage"), NULL), 0);
	assert_int_equal(unpack_all(buf_bytes(&packed), (struct way){ 64, 64 }, &out, &e), -1);
	assert_int_equal(e.code, ERR_WIRE_DECODE);
	assert_true(bytes_equal(buf_bytes(&out), bytes_str("text")));
}

static void memory_that_is_not_there_is_told(void **state)
{
	AUTO(buf_fini) struct buf packed = buf_init(OUT_MAX);
	struct bytes text = sample();

	(void)state;
	add_gzip(&packed, text);
	for (size_t n = 1;; n++) {
		AUTO(buf_fini) struct buf out = buf_init(OUT_MAX);
		struct unpack *u = NULL;
		struct err e = { 0 };
		size_t used;
		int r;

		mem_fail_at(n);
		r = unpack_new(UNPACK_GZIP, &u, &e);
		if (r == 0)
			r = unpack_feed(u, buf_bytes(&packed), &used, &out, &e);
		mem_fail_at(0);
		unpack_free(u);
		if (r == 0)
			break;
		assert_int_equal(e.code, ERR_NOMEM);
		assert_true(n < 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_packing_by_the_first_bytes),
		cmocka_unit_test(several_members_are_one_text_however_they_are_cut),
		cmocka_unit_test(every_end_in_the_middle_is_told),
		cmocka_unit_test(damage_is_told_and_what_came_before_is_good),
		cmocka_unit_test(a_wrong_checksum_is_told),
		cmocka_unit_test(garbage_behind_the_last_member_is_ignored),
		cmocka_unit_test(frames_that_say_nothing_are_skipped),
		cmocka_unit_test(what_follows_a_zstd_frame_must_be_one),
		cmocka_unit_test(memory_that_is_not_there_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
