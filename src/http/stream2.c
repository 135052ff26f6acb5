#include "http/stream2.h"

#include "base/hash.h"
#include "base/mem.h"

#define FIRST_SIZE 8

void streams2_init(struct streams2 *t)
{
	*t = (struct streams2){ 0 };
	list_init(&t->order);
}

void streams2_fini(struct streams2 *t)
{
	struct stream2 *s;

	while ((s = streams2_oldest(t)))
		streams2_remove(t, s);
	mem_free(t->buckets);
	t->buckets = NULL;
	t->size = 0;
}

/* The numbers are the peers' to choose: hashed with a key, so that they cannot be made to collide. */
static size_t bucket_of(uint32_t id, size_t size)
{
	return (size_t)hash_bytes(bytes_of(&id, sizeof(id))) & (size - 1);
}

struct stream2 *streams2_find(const struct streams2 *t, uint32_t id)
{
	struct stream2 *s = t->count ? t->buckets[bucket_of(id, t->size)] : NULL;

	while (s && s->id != id)
		s = s->next;
	return s;
}

/* Twice as many buckets when they fill up. */
static int make_room(struct streams2 *t, struct err *e)
{
	size_t size = t->size ? t->size * 2 : FIRST_SIZE;
	struct stream2 **buckets;

	if (t->count < t->size)
		return 0;
	buckets = mem_new_array(size, sizeof(struct stream2 *));
	if (!buckets)
		return FAIL(e, NOMEM, "a table of %zu HTTP/2 streams", size);
	LIST_EACH (it, &t->order) {
		struct stream2 *s = LIST_OWNER(it, struct stream2, order);
		struct stream2 **bucket = &buckets[bucket_of(s->id, size)];

		s->next = *bucket;
		*bucket = s;
	}
	mem_free(t->buckets);
	t->buckets = buckets;
	t->size = size;
	return 0;
}

int streams2_add(struct streams2 *t, uint32_t id, struct stream2 **out, struct err *e)
{
	struct stream2 *s, **bucket;

	if (make_room(t, e) < 0)
		return -1;
	s = mem_new(sizeof(*s));
	if (!s)
		return FAIL(e, NOMEM, "an HTTP/2 stream");
	s->id = id;
	s->grpc_status = -1;
	bucket = &t->buckets[bucket_of(id, t->size)];
	s->next = *bucket;
	*bucket = s;
	list_add(&t->order, &s->order);
	t->count++;
	*out = s;
	return 0;
}

void streams2_remove(struct streams2 *t, struct stream2 *s)
{
	struct stream2 **link = &t->buckets[bucket_of(s->id, t->size)];

	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	list_remove(&s->order);
	t->count--;
	websocket_free(s->ws);
	mem_free(s);
}

struct stream2 *streams2_oldest(const struct streams2 *t)
{
	return list_empty(&t->order) ? NULL : LIST_OWNER(t->order.next, struct stream2, order);
}
