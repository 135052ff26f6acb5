/* Plaintext of a flow: a byte that chooses the ALPN, then records of a byte (its lowest bit the
 * direction) and four bytes of length. However they are cut, the same events must come of it, and
 * the flow lives on. */
#include <stdlib.h>

#include "base/rd.h"
#include "flow/observe.h"
#include "flow/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const alpns[] = { "", "http/1.1", "h2", "spdy/3" };

/* Cuts records at places that depend on seed; whole when it is 0. */
static size_t next_step(uint32_t *seed)
{
	if (*seed == 0)
		return SIZE_MAX / 2;
	*seed = *seed * 1664525 + 1013904223;
	*seed += *seed == 0;
	return 1 + (*seed >> 16) % ((*seed >> 30) == 0 ? 3 : 60);
}

static void play(struct watch *w, struct bytes data, uint32_t seed)
{
	bool bad = false;
	struct rd r = rd_init(data, &bad);
	uint8_t how = rd_u8(&r);
	struct observe_options options = {
		.bus = &w->bus,
		.flow = 7,
		.leg = LEG_SERVER,
		.alpn = bytes_str(alpns[how % ARRAY_LEN(alpns)]),
		.scheme = bytes_str("https"),
		.late = how & 128,
	};
	struct observe *o;

	watch_init(w, EV_ALL);
	w->no_bytes = true; /* how many there are after a fault depends on the cut */
	if (observe_new(&options, &o, NULL) < 0)
		abort();
	while (r.n >= 5) {
		enum flow_dir dir = rd_u8(&r) & 1 ? DIR_DOWN : DIR_UP;
		size_t n = rd_u32(&r);
		struct bytes record = rd_take(&r, n < r.n ? n : r.n);

		while (record.n) {
			struct bytes piece = bytes_slice(record, 0, next_step(&seed));

			observe_feed(o, dir, piece, 1000, 10);
			record = bytes_slice(record, piece.n, record.n);
		}
	}
	observe_end(o, DIR_UP, true, 1000, 10);
	observe_end(o, DIR_DOWN, how & 64, 1000, 10);
	watch_outcome(w, o);
	observe_free(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct watch whole, cut;

	play(&whole, in, 0);
	play(&cut, in, (uint32_t)size * 2654435761u + 1);
	/* Who joins late goes by where the pieces begin. */
	if (size && !(data[0] & 128) && strcmp(watch_text(&whole), watch_text(&cut)) != 0)
		abort();
	watch_fini(&whole);
	watch_fini(&cut);
	return 0;
}
