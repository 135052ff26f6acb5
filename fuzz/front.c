/* Packets on their way to the streams: taken apart, put together, numbered, put in order. Each packet
 * of the input: a byte for the link, one for the time that passed, two for its length, its bytes. */
#include <assert.h>
#include <stdlib.h>

#include "base/rd.h"
#include "tap/front.h"
#include "tap/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FLOWS 64

struct direction {
	struct stream stream;
	uint64_t told;
	struct tap_at last;
	bool ended;
};

struct flow {
	bool open;
	struct direction side[2];
};

static struct flow flows[2][FLOWS];
static struct stream_pool pool;
static uint64_t seen[2]; /* flows, by kind */

static void told(struct direction *d, uint64_t n, struct tap_at at)
{
	assert(n > 0 && !d->ended);
	assert(at.packet >= d->last.packet && at.wall_ns >= d->last.wall_ns);
	d->told += n;
	d->last = at;
}

static volatile uint8_t sum;

static void on_bytes(void *ctx, struct bytes b, struct tap_at at)
{
	for (size_t i = 0; i < b.n; i++)
		sum = sum ^ b.p[i];
	told(ctx, b.n, at);
}

static void on_gap(void *ctx, uint64_t n, bool truncated, struct tap_at at)
{
	(void)truncated;
	told(ctx, n, at);
}

static void on_conflict(void *ctx, uint64_t offset, struct tap_at at)
{
	(void)at;
	assert(!((struct direction *)ctx)->ended);
	assert(offset < UINT64_C(1) << 62);
}

static void on_end(void *ctx, bool reset, struct tap_at at)
{
	struct direction *d = ctx;

	(void)reset;
	(void)at;
	assert(!d->ended);
	d->ended = true;
}

static const struct stream_hooks hooks = { on_bytes, on_gap, on_conflict, on_end };

static void flow_end(struct flow *f, struct tap_at at)
{
	stream_flush(&f->side[0].stream, at);
	for (int i = 0; i < 2; i++) {
		assert(f->side[i].told == f->side[i].stream.offset);
		assert(f->side[i].stream.queued == 0 || f->side[i].ended);
		stream_fini(&f->side[i].stream);
	}
	f->open = false;
}

static void flow_begin(struct flow *f)
{
	*f = (struct flow){ .open = true };
	for (int i = 0; i < 2; i++)
		stream_init(&f->side[i].stream, &hooks, &f->side[i], &pool);
	stream_pair(&f->side[0].stream, &f->side[1].stream);
}

static void on_segment(void *ctx, const struct tap_segment *s)
{
	bool udp = s->flow & FLOW_UDP;
	uint64_t number = s->flow & ~FLOW_UDP;
	struct flow *f = &flows[udp][number % FLOWS];
	struct stream_segment in = { .seq = s->seq,
				     .ack = s->ack,
				     .flags = s->flags,
				     .payload = s->payload,
				     .missing = s->missing,
				     .at = s->at };

	(void)ctx;
	assert(s->first == (!s->over && number > seen[udp]));
	if (s->first) {
		assert(number == ++seen[udp] && !f->open);
		assert(s->client.family && s->server.family);
		flow_begin(f);
	}
	assert(f->open);
	if (s->over)
		flow_end(f, s->at);
	else if (!udp)
		stream_segment(&f->side[s->dir].stream, &in);
	assert(pool.used <= pool.max);
}

static const unsigned links[] = { LINK_RAW, LINK_ETHERNET, LINK_LINUX_SLL, LINK_LINUX_SLL2,
				  LINK_NULL };

static void one_packet(struct front *f, struct rd *r, struct tap_at *at)
{
	const struct front_sink sink = { on_segment, NULL };
	unsigned link = links[rd_u8(r) % ARRAY_LEN(links)], passed = rd_u8(r);
	struct front_packet p = { .link = link };
	size_t n = rd_u16(r), cut = n >> 12;

	n &= 0xfff;
	p.frame = rd_take(r, n < r->n ? n : r->n);
	p.wire_n = p.frame.n + cut;
	at->packet += passed & 1 ? 200 : 1;
	at->wall_ns += (int64_t)(passed >> 1) * (passed >> 1) * 1000000;
	p.at = *at;
	front_packet(f, &p, &sink);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct front_options o = { .max_flows = FLOWS / 4, .max_fragment_memory = 65536 };
	struct tap_at at = { 0 };
	bool bad = false;
	struct rd r = rd_init(bytes_of(data, size), &bad);
	struct front *f;

	pool = (struct stream_pool){ .max = 64 * 1024 };
	seen[0] = seen[1] = 0;
	if (front_new(&o, &f, NULL) < 0)
		abort();
	while (r.n)
		one_packet(f, &r, &at);
	front_free(f);
	for (int i = 0; i < 2 * FLOWS; i++) {
		if (flows[i / FLOWS][i % FLOWS].open)
			flow_end(&flows[i / FLOWS][i % FLOWS], at);
	}
	assert(pool.used == 0);
	return 0;
}
