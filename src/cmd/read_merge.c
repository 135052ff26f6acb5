#include "cmd/read_merge.h"

#include <errno.h>
#include <unistd.h>

#include "cmd/read_crew.h"
#include "proc/file.h"

#define LINES_KEPT 65536

/* Where a lane's output is read. */
struct cursor {
	const struct read_batch *b;
	size_t piece;
	size_t at[READ_OUT_COUNT];
};

static bool is_before(const struct piece *a, const struct piece *b)
{
	return a->order != b->order ? a->order < b->order : a->flow < b->flow;
}

static struct cursor *next_of(struct cursor *cursors, size_t count)
{
	struct cursor *best = NULL;

	for (size_t i = 0; i < count; i++) {
		struct cursor *c = &cursors[i];

		if (c->piece == c->b->piece_count)
			continue;
		if (!best || is_before(&c->b->pieces[c->piece], &best->b->pieces[best->piece]))
			best = c;
	}
	return best;
}

static int write_out(struct bytes text, struct err *e)
{
	if (file_put(STDOUT_FILENO, text) == 0)
		return 0;
	if (errno == EPIPE)
		return FAIL(e, CLOSED, "nobody reads standard output any more");
	return FAIL_SYS(e, FILE, "standard output");
}

int read_merge_flush(struct read_merge *m, struct err *e)
{
	int failed = write_out(buf_bytes(&m->lines), e);

	buf_clear(&m->lines);
	return failed;
}

static int put_lines(struct read_merge *m, struct bytes text, struct err *e)
{
	if (text.n >= LINES_KEPT)
		return read_merge_flush(m, e) < 0 ? -1 : write_out(text, e);
	if (m->lines.n + text.n > LINES_KEPT && read_merge_flush(m, e) < 0)
		return -1;
	return buf_add(&m->lines, text, e);
}

static int put_piece(struct read_merge *m, struct cursor *c, struct err *e)
{
	const struct piece *p = &c->b->pieces[c->piece++];
	struct bytes text = bytes_slice(buf_bytes(&c->b->out[p->to]), c->at[p->to], p->n);

	c->at[p->to] += p->n;
	switch (p->to) {
	case READ_HAR:
		return m->har(m->ctx, text, e);
	case READ_PLAIN:
		return m->plain(m->ctx, text, e);
	case READ_LINES:
	case READ_OUT_COUNT:
		break;
	}
	return put_lines(m, text, e);
}

int read_merge_take(struct read_merge *m, struct read_batch *const *batches, size_t count,
		    struct err *e)
{
	struct cursor cursors[CREW_LANES_MAX] = { 0 };
	struct cursor *c;

	for (size_t i = 0; i < count; i++)
		cursors[i].b = batches[i];
	while ((c = next_of(cursors, count)))
		if (put_piece(m, c, e) < 0)
			return -1;
	for (size_t i = 0; i < count; i++) {
		if (batches[i]->failed) {
			*e = batches[i]->e;
			return -1;
		}
	}
	return 0;
}
