/* NSS certificate databases (Firefox, Chromium), by certutil of libnss3-tools. */
#ifndef CMD_NSS_H
#define CMD_NSS_H

#include "base/buf.h"
#include "proc/paths.h"

/* Fails with ERR_UNSUPPORTED, naming the package, when there is no certutil. */
int nss_check(struct err *e) MUST_CHECK;
/* Is there a database in the folder? */
bool nss_is_database(const char *dir);
/* Makes the folder (0700), those above it, and an empty database without a password. */
int nss_make(const char *dir, struct err *e) MUST_CHECK;
/* Trusts the certificate in the PEM file for servers, under this nickname. */
int nss_add(const char *dir, const char *nickname, const char *pem_path, struct err *e) MUST_CHECK;
int nss_remove(const char *dir, const char *nickname, struct err *e) MUST_CHECK;
/* Appends the PEM of the certificate of this nickname; nothing when there is none. */
int nss_find(const char *dir, const char *nickname, struct buf *pem, struct err *e) MUST_CHECK;
/* How many certificates there are, whatever their trust. */
int nss_count(const char *dir, size_t *count, struct err *e) MUST_CHECK;

#endif
