#include "proc/paths.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

const char *paths_env(const char *name, bool relative_ok)
{
	const char *value = getauxval(AT_SECURE) ? NULL : getenv(name);

	if (!value || !value[0] || (!relative_ok && value[0] != '/'))
		return NULL;
	return value;
}

int paths_join(char out[PATHS_MAX], const char *dir, const char *name, struct err *e)
{
	size_t n = strlen(dir), more = strlen(name);
	bool slash = more && n && dir[n - 1] != '/';

	if (n + slash + more >= PATHS_MAX)
		return FAIL(e, LIMIT, "a path of more than %d bytes", PATHS_MAX - 1);
	memmove(out, dir, n);
	if (slash)
		out[n++] = '/';
	memcpy(out + n, name, more + 1);
	return 0;
}

static const char *home(void)
{
	const char *value = paths_env("HOME", false);
	const struct passwd *user;

	if (value)
		return value;
	user = getpwuid(geteuid());
	return user && user->pw_dir && user->pw_dir[0] == '/' && user->pw_dir[1] ? user->pw_dir
										 : NULL;
}

int paths_state_dir(char out[PATHS_MAX], struct err *e)
{
	const char *state = paths_env("XDG_STATE_HOME", false), *h;

	if (state)
		return paths_join(out, state, "oriel", e);
	h = home();
	if (h)
		return paths_join(out, h, ".local/state/oriel", e);
	if (geteuid() == 0)
		return paths_join(out, "/var/lib/oriel", "", e);
	return FAIL(e, FILE,
		    "there is no home folder to keep files in: set HOME or XDG_STATE_HOME");
}

int paths_runtime_dir(char out[PATHS_MAX], struct err *e)
{
	const char *runtime = paths_env("XDG_RUNTIME_DIR", false);

	if (runtime)
		return paths_join(out, runtime, "oriel", e);
	if (geteuid() == 0)
		return paths_join(out, "/run/oriel", "", e);
	if (paths_state_dir(out, e) < 0)
		return -1;
	return paths_join(out, out, "run", e);
}
