/* Certification requests, made with libcrypto's own API. */
#include "ca/csr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/mem.h"

/* DER of a request for CN=asker and these names (NULL: none); takes the key. */
static size_t request_make(EVP_PKEY *key, const char *names, unsigned char **der)
{
	X509_REQ *req = X509_REQ_new();
	X509_NAME *name = X509_NAME_new();
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	int n;

	assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
						    (const unsigned char *)"asker", -1, -1, 0),
			 1);
	assert_int_equal(X509_REQ_set_subject_name(req, name), 1);
	assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
	if (names) {
		X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

		assert_true(sk_X509_EXTENSION_push(list, x) > 0);
		assert_int_equal(X509_REQ_add_extensions(req, list), 1);
	}
	assert_true(X509_REQ_sign(req, key, EVP_sha256()) > 0);
	*der = NULL;
	n = i2d_X509_REQ(req, der);
	assert_true(n > 0);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	X509_NAME_free(name);
	X509_REQ_free(req);
	EVP_PKEY_free(key);
	return (size_t)n;
}

static void a_request_says_its_key_name_and_names(void **state)
{
	struct ca_csr csr;
	unsigned char *der;
	size_t n = request_make(EVP_EC_gen("P-256"), "DNS:a.example,IP:127.0.0.1", &der);
	struct bytes rest;
	struct san one;
	char text[60];

	(void)state;
	assert_int_equal(ca_csr_read(bytes_of(der, n), &csr, NULL), 0);
	assert_string_equal(name_text(buf_bytes(&csr.subject), text, sizeof(text)), "CN=asker");
	assert_string_equal(cert_key_text(&csr.key, text, sizeof(text)), "EC P-256");
	rest = buf_bytes(&csr.san);
	assert_true(san_next(&rest, &one) && one.kind == SAN_DNS);
	assert_true(san_next(&rest, &one) && one.kind == SAN_IP);
	assert_false(san_next(&rest, &one));
	ca_csr_fini(&csr);
	OPENSSL_free(der);
}

static void a_changed_request_is_refused(void **state)
{
	struct ca_csr csr;
	unsigned char *der;
	size_t n = request_make(EVP_EC_gen("P-256"), NULL, &der);
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < n; i++) {
		if (memcmp(der + i, "asker", 5) != 0)
			continue;
		der[i] = 'b';
		break;
	}
	assert_int_equal(ca_csr_read(bytes_of(der, n), &csr, &e), -1);
	assert_string_equal(e.sentence,
			    "CSR: its signature is not that of its key; it was changed, "
			    "or the asker does not have the key");
	for (size_t i = 0; i < n; i++)
		assert_int_equal(ca_csr_read(bytes_of(der, i), &csr, &e), -1);
	OPENSSL_free(der);
}

static void weak_keys_are_refused(void **state)
{
	struct ca_csr csr;
	unsigned char *der;
	struct err e = { 0 };
	size_t n = request_make(EVP_RSA_gen(1024), NULL, &der);

	(void)state;
	assert_int_equal(ca_csr_read(bytes_of(der, n), &csr, &e), -1);
	assert_int_equal(e.code, ERR_KEY);
	OPENSSL_free(der);
	n = request_make(EVP_EC_gen("secp192k1"), NULL, &der);
	assert_int_equal(ca_csr_read(bytes_of(der, n), &csr, &e), -1);
	assert_int_equal(e.code, ERR_KEY);
	OPENSSL_free(der);
}

static void what_is_no_request_or_too_long_is_refused(void **state)
{
	static uint8_t big[CSR_MAX + 1];
	struct ca_csr csr;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(ca_csr_read(bytes_str("nonsense"), &csr, &e), -1);
	assert_string_equal(e.sentence, "CSR: not a certification request in PEM or DER");
	assert_int_equal(ca_csr_read(bytes_of(big, sizeof(big)), &csr, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
}

static void no_memory_is_said(void **state)
{
	struct ca_csr csr;
	unsigned char *der;
	struct err e = { 0 };
	size_t n = request_make(EVP_EC_gen("P-256"), "DNS:a.example", &der), i = 1;

	(void)state;
	for (;; i++) {
		int done;

		mem_fail_at(i);
		done = ca_csr_read(bytes_of(der, n), &csr, &e);
		mem_fail_at(0);
		if (done == 0)
			break;
		assert_int_equal(e.code, ERR_NOMEM);
	}
	assert_true(i > 3);
	ca_csr_fini(&csr);
	OPENSSL_free(der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_says_its_key_name_and_names),
		cmocka_unit_test(a_changed_request_is_refused),
		cmocka_unit_test(weak_keys_are_refused),
		cmocka_unit_test(what_is_no_request_or_too_long_is_refused),
		cmocka_unit_test(no_memory_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
