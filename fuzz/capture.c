/* A capture, shown whole and then in pieces: the same must come out, nothing outside of what was
 * shown, and the reader must come to an end. */
#include <assert.h>

#include "base/mem.h"
#include "pcap/capture.h"
#include "pcap/skim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came out, boiled down. */
struct sum {
	uint64_t hash, steps;
};

static void mix(struct sum *s, uint64_t v)
{
	s->hash = (s->hash ^ v) * 0x100000001b3u;
}

static void mix_bytes(struct sum *s, struct bytes within, struct bytes b)
{
	assert(!b.n || (b.p >= within.p && b.p + b.n <= within.p + within.n));
	mix(s, b.n);
	for (size_t i = 0; i < b.n; i++)
		mix(s, b.p[i]);
}

static void mix_item(struct sum *s, const struct capture_item *item)
{
	mix(s, item->kind);
	mix(s, item->block_type);
	mix_bytes(s, item->raw, item->raw);
	switch (item->kind) {
	case CAPTURE_PACKET:
		mix_bytes(s, item->raw, item->u.packet.bytes);
		mix(s, item->u.packet.number);
		mix(s, (uint64_t)item->u.packet.wall_ns);
		mix(s, (uint64_t)item->u.packet.pid);
		assert(item->u.packet.wire_n >= item->u.packet.bytes.n);
		break;
	case CAPTURE_INTERFACE:
		mix_bytes(s, item->raw, item->u.interface.name);
		break;
	case CAPTURE_SECRETS:
		mix_bytes(s, item->raw, item->u.secrets.data);
		break;
	case CAPTURE_PROCESS:
		mix_bytes(s, item->raw, item->u.process.name);
		break;
	case CAPTURE_STATISTICS:
		mix(s, item->u.statistics.dropped);
		break;
	case CAPTURE_HEADER:
	case CAPTURE_SKIPPED:
		break;
	}
}

static struct sum read_all(struct bytes in, size_t piece)
{
	struct sum s = { 0 };
	struct capture *c;
	struct capture_item item;
	struct capture_step step = { 0 };
	size_t at = 0;
	uint64_t bad = 0;

	if (capture_new(&c, NULL) < 0)
		return s;
	for (;;) {
		struct bytes shown = bytes_slice(in, at, step.need > piece ? step.need : piece);
		struct err e = { 0 };
		enum capture_outcome r;

		step.in = shown;
		step.last = at + shown.n == in.n;
		r = capture_next(c, &step, &item, &e);
		assert(step.in.n <= shown.n && step.need <= CAPTURE_NEED_MAX);
		at += shown.n - step.in.n;
		assert(r != CAPTURE_MORE || e.code == ERR_NONE);
		bad += r == CAPTURE_BAD || (r == CAPTURE_LOST && capture_format(c));
		if (r == CAPTURE_MORE && step.need == 0)
			break;
		if (r == CAPTURE_MORE) {
			/* More was asked for than was shown, or it was stepped over. */
			assert(step.need > step.in.n || step.in.n < shown.n);
			assert(!step.last || step.in.n < shown.n);
			continue;
		}
		step.need = 0;
		mix(&s, r);
		s.steps++;
		if (r == CAPTURE_ITEM)
			mix_item(&s, &item);
		else
			assert(e.code != ERR_NONE && e.sentence[0]);
		if (r == CAPTURE_LOST)
			at = in.n;
	}
	assert(bad == capture_bad(c));
	capture_free(c);
	return s;
}

/* From header to header; secrets lie within their blocks. */
static void skim_all(struct bytes in)
{
	struct skim s = { 0 };
	struct skim_block block;

	while (skim_next(&s, bytes_slice(in, 0, SKIM_HEADER), &block)) {
		struct bytes whole = bytes_slice(in, 0, (size_t)block.n);
		struct capture_secrets found = { 0 };

		assert(block.n >= SKIM_HEADER && block.n % 4 == 0);
		if (block.secrets && skim_secrets(&s, whole, &found))
			assert(found.data.n + SKIM_HEADER <= whole.n);
		in = bytes_slice(in, (size_t)block.n, in.n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct sum whole = read_all(in, SIZE_MAX / 2), pieces = read_all(in, 1 + size % 29);

	skim_all(in);
	assert(whole.steps <= size + 1);
	assert(whole.steps == pieces.steps && whole.hash == pieces.hash);
	return 0;
}
