/* The whole engine: two bytes of length, a key log of that many bytes, then a capture. Everything that is
 * opened must end, whatever came, and every event must be of a flow that is open. */
#include <stdlib.h>

#include "base/rd.h"
#include "flow/exchange.h"
#include "pcap/capture.h"
#include "tap/tap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct play {
	struct event_bus bus;
	struct keylog_table *known;
	struct front *front;
	struct tap *tap;
	struct tracker *tracker;
	struct tap_at at;
	uint64_t opened, ended;
};

static void must(bool good)
{
	if (!good)
		abort();
}

static void on_event(void *ctx, const struct event *ev)
{
	struct play *p = ctx;

	p->opened += ev->type == EV_FLOW_OPEN;
	p->ended += ev->type == EV_FLOW_END;
	must(ev->flow != 0 && p->ended <= p->opened);
}

static void on_segment(void *ctx, const struct tap_segment *s)
{
	struct play *p = ctx;

	tap_segment(p->tap, s);
}

static void on_item(struct play *p, const struct capture_item *item)
{
	struct front_sink sink = { .segment = on_segment, .ctx = p };
	const struct capture_packet *c = &item->u.packet;
	struct err e = { 0 };

	if (item->kind == CAPTURE_SECRETS) {
		must(tap_secrets(p->tap, item->u.secrets.data, &e) == 0);
		while (tap_wake(p->tap, p->at))
			;
	}
	if (item->kind == CAPTURE_PROCESS)
		must(tap_process(p->tap, item->u.process.pid, item->u.process.name, &e) == 0);
	if (item->kind != CAPTURE_PACKET)
		return;
	p->at = (struct tap_at){ .packet = c->number, .wall_ns = c->wall_ns };
	front_packet(p->front,
		     &(struct front_packet){ .link = c->link,
					     .wire_n = c->wire_n,
					     .frame = c->bytes,
					     .at = p->at,
					     .pid = c->pid },
		     &sink);
}

static void play_capture(struct play *p, struct bytes in)
{
	struct capture_step step = { .in = in, .last = true };
	struct capture *c;
	struct capture_item item;
	struct err e = { 0 };
	enum capture_outcome got;

	must(capture_new(&c, &e) == 0);
	do {
		size_t before = step.in.n;

		got = capture_next(c, &step, &item, &e);
		must(step.in.n <= before);
		if (got == CAPTURE_ITEM)
			on_item(p, &item);
	} while (got != CAPTURE_MORE);
	capture_free(c);
}

static void play(struct bytes keys, struct bytes capture, bool may_come)
{
	struct play p = { 0 };
	struct tracker_options views = { .max_body = 4096, .messages = true };
	struct err e = { 0 };
	/* Little of everything, so that the limits are reached. */
	struct tap_options options = { .bus = &p.bus,
				       .secrets_may_come = may_come,
				       .max_trials = 20000,
				       .max_queue = 65536,
				       .max_held = 65536 };

	must(keylog_table_new(1 << 20, &p.known, &e) == 0);
	must(keylog_table_feed(p.known, keys, &e) == 0 && keylog_table_end(p.known, &e) == 0);
	options.known = p.known;
	must(tracker_new(&views, &p.tracker, &e) == 0);
	must(event_bus_add(&p.bus, tracker_sink(p.tracker), &e) == 0);
	must(event_bus_add(&p.bus, (struct event_sink){ EV_ALL, on_event, &p }, &e) == 0);
	must(front_new(&(struct front_options){ .max_flows = 64, .max_fragment_memory = 65536 },
		       &p.front, &e) == 0);
	must(tap_new(&options, &p.tap, &e) == 0);
	play_capture(&p, capture);
	while (tap_finish(p.tap, p.at))
		;
	must(p.opened == p.ended);
	tap_free(p.tap);
	front_free(p.front);
	tracker_free(p.tracker);
	keylog_table_free(p.known);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool bad = false;
	struct rd r = rd_init(bytes_of(data, size), &bad);
	struct bytes keys = rd_take(&r, rd_u16(&r));

	if (bad)
		return 0;
	play(keys, rd_rest(&r), false);
	play(keys, rd_rest(&r), true);
	return 0;
}
