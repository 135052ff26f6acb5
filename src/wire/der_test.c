#include "wire/der.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define B(s) bytes_of("" s, sizeof(s) - 1)

static struct rd reader(struct bytes b, bool *bad)
{
	*bad = false;
	return rd_init(b, bad);
}

static void reads_nested_elements(void **state)
{
	bool bad;
	struct rd r = reader(B("\x30\x08\x02\x01\x05\x04\x03"
			       "abc"),
			     &bad);
	struct rd seq = der_open(&r, DER_SEQUENCE);

	(void)state;
	assert_int_equal(der_peek(&seq), DER_INTEGER);
	assert_int_equal(der_uint(&seq), 5);
	assert_true(bytes_equal(der_value(&seq, DER_OCTET_STRING), B("abc")));
	assert_int_equal(der_peek(&seq), 0);
	rd_end(&seq);
	rd_end(&r);
	assert_false(bad);
}

static void refuses_every_truncation(void **state)
{
	static const uint8_t whole[] = { 0x30, 0x82, 0x01, 0x04, 0x04, 0x82, 0x01, 0x00 };
	uint8_t all[264] = { 0 };
	bool bad;

	(void)state;
	memcpy(all, whole, sizeof(whole));
	for (size_t n = 0; n <= sizeof(all); n++) {
		struct rd r = reader(bytes_of(all, n), &bad);
		struct rd seq = der_open(&r, DER_SEQUENCE);

		(void)der_value(&seq, DER_OCTET_STRING);
		rd_end(&seq);
		assert_int_equal(bad, n < sizeof(all));
	}
}

static void refuses_lengths_that_are_not_der(void **state)
{
	static const struct bytes wrong[] = {
		{ (const uint8_t *)"\x04\x80\x00\x00", 4 },	/* indefinite */
		{ (const uint8_t *)"\x04\x81\x01\x00", 4 },	/* fits into one byte */
		{ (const uint8_t *)"\x04\x82\x00\x01\x00", 5 }, /* a leading zero */
		{ (const uint8_t *)"\x04\x85\x00\x00\x00\x00\x01\x00", 8 },
		{ (const uint8_t *)"\x04\xff\x00", 3 },
		{ (const uint8_t *)"\x1f\x81\x00\x00", 4 }, /* a tag of two bytes */
		{ (const uint8_t *)"\x04", 1 },
		{ (const uint8_t *)"\x04\x02\x00", 3 },
	};
	bool bad;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct rd r = reader(wrong[i], &bad);
		struct der d = der_next(&r);

		assert_true(bad);
		assert_int_equal(d.value.n, 0);
		assert_int_equal(r.n, 0);
	}
}

static void refuses_types_in_the_wrong_form(void **state)
{
	static const uint8_t wrong[] = {
		0x00, 0x20, 0x10, 0x11, 0x24, 0x2c, 0x33, 0x28, 0x1f, 0xbf
	};
	static const uint8_t right[] = {
		0x30, 0x31, 0x05, 0x04, 0x0c, 0x80, 0xa0, 0xbe, 0x40, 0xe1
	};
	bool bad;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		uint8_t b[2] = { wrong[i], 0 };
		struct rd r = reader(bytes_of(b, 2), &bad);

		(void)der_next(&r);
		assert_true(bad);
		b[0] = right[i];
		r = reader(bytes_of(b, 2), &bad);
		(void)der_next(&r);
		assert_false(bad);
	}
}

static bool any_is_valid(struct bytes b)
{
	bool bad;
	struct rd r = reader(b, &bad);
	struct der d = der_next(&r);

	assert_false(bad);
	return der_is_valid(d);
}

static void contents_have_to_fit_their_types(void **state)
{
	static const struct bytes right[] = {
		{ (const uint8_t *)"\x01\x01\xff", 3 },	    { (const uint8_t *)"\x02\x01\x00", 3 },
		{ (const uint8_t *)"\x0a\x01\x80", 3 },	    { (const uint8_t *)"\x03\x01\x00", 3 },
		{ (const uint8_t *)"\x05\x00", 2 },	    { (const uint8_t *)"\x06\x01\x2a", 3 },
		{ (const uint8_t *)"\x1e\x02\x00\x41", 4 }, { (const uint8_t *)"\x1c\x00", 2 },
		{ (const uint8_t *)"\x30\x01\xff", 3 },	    { (const uint8_t *)"\x80\x01\xff", 3 },
	};
	static const struct bytes wrong[] = {
		{ (const uint8_t *)"\x01\x01\x01", 3 },
		{ (const uint8_t *)"\x02\x00", 2 },
		{ (const uint8_t *)"\x0a\x02\x00\x01", 4 },
		{ (const uint8_t *)"\x03\x00", 2 },
		{ (const uint8_t *)"\x05\x01\x00", 3 },
		{ (const uint8_t *)"\x06\x01\x80", 3 },
		{ (const uint8_t *)"\x1e\x01\x41", 3 },
		{ (const uint8_t *)"\x1c\x02\x00\x41", 4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(right); i++)
		assert_true(any_is_valid(right[i]));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(any_is_valid(wrong[i]));
}

static void refuses_another_tag_and_the_end(void **state)
{
	bool bad;
	struct rd r = reader(B("\x04\x00"), &bad);

	(void)state;
	(void)der_value(&r, DER_SEQUENCE);
	assert_true(bad);
	r = reader(B(""), &bad);
	(void)der_value(&r, 0);
	assert_true(bad);
}

static bool is_integer(struct bytes b)
{
	bool bad;
	struct rd r = reader(b, &bad);

	(void)der_integer(&r);
	rd_end(&r);
	return !bad;
}

static void integers_have_no_superfluous_byte(void **state)
{
	(void)state;
	assert_true(is_integer(B("\x02\x01\x00")));
	assert_true(is_integer(B("\x02\x01\xff")));
	assert_true(is_integer(B("\x02\x02\x00\x80")));
	assert_true(is_integer(B("\x02\x02\xff\x7f")));
	assert_false(is_integer(B("\x02\x00")));
	assert_false(is_integer(B("\x02\x02\x00\x7f")));
	assert_false(is_integer(B("\x02\x02\xff\x80")));
}

static void reads_numbers_up_to_63_bits(void **state)
{
	bool bad;
	struct rd r = reader(B("\x02\x08\x7f\xff\xff\xff\xff\xff\xff\xff"), &bad);

	(void)state;
	assert_true(der_uint(&r) == INT64_MAX && !bad);
	r = reader(B("\x02\x09\x00\x80\x00\x00\x00\x00\x00\x00\x00"), &bad);
	assert_true(der_uint(&r) == 0 && bad);
	r = reader(B("\x02\x01\x80"), &bad);
	assert_true(der_uint(&r) == 0 && bad);
}

static void booleans_are_00_or_ff(void **state)
{
	bool bad;
	struct rd r = reader(B("\x01\x01\xff\x01\x01\x00\x01\x01\x01"), &bad);

	(void)state;
	assert_true(der_bool(&r));
	assert_false(der_bool(&r));
	assert_false(bad);
	(void)der_bool(&r);
	assert_true(bad);
}

static bool bits_are(struct bytes b, unsigned want)
{
	bool bad;
	struct rd r = reader(b, &bad);
	unsigned unused = 99;

	(void)der_bits(&r, &unused);
	return !bad && unused == want;
}

static void bit_strings_say_how_many_bits_are_unused(void **state)
{
	bool bad;
	struct rd r = reader(B("\x03\x02\x05\xa0"), &bad);

	(void)state;
	assert_true(bits_are(B("\x03\x02\x05\xa0"), 5));
	assert_true(bits_are(B("\x03\x01\x00"), 0));
	assert_false(bits_are(B("\x03\x00"), 0));
	assert_false(bits_are(B("\x03\x01\x01"), 1));	  /* unused bits of nothing */
	assert_false(bits_are(B("\x03\x02\x08\x00"), 8)); /* more than a byte */
	assert_false(bits_are(B("\x03\x02\x05\xb0"), 5)); /* an unused bit is set */
	(void)der_bits(&r, NULL);
	assert_true(bad);
}

static void prints_oids(void **state)
{
	static const struct {
		struct bytes oid;
		const char *text;
	} good[] = {
		{ { (const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", 9 },
		  "1.2.840.113549.1.1.11" },
		{ { (const uint8_t *)"\x55\x1d\x11", 3 }, "2.5.29.17" },
		{ { (const uint8_t *)"\x00", 1 }, "0.0" },
		{ { (const uint8_t *)"\x88\x37\x03", 3 }, "2.999.3" },
		{ { (const uint8_t *)"\x2a\x81\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11 },
		  "1.2.18446744073709551615" },
		{ { (const uint8_t *)"\x2a\x83\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01", 12 },
		  "1.2.?.1" },
	};
	char text[64], small[10];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(oid_is_valid(good[i].oid));
		assert_string_equal(oid_text(good[i].oid, text, sizeof(text)), good[i].text);
	}
	assert_string_equal(oid_text(good[0].oid, small, 9), "1.2...");
	assert_string_equal(oid_text(good[1].oid, small, sizeof(small)), "2.5.29.17");
	assert_false(oid_is_valid(B("")));
	assert_false(oid_is_valid(B("\x2a\x86")));
	assert_false(oid_is_valid(B("\x80\x01")));
	assert_false(oid_is_valid(B("\x2a\x80\x01")));
}

static int64_t time_of(struct bytes b, bool *bad)
{
	struct rd r = reader(b, bad);
	int64_t t = der_time(&r);

	rd_end(&r);
	return t;
}

static void reads_both_forms_of_time(void **state)
{
	bool bad;

	(void)state;
	assert_int_equal(time_of(B("\x17\x0d"
				   "700101000000Z"),
				 &bad),
			 0);
	assert_false(bad);
	assert_int_equal(time_of(B("\x17\x0d"
				   "491231235959Z"),
				 &bad),
			 2524607999);
	assert_int_equal(time_of(B("\x17\x0d"
				   "500101000000Z"),
				 &bad),
			 -631152000);
	assert_int_equal(time_of(B("\x18\x0f"
				   "20240229120000Z"),
				 &bad),
			 1709208000);
	assert_int_equal(time_of(B("\x18\x0f"
				   "99991231235959Z"),
				 &bad),
			 253402300799);
	assert_false(bad);
}

static void refuses_times_that_rfc_5280_forbids(void **state)
{
	static const char *const wrong[] = {
		"\x17\x0b"
		"2401011200Z",
		"\x17\x11"
		"240101120000+0100",
		"\x17\x0d"
		"241301000000Z",
		"\x17\x0d"
		"240001000000Z",
		"\x17\x0d"
		"230229000000Z",
		"\x17\x0d"
		"240101240000Z",
		"\x17\x0d"
		"240101006000Z",
		"\x17\x0d"
		"240101000060Z",
		"\x17\x0d"
		"24010100000aZ",
		"\x18\x0d"
		"240101000000Z",
		"\x18\x11"
		"20240101000000.5Z",
		"\x18\x0f"
		"21000229000000Z",
		"\x0c\x0f"
		"20240101000000Z",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		bool bad;

		(void)time_of(bytes_str(wrong[i]), &bad);
		if (!bad)
			fail_msg("accepted time %zu", i);
	}
}

static void civil_days_go_there_and_back(void **state)
{
	(void)state;
	for (int64_t t = -62167219200; t <= 253402300799; t += 86400 * 17 + 12345) {
		struct civil c = civil_of(t);

		assert_int_equal(civil_to_unix(&c), t);
	}
	assert_int_equal(civil_of(INT64_MIN).year, 0);
	assert_int_equal(civil_of(INT64_MAX).year, 9999);
}

static void writes_what_it_reads(void **state)
{
	static uint8_t big[70000];
	static const size_t sizes[] = { 0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct buf b = buf_init(1 << 20);
		struct wr w = wr_init(&b);
		struct der_mark outer = der_begin(&w, DER_SEQUENCE), inner;
		struct rd r, seq;
		bool bad;

		inner = der_begin(&w, DER_SET);
		wr_bytes(&w, bytes_of(big, sizes[i]));
		der_end(&w, inner);
		der_put(&w, DER_OCTET_STRING, bytes_of(big, sizes[i]));
		der_put_null(&w);
		der_end(&w, outer);
		assert_int_equal(wr_end(&w, NULL), 0);
		r = reader(buf_bytes(&b), &bad);
		seq = der_open(&r, DER_SEQUENCE);
		assert_int_equal(der_value(&seq, DER_SET).n, sizes[i]);
		assert_int_equal(der_value(&seq, DER_OCTET_STRING).n, sizes[i]);
		(void)der_value(&seq, DER_NULL);
		rd_end(&seq);
		rd_end(&r);
		assert_false(bad);
		buf_fini(&b);
	}
}

static void check_written(struct buf *b, struct bytes want)
{
	assert_int_equal(b->n, want.n);
	assert_memory_equal(b->p, want.p, want.n);
	buf_clear(b);
}

static void writes_primitive_types(void **state)
{
	struct buf b = buf_init(1000);
	struct wr w = wr_init(&b);

	(void)state;
	der_put_uint(&w, 0);
	check_written(&b, B("\x02\x01\x00"));
	der_put_uint(&w, 128);
	check_written(&b, B("\x02\x02\x00\x80"));
	der_put_unsigned(&w, B("\x00\x00\x7f\x01"));
	check_written(&b, B("\x02\x02\x7f\x01"));
	der_put_bool(&w, true);
	check_written(&b, B("\x01\x01\xff"));
	der_put_named_bits(&w, 1u << 0 | 1u << 2);
	check_written(&b, B("\x03\x02\x05\xa0"));
	der_put_named_bits(&w, 1u << 8);
	check_written(&b, B("\x03\x03\x07\x00\x80"));
	der_put_named_bits(&w, 0);
	check_written(&b, B("\x03\x01\x00"));
	der_put_time(&w, 0);
	check_written(&b, B("\x17\x0d"
			    "700101000000Z"));
	der_put_time(&w, 2524608000);
	check_written(&b, B("\x18\x0f"
			    "20500101000000Z"));
	der_put_time(&w, -631152001);
	check_written(&b, B("\x18\x0f"
			    "19491231235959Z"));
	assert_int_equal(wr_end(&w, NULL), 0);
	buf_fini(&b);
}

static void a_full_buffer_is_reported_once(void **state)
{
	struct buf b = buf_init(130);
	struct wr w = wr_init(&b);
	struct der_mark m = der_begin(&w, DER_SEQUENCE);
	uint8_t content[128] = { 0 };

	(void)state;
	wr_bytes(&w, bytes_of(content, sizeof(content)));
	assert_false(w.failed);
	der_end(&w, m); /* needs one byte more */
	assert_true(w.failed);
	der_end(&w, m);
	assert_int_equal(wr_end(&w, NULL), -1);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_nested_elements),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_lengths_that_are_not_der),
		cmocka_unit_test(refuses_types_in_the_wrong_form),
		cmocka_unit_test(contents_have_to_fit_their_types),
		cmocka_unit_test(refuses_another_tag_and_the_end),
		cmocka_unit_test(integers_have_no_superfluous_byte),
		cmocka_unit_test(reads_numbers_up_to_63_bits),
		cmocka_unit_test(booleans_are_00_or_ff),
		cmocka_unit_test(bit_strings_say_how_many_bits_are_unused),
		cmocka_unit_test(prints_oids),
		cmocka_unit_test(reads_both_forms_of_time),
		cmocka_unit_test(refuses_times_that_rfc_5280_forbids),
		cmocka_unit_test(civil_days_go_there_and_back),
		cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(writes_primitive_types),
		cmocka_unit_test(a_full_buffer_is_reported_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
