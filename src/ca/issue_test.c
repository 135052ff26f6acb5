/* Keys and certificates: what we issue, libcrypto accepts by its strict rules. */
#include "ca/issue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/x509_vfy.h>

#include "base/mem.h"
#include "ca/extension.h"
#include "ca/testkit.h"

#define CA_PROFILE                                                                                 \
	(struct profile)                                                                           \
	{                                                                                          \
		.is_ca = true, .path_length = -1,                                                  \
		.key_usage = 1u << USAGE_KEY_CERT_SIGN | 1u << USAGE_CRL_SIGN                      \
	}

static const struct {
	enum key_type type;
	unsigned bits;
} kinds[] = { { KEY_TYPE_EC, 256 },
	      { KEY_TYPE_EC, 384 },
	      { KEY_TYPE_EC, 521 },
	      { KEY_TYPE_RSA, 2048 },
	      { KEY_TYPE_ED25519, 256 } };

static X509 *decode(const struct made *m)
{
	const unsigned char *p = m->der.p;
	X509 *x = d2i_X509(NULL, &p, (long)m->der.n);

	assert_non_null(x);
	return x;
}

/* `openssl verify -x509_strict`; intermediate may be NULL. Yields X509_V_OK or why not. */
static int verify(const struct made *root, const struct made *intermediate, const struct made *leaf)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *r = decode(root), *l = decode(leaf), *i = intermediate ? decode(intermediate) : NULL;
	int why;

	assert_int_equal(X509_STORE_add_cert(store, r), 1);
	if (i)
		assert_true(sk_X509_push(chain, i) > 0);
	assert_int_equal(X509_STORE_CTX_init(ctx, store, l, chain), 1);
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), TESTKIT_NOW);
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT);
	why = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	sk_X509_pop_free(chain, X509_free);
	X509_free(r);
	X509_free(l);
	return why;
}

static void every_key_signs_for_every_other_and_passes_the_strict_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct made root =
			made_by(NULL, kinds[i].type, kinds[i].bits, CA_PROFILE, "CN=root");

		for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
			struct profile p = { .path_length = -1,
					     .key_usage = ca_key_usage(kinds[k].type, false) };
			struct made leaf =
				made_by(&root, kinds[k].type, kinds[k].bits, p, "CN=leaf");

			assert_int_equal(verify(&root, NULL, &leaf), X509_V_OK);
			assert_true(ca_is_signed_by(buf_bytes(&leaf.der), root.key));
			assert_false(ca_is_signed_by(buf_bytes(&leaf.der), leaf.key));
			assert_true(ca_key_fits(buf_bytes(&leaf.der), leaf.key));
			assert_false(ca_key_fits(buf_bytes(&leaf.der), root.key));
			assert_true(bytes_equal(leaf.cert.aki, root.cert.ski));
			made_fini(&leaf);
		}
		made_fini(&root);
	}
}

static void the_whole_profile_is_in_the_certificate(void **state)
{
	const struct san names[] = { { SAN_URI, bytes_str("spiffe://a/b") },
				     { SAN_DNS, bytes_str("a.example") },
				     { SAN_IP, bytes_of("\x7f\x00\x00\x01", 4) },
				     { SAN_EMAIL, bytes_str("a@b.example") } };
	const struct bytes usages[] = { bytes_str("\x2b\x06\x01\x05\x05\x07\x03\x01") };
	const struct bytes urls[] = { bytes_str("http://a/crl"), bytes_str("http://b/crl") };
	struct profile p = { .names = { names, 4 },
			     .path_length = -1,
			     .key_usage = 1u << USAGE_DIGITAL_SIGNATURE,
			     .ext_key_usage = { usages, 1 },
			     .crl_urls = { urls, 2 },
			     .ocsp_urls = { urls, 1 },
			     .serial = bytes_of("\xff\x01", 2),
			     .must_staple = true };
	struct made root = made_by(NULL, KEY_TYPE_EC, 256, CA_PROFILE, "CN=root");
	struct made leaf = made_by(&root, KEY_TYPE_EC, 256, p, "CN=leaf,O=Acme");
	struct ca_differences d = { 0 };
	struct cert_extension x;
	char text[200];

	(void)state;
	assert_int_equal(verify(&root, NULL, &leaf), X509_V_OK);
	assert_string_equal(name_text(leaf.cert.subject, text, sizeof(text)), "CN=leaf,O=Acme");
	assert_true(bytes_equal(leaf.cert.issuer, root.cert.subject));
	assert_true(bytes_equal(leaf.cert.serial, bytes_of("\x00\xff\x01", 3)));
	assert_int_equal(root.cert.serial.n, 16);
	assert_int_equal(leaf.cert.key_usage, p.key_usage);
	assert_false(leaf.cert.is_ca);
	assert_true(cert_extension_find(&leaf.cert, bytes_str("\x55\x1d\x11"), &x) && !x.critical);
	assert_true(cert_extension_find(&leaf.cert, bytes_str("\x55\x1d\x0f"), &x) && x.critical);
	p.subject = leaf.cert.subject;
	assert_int_equal(ca_extensions_compare(&p, &leaf.cert, false, &d, NULL), 0);
	assert_int_equal(d.count, 0);
	made_fini(&leaf);
	made_fini(&root);
}

static void names_are_critical_when_there_is_no_subject(void **state)
{
	const struct san names[] = { { SAN_DNS, bytes_str("a.example") } };
	struct profile p = { .names = { names, 1 }, .path_length = -1 };
	struct made root = made_by(NULL, KEY_TYPE_EC, 256, CA_PROFILE, "CN=root");
	struct made leaf = made_by(&root, KEY_TYPE_EC, 256, p, "");
	struct cert_extension x;

	(void)state;
	assert_true(cert_extension_find(&leaf.cert, bytes_str("\x55\x1d\x11"), &x) && x.critical);
	assert_int_equal(verify(&root, NULL, &leaf), X509_V_OK);
	made_fini(&leaf);
	made_fini(&root);
}

static void path_length_and_name_constraints_bind(void **state)
{
	const struct san inside[] = { { SAN_DNS, bytes_str("a.example") } };
	const struct san outside[] = { { SAN_DNS, bytes_str("b.test") } };
	const struct san tree[] = { { SAN_DNS, bytes_str("example") } };
	struct profile limited = CA_PROFILE;
	struct profile good = { .names = { inside, 1 }, .path_length = -1 };
	struct profile bad = { .names = { outside, 1 }, .path_length = -1 };
	struct made root, sub, leaf, stranger, deep;

	(void)state;
	limited.path_length = 0;
	limited.permitted = (struct ca_names){ tree, 1 };
	root = made_by(NULL, KEY_TYPE_EC, 256, limited, "CN=root");
	sub = made_by(&root, KEY_TYPE_EC, 256, CA_PROFILE, "CN=sub");
	leaf = made_by(&root, KEY_TYPE_EC, 256, good, "CN=leaf");
	stranger = made_by(&root, KEY_TYPE_EC, 256, bad, "CN=leaf");
	deep = made_by(&sub, KEY_TYPE_EC, 256, good, "CN=leaf");
	assert_int_equal(root.cert.path_length, 0);
	assert_int_equal(verify(&root, NULL, &leaf), X509_V_OK);
	assert_int_equal(verify(&root, NULL, &stranger), X509_V_ERR_PERMITTED_VIOLATION);
	assert_int_equal(verify(&root, &sub, &deep), X509_V_ERR_PATH_LENGTH_EXCEEDED);
	made_fini(&deep);
	made_fini(&stranger);
	made_fini(&leaf);
	made_fini(&sub);
	made_fini(&root);
}

static void a_difference_is_told_in_words(void **state)
{
	const struct san old[] = { { SAN_DNS, bytes_str("a") } },
			 new[] = { { SAN_DNS, bytes_str("b") } };
	struct profile p = { .names = { old, 1 },
			     .path_length = -1,
			     .key_usage = ca_key_usage(KEY_TYPE_RSA, false) };
	struct made m = made_by(NULL, KEY_TYPE_EC, 256, p, "CN=leaf");
	struct ca_differences d = { 0 };

	(void)state;
	p.subject = m.cert.subject;
	p.names.list = new;
	p.key_usage = ca_key_usage(KEY_TYPE_EC, false);
	p.must_staple = true;
	assert_int_equal(ca_extensions_compare(&p, &m.cert, true, &d, NULL), 0);
	assert_int_equal(d.count, 2);
	assert_string_equal(d.list[0].word, "sans");
	assert_string_equal(d.list[0].have, "DNS:a");
	assert_string_equal(d.list[0].want, "DNS:b");
	assert_string_equal(d.list[1].have, "nothing");
	assert_string_equal(d.list[1].want, "status_request");
	d.count = 0;
	assert_int_equal(ca_extensions_compare(&p, &m.cert, false, &d, NULL), 0);
	assert_int_equal(d.count, 3);
	assert_string_equal(d.list[0].word, "key_usages");
	made_fini(&m);
}

static void keys_go_to_pem_and_back_with_and_without_a_passphrase(void **state)
{
	static const char *const passphrases[] = { NULL, "correct horse" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(passphrases); i++) {
		AUTO(buf_fini) struct buf pem = buf_init_secret(10000);
		AUTO(buf_fini) struct buf one = buf_init(4096), two = buf_init(4096);
		AUTO(ca_key_freep) struct evp_pkey_st *key = NULL, *again = NULL, *none = NULL;
		struct err e = { 0 };

		assert_int_equal(ca_key_make(KEY_TYPE_EC, 256, &key, NULL), 0);
		assert_int_equal(ca_key_write(key, passphrases[i], &pem, NULL), 0);
		assert_int_equal(ca_key_load(buf_bytes(&pem), passphrases[i], &again, NULL), 0);
		assert_int_equal(ca_key_spki(key, &one, NULL), 0);
		assert_int_equal(ca_key_spki(again, &two, NULL), 0);
		assert_true(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
		if (!passphrases[i])
			continue;
		assert_int_equal(ca_key_load(buf_bytes(&pem), NULL, &none, &e), -1);
		assert_string_equal(e.sentence, "private key: it is encrypted, and the passphrase "
						"is not given");
		assert_int_equal(ca_key_load(buf_bytes(&pem), "another", &none, &e), -1);
		assert_int_equal(e.code, ERR_KEY);
	}
}

static void keys_that_do_not_exist_are_refused(void **state)
{
	struct evp_pkey_st *key = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(ca_key_make(KEY_TYPE_EC, 255, &key, &e), -1);
	assert_int_equal(e.code, ERR_KEY);
	assert_int_equal(ca_key_make(KEY_TYPE_RSA, 512, &key, &e), -1);
	assert_int_equal(ca_key_make(KEY_TYPE_ED25519, 255, &key, &e), -1);
	assert_int_equal(ca_key_make(KEY_TYPE_DSA, 2048, &key, &e), -1);
	assert_int_equal(ca_key_load(bytes_str("nonsense"), NULL, &key, &e), -1);
	assert_int_equal(e.code, ERR_KEY);
}

static void no_memory_is_said(void **state)
{
	AUTO(buf_fini) struct buf spki = buf_init(4096);
	struct made root = made_by(NULL, KEY_TYPE_EC, 256, CA_PROFILE, "CN=root");
	struct ca_issuer by = made_issuer(&root);
	struct profile p = CA_PROFILE;
	struct err e = { 0 };
	size_t n = 1;

	(void)state;
	p.subject = root.cert.subject;
	assert_int_equal(ca_key_spki(root.key, &spki, NULL), 0);
	for (;; n++) {
		AUTO(buf_fini) struct buf out = buf_init(CERT_SIZE_MAX);
		int done;

		mem_fail_at(n);
		done = ca_issue(&p, buf_bytes(&spki), &by, &out, &e);
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
		cmocka_unit_test(every_key_signs_for_every_other_and_passes_the_strict_rules),
		cmocka_unit_test(the_whole_profile_is_in_the_certificate),
		cmocka_unit_test(names_are_critical_when_there_is_no_subject),
		cmocka_unit_test(path_length_and_name_constraints_bind),
		cmocka_unit_test(a_difference_is_told_in_words),
		cmocka_unit_test(keys_go_to_pem_and_back_with_and_without_a_passphrase),
		cmocka_unit_test(keys_that_do_not_exist_are_refused),
		cmocka_unit_test(no_memory_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
