#include "cmd/read_crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "tap/sessions.h"

struct lane_thread {
	struct crew *crew;
	size_t n;
	pthread_t thread;
	bool running;
	struct read_batch ring[CREW_RING];
	uint64_t done;	  /* batches worked through; guarded by the crew's lock */
	uint64_t reached; /* packets before this one have had their effect; likewise */
	struct tap_sessions sessions;
};

struct crew {
	const struct crew_work *work;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t submitted; /* batches of each lane */
	uint64_t given;	    /* of these, handed to work->done */
	bool stop;
	struct sessions *sessions;
	struct lane_thread lane[CREW_LANES_MAX];
};

static bool others_reached(const struct crew *c, size_t lane, uint64_t packet)
{
	for (size_t i = 0; i < c->work->count; i++)
		if (i != lane && c->lane[i].reached < packet)
			return false;
	return true;
}

static void share_put(void *ctx, struct bytes key, struct bytes master, struct tap_at at)
{
	struct lane_thread *l = ctx;
	struct crew *c = l->crew;

	pthread_mutex_lock(&c->lock);
	sessions_put(c->sessions, key, master, at.packet);
	pthread_mutex_unlock(&c->lock);
}

/* Whoever is behind never waits, so somebody always goes on. */
static bool share_find(void *ctx, struct bytes key, struct tap_at at, uint8_t master[MASTER_SIZE])
{
	struct lane_thread *l = ctx;
	struct crew *c = l->crew;
	bool found;

	pthread_mutex_lock(&c->lock);
	l->reached = at.packet;
	pthread_cond_broadcast(&c->changed);
	while (!c->stop && !others_reached(c, l->n, at.packet))
		pthread_cond_wait(&c->changed, &c->lock);
	found = sessions_find(c->sessions, key, at.packet, master);
	pthread_mutex_unlock(&c->lock);
	return found;
}

static void *lane_main(void *ctx)
{
	struct lane_thread *l = ctx;
	struct crew *c = l->crew;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		struct read_batch *b;

		while (!c->stop && l->done == c->submitted)
			pthread_cond_wait(&c->changed, &c->lock);
		if (c->stop)
			break;
		b = &l->ring[l->done % CREW_RING];
		pthread_mutex_unlock(&c->lock);
		c->work->run(c->work->lanes[l->n], b);
		pthread_mutex_lock(&c->lock);
		l->reached = b->last_packet + 1;
		l->done++;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static int start(struct crew *c, struct err *e)
{
	for (size_t i = 0; i < c->work->count && c->work->count > 1; i++) {
		int failed = pthread_create(&c->lane[i].thread, NULL, lane_main, &c->lane[i]);

		if (failed) {
			errno = failed;
			return FAIL_SYS(e, SYSTEM, "a thread of %zu cannot be started",
					c->work->count);
		}
		c->lane[i].running = true;
	}
	return 0;
}

int crew_new(const struct crew_work *work, struct crew **out, struct err *e)
{
	struct crew *c = mem_new(sizeof(*c));

	if (!c)
		return FAIL(e, NOMEM, "the lanes of a capture");
	c->work = work;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	for (size_t i = 0; i < work->count; i++) {
		struct lane_thread *l = &c->lane[i];

		l->crew = c;
		l->n = i;
		l->sessions = (struct tap_sessions){ share_put, share_find, l };
		for (size_t k = 0; k < CREW_RING; k++)
			read_batch_init(&l->ring[k]);
	}
	if (sessions_new(&c->sessions, e) < 0 || start(c, e) < 0) {
		crew_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

void crew_free(struct crew *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < c->work->count; i++) {
		if (c->lane[i].running)
			pthread_join(c->lane[i].thread, NULL);
		for (size_t k = 0; k < CREW_RING; k++)
			read_batch_fini(&c->lane[i].ring[k]);
	}
	sessions_free(c->sessions);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	mem_free(c);
}

struct read_batch *crew_batch(struct crew *c, size_t lane)
{
	return &c->lane[lane].ring[c->submitted % CREW_RING];
}

struct tap_sessions *crew_sessions(struct crew *c, size_t lane)
{
	return &c->lane[lane].sessions;
}

static bool all_done(const struct crew *c, uint64_t batch)
{
	for (size_t i = 0; i < c->work->count; i++)
		if (c->lane[i].done <= batch)
			return false;
	return true;
}

/* Waits for the oldest batches and hands them on. */
static int give_oldest(struct crew *c, struct err *e)
{
	struct read_batch *batches[CREW_LANES_MAX];
	int failed;

	pthread_mutex_lock(&c->lock);
	while (!all_done(c, c->given))
		pthread_cond_wait(&c->changed, &c->lock);
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < c->work->count; i++)
		batches[i] = &c->lane[i].ring[c->given % CREW_RING];
	failed = c->work->done(c->work->ctx, batches, c->work->count, e);
	for (size_t i = 0; i < c->work->count; i++)
		read_batch_clear(batches[i]);
	c->given++;
	return failed;
}

int crew_submit(struct crew *c, uint64_t packet, struct err *e)
{
	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->work->count; i++)
		crew_batch(c, i)->last_packet = packet;
	c->submitted++;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	if (c->work->count == 1) {
		c->work->run(c->work->lanes[0], &c->lane[0].ring[(c->submitted - 1) % CREW_RING]);
		c->lane[0].done++;
		return give_oldest(c, e);
	}
	/* The next one to be filled must be empty. */
	while (c->submitted - c->given >= CREW_RING)
		if (give_oldest(c, e) < 0)
			return -1;
	return 0;
}

int crew_drain(struct crew *c, struct err *e)
{
	while (c->given < c->submitted)
		if (give_oldest(c, e) < 0)
			return -1;
	return 0;
}
