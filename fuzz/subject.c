/* Any text as a distinguished name: what comes out is a Name that our reader knows. */
#include <stdlib.h>

#include "ca/subject.h"
#include "pki/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_fini) struct buf out = buf_init(1 << 18), cn = buf_init(1 << 16);

	if (ca_subject_parse(bytes_of(data, size), &out, &cn, NULL) < 0) {
		if (out.n != 0)
			abort();
		return 0;
	}
	if (out.n < 2 || out.p[0] != 0x30)
		abort();
	return 0;
}
