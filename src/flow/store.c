#include "flow/store.h"

#include "base/mem.h"
#include "flow/copy.h"

struct entry {
	struct flow_info flow;
	struct exchange exchange;
	bool has_exchange;
	uint64_t sequence;
	size_t size; /* of all of it */
	/* The bytes that flow and exchange point to follow. */
	_Alignas(16) uint8_t room[];
};

struct store {
	struct store_options o;
	struct entry **ring;
	size_t first, count;
	size_t bytes;
	uint64_t sequence, lost;
};

int store_new(const struct store_options *o, struct store **out, struct err *e)
{
	struct store *s = mem_new(sizeof(*s));

	if (!s)
		return FAIL(e, NOMEM, "the store of exchanges");
	s->o = *o;
	if (!s->o.max_entries)
		s->o.max_entries = 1000;
	if (!s->o.max_bytes)
		s->o.max_bytes = (size_t)16 << 20;
	s->ring = mem_new_array(s->o.max_entries, sizeof(struct entry *));
	if (!s->ring) {
		mem_free(s);
		return FAIL(e, NOMEM, "a store of %zu exchanges", o->max_entries);
	}
	*out = s;
	return 0;
}

static struct entry *entry_at(const struct store *s, size_t i)
{
	return s->ring[(s->first + i) % s->o.max_entries];
}

static void drop_oldest(struct store *s)
{
	struct entry *oldest = entry_at(s, 0);

	s->bytes -= oldest->size;
	mem_free(oldest);
	s->first = (s->first + 1) % s->o.max_entries;
	s->count--;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	while (s->count)
		drop_oldest(s);
	mem_free(s->ring);
	mem_free(s);
}

static void add(struct store *s, const struct flow_info *f, const struct exchange *x)
{
	size_t size = sizeof(struct entry) + copy_size(f, x);
	struct entry *n = size <= s->o.max_bytes ? mem_resize(NULL, size) : NULL;

	if (!n) {
		s->lost++;
		return;
	}
	n->size = size;
	n->sequence = ++s->sequence;
	n->has_exchange = x;
	copy_into(n->room, f, x, &n->flow, &n->exchange);
	while (s->count && (s->count == s->o.max_entries || s->bytes + size > s->o.max_bytes))
		drop_oldest(s);
	s->ring[(s->first + s->count) % s->o.max_entries] = n;
	s->count++;
	s->bytes += size;
}

void store_on_exchange(void *store, const struct flow_info *f, const struct exchange *x)
{
	add(store, f, x);
}

void store_on_flow(void *store, const struct flow_info *f)
{
	add(store, f, NULL);
}

static struct store_entry view(const struct entry *n)
{
	return (struct store_entry){ .flow = &n->flow,
				     .exchange = n->has_exchange ? &n->exchange : NULL,
				     .sequence = n->sequence };
}

bool store_find(const struct store *s, uint64_t n, struct store_entry *out)
{
	for (size_t i = s->count; i-- > 0;) {
		const struct entry *at = entry_at(s, i);

		if (at->has_exchange && at->exchange.n == n) {
			*out = view(at);
			return true;
		}
	}
	return false;
}

bool store_next(const struct store *s, uint64_t *cursor, struct store_entry *out)
{
	uint64_t oldest = s->sequence - s->count + 1, next = *cursor + 1;

	/* Sequence numbers have no holes. */
	if (next < oldest)
		next = oldest;
	if (next > s->sequence)
		return false;
	*out = view(entry_at(s, (size_t)(next - oldest)));
	*cursor = next;
	return true;
}

uint64_t store_last(const struct store *s, size_t n)
{
	return s->sequence - (n < s->count ? n : s->count);
}

size_t store_count(const struct store *s)
{
	return s->count;
}

size_t store_bytes(const struct store *s)
{
	return s->bytes;
}

uint64_t store_lost(const struct store *s)
{
	return s->lost;
}
