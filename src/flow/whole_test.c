/* Plaintext as it comes from the wire through decoder, bus, tracker and view: what a person sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "flow/observe.h"
#include "flow/testkit.h"
#include "flow/text.h"

struct rig {
	struct kit kit;
	struct event_bus bus;
	struct observe *observe;
	struct text_options text;
	struct buf out;
};

static void on_exchange(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	struct rig *r = ctx;

	assert_int_equal(text_exchange(&r->out, &r->text, f, x, NULL), 0);
}

static void on_flow(void *ctx, const struct flow_info *f)
{
	struct rig *r = ctx;

	assert_int_equal(text_flow(&r->out, &r->text, f, NULL), 0);
}

static void on_message(void *ctx, const struct flow_info *f, const struct flow_message *m)
{
	struct rig *r = ctx;

	assert_int_equal(text_message(&r->out, &r->text, f, m, NULL), 0);
}

static void rig_init(struct rig *r, bool body)
{
	struct tracker_options t = { .max_body = body ? TRACKER_BODY : 0,
				     .messages = body,
				     .on_exchange = on_exchange,
				     .on_flow = on_flow,
				     .on_message = on_message,
				     .ctx = r };
	struct observe_options o = { .bus = &r->bus,
				     .flow = 1,
				     .alpn = bytes_str("http/1.1"),
				     .scheme = bytes_str("https"),
				     .authority = bytes_str("www.example.org") };

	*r = (struct rig){ .out = buf_init(100000), .text.body = body };
	assert_int_equal(tracker_new(&t, &r->kit.tracker, NULL), 0);
	assert_int_equal(event_bus_add(&r->bus, tracker_sink(r->kit.tracker), NULL), 0);
	kit_open(&r->kit, 1, "www.example.org");
	kit_bump(&r->kit, 1, "www.example.org", "http/1.1");
	assert_int_equal(observe_new(&o, &r->observe, NULL), 0);
}

static void feed(struct rig *r, enum flow_dir dir, struct bytes in)
{
	observe_feed(r->observe, dir, in, KIT_START + r->kit.now, 1000 + r->kit.now);
}

static void say(struct rig *r, enum flow_dir dir, const char *in)
{
	feed(r, dir, bytes_str(in));
}

static void rig_end(struct rig *r, bool clean)
{
	int64_t wall = KIT_START + r->kit.now, mono = 1000 + r->kit.now;

	observe_end(r->observe, DIR_UP, clean, wall, mono);
	observe_end(r->observe, DIR_DOWN, clean, wall, mono);
	observe_free(r->observe);
	kit_end(&r->kit, 1, &(struct ev_flow_end){ .action = ACTION_BUMP, .bytes_up = 1 });
	tracker_free(r->kit.tracker);
}

static void assert_out(struct rig *r, const char *want)
{
	if (!bytes_equal(buf_bytes(&r->out), bytes_str(want)))
		fail_msg("\n%.*s\ninstead of\n\n%s", BYTES_FMT(buf_bytes(&r->out)), want);
	buf_fini(&r->out);
}

#define LEFT " 127.0.0.1:40100 1.3 http/1.1 "

static void requests_on_a_kept_connection(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, true);
	say(&r, DIR_UP, "GET /one HTTP/1.1\r\nHost: www.example.org\r\n\r\n");
	kit_wait(&r.kit, 5000);
	say(&r, DIR_DOWN,
	    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
	kit_wait(&r.kit, 1000);
	say(&r, DIR_DOWN, "lo");
	say(&r, DIR_UP, "HEAD /two HTTP/1.1\r\nHost: other.example\r\n\r\n");
	say(&r, DIR_DOWN, "HTTP/1.1 404 No\r\nContent-Length: 7\r\n\r\n");
	say(&r, DIR_UP,
	    "POST /three HTTP/1.1\r\nHost: www.example.org\r\nContent-Length: 4\r\n\r\nbo");
	rig_end(&r, false);
	assert_out(&r,
		   "12:34:56.126     1" LEFT
		   "GET     200     5  6.0ms https://www.example.org/one\n"
		   "             | hello\n"
		   "12:34:56.132     2" LEFT "HEAD    404     0  0.0ms https://other.example/two "
		   "(sni www.example.org)\n"
		   "12:34:56.132     3" LEFT "POST      -     0  0.0ms "
		   "https://www.example.org/three [no answer]\n"
		   "             | bo\n");
}

static void a_websocket(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, true);
	say(&r, DIR_UP,
	    "GET /chat HTTP/1.1\r\nHost: www.example.org\r\nUpgrade: websocket\r\nConnection: "
	    "Upgrade\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
	say(&r, DIR_DOWN,
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
	kit_wait(&r.kit, 1000);
	feed(&r, DIR_UP, bytes_of("\x81\x85\x00\x00\x00\x00hello", 11));
	kit_wait(&r.kit, 1000);
	say(&r, DIR_DOWN, "\x01\x03wor\x80\x02ld");
	say(&r, DIR_DOWN, "\x88\x02\x03\xe8");
	feed(&r, DIR_UP, bytes_of("\x88\x82\x00\x00\x00\x00\x03\xe8", 8));
	rig_end(&r, true);
	assert_out(&r, "12:34:56.127     1 > websocket text, 5 bytes: hello\n"
		       "12:34:56.128     1 < websocket text, 5 bytes: world\n"
		       "12:34:56.128     1 < websocket close, 2 bytes: 1000\n"
		       "12:34:56.128     1 > websocket close, 2 bytes: 1000\n"
		       "12:34:56.126     1" LEFT "GET     101     5  2.0ms "
		       "https://www.example.org/chat (messages: 1 up, 1 down)\n");
}

static void what_is_no_http_is_bytes(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, false);
	say(&r, DIR_DOWN, "220 mail.example.org ESMTP\r\n");
	say(&r, DIR_UP, "EHLO me\r\n");
	rig_end(&r, true);
	assert_out(&r, "12:34:56.123     -" LEFT "bytes     -     1  3.0ms "
		       "www.example.org:443  1 up, 0 down\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_on_a_kept_connection),
		cmocka_unit_test(a_websocket),
		cmocka_unit_test(what_is_no_http_is_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
