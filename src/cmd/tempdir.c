#include "cmd/tempdir.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { OPEN_FOLDERS = 16, TRIES = 20, BETWEEN_MS = 50 };

int tempdir_make(char out[PATHS_MAX], struct err *e)
{
	const char *in = paths_env("TMPDIR", false);

	if (paths_join(out, in ? in : "/tmp", "oriel-XXXXXX", e) < 0)
		return -1;
	return mkdtemp(out) ? 0 : FAIL_SYS(e, FILE, "a temporary folder %s", out);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)where;
	return kind == FTW_DP ? rmdir(path) : unlink(path);
}

/* Who is just ending may still write. */
int tempdir_remove(const char *path, struct err *e)
{
	for (unsigned i = 0; i < TRIES; i++) {
		if (nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 ||
		    errno == ENOENT) {
			if (access(path, F_OK) < 0)
				return 0;
		}
		poll(NULL, 0, BETWEEN_MS);
	}
	return FAIL_SYS(e, FILE, "%s cannot be removed", path);
}
