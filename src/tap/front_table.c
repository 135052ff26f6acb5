#include "tap/front_table.h"

#include "base/hash.h"
#include "base/mem.h"

#define FIRST_SIZE 1024

int flow_table_init(struct flow_table *t, struct err *e)
{
	*t = (struct flow_table){ .size = FIRST_SIZE };
	for (int i = 0; i < FLOW_STATES; i++)
		list_init(&t->state[i]);
	t->buckets = mem_new_array(FIRST_SIZE, sizeof(struct flow_entry *));
	if (!t->buckets)
		return FAIL(e, NOMEM, "a table of flows");
	return 0;
}

void flow_table_fini(struct flow_table *t)
{
	if (!t->buckets)
		return;
	for (int i = 0; i < FLOW_STATES; i++) {
		LIST_EACH (it, &t->state[i])
			mem_free(LIST_OWNER(it, struct flow_entry, recent));
	}
	mem_free(t->buckets);
	t->buckets = NULL;
}

void flow_key(struct flow_key *k, const struct packet_segment *s)
{
	bool small = s->src.family == ADDR_IP4 && s->dst.family == ADDR_IP4;
	size_t n = small ? 4 : 16;
	int order = small ? memcmp(s->src.ip, s->dst.ip, 4) : memcmp(s->src.ip, s->dst.ip, 16);
	const struct addr *first, *second;

	k->from_second = order ? order > 0 : s->src.port > s->dst.port;
	first = k->from_second ? &s->dst : &s->src;
	second = k->from_second ? &s->src : &s->dst;
	k->n = small ? 16 : 40;
	memset(k->p, 0, sizeof(k->p));
	memcpy(k->p, first->ip, n);
	memcpy(k->p + n, second->ip, n);
	memcpy(k->p + 2 * n, &first->port, 2);
	memcpy(k->p + 2 * n + 2, &second->port, 2);
	k->p[2 * n + 4] = (uint8_t)(s->udp << 4 | first->family << 2 | second->family);
}

static bool same(const struct flow_key *a, const struct flow_key *b)
{
	if (a->n != b->n)
		return false;
	return a->n == 16 ? memcmp(a->p, b->p, 16) == 0 : memcmp(a->p, b->p, 40) == 0;
}

struct flow_entry *flow_table_find(struct flow_table *t, const struct flow_key *k)
{
	struct flow_entry *en = t->latest;
	uint64_t hash;

	if (en && same(&en->key, k))
		return en;
	hash = hash_bytes(bytes_of(k->p, k->n));
	en = t->buckets[hash & (t->size - 1)];
	while (en && !(en->hash == hash && same(&en->key, k)))
		en = en->next;
	if (en)
		t->latest = en;
	return en;
}

/* Without memory for more buckets the table is only slower. */
static void grow(struct flow_table *t)
{
	size_t size = t->size * 2;
	struct flow_entry **buckets = mem_new_array(size, sizeof(struct flow_entry *));

	if (!buckets)
		return;
	for (size_t i = 0; i < t->size; i++) {
		for (struct flow_entry *en = t->buckets[i], *next; en; en = next) {
			struct flow_entry **at = &buckets[en->hash & (size - 1)];

			next = en->next;
			en->next = *at;
			*at = en;
		}
	}
	mem_free(t->buckets);
	t->buckets = buckets;
	t->size = size;
}

struct flow_entry *flow_table_add(struct flow_table *t, const struct flow_key *k,
				  enum flow_state state)
{
	struct flow_entry *en = mem_new(sizeof(*en)), **at;

	if (!en)
		return NULL;
	if (t->count >= t->size)
		grow(t);
	en->key = *k;
	en->hash = hash_bytes(bytes_of(k->p, k->n));
	at = &t->buckets[en->hash & (t->size - 1)];
	en->next = *at;
	*at = en;
	t->count++;
	t->gone += state == FLOW_GONE;
	en->state = state;
	list_add(&t->state[state], &en->recent);
	t->latest = en;
	return en;
}

void flow_table_remove(struct flow_table *t, struct flow_entry *en)
{
	struct flow_entry **at = &t->buckets[en->hash & (t->size - 1)];

	while (*at != en)
		at = &(*at)->next;
	*at = en->next;
	list_remove(&en->recent);
	t->count--;
	t->gone -= en->state == FLOW_GONE;
	if (t->latest == en)
		t->latest = NULL;
	mem_free(en);
}

void flow_table_touch(struct flow_table *t, struct flow_entry *en, enum flow_state state)
{
	if (en->state == state && en->recent.next == &t->state[state])
		return;
	t->gone += state == FLOW_GONE;
	t->gone -= en->state == FLOW_GONE;
	en->state = state;
	list_remove(&en->recent);
	list_add(&t->state[state], &en->recent);
}

struct flow_entry *flow_table_oldest(const struct flow_table *t, enum flow_state state)
{
	const struct list *head = &t->state[state];

	return list_empty(head) ? NULL : LIST_OWNER(head->next, struct flow_entry, recent);
}
