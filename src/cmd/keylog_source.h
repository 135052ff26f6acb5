/* Key logs in files, read into a table from where the last reading ended: a key log may grow while
 * a capture is read. */
#ifndef CMD_KEYLOG_SOURCE_H
#define CMD_KEYLOG_SOURCE_H

#include "base/buf.h"
#include "keylog/table.h"

#define KEYLOG_SOURCES_MAX 64

struct keylog_source {
	const char *path; /* borrowed */
	int fd;		  /* -1: not open */
};

struct keylog_sources {
	struct keylog_source file[KEYLOG_SOURCES_MAX];
	size_t count;
};

/* Fails with ERR_FILE, ERR_LIMIT. */
int keylog_sources_add(struct keylog_sources *s, const char *path, struct err *e) MUST_CHECK;
void keylog_sources_fini(struct keylog_sources *s);

/* What text of a key log is given to, in pieces. */
struct keylog_sink {
	int (*text)(void *ctx, struct bytes text, struct err *e);
	void *ctx;
};
/* Reads what was appended to the files since the last time. whole: a line that has no end yet is left
 * for the next time. Fails with ERR_FILE, or as the sink. */
int keylog_sources_read(struct keylog_sources *s, bool whole, const struct keylog_sink *sink,
			struct err *e) MUST_CHECK;

#endif
