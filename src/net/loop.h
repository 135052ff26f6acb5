/* The event loop: descriptors, timers, wake-ups from other threads, signals, children. The only
 * room with uv.h. One loop a thread; everything but loop_post belongs to the loop's thread. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/err.h"

struct loop;
struct loop_watch; /* a descriptor */
struct loop_timer;
struct loop_signal;

int loop_new(struct loop **out, struct err *e) MUST_CHECK;
/* All watches, timers and signals were freed before; what was posted or put off and did not run yet
 * never will. Also NULL. */
void loop_free(struct loop *l);
void loop_run(struct loop *l); /* until loop_stop */
void loop_stop(struct loop *l);
int64_t
loop_mono_ns(const struct loop *l); /* of this turn of the loop; does not move during a callback */
int64_t loop_wall_ns(const struct loop *l); /* the same moment since 1970 */
/* A callback has waited for somebody, or worked long: who asks next gets the time of then. */
void loop_time_passed(struct loop *l);
/* From any thread, also from signal-free contexts of the loop's own: fn(ctx) runs in the loop's
 * thread. Bounded only by the callers. Fails with ERR_NOMEM. */
int loop_post(struct loop *l, void (*fn)(void *ctx), void *ctx, struct err *e) MUST_CHECK;
/* fn(ctx) runs once at the end of this turn, in order; for freeing what is still on the stack. */
int loop_later(struct loop *l, void (*fn)(void *ctx), void *ctx, struct err *e) MUST_CHECK;

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HANGUP = 4 };
/* events: what happened, LOOP_READ also for an error or the end, so that the next read tells it. */
typedef void loop_watch_fn(void *ctx, unsigned events);
struct loop_watch_call {
	loop_watch_fn *fn;
	void *ctx;
};
/* The descriptor stays the caller's. Nothing is watched until loop_watch_set. */
int loop_watch_new(struct loop *l, int fd, struct loop_watch_call call, struct loop_watch **out,
		   struct err *e) MUST_CHECK;
void loop_watch_set(struct loop_watch *w,
		    unsigned events);	    /* cheap when nothing changes; 0 stops */
void loop_watch_free(struct loop_watch *w); /* before close(fd); never called back afterwards */

typedef void loop_timer_fn(void *ctx);
int loop_timer_new(struct loop *l, loop_timer_fn *fn, void *ctx, struct loop_timer **out,
		   struct err *e) MUST_CHECK;
void loop_timer_set(struct loop_timer *t, int64_t after_ns); /* once; again moves it */
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);

typedef void loop_signal_fn(void *ctx, int signum);
struct loop_signal_call {
	loop_signal_fn *fn;
	void *ctx;
};
int loop_signal_new(struct loop *l, int signum, struct loop_signal_call call,
		    struct loop_signal **out, struct err *e) MUST_CHECK;
void loop_signal_free(struct loop_signal *s);

/* Readings that do not belong to a loop. */
int64_t clock_mono_ns(void);
int64_t clock_wall_ns(void);
int random_bytes(uint8_t *p, size_t n, struct err *e) MUST_CHECK; /* getrandom(2) */

#endif
