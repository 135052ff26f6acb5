#include "flow/testkit.h"

#include <assert.h>

#include "wire/packet.h"

struct event kit_event(const struct kit *k, enum event_type type, uint64_t flow)
{
	return (struct event){ .type = type,
			       .flow = flow,
			       .packet = k->packet,
			       .wall_ns = KIT_START + k->now,
			       .mono_ns = 1000 + k->now };
}

void kit_emit(struct kit *k, const struct event *ev)
{
	if (k->bus)
		event_bus_emit(k->bus, ev);
	else
		tracker_on_event(k->tracker, ev);
}

static struct addr parsed(const char *text)
{
	struct addr a;

	int bad = addr_parse(bytes_str(text), &a, NULL);
	assert(bad == 0);
	(void)bad;
	return a;
}

void kit_open(struct kit *k, uint64_t flow, const char *host)
{
	struct event ev = kit_event(k, EV_FLOW_OPEN, flow);

	ev.u.flow_open.way = WAY_CONNECT;
	ev.u.flow_open.client = parsed("127.0.0.1:40100");
	ev.u.flow_open.local = parsed("127.0.0.1:8080");
	ev.u.flow_open.target_host = bytes_str(host);
	ev.u.flow_open.target_port = 443;
	kit_emit(k, &ev);
}

void kit_hello(struct kit *k, uint64_t flow, const char *sni)
{
	struct event ev = kit_event(k, EV_CLIENT_HELLO, flow);

	ev.u.client_hello.sni = bytes_str(sni);
	ev.u.client_hello.version = 0x0304;
	ev.u.client_hello.ja4 = bytes_str("t13d1516h2_8daaf6152771_b186095e22b6");
	kit_emit(k, &ev);
}

void kit_verdict(struct kit *k, uint64_t flow, enum chain_verdict verdict, const char *reason)
{
	struct event ev = kit_event(k, EV_CERT_CHAIN, flow);

	ev.leg = LEG_SERVER;
	ev.u.cert_chain.verdict = verdict;
	ev.u.cert_chain.reason = bytes_str(reason);
	kit_emit(k, &ev);
}

void kit_bump(struct kit *k, uint64_t flow, const char *sni, const char *alpn)
{
	struct event hello, done;

	kit_hello(k, flow, sni);
	hello = kit_event(k, EV_CLIENT_HELLO, flow);
	hello.leg = LEG_SERVER;
	kit_emit(k, &hello);
	kit_wait(k, 3000);
	kit_verdict(k, flow, CHAIN_OK, "");
	done = kit_event(k, EV_HANDSHAKE_DONE, flow);
	done.leg = LEG_SERVER;
	done.u.handshake_done = (struct ev_handshake_done){
		.version = 0x0304,
		.cipher = 0x1301,
		.group = 29,
		.alpn = bytes_str(alpn),
		.issuer = bytes_str("CN=R11, O=Let's Encrypt, C=US"),
		.local = parsed("192.0.2.10:50100"),
		.remote = parsed("198.51.100.34:443"),
	};
	kit_emit(k, &done);
	done.leg = LEG_CLIENT;
	done.u.handshake_done.issuer = bytes_str("CN=oriel bump CA test 2026-03-01");
	done.u.handshake_done.local = parsed("127.0.0.1:8080");
	done.u.handshake_done.remote = parsed("127.0.0.1:40100");
	kit_emit(k, &done);
}

void kit_alert(struct kit *k, uint64_t flow, enum flow_leg leg, uint8_t description)
{
	struct event ev = kit_event(k, EV_ALERT, flow);

	ev.leg = leg;
	ev.u.alert.level = 2;
	ev.u.alert.description = description;
	kit_emit(k, &ev);
}

void kit_chunk(struct kit *k, uint64_t flow, uint64_t stream, enum flow_dir dir,
	       const struct ev_body_chunk *chunk)
{
	struct event ev = kit_event(k, EV_BODY_CHUNK, flow);

	ev.stream = stream;
	ev.dir = dir;
	ev.u.body_chunk = *chunk;
	kit_emit(k, &ev);
}

void kit_message_end(struct kit *k, uint64_t flow, uint64_t stream, enum flow_dir dir,
		     const struct ev_message_end *end)
{
	struct event ev = kit_event(k, EV_MESSAGE_END, flow);

	ev.stream = stream;
	ev.dir = dir;
	ev.u.message_end = *end;
	kit_emit(k, &ev);
}

static void kit_body(struct kit *k, const struct event *head, const char *body)
{
	struct ev_message_end end = { .grpc_status = -1 };
	struct ev_body_chunk chunk = { .proto = head->u.message_head.proto };

	if (body) {
		chunk.data = bytes_str(body);
		end.body_bytes = chunk.data.n;
		kit_chunk(k, head->flow, head->stream, head->dir, &chunk);
	}
	kit_message_end(k, head->flow, head->stream, head->dir, &end);
}

void kit_request(struct kit *k, uint64_t flow, uint64_t stream, const struct kit_request *r)
{
	struct event ev = kit_event(k, EV_MESSAGE_HEAD, flow);

	ev.stream = stream;
	ev.dir = DIR_UP;
	ev.u.message_head = (struct ev_message_head){
		.proto = r->proto,
		.method = bytes_str(r->method),
		.scheme = bytes_str("https"),
		.authority = bytes_str(r->authority),
		.path = bytes_str(r->path),
		.version_major = r->proto == PROTO_HTTP1 ? 1 : 2,
		.version_minor = r->proto == PROTO_HTTP1,
		.headers = r->headers,
		.header_count = r->header_count,
	};
	kit_emit(k, &ev);
	kit_body(k, &ev, r->body);
}

void kit_response(struct kit *k, uint64_t flow, uint64_t stream, const struct kit_response *r)
{
	struct event ev = kit_event(k, EV_MESSAGE_HEAD, flow);

	ev.stream = stream;
	ev.dir = DIR_DOWN;
	ev.u.message_head = (struct ev_message_head){
		.proto = r->proto,
		.status = r->status,
		.reason = bytes_str(r->proto == PROTO_HTTP1 ? "OK" : ""),
		.version_major = r->proto == PROTO_HTTP1 ? 1 : 2,
		.version_minor = r->proto == PROTO_HTTP1,
		.headers = r->headers,
		.header_count = r->header_count,
	};
	kit_emit(k, &ev);
	kit_body(k, &ev, r->body);
}

void kit_get(struct kit *k, uint64_t flow, uint64_t stream, const char *path)
{
	const struct flow_header up[] = { { bytes_str("user-agent"), bytes_str("curl/7.88.1") },
					  { bytes_str("accept"), bytes_str("*/*") } };
	const struct flow_header down[] = { { bytes_str("content-type"),
					      bytes_str("text/plain") } };

	kit_request(k, flow, stream,
		    &(struct kit_request){ .proto = PROTO_HTTP2,
					   .method = "GET",
					   .authority = "www.example.org",
					   .path = path,
					   .headers = up,
					   .header_count = ARRAY_LEN(up) });
	kit_wait(k, 12000);
	kit_response(k, flow, stream,
		     &(struct kit_response){ .proto = PROTO_HTTP2,
					     .status = 200,
					     .headers = down,
					     .header_count = ARRAY_LEN(down),
					     .body = "hello\n" });
}

void kit_end(struct kit *k, uint64_t flow, const struct ev_flow_end *end)
{
	struct event ev = kit_event(k, EV_FLOW_END, flow);

	ev.u.flow_end = *end;
	kit_emit(k, &ev);
}

static struct event next_packet(struct kit *k, enum event_type type, uint64_t flow,
				enum flow_dir dir)
{
	struct event ev;

	k->packet++;
	ev = kit_event(k, type, flow);
	ev.dir = dir;
	return ev;
}

void kit_capture(struct kit *k, uint64_t flow)
{
	struct event ev = next_packet(k, EV_FLOW_OPEN, flow, DIR_UP);

	ev.u.flow_open.way = WAY_CAPTURE;
	ev.u.flow_open.client = parsed("192.0.2.1:40100");
	ev.u.flow_open.local = parsed("198.51.100.34:443");
	kit_emit(k, &ev);
}

void kit_tcp(struct kit *k, uint64_t flow, enum flow_dir dir, uint8_t flags)
{
	struct event ev = next_packet(k, EV_TCP, flow, dir);

	ev.u.tcp.flags = flags;
	kit_emit(k, &ev);
}

void kit_tcp_open(struct kit *k, uint64_t flow)
{
	kit_tcp(k, flow, DIR_UP, TCP_SYN);
	kit_wait(k, 400);
	kit_tcp(k, flow, DIR_DOWN, TCP_SYN | TCP_ACK);
	kit_wait(k, 100);
	kit_tcp(k, flow, DIR_UP, TCP_ACK);
}

void kit_handshake(struct kit *k, uint64_t flow, enum flow_dir dir,
		   const struct ev_handshake_message *m)
{
	struct event ev = next_packet(k, EV_HANDSHAKE_MESSAGE, flow, dir);

	ev.u.handshake_message = *m;
	kit_emit(k, &ev);
}

void kit_data(struct kit *k, uint64_t flow, enum flow_dir dir, const char *text)
{
	struct event ev = next_packet(k, EV_DATA, flow, dir);

	ev.u.data.data = bytes_str(text);
	kit_emit(k, &ev);
}

void kit_dark(struct kit *k, uint64_t flow, enum dark_why why, const char *reason)
{
	struct event ev = next_packet(k, EV_DARK, flow, DIR_DOWN);

	ev.u.dark = (struct ev_dark){ .why = why, .reason = bytes_str(reason) };
	kit_emit(k, &ev);
}

void kit_gap(struct kit *k, uint64_t flow, enum flow_dir dir, uint64_t bytes)
{
	struct event ev = next_packet(k, EV_GAP, flow, dir);

	ev.u.gap.bytes = bytes;
	kit_emit(k, &ev);
}

void kit_note(struct kit *k, uint64_t flow, const char *text)
{
	struct event ev = next_packet(k, EV_NOTE, flow, DIR_UP);

	ev.u.note.text = bytes_str(text);
	kit_emit(k, &ev);
}

void kit_process(struct kit *k, uint64_t flow, enum flow_dir dir, int64_t pid, const char *name)
{
	struct event ev = next_packet(k, EV_PROCESS, flow, dir);

	ev.u.process = (struct ev_process){ .pid = pid, .name = bytes_str(name) };
	kit_emit(k, &ev);
}

void kit_agreed(struct kit *k, uint64_t flow, const char *alpn)
{
	struct event ev = next_packet(k, EV_HANDSHAKE_DONE, flow, DIR_DOWN);

	ev.u.handshake_done = (struct ev_handshake_done){
		.version = 0x0304,
		.cipher = 0x1301,
		.group = 29,
		.alpn = bytes_str(alpn),
	};
	kit_emit(k, &ev);
}

void kit_capture_end(struct kit *k, uint64_t flow, enum leg_end how, bool open)
{
	struct event ev = next_packet(k, EV_LEG_END, flow, DIR_UP);

	ev.u.leg_end.how = how;
	if (!open)
		kit_emit(k, &ev);
	ev = kit_event(k, EV_FLOW_END, flow);
	ev.u.flow_end.bytes_up = 120;
	ev.u.flow_end.bytes_down = 45678;
	ev.u.flow_end.packets = k->packet;
	ev.u.flow_end.open = open;
	kit_emit(k, &ev);
}
