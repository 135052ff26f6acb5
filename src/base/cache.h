/* A bounded cache: values by a key of bytes, the least recently used leaves first, entries older
 * than max_age are not found. One owner thread; share it by sharding, not by locking inside. */
#ifndef BASE_CACHE_H
#define BASE_CACHE_H

#include "base/err.h"

struct cache;

struct cache_options {
	size_t max_entries;		 /* at least 1 */
	int64_t max_age_ns;		 /* 0: no limit */
	void (*free_value)(void *value); /* called once for each value that leaves */
};

int cache_new(const struct cache_options *options, struct cache **out, struct err *e) MUST_CHECK;
void cache_free(struct cache *c);
/* The value, or NULL. now_ns is a monotonic time. The value stays the cache's. */
void *cache_find(struct cache *c, struct bytes key, int64_t now_ns);
/* The cache becomes the owner of value, on failure too (it is then freed). An entry of the same
 * key is replaced. The key is copied. */
int cache_put(struct cache *c, struct bytes key, void *value, int64_t now_ns,
	      struct err *e) MUST_CHECK;
/* Removes and hands the value to the caller; NULL when there is none. */
void *cache_take(struct cache *c, struct bytes key, int64_t now_ns);
void cache_remove(struct cache *c, struct bytes key);
size_t cache_count(const struct cache *c);

#endif
