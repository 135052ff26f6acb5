/* The file that all processes under `oriel keys` append their secrets to; $ORIEL_KEYLOG names it.
 * We are a guest in a foreign process: nothing is printed, errno stays as it is, no lock is held
 * over a fork, and when there is no such file, or none that is safe, nothing happens. */
#ifndef PRELOAD_KEYLOG_FILE_H
#define PRELOAD_KEYLOG_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* The longest line that is written, its newline included. */
#define KEYLOG_FILE_LINE_MAX 1024

/* Remembers where the file is. Before anything else, once; a relative path begins at the working
 * directory of now. Unset, or under AT_SECURE: all that follows does nothing. */
void keylog_file_init(void);
bool keylog_file_wanted(void);
/* $SSLKEYLOGFILE names it too, as under `oriel keys`: libraries that honour that write there already. */
bool keylog_file_is_usual(void);
/* Opens it, or makes it (0600), while this process still may: a server gives up its rights later. */
void keylog_file_open(void);
/* Appends the line, which has no newline yet, by one write(2). From any thread. */
void keylog_file_add(const char *line);

#endif
