#include "net/hosts.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>

/* Names lie one after another in one block; entries point into it. Sorted by name and, among equal
 * names, by the order of addition, so that a search finds all entries of a name side by side. */

#define NAME_MAX_BYTES 253
#define NAMES_MAX_BYTES (64u << 20)

struct entry {
	struct addr addr;
	uint32_t order;
	uint32_t name_at;
	uint8_t name_n;
};

struct hosts {
	struct entry *entries;
	size_t count, cap;
	struct buf names; /* lower case */
};

int hosts_new(struct hosts **out, struct err *e)
{
	struct hosts *h = mem_new(sizeof(*h));

	if (!h)
		return FAIL(e, NOMEM, "a hosts table");
	h->names = buf_init(NAMES_MAX_BYTES);
	*out = h;
	return 0;
}

void hosts_free(struct hosts *h)
{
	if (!h)
		return;
	buf_fini(&h->names);
	mem_free(h->entries);
	mem_free(h);
}

static struct bytes entry_name(const struct hosts *h, const struct entry *en)
{
	return bytes_slice(buf_bytes(&h->names), en->name_at, en->name_n);
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* Without the dot at the end. */
static struct bytes name_proper(struct bytes name)
{
	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	return name;
}

static int name_add(struct hosts *h, struct bytes name, struct err *e)
{
	uint8_t text[NAME_MAX_BYTES];

	for (size_t i = 0; i < name.n; i++)
		text[i] = lower(name.p[i]);
	return buf_add(&h->names, bytes_of(text, name.n), e);
}

static int make_room(struct hosts *h, struct err *e)
{
	size_t cap = h->cap ? h->cap * 2 : 16;
	struct entry *p;

	if (h->count < h->cap)
		return 0;
	if (h->count >= HOSTS_ENTRIES_MAX)
		return FAIL(e, LIMIT, "a hosts table of more than %u entries", HOSTS_ENTRIES_MAX);
	p = mem_resize(h->entries, cap * sizeof(*p));
	if (!p)
		return FAIL(e, NOMEM, "a hosts table of %zu entries", cap);
	h->entries = p;
	h->cap = cap;
	return 0;
}

int hosts_add(struct hosts *h, struct bytes name, const struct addr *a, struct err *e)
{
	struct bytes proper = name_proper(name);
	struct entry en = { .addr = *a };

	if (proper.n == 0 || proper.n > NAME_MAX_BYTES)
		return 0; /* nobody can ask for it */
	en.order = (uint32_t)h->count;
	en.name_at = (uint32_t)h->names.n;
	en.name_n = (uint8_t)proper.n;
	en.addr.port = 0;
	if (make_room(h, e) < 0 || name_add(h, proper, e) < 0)
		return -1;
	h->entries[h->count++] = en;
	return 0;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* The next word of *rest, which moves behind it; empty at the end. */
static struct bytes next_word(struct bytes *rest)
{
	struct bytes word;
	size_t n = 0;

	while (rest->n && is_space(rest->p[0]))
		*rest = bytes_slice(*rest, 1, rest->n);
	while (n < rest->n && !is_space(rest->p[n]))
		n++;
	word = bytes_slice(*rest, 0, n);
	*rest = bytes_slice(*rest, n, rest->n);
	return word;
}

static int parse_line(struct hosts *h, struct bytes line, struct err *e)
{
	struct bytes rest = bytes_slice(line, 0, bytes_index(line, '#'));
	struct bytes word = next_word(&rest);
	struct addr a;

	if (!addr_parse_ip(word, 0, &a))
		return 0;
	for (word = next_word(&rest); word.n; word = next_word(&rest)) {
		if (hosts_add(h, word, &a, e) < 0)
			return -1;
	}
	return 0;
}

int hosts_parse(struct hosts *h, struct bytes text, struct err *e)
{
	while (text.n) {
		size_t n = bytes_index(text, '\n');

		if (parse_line(h, bytes_slice(text, 0, n), e) < 0)
			return -1;
		text = bytes_slice(text, n + 1, text.n);
	}
	return 0;
}

static int compare_names(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int compare_entries(const void *one, const void *other, void *table)
{
	const struct entry *a = one, *b = other;
	int c = compare_names(entry_name(table, a), entry_name(table, b));

	return c ? c : (a->order > b->order) - (a->order < b->order);
}

void hosts_sort(struct hosts *h)
{
	if (h->count)
		qsort_r(h->entries, h->count, sizeof(*h->entries), compare_entries, h);
}

/* The first entry whose name is not before name. */
static size_t lower_bound(const struct hosts *h, struct bytes name)
{
	size_t from = 0, to = h->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (compare_names(entry_name(h, &h->entries[middle]), name) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

void hosts_find(const struct hosts *h, struct bytes name, enum addr_family family,
		struct hosts_found *f)
{
	struct bytes proper = name_proper(name);
	uint8_t text[NAME_MAX_BYTES];
	struct bytes key = bytes_of(text, proper.n);

	f->known = false;
	f->count = 0;
	if (proper.n > sizeof(text))
		return;
	for (size_t i = 0; i < proper.n; i++)
		text[i] = lower(proper.p[i]);
	for (size_t i = lower_bound(h, key); i < h->count; i++) {
		const struct entry *en = &h->entries[i];

		if (!bytes_equal(entry_name(h, en), key))
			break;
		f->known = true;
		if (en->addr.family == family && f->count < f->max)
			f->addrs[f->count++] = en->addr;
	}
}

size_t hosts_count(const struct hosts *h)
{
	return h->count;
}
