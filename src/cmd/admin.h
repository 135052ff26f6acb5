/* The admin interface, served by the worker's main thread: metrics, health, the last flows, the CA
 * certificate; and the pages of http://oriel.internal/. */
#ifndef CMD_ADMIN_H
#define CMD_ADMIN_H

#include "cmd/delivery.h"
#include "cmd/views.h"
#include "proxy/lane.h"

struct admin;

struct admin_options {
	struct loop *loop;
	struct views *views;
	struct proxy_shared *shared;
};
int admin_new(const struct admin_options *o, struct admin **out, struct err *e) MUST_CHECK;
void admin_free(struct admin *a);
/* Serves on this listening socket (taken; -1: none) instead of the one before it, Unix or TCP. */
int admin_serve(struct admin *a, bool local, int fd, struct err *e) MUST_CHECK;
/* From now on the answer to /readyz is 503. */
void admin_drain(struct admin *a);
/* Once the lanes are there; the list is copied. Before that the answer to /readyz is 503. */
int admin_set_metrics(struct admin *a, const struct metrics *const *list, size_t count,
		      struct err *e) MUST_CHECK;
/* One more of what no lane counts. From the loop's thread. */
void admin_count(struct admin *a, enum metric which);
/* The setup in force, and what came with it; both are copied as far as they are needed. */
int admin_set_setup(struct admin *a, struct setup *setup, const struct delivery *d,
		    struct err *e) MUST_CHECK;

/* A page of http://oriel.internal/ as a whole HTTP/1.1 response with Connection: close. From any
 * thread. */
int admin_internal_page(struct admin *a, struct bytes path, struct buf *out,
			struct err *e) MUST_CHECK;

#endif
