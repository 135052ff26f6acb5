#include "base/wr.h"

#include <assert.h>

void wr_bytes(struct wr *w, struct bytes b)
{
	if (w->failed || buf_add(w->b, b, NULL) == 0)
		return;
	w->failed = true;
	w->no_memory = b.n <= buf_room(w->b);
}

void wr_uint(struct wr *w, uint64_t v, size_t size)
{
	uint8_t out[8];

	assert(size >= 1 && size <= sizeof(out));
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(v >> (8 * (size - 1 - i)));
	wr_bytes(w, bytes_of(out, size));
}

struct wr_mark wr_open(struct wr *w, size_t size)
{
	struct wr_mark m = { .at = w->b->n, .size = size };

	assert(size >= 1 && size <= 3);
	wr_uint(w, 0, size);
	return m;
}

void wr_close(struct wr *w, struct wr_mark m)
{
	size_t n;

	if (w->failed)
		return;
	n = w->b->n - m.at - m.size;
	if (n >> (8 * m.size)) {
		w->failed = true;
		return;
	}
	for (size_t i = 0; i < m.size; i++)
		w->b->p[m.at + i] = (uint8_t)(n >> (8 * (m.size - 1 - i)));
}

int wr_end(struct wr *w, struct err *e)
{
	if (w->no_memory)
		return FAIL(e, NOMEM, "no memory for what was to be written");
	if (w->failed)
		return FAIL(e, LIMIT, "what was to be written does not fit (%zu bytes allowed)",
			    w->b->max);
	return 0;
}
