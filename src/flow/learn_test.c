#include "flow/learn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "flow/store.h"
#include "flow/testkit.h"
#include "wire/handshake.h"
#include "wire/packet.h"
#include "wire/record.h"

struct rig {
	struct kit kit;
	struct store *store;
};

static void note_exchange(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	store_on_exchange(((struct rig *)ctx)->store, f, x);
}

static void note_flow(void *ctx, const struct flow_info *f)
{
	store_on_flow(((struct rig *)ctx)->store, f);
}

static void rig_init(struct rig *r)
{
	struct tracker_options o = {
		.max_exchanges = 2,
		.on_exchange = note_exchange,
		.on_flow = note_flow,
		.ctx = r,
	};

	*r = (struct rig){ 0 };
	assert_int_equal(store_new(&(struct store_options){ 0 }, &r->store, NULL), 0);
	assert_int_equal(tracker_new(&o, &r->kit.tracker, NULL), 0);
}

static void rig_fini(struct rig *r)
{
	tracker_free(r->kit.tracker);
	store_free(r->store);
}

static struct store_entry result(const struct rig *r, size_t i)
{
	struct store_entry entry = { 0 };
	uint64_t cursor = i;

	if (!store_next(r->store, &cursor, &entry))
		fail_msg("there is no result %zu", i);
	return entry;
}

#define assert_text(bytes, text) assert_true(bytes_equal(bytes, bytes_str(text)))

static void a_captured_flow_has_its_packets_and_its_end(void **state)
{
	const struct flow_info *f;
	struct rig r;

	(void)state;
	rig_init(&r);
	r.kit.packet = 6;
	kit_capture(&r.kit, 12);
	kit_tcp_open(&r.kit, 12);
	kit_gap(&r.kit, 12, DIR_UP, 100);
	kit_gap(&r.kit, 12, DIR_DOWN, 20);
	kit_note(&r.kit, 12, "the client sent other bytes again");
	kit_note(&r.kit, 12, "and again");
	kit_capture_end(&r.kit, 12, END_RESET, false);
	f = result(&r, 0).flow;
	assert_int_equal(f->capture.first_packet, 7);
	assert_int_equal(f->capture.last_packet, 15);
	assert_int_equal(f->capture.packets, 15);
	assert_false(f->capture.mid);
	assert_false(f->capture.open);
	assert_false(f->capture.encrypted);
	assert_true(f->leg[LEG_CLIENT].ended);
	assert_int_equal(f->leg[LEG_CLIENT].end, END_RESET);
	assert_int_equal(f->gap_bytes, 120);
	assert_int_equal(f->capture.notes, 2);
	assert_text(f->capture.note, "the client sent other bytes again");
	assert_int_equal(f->bytes_down, 45678);
	assert_int_equal(f->proto, PROTO_BYTES);
	rig_fini(&r);
}

static void a_flow_without_syn_began_before_the_capture(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	kit_capture(&r.kit, 1);
	kit_tcp(&r.kit, 1, DIR_UP, TCP_FIN | TCP_ACK);
	kit_capture_end(&r.kit, 1, END_CLEAN, true);
	kit_capture(&r.kit, FLOW_UDP | 1);
	kit_capture_end(&r.kit, FLOW_UDP | 1, END_CLEAN, false);
	kit_open(&r.kit, 3, "proxied.example");
	kit_end(&r.kit, 3, &(struct ev_flow_end){ 0 });
	assert_true(result(&r, 0).flow->capture.mid);
	assert_true(result(&r, 0).flow->capture.open);
	assert_false(result(&r, 0).flow->leg[LEG_CLIENT].ended);
	assert_false(result(&r, 1).flow->capture.mid);
	assert_false(result(&r, 2).flow->capture.mid);
	rig_fini(&r);
}

static void the_first_reason_for_darkness_stays(void **state)
{
	const struct flow_info *f;
	struct rig r;

	(void)state;
	rig_init(&r);
	kit_capture(&r.kit, 1);
	kit_dark(&r.kit, 1, DARK_GAP, "120 bytes are missing");
	kit_dark(&r.kit, 1, DARK_TAG, "no record opens");
	kit_capture_end(&r.kit, 1, END_CLEAN, false);
	f = result(&r, 0).flow;
	assert_int_equal(f->capture.darks, 2);
	assert_int_equal(f->capture.why, DARK_GAP);
	assert_true(f->capture.encrypted);
	assert_text(f->dark, "120 bytes are missing");
	assert_int_equal(f->proto, PROTO_UNKNOWN);
	rig_fini(&r);
}

static void tls_in_tls_keeps_what_the_outer_one_said(void **state)
{
	struct event ev;
	const struct flow_info *f;
	struct rig r;

	(void)state;
	rig_init(&r);
	kit_capture(&r.kit, 1);
	kit_hello(&r.kit, 1, "proxy.example");
	kit_agreed(&r.kit, 1, "http/1.1");
	ev = kit_event(&r.kit, EV_CLIENT_HELLO, 1);
	ev.depth = 1;
	ev.u.client_hello.sni = bytes_str("inner.example");
	kit_emit(&r.kit, &ev);
	ev = kit_event(&r.kit, EV_SERVER_HELLO, 1);
	ev.depth = 1;
	ev.u.server_hello.cipher = 0xc02f;
	kit_emit(&r.kit, &ev);
	ev = kit_event(&r.kit, EV_HANDSHAKE_DONE, 1);
	ev.depth = 1;
	ev.u.handshake_done.version = 0x0303;
	kit_emit(&r.kit, &ev);
	ev = kit_event(&r.kit, EV_CERT_CHAIN, 1);
	ev.depth = 1;
	ev.u.cert_chain.verdict = CHAIN_EXPIRED;
	kit_emit(&r.kit, &ev);
	kit_capture_end(&r.kit, 1, END_CLEAN, false);
	f = result(&r, 0).flow;
	assert_text(f->sni, "proxy.example");
	assert_text(f->capture.inner_sni, "inner.example");
	assert_int_equal(f->capture.depth, 1);
	assert_int_equal(f->leg[LEG_CLIENT].version, 0x0304);
	assert_int_equal(f->leg[LEG_CLIENT].cipher, 0x1301);
	assert_int_equal(f->verdict, CHAIN_UNCHECKED);
	rig_fini(&r);
}

static void a_second_hello_without_a_name_does_not_take_it_away(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	kit_capture(&r.kit, 1);
	kit_hello(&r.kit, 1, "www.example.org");
	kit_hello(&r.kit, 1, "");
	kit_capture_end(&r.kit, 1, END_CLEAN, false);
	assert_text(result(&r, 0).flow->sni, "www.example.org");
	rig_fini(&r);
}

static void handshake_messages_are_remembered_by_type(void **state)
{
	const struct ev_handshake_message hello = { .content = RECORD_HANDSHAKE,
						    .type = HANDSHAKE_CLIENT_HELLO };
	const struct ev_handshake_message ccs = { .content = RECORD_CHANGE_CIPHER_SPEC, .type = 9 };
	const struct ev_handshake_message hash = { .content = RECORD_HANDSHAKE, .type = 254 };
	const struct ev_handshake_message finished = { .content = RECORD_HANDSHAKE,
						       .type = HANDSHAKE_FINISHED,
						       .encrypted = true };
	struct rig r;

	(void)state;
	rig_init(&r);
	kit_capture(&r.kit, 1);
	kit_handshake(&r.kit, 1, DIR_UP, &hello);
	kit_handshake(&r.kit, 1, DIR_UP, &ccs);
	kit_handshake(&r.kit, 1, DIR_UP, &hash);
	assert_false(tracker_find(r.kit.tracker, 1)->capture.encrypted);
	kit_handshake(&r.kit, 1, DIR_UP, &finished);
	assert_true(tracker_find(r.kit.tracker, 1)->capture.encrypted);
	assert_int_equal(tracker_find(r.kit.tracker, 1)->capture.handshake_types,
			 1 << HANDSHAKE_CLIENT_HELLO | 1 << HANDSHAKE_FINISHED);
	rig_fini(&r);
}

static void both_ends_may_have_a_process(void **state)
{
	const struct flow_info *f;
	struct rig r;

	(void)state;
	rig_init(&r);
	kit_capture(&r.kit, 1);
	kit_process(&r.kit, 1, DIR_UP, 4711, "curl");
	kit_process(&r.kit, 1, DIR_DOWN, 80, "nginx");
	kit_capture_end(&r.kit, 1, END_CLEAN, false);
	f = result(&r, 0).flow;
	assert_int_equal(f->pid, 4711);
	assert_text(f->process, "curl");
	assert_int_equal(f->capture.server_pid, 80);
	assert_text(f->capture.server_process, "nginx");
	rig_fini(&r);
}

static void exchanges_are_numbered_in_their_flow(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	kit_capture(&r.kit, 7);
	kit_capture(&r.kit, 8);
	kit_get(&r.kit, 7, 1, "/a");
	kit_get(&r.kit, 8, 1, "/b");
	kit_get(&r.kit, 7, 3, "/c");
	assert_int_equal(result(&r, 0).exchange->index, 1);
	assert_int_equal(result(&r, 1).exchange->index, 1);
	assert_int_equal(result(&r, 2).exchange->index, 2);
	assert_int_equal(result(&r, 2).exchange->first_packet, r.kit.packet);
	rig_fini(&r);
}

static void an_exchange_without_room_has_its_number_still(void **state)
{
	const struct kit_request open_ended = {
		.proto = PROTO_HTTP2, .method = "GET", .authority = "a", .path = "/"
	};
	struct rig r;

	(void)state;
	rig_init(&r);
	kit_capture(&r.kit, 7);
	for (uint64_t stream = 1; stream <= 3; stream++)
		kit_request(&r.kit, 7, stream, &open_ended);
	kit_response(&r.kit, 7, 1, &(struct kit_response){ .proto = PROTO_HTTP2, .status = 200 });
	kit_request(&r.kit, 7, 4, &open_ended);
	kit_capture_end(&r.kit, 7, END_CLEAN, false);
	assert_int_equal(result(&r, 0).exchange->index, 1);
	assert_int_equal(result(&r, 1).exchange->index, 2);
	assert_int_equal(result(&r, 2).exchange->index, 4);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_captured_flow_has_its_packets_and_its_end),
		cmocka_unit_test(a_flow_without_syn_began_before_the_capture),
		cmocka_unit_test(the_first_reason_for_darkness_stays),
		cmocka_unit_test(tls_in_tls_keeps_what_the_outer_one_said),
		cmocka_unit_test(a_second_hello_without_a_name_does_not_take_it_away),
		cmocka_unit_test(handshake_messages_are_remembered_by_type),
		cmocka_unit_test(both_ends_may_have_a_process),
		cmocka_unit_test(exchanges_are_numbered_in_their_flow),
		cmocka_unit_test(an_exchange_without_room_has_its_number_still),
	};

	return cmocka_run_group_tests_name("flow/learn", tests, NULL, NULL);
}
