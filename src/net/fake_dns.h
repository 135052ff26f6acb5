/* A name server for tests: UDP and TCP on one port of loopback, run by the test's own loop. It
 * answers by a table, and writes down what it was asked. */
#ifndef NET_FAKE_DNS_H
#define NET_FAKE_DNS_H

#include "net/loop.h"
#include "wire/addr.h"

enum fake_dns_manner {
	FAKE_DNS_ANSWERS, /* with the addresses; none: NODATA */
	FAKE_DNS_NXDOMAIN,
	FAKE_DNS_SERVFAIL,
	FAKE_DNS_SILENT,
	FAKE_DNS_TRUNCATED, /* over UDP; over TCP it answers */
	FAKE_DNS_GARBAGE,
};

struct fake_dns_rule {
	const char *name;
	enum addr_family family;
	enum fake_dns_manner manner;
	const char *addrs[16]; /* literals */
	uint32_t ttl_s;
	int64_t delay_ns;
	bool through_cname; /* name → alias.NAME → addresses */
};

struct fake_dns;

/* Borrows the rules, whose last one has no name. What no rule names is NXDOMAIN. */
struct fake_dns *fake_dns_new(struct loop *l, const struct fake_dns_rule *rules);
void fake_dns_free(struct fake_dns *d);
const char *fake_dns_address(const struct fake_dns *d); /* "127.0.0.1:5353" */
/* "A name AAAA name ", in the order of the questions. */
const char *fake_dns_asked(const struct fake_dns *d);
unsigned fake_dns_count(const struct fake_dns *d);

#endif
