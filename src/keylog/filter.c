#include "keylog/filter.h"

static bool in_any(const struct addr *a, const struct addr_range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (addr_in_range(a, &ranges[i]))
			return true;
	}
	return count == 0;
}

bool keylog_filter_match(const struct keylog_filter *filter, const struct addr *local,
			 const struct addr *remote)
{
	return in_any(local, filter->local, filter->local_count) &&
	       in_any(remote, filter->remote, filter->remote_count);
}
