/* What stands behind an admin socket may be anybody: his answer, and the settings in it. */
#include "cmd/ask.h"
#include "cmd/settings.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ask_reply reply = { .body = buf_init(1 << 20) };
	struct settings s;

	if (ask_parse(bytes_of(data, size), &reply, NULL) == 0 &&
	    settings_parse(buf_bytes(&reply.body), &s, NULL) == 0 &&
	    (s.ca[0] != '/' || s.bundle[0] != '/' || s.p12[0] != '/'))
		abort();
	buf_fini(&reply.body);
	return 0;
}
