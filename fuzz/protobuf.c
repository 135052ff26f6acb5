/* Protocol Buffers without a schema: it ends, stays within its limit, and says nothing of what is no
 * message. */
#include <stdlib.h>

#include "http/protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = buf_init(10000);

	if (!protobuf_explain(bytes_of(data, size), &out) && out.n)
		abort();
	buf_fini(&out);
	return 0;
}
