#include "cmd/read_view.h"

#include "base/mem.h"
#include "cmd/read_files.h"
#include "cmd/read_objects.h"
#include "cmd/read_plain.h"
#include "flow/capture_text.h"
#include "flow/curl.h"
#include "flow/follow.h"
#include "flow/json.h"
#include "flow/ladder.h"

#define CURL_BODY ((size_t)4 << 20)
#define HAR_BODY ((size_t)1 << 20)
#define HAR_ENTRY_MAX ((size_t)32 << 20)

struct read_view {
	const struct read_options *o;
	struct buf *out;
	struct tracker *tracker;
	struct capture_group *group;
	struct ladder *ladder;
	struct follow follow;
	struct read_plain *plain;
	struct read_objects *objects;
	struct buf entry; /* of a HAR */
	struct text_options text;
	struct json_options json;
	struct expr *filter;
	struct read_view_counts counts;
	uint64_t ended; /* the flow that ended last, and whether it is shown */
	bool ended_shown;
	bool failed;
	struct err e;
};

/* Notes the first thing that went wrong. */
static void note(struct read_view *v, int made, const struct err *e)
{
	if (made == 0 || v->failed)
		return;
	v->failed = true;
	v->e = *e;
}

static bool asked_for(const struct read_view *v, const struct flow_info *f)
{
	return v->o->flow == 0 || v->o->flow == f->flow;
}

static bool shown(const struct read_view *v, const struct flow_info *f, const struct exchange *x,
		  const struct flow_message *m)
{
	return asked_for(v, f) && (!v->filter || expr_matches(v->filter, f, x, m));
}

static bool shows_events(const struct read_view *v)
{
	return v->o->show == READ_SHOW_EVENTS || v->o->show == READ_SHOW_GROUPS;
}

static void count(struct read_view *v, const struct flow_info *f)
{
	v->counts.flows++;
	v->counts.encrypted += f->capture.encrypted;
	v->counts.dark += f->capture.darks != 0;
	/* A command is found when it is shown. */
	v->counts.found |= v->o->flow == f->flow && v->o->show != READ_SHOW_CURL;
}

static int show_flow(struct read_view *v, const struct flow_info *f, struct err *e)
{
	struct buf *out = &v->out[READ_LINES];

	if (v->o->show == READ_SHOW_WHY && v->o->form != READ_JSON)
		return capture_text_why(out, &v->text, f, e);
	if (v->o->show == READ_SHOW_WHY)
		return f->capture.darks ? flow_json(out, &v->json, f, e) : 0;
	if (v->o->form == READ_JSON)
		return flow_json(out, &v->json, f, e);
	return capture_text_flow(out, &v->text, f, e);
}

static void on_flow(void *ctx, const struct flow_info *f)
{
	struct read_view *v = ctx;
	struct err e = { 0 };
	bool show = shown(v, f, NULL, NULL);

	v->ended = f->flow;
	v->ended_shown = show;
	if (asked_for(v, f))
		count(v, f);
	if (v->group)
		note(v, capture_group_flow(v->group, &v->out[READ_LINES], f, show, &e), &e);
	else if (show && (shows_events(v) || v->o->show == READ_SHOW_WHY))
		note(v, show_flow(v, f, &e), &e);
}

static int show_exchange(struct read_view *v, const struct flow_info *f, const struct exchange *x,
			 struct err *e)
{
	struct buf *out = &v->out[READ_LINES];

	if (v->group)
		return capture_group_exchange(v->group, out, f, x, e);
	if (v->o->form == READ_JSON)
		return exchange_json(out, &v->json, f, x, e);
	return capture_text_exchange(out, &v->text, f, x, e);
}

static int show_curl(struct read_view *v, const struct exchange *x, struct err *e)
{
	struct curl_options curl = { .mask = v->o->redact };

	if (v->counts.found || x->index != v->o->exchange)
		return 0;
	v->counts.found = true;
	return curl_write(&v->out[READ_LINES], &curl, x, e);
}

static int add_to_har(struct read_view *v, const struct flow_info *f, const struct exchange *x,
		      struct err *e)
{
	struct har_options har = { .version = ORIEL_VERSION, .mask = v->o->redact };

	buf_clear(&v->entry);
	if (har_render(&har, &v->entry, f, x, e) < 0)
		return -1;
	return read_files_frame(&v->out[READ_HAR], buf_bytes(&v->entry), e);
}

static void on_exchange(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	struct read_view *v = ctx;
	struct err e = { 0 };

	if (!shown(v, f, x, NULL))
		return;
	if (shows_events(v))
		note(v, show_exchange(v, f, x, &e), &e);
	if (v->o->show == READ_SHOW_CURL)
		note(v, show_curl(v, x, &e), &e);
	if (v->o->har)
		note(v, add_to_har(v, f, x, &e), &e);
}

static void on_message(void *ctx, const struct flow_info *f, const struct flow_message *m)
{
	struct read_view *v = ctx;
	struct buf *out = &v->out[READ_LINES];
	struct err e = { 0 };
	int made;

	if (!shows_events(v) || !shown(v, f, NULL, m))
		return;
	if (v->group)
		made = capture_group_message(v->group, out, f, m, &e);
	else if (v->o->form == READ_JSON)
		made = message_json(out, &v->json, f, m, &e);
	else
		made = capture_text_message(out, &v->text, f, m, &e);
	note(v, made, &e);
}

static size_t body_wanted(const struct read_view *v)
{
	const struct read_options *o = v->o;

	if (o->show == READ_SHOW_CURL)
		return CURL_BODY;
	if (o->har)
		return HAR_BODY;
	return o->body || (v->filter && expr_wants_bodies(v->filter)) ? TRACKER_BODY : 0;
}

static int add_tracker(struct read_view *v, struct event_bus *bus, struct err *e)
{
	struct tracker_options options = {
		.max_body = body_wanted(v),
		.messages = v->o->verbose || v->o->body,
		.on_exchange = on_exchange,
		.on_flow = on_flow,
		.on_message = on_message,
		.ctx = v,
	};

	if (tracker_new(&options, &v->tracker, e) < 0)
		return -1;
	return event_bus_add(bus, tracker_sink(v->tracker), e);
}

static bool ladder_wanted(void *ctx, uint64_t flow)
{
	struct read_view *v = ctx;
	const struct flow_info *f = tracker_find(v->tracker, flow);

	/* It is asked for the last time when the tracker knows it no more. */
	if (!f)
		return v->ended == flow && v->ended_shown;
	return shown(v, f, NULL, NULL);
}

static int add_ladder(struct read_view *v, struct event_bus *bus, struct err *e)
{
	struct ladder_options options = {
		.out = &v->out[READ_LINES],
		.json = v->o->form == READ_JSON,
		.colour = v->o->colour,
		.explain = v->o->verbose,
		.utc_offset_s = v->o->utc_offset_s,
		.wanted = ladder_wanted,
		.ctx = v,
	};

	if (ladder_new(&options, &v->ladder, e) < 0)
		return -1;
	return event_bus_add(bus, ladder_sink(v->ladder), e);
}

static int add_follow(struct read_view *v, struct event_bus *bus, struct err *e)
{
	struct follow_options options = {
		.out = &v->out[READ_LINES],
		.flow = v->o->flow,
		.form = v->o->form == READ_HEX	 ? FOLLOW_HEX
			: v->o->form == READ_RAW ? FOLLOW_RAW
						 : FOLLOW_TEXT,
		.no_client = v->o->only_server,
		.no_server = v->o->only_client,
		.colour = v->o->colour,
	};

	v->follow = follow_init(&options);
	return event_bus_add(bus, follow_sink(&v->follow), e);
}

static int add_group(struct read_view *v, struct err *e)
{
	struct capture_group_options options = { .text = &v->text };

	return capture_group_new(&options, &v->group, e);
}

static int view_init(struct read_view *v, struct event_bus *bus, struct err *e)
{
	const struct read_options *o = v->o;

	v->text = (struct text_options){
		.colour = o->colour,
		.verbose = o->verbose,
		.body = o->body,
		.mask = o->redact,
		.utc_offset_s = o->utc_offset_s,
		.width = o->width,
	};
	v->json =
		(struct json_options){ .mask = o->redact, .headers = o->verbose, .body = o->body };
	if (o->filter && expr_new(bytes_str(o->filter), &v->filter, NULL, e) < 0)
		return -1;
	if (o->show == READ_SHOW_FOLLOW && add_follow(v, bus, e) < 0)
		return -1;
	if (o->show == READ_SHOW_GROUPS && o->form != READ_JSON && add_group(v, e) < 0)
		return -1;
	if (o->plain && (read_plain_new(&v->out[READ_PLAIN], o->flow, &v->plain, e) < 0 ||
			 event_bus_add(bus, read_plain_sink(v->plain), e) < 0))
		return -1;
	if (o->objects && (read_objects_new(o->objects, o->flow, &v->objects, e) < 0 ||
			   event_bus_add(bus, read_objects_sink(v->objects), e) < 0))
		return -1;
	if (add_tracker(v, bus, e) < 0)
		return -1;
	/* It asks what the tracker knows. */
	return o->show == READ_SHOW_HANDSHAKES ? add_ladder(v, bus, e) : 0;
}

int read_view_new(const struct read_options *o, struct event_bus *bus, struct buf *out,
		  struct read_view **view, struct err *e)
{
	struct read_view *v = mem_new(sizeof(*v));

	if (!v)
		return FAIL(e, NOMEM, "what a capture shows");
	v->o = o;
	v->out = out;
	v->entry = buf_init(HAR_ENTRY_MAX);
	if (view_init(v, bus, e) < 0) {
		read_view_free(v);
		return -1;
	}
	*view = v;
	return 0;
}

void read_view_free(struct read_view *v)
{
	if (!v)
		return;
	tracker_free(v->tracker);
	capture_group_free(v->group);
	ladder_free(v->ladder);
	read_plain_free(v->plain);
	read_objects_free(v->objects);
	expr_free(v->filter);
	buf_fini(&v->entry);
	mem_free(v);
}

int read_view_check(struct read_view *v, struct err *e)
{
	struct err file = { 0 };

	if (v->follow.failed)
		note(v, -1, &v->follow.e);
	if ((v->plain && read_plain_check(v->plain, &file) < 0) ||
	    (v->objects && read_objects_check(v->objects, &file) < 0))
		note(v, -1, &file);
	if (!v->failed)
		return 0;
	*e = v->e;
	return -1;
}

void read_view_counts(const struct read_view *v, struct read_view_counts *out)
{
	*out = v->counts;
}
