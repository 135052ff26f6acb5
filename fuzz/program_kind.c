/* `oriel keys` looks into whatever executable it is told to run. */
#include "cmd/program_kind.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (program_kind(bytes_of(data, size)) > PROGRAM_FOREIGN)
		abort();
	return 0;
}
