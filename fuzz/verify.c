/* Any bytes as a server's chain: certificates one after another, a name before them (its length in
 * the first byte). There is a verdict with a reason, twice the same, and never a good one, for
 * nobody can sign below the one trusted root. */
#include <stdlib.h>

#include "pki/cert.h"
#include "pki/mint.h"
#include "pki/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHAIN_MAX 8

static struct verifier *v;

static void set_up(void)
{
	struct buf cert = buf_init(10000), key = buf_init_secret(10000);
	struct verifier_options o = { .max_verdicts = 16, .max_intermediates = 16 };

	if (authority_make_root("fuzz", 1717200000, &cert, &key, NULL) < 0 ||
	    trust_new(buf_bytes(&cert), &o.trust, NULL, NULL, NULL) < 0 ||
	    verifier_new(&o, &v, NULL) < 0)
		abort();
	trust_free(o.trust);
	buf_fini(&cert);
	buf_fini(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes all = bytes_of(data, size), der[CHAIN_MAX];
	size_t name_n = size ? data[0] : 0;
	struct verify_chain shown;
	struct verify_request req = { .der = der, .now_s = 1800000000 };
	struct verdict a, b;

	if (!v)
		set_up();
	req.name = bytes_slice(all, 1, name_n);
	all = bytes_slice(all, 1 + name_n, size);
	while (all.n && req.count < CHAIN_MAX) {
		size_t n = cert_length(all);

		der[req.count++] = bytes_slice(all, 0, n ? n : all.n);
		all = bytes_slice(all, n ? n : all.n, all.n);
	}
	if (verifier_check(v, &req, &a, NULL) < 0 || verifier_check(v, &req, &b, NULL) < 0 ||
	    verifier_complete(v, &req, &shown, NULL) < 0)
		abort();
	if (a.result == VERIFY_OK || a.result != b.result || a.faults != b.faults ||
	    strcmp(a.reason, b.reason) != 0 || !a.reason[0] || shown.count != req.count)
		abort();
	return 0;
}
