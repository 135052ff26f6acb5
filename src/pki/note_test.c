#include "pki/note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "pki/test_cert.h"

static const struct test_extension good[] = {
	{ "basicConstraints", "critical,CA:FALSE" },
	{ "keyUsage", "critical,digitalSignature" },
	{ "extendedKeyUsage", "serverAuth" },
	{ "subjectAltName", "DNS:a.example,DNS:*.b.example" },
	{ "authorityKeyIdentifier", "keyid" },
};

static struct test_options usual(const struct test_cert *by)
{
	return (struct test_options){ .cn = "a.example",
				      .not_before = TEST_NOW - 30 * TEST_DAY,
				      .not_after = TEST_NOW + 60 * TEST_DAY,
				      .by = by,
				      .serial = "1234567890123456789012345",
				      .extensions = good,
				      .count = ARRAY_LEN(good) };
}

static bool has(const struct notes *n, const char *word)
{
	for (size_t i = 0; i < n->count; i++) {
		if (strcmp(n->list[i].word, word) == 0)
			return true;
	}
	return false;
}

static struct notes notes_of(const struct test_options *o, bool leaf, int64_t now)
{
	struct test_cert t = test_cert_make(o);
	struct notes n = { 0 };
	struct cert c;

	assert_int_equal(cert_parse(test_cert_der(&t), &c, NULL), 0);
	cert_notes(&c, leaf, now, &n);
	test_cert_fini(&t);
	return n;
}

static void a_good_one_has_none(void **state)
{
	struct test_cert root = test_ca_make("root", NULL);
	struct test_options o = usual(&root);
	struct notes n = notes_of(&o, true, TEST_NOW);

	(void)state;
	assert_int_equal(n.count, 0);
	o.cn = "x.b.example";
	n = notes_of(&o, true, TEST_NOW);
	assert_int_equal(n.count, 0);
	o.cn = "y.x.b.example";
	n = notes_of(&o, true, TEST_NOW);
	assert_true(has(&n, "name-not-in-san"));
	test_cert_fini(&root);
}

static void dates_are_told_from_soon_to_long_ago(void **state)
{
	struct test_cert root = test_ca_make("root", NULL);
	struct test_options o = usual(&root);
	struct notes n;

	(void)state;
	n = notes_of(&o, true, TEST_NOW - 31 * TEST_DAY);
	assert_true(has(&n, "not-yet-valid"));
	n = notes_of(&o, true, TEST_NOW + 29 * TEST_DAY);
	assert_int_equal(n.count, 0);
	n = notes_of(&o, true, TEST_NOW + 31 * TEST_DAY);
	assert_true(has(&n, "expires-soon"));
	n = notes_of(&o, true, TEST_NOW + 60 * TEST_DAY);
	assert_true(has(&n, "expired"));
	/* One that lives for a day is not about to end in the morning of it. */
	o.not_before = TEST_NOW;
	o.not_after = TEST_NOW + TEST_DAY;
	n = notes_of(&o, true, TEST_NOW + TEST_DAY / 2);
	assert_int_equal(n.count, 0);
	test_cert_fini(&root);
}

static void each_rule_broken_once(void **state)
{
	static const struct {
		const char *name, *value, *word;
	} broken[] = {
		{ "basicConstraints", "critical,CA:TRUE", "ca-as-leaf" },
		{ "keyUsage", "keyAgreement", "no-digital-signature" },
		{ "keyUsage", "digitalSignature,keyEncipherment", "key-usage" },
		{ "keyUsage", "digitalSignature,keyCertSign", "cert-sign" },
		{ "extendedKeyUsage", "clientAuth", "not-for-servers" },
		{ "subjectAltName", "DNS:c.example", "name-not-in-san" },
	};
	struct test_cert root = test_ca_make("root", NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct test_extension x[ARRAY_LEN(good)];
		struct test_options o = usual(&root);
		struct notes n;

		for (size_t k = 0; k < ARRAY_LEN(good); k++) {
			x[k] = good[k];
			if (strcmp(good[k].name, broken[i].name) == 0)
				x[k].value = broken[i].value;
		}
		o.extensions = x;
		n = notes_of(&o, true, TEST_NOW);
		assert_true(has(&n, broken[i].word));
	}
	test_cert_fini(&root);
}

static void what_is_missing_is_told(void **state)
{
	static const struct {
		size_t without;
		const char *word;
	} missing[] = { { 2, "no-eku" }, { 3, "no-san" }, { 4, "no-aki" } };
	struct test_cert root = test_ca_make("root", NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(missing); i++) {
		struct test_extension x[ARRAY_LEN(good)];
		struct test_options o = usual(&root);
		struct notes n;

		o.extensions = x;
		o.count = 0;
		for (size_t k = 0; k < ARRAY_LEN(good); k++) {
			if (k != missing[i].without)
				x[o.count++] = good[k];
		}
		n = notes_of(&o, true, TEST_NOW);
		assert_true(has(&n, missing[i].word));
	}
	test_cert_fini(&root);
}

static void weakness_length_and_serials(void **state)
{
	struct test_cert root = test_ca_make("root", NULL);
	struct test_options o = usual(&root);
	struct notes n;

	(void)state;
	o.key = "RSA 1024";
	o.digest = "SHA1";
	o.serial = "0";
	o.not_after = TEST_NOW + 800 * TEST_DAY;
	n = notes_of(&o, true, TEST_NOW);
	assert_true(has(&n, "weak-key") && has(&n, "weak-signature"));
	assert_true(has(&n, "bad-serial") && has(&n, "too-long"));
	o.not_after = TEST_NOW + 400 * TEST_DAY;
	o.serial = "7";
	n = notes_of(&o, true, TEST_NOW);
	assert_true(has(&n, "long") && has(&n, "short-serial"));
	notes_sort(&n);
	for (size_t i = 1; i < n.count; i++)
		assert_true(n.list[i].level >= n.list[i - 1].level);
	test_cert_fini(&root);
}

static void order_of_chains(void **state)
{
	struct test_cert root = test_ca_make("root", NULL), ca = test_ca_make("ca", &root);
	struct test_cert leaf = test_leaf_make("a.example", &ca), other = test_ca_make("x", NULL);
	const struct test_cert *const orders[][3] = {
		{ &leaf, &ca, NULL },	{ &leaf, &ca, &root }, { &leaf, &root, &ca },
		{ &leaf, &ca, &other }, { &leaf, &ca, &ca },
	};
	static const char *const words[] = { NULL, "root-sent", "order", "stray", "sent-twice" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		struct notes n = { 0 };
		struct cert c[3];
		size_t count = 0;

		for (; count < 3 && orders[i][count]; count++)
			assert_int_equal(cert_parse(test_cert_der(orders[i][count]), &c[count],
						    NULL),
					 0);
		chain_notes(c, count, &n);
		if (words[i])
			assert_true(has(&n, words[i]));
		else
			assert_int_equal(n.count, 0);
	}
	test_cert_fini(&other);
	test_cert_fini(&leaf);
	test_cert_fini(&ca);
	test_cert_fini(&root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_one_has_none),
		cmocka_unit_test(dates_are_told_from_soon_to_long_ago),
		cmocka_unit_test(each_rule_broken_once),
		cmocka_unit_test(what_is_missing_is_told),
		cmocka_unit_test(weakness_length_and_serials),
		cmocka_unit_test(order_of_chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
