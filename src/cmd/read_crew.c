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
	pthread_cond_t came;   /* submitted or stop changed */
	pthread_cond_t worked; /* the awaited batches are done by all lanes */
	pthread_cond_t moved;  /* a lane has reached a later packet; only when looking */
	uint64_t submitted;    /* batches of each lane */
	uint64_t given;	       /* of these, handed to work->done */
	uint64_t awaited;      /* the caller waits until so many are done; 0: it does not */
	unsigned looking;      /* lanes that wait for others */
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

static void tell_reached(struct crew *c)
{
	if (c->looking)
		pthread_cond_broadcast(&c->moved);
}

static bool all_done(const struct crew *c, uint64_t count)
{
	for (size_t i = 0; i < c->work->count; i++)
		if (c->lane[i].done < count)
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
	tell_reached(c);
	c->looking++;
	while (!c->stop && !others_reached(c, l->n, at.packet))
		pthread_cond_wait(&c->moved, &c->lock);
	c->looking--;
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
			pthread_cond_wait(&c->came, &c->lock);
		if (c->stop)
			break;
		b = &l->ring[l->done % CREW_RING];
		pthread_mutex_unlock(&c->lock);
		c->work->run(c->work->lanes[l->n], b);
		pthread_mutex_lock(&c->lock);
		l->reached = b->last_packet + 1;
		l->done++;
		tell_reached(c);
		if (c->awaited && all_done(c, c->awaited))
			pthread_cond_signal(&c->worked);
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
	pthread_cond_init(&c->came, NULL);
	pthread_cond_init(&c->worked, NULL);
	pthread_cond_init(&c->moved, NULL);
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
	pthread_cond_broadcast(&c->came);
	pthread_cond_broadcast(&c->moved);
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < c->work->count; i++) {
		if (c->lane[i].running)
			pthread_join(c->lane[i].thread, NULL);
		for (size_t k = 0; k < CREW_RING; k++)
			read_batch_fini(&c->lane[i].ring[k]);
	}
	sessions_free(c->sessions);
	pthread_cond_destroy(&c->came);
	pthread_cond_destroy(&c->worked);
	pthread_cond_destroy(&c->moved);
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

/* Hands the oldest batches on until so many were, once all of them are done. */
static int give(struct crew *c, uint64_t count, struct err *e)
{
	struct read_batch *batches[CREW_LANES_MAX];

	pthread_mutex_lock(&c->lock);
	c->awaited = count;
	while (!all_done(c, count))
		pthread_cond_wait(&c->worked, &c->lock);
	c->awaited = 0;
	pthread_mutex_unlock(&c->lock);
	while (c->given < count) {
		int failed;

		for (size_t i = 0; i < c->work->count; i++)
			batches[i] = &c->lane[i].ring[c->given % CREW_RING];
		failed = c->work->done(c->work->ctx, batches, c->work->count, e);
		for (size_t i = 0; i < c->work->count; i++)
			read_batch_clear(batches[i]);
		c->given++;
		if (failed < 0)
			return -1;
	}
	return 0;
}

int crew_submit(struct crew *c, uint64_t packet, struct err *e)
{
	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->work->count; i++)
		crew_batch(c, i)->last_packet = packet;
	c->submitted++;
	pthread_cond_broadcast(&c->came);
	pthread_mutex_unlock(&c->lock);
	if (c->work->count == 1) {
		c->work->run(c->work->lanes[0], &c->lane[0].ring[(c->submitted - 1) % CREW_RING]);
		c->lane[0].done++;
		return give(c, c->submitted, e);
	}
	/* The next one to be filled must be empty. Half of them are waited for at once: so often does
	 * nobody have to be woken. */
	if (c->submitted - c->given < CREW_RING)
		return 0;
	return give(c, c->submitted - CREW_RING / 2, e);
}

int crew_drain(struct crew *c, struct err *e)
{
	while (c->given < c->submitted)
		if (give(c, c->given + 1, e) < 0)
			return -1;
	return 0;
}
