/* Where in a capture something happened. */
#ifndef TAP_AT_H
#define TAP_AT_H

#include "base/bytes.h"

struct tap_at {
	uint64_t packet; /* number, from 1 */
	int64_t wall_ns; /* since 1970 */
};

#endif
