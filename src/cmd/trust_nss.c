/* NSS databases: the user's own, which Chromium reads, and those of Firefox's profiles. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/nss.h"
#include "cmd/trust_store.h"
#include "proc/file.h"

#define PEM_MAX ((size_t)1 << 20)

static const char name[] = "nss";
/* Tells that the database was not there before us, so that removing the root removes it, too. */
static const char made_by_us[] = "made-by-oriel";
static const char made_one[] =
	"`oriel trust remove` removes this folder if the database is empty then.\n";
static const char made_both[] = "`oriel trust remove` removes this folder and the one above if the "
				"database is empty then.\n";

static bool has_root(const struct trust_job *j, const char *dir)
{
	AUTO(buf_fini) struct buf pem = buf_init(PEM_MAX);

	return nss_is_database(dir) && nss_find(dir, j->nickname, &pem, NULL) == 0 &&
	       trust_is_root(j, buf_bytes(&pem));
}

/* The folder above, into out. */
static void above(const char *dir, char out[PATHS_MAX])
{
	snprintf(out, PATHS_MAX, "%.*s", (int)(strrchr(dir, '/') - dir), dir);
}

static int make(const struct trust_job *j, const char *dir, struct err *e)
{
	char mark[PATHS_MAX], parent[PATHS_MAX];
	bool alone;

	trust_say(j, name, "make the database %s", dir);
	if (j->dry_run)
		return 0;
	above(dir, parent);
	alone = access(parent, F_OK) < 0;
	if (nss_make(dir, e) < 0 || paths_join(mark, dir, made_by_us, e) < 0)
		return -1;
	return file_write(mark, bytes_str(alone ? made_both : made_one), 0600, e);
}

/* A database that we made and that holds nothing any more. */
static int unmake(const struct trust_job *j, const char *dir, struct err *e)
{
	static const char *const files[] = { made_by_us, "cert9.db", "key4.db", "pkcs11.txt" };
	AUTO(buf_fini) struct buf mark = buf_init(4096);
	char path[PATHS_MAX];
	size_t count;

	if (paths_join(path, dir, made_by_us, e) < 0)
		return -1;
	if (file_read(path, &mark, NULL) < 0)
		return 0;
	if (nss_count(dir, &count, e) < 0)
		return -1;
	if (count > (j->dry_run ? 1 : 0))
		return 0;
	trust_say(j, name, "remove the database %s", dir);
	for (size_t i = 0; !j->dry_run && i < ARRAY_LEN(files); i++) {
		if (paths_join(path, dir, files[i], e) < 0)
			return -1;
		if (unlink(path) < 0 && errno != ENOENT)
			return FAIL_SYS(e, FILE, "%s", path);
	}
	if (j->dry_run)
		return 0;
	if (rmdir(dir) < 0)
		return FAIL_SYS(e, FILE, "%s", dir);
	above(dir, path);
	if (bytes_equal(buf_bytes(&mark), bytes_str(made_both)) && rmdir(path) < 0 &&
	    errno != ENOTEMPTY)
		return FAIL_SYS(e, FILE, "%s", path);
	return 0;
}

static int install(const struct trust_job *j, const char *dir, struct err *e)
{
	if (!nss_is_database(dir) && make(j, dir, e) < 0)
		return -1;
	trust_say(j, name, "add %s to %s", j->nickname, dir);
	return j->dry_run ? 0 : nss_add(dir, j->nickname, j->pem_path, e);
}

static int take_out(const struct trust_job *j, const char *dir, struct err *e)
{
	trust_say(j, name, "remove %s from %s", j->nickname, dir);
	if (!j->dry_run && nss_remove(dir, j->nickname, e) < 0)
		return -1;
	return unmake(j, dir, e);
}

static int run_one(const struct trust_job *j, const char *dir, struct err *e)
{
	bool trusted = has_root(j, dir);
	int r;

	if (trust_is_settled(j, trusted)) {
		trust_tell(j, name, trusted, dir);
		return 0;
	}
	r = j->action == TRUST_INSTALL ? install(j, dir, e) : take_out(j, dir, e);
	return r < 0 || j->dry_run ? r : trust_check(j, has_root(j, dir), dir, e);
}

/* Each folder in it that has a database. */
static int run_profiles(const struct trust_job *j, const char *home, const char *below,
			struct err *e)
{
	char parent[PATHS_MAX], dir[PATHS_MAX];
	struct dirent *entry;
	DIR *d;
	int r = 0;

	if (paths_join(parent, home, below, e) < 0)
		return -1;
	d = opendir(parent);
	while (d && r == 0 && (entry = readdir(d))) {
		if (entry->d_name[0] != '.' && paths_join(dir, parent, entry->d_name, NULL) == 0 &&
		    nss_is_database(dir))
			r = run_one(j, dir, e);
	}
	if (d)
		closedir(d);
	return r;
}

static int run(const struct trust_job *j, struct err *e)
{
	static const char *const firefox[] = { ".mozilla/firefox",
					       "snap/firefox/common/.mozilla/firefox",
					       ".var/app/org.mozilla.firefox/.mozilla/firefox" };
	const char *home = paths_env("HOME", false);
	char dir[PATHS_MAX];

	if (nss_check(e) < 0)
		return -1;
	if (!home)
		return FAIL(e, UNSUPPORTED, "HOME, where these databases are, is not set");
	if (paths_join(dir, home, ".pki/nssdb", e) < 0 || run_one(j, dir, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(firefox); i++) {
		if (run_profiles(j, home, firefox[i], e) < 0)
			return -1;
	}
	return 0;
}

const struct trust_kind trust_nss = { .name = name, .run = run };
