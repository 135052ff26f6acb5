#include "pki/bundle.h"

#include <openssl/pkcs12.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "pki/cert.h"
#include "pki/test_cert.h"

static void writes_what_it_reads(void **state)
{
	uint8_t bytes[200];
	struct buf text = buf_init(10000), der = buf_init(1000);
	struct bytes label;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	for (size_t n = 1; n <= sizeof(bytes); n++) {
		struct pem p = { .line = 1 };

		buf_clear(&text);
		assert_int_equal(pem_write(&text, "SOME LABEL", bytes_of(bytes, n), NULL), 0);
		p.rest = buf_bytes(&text);
		assert_int_equal(pem_next(&p, &label, &der, NULL), PEM_BLOCK);
		assert_true(bytes_equal(label, bytes_str("SOME LABEL")));
		assert_true(bytes_equal(buf_bytes(&der), bytes_of(bytes, n)));
		assert_int_equal(pem_next(&p, &label, &der, NULL), PEM_END);
	}
	buf_fini(&text);
	buf_fini(&der);
}

static void lines_have_64_characters(void **state)
{
	static const uint8_t zeros[96];
	struct buf text = buf_init(1000);

	(void)state;
	assert_int_equal(pem_write(&text, "X", bytes_of(zeros, sizeof(zeros)), NULL), 0);
	assert_int_equal(text.n, 18 + 2 * 65 + 16);
	assert_true(bytes_equal(bytes_slice(buf_bytes(&text), 18, 3), bytes_str("AAA")));
	buf_fini(&text);
}

static void passes_over_comments_and_other_blocks(void **state)
{
	static const char text[] =
		"# root one\r\nsubject: x\r\n-----BEGIN CERTIFICATE-----\r\n  AQ\r\n"
		"ID \t\r\n-----END CERTIFICATE-----\r\n\r\n-----BEGIN KEY-----\n"
		"AAAA\n-----END KEY-----\n-----BEGIN X509 CERTIFICATE-----\nBAUG\n"
		"-----END X509 CERTIFICATE-----";
	struct pem p = { .rest = bytes_str(text), .line = 1 };
	struct buf der = buf_init(100);

	(void)state;
	assert_int_equal(pem_next_cert(&p, &der, NULL), PEM_BLOCK);
	assert_true(bytes_equal(buf_bytes(&der), bytes_str("\1\2\3")));
	assert_int_equal(pem_next_cert(&p, &der, NULL), PEM_BLOCK);
	assert_true(bytes_equal(buf_bytes(&der), bytes_str("\4\5\6")));
	assert_int_equal(pem_next_cert(&p, &der, NULL), PEM_END);
	buf_fini(&der);
}

static void bad_blocks_are_told_with_their_line_and_passed(void **state)
{
	static const struct {
		const char *text, *sentence;
	} rows[] = {
		{ "\n-----BEGIN A-----\nAA!A\n-----END A-----\n", "PEM, block at line 2: base64" },
		{ "-----BEGIN A-----\nAAAAA\n-----END A-----\n", "PEM, block at line 1: base64" },
		{ "-----BEGIN A-----\nAAAA\n-----END B-----\n",
		  "PEM, line 3: END of another block" },
		{ "-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END A-----\n",
		  "PEM, line 2: a block with headers" },
		{ "\n\n-----BEGIN A-----\nAAAA\n", "PEM, line 3: a block without END" },
	};
	struct buf der = buf_init(100);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[300];
		struct pem p = { .line = 1 };
		struct err e = { 0 };
		struct bytes label;

		snprintf(text, sizeof(text), "%s%s", rows[i].text,
			 i + 1 < ARRAY_LEN(rows) ? "-----BEGIN C-----\nAAAA\n-----END C-----\n"
						 : "");
		p.rest = bytes_str(text);
		assert_int_equal(pem_next(&p, &label, &der, &e), PEM_BAD);
		assert_int_equal(strncmp(e.sentence, rows[i].sentence, strlen(rows[i].sentence)),
				 0);
		if (i + 1 == ARRAY_LEN(rows)) {
			assert_int_equal(pem_next(&p, &label, &der, NULL), PEM_END);
			continue;
		}
		assert_int_equal(pem_next(&p, &label, &der, NULL), PEM_BLOCK);
		assert_int_equal(der.n, 3);
	}
	buf_fini(&der);
}

static void a_block_above_the_limit_is_bad(void **state)
{
	struct pem p = { .rest = bytes_str("-----BEGIN A-----\nAAAA\n-----END A-----\n") };
	struct buf der = buf_init(2);
	struct bytes label;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(pem_next(&p, &label, &der, &e), PEM_BAD);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_fini(&der);
}

static void a_certificate_is_written_below_its_name(void **state)
{
	struct test_cert t = test_leaf_make("www.example", NULL);
	struct buf text = buf_init(10000), small = buf_init(100);

	(void)state;
	assert_int_equal(pem_write_cert(&text, test_cert_der(&t), NULL), 0);
	assert_true(bytes_starts(buf_bytes(&text),
				 bytes_str("# CN=www.example\n-----BEGIN CERTIFICATE-----\n")));
	assert_int_equal(pem_write_cert(&small, test_cert_der(&t), NULL), -1);
	assert_int_equal(small.n, 0);
	buf_fini(&text);
	buf_fini(&small);
	test_cert_fini(&t);
}

static void no_memory_is_told_apart(void **state)
{
	struct pem p = { .rest = bytes_str("-----BEGIN A-----\nAAAA\n-----END A-----\n") };
	struct buf der = buf_init(100);
	struct bytes label;

	(void)state;
	mem_fail_at(1);
	assert_int_equal(pem_next(&p, &label, &der, NULL), PEM_NOMEM);
	mem_fail_at(0);
	buf_fini(&der);
}

static bool is_marked(const PKCS12_SAFEBAG *bag)
{
	const STACK_OF(X509_ATTRIBUTE) *attrs = PKCS12_SAFEBAG_get0_attrs(bag);

	for (int i = 0; i < sk_X509_ATTRIBUTE_num(attrs); i++) {
		X509_ATTRIBUTE *a = sk_X509_ATTRIBUTE_value(attrs, i);
		char oid[64];

		OBJ_obj2txt(oid, sizeof(oid), X509_ATTRIBUTE_get0_object(a), 1);
		if (strcmp(oid, "2.16.840.1.113894.746875.1.1") == 0)
			return ASN1_TYPE_get(X509_ATTRIBUTE_get0_type(a, 0)) == V_ASN1_OBJECT;
	}
	return false;
}

/* libcrypto reads the file back: how many certificates, and that each bears Oracle's mark. */
static int count_trusted(struct bytes file)
{
	const unsigned char *p = file.p;
	PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)file.n);
	STACK_OF(PKCS7) * safes;
	int count = 0;

	assert_non_null(p12);
	assert_int_equal(PKCS12_verify_mac(p12, "changeit", -1), 1);
	safes = PKCS12_unpack_authsafes(p12);
	assert_int_equal(sk_PKCS7_num(safes), 1);
	STACK_OF(PKCS12_SAFEBAG) *bags =
		PKCS12_unpack_p7encdata(sk_PKCS7_value(safes, 0), "changeit", -1);
	for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); i++) {
		PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, i);
		char *alias = PKCS12_get_friendlyname(bag);

		assert_int_equal(alias[0], '1' + i);
		count += is_marked(bag);
		OPENSSL_free(alias);
	}
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	sk_PKCS7_pop_free(safes, PKCS7_free);
	PKCS12_free(p12);
	return count;
}

static void a_trust_store_bears_the_mark_that_java_wants(void **state)
{
	struct test_cert a = test_ca_make("Root A", NULL),
			 b = test_ca_make("R\xc3\xb6\xc3\xb6t", NULL);
	struct bytes der[] = { test_cert_der(&a), test_cert_der(&b) };
	struct buf out = buf_init(100000), small = buf_init(10);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(pkcs12_write_trust(&out, der, 2, "changeit", &e), 0);
	assert_int_equal(count_trusted(buf_bytes(&out)), 2);
	assert_int_equal(pkcs12_write_trust(&small, der, 2, "changeit", &e), -1);
	assert_int_equal(small.n, 0);
	der[1].n--;
	assert_int_equal(pkcs12_write_trust(&out, der, 2, "changeit", &e), -1);
	assert_string_equal(e.sentence, "trust store: certificate 2 cannot be read");
	buf_fini(&out);
	buf_fini(&small);
	test_cert_fini(&a);
	test_cert_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(lines_have_64_characters),
		cmocka_unit_test(passes_over_comments_and_other_blocks),
		cmocka_unit_test(bad_blocks_are_told_with_their_line_and_passed),
		cmocka_unit_test(a_block_above_the_limit_is_bad),
		cmocka_unit_test(a_certificate_is_written_below_its_name),
		cmocka_unit_test(no_memory_is_told_apart),
		cmocka_unit_test(a_trust_store_bears_the_mark_that_java_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
