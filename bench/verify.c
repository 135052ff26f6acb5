/* What a verdict on a chain costs: remembered, and for a new leaf below a known intermediate. One
 * thread. Prints one JSON line each. */
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pki/test_cert.h"
#include "pki/verify.h"

#define LEAVES 400
#define HITS 200000

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *why)
{
	fprintf(stderr, "bench verify: %s\n", why);
	exit(1);
}

static struct verifier *make_verifier(const struct test_cert *root)
{
	struct verifier_options o = { 0 };
	struct verifier *v = NULL;
	struct err e = { 0 };
	BIO *b = BIO_new(BIO_s_mem());
	char *p;
	long n;

	PEM_write_bio_X509(b, root->x);
	n = BIO_get_mem_data(b, &p);
	if (trust_new(bytes_of(p, (size_t)n), &o.trust, NULL, NULL, &e) < 0 ||
	    verifier_new(&o, &v, &e) < 0)
		die(e.sentence);
	trust_free(o.trust);
	BIO_free(b);
	return v;
}

static void check(struct verifier *v, const struct test_cert *leaf, const struct test_cert *middle)
{
	struct bytes der[] = { test_cert_der(leaf), test_cert_der(middle) };
	struct verify_request req = {
		.der = der, .count = 2, .name = bytes_str("www.bench.test"), .now_s = TEST_NOW
	};
	struct verdict out;
	struct err e = { 0 };

	if (verifier_check(v, &req, &out, &e) < 0)
		die(e.sentence);
	if (out.result != VERIFY_OK)
		die(out.reason);
}

static void report(const char *what, double seconds, size_t count)
{
	printf("{\"bench\":\"verify\",\"case\":\"%s\",\"per_cpu_s\":%.0f,\"us\":%.2f}\n", what,
	       (double)count / seconds, seconds / (double)count * 1e6);
}

int main(void)
{
	struct test_cert root = test_ca_make("bench root", NULL);
	struct test_cert middle = test_ca_make("bench middle", &root), leaves[LEAVES];
	struct verifier *v = make_verifier(&root);
	double start;

	for (size_t i = 0; i < LEAVES; i++)
		leaves[i] = test_leaf_make("www.bench.test", &middle);
	check(v, &leaves[0], &middle);
	start = cpu_seconds();
	for (size_t i = 1; i < LEAVES; i++)
		check(v, &leaves[i], &middle);
	report("new leaf", cpu_seconds() - start, LEAVES - 1);
	start = cpu_seconds();
	for (size_t i = 0; i < HITS; i++)
		check(v, &leaves[i % LEAVES], &middle);
	report("remembered", cpu_seconds() - start, HITS);
	verifier_free(v);
	for (size_t i = 0; i < LEAVES; i++)
		test_cert_fini(&leaves[i]);
	test_cert_fini(&middle);
	test_cert_fini(&root);
	return 0;
}
