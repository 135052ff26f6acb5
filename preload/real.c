#include "preload/real.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char here; /* an address in this library */

static bool is_ours(const void *found)
{
	return found && real_map(found) == real_map(&here);
}

static void *open_again(const char *name, int more)
{
	return name[0] ? dlopen(name, RTLD_LAZY | RTLD_NOLOAD | more) : NULL;
}

void *real_library(const void *address)
{
	const struct link_map *map = real_map(address);
	int before = errno;
	void *handle = map ? open_again(map->l_name, RTLD_NODELETE) : NULL;

	errno = before;
	return handle;
}

static void *find_in(const char *file, const char *name)
{
	void *handle = open_again(file, 0);
	void *found = handle ? dlsym(handle, name) : NULL;

	if (handle)
		dlclose(handle); /* the caller, or whoever else loaded it, still has it */
	return is_ours(found) ? NULL : found;
}

struct search {
	const char *like;
	unsigned skip; /* how many of them were looked at */
	char file[PATH_MAX];
};

/* Nothing can be opened in here: the loader holds its lock. */
static int match(struct dl_phdr_info *info, size_t size, void *data)
{
	struct search *s = data;
	const char *slash = info->dlpi_name ? strrchr(info->dlpi_name, '/') : NULL;

	(void)size;
	if (!slash || strncmp(slash + 1, s->like, strlen(s->like)) != 0 || s->skip-- > 0)
		return 0;
	snprintf(s->file, sizeof(s->file), "%s", info->dlpi_name);
	return 1;
}

static void *find_anywhere(const char *name, const char *like)
{
	for (unsigned n = 0;; n++) {
		struct search s = { .like = like, .skip = n };
		void *found;

		if (!dl_iterate_phdr(match, &s))
			return NULL;
		found = find_in(s.file, name);
		if (found)
			return found;
	}
}

void *real_find(const char *name, const void *caller, const char *like)
{
	const struct link_map *map = real_map(caller);
	int before = errno;
	void *found = map ? find_in(map->l_name, name) : NULL;

	if (!found)
		found = dlsym(RTLD_NEXT, name);
	if (!found)
		found = find_anywhere(name, like);
	errno = before;
	return found;
}
