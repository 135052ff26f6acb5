#include "wire/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"

static void assert_both_ways(struct bytes data, const char *text)
{
	AUTO(buf_fini) struct buf out = buf_init(1000), back = buf_init(1000);

	assert_int_equal(base64_write(data, &out, NULL), 0);
	assert_true(bytes_equal(buf_bytes(&out), bytes_str(text)));
	assert_int_equal(base64_parse(bytes_str(text), &back, NULL), 0);
	assert_true(bytes_equal(buf_bytes(&back), data));
}

static void agrees_with_rfc_4648(void **state)
{
	(void)state;
	assert_both_ways(bytes_str(""), "");
	assert_both_ways(bytes_str("f"), "Zg==");
	assert_both_ways(bytes_str("fo"), "Zm8=");
	assert_both_ways(bytes_str("foo"), "Zm9v");
	assert_both_ways(bytes_str("foob"), "Zm9vYg==");
	assert_both_ways(bytes_str("fooba"), "Zm9vYmE=");
	assert_both_ways(bytes_str("foobar"), "Zm9vYmFy");
	assert_both_ways(bytes_of("\xfb\xff\xbf\x00", 4), "+/+/AA==");
}

static void every_byte_comes_back(void **state)
{
	uint8_t all[256];

	(void)state;
	for (size_t i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	for (size_t n = 0; n <= 256; n++) {
		AUTO(buf_fini) struct buf text = buf_init(1000), back = buf_init(1000);

		assert_int_equal(base64_write(bytes_of(all, n), &text, NULL), 0);
		assert_int_equal(base64_parse(buf_bytes(&text), &back, NULL), 0);
		assert_true(bytes_equal(buf_bytes(&back), bytes_of(all, n)));
	}
}

static void refuses_what_is_not_strict_base64(void **state)
{
	static const char *const bad[] = {
		"Z",	"Zg",	    "Zg=",  "Zm9v=",	"=",	"====",	    "Z===", "Zh==",
		"Zm9=", "Zg==Zg==", "Zm 9", "Zm9v\r\n", "Zm-_", "Zm9v Zm9", "Z=g=",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO(buf_fini) struct buf out = buf_init(100);
		struct err e = { 0 };

		if (base64_parse(bytes_str(bad[i]), &out, &e) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(e.code, ERR_WIRE_DECODE);
		assert_int_equal(out.n, 0);
	}
}

static void stops_at_limits_and_without_memory(void **state)
{
	AUTO(buf_fini) struct buf small = buf_init(5), out = buf_init(100);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(base64_parse(bytes_str("Zm9vYmFy"), &small, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(base64_write(bytes_str("foob"), &small, &e), -1);
	mem_fail_at(1);
	assert_int_equal(base64_parse(bytes_str("Zm9v"), &out, &e), -1);
	assert_int_equal(e.code, ERR_NOMEM);
	assert_int_equal(base64_write(bytes_str("foob"), &out, &e), -1);
	mem_fail_at(0);
	assert_int_equal(e.code, ERR_NOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_rfc_4648),
		cmocka_unit_test(every_byte_comes_back),
		cmocka_unit_test(refuses_what_is_not_strict_base64),
		cmocka_unit_test(stops_at_limits_and_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
