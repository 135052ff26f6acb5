/* Any text as a manifest: it is read, or refused with a sentence that begins with its name. */
#include <stdlib.h>

#include "cmd/certs_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certs_manifest m;
	struct err e = { 0 };
	int done = certs_manifest_parse("m", bytes_of(data, size), &m, &e);

	if (done < 0 && e.code == ERR_CONFIG && strncmp(e.sentence, "m:", 2) != 0)
		abort();
	for (size_t i = 0; done == 0 && i < m.count; i++)
		if (!m.list[i].filename || strstr(m.list[i].filename, "../"))
			abort();
	certs_manifest_fini(&m);
	return 0;
}
