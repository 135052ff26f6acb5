#include "tap/sessions.h"

#include "base/cache.h"
#include "base/mem.h"

struct sessions {
	struct cache *cache;
};

struct known {
	uint64_t packet;
	uint8_t master[MASTER_SIZE];
};

static void known_free(void *value)
{
	mem_wipe(value, sizeof(struct known));
	mem_free(value);
}

int sessions_new(struct sessions **out, struct err *e)
{
	struct cache_options options = { .max_entries = SESSIONS_MAX, .free_value = known_free };
	struct sessions *s = mem_new(sizeof(*s));

	if (!s)
		return FAIL(e, NOMEM, "a store of sessions");
	if (cache_new(&options, &s->cache, e) < 0) {
		mem_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void sessions_free(struct sessions *s)
{
	if (!s)
		return;
	cache_free(s->cache);
	mem_free(s);
}

void sessions_put(struct sessions *s, struct bytes key, struct bytes master, uint64_t packet)
{
	struct known *k;

	if (key.n == 0 || master.n != MASTER_SIZE)
		return;
	k = cache_find(s->cache, key, 0);
	if (k && k->packet <= packet)
		return;
	k = mem_new(sizeof(*k));
	if (!k)
		return;
	k->packet = packet;
	memcpy(k->master, master.p, MASTER_SIZE);
	/* Without memory the session is not known: its connections stay dark, and say so. */
	(void)!cache_put(s->cache, key, k, 0, NULL);
}

bool sessions_find(struct sessions *s, struct bytes key, uint64_t packet,
		   uint8_t master[MASTER_SIZE])
{
	const struct known *k = key.n ? cache_find(s->cache, key, 0) : NULL;

	if (!k || k->packet >= packet)
		return false;
	memcpy(master, k->master, MASTER_SIZE);
	return true;
}
