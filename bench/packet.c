/* What it costs to get from captured packets to bytes in order: packet_parse alone, then with
 * tap/front, then with tap/stream. Prints one JSON line for each kind of traffic, in nanoseconds of
 * CPU for each packet.
 * usage: bench_packet [seconds for each figure] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "tap/front.h"
#include "tap/stream.h"

#define HEADERS 54
#define FLOWS_MAX 16384

struct traffic {
	const char *name;
	unsigned flows;	 /* open at a time; packets go round */
	unsigned rounds; /* packets of a flow, each way, before it ends and another one begins */
	size_t down;	 /* bytes of payload in each packet from the server */
	bool shuffled;	 /* every 16th packet comes after the one that follows it */
};

static const struct traffic kinds[] = {
	{ "bulk, 1448 bytes a packet, one flow", 1, 1u << 30, 1448, false },
	{ "bulk, 32 KiB a packet, one flow", 1, 1u << 30, 32768, false },
	{ "bulk, 1448 bytes a packet, out of order", 1, 1u << 30, 1448, true },
	{ "1000 flows at a time, 1448 bytes a packet", 1000, 1u << 30, 1448, false },
	{ "short flows, 16 packets each, 1000 at a time", 1000, 6, 700, false },
};

enum stage { PARSE, FRONT, STREAM, STAGES };

struct flow {
	uint32_t up, down;
	unsigned step;
	uint16_t port;
};

struct bench {
	const struct traffic *kind;
	enum stage stage;
	struct front *front;
	struct stream_pool pool;
	struct flow flows[1024];
	struct stream streams[FLOWS_MAX][2];
	struct tap_at at;
	uint64_t packets, bytes, wire;
	uint16_t next_port;
	uint32_t next_isn;
	uint8_t frame[2][HEADERS + 65536];
};

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void on_bytes(void *ctx, struct bytes b, struct tap_at at)
{
	(void)at;
	((struct bench *)ctx)->bytes += b.n;
}

static void on_gap(void *ctx, uint64_t n, bool truncated, struct tap_at at)
{
	(void)ctx;
	(void)truncated;
	(void)at;
	fprintf(stderr, "bench_packet: a gap of %llu bytes\n", (unsigned long long)n);
	exit(1);
}

static void on_conflict(void *ctx, uint64_t offset, struct tap_at at)
{
	on_gap(ctx, offset, false, at);
}

static void on_end(void *ctx, bool reset, struct tap_at at)
{
	(void)ctx;
	(void)reset;
	(void)at;
}

static const struct stream_hooks hooks = { on_bytes, on_gap, on_conflict, on_end };

static void on_segment(void *ctx, const struct tap_segment *s)
{
	struct bench *b = ctx;
	struct stream *pair = b->streams[s->flow % FLOWS_MAX];
	struct stream_segment in = { .seq = s->seq,
				     .ack = s->ack,
				     .flags = s->flags,
				     .payload = s->payload,
				     .missing = s->missing,
				     .at = s->at };

	if (b->stage < STREAM)
		return;
	if (s->over) {
		stream_flush(pair, s->at);
		stream_fini(pair);
		stream_fini(pair + 1);
		return;
	}
	if (s->first) {
		stream_init(pair, &hooks, b, &b->pool);
		stream_init(pair + 1, &hooks, b, &b->pool);
		stream_pair(pair, pair + 1);
	}
	stream_segment(&pair[s->dir], &in);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static void frame_init(uint8_t *p, bool up)
{
	static const uint8_t start[] = {
		2, 0, 0, 0,    0, 2,  2, 0, 0, 0,  0, 1, 8, 0,	0x45, 0, 0,
		0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0,    0, 2
	};

	memcpy(p, start, sizeof(start));
	p[29] = up ? 1 : 2;
	p[33] = up ? 2 : 1;
	put16(p + (up ? 36 : 34), 443);
	p[46] = 0x50;
}

static void packet(struct bench *b, const struct flow *f, bool up, uint8_t flags, size_t n)
{
	uint8_t *p = b->frame[up];
	struct front_packet in = { .link = LINK_ETHERNET,
				   .wire_n = HEADERS + n,
				   .frame = bytes_of(p, HEADERS + n) };
	const struct front_sink sink = { on_segment, b };
	union packet parsed;

	put16(p + 16, (uint32_t)(40 + n));
	put16(p + (up ? 34 : 36), f->port);
	put32(p + 38, up ? f->up : f->down);
	put32(p + 42, up ? f->down : f->up);
	p[47] = flags;
	b->at.packet++;
	b->at.wall_ns += 1000;
	in.at = b->at;
	b->packets++;
	b->wire += HEADERS + n;
	if (b->stage != PARSE)
		front_packet(b->front, &in, &sink);
	else if (packet_parse(in.link, in.frame, in.wire_n, &parsed) == PACKET_SEGMENT)
		b->bytes += parsed.segment.payload.n;
}

static void begin(struct bench *b, struct flow *f)
{
	f->port = (uint16_t)(10000 + b->next_port++ % 50000);
	f->up = f->down = b->next_isn += 7919;
	f->step = 0;
	packet(b, f, true, TCP_SYN, 0);
	f->up++;
	packet(b, f, false, TCP_SYN | TCP_ACK, 0);
	f->down++;
	packet(b, f, true, TCP_ACK, 0);
}

static void finish(struct bench *b, struct flow *f)
{
	packet(b, f, true, TCP_FIN | TCP_ACK, 0);
	f->up++;
	packet(b, f, false, TCP_FIN | TCP_ACK, 0);
	f->down++;
	packet(b, f, true, TCP_ACK, 0);
}

/* Two packets from the server, and what acknowledges them. */
static void step(struct bench *b, struct flow *f)
{
	uint32_t n = (uint32_t)b->kind->down, down = f->down;
	bool swap = b->kind->shuffled && f->step % 8 == 0;

	if (f->step == 0) {
		begin(b, f);
		down = f->down;
	}
	f->down = swap ? down + n : down;
	packet(b, f, false, TCP_ACK | TCP_PSH, n);
	f->down = swap ? down : down + n;
	packet(b, f, false, TCP_ACK | TCP_PSH, n);
	f->down = down + 2 * n;
	packet(b, f, true, TCP_ACK, 0);
	if (++f->step * 2 >= b->kind->rounds) {
		finish(b, f);
		f->step = 0;
	}
}

static void close_rest(struct bench *b)
{
	front_free(b->front);
	for (size_t i = 0; i < FLOWS_MAX; i++) {
		for (int k = 0; k < 2; k++) {
			if (b->streams[i][k].hooks)
				stream_fini(&b->streams[i][k]);
		}
	}
}

static double measure(const struct traffic *kind, enum stage stage, double seconds, double *mb_s)
{
	struct front_options o = { 0 };
	struct bench *b = mem_new(sizeof(*b));
	double start, took, per;

	if (!b || front_new(&o, &b->front, NULL) < 0)
		abort();
	b->kind = kind;
	b->stage = stage;
	b->pool.max = 32 * 1024 * 1024;
	frame_init(b->frame[0], false);
	frame_init(b->frame[1], true);
	start = now_ns();
	do {
		for (unsigned round = 0; round < 16; round++) {
			for (unsigned i = 0; i < kind->flows; i++)
				step(b, &b->flows[i]);
		}
		took = now_ns() - start;
	} while (took < seconds * 1e9);
	per = took / (double)b->packets;
	*mb_s = (double)b->wire / took * 1e3;
	close_rest(b);
	mem_free(b);
	return per;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		double ns[STAGES], mb_s = 0;

		for (int stage = 0; stage < STAGES; stage++)
			ns[stage] = measure(&kinds[i], (enum stage)stage, seconds, &mb_s);
		printf("{\"traffic\":\"%s\",\"parse_ns\":%.1f,\"front_ns\":%.1f,\"stream_ns\":%.1f,"
		       "\"wire_mb_s\":%.0f}\n",
		       kinds[i].name, ns[PARSE], ns[FRONT], ns[STREAM], mb_s);
	}
	return 0;
}
