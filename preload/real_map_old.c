/* glibc before 2.35: dladdr1(), which looks through all the symbols of the library. */
#include "preload/real.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

const struct link_map *real_map(const void *address)
{
	struct link_map *map = NULL;
	void *out = NULL;
	Dl_info info;

	if (!dladdr1(address, &info, &out, RTLD_DL_LINKMAP))
		return NULL;
	memcpy(&map, &out, sizeof(map));
	return map;
}
