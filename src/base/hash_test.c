#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Made with CPython 3.11, whose hash of bytes is SipHash-1-3: with PYTHONHASHSEED=0 its key is
 * zero, with 7 it is the other one below. */
static const struct {
	struct hash_key key;
	const char *in;
	uint64_t want;
} vectors[] = {
	{ { 0, 0 }, "a", 0x407448d2b89b1813 },
	{ { 0, 0 }, "1234567", 0xa33d651594fdae81 },
	{ { 0, 0 }, "12345678", 0x3489982430560a87 },
	{ { 0, 0 }, "123456789", 0x0fbc0f0007965fcf },
	{ { 0, 0 }, "www.oriel.test", 0x1dfe20f7b8ea8f20 },
	{ { 0x12c874a1806f0e3d, 0x470a89d2f9d2784f }, "a", 0x58fddb5aae8c3c14 },
	{ { 0x12c874a1806f0e3d, 0x470a89d2f9d2784f }, "12345678", 0x2252aef54e709d3d },
	{ { 0x12c874a1806f0e3d, 0x470a89d2f9d2784f }, "www.oriel.test", 0x363264b00497b466 },
};

static void agrees_with_another_siphash_1_3(void **state)
{
	uint8_t all[63];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		hash_seed(vectors[i].key);
		assert_true(hash_bytes(bytes_str(vectors[i].in)) == vectors[i].want);
	}
	hash_seed((struct hash_key){ 0 });
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	assert_true(hash_bytes(bytes_of(all, sizeof(all))) == 0x385d3e39e5f37359);
}

static void nothing_has_a_hash_too(void **state)
{
	(void)state;
	hash_seed((struct hash_key){ 0 });
	assert_true(hash_bytes(bytes_of(NULL, 0)) == hash_bytes(bytes_str("")));
	assert_true(hash_bytes(bytes_of(NULL, 0)) != hash_bytes(bytes_of("", 1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_another_siphash_1_3),
		cmocka_unit_test(nothing_has_a_hash_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
