#include "proxy/keeper_proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct buf sample(void)
{
	struct keeper_message m = { .type = KEEPER_LEAF,
				    .id = 7,
				    .mode = MINT_TWIN,
				    .key_id = 9,
				    .kind = KEY_RSA2048,
				    .temporary = true,
				    .name = bytes_str("a.example"),
				    .der = bytes_str("der"),
				    .text = bytes_str("why") };
	struct buf b = buf_init(KEEPER_MESSAGE_MAX);

	assert_int_equal(keeper_message_write(&m, &b, NULL), 0);
	return b;
}

static void comes_back_as_it_was_written(void **state)
{
	struct buf b = sample();
	struct keeper_message m;

	(void)state;
	assert_int_equal(keeper_message_parse(buf_bytes(&b), &m, NULL), 0);
	assert_int_equal(m.type, KEEPER_LEAF);
	assert_int_equal(m.id, 7);
	assert_int_equal(m.mode, MINT_TWIN);
	assert_int_equal(m.key_id, 9);
	assert_int_equal(m.kind, KEY_RSA2048);
	assert_true(m.temporary);
	assert_true(bytes_equal(m.name, bytes_str("a.example")));
	assert_true(bytes_equal(m.der, bytes_str("der")));
	assert_true(bytes_equal(m.text, bytes_str("why")));
	buf_fini(&b);
}

static void refuses_every_truncation_and_a_trailing_byte(void **state)
{
	struct buf b = sample();
	struct keeper_message m;
	struct err e = { 0 };

	(void)state;
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(keeper_message_parse(bytes_of(b.p, n), &m, &e), -1);
	assert_int_equal(buf_add(&b, bytes_str("x"), NULL), 0);
	assert_int_equal(keeper_message_parse(buf_bytes(&b), &m, &e), -1);
	assert_int_equal(e.code, ERR_WIRE_DECODE);
	buf_fini(&b);
}

static void refuses_unknown_types_modes_and_kinds(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = { { 0, 0 },
		      { 0, KEEPER_REFUSED + 1 },
		      { 5, MINT_TWIN + 1 },
		      { 10, KEY_KIND_COUNT },
		      { 11, 2 } };
	struct keeper_message m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct buf b = sample();

		b.p[wrong[i].at] = wrong[i].value;
		assert_int_equal(keeper_message_parse(buf_bytes(&b), &m, NULL), -1);
		buf_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_was_written),
		cmocka_unit_test(refuses_every_truncation_and_a_trailing_byte),
		cmocka_unit_test(refuses_unknown_types_modes_and_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
