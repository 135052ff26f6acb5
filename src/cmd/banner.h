/* What a person reads when `oriel run` starts: where it listens, what it will decrypt, what to try. */
#ifndef CMD_BANNER_H
#define CMD_BANNER_H

#include "cmd/supervisor_config.h"

void banner_start(const struct plan *p);     /* all of it, on standard error */
void banner_listening(const struct plan *p); /* one line */

#endif
