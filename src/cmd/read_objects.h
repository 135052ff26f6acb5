/* The bodies of a capture's exchanges as files of a folder (--objects), their content codings undone.
 * A file is called after its exchange and the last part of the URL's path, in safe characters:
 * "12.3-index.html"; what a client sends, "12.3-request-upload". A consumer of events. */
#ifndef CMD_READ_OBJECTS_H
#define CMD_READ_OBJECTS_H

#include "flow/event.h"

#define OBJECTS_OPEN_MAX 64 /* files open at a time, of a lane */

struct read_objects;

/* Makes the folder when it is not there. Fails with ERR_FILE. */
int read_objects_folder(const char *dir, struct err *e) MUST_CHECK;
/* dir is borrowed; filter_flow 0: all. */
int read_objects_new(const char *dir, uint64_t filter_flow, struct read_objects **objects,
		     struct err *e) MUST_CHECK;
void read_objects_free(struct read_objects *o);
struct event_sink read_objects_sink(struct read_objects *o);
/* Fails with what went wrong first. */
int read_objects_check(const struct read_objects *o, struct err *e) MUST_CHECK;

#endif
