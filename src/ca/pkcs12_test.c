/* PKCS#12 files. */
#include "ca/pkcs12.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "ca/testkit.h"
#include "pki/bundle.h"

static void a_file_holds_its_key_and_chain_and_no_other(void **state)
{
	struct profile p = { .is_ca = true, .path_length = -1 };
	struct made root = made_by(NULL, KEY_TYPE_EC, 256, p, "CN=root");
	struct made leaf = made_by(&root, KEY_TYPE_EC, 256, p, "CN=leaf");
	struct bytes der[] = { buf_bytes(&leaf.der), buf_bytes(&root.der) };
	struct bytes turned[] = { buf_bytes(&root.der), buf_bytes(&root.der) };
	AUTO(buf_fini) struct buf file = buf_init_secret(100000);
	struct ca_pkcs12 made = { { der, 2 }, leaf.key, "leaf", "changeit" };
	struct ca_chain chain = { der, 2 }, less = { der, 1 }, other = { turned, 2 };

	(void)state;
	assert_int_equal(ca_pkcs12_write(&made, &file, NULL), 0);
	assert_true(ca_pkcs12_holds(buf_bytes(&file), "changeit", &chain, leaf.key));
	assert_false(ca_pkcs12_holds(buf_bytes(&file), "another", &chain, leaf.key));
	assert_false(ca_pkcs12_holds(buf_bytes(&file), "changeit", &chain, root.key));
	assert_false(ca_pkcs12_holds(buf_bytes(&file), "changeit", &chain, NULL));
	assert_false(ca_pkcs12_holds(buf_bytes(&file), "changeit", &less, leaf.key));
	assert_false(ca_pkcs12_holds(buf_bytes(&file), "changeit", &other, leaf.key));
	for (size_t n = 0; n < file.n; n++)
		assert_false(ca_pkcs12_holds(bytes_of(file.p, n), "changeit", &chain, leaf.key));
	made_fini(&leaf);
	made_fini(&root);
}

static void a_trust_store_holds_its_certificates_and_no_key(void **state)
{
	struct profile p = { .is_ca = true, .path_length = -1 };
	struct made root = made_by(NULL, KEY_TYPE_EC, 256, p, "CN=root");
	struct bytes der[] = { buf_bytes(&root.der) };
	AUTO(buf_fini) struct buf file = buf_init(100000);
	struct ca_chain chain = { der, 1 };

	(void)state;
	assert_int_equal(pkcs12_write_trust(&file, der, 1, "changeit", NULL), 0);
	assert_true(ca_pkcs12_holds(buf_bytes(&file), "changeit", &chain, NULL));
	assert_false(ca_pkcs12_holds(buf_bytes(&file), "changeit", &chain, root.key));
	made_fini(&root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_holds_its_key_and_chain_and_no_other),
		cmocka_unit_test(a_trust_store_holds_its_certificates_and_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
