/* The system's store. Debian's has a folder for what the administrator adds, and a program that makes
 * of it what everybody reads; elsewhere the command is named instead. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/program.h"
#include "cmd/trust_store.h"
#include "proc/file.h"

#define BUNDLE_MAX ((size_t)32 << 20)
#define CONF_MAX ((size_t)1 << 20)
#define UPDATE "update-ca-certificates"

static const char name[] = "system";

struct debian {
	char added[PATHS_MAX];	/* the folder */
	char file[PATHS_MAX];	/* ours in it */
	char made[PATHS_MAX];	/* where everybody reads */
	char bundle[PATHS_MAX]; /* in it */
	char list[PATHS_MAX], shipped[PATHS_MAX], hooks[PATHS_MAX];
};

static int below(const struct trust_job *j, const char *path, char out[PATHS_MAX], struct err *e)
{
	return j->system_root ? paths_join(out, j->system_root, path + 1, e)
			      : paths_join(out, path, "", e);
}

static int find_places(const struct trust_job *j, struct debian *d, struct err *e)
{
	char file[48];

	snprintf(file, sizeof(file), "%s.crt", j->nickname);
	if (below(j, "/usr/local/share/ca-certificates", d->added, e) < 0 ||
	    paths_join(d->file, d->added, file, e) < 0 ||
	    below(j, "/etc/ssl/certs", d->made, e) < 0 ||
	    paths_join(d->bundle, d->made, "ca-certificates.crt", e) < 0 ||
	    below(j, "/etc/ca-certificates.conf", d->list, e) < 0 ||
	    below(j, "/usr/share/ca-certificates", d->shipped, e) < 0)
		return -1;
	return below(j, "/etc/ca-certificates/update.d", d->hooks, e);
}

static int check_here(const struct debian *d, struct err *e)
{
	char path[PATHS_MAX];
	struct stat st;

	if (program_find(UPDATE, path))
		return stat(d->made, &st) == 0 && S_ISDIR(st.st_mode)
			       ? 0
			       : FAIL(e, UNSUPPORTED, "there is no folder %s", d->made);
	if (program_find("trust", path))
		return FAIL(e, UNSUPPORTED,
			    "p11-kit keeps this system's roots: `trust anchor FILE` as root, and "
			    "`trust "
			    "anchor --remove FILE`, with oriel's bump/ca.pem");
	return FAIL(e, UNSUPPORTED,
		    "neither " UPDATE " nor trust (p11-kit) is here: install "
		    "ca-certificates");
}

static bool is_in_file(const struct trust_job *j, const struct debian *d)
{
	AUTO(buf_fini) struct buf file = buf_init(BUNDLE_MAX);

	return file_read(d->file, &file, NULL) == 0 && trust_is_root(j, buf_bytes(&file));
}

static bool is_in_bundle(const struct trust_job *j, const struct debian *d)
{
	AUTO(buf_fini) struct buf bundle = buf_init(BUNDLE_MAX);

	return file_read(d->bundle, &bundle, NULL) == 0 &&
	       memmem(bundle.p, bundle.n, j->pem.p, j->pem.n);
}

/* Half of it may be there: to be put in whole, or taken out whole. */
static bool is_trusted(const struct trust_job *j, const struct debian *d)
{
	if (j->action == TRUST_REMOVE)
		return access(d->file, F_OK) == 0 || is_in_bundle(j, d);
	return is_in_file(j, d) && is_in_bundle(j, d);
}

/* conf: the list of what the distribution ships, which tells what to leave out. */
static int update(const struct trust_job *j, const struct debian *d, const char *conf,
		  struct err *e)
{
	const char *here[] = { UPDATE, "--certsconf", conf, NULL };
	const char *elsewhere[] = { UPDATE,	"--certsconf",	   conf,     "--certsdir",
				    d->shipped, "--localcertsdir", d->added, "--etccertsdir",
				    d->made,	"--hooksdir",	   d->hooks, NULL };

	if (j->system_root)
		trust_say(j, name, "run " UPDATE " for the system below %s", j->system_root);
	else
		trust_say(j, name, "run " UPDATE);
	return j->dry_run ? 0 : program_must(j->system_root ? elsewhere : here, e);
}

static int put(const struct trust_job *j, const struct debian *d, struct err *e)
{
	trust_say(j, name, "write %s", d->file);
	if (!j->dry_run && file_write(d->file, j->pem, 0644, e) < 0)
		return -1;
	return update(j, d, d->list, e);
}

/* What the administrator removes again the program does not miss: its links stay, and hooks (Java's
 * store) do not hear of it. A line with an exclamation mark tells it. */
static int write_conf(const struct trust_job *j, const struct debian *d, char path[PATHS_MAX],
		      struct err *e)
{
	AUTO(buf_fini) struct buf text = buf_init(CONF_MAX);

	snprintf(path, PATHS_MAX, "%.*s/conf", (int)(strrchr(j->pem_path, '/') - j->pem_path),
		 j->pem_path);
	if (file_read(d->list, &text, e) < 0 && e->sys != ENOENT)
		return -1;
	if (buf_printf(&text, e, "\n!%s.crt\n", j->nickname) < 0)
		return -1;
	return file_write(path, buf_bytes(&text), 0644, e);
}

static int take_out(const struct trust_job *j, const struct debian *d, struct err *e)
{
	char conf[PATHS_MAX];

	trust_say(j, name, "remove %s", d->file);
	if (write_conf(j, d, conf, e) < 0)
		return -1;
	if (!j->dry_run && unlink(d->file) < 0 && errno != ENOENT)
		return FAIL_SYS(e, FILE, "%s", d->file);
	return update(j, d, conf, e);
}

static int run(const struct trust_job *j, struct err *e)
{
	struct debian d;
	bool trusted;
	int r;

	if (find_places(j, &d, e) < 0 || check_here(&d, e) < 0)
		return -1;
	trusted = is_trusted(j, &d);
	if (trust_is_settled(j, trusted)) {
		trust_tell(j, name, trusted, d.file);
		return 0;
	}
	if (trust_may_write(j, name, d.added, e) < 0)
		return -1;
	r = j->action == TRUST_INSTALL ? put(j, &d, e) : take_out(j, &d, e);
	return r < 0 || j->dry_run ? r : trust_check(j, is_trusted(j, &d), d.made, e);
}

const struct trust_kind trust_system = { .name = name, .run = run };
