/* Files: read whole with a limit, written so that they are never half there, secrets kept from
 * others. Everything here may block on the disk: never on a proxied connection's path. */
#ifndef PROC_FILE_H
#define PROC_FILE_H

#include "base/buf.h"

#include <sys/types.h>

/* Adds the whole file to out, whose .max is the limit. Fails with ERR_FILE (e->sys says why:
 * ENOENT, EACCES …; a directory is EISDIR), ERR_LIMIT when it is larger; out is then as it was. */
int file_read(const char *path, struct buf *out, struct err *e) MUST_CHECK;
/* The same for a file with secrets (a private key, a token): a regular file that we or root own
 * and that others can neither read nor write. out must be .secret. Fails also with ERR_UNSAFE_FILE. */
int file_read_secret(const char *path, struct buf *out, struct err *e) MUST_CHECK;

/* Replaces path by a file with this content and mode: a temporary file in the same folder, fsync,
 * rename, fsync of the folder. Either the old or the new content is there, also after a crash; a
 * symbolic link at path is replaced, not followed. Fails with ERR_FILE; the old file is then intact. */
int file_write(const char *path, struct bytes content, mode_t mode, struct err *e) MUST_CHECK;

/* The same piece by piece, for what is too large to be held. Then commit, or discard,
 * which after a commit does nothing (for AUTO). Under sudo the file belongs to the invoking
 * user. What stands at path and is no regular file (a FIFO, a device) is written to as it is. */
struct file_draft {
	int fd;
	char path[4096];
	char temporary[4096]; /* empty: it is written to as it is, or done */
};
int file_draft_open(const char *path, mode_t mode, struct file_draft *d, struct err *e) MUST_CHECK;
int file_draft_write(struct file_draft *d, struct bytes b, struct err *e) MUST_CHECK;
int file_draft_commit(struct file_draft *d, struct err *e) MUST_CHECK;
void file_draft_discard(struct file_draft *d);

/* Writes all of it to a descriptor. -1: errno says why; a part may have been written. */
int file_put(int fd, struct bytes b) MUST_CHECK;

/* Makes a file for secrets that does not exist yet: 0600, never through a symbolic link. *fd is the
 * caller's, open for appending. Under sudo it belongs to the invoking user. Fails with ERR_UNSAFE_FILE
 * when something is there already, else ERR_FILE. */
int file_make_secret(const char *path, int *fd, struct err *e) MUST_CHECK;
/* Opens a file for appending secrets; makes it as above when it is missing. What is there already
 * must be a regular file of ours (under sudo also the invoking user's), one link, mode 0600, or a
 * FIFO of ours; else fails with ERR_UNSAFE_FILE and the reason. A write to the FIFO never blocks:
 * it fails with EAGAIN when nobody reads. */
int file_open_secret_append(const char *path, int *fd, struct err *e) MUST_CHECK;

/* Makes the folder and those above it that are missing (each 0700). The folder itself must be ours
 * and closed to others; one that we own is closed (0700) when it is not. Fails with ERR_FILE,
 * ERR_UNSAFE_FILE. */
int file_make_private_dir(const char *path, struct err *e) MUST_CHECK;

#endif
