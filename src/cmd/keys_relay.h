/* `oriel keys -o -`: the command writes its keys into a FIFO that only it and we know; we hand them
 * on to standard output, where nothing else goes. */
#ifndef CMD_KEYS_RELAY_H
#define CMD_KEYS_RELAY_H

#include "proc/paths.h"

struct keys_relay {
	int fd;
	char folder[PATHS_MAX]; /* empty: none */
	char file[PATHS_MAX];	/* the FIFO */
};
/* Fails with ERR_FILE. */
int keys_relay_init(struct keys_relay *r, struct err *e) MUST_CHECK;
void keys_relay_fini(struct keys_relay *r);

/* Runs the command to its end; its standard output is our standard error. *status is its exit
 * status, 126 or 127 when it cannot be run, or 128 and the signal's number. What processes that it
 * leaves behind log later is lost. Fails with ERR_SYSTEM; ERR_FILE when standard output takes no more. */
int keys_relay_run(struct keys_relay *r, char **command, int *status, struct err *e) MUST_CHECK;

#endif
