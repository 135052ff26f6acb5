/* What no keys are made of. */
#include "tap/protect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/mem.h"

static const uint8_t master[48] = { 1, 2, 3 }, client_random[32] = { 4, 5 },
		     server_random[32] = { 6, 7 };

static struct protect_12 options(uint16_t code, uint16_t version)
{
	return (struct protect_12){ .suite = suite_find(code),
				    .version = version,
				    .master = bytes_of(master, 48),
				    .client_random = bytes_of(client_random, 32),
				    .server_random = bytes_of(server_random, 32) };
}

static void refuses_suites_of_other_versions(void **state)
{
	static const struct {
		uint16_t code, version;
	} all[] = { { 0x1301, 0x0303 },
		    { 0x009c, 0x0302 },
		    { 0xcca8, 0x0301 },
		    { 0x002f, 0x0304 },
		    { 0x002f, 0x02ff } };
	const uint8_t secret[48] = { 0 };
	struct protect *out[2] = { NULL, NULL };
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		const struct protect_12 o = options(all[i].code, all[i].version);

		assert_int_equal(protect_new_12(&o, out, &e), -1);
		assert_int_equal(e.code, ERR_UNSUPPORTED);
	}
	assert_int_equal(protect_new_13(suite_find(0x009c), bytes_of(secret, 32), out, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	for (size_t n = 0; n <= sizeof(secret); n++)
		if (n != 32) {
			assert_int_equal(protect_new_13(suite_find(0x1301), bytes_of(secret, n),
							out, &e),
					 -1);
			assert_int_equal(e.code, ERR_CRYPTO);
		}
	assert_null(out[0]);
	assert_null(out[1]);
}

static void names_the_cipher_that_libcrypto_lacks(void **state)
{
	const struct protect_12 o = options(0x0007, 0x0301);
	struct protect *out[2] = { NULL, NULL };
	struct err e;

	(void)state;
	if (cipher_available(CIPHER_IDEA_CBC, NULL))
		skip();
	assert_int_equal(protect_new_12(&o, out, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	assert_non_null(strstr(e.sentence, "IDEA"));
	assert_null(out[0]);
}

static void does_without_memory(void **state)
{
	const struct protect_12 o = options(0xc07a, 0x0303);
	const uint8_t secret[32] = { 0 };
	struct protect *out[2] = { NULL, NULL };
	struct err e;
	int done = -1;

	(void)state;
	for (size_t n = 1; done < 0; n++) {
		mem_fail_at(n);
		done = protect_new_12(&o, out, &e);
		mem_fail_at(0);
		if (done < 0) {
			assert_int_equal(e.code, ERR_NOMEM);
			assert_null(out[0]);
			assert_null(out[1]);
		}
		assert_true(n < 20);
	}
	protect_free(out[0]);
	protect_free(out[1]);
	out[0] = NULL;
	done = -1;
	for (size_t n = 1; done < 0; n++) {
		mem_fail_at(n);
		done = protect_new_13(suite_find(0x1301), bytes_of(secret, 32), out, &e);
		mem_fail_at(0);
		if (done < 0) {
			assert_int_equal(e.code, ERR_NOMEM);
			assert_null(out[0]);
		}
		assert_true(n < 20);
	}
	protect_free(out[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_suites_of_other_versions),
		cmocka_unit_test(names_the_cipher_that_libcrypto_lacks),
		cmocka_unit_test(does_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
