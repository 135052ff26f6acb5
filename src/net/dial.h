/* Names to connected sockets: resolving (c-ares; hosts table first, /etc/hosts next, never search
 * domains) and dialling IPv6 and IPv4 raced as RFC 8305 says. */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "net/loop.h"
#include "wire/addr.h"

struct resolver;
struct resolve; /* a question under way */
struct dial;	/* a connection under way */

struct host_entry {
	struct bytes name; /* lower case */
	struct addr addr;
};

/* Reads the system's configuration (resolv.conf) here and never again. The tables are copied. One a loop. */
struct resolver_options {
	const struct host_entry *hosts; /* ours, asked first */
	size_t host_count;
	struct bytes hosts_file; /* the text of /etc/hosts */
	int64_t timeout_ns;	 /* of a whole question; 0: 5 s */
	/* "192.0.2.1:5353,[2001:db8::1]:53" instead of those of resolv.conf (tests, labs); NULL: none */
	const char *dns_servers;
};
int resolver_new(struct loop *l, const struct resolver_options *o, struct resolver **out,
		 struct err *e) MUST_CHECK;
/* Questions under way never get an answer; their owners still cancel them. Not from inside an answer.
 * Also NULL. */
void resolver_free(struct resolver *r);
/* New tables after a reload. */
int resolver_set_hosts(struct resolver *r, const struct host_entry *hosts, size_t count,
		       struct err *e) MUST_CHECK;

#define RESOLVE_MAX 16
enum dial_result {
	DIAL_OK,
	DIAL_NO_NAME,	  /* the name does not exist, or has no address */
	DIAL_DNS_FAILED,  /* the name servers did not answer or refused */
	DIAL_REFUSED,	  /* ECONNREFUSED */
	DIAL_UNREACHABLE, /* no route, network or host unreachable */
	DIAL_TIMEOUT,
	DIAL_DENIED, /* the check refused every address */
	DIAL_FAULT,  /* our own: memory, descriptors */
};
const char *dial_result_text(enum dial_result r); /* "connection refused" */

/* What is known of a name, for one family of addresses; everything borrows. */
struct resolve_answer {
	enum addr_family family;
	enum dial_result result;  /* DIAL_OK, DIAL_NO_NAME, DIAL_DNS_FAILED, DIAL_FAULT */
	const struct addr *addrs; /* without port; at most RESOLVE_MAX; none unless DIAL_OK */
	size_t count;
	struct bytes detail; /* one sentence when it is not DIAL_OK */
};
struct resolve_options {
	/* Letters, digits, hyphens, underscores and dots, any case, a dot at its end or not; anything
	 * else is DIAL_NO_NAME. Copied. */
	struct bytes name;
	/* Called exactly twice, once a family, in the order in which they become known; never from
	 * inside resolve_start. After the second call the question is gone. */
	void (*fn)(void *ctx, const struct resolve_answer *a);
	void *ctx;
};
/* Asks for both families: our hosts, localhost (RFC 6761, 6.3: loopback, never the network),
 * /etc/hosts, .onion (RFC 7686: no such name), what was answered less than its TTL and 60 s ago, then
 * DNS, where equal questions share one. Fails with ERR_NOMEM. */
int resolve_start(struct resolver *r, const struct resolve_options *o, struct resolve **out,
		  struct err *e) MUST_CHECK;
void resolve_cancel(struct resolve *q); /* fn is not called any more; also NULL */

struct dial_options {
	struct resolver *resolver;
	struct bytes host; /* name or literal address; copied */
	uint16_t port;
	int64_t timeout_ns; /* of everything; 0: 10 s */
	/* Asked for every address about to be used, after resolving. NULL: all are allowed. */
	bool (*allow)(void *ctx, const struct addr *a);
	/* Called once, never from inside dial_start; the dial is gone then. fd >= 0 (the callee's) only
	 * with DIAL_OK: connected, non-blocking. tried is the address of the result (family ADDR_NONE:
	 * none was tried); detail borrows, one sentence. */
	void (*done)(void *ctx, enum dial_result r, int fd, const struct addr *tried,
		     struct bytes detail);
	void *ctx;
};
int dial_start(struct loop *l, const struct dial_options *o, struct dial **out,
	       struct err *e) MUST_CHECK;
void dial_cancel(struct dial *d); /* done is not called; also NULL */

#endif
