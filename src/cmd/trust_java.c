/* Java's cacerts, by keytool. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/program.h"
#include "cmd/trust_store.h"

#define PASSWORD "ORIEL_KEYSTORE_PASSWORD" /* keytool reads it there: not for all to see in ps */

static const char name[] = "java";

/* cacerts of the Java below a folder. */
static bool is_java(const char *home, char out[PATHS_MAX])
{
	static const char *const at[] = { "lib/security/cacerts", "jre/lib/security/cacerts" };

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		if (paths_join(out, home, at[i], NULL) == 0 && access(out, F_OK) == 0)
			return true;
	}
	return false;
}

/* The Java whose keytool it is: two folders above, links followed. */
static bool java_of_keytool(const char *keytool, char out[PATHS_MAX])
{
	char real[PATH_MAX];

	if (!realpath(keytool, real))
		return false;
	for (unsigned i = 0; i < 2; i++) {
		char *slash = strrchr(real, '/');

		if (!slash)
			return false;
		*slash = 0;
	}
	return is_java(real, out);
}

static int find_keystore(const struct trust_job *j, char out[PATHS_MAX], struct err *e)
{
	const char *home = paths_env("JAVA_HOME", false);
	char keytool[PATHS_MAX];

	if (!program_find("keytool", keytool))
		return FAIL(e, UNSUPPORTED,
			    "keytool, which keeps Java's roots, is not here: install a "
			    "Java runtime");
	if (j->keystore) {
		if (paths_join(out, j->keystore, "", e) < 0)
			return -1;
		return access(out, F_OK) == 0 ? 0 : FAIL_SYS(e, FILE, "%s", out);
	}
	if ((home && is_java(home, out)) || java_of_keytool(keytool, out))
		return 0;
	return FAIL(e, UNSUPPORTED,
		    "no cacerts is found beside %s: name it with --java-keystore FILE", keytool);
}

static bool has_alias(const struct trust_job *j, const char *keystore, const char *alias)
{
	const char *argv[] = { "keytool",   "-exportcert", "-rfc",	     "-alias", alias,
			       "-keystore", keystore,	   "-storepass:env", PASSWORD, NULL };
	struct program_result r;
	bool found = program_run(argv, &r, NULL) == 0 && r.status == 0 &&
		     trust_is_root(j, buf_bytes(&r.output));

	buf_fini(&r.output);
	return found;
}

/* Debian's hook puts what the system trusts into Java's store as well, under a name of its own. It is
 * as good as ours to those who ask; but not ours to add or remove. */
static bool has_root(const struct trust_job *j, const char *keystore)
{
	char debian[64];

	snprintf(debian, sizeof(debian), "debian:%s.pem", j->nickname);
	return has_alias(j, keystore, j->nickname) ||
	       (j->action == TRUST_STATUS && has_alias(j, keystore, debian));
}

static int install(const struct trust_job *j, const char *keystore, struct err *e)
{
	const char *argv[] = { "keytool",   "-importcert",    "-noprompt", "-alias",
			       j->nickname, "-file",	      j->pem_path, "-keystore",
			       keystore,    "-storepass:env", PASSWORD,	   NULL };

	trust_say(j, name, "add %s to %s", j->nickname, keystore);
	return j->dry_run ? 0 : program_must(argv, e);
}

static int take_out(const struct trust_job *j, const char *keystore, struct err *e)
{
	const char *argv[] = { "keytool", "-delete",	    "-alias", j->nickname, "-keystore",
			       keystore,  "-storepass:env", PASSWORD, NULL };

	trust_say(j, name, "remove %s from %s", j->nickname, keystore);
	return j->dry_run ? 0 : program_must(argv, e);
}

static int run(const struct trust_job *j, struct err *e)
{
	char keystore[PATHS_MAX];
	bool trusted;
	int r;

	if (find_keystore(j, keystore, e) < 0)
		return -1;
	if (setenv(PASSWORD, j->keystore_password, 1) < 0)
		return FAIL_SYS(e, NOMEM, "the environment");
	trusted = has_root(j, keystore);
	if (trust_is_settled(j, trusted)) {
		trust_tell(j, name, trusted, keystore);
		return 0;
	}
	if (trust_may_write(j, name, keystore, e) < 0)
		return -1;
	r = j->action == TRUST_INSTALL ? install(j, keystore, e) : take_out(j, keystore, e);
	return r < 0 || j->dry_run ? r : trust_check(j, has_root(j, keystore), keystore, e);
}

const struct trust_kind trust_java = { .name = name, .run = run };
