#include "pki/material.h"

#include <openssl/pkcs12.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "pki/bundle.h"
#include "pki/test_cert.h"

struct made {
	struct test_cert root, leaf;
	struct buf pem, key;
};

static struct made make(void)
{
	struct made m = { .root = test_ca_make("root", NULL),
			  .pem = buf_init(100000),
			  .key = buf_init_secret(100000) };

	m.leaf = test_leaf_make("a.example", &m.root);
	test_cert_pem(&m.leaf, &m.pem, &m.key);
	return m;
}

static void unmake(struct made *m)
{
	test_cert_fini(&m->root);
	test_cert_fini(&m->leaf);
	buf_fini(&m->pem);
	buf_fini(&m->key);
}

static struct buf pkcs12_make(const struct made *m, const char *password)
{
	STACK_OF(X509) *others = sk_X509_new_null();
	struct buf out = buf_init(100000);
	unsigned char *p = NULL;
	PKCS12 *p12;
	int n;

	assert_true(sk_X509_push(others, m->root.x) > 0);
	p12 = PKCS12_create(password, "x", m->leaf.key, m->leaf.x, others, 0, 0, 0, 0, 0);
	assert_non_null(p12);
	n = i2d_PKCS12(p12, &p);
	assert_true(n > 0);
	assert_int_equal(buf_add(&out, bytes_of(p, (size_t)n), NULL), 0);
	OPENSSL_free(p);
	PKCS12_free(p12);
	sk_X509_free(others);
	return out;
}

static void reads_pem_with_its_key_and_der(void **state)
{
	struct made t = make();
	struct material m = { 0 };

	(void)state;
	assert_int_equal(buf_add(&t.pem, buf_bytes(&t.key), NULL), 0);
	assert_int_equal(material_read(&m, buf_bytes(&t.pem), NULL, NULL), 0);
	assert_int_equal(m.count, 1);
	assert_int_equal(m.keys, 1);
	assert_true(bytes_equal(m.items[0].der, test_cert_der(&t.leaf)));
	assert_int_equal(material_read(&m, test_cert_der(&t.root), NULL, NULL), 0);
	assert_int_equal(m.count, 2);
	assert_int_equal(m.items[1].kind, MATERIAL_CERT);
	material_fini(&m);
	unmake(&t);
}

static void reads_keys_with_a_passphrase_as_keys(void **state)
{
	static const char text[] =
		"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n"
		"-----END RSA PRIVATE KEY-----\n-----BEGIN DH PARAMETERS-----\n"
		"AAAA\n-----END DH PARAMETERS-----\n";
	struct material m = { 0 };

	(void)state;
	assert_int_equal(material_read(&m, bytes_str(text), NULL, NULL), 0);
	assert_int_equal(m.count, 0);
	assert_int_equal(m.keys, 1);
	assert_int_equal(m.ignored, 1);
	material_fini(&m);
}

static void opens_pkcs12_with_and_without_a_password(void **state)
{
	static const char *const passwords[] = { NULL, "", "secret" };
	struct made t = make();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
		struct buf p12 = pkcs12_make(&t, passwords[i]);
		struct material m = { 0 };
		struct err e = { 0 };

		assert_int_equal(material_read(&m, buf_bytes(&p12), i == 2 ? "secret" : NULL, &e),
				 0);
		assert_int_equal(m.count, 2);
		assert_true(bytes_equal(m.items[0].der, test_cert_der(&t.leaf)));
		assert_int_equal(m.keys, 1);
		if (i == 2) {
			assert_int_equal(material_read(&m, buf_bytes(&p12), NULL, &e), -1);
			assert_int_equal(e.code, ERR_KEY);
			assert_non_null(strstr(e.sentence, "--password-file"));
			assert_int_equal(material_read(&m, buf_bytes(&p12), "other", &e), -1);
			assert_int_equal(e.code, ERR_KEY);
		}
		assert_int_equal(m.count, 2);
		material_fini(&m);
		buf_fini(&p12);
	}
	unmake(&t);
}

static void refuses_a_derivation_that_takes_for_ever(void **state)
{
	struct made t = make();
	struct buf p12 = pkcs12_make(&t, "secret");
	const unsigned char *in = p12.p;
	PKCS12 *p = d2i_PKCS12(NULL, &in, (long)p12.n);
	const ASN1_INTEGER *rounds = NULL;
	unsigned char *der = NULL;
	struct material m = { 0 };
	struct err e = { 0 };
	int n;

	(void)state;
	PKCS12_get0_mac(NULL, NULL, NULL, &rounds, p);
	assert_int_equal(ASN1_INTEGER_set((ASN1_INTEGER *)(uintptr_t)rounds, 2000000000), 1);
	n = i2d_PKCS12(p, &der);
	assert_true(n > 0);
	assert_int_equal(material_read(&m, bytes_of(der, (size_t)n), "secret", &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	OPENSSL_free(der);
	PKCS12_free(p);
	material_fini(&m);
	buf_fini(&p12);
	unmake(&t);
}

static void refuses_every_truncation_of_der(void **state)
{
	struct made t = make();
	struct bytes der = test_cert_der(&t.leaf);
	struct buf p12 = pkcs12_make(&t, NULL);

	(void)state;
	for (size_t n = 0; n < der.n; n++) {
		struct material m = { 0 };
		struct err e = { 0 };

		assert_int_equal(material_read(&m, bytes_slice(der, 0, n), NULL, &e), -1);
		assert_int_equal(e.code, ERR_CERT);
		assert_int_equal(m.count, 0);
		material_fini(&m);
	}
	for (size_t n = 0; n < p12.n; n += 7) {
		struct material m = { 0 };

		assert_int_equal(material_read(&m, bytes_slice(buf_bytes(&p12), 0, n), NULL, NULL),
				 -1);
		material_fini(&m);
	}
	buf_fini(&p12);
	unmake(&t);
}

static void leaves_the_list_as_it_was_when_a_block_is_damaged(void **state)
{
	struct made t = make();
	struct material m = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(material_read(&m, test_cert_der(&t.root), NULL, NULL), 0);
	assert_int_equal(buf_printf(&t.pem, NULL, "-----BEGIN CERTIFICATE-----\n!\n"), 0);
	assert_int_equal(material_read(&m, buf_bytes(&t.pem), NULL, &e), -1);
	assert_int_equal(e.code, ERR_CERT);
	assert_int_equal(m.count, 1);
	material_fini(&m);
	unmake(&t);
}

static void fails_whole_when_there_is_no_memory(void **state)
{
	struct made t = make();
	size_t at = 1;
	int done;

	(void)state;
	do {
		struct material m = { 0 };
		struct err e = { 0 };

		mem_fail_at(at++);
		done = material_read(&m, buf_bytes(&t.pem), NULL, &e);
		mem_fail_at(0);
		assert_true(done == 0 || (e.code == ERR_NOMEM && m.count == 0));
		material_fini(&m);
	} while (done < 0);
	assert_true(at > 3);
	unmake(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_pem_with_its_key_and_der),
		cmocka_unit_test(reads_keys_with_a_passphrase_as_keys),
		cmocka_unit_test(opens_pkcs12_with_and_without_a_password),
		cmocka_unit_test(refuses_a_derivation_that_takes_for_ever),
		cmocka_unit_test(refuses_every_truncation_of_der),
		cmocka_unit_test(leaves_the_list_as_it_was_when_a_block_is_damaged),
		cmocka_unit_test(fails_whole_when_there_is_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
