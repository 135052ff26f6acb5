/* Keys and authorities. */
#include "pki/mint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "pki/cert.h"
#include "pki/test_cert.h"

#define B(s) bytes_of("" s, sizeof(s) - 1)

static struct authority *root_of(const char *host)
{
	AUTO(buf_fini) struct buf cert = buf_init(10000), key = buf_init_secret(10000);
	struct authority *a = NULL;
	struct err e = { 0 };

	if (authority_make_root(host, TEST_NOW, &cert, &key, &e) < 0 ||
	    authority_new(buf_bytes(&cert), buf_bytes(&key), &a, &e) < 0)
		fail_msg("%s", e.sentence);
	buf_fini(&key);
	return a;
}

static void keys_go_out_and_come_back(void **state)
{
	struct key_pair made, again;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(key_pair_make(KEY_P384, &made, NULL), 0);
	assert_int_equal(key_pair_load(buf_bytes(&made.pkcs8), &again, &e), 0);
	assert_int_equal(again.kind, KEY_P384);
	assert_true(again.pkcs8.secret);
	assert_true(bytes_equal(buf_bytes(&again.spki), buf_bytes(&made.spki)));
	key_pair_fini(&again);
	key_pair_fini(&made);
	assert_int_equal(key_pair_load(B("nonsense"), &again, &e), -1);
	assert_int_equal(e.code, ERR_KEY);
	assert_int_equal(key_pair_load(B(""), &again, &e), -1);
	assert_int_equal(key_pair_load(B("\x30\x03\x02\x01\x00"), &again, &e), -1);
	assert_string_equal(key_kind_text(KEY_RSA3072), "RSA 3072");
}

static void the_root_and_its_twin_are_what_they_should_be(void **state)
{
	struct authority *root = root_of("host.example"), *twin = NULL;
	struct cert c;
	struct bytes rest;
	struct bytes oid;
	char text[100];

	(void)state;
	assert_int_equal(authority_new_twin(root, TEST_NOW, &twin, NULL), 0);
	assert_int_equal(cert_parse(authority_cert_der(root), &c, NULL), 0);
	assert_string_equal(name_text(c.subject, text, sizeof(text)),
			    "CN=oriel bump CA host.example 2024-06-01,O=oriel");
	assert_true(cert_is_self_issued(&c) && c.is_ca && c.path_length == 0);
	assert_true(c.has & CERT_HAS_PATH_LENGTH);
	assert_int_equal(c.key_usage, 1u << USAGE_KEY_CERT_SIGN | 1u << USAGE_CRL_SIGN);
	assert_int_equal(c.not_after, TEST_NOW + 730 * (int64_t)TEST_DAY);
	assert_true(c.not_before < TEST_NOW && c.not_before > TEST_NOW - TEST_DAY);
	rest = c.eku;
	assert_true(eku_next(&rest, &oid) && rest.n == 0);
	assert_string_equal(cert_key_text(&c.key, text, sizeof(text)), "EC P-256");
	assert_int_equal(cert_parse(authority_cert_der(twin), &c, NULL), 0);
	assert_string_equal(name_text(c.subject, text, sizeof(text)),
			    "CN=oriel bump CA host.example 2024-06-01 (untrusted),O=oriel");
	authority_free(root);
	authority_free(twin);
}

static void a_host_name_is_cleaned_and_cut(void **state)
{
	static const char wild[] =
		"a\"\n\xff,b.a-very-long-host-name.with.many.labels.example.test";
	struct authority *a = root_of(wild);
	struct cert c;
	char text[200];

	(void)state;
	assert_int_equal(cert_parse(authority_cert_der(a), &c, NULL), 0);
	assert_string_equal(name_short_text(c.subject, text, sizeof(text)),
			    "oriel bump CA a----b.a-very-long-host-name.with.many. 2024-06-01");
	authority_free(a);
}

static void check_refused_authority(const struct test_cert *cert_of, const struct test_cert *key_of,
				    enum err_code code, const char *sentence)
{
	AUTO(buf_fini) struct buf cert = buf_init(10000), key = buf_init_secret(10000);
	AUTO(buf_fini) struct buf unused = buf_init(10000), unused2 = buf_init_secret(10000);
	struct authority *a = NULL;
	struct err e = { 0 };

	test_cert_pem(cert_of, &cert, &unused2);
	test_cert_pem(key_of, &unused, &key);
	assert_int_equal(authority_new(buf_bytes(&cert), buf_bytes(&key), &a, &e), -1);
	assert_null(a);
	assert_int_equal(e.code, code);
	assert_non_null(strstr(e.sentence, sentence));
	buf_fini(&key);
	buf_fini(&unused);
	buf_fini(&unused2);
}

static void authorities_that_cannot_sign_are_refused(void **state)
{
	struct test_cert ca = test_signer_make("our own CA", "P-256"),
			 other = test_signer_make("our own CA", "P-256");
	struct test_cert leaf = test_leaf_make("a.example", NULL);
	struct test_cert weak = test_signer_make("our own CA", "RSA 1024"),
			 edwards = test_signer_make("our own CA", "ED25519");
	struct test_cert nameless = test_signer_make(NULL, "P-256");
	struct authority *a = NULL;
	struct err e = { 0 };

	(void)state;
	check_refused_authority(&nameless, &nameless, ERR_CERT, "has no name");
	test_cert_fini(&nameless);
	check_refused_authority(&ca, &other, ERR_KEY, "the key is not the certificate's");
	check_refused_authority(&leaf, &leaf, ERR_CERT, "is no CA");
	check_refused_authority(&weak, &weak, ERR_KEY, "1024 bits");
	check_refused_authority(&edwards, &edwards, ERR_KEY, "does not sign here");
	assert_int_equal(authority_new(B(""), B(""), &a, &e), -1);
	assert_int_equal(e.code, ERR_KEY);
	test_cert_fini(&ca);
	test_cert_fini(&other);
	test_cert_fini(&leaf);
	test_cert_fini(&weak);
	test_cert_fini(&edwards);
}

static void an_authority_survives_every_failing_allocation(void **state)
{
	int done = -1;

	(void)state;
	for (size_t at = 1; done < 0; at++) {
		struct buf cert = buf_init(10000), key = buf_init_secret(10000);
		struct authority *a = NULL, *t = NULL;

		mem_fail_at(at);
		done = authority_make_root("h", TEST_NOW, &cert, &key, NULL);
		if (done < 0)
			assert_true(cert.n == 0 && key.n == 0);
		if (done == 0)
			done = authority_new(buf_bytes(&cert), buf_bytes(&key), &a, NULL);
		if (done == 0)
			done = authority_new_twin(a, TEST_NOW, &t, NULL);
		mem_fail_at(0);
		authority_free(a);
		authority_free(t);
		buf_fini(&cert);
		buf_fini(&key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_go_out_and_come_back),
		cmocka_unit_test(the_root_and_its_twin_are_what_they_should_be),
		cmocka_unit_test(a_host_name_is_cleaned_and_cut),
		cmocka_unit_test(authorities_that_cannot_sign_are_refused),
		cmocka_unit_test(an_authority_survives_every_failing_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
