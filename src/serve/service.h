/* A small HTTP/1.1 server for our own pages: one request a connection, no bodies, bounded in
 * everything. What it serves is the handler's. */
#ifndef SERVE_SERVICE_H
#define SERVE_SERVICE_H

#include "base/buf.h"
#include "net/loop.h"
#include "wire/addr.h"

#define SERVICE_BODY_MAX ((size_t)64 << 20)

struct service;

struct service_request {
	struct bytes method, path, query; /* path without the query; query without '?' */
	struct bytes authorization;	  /* the header's value; empty: none */
	bool local;			  /* over a Unix socket of mode 0600: the owner himself */
};

struct service_reply {
	unsigned status;
	const char *type; /* content type */
	struct buf body;  /* empty at first */
};

struct service_options {
	struct loop *loop;
	int fd;			/* listening, taken, on failure too */
	bool local;		/* a Unix socket */
	size_t max_connections; /* 0: 64 */
	/* Fills the reply. */
	void (*handle)(void *ctx, const struct service_request *q, struct service_reply *r);
	void *ctx;
};

int service_new(const struct service_options *o, struct service **out, struct err *e) MUST_CHECK;
void service_free(struct service *s);
/* TCP: a Host header must name one of these addresses, loopback or localhost. Borrowed until the next
 * call; also for NULL. */
void service_set_own(struct service *s, const struct addr *own, size_t count);
/* The value of a query parameter, not decoded; false when it is not there. */
bool service_query(struct bytes query, const char *name, struct bytes *value);
/* A whole response, as the service itself sends it. */
int service_write(struct buf *out, const struct service_reply *r, struct err *e) MUST_CHECK;

#endif
