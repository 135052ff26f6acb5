/* What an executable is, as far as it decides whether a library can be preloaded into it. */
#ifndef CMD_PROGRAM_KIND_H
#define CMD_PROGRAM_KIND_H

#include "base/bytes.h"

enum program_kind {
	PROGRAM_OTHER,	 /* a script, or nothing that is known: nothing can be said */
	PROGRAM_DYNAMIC, /* the loader is asked for, and so reads LD_PRELOAD */
	PROGRAM_STATIC,	 /* no loader */
	PROGRAM_GO,	 /* has TLS of its own, whether there is a loader or not */
	PROGRAM_FOREIGN, /* of another architecture or word size than oriel */
};

/* As much of the front of a file as is needed: enough for its program headers and notes. */
#define PROGRAM_HEAD ((size_t)64 << 10)

/* Judges the first bytes of an executable file (ELF, little endian). */
enum program_kind program_kind(struct bytes head);

#endif
