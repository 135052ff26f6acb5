/* The files that `oriel read` writes besides standard output: a HAR and a pcapng in plaintext. */
#ifndef CMD_READ_FILES_H
#define CMD_READ_FILES_H

#include "cmd/read_options.h"
#include "flow/har.h"

struct read_files {
	int har_fd, plain_fd; /* -1: not wanted */
	struct har har;
	struct buf entry; /* being written */
};

/* The entries of a HAR as they come from a lane: each with its length before it. */
int read_files_frame(struct buf *out, struct bytes entry, struct err *e) MUST_CHECK;

/* Makes the files (0600) and the folder for objects. Fails with ERR_FILE; what was made stays. */
int read_files_open(const struct read_options *o, struct read_files *f, struct err *e) MUST_CHECK;
void read_files_close(struct read_files *f);
/* For read_merge. Fail with ERR_FILE. */
int read_files_har(void *files, struct bytes entries, struct err *e) MUST_CHECK;
int read_files_plain(void *files, struct bytes packets, struct err *e) MUST_CHECK;

#endif
