/* Tells when a file may read otherwise than before: it was written, it was replaced (as editors do), or
 * a symbolic link on the way to it leads elsewhere now (as Kubernetes does with `..data`). */
#ifndef PROC_FILE_WATCH_H
#define PROC_FILE_WATCH_H

#include "base/err.h"

struct file_watch;

/* The file need not be there. Fails with ERR_NOMEM and ERR_SYSTEM (too many watches). */
int file_watch_new(const char *path, struct file_watch **out, struct err *e) MUST_CHECK;
void file_watch_free(struct file_watch *w);
/* Readable when something happened; another one after file_watch_run. */
int file_watch_fd(const struct file_watch *w);
/* Whether something has changed since the last call, or since file_watch_new. Who reads the file after this
 * call hears of every later change. */
bool file_watch_run(struct file_watch *w);

#endif
