/* Where oriel keeps its files. Under AT_SECURE (a set-user-ID or file-capability start) every
 * environment variable that holds a path is ignored; so is one that is no absolute path. */
#ifndef PROC_PATHS_H
#define PROC_PATHS_H

#include "base/err.h"

#define PATHS_MAX 4096

/* An environment variable that holds a path, or NULL when it is unset, empty, relative or not to be
 * trusted. relative_ok: the user names a file of the working directory (SSLKEYLOGFILE). */
const char *paths_env(const char *name, bool relative_ok);
/* $XDG_STATE_HOME/oriel, else $HOME/.local/state/oriel, else below the home folder of the user
 * database, else for root /var/lib/oriel. Nothing is made. Fails with ERR_FILE. */
int paths_state_dir(char out[PATHS_MAX], struct err *e) MUST_CHECK;
/* For sockets: $XDG_RUNTIME_DIR/oriel, else for root /run/oriel, else run in the state folder. */
int paths_runtime_dir(char out[PATHS_MAX], struct err *e) MUST_CHECK;
/* dir/name; out may be dir. Fails with ERR_LIMIT. */
int paths_join(char out[PATHS_MAX], const char *dir, const char *name, struct err *e) MUST_CHECK;

#endif
