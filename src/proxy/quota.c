#include "proxy/quota.h"

#include <pthread.h>

#include "base/cache.h"
#include "base/mem.h"

struct quota {
	pthread_mutex_t lock;
	struct cache *counts; /* of unsigned, by address */
	size_t max;
};

int quota_new(size_t clients, struct quota **out, struct err *e)
{
	struct cache_options o = { .max_entries = clients, .free_value = mem_free };
	struct quota *q = mem_new(sizeof(*q));

	if (!q || cache_new(&o, &q->counts, e) < 0) {
		mem_free(q);
		return FAIL(e, NOMEM, "the quotas");
	}
	q->max = clients;
	pthread_mutex_init(&q->lock, NULL);
	*out = q;
	return 0;
}

void quota_free(struct quota *q)
{
	if (!q)
		return;
	cache_free(q->counts);
	pthread_mutex_destroy(&q->lock);
	mem_free(q);
}

static bool count_first(struct quota *q, struct bytes key)
{
	unsigned *count;

	/* A full cache would forget somebody who still has connections. */
	if (cache_count(q->counts) >= q->max)
		return false;
	count = mem_new(sizeof(*count));
	if (!count)
		return false;
	*count = 1;
	return cache_put(q->counts, key, count, 0, NULL) == 0;
}

bool quota_take(struct quota *q, const struct addr *client, unsigned max)
{
	struct bytes key = addr_ip(client);
	unsigned *count;
	bool ok;

	pthread_mutex_lock(&q->lock);
	count = cache_find(q->counts, key, 0);
	if (count)
		ok = *count < max && ++*count;
	else
		ok = count_first(q, key);
	pthread_mutex_unlock(&q->lock);
	return ok;
}

void quota_give(struct quota *q, const struct addr *client)
{
	struct bytes key = addr_ip(client);
	unsigned *count;

	pthread_mutex_lock(&q->lock);
	count = cache_find(q->counts, key, 0);
	if (count && --*count == 0)
		cache_remove(q->counts, key);
	pthread_mutex_unlock(&q->lock);
}
