/* WebSocket, both directions: a byte that chooses what was agreed, then records of a byte (its
 * lowest bit the direction) and four bytes of length. However they are cut, the same must be handed
 * over. */
#include <stdlib.h>

#include "base/rd.h"
#include "http/transcript.h"
#include "http/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const agreed[] = {
	"",
	"permessage-deflate",
	"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
	"permessage-deflate; server_max_window_bits=9; client_max_window_bits=8",
	"x-other",
};

struct play {
	struct transcript t;
	struct websocket *w;
	bool over;
};

static void feed(struct play *p, enum http_dir dir, struct bytes in)
{
	struct err e;

	if (p->over || in.n == 0)
		return;
	if (websocket_feed(p->w, dir, in, &e) == 0)
		return;
	p->over = true;
	if (e.code != ERR_HTTP_DECODE)
		abort();
	transcript_note(&p->t, "failed");
}

static void play(struct play *p, struct bytes data, size_t step)
{
	bool bad = false;
	struct rd r = rd_init(data, &bad);
	const char *extensions = agreed[rd_u8(&r) % ARRAY_LEN(agreed)];
	struct websocket_options options = { .params = websocket_params(bytes_str(extensions)) };

	*p = (struct play){ 0 };
	transcript_init(&p->t);
	options.sink = &p->t.sink;
	if (websocket_new(&options, &p->w, NULL) < 0)
		abort();
	while (r.n >= 5) {
		enum http_dir dir = rd_u8(&r) & 1 ? HTTP_DOWN : HTTP_UP;
		size_t n = rd_u32(&r);
		struct bytes record = rd_take(&r, n < r.n ? n : r.n);

		for (size_t at = 0; at < record.n; at += step)
			feed(p, dir, bytes_slice(record, at, step));
	}
	websocket_end(p->w, HTTP_UP, true);
	websocket_end(p->w, HTTP_DOWN, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct play whole, cut;

	(void)websocket_params(in);
	play(&whole, in, SIZE_MAX / 2);
	play(&cut, in, 1 + size % 7);
	if (strcmp(transcript_text(&whole.t), transcript_text(&cut.t)) != 0)
		abort();
	websocket_free(whole.w);
	websocket_free(cut.w);
	transcript_fini(&whole.t);
	transcript_fini(&cut.t);
	return 0;
}
