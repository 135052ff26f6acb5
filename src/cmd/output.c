#include "cmd/output.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

#define GATHER_NS (10 * 1000 * 1000)
#define GATHER_BYTES ((size_t)256 << 10)

struct output {
	int fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct buf waiting;
	uint64_t lost;
	bool ending, done;
};

static void write_all(int fd, struct bytes b)
{
	while (b.n) {
		ssize_t n = write(fd, b.p, b.n);

		if (n <= 0)
			return; /* the reader is gone: what comes is for nobody */
		b = bytes_slice(b, (size_t)n, b.n);
	}
}

/* Lines come in crowds: waking and writing for each of them would cost more than making it. */
static void gather(struct output *o)
{
	struct timespec moment = { .tv_nsec = GATHER_NS };

	if (o->ending || o->waiting.n >= GATHER_BYTES)
		return;
	pthread_mutex_unlock(&o->lock);
	nanosleep(&moment, NULL);
	pthread_mutex_lock(&o->lock);
}

static void *writer(void *ctx)
{
	struct output *o = ctx;
	struct buf now = buf_init(o->waiting.max);

	pthread_mutex_lock(&o->lock);
	while (o->waiting.n || !o->ending) {
		struct buf other = now;

		if (!o->waiting.n) {
			pthread_cond_wait(&o->changed, &o->lock);
			gather(o);
			continue;
		}
		now = o->waiting;
		o->waiting = other;
		pthread_mutex_unlock(&o->lock);
		write_all(o->fd, buf_bytes(&now));
		buf_clear(&now);
		pthread_mutex_lock(&o->lock);
	}
	o->done = true;
	pthread_cond_signal(&o->changed);
	pthread_mutex_unlock(&o->lock);
	buf_fini(&now);
	return NULL;
}

int output_new(int fd, size_t max, struct output **out, struct err *e)
{
	struct output *o = mem_new(sizeof(*o));

	if (!o)
		return FAIL(e, NOMEM, "the output");
	o->fd = fd;
	o->waiting = buf_init(max);
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->changed, NULL);
	if (pthread_create(&o->thread, NULL, writer, o) != 0) {
		mem_free(o);
		return FAIL(e, SYSTEM, "a thread for the output cannot be made");
	}
	*out = o;
	return 0;
}

void output_free(struct output *o)
{
	struct timespec until;

	if (!o)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 1;
	pthread_mutex_lock(&o->lock);
	o->ending = true;
	pthread_cond_signal(&o->changed);
	while (!o->done && pthread_cond_timedwait(&o->changed, &o->lock, &until) == 0)
		;
	if (!o->done) {
		/* Stuck in a write that nobody reads: the thread and its memory end with the process. */
		pthread_detach(o->thread);
		pthread_mutex_unlock(&o->lock);
		return;
	}
	pthread_mutex_unlock(&o->lock);
	pthread_join(o->thread, NULL);
	buf_fini(&o->waiting);
	mem_free(o);
}

void output_put(struct output *o, struct bytes b)
{
	pthread_mutex_lock(&o->lock);
	if (buf_add(&o->waiting, b, NULL) < 0)
		o->lost++;
	else if (o->waiting.n == b.n)
		pthread_cond_signal(&o->changed);
	pthread_mutex_unlock(&o->lock);
}

uint64_t output_lost(struct output *o)
{
	uint64_t lost;

	pthread_mutex_lock(&o->lock);
	lost = o->lost;
	pthread_mutex_unlock(&o->lock);
	return lost;
}
