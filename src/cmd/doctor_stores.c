#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/bump_root.h"
#include "cmd/doctor.h"
#include "cmd/nss.h"
#include "cmd/program.h"
#include "pki/bundle.h"

static size_t count_certs(struct bytes text)
{
	struct pem p = { .rest = text, .line = 1 };
	AUTO(buf_fini) struct buf der = buf_init((size_t)1 << 20);
	enum pem_step step;
	size_t n = 0;

	while ((step = pem_next_cert(&p, &der, NULL)) != PEM_END && step != PEM_NOMEM)
		n += step == PEM_BLOCK;
	return n;
}

static void system_store(struct doctor *d)
{
	AUTO(buf_fini) struct buf roots = buf_init(ROOTS_MAX);
	char where[PATHS_MAX], path[PATHS_MAX];
	struct err e = { 0 };

	if (system_roots_read(&roots, where, &e) < 0)
		doctor_say(d, DOCTOR_NO, "system", "%s", e.sentence);
	else if (count_certs(buf_bytes(&roots)) == 0)
		doctor_say(d, DOCTOR_WARN, "system",
			   "no roots: every server counts as not verified; "
			   "install ca-certificates, or set SSL_CERT_FILE");
	else
		doctor_say(d, DOCTOR_OK, "system", "%zu roots in %s",
			   count_certs(buf_bytes(&roots)), where);
	if (program_find("update-ca-certificates", path))
		doctor_say(d, DOCTOR_OK, "system", "%s adds to it", path);
	else
		doctor_say(d, DOCTOR_WARN, "system",
			   "no update-ca-certificates: `oriel trust` says what to "
			   "do instead");
}

static void nss(struct doctor *d)
{
	const char *home = paths_env("HOME", false);
	struct err e = { 0 };
	char dir[PATHS_MAX];

	if (nss_check(&e) < 0) {
		doctor_say(d, DOCTOR_WARN, "NSS", "%s; oriel browser needs it", e.sentence);
		return;
	}
	if (!home || paths_join(dir, home, ".pki/nssdb", NULL) < 0)
		doctor_say(d, DOCTOR_WARN, "NSS", "HOME is not set");
	else if (nss_is_database(dir))
		doctor_say(d, DOCTOR_OK, "NSS", "the database %s, by certutil", dir);
	else
		doctor_say(d, DOCTOR_OK, "NSS", "no database yet; `oriel trust install` makes %s",
			   dir);
}

static void java(struct doctor *d)
{
	char path[PATHS_MAX];

	if (program_find("keytool", path))
		doctor_say(d, DOCTOR_OK, "Java", "by %s", path);
	else
		doctor_say(d, DOCTOR_OK, "Java", "no keytool here, so no store to keep");
}

static void browsers(struct doctor *d)
{
	static const char *const names[] = {
		"chromium",	 "chromium-browser", "google-chrome-stable",
		"google-chrome", "firefox",	     "firefox-esr"
	};
	char path[PATHS_MAX], all[512] = "";
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (program_find(names[i], path))
			at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", at ? ", " : "",
					       names[i]);
	}
	if (at)
		doctor_say(d, DOCTOR_OK, "browsers", "%s", all);
	else
		doctor_say(d, DOCTOR_WARN, "browsers",
			   "neither Chromium nor Firefox: oriel browser needs one");
}

void doctor_stores(struct doctor *d)
{
	system_store(d);
	nss(d);
	java(d);
	browsers(d);
}
