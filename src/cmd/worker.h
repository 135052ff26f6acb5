/* The worker: the process whose threads carry the traffic. It has the listening sockets and what
 * the supervisor delivers; it opens no file and holds no CA key. */
#ifndef CMD_WORKER_H
#define CMD_WORKER_H

#include "base/err.h"

struct worker_options {
	int control; /* descriptor of the channel to the supervisor */
};

/* The worker's whole life. Returns the exit status. */
int worker_run(const struct worker_options *o);

#endif
