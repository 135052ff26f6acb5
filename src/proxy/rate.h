/* So many a second, and a burst of so many at once: for what costs, and whoever asks may be
 * compromised. */
#ifndef PROXY_RATE_H
#define PROXY_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
	uint32_t per_s, burst; /* both above zero */
	int64_t spent_ns;      /* zero at first */
};

/* Takes one, if there is one at this moment (monotonic). */
static inline bool rate_take(struct rate *r, int64_t now_ns)
{
	int64_t each = 1000000000 / (int64_t)r->per_s;
	int64_t full = now_ns - (int64_t)r->burst * each;

	if (r->spent_ns < full)
		r->spent_ns = full;
	if (r->spent_ns + each > now_ns)
		return false;
	r->spent_ns += each;
	return true;
}

#endif
