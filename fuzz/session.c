/* A key log and what both directions of a connection sent, in pieces: the session survives whatever
 * comes, holds no more than it may, and ends. The first byte of the input says how it is played
 * (bits: secrets come late, cut each piece small, one direction first, in another session); then
 * come chunks: a byte of what it is, two of length, and the bytes. */
#include <assert.h>

#include "base/mem.h"
#include "base/rd.h"
#include "tap/session.h"
#include "wire/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum chunk { CHUNK_UP, CHUNK_DOWN, CHUNK_GAP_UP, CHUNK_GAP_DOWN, CHUNK_KEYS, CHUNK_END, CHUNK_ALL };

enum mode { MODE_LATE = 1, MODE_SMALL = 2, MODE_INNER = 4, MODE_CUT = 8 };

struct above {
	struct layer layer;
	bool ended[2];
	uint64_t bytes;
};

static void above_feed(struct layer *l, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	struct above *a = LIST_OWNER(l, struct above, layer);

	(void)at;
	assert(!a->ended[dir] && in.n);
	for (size_t i = 0; i < in.n; i++)
		a->bytes += in.p[i];
}

static void above_gap(struct layer *l, enum flow_dir dir, uint64_t n, bool truncated,
		      struct tap_at at)
{
	struct above *a = LIST_OWNER(l, struct above, layer);

	(void)truncated;
	(void)at;
	assert(!a->ended[dir] && n);
}

static void above_end(struct layer *l, enum flow_dir dir, enum leg_end how, struct tap_at at)
{
	struct above *a = LIST_OWNER(l, struct above, layer);

	(void)how;
	(void)at;
	assert(!a->ended[dir]);
	a->ended[dir] = true;
}

static void above_free(struct layer *l)
{
	mem_free(LIST_OWNER(l, struct above, layer));
}

static const struct layer_ops above_ops = {
	.feed = above_feed,
	.gap = above_gap,
	.end = above_end,
	.free = above_free,
};

static int make_above(void *ctx, struct bytes alpn, bool late, struct layer **out, struct err *e)
{
	struct above *a = mem_new(sizeof(*a));

	(void)ctx;
	(void)alpn;
	(void)late;
	if (!a)
		return FAIL(e, NOMEM, "a layer");
	a->layer.ops = &above_ops;
	*out = &a->layer;
	return 0;
}

static void on_event(void *ctx, const struct event *ev)
{
	uint64_t *count = ctx;

	assert(ev->type < EV_COUNT && ev->flow == 1);
	++*count;
}

static void feed(struct layer *l, enum flow_dir dir, struct bytes b, bool small, struct tap_at at)
{
	for (size_t n = small ? 1 : b.n; b.n; b = bytes_slice(b, n, b.n))
		layer_feed(l, dir, bytes_slice(b, 0, n), at);
}

static void play(struct layer *l, struct tap_shared *shared, uint8_t mode, struct rd *r)
{
	struct tap_at at = { 0 };

	while (r->n) {
		uint8_t chunk = rd_u8(r) % CHUNK_ALL;
		struct bytes b = { 0 };
		uint16_t n = rd_u16(r);

		at.packet++;
		if (chunk != CHUNK_GAP_UP && chunk != CHUNK_GAP_DOWN)
			b = rd_take(r, n < r->n ? n : r->n);
		switch (chunk) {
		case CHUNK_UP:
		case CHUNK_DOWN:
			feed(l, chunk == CHUNK_UP ? DIR_UP : DIR_DOWN, b, mode & MODE_SMALL, at);
			break;
		case CHUNK_GAP_UP:
		case CHUNK_GAP_DOWN:
			layer_gap(l, chunk == CHUNK_GAP_UP ? DIR_UP : DIR_DOWN, n ? n : 1,
				  mode & MODE_CUT, at);
			break;
		case CHUNK_KEYS:
			assert(keylog_table_feed(shared->late, b, NULL) == 0);
			assert(keylog_table_end(shared->late, NULL) == 0);
			layer_secrets(l, at);
			break;
		default:
			r->n = 0;
		}
		assert(shared->held <= shared->held_max + CHUNK_ALL * (1 << 16));
	}
	layer_end(l, DIR_UP, mode & MODE_CUT ? END_RESET : END_CLEAN, at);
	layer_end(l, DIR_DOWN, END_CLEAN, at);
	assert(shared->held == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_bus bus;
	static uint64_t count;
	bool bad = false;
	struct rd r = rd_init(bytes_of(data, size), &bad);
	uint8_t mode = rd_u8(&r);
	struct tap_shared shared = {
		.bus = &bus,
		.secrets_may_come = mode & MODE_LATE,
		.trials_left = 5000,
		.held_max = 1 << 16,
		.plain = buf_init(RECORD_CIPHER_MAX_12 + 1024),
		.psk = bytes_str("0123456789abcdef"),
	};
	struct tap_flow flow = { .shared = &shared, .number = 1, .trials_left = 2000 };
	struct session_options o = { .flow = &flow,
				     .depth = mode & MODE_INNER ? 1 : 0,
				     .above = make_above };
	struct layer *l;
	uint8_t *room;

	list_init(&shared.waiting);
	list_init(&flow.waiting);
	if (bus.count == 0)
		assert(event_bus_add(&bus,
				     (struct event_sink){
					     .mask = EV_ALL, .on_event = on_event, .ctx = &count },
				     NULL) == 0);
	assert(buf_reserve(&shared.plain, shared.plain.max, &room, NULL) == 0);
	assert(keylog_table_new(1 << 20, &shared.late, NULL) == 0);
	assert(session_new(&o, &l, NULL) == 0);
	play(l, &shared, mode, &r);
	layer_free(l);
	keylog_table_free(shared.late);
	buf_fini(&shared.plain);
	return 0;
}
