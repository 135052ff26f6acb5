/* Certificates one after another, the first the leaf, the last trusted: what is told of the path that
 * libcrypto took never contradicts libcrypto. */
#include <stdlib.h>

#include "pki/cert.h"
#include "pki/paths.h"

#define MOST 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = bytes_of(data, size), der[MOST];
	struct path_report *r;
	struct path_request q = { .now_s = 1717200000 };
	size_t count = 0, n;

	while (count < MOST && (n = cert_length(rest)) != 0) {
		der[count++] = bytes_slice(rest, 0, n);
		rest = bytes_slice(rest, n, rest.n);
	}
	if (count < 2)
		return 0;
	q.leaf = der[0];
	q.untrusted = der + 1;
	q.untrusted_count = count - 2;
	q.roots = der + count - 1;
	q.root_count = 1;
	q.name = rest;
	if (paths_explain(&q, &r, NULL) < 0)
		return 0;
	for (size_t i = 0; i < r->count; i++) {
		if (r->paths[i].chosen && (r->paths[i].fault_count == 0) != r->ok)
			abort();
	}
	path_report_free(r);
	return 0;
}
