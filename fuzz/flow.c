/* Random events in any order, as a confused or hostile producer might send them, through the
 * tracker into every view: nothing crashes, every JSON line is JSON, the HAR file is valid to the
 * end, and what reaches a terminal holds no control character. */
#include <assert.h>
#include <stdlib.h>

#include "base/rd.h"
#include "flow/capture_text.h"
#include "flow/curl.h"
#include "flow/diagnose.h"
#include "flow/follow.h"
#include "flow/har.h"
#include "flow/json.h"
#include "flow/ladder.h"
#include "flow/metrics.h"
#include "flow/store.h"
#include "flow/testkit_json.h"
#include "flow/text.h"
#include "wire/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct views {
	struct json_options json;
	struct text_options text;
	struct har har;
	struct buf out, file;
	struct store *store;
	struct capture_group *group;
	/* Of captures: handshakes and what one flow said, in the forms that there are. */
	struct ladder *ladders[2];
	struct follow follows[2];
	struct buf ladder_text, ladder_json, followed[2];
};

#define HEADERS_MAX 8

static void check_terminal(const struct buf *b, bool colour)
{
	for (size_t i = 0; i < b->n; i++)
		assert(b->p[i] >= 0x20 || b->p[i] == '\n' || (colour && b->p[i] == 0x1b));
}

static void check_line(struct buf *b)
{
	json_t *line;

	if (b->n == 0)
		return;
	assert(b->p[b->n - 1] == '\n');
	line = json_loadb((const char *)b->p, b->n - 1, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES,
			  NULL);
	assert(json_is_object(line));
	json_decref(line);
	buf_clear(b);
}

/* Done, or refused for a reason that is allowed, with nothing written. */
static void check_result(const struct buf *b, int result, const struct err *e)
{
	assert(result == 0 || (b->n == 0 && (e->code == ERR_LIMIT || e->code == ERR_UNSUPPORTED)));
}

/* Rendered first and added then it is the same. v->out is what har_entry gave. */
static void check_in_two_steps(const struct views *v, struct har before, const struct flow_info *f,
			       const struct exchange *x)
{
	struct buf entry = buf_init(1 << 20), added = buf_init(1 << 20);

	if (v->out.n && har_render(&v->har.options, &entry, f, x, NULL) == 0 &&
	    har_add(&before, &added, buf_bytes(&entry), NULL) == 0) {
		assert(bytes_equal(buf_bytes(&added), buf_bytes(&v->out)));
		assert(before.at == v->har.at && before.entries == v->har.entries);
	}
	buf_fini(&entry);
	buf_fini(&added);
}

static void check_text(struct views *v, int result, const struct err *e)
{
	check_result(&v->out, result, e);
	check_terminal(&v->out, v->text.colour);
	buf_clear(&v->out);
}

static void write_har(struct views *v, const struct flow_info *f, const struct exchange *x)
{
	struct har before = v->har;
	uint64_t at = v->har.at;
	struct err e;
	int result = har_entry(&v->har, &v->out, f, x, &e);

	check_result(&v->out, result, &e);
	check_in_two_steps(v, before, f, x);
	if (result == 0) {
		v->file.n = at;
		result = buf_add(&v->file, buf_bytes(&v->out), NULL);
		assert(result == 0);
	}
	buf_clear(&v->out);
}

static void on_exchange(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	struct views *v = ctx;
	struct curl_options curl = { .mask = v->json.mask };
	struct err e;

	check_text(v, text_exchange(&v->out, &v->text, f, x, &e), &e);
	check_text(v, capture_text_exchange(&v->out, &v->text, f, x, &e), &e);
	check_text(v, capture_group_exchange(v->group, &v->out, f, x, &e), &e);
	check_result(&v->out, exchange_json(&v->out, &v->json, f, x, &e), &e);
	check_line(&v->out);
	check_result(&v->out, curl_write(&v->out, &curl, x, &e), &e);
	for (size_t i = 0; i < v->out.n; i++)
		assert(v->out.p[i] >= 0x20 || v->out.p[i] == '\n' || v->out.p[i] == '\t');
	buf_clear(&v->out);
	write_har(v, f, x);
	store_on_exchange(v->store, f, x);
}

static void on_flow(void *ctx, const struct flow_info *f)
{
	struct views *v = ctx;
	struct err e;

	check_text(v, text_flow(&v->out, &v->text, f, &e), &e);
	check_text(v, capture_text_flow(&v->out, &v->text, f, &e), &e);
	check_text(v, capture_text_why(&v->out, &v->text, f, &e), &e);
	check_text(v, capture_group_flow(v->group, &v->out, f, f->flow % 2, &e), &e);
	check_result(&v->out, flow_json(&v->out, &v->json, f, &e), &e);
	check_line(&v->out);
	store_on_flow(v->store, f);
}

static void on_message(void *ctx, const struct flow_info *f, const struct flow_message *m)
{
	struct views *v = ctx;
	struct err e;

	check_text(v, text_message(&v->out, &v->text, f, m, &e), &e);
	check_text(v, capture_text_message(&v->out, &v->text, f, m, &e), &e);
	check_text(v, capture_group_message(v->group, &v->out, f, m, &e), &e);
	check_result(&v->out, message_json(&v->out, &v->json, f, m, &e), &e);
	check_line(&v->out);
}

/* A name that the views look for, or the input's own bytes. */
static struct bytes take_name(struct rd *r)
{
	static const char *const known[] = {
		"content-type", "content-encoding", "cookie",	 "set-cookie", "authorization",
		"location",	"accept-encoding",  "host",	 "referer",    "grpc-encoding",
		"user-agent",	"content-length",   "x-api-key",
	};
	uint8_t which = rd_u8(r);

	if (which < ARRAY_LEN(known))
		return bytes_str(known[which]);
	return rd_take(r, which % 32 < r->n ? which % 32 : r->n);
}

static struct bytes take_text(struct rd *r)
{
	uint8_t n = rd_u8(r);

	/* Some long ones, without needing a long input. */
	if (n == 255) {
		static uint8_t big[9000];

		memset(big, rd_u8(r), sizeof(big));
		return bytes_of(big, sizeof(big));
	}
	n %= 64;
	return rd_take(r, n < r->n ? n : r->n);
}

static size_t take_headers(struct rd *r, struct flow_header headers[HEADERS_MAX])
{
	size_t count = rd_u8(r) % HEADERS_MAX;

	for (size_t i = 0; i < count; i++) {
		headers[i].name = take_name(r);
		headers[i].value = take_text(r);
	}
	return count;
}

static void take_addr(struct rd *r, struct addr *a)
{
	a->family = rd_u8(r) % 3;
	a->port = rd_u16(r);
	a->ip[0] = rd_u8(r);
}

static void take_head(struct rd *r, struct event *ev, struct flow_header headers[HEADERS_MAX])
{
	struct ev_message_head *h = &ev->u.message_head;

	h->proto = (enum flow_proto)(rd_u8(r) % (PROTO_BYTES + 1));
	h->version_major = rd_u8(r) % 4;
	h->interim = rd_u8(r) == 1;
	h->status = rd_u16(r) % 1000;
	h->method = take_text(r);
	h->scheme = rd_u8(r) % 4 ? bytes_str("https") : take_text(r);
	h->authority = take_text(r);
	h->path = take_text(r);
	h->reason = take_text(r);
	h->headers = headers;
	h->header_count = take_headers(r, headers);
}

static void take_setup(struct rd *r, struct event *ev)
{
	switch (ev->type) {
	case EV_FLOW_OPEN:
		ev->u.flow_open.way = (enum flow_way)(rd_u8(r) % (WAY_CAPTURE + 1));
		take_addr(r, &ev->u.flow_open.client);
		ev->u.flow_open.target_host = take_text(r);
		ev->u.flow_open.target_port = rd_u16(r);
		break;
	case EV_CLIENT_HELLO:
		ev->u.client_hello.sni = take_text(r);
		ev->u.client_hello.ja4 = take_text(r);
		break;
	case EV_SERVER_HELLO:
		ev->u.server_hello.cipher = rd_u16(r);
		ev->u.server_hello.alpn = take_text(r);
		break;
	case EV_CERT_CHAIN:
		ev->u.cert_chain.verdict = (enum chain_verdict)(rd_u8(r) % (CHAIN_OTHER + 2));
		ev->u.cert_chain.reason = take_text(r);
		break;
	case EV_NOTE:
		ev->u.note.text = take_text(r);
		break;
	case EV_PROCESS:
		ev->u.process.pid = rd_u16(r);
		ev->u.process.name = take_text(r);
		break;
	case EV_HANDSHAKE_DONE:
		ev->u.handshake_done.version = rd_u16(r);
		ev->u.handshake_done.alpn = take_text(r);
		ev->u.handshake_done.issuer = take_text(r);
		take_addr(r, &ev->u.handshake_done.remote);
		break;
	case EV_ALERT:
		ev->u.alert.description = rd_u8(r);
		ev->u.alert.sent = rd_u8(r) % 2;
		break;
	case EV_DARK:
		ev->u.dark.why = (enum dark_why)(rd_u8(r) % (DARK_DTLS + 1));
		ev->u.dark.reason = take_text(r);
		break;
	default:
		break;
	}
}

static void take_handshake(struct rd *r, struct event *ev)
{
	uint8_t flags = rd_u8(r);
	size_t n = rd_u16(r);

	ev->u.handshake_message = (struct ev_handshake_message){
		.content = flags & 1 ? RECORD_CHANGE_CIPHER_SPEC : RECORD_HANDSHAKE,
		.encrypted = flags & 2,
		.bad = flags & 4,
		.raw = rd_take(r, n < r->n ? n : r->n),
	};
	if (ev->u.handshake_message.raw.n)
		ev->u.handshake_message.type = ev->u.handshake_message.raw.p[0];
}

static void take_rest(struct rd *r, struct event *ev, struct flow_header headers[HEADERS_MAX])
{
	switch (ev->type) {
	case EV_MESSAGE_HEAD:
		take_head(r, ev, headers);
		break;
	case EV_TCP:
		ev->u.tcp.flags = rd_u8(r);
		break;
	case EV_HANDSHAKE_MESSAGE:
		take_handshake(r, ev);
		break;
	case EV_DATA:
		ev->u.data.data = take_text(r);
		break;
	case EV_BODY_CHUNK:
		ev->u.body_chunk.proto = (enum flow_proto)(rd_u8(r) % (PROTO_BYTES + 1));
		ev->u.body_chunk.ws_opcode = rd_u8(r) % 16;
		ev->u.body_chunk.message_end = rd_u8(r) % 2;
		ev->u.body_chunk.data = take_text(r);
		break;
	case EV_MESSAGE_END:
		ev->u.message_end.body_bytes = rd_u16(r);
		ev->u.message_end.truncated = rd_u8(r) % 2;
		ev->u.message_end.grpc_status = (int)(rd_u8(r) % 20) - 1;
		ev->u.message_end.trailers = headers;
		ev->u.message_end.trailer_count = take_headers(r, headers);
		break;
	case EV_GAP:
		ev->u.gap.bytes = rd_u16(r);
		break;
	case EV_LEG_END:
		ev->u.leg_end.how = (enum leg_end)(rd_u8(r) % (END_LOCAL + 2));
		ev->u.leg_end.reason = take_text(r);
		break;
	case EV_FLOW_END:
		ev->u.flow_end.action = (enum flow_action)(rd_u8(r) % (ACTION_PLAIN + 1));
		ev->u.flow_end.failed = rd_u8(r) % 2;
		ev->u.flow_end.failure =
			failure_word((enum failure)(rd_u8(r) % (FAILURE_COUNT + 1)));
		ev->u.flow_end.side = (enum flow_leg)(rd_u8(r) % 2);
		ev->u.flow_end.reason = take_text(r);
		ev->u.flow_end.bytes_up = rd_u32(r);
		break;
	default:
		take_setup(r, ev);
		break;
	}
}

static void play(struct rd *r, const struct event_bus *bus, struct tracker *tracker)
{
	struct flow_header headers[HEADERS_MAX];
	int64_t now = 0;
	uint64_t packet = 0;

	while (r->n) {
		struct event ev = { .type = (enum event_type)(rd_u8(r) % (EV_COUNT + 1)) };
		uint8_t where = rd_u8(r);

		if (ev.type == EV_COUNT) {
			tracker_set_process(tracker, where % 4, take_text(r), where);
			continue;
		}
		ev.flow = where % 4;
		/* One is of UDP. */
		if (ev.flow == 3)
			ev.flow |= FLOW_UDP;
		ev.packet = ++packet;
		ev.depth = (where & 15) == 15;
		ev.stream = where >> 2 & 3;
		ev.leg = (enum flow_leg)(where >> 4 & 1);
		ev.dir = (enum flow_dir)(where >> 5 & 1);
		now += (int64_t)(where >> 6) * 777777777;
		ev.wall_ns = ev.mono_ns = now;
		take_rest(r, &ev, headers);
		event_bus_emit(bus, &ev);
	}
}

static void finish(struct views *v, struct tracker *tracker, const struct metrics *metrics)
{
	const struct metrics *const all[] = { metrics };
	struct store_entry entry;
	uint64_t cursor = 0;
	char room[300];
	const char *wrong;
	int result;

	/* What the store kept can be shown again. */
	while (store_next(v->store, &cursor, &entry))
		if (entry.exchange)
			(void)!text_exchange(&v->out, &v->text, entry.flow, entry.exchange, NULL);
	buf_clear(&v->out);
	wrong = har_fault(buf_bytes(&v->file), v->har.entries, room, sizeof(room));
	if (wrong)
		abort();
	result = metrics_write(&v->out, all, 1, "fuzz", NULL);
	assert(result == 0);
	tracker_free(tracker);
}

static int begin_capture(struct views *v, struct event_bus *bus, uint8_t flags)
{
	struct ladder_options text = { .out = &v->ladder_text,
				       .colour = flags & 8,
				       .explain = flags & 2,
				       .max_text = flags & 64 ? 300 : 0 };
	struct ladder_options json = { .out = &v->ladder_json, .json = true };
	struct capture_group_options group = { .text = &v->text, .max_flow = flags & 64 ? 200 : 0 };
	int result = 0;

	v->ladder_text = v->ladder_json = v->followed[0] = v->followed[1] = buf_init(1 << 20);
	result |= capture_group_new(&group, &v->group, NULL);
	result |= ladder_new(&text, &v->ladders[0], NULL);
	result |= ladder_new(&json, &v->ladders[1], NULL);
	for (int i = 0; i < 2; i++) {
		v->follows[i] =
			follow_init(&(struct follow_options){ .out = &v->followed[i],
							      .flow = 1,
							      .form = i ? FOLLOW_HEX : FOLLOW_TEXT,
							      .no_client = flags & 16,
							      .colour = flags & 8 });
		result |= event_bus_add(bus, follow_sink(&v->follows[i]), NULL);
		result |= event_bus_add(bus, ladder_sink(v->ladders[i]), NULL);
	}
	return result;
}

static void end_capture(struct views *v)
{
	buf_clear(&v->out);
	check_terminal(&v->ladder_text, v->text.colour);
	for (int i = 0; i < 2; i++) {
		check_terminal(&v->followed[i], v->text.colour);
		ladder_free(v->ladders[i]);
		buf_fini(&v->followed[i]);
	}
	while (v->ladder_json.n) {
		size_t n = bytes_index(buf_bytes(&v->ladder_json), '\n');
		int result = buf_add(&v->out, bytes_of(v->ladder_json.p, n + 1), NULL);

		assert(result == 0 && n < v->ladder_json.n);
		check_line(&v->out);
		buf_take(&v->ladder_json, n + 1);
	}
	capture_group_free(v->group);
	buf_fini(&v->ladder_text);
	buf_fini(&v->ladder_json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool bad = false;
	struct rd r = rd_init(bytes_of(data, size), &bad);
	uint8_t flags = rd_u8(&r);
	static struct metrics metrics;
	struct views v = {
		.json = { .mask = flags & 1,
			  .mask_but_body = flags & 8,
			  .headers = flags & 2,
			  .body = flags & 4 },
		.text = { .mask = flags & 1,
			  .verbose = flags & 2,
			  .body = flags & 4,
			  .colour = flags & 8,
			  .width = flags & 16 ? 100 : 0 },
		.out = buf_init(1 << 20),
		.file = buf_init(64 << 20),
	};
	struct har_options har = { .version = "fuzz", .mask = flags & 1 };
	struct tracker_options o = { .max_body = flags & 32 ? 100 : TRACKER_BODY,
				     .max_header_bytes = flags & 64 ? 2000 : 0,
				     .max_memory = flags & 128 ? 30000 : 0,
				     .messages = true,
				     .on_exchange = on_exchange,
				     .on_flow = on_flow,
				     .on_message = on_message,
				     .ctx = &v };
	struct event_bus bus = { 0 };
	struct tracker *tracker = NULL;
	int result = har_begin(&v.har, &har, &v.file, NULL);

	result |= store_new(&(struct store_options){ .max_bytes = 100000 }, &v.store, NULL);
	result |= tracker_new(&o, &tracker, NULL);
	result |= begin_capture(&v, &bus, flags);
	result |= event_bus_add(&bus, tracker_sink(tracker), NULL);
	result |= event_bus_add(&bus, metrics_sink(&metrics), NULL);
	assert(result == 0);
	play(&r, &bus, tracker);
	finish(&v, tracker, &metrics);
	end_capture(&v);
	store_free(v.store);
	buf_fini(&v.out);
	buf_fini(&v.file);
	return 0;
}
