#include "base/cache.h"

#include <assert.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"

struct entry {
	struct list recent; /* most recently used last */
	struct entry *next; /* in its bucket */
	uint64_t hash;
	int64_t born_ns;
	void *value;
	size_t key_n;
	uint8_t key[];
};

struct cache {
	struct cache_options options;
	struct list recent;
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
};

int cache_new(const struct cache_options *options, struct cache **out, struct err *e)
{
	struct cache *c = mem_new(sizeof(*c));

	assert(options->max_entries > 0);
	if (!c)
		return FAIL(e, NOMEM, "a cache");
	c->options = *options;
	list_init(&c->recent);
	c->bucket_count = 16;
	while (c->bucket_count < options->max_entries && c->bucket_count < (size_t)1 << 20)
		c->bucket_count *= 2;
	c->buckets = mem_new_array(c->bucket_count, sizeof(struct entry *));
	if (!c->buckets) {
		mem_free(c);
		return FAIL(e, NOMEM, "a cache of %zu entries", options->max_entries);
	}
	*out = c;
	return 0;
}

static struct entry **bucket_of(struct cache *c, uint64_t hash)
{
	return &c->buckets[hash & (c->bucket_count - 1)];
}

/* Takes the entry out; its value is the caller's. */
static void *entry_out(struct cache *c, struct entry *en)
{
	struct entry **at = bucket_of(c, en->hash);
	void *value = en->value;

	while (*at != en)
		at = &(*at)->next;
	*at = en->next;
	list_remove(&en->recent);
	c->count--;
	mem_free(en);
	return value;
}

static void entry_drop(struct cache *c, struct entry *en)
{
	void *value = entry_out(c, en);

	if (c->options.free_value)
		c->options.free_value(value);
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	LIST_EACH (it, &c->recent)
		entry_drop(c, LIST_OWNER(it, struct entry, recent));
	mem_free(c->buckets);
	mem_free(c);
}

static struct entry *entry_find(struct cache *c, struct bytes key)
{
	uint64_t hash = hash_bytes(key);
	struct entry *en = *bucket_of(c, hash);

	while (en && !(en->hash == hash && bytes_equal(bytes_of(en->key, en->key_n), key)))
		en = en->next;
	return en;
}

/* As entry_find, but an entry that is too old is dropped. */
static struct entry *entry_fresh(struct cache *c, struct bytes key, int64_t now_ns)
{
	struct entry *en = entry_find(c, key);

	if (!en || !c->options.max_age_ns || now_ns - en->born_ns <= c->options.max_age_ns)
		return en;
	entry_drop(c, en);
	return NULL;
}

void *cache_find(struct cache *c, struct bytes key, int64_t now_ns)
{
	struct entry *en = entry_fresh(c, key, now_ns);

	if (!en)
		return NULL;
	list_remove(&en->recent);
	list_add(&c->recent, &en->recent);
	return en->value;
}

int cache_put(struct cache *c, struct bytes key, void *value, int64_t now_ns, struct err *e)
{
	struct entry *en = mem_new(sizeof(*en) + key.n), **at;

	if (!en) {
		if (c->options.free_value)
			c->options.free_value(value);
		return FAIL(e, NOMEM, "a cache entry");
	}
	cache_remove(c, key);
	if (c->count >= c->options.max_entries)
		entry_drop(c, LIST_OWNER(c->recent.next, struct entry, recent));
	en->hash = hash_bytes(key);
	en->born_ns = now_ns;
	en->value = value;
	en->key_n = key.n;
	if (key.n)
		memcpy(en->key, key.p, key.n);
	at = bucket_of(c, en->hash);
	en->next = *at;
	*at = en;
	list_add(&c->recent, &en->recent);
	c->count++;
	return 0;
}

void *cache_take(struct cache *c, struct bytes key, int64_t now_ns)
{
	struct entry *en = entry_fresh(c, key, now_ns);

	return en ? entry_out(c, en) : NULL;
}

void cache_remove(struct cache *c, struct bytes key)
{
	struct entry *en = entry_find(c, key);

	if (en)
		entry_drop(c, en);
}

size_t cache_count(const struct cache *c)
{
	return c->count;
}
