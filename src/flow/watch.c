#include "flow/watch.h"

#include <assert.h>

#include "base/escape.h"
#include "flow/observe.h"

#define TEXT_MAX (16u << 20)
#define SHOWN_MAX 200

/* As assert, but never compiled out, and used for what has effects. */
static void must(int status)
{
	assert(status == 0);
	(void)status;
}

#define SAY(w, ...) must(buf_printf(&(w)->text, NULL, __VA_ARGS__))

static void say_escaped(struct watch *w, struct bytes b)
{
	must(escape_add(&w->text, b, NULL));
}

static const char *proto_text(enum flow_proto p)
{
	static const char *const texts[] = { "unknown",	  "http1", "http2",
					     "websocket", "grpc",  "bytes" };

	return texts[p];
}

static void say_where(struct watch *w, const struct event *ev, enum flow_proto proto)
{
	SAY(w, "%s %llu %s ", ev->dir == DIR_UP ? "up" : "down", (unsigned long long)ev->stream,
	    proto_text(proto));
}

static void flush(struct watch *w)
{
	const struct ev_body_chunk *c = &w->last.u.body_chunk;

	if (!w->has_last)
		return;
	w->has_last = false;
	say_where(w, &w->last, c->proto);
	SAY(w, "body %zu", w->body.n);
	if (c->ws_opcode)
		SAY(w, " op=%u", c->ws_opcode);
	SAY(w, "%s \"", c->compressed ? " compressed" : "");
	say_escaped(w, bytes_slice(buf_bytes(&w->body), 0, SHOWN_MAX));
	SAY(w, "\"%s\n", c->message_end ? " end" : "");
	buf_clear(&w->body);
}

static void take_chunk(struct watch *w, const struct event *ev)
{
	const struct ev_body_chunk *c = &ev->u.body_chunk, *before = &w->last.u.body_chunk;

	w->chunks++;
	if (w->has_last && (w->last.dir != ev->dir || w->last.stream != ev->stream ||
			    before->ws_opcode != c->ws_opcode || before->proto != c->proto))
		flush(w);
	w->last = *ev;
	w->has_last = true;
	must(buf_add(&w->body, c->data, NULL));
	if (c->message_end)
		flush(w);
}

static void say_headers(struct watch *w, const struct flow_header *h, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		SAY(w, "  ");
		say_escaped(w, h[i].name);
		SAY(w, ": ");
		say_escaped(w, h[i].value);
		SAY(w, "\n");
	}
}

static void say_head(struct watch *w, const struct event *ev)
{
	const struct ev_message_head *h = &ev->u.message_head;

	say_where(w, ev, h->proto);
	if (ev->dir == DIR_UP) {
		say_escaped(w, h->method);
		SAY(w, " ");
		say_escaped(w, h->scheme);
		SAY(w, "://");
		say_escaped(w, h->authority);
		SAY(w, " ");
		say_escaped(w, h->path);
	} else {
		SAY(w, "%u ", h->status);
		say_escaped(w, h->reason);
	}
	SAY(w, " %u.%u%s\n", h->version_major, h->version_minor, h->interim ? " interim" : "");
	say_headers(w, h->headers, h->header_count);
}

static void say_end(struct watch *w, const struct event *ev)
{
	const struct ev_message_end *end = &ev->u.message_end;

	SAY(w, "%s %llu end %llu%s", ev->dir == DIR_UP ? "up" : "down",
	    (unsigned long long)ev->stream, (unsigned long long)end->body_bytes,
	    end->truncated ? " truncated" : "");
	if (end->grpc_status >= 0)
		SAY(w, " grpc=%d", end->grpc_status);
	SAY(w, "\n");
	say_headers(w, end->trailers, end->trailer_count);
}

static void on_event(void *ctx, const struct event *ev)
{
	struct watch *w = ctx;

	assert(ev->flow == 7 && ev->leg == LEG_SERVER && ev->wall_ns == 1000 && ev->mono_ns == 10);
	if (ev->type == EV_BODY_CHUNK) {
		if (!w->no_bytes || ev->u.body_chunk.proto != PROTO_BYTES)
			take_chunk(w, ev);
		return;
	}
	flush(w);
	if (ev->type == EV_MESSAGE_HEAD)
		say_head(w, ev);
	else if (ev->type == EV_MESSAGE_END)
		say_end(w, ev);
	else
		must(-1);
}

void watch_init(struct watch *w, uint32_t mask)
{
	struct event_sink sink = { .mask = mask, .on_event = on_event, .ctx = w };

	*w = (struct watch){ .text = buf_init(TEXT_MAX), .body = buf_init(TEXT_MAX) };
	must(event_bus_add(&w->bus, sink, NULL));
}

void watch_fini(struct watch *w)
{
	buf_fini(&w->text);
	buf_fini(&w->body);
}

const char *watch_text(struct watch *w)
{
	uint8_t *room;

	flush(w);
	must(buf_reserve(&w->text, 1, &room, NULL));
	*room = 0;
	return (const char *)w->text.p;
}

void watch_outcome(struct watch *w, const struct observe *o)
{
	flush(w);
	SAY(w, "%s", proto_text(observe_proto(o)));
	if (observe_fault(o))
		SAY(w, ", because %s", observe_fault(o));
	if (observe_odd(o))
		SAY(w, ", odd: %s", http_odd_text(observe_odd(o)));
	SAY(w, "\n");
}
