/* Whose keys are written: as in Envoy's key_log, a connection's local and remote address must each
 * be in one of the ranges given; an empty list means all. */
#ifndef KEYLOG_FILTER_H
#define KEYLOG_FILTER_H

#include "wire/addr.h"

struct keylog_filter { /* borrowed */
	const struct addr_range *local;
	size_t local_count;
	const struct addr_range *remote;
	size_t remote_count;
};

/* An address that is not known (ADDR_NONE) is in no range. */
bool keylog_filter_match(const struct keylog_filter *filter, const struct addr *local,
			 const struct addr *remote);

#endif
