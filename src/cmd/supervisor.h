/* The supervisor: reads the configuration and all files, owns the listening sockets, starts keeper
 * and worker, puts a dead one back in its place, reloads, and ends them. It sees no traffic. */
#ifndef CMD_SUPERVISOR_H
#define CMD_SUPERVISOR_H

#include "cmd/config_file.h"

struct supervisor_options {
	const char *config_path; /* NULL: none */
	const struct config_override *overrides;
	size_t override_count;
};

/* Runs until a signal ends it. Returns the exit status; what went wrong was printed. */
int supervisor_run(const struct supervisor_options *o);

#endif
