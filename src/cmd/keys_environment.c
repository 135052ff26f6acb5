#include "cmd/keys_environment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

#define VALUE_MAX ((size_t)64 << 10)

/* Relative to the folder of this program. The build system says where it installs. */
static const char *const places[] = { ORIEL_PRELOAD, "../../preload/liboriel-keys.so" };

int keys_preload_path(char out[PATHS_MAX], struct err *e)
{
	char self[PATHS_MAX], tried[PATHS_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return FAIL_SYS(e, FILE, "/proc/self/exe");
	self[n] = 0;
	slash = strrchr(self, '/');
	if (slash)
		*slash = 0;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (paths_join(tried, self, places[i], e) < 0)
			return -1;
		if (realpath(tried, out) && access(out, R_OK) == 0)
			return 0;
	}
	return FAIL(e, FILE, "liboriel-keys.so is neither in %s/%s nor in a build tree around it",
		    self, ORIEL_PRELOAD);
}

static int set(const char *name, const struct buf *value, struct err *e)
{
	return setenv(name, (const char *)value->p, 1) < 0 ? FAIL_SYS(e, NOMEM, "the environment")
							   : 0;
}

/* Adds a word behind what the variable has, unless it is there already. */
static int append(const char *name, const char *separator, struct bytes word, struct err *e)
{
	AUTO(buf_fini) struct buf value = buf_init(VALUE_MAX);
	struct bytes before = bytes_str(getenv(name));

	if (before.n && memmem(before.p, before.n, word.p, word.n))
		return 0;
	if (before.n &&
	    (buf_add(&value, before, e) < 0 || buf_add(&value, bytes_str(separator), e) < 0))
		return err_ctx(e, "%s", name);
	if (buf_add(&value, word, e) < 0 || buf_add(&value, bytes_of("", 1), e) < 0)
		return err_ctx(e, "%s", name);
	return set(name, &value, e);
}

/* Node takes words in double quotes, with a backslash before one that is meant. */
static int node_option(const char *file, struct err *e)
{
	AUTO(buf_fini) struct buf word = buf_init(VALUE_MAX);

	if (buf_add(&word, bytes_str("\"--tls-keylog="), e) < 0)
		return -1;
	for (const char *c = file; *c; c++) {
		if ((*c == '"' || *c == '\\') && buf_add(&word, bytes_str("\\"), e) < 0)
			return -1;
		if (buf_add(&word, bytes_of(c, 1), e) < 0)
			return -1;
	}
	if (buf_add(&word, bytes_str("\""), e) < 0)
		return -1;
	return append("NODE_OPTIONS", " ", buf_bytes(&word), e);
}

int keys_environment_set(const char *file, const char *library, struct err *e)
{
	if (strpbrk(library, " :"))
		return FAIL(e, UNSUPPORTED,
			    "%s: the loader takes no library whose path has a blank or a colon",
			    library);
	if (setenv("ORIEL_KEYLOG", file, 1) < 0 || setenv("SSLKEYLOGFILE", file, 1) < 0)
		return FAIL_SYS(e, NOMEM, "the environment");
	if (append("LD_PRELOAD", ":", bytes_str(library), e) < 0)
		return -1;
	return node_option(file, e);
}
