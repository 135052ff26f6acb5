/* HTTP/2, both directions: a byte of options, then records of a byte (its lowest bit the direction)
 * and four bytes of length. However they are cut, the same must be handed over. */
#include <stdlib.h>

#include "base/rd.h"
#include "http/http2.h"
#include "http/transcript.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct play {
	struct transcript t;
	struct http2 *h;
	bool over;
};

static void feed(struct play *p, enum http_dir dir, struct bytes in)
{
	struct err e;

	if (p->over || in.n == 0)
		return;
	if (http2_feed(p->h, dir, in, &e) == 0)
		return;
	p->over = true;
	if (e.code != ERR_HTTP_DECODE && e.code != ERR_LIMIT)
		abort();
	transcript_note(&p->t, "failed");
}

static void play(struct play *p, struct bytes data, size_t step)
{
	bool bad = false;
	struct rd r = rd_init(data, &bad);
	uint8_t how = rd_u8(&r);
	struct http2_options options = { .late = how & 2, .upgraded = how & 4 };

	*p = (struct play){ 0 };
	transcript_init(&p->t);
	p->t.headers = true;
	options.sink = &p->t.sink;
	if (http2_new(&options, &p->h, NULL) < 0)
		abort();
	while (r.n >= 5) {
		enum http_dir dir = rd_u8(&r) & 1 ? HTTP_DOWN : HTTP_UP;
		size_t n = rd_u32(&r);
		struct bytes record = rd_take(&r, n < r.n ? n : r.n);

		for (size_t at = 0; at < record.n; at += step)
			feed(p, dir, bytes_slice(record, at, step));
	}
	http2_end(p->h, HTTP_UP);
	http2_end(p->h, HTTP_DOWN);
	if (http2_streams(p->h) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct play whole, cut;

	play(&whole, in, SIZE_MAX / 2);
	play(&cut, in, 1 + size % 7);
	if (strcmp(transcript_text(&whole.t), transcript_text(&cut.t)) != 0)
		abort();
	http2_free(whole.h);
	http2_free(cut.h);
	transcript_fini(&whole.t);
	transcript_fini(&cut.t);
	return 0;
}
