/* A capture that is written, to a file that is there only when it is whole (0600: it may hold secrets)
 * or to standard output. */
#ifndef CMD_CAPTURE_OUTPUT_H
#define CMD_CAPTURE_OUTPUT_H

#include "base/buf.h"
#include "pcap/capture.h"
#include "proc/file.h"

struct capture_output {
	struct buf b; /* for whoever makes blocks; capture_output_flush looks after it */
	bool standard_output;
	struct file_draft draft;
};

/* path: "-" for standard output, which must be no terminal. Fails with ERR_USAGE, ERR_FILE. */
int capture_output_open(const char *path, struct capture_output *o, struct err *e) MUST_CHECK;
/* A block as it is in another capture. The length of a section, where it has one, becomes unknown,
 * since blocks are put in or left out. */
int capture_output_copy(struct capture_output *o, const struct capture_item *item,
			struct err *e) MUST_CHECK;
/* Writes what is in b, once there is enough of it. */
int capture_output_flush(struct capture_output *o, struct err *e) MUST_CHECK;
/* Everything is written and stands at its place. */
int capture_output_commit(struct capture_output *o, struct err *e) MUST_CHECK;
void capture_output_fini(struct capture_output *o); /* without a commit: there was never a file */

#endif
