#include "pki/paths.h"

#include <openssl/x509_vfy.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "pki/test_cert.h"

#define MOST 8

/* A question under construction. */
struct asked {
	struct path_request q;
	struct bytes untrusted[MOST], roots[MOST];
};

static void ask(struct asked *a, const struct test_cert *leaf)
{
	*a = (struct asked){ .q = { .leaf = test_cert_der(leaf), .now_s = TEST_NOW } };
	a->q.untrusted = a->untrusted;
	a->q.roots = a->roots;
}

static void with(struct asked *a, const struct test_cert *c)
{
	a->untrusted[a->q.untrusted_count++] = test_cert_der(c);
}

static void trusting(struct asked *a, const struct test_cert *c)
{
	a->roots[a->q.root_count++] = test_cert_der(c);
}

static struct path_report *answer(const struct asked *a)
{
	struct path_report *r = NULL;
	struct err e = { 0 };

	assert_int_equal(paths_explain(&a->q, &r, &e), 0);
	/* The explanation never contradicts the verdict. */
	for (size_t i = 0; i < r->count; i++) {
		if (r->paths[i].chosen)
			assert_int_equal(r->paths[i].fault_count == 0, r->ok);
	}
	return r;
}

static void told(const struct path *p, size_t at, const char *word)
{
	for (size_t i = 0; i < p->fault_count; i++) {
		if (p->faults[i].at == at && strcmp(p->faults[i].word, word) == 0) {
			assert_true(p->faults[i].sentence[0] != 0);
			return;
		}
	}
	fail_msg("step %zu: nothing of %s", at, word);
}

static void a_good_path_holds(void **state)
{
	struct test_cert root = test_ca_make("root", NULL), ca = test_ca_make("ca", &root);
	struct test_cert leaf = test_leaf_make("a.example", &ca);
	struct path_report *r;
	struct asked a;

	(void)state;
	ask(&a, &leaf);
	with(&a, &ca);
	trusting(&a, &root);
	a.q.purpose = PATH_FOR_SERVER;
	a.q.name = bytes_str("a.example");
	r = answer(&a);
	assert_true(r->ok);
	assert_int_equal(r->count, 1);
	assert_int_equal(r->paths[0].count, 3);
	assert_true(r->paths[0].chosen && r->paths[0].steps[2].trusted);
	path_report_free(r);
	a.q.name = bytes_str("b.example");
	r = answer(&a);
	assert_false(r->ok);
	assert_int_equal(r->error, X509_V_ERR_HOSTNAME_MISMATCH);
	told(&r->paths[0], 0, "wrong-name");
	path_report_free(r);
	a.q.name = bytes_str(".example");
	r = answer(&a);
	assert_false(r->ok);
	told(&r->paths[0], 0, "wrong-name");
	path_report_free(r);
	test_cert_fini(&leaf);
	test_cert_fini(&ca);
	test_cert_fini(&root);
}

static void everything_that_is_wrong_is_told_not_only_the_first(void **state)
{
	struct test_cert root = test_ca_make("root", NULL), ca = test_ca_make("ca", &root);
	struct test_cert leaf = test_leaf_make("a.example", &ca);
	struct path_report *r;
	struct asked a;

	(void)state;
	ask(&a, &leaf);
	with(&a, &ca);
	with(&a, &root);
	a.q.now_s = TEST_NOW + 100 * TEST_DAY;
	a.q.name = bytes_str("b.example");
	r = answer(&a);
	assert_false(r->ok);
	told(&r->paths[0], 0, "expired");
	told(&r->paths[0], 0, "wrong-name");
	told(&r->paths[0], 2, "untrusted-root");
	path_report_free(r);
	test_cert_fini(&leaf);
	test_cert_fini(&ca);
	test_cert_fini(&root);
}

static void roots_of_one_name_are_separate_paths(void **state)
{
	struct test_cert root = test_ca_make("root", NULL), other = test_ca_make("root", NULL);
	struct test_cert leaf = test_leaf_make("a.example", &root);
	struct path_report *r;
	struct asked a;
	size_t good = 0;

	(void)state;
	ask(&a, &leaf);
	trusting(&a, &other);
	r = answer(&a);
	assert_false(r->ok);
	assert_true(r->count >= 1 && r->paths[0].fault_count >= 1);
	path_report_free(r);
	trusting(&a, &root);
	r = answer(&a);
	assert_true(r->ok);
	assert_int_equal(r->count, 2);
	for (size_t i = 0; i < r->count; i++)
		good += r->paths[i].fault_count == 0;
	assert_int_equal(good, 1);
	path_report_free(r);
	test_cert_fini(&leaf);
	test_cert_fini(&other);
	test_cert_fini(&root);
}

static void a_leaf_that_signs_is_no_ca(void **state)
{
	struct test_cert root = test_ca_make("root", NULL), no_ca = test_leaf_make("no.ca", &root);
	struct test_cert leaf = test_leaf_make("a.example", &no_ca);
	struct path_report *r;
	struct asked a;

	(void)state;
	ask(&a, &leaf);
	with(&a, &no_ca);
	trusting(&a, &root);
	r = answer(&a);
	assert_false(r->ok);
	told(&r->paths[0], 1, "not-a-ca");
	path_report_free(r);
	test_cert_fini(&leaf);
	test_cert_fini(&no_ca);
	test_cert_fini(&root);
}

static void what_cannot_be_read_is_left_out_and_counted(void **state)
{
	struct test_cert root = test_ca_make("root", NULL);
	struct test_cert leaf = test_leaf_make("a.example", &root);
	struct path_report *r = NULL;
	struct err e = { 0 };
	struct asked a;

	(void)state;
	ask(&a, &leaf);
	trusting(&a, &root);
	a.untrusted[a.q.untrusted_count++] = bytes_str("garbage");
	r = answer(&a);
	assert_true(r->ok);
	assert_int_equal(r->skipped, 1);
	path_report_free(r);
	a.q.leaf = bytes_str("garbage");
	assert_int_equal(paths_explain(&a.q, &r, &e), -1);
	a.q.leaf = test_cert_der(&leaf);
	a.q.check_policy = true;
	a.q.policies = &(const char *){ "no oid" };
	a.q.policy_count = 1;
	assert_int_equal(paths_explain(&a.q, &r, &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
	test_cert_fini(&leaf);
	test_cert_fini(&root);
}

/* Three CAs of one name that could all have signed each other: no more paths than there is room for. */
static void many_paths_are_cut_off(void **state)
{
	struct test_cert roots[MOST], leaf;
	struct path_report *r;
	struct asked a;

	(void)state;
	for (size_t i = 0; i < MOST; i++)
		roots[i] = test_ca_make("same", i ? &roots[i - 1] : NULL);
	leaf = test_leaf_make("a.example", &roots[0]);
	ask(&a, &leaf);
	for (size_t i = 0; i < MOST; i++)
		with(&a, &roots[i]);
	trusting(&a, &roots[0]);
	r = answer(&a);
	assert_true(r->ok);
	assert_true(r->more);
	assert_int_equal(r->count, PATHS_MAX_TOLD);
	path_report_free(r);
	test_cert_fini(&leaf);
	for (size_t i = 0; i < MOST; i++)
		test_cert_fini(&roots[i]);
}

static void fails_when_there_is_no_memory(void **state)
{
	struct test_cert root = test_ca_make("root", NULL);
	struct test_cert leaf = test_leaf_make("a.example", &root);
	struct asked a;
	size_t at = 1;
	int done;

	(void)state;
	ask(&a, &leaf);
	trusting(&a, &root);
	do {
		struct path_report *r = NULL;
		struct err e = { 0 };

		mem_fail_at(at++);
		done = paths_explain(&a.q, &r, &e);
		mem_fail_at(0);
		assert_true(done == 0 || e.code == ERR_NOMEM);
		path_report_free(r);
	} while (done < 0);
	assert_true(at > 2);
	test_cert_fini(&leaf);
	test_cert_fini(&root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_path_holds),
		cmocka_unit_test(everything_that_is_wrong_is_told_not_only_the_first),
		cmocka_unit_test(roots_of_one_name_are_separate_paths),
		cmocka_unit_test(a_leaf_that_signs_is_no_ca),
		cmocka_unit_test(what_cannot_be_read_is_left_out_and_counted),
		cmocka_unit_test(many_paths_are_cut_off),
		cmocka_unit_test(fails_when_there_is_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
