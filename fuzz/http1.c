/* HTTP/1.1, both directions: records of a byte (its lowest bit the direction) and four bytes of
 * length. However they are cut, the same must be handed over. */
#include <stdlib.h>

#include "base/rd.h"
#include "http/http1.h"
#include "http/transcript.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct play {
	struct transcript t;
	struct http1 *h;
	bool over;
};

static void feed(struct play *p, enum http_dir dir, struct bytes in)
{
	size_t used = 0;
	struct err e;
	enum http1_status status;

	if (p->over || in.n == 0)
		return;
	status = http1_feed(p->h, dir, in, &used, &e);
	if (used > in.n || (status == HTTP1_OPEN && used != in.n))
		abort();
	if (status == HTTP1_OPEN)
		return;
	p->over = true;
	transcript_note(&p->t, status == HTTP1_FAILED ? "failed" : "switched");
	if (status == HTTP1_FAILED && e.code != ERR_HTTP_DECODE && e.code != ERR_LIMIT)
		abort();
}

static void play(struct play *p, struct bytes data, size_t step)
{
	bool bad = false;
	struct rd r = rd_init(data, &bad);

	*p = (struct play){ 0 };
	transcript_init(&p->t);
	p->t.headers = true;
	if (http1_new(&p->t.sink, &p->h, NULL) < 0)
		abort();
	while (r.n >= 5) {
		enum http_dir dir = rd_u8(&r) & 1 ? HTTP_DOWN : HTTP_UP;
		size_t n = rd_u32(&r);
		struct bytes record = rd_take(&r, n < r.n ? n : r.n);

		for (size_t at = 0; at < record.n; at += step)
			feed(p, dir, bytes_slice(record, at, step));
	}
	http1_end(p->h, HTTP_UP, true);
	http1_end(p->h, HTTP_DOWN, data.n & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct play whole, cut;

	play(&whole, in, SIZE_MAX / 2);
	play(&cut, in, 1 + size % 7);
	if (strcmp(transcript_text(&whole.t), transcript_text(&cut.t)) != 0)
		abort();
	http1_free(whole.h);
	http1_free(cut.h);
	transcript_fini(&whole.t);
	transcript_fini(&cut.t);
	return 0;
}
