/* The command of `oriel keys`: what of it can be logged, and its start. */
#ifndef CMD_KEYS_COMMAND_H
#define CMD_KEYS_COMMAND_H

#include "base/err.h"

/* As env(1) and shells have it. */
enum { KEYS_CANNOT_RUN = 126, KEYS_NOT_FOUND = 127 };

/* Says on standard error why a program's keys cannot be had this way, if that can be seen. */
void keys_command_warn(const char *name);
/* This process becomes the command. Returns only when it cannot: the status, after a sentence. */
int keys_command_run(char **command);

#endif
