/* Tables of names, sorted by number. For names.c and the files that hold its longer tables. */
#ifndef WIRE_NAMES_TABLE_H
#define WIRE_NAMES_TABLE_H

#include "base/bytes.h"

struct names_row {
	uint16_t code;
	const char *name;
};

struct names_table {
	const struct names_row *rows;
	size_t count;
};

extern const struct names_table names_ciphers;

#endif
