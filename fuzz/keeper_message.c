/* Messages between worker and keeper, either of which may be taken over: what is read must come out
 * the same when it is written again. */
#include <assert.h>

#include "proxy/keeper_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf again = buf_init(KEEPER_MESSAGE_MAX);
	struct keeper_message m;

	if (size <= KEEPER_MESSAGE_MAX &&
	    keeper_message_parse(bytes_of(data, size), &m, NULL) == 0) {
		assert(keeper_message_write(&m, &again, NULL) == 0);
		assert(bytes_equal(buf_bytes(&again), bytes_of(data, size)));
	}
	buf_fini(&again);
	return 0;
}
