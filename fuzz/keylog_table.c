/* A key log, fed whole and in pieces: both tables say the same, every secret is found by its key,
 * and repeating all of it adds nothing. The first byte chooses the pieces and the limit. */
#include <assert.h>
#include <stdlib.h>

#include "keylog/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct keylog_table *feed(struct keylog_table *t, struct bytes text, size_t step)
{
	while (text.n) {
		struct bytes piece = bytes_slice(text, 0, step);

		if (keylog_table_feed(t, piece, NULL) < 0)
			abort();
		text = bytes_slice(text, piece.n, text.n);
	}
	if (keylog_table_end(t, NULL) < 0)
		abort();
	return t;
}

static struct keylog_table *new_table(size_t limit)
{
	struct keylog_table *t;

	if (keylog_table_new(limit, &t, NULL) < 0)
		abort();
	return t;
}

static void check_same(const struct keylog_table *a, const struct keylog_table *b)
{
	const struct keylog_secret *x = NULL, *y = NULL;

	do {
		x = keylog_table_walk(a, x);
		y = keylog_table_walk(b, y);
		assert(!x == !y);
		assert(!x || (x->label == y->label && x->generation == y->generation &&
			      x->line == y->line &&
			      bytes_equal(bytes_of(x->secret, x->secret_n),
					  bytes_of(y->secret, y->secret_n))));
	} while (x);
}

static void check_found(const struct keylog_table *t)
{
	const struct keylog_secret *s = NULL;

	while ((s = keylog_table_walk(t, s))) {
		const struct keylog_secret *found =
			keylog_table_find(t, bytes_of(s->key, s->key_n));

		while (found && found != s)
			found = found->next;
		assert(found);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_slice(bytes_of(data, size), 1, size);
	size_t limit = size && data[0] & 128 ? 20000 : SIZE_MAX / 2;
	struct keylog_table *whole = feed(new_table(limit), text, SIZE_MAX / 2);
	struct keylog_table *cut = feed(new_table(limit), text, size ? 1 + data[0] % 64 : 1);
	struct keylog_stats once, twice;

	check_same(whole, cut);
	check_found(whole);
	keylog_table_stats(whole, &once);
	keylog_table_stats(cut, &twice);
	assert(memcmp(&once, &twice, sizeof(once)) == 0);
	assert(once.lines == once.secrets + once.repeated + once.other + once.bad + once.dropped);
	keylog_table_free(cut);
	keylog_table_free(whole);
	return 0;
}
