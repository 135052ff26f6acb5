/* What makes a command log its keys: the preload library, and the variables that programs with TLS of
 * their own honour. */
#ifndef CMD_KEYS_ENVIRONMENT_H
#define CMD_KEYS_ENVIRONMENT_H

#include "proc/paths.h"

/* Where the library is: as installed beside this program, or in the build tree that it lies in.
 * Fails with ERR_FILE when it is in neither. */
int keys_preload_path(char out[PATHS_MAX], struct err *e) MUST_CHECK;

/* Sets the variables in this process: file and library are absolute paths. What LD_PRELOAD and
 * NODE_OPTIONS have already stays in front. Fails with ERR_UNSUPPORTED when the library's path
 * has a blank or a colon, at which the loader would split it; ERR_LIMIT, ERR_NOMEM. */
int keys_environment_set(const char *file, const char *library, struct err *e) MUST_CHECK;

#endif
