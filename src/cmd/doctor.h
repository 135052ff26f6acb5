/* `oriel doctor`: what works on this machine, line by line, each with the remedy for what does not. */
#ifndef CMD_DOCTOR_H
#define CMD_DOCTOR_H

#include "base/buf.h"

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_WARN, /* something is less than it could be */
	DOCTOR_NO,   /* it does not work */
};

struct doctor {
	bool needed;	  /* what is looked at now is needed by `oriel run` */
	unsigned missing; /* how much of it is not there */
};

void doctor_title(struct doctor *d, bool needed, const char *title);
/* One line: the level, what it is about, what was found and what to do about it. */
void doctor_say(struct doctor *d, enum doctor_level level, const char *about, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

void doctor_run(struct doctor *d);    /* what `oriel run` needs */
void doctor_stores(struct doctor *d); /* trust stores and the programs that keep them */
void doctor_probes(struct doctor *d); /* capabilities, what live probes could use */

/* The first n bytes of a file without the white space at their end; false when it cannot be read. */
bool doctor_read(const char *path, char *out, size_t size);

#endif
