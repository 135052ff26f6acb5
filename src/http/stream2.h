/* The streams of an HTTP/2 connection that are open, by number and by age. */
#ifndef HTTP_STREAM2_H
#define HTTP_STREAM2_H

#include "base/list.h"
#include "http/grpc.h"
#include "http/message.h"
#include "http/websocket.h"

struct half2 {
	bool head;  /* a final head came */
	bool ended; /* so did the end */
	uint64_t body;
	struct grpc_framing grpc;
};

struct stream2 {
	struct list order;    /* in streams2.order */
	struct stream2 *next; /* in its bucket */
	uint32_t id;
	bool asks_websocket; /* extended CONNECT */
	bool grpc;
	int grpc_status;
	struct websocket *ws; /* or NULL */
	struct half2 halves[2];
};

struct streams2 {
	struct stream2 **buckets; /* NULL while there never was a stream */
	size_t size;		  /* of buckets: a power of two */
	size_t count;
	struct list order; /* the oldest first */
};

void streams2_init(struct streams2 *t);
void streams2_fini(struct streams2 *t);
struct stream2 *streams2_find(const struct streams2 *t, uint32_t id);
/* The caller has looked that it is new. Fails with ERR_NOMEM. */
int streams2_add(struct streams2 *t, uint32_t id, struct stream2 **out, struct err *e) MUST_CHECK;
void streams2_remove(struct streams2 *t, struct stream2 *s); /* and frees */
struct stream2 *streams2_oldest(const struct streams2 *t);   /* or NULL */

#endif
