/* A stream of random bytes, cut into segments: some lost, some sent again with other boundaries, some
 * captured late or not whole. What comes out is exactly what was captured, and gaps elsewhere. */
#include "tap/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/packet.h"

#define MS INT64_C(1000000)
#define LONG 6000

enum fate { NEVER, CUT, SEEN };

struct lab {
	uint8_t sent[LONG], fate[LONG], got_fate[LONG];
	uint8_t got[LONG];
	size_t n;
	uint32_t random;
	struct stream up, down;
	uint32_t isn;
};

static uint32_t any(struct lab *l, uint32_t below)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 17;
	l->random ^= l->random << 5;
	return l->random % below;
}

static void on_bytes(void *ctx, struct bytes b, struct tap_at at)
{
	struct lab *l = ctx;

	(void)at;
	assert_true(b.n && l->n + b.n <= LONG);
	memcpy(l->got + l->n, b.p, b.n);
	memset(l->got_fate + l->n, SEEN, b.n);
	l->n += b.n;
}

static void on_gap(void *ctx, uint64_t n, bool truncated, struct tap_at at)
{
	struct lab *l = ctx;

	(void)at;
	assert_true(n && l->n + n <= LONG);
	memset(l->got_fate + l->n, truncated ? CUT : NEVER, n);
	l->n += n;
}

static void on_conflict(void *ctx, uint64_t offset, struct tap_at at)
{
	(void)ctx;
	(void)offset;
	(void)at;
	fail();
}

static void on_end(void *ctx, bool reset, struct tap_at at)
{
	(void)ctx;
	(void)reset;
	(void)at;
	fail();
}

static const struct stream_hooks on_hooks = { on_bytes, on_gap, on_conflict, on_end };

struct planned {
	uint32_t from, n, cut, when;
};

/* Segments in the order of their sequence; each may be lost, cut off, sent again with other boundaries
 * and captured up to 50 packets late. */
static size_t plan(struct lab *l, struct planned *out, size_t max)
{
	size_t count = 0;
	uint32_t from = 0, loss = any(l, 20), late = 1 + any(l, 50);

	while (from < LONG) {
		uint32_t n = 1 + any(l, 120), copies = 1 + (any(l, 8) == 0);

		n = n < LONG - from ? n : LONG - from;
		for (uint32_t c = 0; c < copies && count < max; c++) {
			uint32_t back =
				any(l, 4) == 0 ? any(l, from + 1 < 200 ? from + 1 : 200) : 0;

			if (any(l, 100) < loss)
				continue;
			out[count].from = from - back;
			out[count].n = n + back;
			out[count].cut = any(l, 15) == 0 ? any(l, n) : 0;
			out[count].when = (uint32_t)count + any(l, late);
			count++;
		}
		from += n;
	}
	return count;
}

static void sort_by_time(struct planned *p, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct planned x = p[i];
		size_t k = i;

		for (; k > 0 && p[k - 1].when > x.when; k--)
			p[k] = p[k - 1];
		p[k] = x;
	}
}

static void mark_fate(struct lab *l, const struct planned *p)
{
	for (uint32_t i = p->from; i < p->from + p->n; i++) {
		uint8_t fate = i < p->from + p->n - p->cut ? SEEN : CUT;

		l->fate[i] = fate > l->fate[i] ? fate : l->fate[i];
	}
}

static void run_plan(struct lab *l, const struct planned *p, size_t n)
{
	struct stream_segment in = { .seq = l->isn, .flags = TCP_SYN }, acks = { .flags = TCP_ACK };
	uint32_t highest = 0;

	stream_segment(&l->up, &in);
	in.flags = 0;
	for (size_t i = 0; i < n; i++) {
		struct tap_at at = { .packet = i + 1, .wall_ns = (int64_t)i * 5 * MS };
		uint32_t last = p[i].from + p[i].n;

		in.seq = l->isn + 1 + p[i].from;
		in.payload = bytes_of(l->sent + p[i].from, p[i].n - p[i].cut);
		in.missing = p[i].cut;
		in.at = acks.at = at;
		mark_fate(l, &p[i]);
		stream_segment(&l->up, &in);
		highest = last > highest ? last : highest;
		/* Whoever receives it sees the true order: captured late is not late. */
		acks.ack = l->isn + 1 + highest;
		if (any(l, 3) == 0)
			stream_segment(&l->down, &acks);
	}
	acks.ack = l->isn + 1 + LONG;
	stream_segment(&l->down, &acks);
	stream_flush(&l->up, in.at);
}

static void one_run(uint32_t seed)
{
	static struct lab l;
	static struct planned planned[LONG * 2];
	struct stream_pool pool = { .max = 32 * 1024 * 1024 };
	size_t n;

	l = (struct lab){ .random = seed * 2654435761u + 1 };
	for (size_t i = 0; i < LONG; i++)
		l.sent[i] = (uint8_t)any(&l, 256);
	n = plan(&l, planned, ARRAY_LEN(planned));
	sort_by_time(planned, n);
	stream_init(&l.up, &on_hooks, &l, &pool);
	stream_init(&l.down, &on_hooks, &l, &pool);
	stream_pair(&l.up, &l.down);
	l.isn = any(&l, 2) ? any(&l, UINT32_MAX) : (uint32_t)-3000;
	run_plan(&l, planned, n);
	assert_int_equal(l.n, LONG);
	assert_int_equal(l.up.offset, LONG);
	for (size_t i = 0; i < LONG; i++) {
		if (l.fate[i] != l.got_fate[i] || (l.fate[i] == SEEN && l.sent[i] != l.got[i]))
			fail_msg("seed %u: byte %zu: %d, not %d", seed, i, l.got_fate[i],
				 l.fate[i]);
	}
	stream_fini(&l.up);
	stream_fini(&l.down);
	assert_int_equal(pool.used, 0);
}

static void any_order_and_any_loss_yield_exactly_what_was_captured(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 300; seed++)
		one_run(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_and_any_loss_yield_exactly_what_was_captured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
