#include "pki/verify.h"

#include <openssl/pem.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "pki/test_cert.h"

#define B(s) bytes_of("" s, sizeof(s) - 1)
#define FAULT(name) (1u << VERIFY_##name)

static struct test_cert root, other_root, middle, leaf;

static int set_up(void **state)
{
	(void)state;
	root = test_ca_make("Good Root", NULL);
	other_root = test_ca_make("Other Root", NULL);
	middle = test_ca_make("Good Middle", &root);
	leaf = test_leaf_make("www.example", &middle);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_cert_fini(&root);
	test_cert_fini(&other_root);
	test_cert_fini(&middle);
	test_cert_fini(&leaf);
	return 0;
}

static struct trust *trust_of(const struct test_cert *const *roots, size_t n)
{
	BIO *b = BIO_new(BIO_s_mem());
	struct trust *t = NULL;
	struct err e = { 0 };
	size_t count, skipped;
	char *p;
	long len;

	for (size_t i = 0; i < n; i++)
		PEM_write_bio_X509(b, roots[i]->x);
	len = BIO_get_mem_data(b, &p);
	if (trust_new(bytes_of(p, (size_t)len), &t, &count, &skipped, &e) < 0)
		fail_msg("%s", e.sentence);
	assert_int_equal(count, n);
	assert_int_equal(skipped, 0);
	BIO_free(b);
	return t;
}

static struct verifier *verifier_of(struct trust *t, unsigned floor_bits)
{
	struct verifier_options o = { .trust = t, .floor_bits = floor_bits };
	struct verifier *v = NULL;

	assert_int_equal(verifier_new(&o, &v, NULL), 0);
	trust_free(t);
	return v;
}

static struct verifier *good_verifier(void)
{
	const struct test_cert *roots[] = { &root };

	return verifier_of(trust_of(roots, 1), 0);
}

struct ask {
	const struct test_cert *chain[4];
	const char *name;
	int64_t now_s;
};

static struct verdict check(struct verifier *v, const struct ask *a)
{
	struct bytes der[4];
	struct verify_request req = { .der = der, .name = bytes_str(a->name), .now_s = a->now_s };
	struct verdict out;
	struct err e = { 0 };

	while (req.count < 4 && a->chain[req.count]) {
		der[req.count] = test_cert_der(a->chain[req.count]);
		req.count++;
	}
	if (verifier_check(v, &req, &out, &e) < 0)
		fail_msg("%s", e.sentence);
	return out;
}

/* The same twice: formed, then remembered. */
static void expect(struct verifier *v, struct ask a, unsigned faults, const char *reason)
{
	if (!a.now_s)
		a.now_s = TEST_NOW;
	for (int i = 0; i < 2; i++) {
		struct verdict got = check(v, &a);

		assert_int_equal(got.faults, faults);
		if (!strstr(got.reason, reason))
			fail_msg("\"%s\" does not hold \"%s\"", got.reason, reason);
	}
}

static void a_good_chain_is_good(void **state)
{
	struct verifier *v = good_verifier();

	(void)state;
	expect(v, (struct ask){ { &leaf, &middle }, "www.example", 0 }, 0, "Good Root");
	expect(v, (struct ask){ { &leaf, &middle, &root }, "www.example", 0 }, 0, "Good Root");
	expect(v, (struct ask){ { &leaf, &other_root, &middle }, "WWW.Example.", 0 }, 0, "");
	expect(v, (struct ask){ { &leaf, &middle }, "", 0 }, 0, "");
	verifier_free(v);
}

static void a_leaf_that_was_decoded_elsewhere_gets_the_same_verdict(void **state)
{
	struct bytes der[] = { test_cert_der(&leaf), test_cert_der(&middle) };
	struct verify_request req = { .der = der, .count = 2, .now_s = TEST_NOW, .leaf = leaf.x };
	static const struct {
		const char *name;
		enum verify_result result;
	} cases[] = { { "www.example", VERIFY_OK }, { "other.example", VERIFY_WRONG_NAME } };
	struct verifier *v = good_verifier();
	struct verdict out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		req.name = bytes_str(cases[i].name);
		assert_int_equal(verifier_check(v, &req, &out, NULL), 0);
		assert_int_equal(out.result, cases[i].result);
	}
	/* Another certificate than the bytes say is a disagreement, not a verdict on either. */
	der[0] = test_cert_der(&other_root);
	req.name = bytes_str("");
	assert_int_equal(verifier_check(v, &req, &out, NULL), 0);
	assert_int_equal(out.result, VERIFY_UNREADABLE);
	verifier_free(v);
}

static void dates_are_judged_again_at_each_use(void **state)
{
	struct verifier *v = good_verifier();
	struct ask a = { { &leaf, &middle }, "www.example", TEST_NOW };

	(void)state;
	expect(v, a, 0, "");
	a.now_s = TEST_NOW + 30 * TEST_DAY - 1;
	expect(v, a, 0, "");
	a.now_s = TEST_NOW + 31 * TEST_DAY;
	expect(v, a, FAULT(EXPIRED), "the certificate expired on 2024-07-01, 24 hours ago");
	assert_int_equal(check(v, &a).result, VERIFY_EXPIRED);
	a.now_s = TEST_NOW + 630 * (int64_t)TEST_DAY;
	expect(v, a, FAULT(EXPIRED), "the certificate expired on 2024-07-01, 19 months ago");
	a.now_s = TEST_NOW - 33 * TEST_DAY;
	expect(v, a, FAULT(NOT_YET_VALID),
	       "the certificate is not valid before 2024-05-02, in 3 days");
	a.now_s = TEST_NOW;
	expect(v, a, 0, "");
	verifier_free(v);
}

static struct test_cert short_ca(int64_t from, int64_t to)
{
	static const struct test_extension extensions[] = {
		{ "basicConstraints", "critical,CA:TRUE" },
		{ "subjectKeyIdentifier", "hash" },
	};
	struct test_options o = { .cn = "Short Middle",
				  .by = &root,
				  .not_before = from,
				  .not_after = to,
				  .extensions = extensions,
				  .count = 2 };

	return test_cert_make(&o);
}

static void an_issuer_that_expires_is_told_by_name(void **state)
{
	struct verifier *v = good_verifier();
	struct test_cert ca = short_ca(TEST_NOW - TEST_DAY, TEST_NOW + TEST_DAY);
	struct test_cert l = test_leaf_make("www.example", &ca);
	struct ask a = { { &l, &ca }, "www.example", TEST_NOW };

	(void)state;
	expect(v, a, 0, "");
	a.now_s = TEST_NOW + 4 * TEST_DAY;
	expect(v, a, FAULT(EXPIRED),
	       "the issuer \"Short Middle\" expired on 2024-06-02, 3 days ago");
	a.now_s = TEST_NOW - 4 * TEST_DAY;
	expect(v, a, FAULT(NOT_YET_VALID),
	       "the issuer \"Short Middle\" is not valid before 2024-05-31, in 3 days");
	a.now_s = TEST_NOW;
	expect(v, a, 0, "");
	verifier_free(v);
	test_cert_fini(&ca);
	test_cert_fini(&l);
}

static void names_are_matched_by_the_alternative_names_only(void **state)
{
	static const struct test_extension san = {
		"subjectAltName",
		"DNS:*.wild.example,DNS:f*o.part.example,IP:192.0.2.1,IP:2001:db8::1"
	};
	struct test_options o = { .cn = "cn.example",
				  .by = &root,
				  .not_after = TEST_NOW + TEST_DAY,
				  .extensions = &san,
				  .count = 1 };
	struct test_cert t = test_cert_make(&o), bare;
	struct verifier *v = good_verifier();

	(void)state;
	o.count = 0;
	bare = test_cert_make(&o);
	expect(v, (struct ask){ { &t }, "a.wild.example", 0 }, 0, "");
	expect(v, (struct ask){ { &t }, "192.0.2.1", 0 }, 0, "");
	expect(v, (struct ask){ { &t }, "2001:db8::1", 0 }, 0, "");
	expect(v, (struct ask){ { &t }, "[2001:db8::1]", 0 }, 0, "");
	expect(v, (struct ask){ { &t }, "192.0.2.2", 0 }, FAULT(WRONG_NAME), "not for 192.0.2.2");
	expect(v, (struct ask){ { &t }, "a.b.wild.example", 0 }, FAULT(WRONG_NAME),
	       "the certificate is for *.wild.example, f*o.part.example, 192.0.2.1 and 1 more, not "
	       "for "
	       "a.b.wild.example");
	expect(v, (struct ask){ { &t }, "foo.part.example", 0 }, FAULT(WRONG_NAME), "");
	expect(v, (struct ask){ { &t }, "cn.example", 0 }, FAULT(WRONG_NAME), "");
	expect(v, (struct ask){ { &t }, ".wild.example", 0 }, FAULT(WRONG_NAME), "");
	expect(v, (struct ask){ { &t }, ".", 0 }, FAULT(WRONG_NAME), "");
	expect(v, (struct ask){ { &bare }, "cn.example", 0 }, FAULT(WRONG_NAME),
	       "no subject alternative name");
	verifier_free(v);
	test_cert_fini(&t);
	test_cert_fini(&bare);
}

static void a_name_with_nul_or_escapes_is_wrong_and_shown_escaped(void **state)
{
	struct verifier *v = good_verifier();
	struct bytes der[] = { test_cert_der(&leaf), test_cert_der(&middle) };
	struct verify_request req = {
		.der = der, .count = 2, .name = B("www.example\0.evil\x1b"), .now_s = TEST_NOW
	};
	struct verdict out;

	(void)state;
	assert_int_equal(verifier_check(v, &req, &out, NULL), 0);
	assert_int_equal(out.result, VERIFY_WRONG_NAME);
	assert_non_null(strstr(out.reason, "www.example\\x00.evil\\x1b"));
	verifier_free(v);
}

static void issuers_that_are_not_trusted_are_told_apart(void **state)
{
	struct test_cert self = test_leaf_make("www.example", NULL);
	struct test_cert strange = test_leaf_make("www.example", &other_root);
	struct verifier *v = good_verifier();

	(void)state;
	expect(v, (struct ask){ { &self }, "www.example", 0 }, FAULT(SELF_SIGNED),
	       "\"www.example\" is signed by itself");
	expect(v, (struct ask){ { &strange, &other_root }, "www.example", 0 },
	       FAULT(UNKNOWN_ISSUER), "the chain ends at \"Other Root\", which is no trusted root");
	expect(v, (struct ask){ { &strange }, "www.example", 0 }, FAULT(INCOMPLETE),
	       "the issuer \"Other Root\" is neither trusted nor sent");
	expect(v, (struct ask){ { &leaf }, "www.example", 0 }, FAULT(INCOMPLETE),
	       "the issuer \"Good Middle\" is neither trusted nor sent");
	verifier_free(v);
	test_cert_fini(&self);
	test_cert_fini(&strange);
}

static void a_forged_issuer_is_unknown(void **state)
{
	struct test_cert fake_root = test_ca_make("Good Root", NULL);
	struct test_cert forged = test_leaf_make("www.example", &fake_root);
	struct test_options o = { .cn = "x", .by = &fake_root, .not_after = TEST_NOW + 1 };
	struct test_cert bare =
		test_cert_make(&o); /* without an AKI: the name alone leads to the root */
	struct test_cert by_leaf = test_leaf_make("www.example", &leaf);
	struct verifier *v = good_verifier();

	(void)state;
	expect(v, (struct ask){ { &forged }, "www.example", 0 }, FAULT(UNKNOWN_ISSUER),
	       "was not signed by the trusted root that it names, \"Good Root\"");
	expect(v, (struct ask){ { &bare }, "", 0 }, FAULT(UNKNOWN_ISSUER),
	       "the signature on \"x\" was not made by its issuer \"Good Root\"");
	expect(v, (struct ask){ { &by_leaf, &leaf, &middle }, "www.example", 0 },
	       FAULT(UNKNOWN_ISSUER) | FAULT(WRONG_PURPOSE),
	       "\"www.example\" may not sign certificates");
	verifier_free(v);
	test_cert_fini(&fake_root);
	test_cert_fini(&forged);
	test_cert_fini(&bare);
	test_cert_fini(&by_leaf);
}

static void all_faults_are_found_at_once(void **state)
{
	static const struct test_extension eku = { "extendedKeyUsage", "clientAuth" };
	struct test_options o = { .cn = "x",
				  .key = "RSA 1024",
				  .not_after = TEST_NOW - TEST_DAY,
				  .extensions = &eku,
				  .count = 1 };
	struct test_cert t = test_cert_make(&o);
	struct verifier *v = good_verifier();
	struct ask a = { { &t }, "www.example", TEST_NOW };

	(void)state;
	expect(v, a,
	       FAULT(SELF_SIGNED) | FAULT(WRONG_PURPOSE) | FAULT(WEAK) | FAULT(EXPIRED) |
		       FAULT(WRONG_NAME),
	       "is signed by itself");
	assert_int_equal(check(v, &a).result, VERIFY_SELF_SIGNED);
	verifier_free(v);
	test_cert_fini(&t);
}

static void a_wrong_purpose_is_told_with_its_oid(void **state)
{
	static const struct test_extension eku = { "extendedKeyUsage",
						   "clientAuth,emailProtection" };
	struct test_options o = {
		.cn = "x", .by = &root, .not_after = TEST_NOW + 1, .extensions = &eku, .count = 1
	};
	struct test_cert t = test_cert_make(&o);
	struct verifier *v = good_verifier();

	(void)state;
	expect(v, (struct ask){ { &t }, "", 0 }, FAULT(WRONG_PURPOSE),
	       "not for TLS servers (its extended key usage is 1.3.6.1.5.5.7.3.2 and more)");
	verifier_free(v);
	test_cert_fini(&t);
}

static void weak_keys_and_signatures_are_below_the_floor(void **state)
{
	struct test_options o = {
		.cn = "weak", .by = &root, .key = "RSA 1024", .not_after = TEST_NOW + 1
	};
	struct test_cert small = test_cert_make(&o), sha1, good;
	const struct test_cert *roots[] = { &root };
	struct verifier *v = good_verifier(), *lax = verifier_of(trust_of(roots, 1), 80);

	(void)state;
	o.key = NULL;
	o.digest = "SHA1";
	sha1 = test_cert_make(&o);
	o.digest = NULL;
	o.key = "RSA 2048";
	good = test_cert_make(&o);
	expect(v, (struct ask){ { &good }, "", 0 }, 0, "");
	expect(v, (struct ask){ { &small }, "", 0 }, FAULT(WEAK),
	       "the key of \"weak\" is too weak (RSA of 1024 bits)");
	expect(lax, (struct ask){ { &small }, "", 0 }, 0, "");
	expect(v, (struct ask){ { &sha1 }, "", 0 }, FAULT(WEAK),
	       "the signature on \"weak\" is too weak (ecdsa-with-SHA1)");
	expect(lax, (struct ask){ { &sha1 }, "", 0 }, FAULT(WEAK), "");
	verifier_free(v);
	verifier_free(lax);
	test_cert_fini(&small);
	test_cert_fini(&sha1);
	test_cert_fini(&good);
}

static void an_unknown_critical_extension_is_another_fault(void **state)
{
	static const struct test_extension x = { "1.2.3.4", "critical,DER:0500" };
	struct test_options o = {
		.cn = "x", .by = &root, .not_after = TEST_NOW + 1, .extensions = &x, .count = 1
	};
	struct test_cert t = test_cert_make(&o);
	struct verifier *v = good_verifier();

	(void)state;
	expect(v, (struct ask){ { &t }, "", 0 }, FAULT(OTHER), "unhandled critical extension");
	verifier_free(v);
	test_cert_fini(&t);
}

static void what_cannot_be_read_is_unreadable(void **state)
{
	static const struct test_extension san = { "2.5.29.17", "DER:3003820541" };
	struct test_options o = {
		.cn = "x", .by = &root, .not_after = TEST_NOW + 1, .extensions = &san, .count = 1
	};
	struct test_cert t = test_cert_make(&o), none = { .p = (unsigned char *)"", .n = 0 };
	struct test_cert cut = { .p = leaf.p, .n = leaf.n - 1 };
	struct verifier *v = good_verifier();

	(void)state;
	expect(v, (struct ask){ { &t }, "", 0 }, FAULT(UNREADABLE),
	       "the server's certificate: malformed extension subjectAltName");
	expect(v, (struct ask){ { &cut }, "", 0 }, FAULT(UNREADABLE), "the server's certificate");
	expect(v, (struct ask){ { &none }, "", 0 }, FAULT(UNREADABLE), "the server's certificate");
	expect(v, (struct ask){ { NULL }, "", 0 }, FAULT(UNREADABLE), "sent no certificate");
	/* Rubbish above the leaf is no part of a path. */
	expect(v, (struct ask){ { &leaf, &cut, &middle }, "www.example", 0 }, 0, "");
	expect(v, (struct ask){ { &leaf, &none }, "www.example", 0 }, 0, "");
	verifier_free(v);
	test_cert_fini(&t);
}

static void a_missing_intermediate_is_taken_from_those_seen_before(void **state)
{
	struct verifier *v = good_verifier();
	struct test_cert second = test_leaf_make("two.example", &middle);
	struct ask incomplete = { { &second }, "two.example", TEST_NOW };
	struct bytes der[] = { test_cert_der(&second) };
	struct verify_chain chain;
	struct verify_request req = {
		.der = der, .count = 1, .name = B("two.example"), .now_s = TEST_NOW
	};
	struct verdict got;

	(void)state;
	expect(v, incomplete, FAULT(INCOMPLETE), "");
	assert_int_equal(verifier_complete(v, &req, &chain, NULL), 0);
	assert_int_equal(chain.count, 1);
	expect(v, (struct ask){ { &leaf, &middle }, "www.example", 0 }, 0, "");
	expect(v, incomplete, 0, "");
	got = check(v, &incomplete);
	assert_true(got.completed);
	assert_int_equal(verifier_complete(v, &req, &chain, NULL), 0);
	assert_int_equal(chain.count, 2);
	assert_true(bytes_equal(chain.der[0], test_cert_der(&second)));
	assert_true(bytes_equal(chain.der[1], test_cert_der(&middle)));
	assert_false(
		check(v, &(struct ask){ { &leaf, &middle }, "www.example", TEST_NOW }).completed);
	verifier_free(v);
	test_cert_fini(&second);
}

static void only_intermediates_of_good_paths_are_learned(void **state)
{
	struct verifier *v = good_verifier();
	struct test_cert bad_middle = test_ca_make("Bad Middle", &other_root);
	struct test_cert l = test_leaf_make("www.example", &bad_middle);

	(void)state;
	expect(v, (struct ask){ { &l, &bad_middle, &other_root }, "www.example", 0 },
	       FAULT(UNKNOWN_ISSUER), "");
	expect(v, (struct ask){ { &l }, "www.example", 0 }, FAULT(INCOMPLETE), "Bad Middle");
	verifier_free(v);
	test_cert_fini(&bad_middle);
	test_cert_fini(&l);
}

static void a_missing_chain_of_two_is_completed(void **state)
{
	struct verifier *v = good_verifier();
	struct test_cert low = test_ca_make("Low", &middle);
	struct test_cert a = test_leaf_make("a.example", &low),
			 b = test_leaf_make("b.example", &low);
	struct bytes der[] = { test_cert_der(&b) };
	struct verify_chain chain;
	struct verify_request req = { .der = der, .count = 1, .now_s = TEST_NOW };

	(void)state;
	expect(v, (struct ask){ { &a, &low, &middle }, "a.example", 0 }, 0, "");
	expect(v, (struct ask){ { &b }, "b.example", 0 }, 0, "");
	assert_int_equal(verifier_complete(v, &req, &chain, NULL), 0);
	assert_int_equal(chain.count, 3);
	assert_true(bytes_equal(chain.der[1], test_cert_der(&low)));
	assert_true(bytes_equal(chain.der[2], test_cert_der(&middle)));
	verifier_free(v);
	test_cert_fini(&low);
	test_cert_fini(&a);
	test_cert_fini(&b);
}

static void an_excluded_root_is_never_accepted(void **state)
{
	const struct test_cert *roots[] = { &root, &other_root };
	struct trust *t = trust_of(roots, 2);
	struct verifier *before = verifier_of(trust_ref(t), 0), *v;
	struct test_cert strange = test_leaf_make("www.example", &other_root);

	(void)state;
	expect(before, (struct ask){ { &strange }, "www.example", 0 }, 0, "");
	assert_int_equal(trust_exclude(t, test_cert_der(&other_root), NULL), 0);
	assert_int_equal(trust_exclude(t, B("rubbish"), NULL), -1);
	v = verifier_of(t, 0);
	expect(v, (struct ask){ { &strange }, "www.example", 0 }, FAULT(UNKNOWN_ISSUER),
	       "signed by \"Other Root\", a root of oriel's own");
	expect(v, (struct ask){ { &leaf, &middle }, "www.example", 0 }, 0, "");
	/* The remembered verdict of the time before does not count either. */
	expect(before, (struct ask){ { &strange }, "www.example", 0 }, FAULT(UNKNOWN_ISSUER), "");
	verifier_free(before);
	verifier_free(v);
	test_cert_fini(&strange);
}

static void a_trusted_self_signed_leaf_is_good(void **state)
{
	struct test_cert self = test_leaf_make("www.example", NULL);
	const struct test_cert *roots[] = { &self };
	struct verifier *v = verifier_of(trust_of(roots, 1), 0);

	(void)state;
	expect(v, (struct ask){ { &self }, "www.example", 0 }, 0, "");
	verifier_free(v);
	test_cert_fini(&self);
}

static void a_trusted_intermediate_is_no_root(void **state)
{
	const struct test_cert *roots[] = { &middle };
	struct verifier *v = verifier_of(trust_of(roots, 1), 0);

	(void)state;
	expect(v, (struct ask){ { &leaf }, "www.example", 0 }, FAULT(INCOMPLETE), "Good Root");
	verifier_free(v);
}

static void bad_blocks_among_the_roots_are_counted(void **state)
{
	static const char pem[] = "# a comment\n-----BEGIN CERTIFICATE-----\nMAMCAQU=\n"
				  "-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n!!\n"
				  "-----END CERTIFICATE-----\n-----BEGIN X-----\n-----END X-----\n";
	struct trust *t = NULL;
	size_t count = 9, skipped = 9;

	(void)state;
	assert_int_equal(trust_new(bytes_str(pem), &t, &count, &skipped, NULL), 0);
	assert_int_equal(count, 0);
	assert_int_equal(skipped, 2);
	trust_free(t);
	assert_int_equal(trust_new(B(""), &t, NULL, NULL, NULL), 0);
	trust_free(t);
}

static void caches_are_bounded(void **state)
{
	const struct test_cert *roots[] = { &root };
	struct trust *t = trust_of(roots, 1);
	struct verifier_options o = { .trust = t, .max_verdicts = 2, .max_intermediates = 1 };
	struct verifier *v = NULL;
	struct test_cert m[3], l[3];

	(void)state;
	assert_int_equal(verifier_new(&o, &v, NULL), 0);
	trust_free(t);
	for (size_t i = 0; i < 3; i++) {
		m[i] = test_ca_make("Some Middle", &root);
		l[i] = test_leaf_make("www.example", &m[i]);
	}
	for (size_t i = 0; i < 6; i++)
		expect(v, (struct ask){ { &l[i % 3], &m[i % 3] }, "www.example", 0 }, 0, "");
	expect(v, (struct ask){ { &l[2] }, "www.example", 0 }, 0, "");
	expect(v, (struct ask){ { &l[0] }, "www.example", 0 }, FAULT(INCOMPLETE), "");
	verifier_free(v);
	for (size_t i = 0; i < 3; i++) {
		test_cert_fini(&m[i]);
		test_cert_fini(&l[i]);
	}
}

/* A thread's own verifier over roots that others use too; NULL when all went well. */
static void *verify_often(void *arg)
{
	struct verifier_options o = { .trust = arg, .max_verdicts = 1 };
	struct bytes der[] = { test_cert_der(&leaf), test_cert_der(&middle) };
	struct verify_request req = { .der = der, .count = 2 };
	struct verifier *v = NULL;
	struct verdict out;
	bool good = verifier_new(&o, &v, NULL) == 0;

	for (int i = 0; good && i < 40; i++) {
		req.now_s = TEST_NOW + i % 2 * 60 * (int64_t)TEST_DAY;
		req.name = i % 3 ? B("www.example") : B("");
		good = verifier_check(v, &req, &out, NULL) == 0 &&
		       out.result == (i % 2 ? VERIFY_EXPIRED : VERIFY_OK);
	}
	verifier_free(v);
	return good ? NULL : arg;
}

static void threads_share_a_set_of_roots(void **state)
{
	const struct test_cert *roots[] = { &root, &other_root };
	struct trust *t = trust_of(roots, 2);
	pthread_t threads[3];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, verify_often, t), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *failed = t;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	trust_free(t);
}

static void survives_every_failing_allocation(void **state)
{
	struct test_cert second = test_leaf_make("two.example", &middle);
	struct bytes der[] = { test_cert_der(&leaf), test_cert_der(&middle) };
	struct bytes der2[] = { test_cert_der(&second) };
	struct verify_request req = { .der = der, .count = 2, .now_s = TEST_NOW };
	struct verify_request req2 = { .der = der2, .count = 1, .now_s = TEST_NOW };
	struct verifier *v = good_verifier();
	struct verdict out;
	struct err e = { 0 };
	int done = -1;

	(void)state;
	for (size_t at = 1; done < 0; at++) {
		mem_fail_at(at);
		done = verifier_check(v, &req, &out, &e);
		if (done == 0)
			done = verifier_check(v, &req2, &out, &e);
		mem_fail_at(0);
		if (done < 0)
			assert_int_equal(e.code, ERR_NOMEM);
	}
	assert_int_equal(out.result, VERIFY_OK);
	assert_true(out.completed);
	verifier_free(v);
	test_cert_fini(&second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_chain_is_good),
		cmocka_unit_test(a_leaf_that_was_decoded_elsewhere_gets_the_same_verdict),
		cmocka_unit_test(dates_are_judged_again_at_each_use),
		cmocka_unit_test(an_issuer_that_expires_is_told_by_name),
		cmocka_unit_test(names_are_matched_by_the_alternative_names_only),
		cmocka_unit_test(a_name_with_nul_or_escapes_is_wrong_and_shown_escaped),
		cmocka_unit_test(issuers_that_are_not_trusted_are_told_apart),
		cmocka_unit_test(a_forged_issuer_is_unknown),
		cmocka_unit_test(all_faults_are_found_at_once),
		cmocka_unit_test(a_wrong_purpose_is_told_with_its_oid),
		cmocka_unit_test(weak_keys_and_signatures_are_below_the_floor),
		cmocka_unit_test(an_unknown_critical_extension_is_another_fault),
		cmocka_unit_test(what_cannot_be_read_is_unreadable),
		cmocka_unit_test(a_missing_intermediate_is_taken_from_those_seen_before),
		cmocka_unit_test(only_intermediates_of_good_paths_are_learned),
		cmocka_unit_test(a_missing_chain_of_two_is_completed),
		cmocka_unit_test(an_excluded_root_is_never_accepted),
		cmocka_unit_test(a_trusted_self_signed_leaf_is_good),
		cmocka_unit_test(a_trusted_intermediate_is_no_root),
		cmocka_unit_test(bad_blocks_among_the_roots_are_counted),
		cmocka_unit_test(caches_are_bounded),
		cmocka_unit_test(threads_share_a_set_of_roots),
		cmocka_unit_test(survives_every_failing_allocation),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
