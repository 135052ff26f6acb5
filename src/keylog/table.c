#include "keylog/table.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/secret.h"

/* Two indexes over the same entries, both open hash tables: one by key, for whoever looks for
 * secrets, and one by everything that a line says, so that repeats are found however many secrets
 * one key has. */

enum { SLOTS_FIRST = 64, LABEL_MAX = 64 };

struct entry {
	struct keylog_secret secret; /* first: keylog_table_walk goes from one to the other */
	struct entry *after;	     /* in the order of all lines */
	struct entry *before;	     /* the one of this label that came before */
};

struct of_label {
	struct entry *newest;
	size_t count;
};

/* All that is known of one key. */
struct group {
	struct keylog_secret *first, *last;
	uint32_t
		newest[2]; /* highest generation of the client's and the server's traffic secrets */
};

struct slot {
	uint64_t hash;
	void *item; /* NULL: free */
};

struct index {
	struct slot *slots;
	size_t size; /* a power of two, or 0 */
	size_t used;
};

struct keylog_table {
	struct arena arena;
	size_t max_bytes;
	struct index groups;  /* of struct group, by key */
	struct index entries; /* of struct entry, by label, key and secret */
	struct entry *first, *last;
	struct of_label labels[KEYLOG_LABEL_COUNT];
	struct buf begun; /* of a line that is not complete */
	bool begun_any;
	struct keylog_line line;
	uint64_t line_count;
	struct keylog_stats stats;
};

/* What a line brings with it lies behind its entry: the secret, then the key if it is a new one. */
static uint8_t *entry_room(struct entry *entry)
{
	return (uint8_t *)entry + sizeof(*entry);
}

int keylog_table_new(size_t max_bytes, struct keylog_table **out, struct err *e)
{
	struct keylog_table *t = mem_new(sizeof(*t));

	if (!t)
		return FAIL(e, NOMEM, "a table of secrets");
	t->max_bytes = max_bytes;
	t->arena = arena_init(max_bytes);
	t->begun = buf_init_secret(KEYLOG_LINE_MAX);
	*out = t;
	return 0;
}

void keylog_table_free(struct keylog_table *t)
{
	if (!t)
		return;
	for (struct entry *entry = t->first; entry; entry = entry->after)
		mem_wipe(entry_room(entry), entry->secret.secret_n);
	keylog_line_wipe(&t->line);
	mem_free(t->groups.slots);
	mem_free(t->entries.slots);
	arena_fini(&t->arena);
	buf_fini(&t->begun);
	mem_free(t);
}

/* The first slot from hash's own that is free or has this hash, from *at on. */
static struct slot *index_probe(const struct index *x, uint64_t hash, size_t *at)
{
	for (;; ++*at) {
		struct slot *slot = &x->slots[(hash + *at) & (x->size - 1)];

		if (!slot->item || slot->hash == hash)
			return slot;
	}
}

static bool index_is_full(const struct index *x)
{
	return 4 * (x->used + 1) > 3 * x->size;
}

static size_t index_next_size(const struct index *x)
{
	return x->size ? 2 * x->size : SLOTS_FIRST;
}

/* Room for one more. Fails with ERR_NOMEM. */
static int index_make_room(struct index *x, struct err *e)
{
	struct index bigger = { .size = index_next_size(x), .used = x->used };

	if (!index_is_full(x))
		return 0;
	bigger.slots = mem_new_array(bigger.size, sizeof(struct slot));
	if (!bigger.slots)
		return FAIL(e, NOMEM, "an index of %zu secrets", bigger.size);
	for (size_t i = 0; i < x->size; i++) {
		size_t at = 0;

		if (!x->slots[i].item)
			continue;
		while (bigger.slots[(x->slots[i].hash + at) & (bigger.size - 1)].item)
			at++;
		bigger.slots[(x->slots[i].hash + at) & (bigger.size - 1)] = x->slots[i];
	}
	mem_free(x->slots);
	*x = bigger;
	return 0;
}

static void index_put(struct index *x, uint64_t hash, void *item)
{
	size_t at = 0;

	while (x->slots[(hash + at) & (x->size - 1)].item)
		at++;
	x->slots[(hash + at) & (x->size - 1)] = (struct slot){ .hash = hash, .item = item };
	x->used++;
}

static struct bytes key_of(const struct keylog_secret *s)
{
	return bytes_of(s->key, s->key_n);
}

static struct group *find_group(const struct keylog_table *t, struct bytes key)
{
	uint64_t hash;

	if (t->groups.size == 0)
		return NULL;
	hash = hash_bytes(key);
	for (size_t at = 0;; at++) {
		struct group *group = index_probe(&t->groups, hash, &at)->item;

		if (!group || bytes_equal(key_of(group->first), key))
			return group;
	}
}

static uint64_t line_hash(const struct keylog_line *line)
{
	return hash_bytes(bytes_of(line->secret, line->secret_n)) ^
	       hash_bytes(bytes_of(line->key, line->key_n)) * 31 ^ (uint64_t)line->label << 56;
}

/* The same words; and the same number, unless the line leaves it to be counted. */
static bool says_the_same(const struct keylog_secret *s, const struct keylog_line *line)
{
	return s->label == line->label &&
	       (s->generation == line->generation || line->generation == KEYLOG_NEXT) &&
	       bytes_equal(key_of(s), bytes_of(line->key, line->key_n)) &&
	       secret_equal(bytes_of(s->secret, s->secret_n),
			    bytes_of(line->secret, line->secret_n));
}

static bool is_known(const struct keylog_table *t, const struct keylog_line *line, uint64_t hash)
{
	if (t->entries.size == 0)
		return false;
	for (size_t at = 0;; at++) {
		const struct entry *entry = index_probe(&t->entries, hash, &at)->item;

		if (!entry)
			return false;
		if (says_the_same(&entry->secret, line))
			return true;
	}
}

/* The number of a traffic secret among those of its label and key. */
static uint32_t generation_of(struct group *group, const struct keylog_line *line)
{
	uint32_t *newest = &group->newest[line->label == KEYLOG_SERVER_TRAFFIC_SECRET];
	uint32_t number = line->generation;

	if (line->label != KEYLOG_CLIENT_TRAFFIC_SECRET &&
	    line->label != KEYLOG_SERVER_TRAFFIC_SECRET)
		return 0;
	if (number == KEYLOG_NEXT)
		number = *newest < KEYLOG_NEXT - 1 ? *newest + 1 : *newest;
	if (number > *newest)
		*newest = number;
	return number;
}

/* Whether the limit allows one line more. */
static bool has_room(const struct keylog_table *t, const struct keylog_line *line)
{
	/* Pieces of the arena are rounded up by less than 16 bytes. */
	size_t need = sizeof(struct entry) + sizeof(struct group) + line->secret_n + line->key_n +
		      (size_t)2 * 16;
	size_t slots = t->groups.size + t->entries.size;

	if (index_is_full(&t->groups))
		slots += index_next_size(&t->groups);
	if (index_is_full(&t->entries))
		slots += index_next_size(&t->entries);
	need += t->arena.used + slots * sizeof(struct slot);
	return need <= t->max_bytes;
}

static struct entry *new_entry(struct keylog_table *t, const struct keylog_line *line,
			       const struct group *group)
{
	/* A key that is known already is shared. */
	const struct keylog_secret *known = group->first;
	size_t key_n = known ? 0 : line->key_n;
	struct entry *entry = arena_new(&t->arena, 1, sizeof(*entry) + line->secret_n + key_n);

	if (!entry)
		return NULL;
	entry->secret = (struct keylog_secret){
		.label = line->label,
		.secret_n = (uint16_t)line->secret_n,
		.key_n = (uint16_t)line->key_n,
		.line = t->line_count,
		.key = known ? known->key : entry_room(entry) + line->secret_n,
		.secret = entry_room(entry),
	};
	memcpy(entry_room(entry), line->secret, line->secret_n);
	memcpy(entry_room(entry) + line->secret_n, line->key, key_n);
	return entry;
}

static void link_entry(struct keylog_table *t, struct group *group, struct entry *entry)
{
	struct of_label *label = &t->labels[entry->secret.label];

	entry->before = label->newest;
	label->newest = entry;
	label->count++;
	if (group->first)
		group->last->next = &entry->secret;
	else
		group->first = &entry->secret;
	group->last = &entry->secret;
	if (t->first)
		t->last->after = entry;
	else
		t->first = entry;
	t->last = entry;
}

/* A line that was counted already, into the table. */
static int keep(struct keylog_table *t, const struct keylog_line *line, struct err *e)
{
	struct bytes key = bytes_of(line->key, line->key_n);
	uint64_t hash = line_hash(line);
	struct group *group;
	struct entry *entry;

	if (is_known(t, line, hash)) {
		t->stats.repeated++;
		return 0;
	}
	if (!has_room(t, line)) {
		t->stats.dropped++;
		return 0;
	}
	if (index_make_room(&t->groups, e) < 0 || index_make_room(&t->entries, e) < 0)
		return -1;
	group = find_group(t, key);
	if (!group)
		group = arena_new(&t->arena, 1, sizeof(*group));
	entry = group ? new_entry(t, line, group) : NULL;
	if (!entry)
		return FAIL(e, NOMEM, "line %llu of the secrets",
			    (unsigned long long)t->line_count);
	entry->secret.generation = generation_of(group, line);
	if (!group->first)
		index_put(&t->groups, hash_bytes(key), group);
	index_put(&t->entries, hash, entry);
	link_entry(t, group, entry);
	t->stats.secrets++;
	return 0;
}

int keylog_table_add(struct keylog_table *t, const struct keylog_line *line, struct err *e)
{
	t->line_count++;
	t->stats.lines++;
	return keep(t, line, e);
}

static void count_bad(struct keylog_table *t)
{
	t->stats.bad++;
	if (t->stats.first_bad == 0)
		t->stats.first_bad = t->line_count;
}

/* A label as RFC 9850, 2 has them, that somebody else will know; garbage has none. */
static bool has_label(struct bytes text)
{
	struct bytes label = keylog_line_label(text);

	for (size_t i = 0; i < label.n; i++)
		if (!(label.p[i] >= 'A' && label.p[i] <= 'Z') && label.p[i] != '_' &&
		    !(label.p[i] >= '0' && label.p[i] <= '9'))
			return false;
	return label.n > 0 && label.n < text.n && label.n <= LABEL_MAX;
}

/* One line, without the rest of one that is too long. */
static int take_line(struct keylog_table *t, struct bytes text, struct err *e)
{
	struct bytes bom = bytes_str("\xef\xbb\xbf");

	t->line_count++;
	if (t->line_count == 1 && bytes_starts(text, bom))
		text = bytes_slice(text, bom.n, text.n);
	switch (keylog_line_parse(text, &t->line, NULL)) {
	case KEYLOG_EMPTY:
		return 0;
	case KEYLOG_LINE:
		t->stats.lines++;
		return keep(t, &t->line, e);
	case KEYLOG_OTHER:
		t->stats.lines++;
		if (has_label(text))
			t->stats.other++;
		else
			count_bad(t);
		return 0;
	case KEYLOG_BAD:
		break;
	}
	t->stats.lines++;
	count_bad(t);
	return 0;
}

/* Of a line only as much is kept as a good one can have: what comes after that is junk, or the line
 * is. */
static int begin_line(struct keylog_table *t, struct bytes part, struct err *e)
{
	t->begun_any |= part.n > 0;
	return buf_add(&t->begun, bytes_slice(part, 0, buf_room(&t->begun)), e);
}

/* The line that was begun is complete. */
static int finish_line(struct keylog_table *t, struct err *e)
{
	int status = take_line(t, buf_bytes(&t->begun), e);

	t->begun_any = false;
	buf_clear(&t->begun);
	return status;
}

int keylog_table_feed(struct keylog_table *t, struct bytes text, struct err *e)
{
	while (text.n) {
		size_t end = bytes_index(text, '\n');
		struct bytes line = bytes_slice(text, 0, end);
		int status = 0;

		if (end == text.n || t->begun_any)
			status = begin_line(t, line, e);
		if (end == text.n)
			return status;
		if (status == 0)
			status = t->begun_any
					 ? finish_line(t, e)
					 : take_line(t, bytes_slice(line, 0, KEYLOG_LINE_MAX), e);
		if (status < 0)
			return -1;
		text = bytes_slice(text, end + 1, text.n);
	}
	return 0;
}

int keylog_table_end(struct keylog_table *t, struct err *e)
{
	return t->begun_any ? finish_line(t, e) : 0;
}

const struct keylog_secret *keylog_table_find(const struct keylog_table *t, struct bytes key)
{
	const struct group *group = find_group(t, key);

	return group ? group->first : NULL;
}

const struct keylog_secret *keylog_table_walk(const struct keylog_table *t,
					      const struct keylog_secret *after)
{
	const struct entry *entry = t->first;

	if (after)
		entry = ((const struct entry *)(const void *)after)->after;
	return entry ? &entry->secret : NULL;
}

const struct keylog_secret *keylog_table_newest(const struct keylog_table *t,
						enum keylog_label label,
						const struct keylog_secret *before)
{
	const struct entry *entry = t->labels[label].newest;

	if (before)
		entry = ((const struct entry *)(const void *)before)->before;
	return entry ? &entry->secret : NULL;
}

size_t keylog_table_count(const struct keylog_table *t, enum keylog_label label)
{
	return t->labels[label].count;
}

void keylog_table_stats(const struct keylog_table *t, struct keylog_stats *out)
{
	*out = t->stats;
}
