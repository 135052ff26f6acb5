/* A table of names and addresses: the text of a hosts file (hosts(5)), or entries of the
 * configuration. Names are compared without case; "# comments", blank and bad lines are passed over,
 * as libc does. Pure. */
#ifndef NET_HOSTS_H
#define NET_HOSTS_H

#include "base/err.h"
#include "wire/addr.h"

struct hosts;

#define HOSTS_ENTRIES_MAX (1u << 20) /* lists that block advertisers are long */

int hosts_new(struct hosts **out, struct err *e) MUST_CHECK;
void hosts_free(struct hosts *h); /* also NULL */
/* A dot at the end of name is dropped. Fails with ERR_NOMEM, ERR_LIMIT. */
int hosts_add(struct hosts *h, struct bytes name, const struct addr *a, struct err *e) MUST_CHECK;
/* Adds every line: an address, then names. Fails with ERR_NOMEM, ERR_LIMIT; the lines before were added. */
int hosts_parse(struct hosts *h, struct bytes text, struct err *e) MUST_CHECK;
/* Must be called between the last addition and the first hosts_find. */
void hosts_sort(struct hosts *h);
struct hosts_found {
	bool known;	    /* the name is there at all, with whatever family */
	size_t count;	    /* of addrs */
	struct addr *addrs; /* the caller's room */
	size_t max;	    /* how many it holds; the rest is left out */
};
/* Fills known, count and addrs: the addresses of name with this family, in the order of addition. */
void hosts_find(const struct hosts *h, struct bytes name, enum addr_family family,
		struct hosts_found *f);
size_t hosts_count(const struct hosts *h);

#endif
