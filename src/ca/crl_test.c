/* Revocation lists. */
#include "ca/crl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/x509.h>

#include "base/mem.h"
#include "ca/testkit.h"

static const struct ca_revoked revoked[] = { { { (const uint8_t *)"\x05", 1 }, 1700000000 },
					     { { (const uint8_t *)"\xff\x01", 2 }, 1700000001 } };

static struct made root_make(void)
{
	struct profile p = { .is_ca = true,
			     .path_length = -1,
			     .key_usage = ca_key_usage(KEY_TYPE_EC, true) };

	return made_by(NULL, KEY_TYPE_EC, 256, p, "CN=root");
}

static void write_list(const struct made *root, size_t count, struct buf *out)
{
	struct ca_crl crl = { 7, TESTKIT_NOW, TESTKIT_NOW + TESTKIT_DAY, revoked, count };
	struct ca_issuer by = made_issuer(root);
	struct err e = { 0 };

	if (ca_crl_write(&crl, &by, out, &e) < 0)
		fail_msg("%s", e.sentence);
}

static void a_list_goes_out_and_comes_back(void **state)
{
	AUTO(buf_fini) struct buf der = buf_init(100000);
	struct made root = root_make();
	struct ca_crl_view v;
	struct ca_revoked one;

	(void)state;
	write_list(&root, 2, &der);
	assert_int_equal(ca_crl_parse(buf_bytes(&der), &v, NULL), 0);
	assert_true(bytes_equal(v.issuer, root.cert.subject));
	assert_int_equal(v.number, 7);
	assert_int_equal(v.this_update, TESTKIT_NOW);
	assert_int_equal(v.next_update, TESTKIT_NOW + TESTKIT_DAY);
	for (size_t i = 0; i < 2; i++) {
		assert_true(ca_crl_next(&v.revoked, &one));
		assert_true(bytes_equal(one.serial, revoked[i].serial));
		assert_int_equal(one.at, revoked[i].at);
	}
	assert_false(ca_crl_next(&v.revoked, &one));
	made_fini(&root);
}

static void libcrypto_finds_the_revoked_ones_in_it(void **state)
{
	AUTO(buf_fini) struct buf der = buf_init(100000);
	struct made root = root_make(), stranger = root_make();
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	const unsigned char *p;
	X509_REVOKED *entry;
	X509_CRL *crl;

	(void)state;
	write_list(&root, 2, &der);
	p = der.p;
	crl = d2i_X509_CRL(NULL, &p, (long)der.n);
	assert_non_null(crl);
	assert_int_equal(ASN1_INTEGER_set(serial, 0xff01), 1);
	assert_int_equal(X509_CRL_get0_by_serial(crl, &entry, serial), 1);
	assert_int_equal(ASN1_INTEGER_set(serial, 6), 1);
	assert_int_equal(X509_CRL_get0_by_serial(crl, &entry, serial), 0);
	assert_true(ca_crl_is_signed_by(buf_bytes(&der), root.key));
	assert_false(ca_crl_is_signed_by(buf_bytes(&der), stranger.key));
	X509_CRL_free(crl);
	ASN1_INTEGER_free(serial);
	made_fini(&stranger);
	made_fini(&root);
}

static void an_empty_list_is_one(void **state)
{
	AUTO(buf_fini) struct buf der = buf_init(100000);
	struct made root = root_make();
	struct ca_crl_view v;
	struct ca_revoked one;

	(void)state;
	write_list(&root, 0, &der);
	assert_int_equal(ca_crl_parse(buf_bytes(&der), &v, NULL), 0);
	assert_int_equal(v.number, 7);
	assert_false(ca_crl_next(&v.revoked, &one));
	made_fini(&root);
}

static void every_truncation_and_a_trailing_byte_are_refused(void **state)
{
	AUTO(buf_fini) struct buf der = buf_init(100000);
	struct made root = root_make();
	struct ca_crl_view v;
	struct err e = { 0 };

	(void)state;
	write_list(&root, 2, &der);
	for (size_t n = 0; n < der.n; n++) {
		assert_int_equal(ca_crl_parse(bytes_of(der.p, n), &v, &e), -1);
		assert_int_equal(e.code, ERR_DER);
	}
	assert_int_equal(buf_add(&der, bytes_str("x"), NULL), 0);
	assert_int_equal(ca_crl_parse(buf_bytes(&der), &v, &e), -1);
	made_fini(&root);
}

static void no_memory_is_said(void **state)
{
	struct ca_crl crl = { 7, TESTKIT_NOW, TESTKIT_NOW + TESTKIT_DAY, revoked, 2 };
	struct made root = root_make();
	struct ca_issuer by = made_issuer(&root);
	struct err e = { 0 };
	size_t n = 1;

	(void)state;
	for (;; n++) {
		AUTO(buf_fini) struct buf out = buf_init(100000);
		int done;

		mem_fail_at(n);
		done = ca_crl_write(&crl, &by, &out, &e);
		mem_fail_at(0);
		if (done == 0)
			break;
		assert_int_equal(e.code, ERR_NOMEM);
		assert_int_equal(out.n, 0);
	}
	assert_true(n > 2);
	made_fini(&root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_goes_out_and_comes_back),
		cmocka_unit_test(libcrypto_finds_the_revoked_ones_in_it),
		cmocka_unit_test(an_empty_list_is_one),
		cmocka_unit_test(every_truncation_and_a_trailing_byte_are_refused),
		cmocka_unit_test(no_memory_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
