/* What a mimic certificate costs, all in: reading the origin, writing the TBS, signing it. One
 * thread, leaf keys from a pool. Prints one JSON line for each type of authority. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pki/mint.h"
#include "pki/test_cert.h"

#define SECONDS 1.0
#define ORIGINS 64

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const struct err *e)
{
	fprintf(stderr, "bench mint: %s\n", e->sentence);
	exit(1);
}

/* A leaf as public CAs issue it: many extensions, among them those that a mimic drops. */
static struct test_cert make_origin(size_t i, const struct test_cert *by)
{
	char cn[64], san[200];
	const struct test_extension extensions[] = {
		{ "keyUsage", "critical,digitalSignature" },
		{ "extendedKeyUsage", "serverAuth,clientAuth" },
		{ "basicConstraints", "critical,CA:FALSE" },
		{ "subjectKeyIdentifier", "hash" },
		{ "authorityKeyIdentifier", "keyid" },
		{ "authorityInfoAccess", "OCSP;URI:http://ocsp.bench.test/" },
		{ "subjectAltName", san },
		{ "crlDistributionPoints", "URI:http://crl.bench.test/1.crl" },
		{ "1.3.6.1.4.1.11129.2.4.2", "DER:0400" },
	};
	struct test_options o = { .cn = cn,
				  .not_before = TEST_NOW,
				  .not_after = TEST_NOW + 90 * TEST_DAY,
				  .by = by,
				  .extensions = extensions,
				  .count = ARRAY_LEN(extensions) };

	snprintf(cn, sizeof(cn), "h%zu.bench.test", i);
	snprintf(san, sizeof(san), "DNS:h%zu.bench.test,DNS:www.h%zu.bench.test", i, i);
	return test_cert_make(&o);
}

static struct authority *make_authority(const char *key)
{
	struct test_cert ca = test_signer_make("bench CA", key);
	struct buf cert = buf_init(10000), pkcs8 = buf_init_secret(10000);
	struct authority *a = NULL;
	struct err e = { 0 };

	test_cert_pem(&ca, &cert, &pkcs8);
	if (authority_new(buf_bytes(&cert), buf_bytes(&pkcs8), &a, &e) < 0)
		die(&e);
	buf_fini(&cert);
	buf_fini(&pkcs8);
	test_cert_fini(&ca);
	return a;
}

static void measure(const char *key, const struct test_cert *origins, struct bytes spki)
{
	struct authority *by = make_authority(key);
	struct buf out = buf_init(65536);
	struct mint_notes notes;
	uint8_t serial[16] = { 1 };
	struct err e = { 0 };
	double start = cpu_seconds(), spent = 0;
	uint64_t n = 0;

	while (spent < SECONDS) {
		for (size_t i = 0; i < ORIGINS; i++, n++) {
			struct mint_request req = { .origin_der = test_cert_der(&origins[i]),
						    .by = by,
						    .spki = spki,
						    .serial = serial };

			for (size_t k = 0; k < 8; k++)
				serial[15 - k] = (uint8_t)(n >> (8 * k));
			buf_clear(&out);
			if (mint_leaf(&req, &out, &notes, &e) < 0)
				die(&e);
		}
		spent = cpu_seconds() - start;
	}
	printf("{\"bench\":\"mint\",\"authority\":\"%s\",\"per_cpu_s\":%.0f,\"us\":%.2f,"
	       "\"bytes\":%zu}\n",
	       key, (double)n / spent, spent / (double)n * 1e6, out.n);
	buf_fini(&out);
	authority_free(by);
}

int main(void)
{
	struct test_cert ca = test_ca_make("origin CA", NULL), origins[ORIGINS];
	struct key_pair leaf;
	struct err e = { 0 };

	if (key_pair_make(KEY_P256, &leaf, &e) < 0)
		die(&e);
	for (size_t i = 0; i < ORIGINS; i++)
		origins[i] = make_origin(i, &ca);
	measure("P-256", origins, buf_bytes(&leaf.spki));
	measure("RSA 2048", origins, buf_bytes(&leaf.spki));
	for (size_t i = 0; i < ORIGINS; i++)
		test_cert_fini(&origins[i]);
	test_cert_fini(&ca);
	key_pair_fini(&leaf);
	return 0;
}
