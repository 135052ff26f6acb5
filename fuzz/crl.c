/* Any bytes as a revocation list: what is read can be walked, and lies within the bytes. */
#include <stdlib.h>

#include "ca/crl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes der = bytes_of(data, size), rest;
	struct ca_crl_view v;
	struct ca_revoked one;
	size_t left;

	if (ca_crl_parse(der, &v, NULL) < 0)
		return 0;
	rest = v.revoked;
	for (left = rest.n; ca_crl_next(&rest, &one); left = rest.n)
		if (rest.n >= left || one.serial.p < data ||
		    one.serial.p + one.serial.n > data + size)
			abort();
	if (left != 0)
		abort();
	return 0;
}
