#include "flow/table.h"

#include "base/hash.h"
#include "base/mem.h"

#define FIRST_SIZE 64

static struct table_node **bucket(const struct table *t, uint64_t a, uint64_t b)
{
	/* Stream numbers are the client's choice: the hash is keyed. */
	uint64_t key[2] = { a, b };

	return &t->buckets[hash_bytes(bytes_of(key, sizeof(key))) & (t->size - 1)];
}

int table_init(struct table *t, struct err *e)
{
	*t = (struct table){ .size = FIRST_SIZE };
	t->buckets = mem_new_array(FIRST_SIZE, sizeof(*t->buckets));
	if (!t->buckets)
		return FAIL(e, NOMEM, "a table of %d buckets", FIRST_SIZE);
	return 0;
}

void table_fini(struct table *t)
{
	mem_free(t->buckets);
	*t = (struct table){ 0 };
}

struct table_node *table_find(const struct table *t, uint64_t a, uint64_t b)
{
	struct table_node *n = *bucket(t, a, b);

	while (n && (n->a != a || n->b != b))
		n = n->next;
	return n;
}

static void grow(struct table *t)
{
	struct table bigger = { .size = t->size * 2, .count = t->count };

	bigger.buckets = mem_new_array(bigger.size, sizeof(*bigger.buckets));
	if (!bigger.buckets)
		return;
	for (size_t i = 0; i < t->size; i++) {
		for (struct table_node *n = t->buckets[i], *next; n; n = next) {
			struct table_node **at = bucket(&bigger, n->a, n->b);

			next = n->next;
			n->next = *at;
			*at = n;
		}
	}
	mem_free(t->buckets);
	*t = bigger;
}

void table_add(struct table *t, struct table_node *node)
{
	struct table_node **at;

	if (t->count >= t->size)
		grow(t);
	at = bucket(t, node->a, node->b);
	node->next = *at;
	*at = node;
	t->count++;
}

void table_remove(struct table *t, struct table_node *node)
{
	struct table_node **at = bucket(t, node->a, node->b);

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	t->count--;
}
