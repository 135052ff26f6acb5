/* `oriel run`: the proxy. */
#ifndef CMD_RUN_H
#define CMD_RUN_H

#include "cmd/args.h"

extern const struct args_option run_options[];
int run_verb(const struct args_verb *verb, void *args);

#endif
