#include "flow/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"
#include "flow/slot.h"
#include "flow/store.h"
#include "flow/testkit.h"

/* A tracker whose results are kept in a store. */
struct rig {
	struct kit kit;
	struct store *store;
	struct flow_message message; /* the last */
	char data[200];
	size_t messages;
};

static void note_exchange(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	store_on_exchange(((struct rig *)ctx)->store, f, x);
}

static void note_flow(void *ctx, const struct flow_info *f)
{
	store_on_flow(((struct rig *)ctx)->store, f);
}

static void note_message(void *ctx, const struct flow_info *f, const struct flow_message *m)
{
	struct rig *r = ctx;

	(void)f;
	r->messages++;
	r->message = *m;
	r->message.data = bytes_slice(m->data, 0, sizeof(r->data));
	memcpy(r->data, m->data.p ? m->data.p : (const uint8_t *)"", r->message.data.n);
	r->message.data.p = (const uint8_t *)r->data;
}

static int rig_try(struct rig *r, struct tracker_options o)
{
	*r = (struct rig){ 0 };
	o.on_exchange = note_exchange;
	o.on_flow = note_flow;
	o.on_message = note_message;
	o.ctx = r;
	if (store_new(&(struct store_options){ 0 }, &r->store, NULL) < 0)
		return -1;
	return tracker_new(&o, &r->kit.tracker, NULL);
}

static void rig_init(struct rig *r, struct tracker_options o)
{
	assert_int_equal(rig_try(r, o), 0);
}

static void rig_fini(struct rig *r)
{
	tracker_free(r->kit.tracker);
	store_free(r->store);
}

/* The i-th result, from 0. */
static struct store_entry result(const struct rig *r, size_t i)
{
	struct store_entry entry = { 0 };
	uint64_t cursor = i;

	if (!store_next(r->store, &cursor, &entry))
		fail_msg("there is no result %zu", i);
	return entry;
}

static struct tracker_stats stats(const struct rig *r)
{
	struct tracker_stats s;

	tracker_stats(r->kit.tracker, &s);
	return s;
}

#define assert_bytes(b, text)                                                                      \
	do {                                                                                       \
		if (!bytes_equal((b), bytes_str(text)))                                            \
			fail_msg("\"%.*s\" instead of \"%s\"", BYTES_FMT(b), (text));              \
	} while (0)

static void an_exchange_is_handed_over_when_both_messages_ended(void **state)
{
	struct rig r;
	struct store_entry got;

	(void)state;
	rig_init(&r, (struct tracker_options){ .max_body = TRACKER_BODY });
	kit_open(&r.kit, 7, "www.example.org");
	kit_bump(&r.kit, 7, "www.example.org", "h2");
	kit_get(&r.kit, 7, 1, "/a?b=c");

	assert_int_equal(store_count(r.store), 1);
	got = result(&r, 0);
	assert_int_equal(got.exchange->n, 1);
	assert_int_equal(got.exchange->flow, 7);
	assert_true(got.exchange->first);
	assert_false(got.exchange->cut);
	assert_bytes(got.exchange->method, "GET");
	assert_bytes(got.exchange->path, "/a?b=c");
	assert_int_equal(got.exchange->status, 200);
	assert_int_equal(got.exchange->request_end_ns, 0);
	assert_int_equal(got.exchange->response_ns, 12000000);
	assert_int_equal(got.exchange->end_ns, 12000000);
	assert_int_equal(got.exchange->wall_ns, KIT_START + 3000000);
	assert_int_equal(got.exchange->request.header_count, 2);
	assert_bytes(message_header(&got.exchange->request, "user-agent"), "curl/7.88.1");
	assert_bytes(message_header(&got.exchange->response, "content-type"), "text/plain");
	assert_bytes(message_header(&got.exchange->response, "x-none"), "");
	assert_bytes(got.exchange->response.body, "hello\n");
	assert_int_equal(got.exchange->response.body_bytes, 6);
	assert_bytes(got.flow->sni, "www.example.org");
	assert_bytes(got.flow->leg[LEG_SERVER].issuer, "CN=R11, O=Let's Encrypt, C=US");
	assert_int_equal(got.flow->leg[LEG_SERVER].handshake_ns, 3000000);
	assert_int_equal(stats(&r).exchanges, 0);
	assert_int_equal(stats(&r).memory, 0);
	rig_fini(&r);
}

static void what_an_event_lends_is_copied(void **state)
{
	char name[] = "x-name", value[] = "value", path[] = "/path", sni[] = "a.example";
	struct flow_header header = { bytes_str(name), bytes_str(value) };
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ 0 });
	kit_open(&r.kit, 1, "b.example");
	kit_hello(&r.kit, 1, sni);
	kit_request(&r.kit, 1, 1,
		    &(struct kit_request){ PROTO_HTTP1, "GET", "a.example", path, &header, 1,
					   NULL });
	memset(name, '-', sizeof(name) - 1);
	memset(value, '-', sizeof(value) - 1);
	memset(path, '-', sizeof(path) - 1);
	memset(sni, '-', sizeof(sni) - 1);
	header = (struct flow_header){ 0 };
	kit_response(&r.kit, 1, 1, &(struct kit_response){ .proto = PROTO_HTTP1, .status = 204 });
	assert_bytes(result(&r, 0).exchange->path, "/path");
	assert_bytes(message_header(&result(&r, 0).exchange->request, "X-Name"), "value");
	assert_bytes(result(&r, 0).flow->sni, "a.example");
	rig_fini(&r);
}

static void streams_and_flows_are_kept_apart(void **state)
{
	struct kit_request up = { PROTO_HTTP2, "GET", "h", "/", NULL, 0, NULL };
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ 0 });
	for (uint64_t flow = 1; flow <= 200; flow++) {
		kit_open(&r.kit, flow, "h");
		kit_request(&r.kit, flow, 1, &up);
		kit_request(&r.kit, flow, 3, &up);
	}
	assert_int_equal(stats(&r).flows, 200);
	assert_int_equal(stats(&r).exchanges, 400);
	/* Answered the other way round. */
	for (uint64_t flow = 200; flow > 0; flow--) {
		for (uint64_t k = 2; k > 0; k--) {
			uint64_t stream = 2 * k - 1;
			unsigned status = (unsigned)(flow * 2 + stream);
			struct kit_response down = { .proto = PROTO_HTTP2, .status = status };

			kit_response(&r.kit, flow, stream, &down);
		}
	}
	assert_int_equal(store_count(r.store), 400);
	for (size_t i = 0; i < 400; i++) {
		const struct exchange *x = result(&r, i).exchange;

		assert_int_equal(x->status, x->flow * 2 + x->stream);
		assert_int_equal(x->first, x->stream == 1);
	}
	rig_fini(&r);
}

static void the_end_of_a_flow_cuts_its_exchanges_off(void **state)
{
	struct kit_request up = { PROTO_HTTP1, "GET", "h", "/slow", NULL, 0, NULL };
	struct ev_flow_end end = { .action = ACTION_BUMP,
				   .failure = "upstream-reset",
				   .side = LEG_SERVER,
				   .reason = bytes_str("it went away"),
				   .bytes_up = 10,
				   .bytes_down = 20 };
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ 0 });
	kit_open(&r.kit, 1, "h");
	kit_request(&r.kit, 1, 1, &up);
	kit_request(&r.kit, 1, 2, &up);
	kit_wait(&r.kit, 5000);
	kit_end(&r.kit, 1, &end);
	assert_int_equal(store_count(r.store), 3);
	assert_true(result(&r, 0).exchange->cut);
	assert_int_equal(result(&r, 0).exchange->stream, 1);
	assert_int_equal(result(&r, 0).exchange->end_ns, 5000000);
	assert_int_equal(result(&r, 0).exchange->response_ns, -1);
	assert_int_equal(result(&r, 1).exchange->stream, 2);
	assert_false(result(&r, 1).flow->ended);
	assert_null(result(&r, 2).exchange);
	assert_true(result(&r, 2).flow->ended);
	assert_int_equal(result(&r, 2).flow->exchanges, 2);
	assert_int_equal(result(&r, 2).flow->bytes_down, 20);
	assert_int_equal(result(&r, 2).flow->duration_ns, 5000000);
	assert_bytes(result(&r, 2).flow->reason, "it went away");
	assert_int_equal(stats(&r).flows, 0);
	rig_fini(&r);
}

static void an_answer_before_the_request_ended_waits_for_it(void **state)
{
	struct ev_message_end end = { .body_bytes = 5, .grpc_status = -1 };
	struct kit_response down = { .proto = PROTO_HTTP2, .status = 413 };
	struct event head;
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ 0 });
	kit_open(&r.kit, 1, "h");
	head = kit_event(&r.kit, EV_MESSAGE_HEAD, 1);
	head.stream = 1;
	head.u.message_head.proto = PROTO_HTTP2;
	head.u.message_head.method = bytes_str("PUT");
	kit_emit(&r.kit, &head);
	kit_response(&r.kit, 1, 1, &down);
	assert_int_equal(store_count(r.store), 0);
	kit_wait(&r.kit, 1000);
	kit_message_end(&r.kit, 1, 1, DIR_UP, &end);
	assert_int_equal(store_count(r.store), 1);
	assert_int_equal(result(&r, 0).exchange->request.body_bytes, 5);
	assert_int_equal(result(&r, 0).exchange->request_end_ns, 1000000);
	rig_fini(&r);
}

static void an_interim_answer_is_not_the_answer(void **state)
{
	struct kit_request up = { PROTO_HTTP1, "POST", "h", "/", NULL, 0, "x" };
	struct kit_response down = { .proto = PROTO_HTTP1, .status = 201 };
	struct event head;
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ 0 });
	kit_open(&r.kit, 1, "h");
	kit_request(&r.kit, 1, 1, &up);
	head = kit_event(&r.kit, EV_MESSAGE_HEAD, 1);
	head.stream = 1;
	head.dir = DIR_DOWN;
	head.u.message_head =
		(struct ev_message_head){ .proto = PROTO_HTTP1, .status = 100, .interim = true };
	kit_emit(&r.kit, &head);
	kit_wait(&r.kit, 2000);
	kit_response(&r.kit, 1, 1, &down);
	assert_int_equal(store_count(r.store), 1);
	assert_int_equal(result(&r, 0).exchange->status, 201);
	assert_int_equal(result(&r, 0).exchange->response_ns, 2000000);
	rig_fini(&r);
}

static void an_answer_without_a_request_is_an_exchange_too(void **state)
{
	struct kit_response down = { .proto = PROTO_HTTP1, .status = 400 };
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ 0 });
	kit_open(&r.kit, 1, "h");
	kit_response(&r.kit, 1, 1, &down);
	assert_int_equal(store_count(r.store), 1);
	assert_false(result(&r, 0).exchange->request.seen);
	assert_int_equal(result(&r, 0).exchange->version_major, 1);
	rig_fini(&r);
}

static void ws(struct rig *r, enum flow_dir dir, unsigned opcode, const char *data, bool end)
{
	kit_chunk(&r->kit, 1, 1, dir,
		  &(struct ev_body_chunk){ .proto = PROTO_WEBSOCKET,
					   .data = bytes_str(data),
					   .ws_opcode = opcode,
					   .message_end = end });
}

static void a_websocket_is_one_exchange_of_many_messages(void **state)
{
	struct kit_request up = { PROTO_HTTP1, "GET", "h", "/chat", NULL, 0, NULL };
	struct ev_message_end end = { .body_bytes = 30, .grpc_status = -1 };
	struct event head;
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ .messages = true });
	kit_open(&r.kit, 1, "h");
	kit_request(&r.kit, 1, 1, &up);
	head = kit_event(&r.kit, EV_MESSAGE_HEAD, 1);
	head.stream = 1;
	head.dir = DIR_DOWN;
	head.u.message_head = (struct ev_message_head){
		.proto = PROTO_WEBSOCKET, .status = 101, .version_major = 1, .version_minor = 1
	};
	kit_emit(&r.kit, &head);

	ws(&r, DIR_UP, 1, "one", true);
	assert_int_equal(r.messages, 1);
	assert_bytes(r.message.data, "one");
	assert_int_equal(r.message.n, 1);
	ws(&r, DIR_DOWN, 1, "in ", false);
	ws(&r, DIR_DOWN, 9, "ping", true); /* between the pieces */
	assert_int_equal(r.messages, 2);
	assert_bytes(r.message.data, "ping");
	ws(&r, DIR_DOWN, 1, "three ", false);
	ws(&r, DIR_DOWN, 1, "pieces", true);
	assert_int_equal(r.messages, 3);
	assert_bytes(r.message.data, "in three pieces");
	assert_int_equal(r.message.bytes, 15);
	ws(&r, DIR_DOWN, 2, "next", true);
	assert_bytes(r.message.data, "next");

	kit_message_end(&r.kit, 1, 1, DIR_DOWN, &end);
	assert_int_equal(store_count(r.store), 0);
	kit_message_end(&r.kit, 1, 1, DIR_UP, &end);
	assert_int_equal(store_count(r.store), 1);
	assert_int_equal(result(&r, 0).exchange->proto, PROTO_WEBSOCKET);
	assert_int_equal(result(&r, 0).exchange->request.messages, 1);
	assert_int_equal(result(&r, 0).exchange->response.messages, 2);
	assert_int_equal(result(&r, 0).exchange->request_end_ns, 0);
	rig_fini(&r);
}

static void a_long_message_is_shown_in_part(void **state)
{
	static uint8_t big[50000];
	struct ev_body_chunk chunk = { .proto = PROTO_BYTES, .data = bytes_of(big, sizeof(big)) };
	struct kit_request up = { PROTO_GRPC, "POST", "h", "/", NULL, 0, NULL };
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ .messages = true });
	kit_open(&r.kit, 1, "h");
	kit_chunk(&r.kit, 1, 0, DIR_UP, &chunk);
	assert_int_equal(r.messages, 1);
	assert_int_equal(r.message.n, 0);
	assert_int_equal(r.message.bytes, sizeof(big));

	kit_request(&r.kit, 1, 1, &up);
	chunk.proto = PROTO_GRPC;
	for (size_t i = 0; i < 4; i++) {
		chunk.message_end = i == 3;
		kit_chunk(&r.kit, 1, 1, DIR_DOWN, &chunk);
	}
	assert_int_equal(r.messages, 2);
	assert_int_equal(r.message.bytes, 4 * sizeof(big));
	rig_fini(&r);
}

static void the_frames_of_grpc_are_put_back(void **state)
{
	struct flow_header coding = { bytes_str("grpc-encoding"), bytes_str("gzip") };
	struct kit_request up = { PROTO_GRPC, "POST", "h", "/S/M", &coding, 1, NULL };
	struct kit_response down = { .proto = PROTO_GRPC, .status = 200 };
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ .max_body = TRACKER_BODY });
	kit_open(&r.kit, 1, "h");
	kit_request(&r.kit, 1, 1, &up);
	for (size_t i = 0; i < 2; i++) {
		struct ev_body_chunk part = { .proto = PROTO_GRPC,
					      .data = bytes_str("abc"),
					      .compressed = i == 0 };

		kit_chunk(&r.kit, 1, 1, DIR_UP, &part);
		part.message_end = true;
		kit_chunk(&r.kit, 1, 1, DIR_UP, &part);
	}
	kit_response(&r.kit, 1, 1, &down);
	assert_int_equal(result(&r, 0).exchange->request.body.n, 22);
	assert_memory_equal(result(&r, 0).exchange->request.body.p,
			    "\1\0\0\0\6abcabc\0\0\0\0\6abcabc", 22);
	assert_int_equal(result(&r, 0).exchange->request.messages, 2);
	rig_fini(&r);
}

static void a_body_is_kept_up_to_its_limit(void **state)
{
	struct kit_request up = { PROTO_HTTP1, "POST", "h", "/", NULL, 0, "123456789" };
	struct kit_response down = { .proto = PROTO_HTTP1, .status = 200, .body = "12345678" };
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ .max_body = 8 });
	kit_open(&r.kit, 1, "h");
	kit_request(&r.kit, 1, 1, &up);
	kit_response(&r.kit, 1, 1, &down);
	assert_bytes(result(&r, 0).exchange->request.body, "12345678");
	assert_true(result(&r, 0).exchange->request.body_cut);
	assert_int_equal(result(&r, 0).exchange->request.body_bytes, 9);
	assert_bytes(result(&r, 0).exchange->response.body, "12345678");
	assert_false(result(&r, 0).exchange->response.body_cut);
	rig_fini(&r);
}

static void bodies_nobody_wants_are_not_asked_for(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ 0 });
	assert_false(tracker_sink(r.kit.tracker).mask & EV_BIT(EV_BODY_CHUNK));
	assert_false(tracker_sink(r.kit.tracker).mask & EV_BIT(EV_SECRET_SEEN));
	rig_fini(&r);
	rig_init(&r, (struct tracker_options){ .max_body = 1 });
	assert_true(tracker_sink(r.kit.tracker).mask & EV_BIT(EV_BODY_CHUNK));
	rig_fini(&r);
	rig_init(&r, (struct tracker_options){ .messages = true });
	assert_true(tracker_sink(r.kit.tracker).mask & EV_BIT(EV_BODY_CHUNK));
	rig_fini(&r);
}

static void headers_beyond_the_limit_are_left_out_and_it_says_so(void **state)
{
	static char big[700];
	struct flow_header headers[] = { { bytes_str("a"), bytes_str("1") },
					 { bytes_str("b"), bytes_of(big, sizeof(big)) },
					 { bytes_str("c"), bytes_str("3") } };
	struct kit_request up = { PROTO_HTTP2, "GET", "h", "/", headers, 3, NULL };
	struct kit_response down = { .proto = PROTO_HTTP2, .status = 200 };
	struct rig r;

	(void)state;
	memset(big, 'x', sizeof(big));
	rig_init(&r, (struct tracker_options){ .max_header_bytes = 512 });
	kit_open(&r.kit, 1, "h");
	kit_request(&r.kit, 1, 1, &up);
	kit_response(&r.kit, 1, 1, &down);
	assert_int_equal(result(&r, 0).exchange->request.header_count, 1);
	assert_true(result(&r, 0).exchange->request.headers_cut);
	assert_int_equal(result(&r, 0).exchange->request.header_bytes, 705);
	assert_false(result(&r, 0).exchange->response.headers_cut);
	rig_fini(&r);
}

static void a_url_beyond_the_limit_is_cut_and_it_says_so(void **state)
{
	static char path[2000];
	struct kit_request up = { PROTO_HTTP2, "GET", "h", path, NULL, 0, NULL };
	struct kit_response down = { .proto = PROTO_HTTP2, .status = 200 };
	struct rig r;

	(void)state;
	memset(path, '/', sizeof(path) - 1);
	rig_init(&r, (struct tracker_options){ .max_header_bytes = 1000 });
	kit_open(&r.kit, 1, "h");
	kit_request(&r.kit, 1, 1, &up);
	kit_response(&r.kit, 1, 1, &down);
	assert_true(result(&r, 0).exchange->path.n < 1000);
	assert_true(result(&r, 0).exchange->request.headers_cut);
	rig_fini(&r);
}

static void what_does_not_fit_is_dropped_and_counted(void **state)
{
	struct kit_request up = { PROTO_HTTP2, "GET", "h", "/", NULL, 0, NULL };
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ .max_flows = 2, .max_exchanges = 3 });
	for (uint64_t flow = 1; flow <= 3; flow++)
		kit_open(&r.kit, flow, "h");
	assert_int_equal(stats(&r).flows, 2);
	assert_int_equal(stats(&r).flows_dropped, 1);
	for (uint64_t stream = 1; stream <= 4; stream++)
		kit_request(&r.kit, 1, stream, &up);
	kit_request(&r.kit, 3, 1, &up); /* of a flow that is not known */
	assert_int_equal(stats(&r).exchanges, 3);
	assert_int_equal(stats(&r).exchanges_dropped, 1);
	kit_end(&r.kit, 1, &(struct ev_flow_end){ 0 });
	assert_int_equal(store_count(r.store), 4);
	kit_end(&r.kit, 3, &(struct ev_flow_end){ 0 });
	assert_int_equal(store_count(r.store), 4);
	rig_fini(&r);
}

static void memory_is_bounded_by_cutting_bodies_first(void **state)
{
	static uint8_t big[10000];
	struct ev_body_chunk chunk = { .proto = PROTO_HTTP2, .data = bytes_of(big, sizeof(big)) };
	struct kit_request up = { PROTO_HTTP2, "GET", "h", "/", NULL, 0, NULL };
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ .max_memory = 100000, .max_body = 65536 });
	kit_open(&r.kit, 1, "h");
	for (uint64_t stream = 1; stream <= 40; stream++) {
		kit_request(&r.kit, 1, stream, &up);
		for (size_t i = 0; i < 10; i++)
			kit_chunk(&r.kit, 1, stream, DIR_DOWN, &chunk);
	}
	/* One body may be doubling when the limit is reached. */
	assert_true(stats(&r).memory < 100000 + 3 * 65536);
	assert_true(stats(&r).exchanges_dropped > 0);
	kit_end(&r.kit, 1, &(struct ev_flow_end){ 0 });
	assert_true(result(&r, 0).exchange->response.body_cut);
	assert_int_equal(stats(&r).memory, 0);
	rig_fini(&r);
}

static void a_process_may_become_known_later(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ 0 });
	kit_open(&r.kit, 1, "h");
	tracker_set_process(r.kit.tracker, 1, bytes_str("curl"), 4711);
	tracker_set_process(r.kit.tracker, 2, bytes_str("nobody"), 1);
	assert_bytes(tracker_find(r.kit.tracker, 1)->process, "curl");
	assert_int_equal(tracker_find(r.kit.tracker, 1)->pid, 4711);
	assert_null(tracker_find(r.kit.tracker, 2));
	rig_fini(&r);
}

static void close_notify_does_not_hide_an_alert(void **state)
{
	const struct leg_info *leg;
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ 0 });
	kit_open(&r.kit, 1, "h");
	leg = &tracker_find(r.kit.tracker, 1)->leg[LEG_CLIENT];
	kit_alert(&r.kit, 1, LEG_CLIENT, 0);
	assert_false(leg->alert_seen);
	kit_alert(&r.kit, 1, LEG_CLIENT, 48);
	kit_alert(&r.kit, 1, LEG_CLIENT, 0);
	assert_true(leg->alert_seen);
	assert_int_equal(leg->alert, 48);
	rig_fini(&r);
}

static void the_ends_of_legs_gaps_and_darkness_are_kept(void **state)
{
	const struct flow_info *f;
	struct event ev;
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ 0 });
	kit_open(&r.kit, 1, "h");
	ev = kit_event(&r.kit, EV_LEG_END, 1);
	ev.leg = LEG_SERVER;
	ev.u.leg_end = (struct ev_leg_end){ .how = END_RESET, .reason = bytes_str("RST") };
	kit_emit(&r.kit, &ev);
	ev = kit_event(&r.kit, EV_GAP, 1);
	ev.u.gap.bytes = 12;
	kit_emit(&r.kit, &ev);
	kit_emit(&r.kit, &ev);
	ev = kit_event(&r.kit, EV_DARK, 1);
	ev.u.dark.reason = bytes_str("no key");
	kit_emit(&r.kit, &ev);
	ev = kit_event(&r.kit, EV_SERVER_HELLO, 1);
	ev.u.server_hello = (struct ev_server_hello){ .cipher = 0x1302, .resumed = true };
	kit_emit(&r.kit, &ev);
	f = tracker_find(r.kit.tracker, 1);
	assert_true(f->leg[LEG_SERVER].ended);
	assert_int_equal(f->leg[LEG_SERVER].end, END_RESET);
	assert_bytes(f->leg[LEG_SERVER].end_reason, "RST");
	assert_int_equal(f->gap_bytes, 24);
	assert_bytes(f->dark, "no key");
	assert_int_equal(f->leg[LEG_CLIENT].cipher, 0x1302);
	assert_int_equal(f->leg[LEG_CLIENT].version, 0);
	rig_fini(&r);
}

static void trackers_may_share_their_numbers(void **state)
{
	struct exchange_numbers numbers = { 0 };
	struct rig a, b;

	(void)state;
	rig_init(&a, (struct tracker_options){ .numbers = &numbers });
	rig_init(&b, (struct tracker_options){ .numbers = &numbers });
	kit_open(&a.kit, 1, "h");
	kit_open(&b.kit, 2, "h");
	kit_get(&a.kit, 1, 1, "/");
	kit_get(&b.kit, 2, 1, "/");
	kit_get(&a.kit, 1, 3, "/");
	assert_int_equal(result(&a, 0).exchange->n, 1);
	assert_int_equal(result(&b, 0).exchange->n, 2);
	assert_int_equal(result(&a, 1).exchange->n, 3);
	rig_fini(&a);
	rig_fini(&b);
}

static void an_idle_flow_costs_less_than_two_kib(void **state)
{
	char issuer[400];
	struct flow_slot *f;
	struct event ev;
	struct rig r;

	(void)state;
	assert_true(sizeof(*f) <= 1200);
	rig_init(&r, (struct tracker_options){ 0 });
	kit_open(&r.kit, 1, "www.example.org");
	kit_bump(&r.kit, 1, "www.example.org", "h2");
	f = LIST_OWNER(tracker_find(r.kit.tracker, 1), struct flow_slot, info);
	assert_int_equal(f->text.heap, 0);
	/* The same name is kept once. */
	assert_ptr_equal(f->info.sni.p, f->info.target_host.p);
	/* However often it is told something new, it stays bounded. */
	for (int i = 0; i < 1000; i++) {
		memset(issuer, 'a' + i % 26, sizeof(issuer));
		ev = kit_event(&r.kit, EV_HANDSHAKE_DONE, 1);
		ev.u.handshake_done.issuer = bytes_of(issuer, sizeof(issuer));
		kit_emit(&r.kit, &ev);
	}
	assert_true(f->text.heap <= FLOW_TEXT_HEAP + 1024);
	rig_fini(&r);
}

static void events_out_of_order_do_no_harm(void **state)
{
	struct ev_message_end end = { 0 };
	struct event ev;
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ .max_body = 10, .messages = true });
	for (unsigned type = 0; type < EV_COUNT + 1; type++) {
		ev = kit_event(&r.kit, (enum event_type)type, 9);
		if (type != EV_FLOW_OPEN)
			kit_emit(&r.kit, &ev);
	}
	kit_open(&r.kit, 1, "h");
	kit_open(&r.kit, 1, "again");
	kit_message_end(&r.kit, 1, 5, DIR_UP, &end);
	ws(&r, DIR_UP, 1, "no exchange", true);
	assert_int_equal(r.messages, 0);
	assert_bytes(tracker_find(r.kit.tracker, 1)->target_host, "h");
	assert_int_equal(store_count(r.store), 0);
	rig_fini(&r);
}

static void a_second_head_on_a_stream_ends_the_first_exchange(void **state)
{
	struct kit_request up = { PROTO_HTTP2, "GET", "h", "/", NULL, 0, NULL };
	struct rig r;

	(void)state;
	rig_init(&r, (struct tracker_options){ 0 });
	kit_open(&r.kit, 1, "h");
	kit_request(&r.kit, 1, 1, &up);
	kit_request(&r.kit, 1, 1, &up);
	assert_int_equal(store_count(r.store), 1);
	assert_true(result(&r, 0).exchange->cut);
	assert_int_equal(stats(&r).exchanges, 1);
	rig_fini(&r);
}

/* Everything that allocates; the numbers of the tracker may be short of some, never wrong. */
static void play_all(struct rig *r)
{
	static char big[6000];
	struct flow_header header = { bytes_str("name"), bytes_of(big, sizeof(big)) };
	struct kit_request up = { PROTO_HTTP1, "POST", "h", "/", &header, 1, "body" };
	struct kit_response down = { .proto = PROTO_HTTP1, .status = 200, .body = "answer" };

	for (uint64_t flow = 1; flow <= 3; flow++) {
		kit_open(&r->kit, flow, "a-name-that-is-long.example.org");
		kit_bump(&r->kit, flow, "another-name.example.org", "http/1.1");
		kit_verdict(&r->kit, flow, CHAIN_OTHER, big + sizeof(big) - 1);
		header.value = bytes_of(big, flow * 2000);
		kit_request(&r->kit, flow, 1, &up);
		ws(r, DIR_UP, 1, "piece", false);
		kit_response(&r->kit, flow, 1, &down);
		kit_end(&r->kit, flow, &(struct ev_flow_end){ .reason = header.value });
	}
}

static void missing_memory_drops_and_never_crashes(void **state)
{
	struct tracker_options o = { .max_body = 100, .messages = true };
	struct rig r;
	size_t i;

	(void)state;
	for (i = 1; i < 200; i++) {
		bool all;

		mem_fail_at(i);
		if (rig_try(&r, o) == 0)
			play_all(&r);
		mem_fail_at(0);
		all = r.store && store_count(r.store) == 6 && store_lost(r.store) == 0 &&
		      result(&r, 4).exchange->request.header_count == 1 &&
		      result(&r, 4).exchange->request.body.n == 4 &&
		      result(&r, 5).flow->reason.n == 512;
		if (r.kit.tracker)
			assert_int_equal(stats(&r).memory, 0);
		rig_fini(&r);
		if (all)
			break;
	}
	assert_in_range(i, 12, 199);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exchange_is_handed_over_when_both_messages_ended),
		cmocka_unit_test(what_an_event_lends_is_copied),
		cmocka_unit_test(streams_and_flows_are_kept_apart),
		cmocka_unit_test(the_end_of_a_flow_cuts_its_exchanges_off),
		cmocka_unit_test(an_answer_before_the_request_ended_waits_for_it),
		cmocka_unit_test(an_interim_answer_is_not_the_answer),
		cmocka_unit_test(an_answer_without_a_request_is_an_exchange_too),
		cmocka_unit_test(a_websocket_is_one_exchange_of_many_messages),
		cmocka_unit_test(a_long_message_is_shown_in_part),
		cmocka_unit_test(the_frames_of_grpc_are_put_back),
		cmocka_unit_test(a_body_is_kept_up_to_its_limit),
		cmocka_unit_test(bodies_nobody_wants_are_not_asked_for),
		cmocka_unit_test(headers_beyond_the_limit_are_left_out_and_it_says_so),
		cmocka_unit_test(a_url_beyond_the_limit_is_cut_and_it_says_so),
		cmocka_unit_test(what_does_not_fit_is_dropped_and_counted),
		cmocka_unit_test(memory_is_bounded_by_cutting_bodies_first),
		cmocka_unit_test(a_process_may_become_known_later),
		cmocka_unit_test(close_notify_does_not_hide_an_alert),
		cmocka_unit_test(the_ends_of_legs_gaps_and_darkness_are_kept),
		cmocka_unit_test(trackers_may_share_their_numbers),
		cmocka_unit_test(an_idle_flow_costs_less_than_two_kib),
		cmocka_unit_test(events_out_of_order_do_no_harm),
		cmocka_unit_test(a_second_head_on_a_stream_ends_the_first_exchange),
		cmocka_unit_test(missing_memory_drops_and_never_crashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
