#include "cmd/nss.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/program.h"
#include "proc/file.h"

/* "sql:" and the folder: the one kind of database that is still made. */
#define DB_MAX (PATHS_MAX + 8)

static const char *database(const char *dir, char out[DB_MAX])
{
	snprintf(out, DB_MAX, "sql:%s", dir);
	return out;
}

int nss_check(struct err *e)
{
	char path[PATHS_MAX];

	return program_find("certutil", path) ? 0
					      : FAIL(e, UNSUPPORTED,
						     "certutil, which keeps NSS databases, is not "
						     "here: install libnss3-tools");
}

bool nss_is_database(const char *dir)
{
	char path[PATHS_MAX];

	return paths_join(path, dir, "cert9.db", NULL) == 0 && access(path, F_OK) == 0;
}

int nss_make(const char *dir, struct err *e)
{
	char db[DB_MAX];
	const char *argv[] = {
		"certutil", "-N", "-d", database(dir, db), "--empty-password", NULL
	};

	return file_make_private_dir(dir, e) < 0 ? -1 : program_must(argv, e);
}

int nss_add(const char *dir, const char *nickname, const char *pem_path, struct err *e)
{
	char db[DB_MAX];
	const char *argv[] = { "certutil", "-A",  "-d", database(dir, db), "-n", nickname,
			       "-t",	   "C,,", "-i", pem_path,	   NULL };

	return program_must(argv, e);
}

int nss_remove(const char *dir, const char *nickname, struct err *e)
{
	char db[DB_MAX];
	const char *argv[] = { "certutil", "-D", "-d", database(dir, db), "-n", nickname, NULL };

	return program_must(argv, e);
}

int nss_find(const char *dir, const char *nickname, struct buf *pem, struct err *e)
{
	char db[DB_MAX];
	const char *argv[] = {
		"certutil", "-L", "-d", database(dir, db), "-n", nickname, "-a", NULL
	};
	struct program_result r;
	int done = program_run(argv, &r, e);

	if (done == 0 && r.status == 0)
		done = buf_add(pem, buf_bytes(&r.output), e);
	buf_fini(&r.output);
	return done;
}

/* certutil's list: titles, then one line each that ends with the trust ("CT,C,C"). */
int nss_count(const char *dir, size_t *count, struct err *e)
{
	char db[DB_MAX];
	const char *argv[] = { "certutil", "-L", "-d", database(dir, db), NULL };
	struct program_result r;
	struct bytes rest;
	int done = program_run(argv, &r, e);

	*count = 0;
	rest = buf_bytes(&r.output);
	while (done == 0 && rest.n) {
		struct bytes line = bytes_slice(rest, 0, bytes_index(rest, '\n'));
		size_t comma = bytes_index(line, ',');

		rest = bytes_slice(rest, line.n + 1, rest.n);
		*count += comma < line.n && !memmem(line.p, line.n, "SSL,S/MIME", 10);
	}
	buf_fini(&r.output);
	return done;
}
