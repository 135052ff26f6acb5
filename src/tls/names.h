/* TLS code points and what libssl calls them. Not for other rooms. */
#ifndef TLS_NAMES_H
#define TLS_NAMES_H

#include "base/bytes.h"

/* The name for libssl's lists, or NULL when we know none. Knowing the name does not mean that the
 * libssl at hand has got it. */
const char *names_group(uint16_t code);
const char *names_sigalg(uint16_t code);
/* From what SSL_get_negotiated_group yields: a NID, or an unknown code point with a mark. */
uint16_t names_group_of_nid(long nid);

#endif
