/* Where lines go that must never hold the proxy up: a bounded queue and a thread that writes it to
 * a descriptor. What does not fit is dropped, line by line, and counted. */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include "base/err.h"

struct output;

/* The descriptor is borrowed; it may block. */
int output_new(int fd, size_t max, struct output **out, struct err *e) MUST_CHECK;
/* Writes what is there, for at most a second. */
void output_free(struct output *o);
/* All of it or nothing; from any thread. */
void output_put(struct output *o, struct bytes b);
uint64_t output_lost(struct output *o); /* calls whose bytes were dropped */

#endif
