/* What an upstream proxy answers to CONNECT: never more used than there is, and the same answer
 * however much comes at a time. */
#include <assert.h>

#include "proxy/via.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { 0 };
	size_t used = 0, part_used = 0;
	enum via_outcome whole = via_answer(bytes_of(data, size), &used, &e);

	assert(whole != VIA_OPEN || (used > 0 && used <= size));
	assert(whole != VIA_REFUSED || e.sentence[0]);
	for (size_t n = 0; n < size; n += 1 + n / 8) {
		enum via_outcome part = via_answer(bytes_of(data, n), &part_used, &e);

		if (part == VIA_OPEN)
			assert(whole == VIA_OPEN && part_used == used);
	}
	return 0;
}
