/* Any bytes as PEM text: it comes to an end, and what was read is read again when written. */
#include <stdlib.h>

#include "pki/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pem p = { .rest = bytes_of(data, size), .line = 1 }, q;
	struct buf der = buf_init(1 << 20), again = buf_init(1 << 20), text = buf_init(1 << 22);
	struct bytes label;
	enum pem_step step;

	while ((step = pem_next(&p, &label, &der, NULL)) != PEM_END) {
		if (step == PEM_NOMEM)
			abort();
		if (step != PEM_BLOCK)
			continue;
		buf_clear(&text);
		if (pem_write(&text, "X", buf_bytes(&der), NULL) < 0)
			abort();
		q = (struct pem){ .rest = buf_bytes(&text), .line = 1 };
		if (pem_next(&q, &label, &again, NULL) != PEM_BLOCK ||
		    !bytes_equal(buf_bytes(&der), buf_bytes(&again)))
			abort();
	}
	buf_fini(&der);
	buf_fini(&again);
	buf_fini(&text);
	return 0;
}
