/* The rewriter of HTTP/1.1 requests. However they are cut, the same must go out; and another parser
 * (llhttp) must read the same messages in what goes out: as many, with bodies as long, each with the
 * header that was set. That is what request smuggling needs to be otherwise. */
#include <stdlib.h>

#include "base/buf.h"
#include "http/http1.h"
#include "http/rewrite1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX (1u << 20)

/* The lengths of the bodies, in order. */
struct lengths {
	uint64_t n[4096];
	size_t count;
	size_t heads;
};

static void end_length(struct lengths *l, uint64_t n)
{
	if (l->count < ARRAY_LEN(l->n))
		l->n[l->count++] = n;
}

static enum filter_answer on_head(void *ctx, const struct http_head *head, struct filter_edit *edit)
{
	(void)ctx;
	(void)head;
	if (filter_set(edit, bytes_str("X-Set"), bytes_str("by us"), NULL) < 0)
		abort();
	return FILTER_CHANGED;
}

static enum filter_answer on_end(void *ctx, const struct http_end *end, struct filter_edit *edit)
{
	(void)edit;
	end_length(ctx, end->body_bytes);
	return FILTER_PASS;
}

static void rewrite(struct bytes in, size_t step, struct buf *out, struct lengths *l)
{
	struct http_filter filter = {
		.name = "fuzz",
		.on_head = on_head,
		.on_end = on_end,
		.ctx = l,
	};
	enum rewrite1_status status = REWRITE1_OPEN;
	struct rewrite1 *r;

	l->count = l->heads = 0;
	*out = buf_init(OUT_MAX);
	if (rewrite1_new(&filter, &r, NULL) < 0)
		abort();
	for (size_t at = 0; at < in.n && status == REWRITE1_OPEN; at += step) {
		struct rewrite1_io io = { bytes_slice(in, at, step), out };
		struct err e;

		while ((status = rewrite1_feed(r, &io, &e)) == REWRITE1_WAIT)
			rewrite1_answer(r, false);
		if (status == REWRITE1_REFUSED && e.code != ERR_HTTP_DECODE && e.code != ERR_LIMIT)
			abort();
	}
	(void)rewrite1_end(r);
	rewrite1_free(r);
}

static void see_head(void *ctx, const struct http_head *head)
{
	struct lengths *l = ctx;
	const struct bytes *set = http_find(head->headers, head->header_count, "x-set");

	l->heads++;
	if (head->odd || !set || !bytes_equal(*set, bytes_str("by us")))
		abort();
}

static void see_end(void *ctx, const struct http_end *end)
{
	if (!end->truncated)
		end_length(ctx, end->body_bytes);
}

/* True when it read all of it: it knows fewer methods and targets than are allowed. */
static bool read_again(struct bytes out, struct lengths *l)
{
	struct http_sink sink = { .on_head = see_head, .on_end = see_end, .ctx = l };
	enum http1_status status;
	struct http1 *h;
	size_t used;

	l->count = l->heads = 0;
	if (http1_new(&sink, &h, NULL) < 0)
		abort();
	status = http1_feed(h, HTTP_UP, out, &used, NULL);
	http1_free(h);
	return status == HTTP1_OPEN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lengths ours, cut, theirs;
	struct buf whole, pieces;
	struct bytes in = bytes_of(data, size);
	bool all;

	rewrite(in, SIZE_MAX / 2, &whole, &ours);
	rewrite(in, 1 + size % 7, &pieces, &cut);
	if (!bytes_equal(buf_bytes(&whole), buf_bytes(&pieces)) || ours.count != cut.count)
		abort();
	all = read_again(buf_bytes(&whole), &theirs);
	if (theirs.count > ours.count || (all && theirs.count != ours.count))
		abort();
	for (size_t i = 0; i < theirs.count; i++)
		if (theirs.n[i] != ours.n[i])
			abort();
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
