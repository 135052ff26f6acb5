/* A folder of one's own for as long as a verb runs. */
#ifndef CMD_TEMPDIR_H
#define CMD_TEMPDIR_H

#include "proc/paths.h"

/* Makes a folder (0700) with a name that nobody can guess in TMPDIR, else /tmp. Fails with ERR_FILE. */
int tempdir_make(char out[PATHS_MAX], struct err *e) MUST_CHECK;
/* Removes it with all that is in it, links unfollowed. Fails with ERR_FILE when something stays. */
int tempdir_remove(const char *path, struct err *e) MUST_CHECK;

#endif
