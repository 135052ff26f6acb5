/* The functions that ours stand in front of. A process may have several libraries that define one
 * (OpenSSL 1.1.1 and 3, a plugin's own copy), and they may have been loaded where only the plugin
 * sees them (RTLD_LOCAL), so it is the caller's that counts. */
#ifndef PRELOAD_REAL_H
#define PRELOAD_REAL_H

#include <stddef.h>

/* Where the function that this stands in returns to. */
#define CALLER __builtin_return_address(0)

/* The function of this name that the code at caller would have called without us; otherwise any that
 * is loaded from a file whose name begins with like ("libssl"). NULL when there is none. */
void *real_find(const char *name, const void *caller, const char *like);

struct link_map;
/* Of the library or program that holds the address; NULL when none does. Quick. */
const struct link_map *real_map(const void *address);

/* A handle for dlsym() on the library that holds the address, and on what it needs. The library
 * stays loaded from now on. NULL for the program itself. */
void *real_library(const void *address);

/* dlsym() has functions as data; C has not. */
#define AS_FUNCTION(to, found)                                                                     \
	do {                                                                                       \
		void *found_ = (found);                                                            \
		memcpy(&(to), &found_, sizeof(to));                                                \
	} while (0)

#endif
