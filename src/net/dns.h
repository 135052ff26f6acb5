/* DNS questions by c-ares in a loop: one name, one family, one answer. It reads the system's
 * configuration (resolv.conf) in dns_new and never again: ares_query neither searches domains nor
 * looks into hosts files nor sorts, and a worker may not open files. */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "net/dial.h"

struct dns;

struct dns_answer {
	enum dial_result result; /* DIAL_OK, DIAL_NO_NAME, DIAL_DNS_FAILED, DIAL_FAULT */
	size_t count;
	struct addr addrs[RESOLVE_MAX]; /* without port; IPv4 mapped into AAAA is IPv4 */
	int ttl_s;			/* the smallest of all */
	char detail[128];		/* one sentence when it is not DIAL_OK */
};

typedef void dns_fn(void *ctx, const struct dns_answer *a);

/* servers: as in resolver_options. Fails with ERR_DNS, ERR_NOMEM. */
int dns_new(struct loop *l, const char *servers, struct dns **out, struct err *e) MUST_CHECK;
/* Questions under way never get an answer. Not from inside an answer. Also NULL. */
void dns_free(struct dns *d);
/* name: as DNS may be asked for it, without a dot at its end. fn is called once, perhaps before this
 * returns; there is no way to cancel. Fails with ERR_NOMEM, fn is not called then. */
int dns_ask(struct dns *d, const char *name, enum addr_family family, dns_fn *fn, void *ctx);

void dns_answer_fail(struct dns_answer *a, enum dial_result result, const char *detail);

#endif
