#include "flow/expr_field.h"

#include "base/suggest.h"
#include "flow/view.h"
#include "http/grpc.h"
#include "wire/alert.h"
#include "wire/handshake.h"
#include "wire/names.h"

#define MS 1000000
#define SECOND 1000000000

#define PLACE(in, record, member)                                                                  \
	{                                                                                          \
		in, offsetof(struct record, member), sizeof(((struct record *)NULL)->member)       \
	}
#define FLOW(member) PLACE(IN_FLOW, flow_info, member)
#define EXCHANGE(member) PLACE(IN_EXCHANGE, exchange, member)
#define MESSAGE(member) PLACE(IN_MESSAGE, flow_message, member)

static const char *version_of(uint64_t code)
{
	return version_name((uint16_t)code);
}

static const char *cipher_of(uint64_t code)
{
	return cipher_name((uint16_t)code);
}

static const char *group_of(uint64_t code)
{
	return group_name((uint16_t)code);
}

static const char *alert_of(uint64_t code)
{
	const char *name = alert_name((uint8_t)code);

	return strcmp(name, "unassigned") == 0 ? NULL : name;
}

static const char *handshake_of(uint64_t code)
{
	const char *name = handshake_type_name((uint8_t)code);

	return strcmp(name, "unknown") == 0 ? NULL : name;
}

static const char *grpc_of(uint64_t code)
{
	return grpc_status_text((int)code);
}

static const char *opcode_of(uint64_t code)
{
	return code == 0 || (code > 2 && code < 8) || code > 10 ? NULL
								: ws_opcode_text((unsigned)code);
}

/* clang-format off */
const struct expr_field expr_field_table[] = {
	{ "flow", { "tcp.stream", "udp.stream" }, EXPR_FLOW, "number of the connection, from 1; u1 for UDP", .place = { FLOW(flow) } },
	{ "tcp", { 0 }, EXPR_YES, "it is TCP", .get = expr_get_tcp },
	{ "udp", { 0 }, EXPR_YES, "it is UDP", .get = expr_get_udp },
	{ "time", { "frame.time" }, EXPR_TIME, "when it began, as 2026-03-01T12:34:56Z or seconds since 1970", .get = expr_get_time },
	{ "duration", { 0 }, EXPR_DURATION, "of the exchange, else of the connection; 1.5s, 20ms, or seconds", .get = expr_get_duration, .unit = SECOND },
	{ "duration_ms", { 0 }, EXPR_DURATION, "the same; a number alone is milliseconds", .get = expr_get_duration, .unit = MS },
	{ "packets", { 0 }, EXPR_NUMBER, "of the connection, known at its end", .place = { FLOW(capture.packets) } },
	{ "ip", { "ip.addr", "ipv6.addr", "addr" }, EXPR_ADDR, "address of the client or the server", .place = { FLOW(client), FLOW(local) } },
	{ "client.addr", { "ip.src", "ipv6.src", "client" }, EXPR_ADDR, "address of the client", .place = { FLOW(client) } },
	{ "server.addr", { "ip.dst", "ipv6.dst", "server" }, EXPR_ADDR, "address of the server", .place = { FLOW(local), FLOW(leg[1].remote) } },
	{ "port", { "tcp.port", "udp.port" }, EXPR_NUMBER, "port of the client or the server", .place = { FLOW(client.port), FLOW(local.port) } },
	{ "client.port", { "tcp.srcport", "udp.srcport" }, EXPR_NUMBER, "port of the client", .place = { FLOW(client.port) } },
	{ "server.port", { "tcp.dstport", "udp.dstport" }, EXPR_NUMBER, "port of the server", .place = { FLOW(local.port) } },
	{ "target", { 0 }, EXPR_WORD, "what the client asked a proxy for: host", .place = { FLOW(target_host) } },
	{ "process", { 0 }, EXPR_WORD, "name of the process at either end, where it is known", .place = { FLOW(process), FLOW(capture.server_process) } },
	{ "client.process", { 0 }, EXPR_WORD, "name of the client's process", .place = { FLOW(process) } },
	{ "server.process", { 0 }, EXPR_WORD, "name of the server's process", .place = { FLOW(capture.server_process) } },
	{ "pid", { 0 }, EXPR_NUMBER, "number of the process at either end", .place = { FLOW(pid), FLOW(capture.server_pid) } },
	{ "client.pid", { 0 }, EXPR_NUMBER, "number of the client's process", .place = { FLOW(pid) } },
	{ "server.pid", { 0 }, EXPR_NUMBER, "number of the server's process", .place = { FLOW(capture.server_pid) } },
	{ "way", { 0 }, EXPR_WORD, "how it came in: capture, connect, socks5, ...", .get = expr_get_way },
	{ "action", { 0 }, EXPR_WORD, "what a proxy did: bump, splice, block, plain", .get = expr_get_action },
	{ "proto", { 0 }, EXPR_WORD, "http1, http2, websocket, grpc, bytes, unknown", .get = expr_get_proto },
	{ "state", { 0 }, EXPR_WORD, "how the connection ended: complete, open, reset, truncated, refused, ...", .get = expr_get_state },
	{ "sight", { 0 }, EXPR_WORD, "how much could be read: plain, decrypted, partly, dark", .get = expr_get_sight },
	{ "encrypted", { 0 }, EXPR_YES, "some of it came encrypted", .place = { FLOW(capture.encrypted) } },
	{ "decrypted", { 0 }, EXPR_YES, "nothing of it stayed encrypted", .get = expr_get_decrypted },
	{ "dark", { "dark.reason", "decrypted.reason" }, EXPR_TEXT, "why it stayed encrypted, one sentence", .place = { FLOW(dark) } },
	{ "dark.why", { "decrypted.why" }, EXPR_WORD, "the same, a word: no-secret, tag, no-handshake, cipher, gap, ...", .get = expr_get_dark_why },
	{ "gap_bytes", { 0 }, EXPR_NUMBER, "bytes that the capture does not have", .place = { FLOW(gap_bytes) } },
	{ "notes", { 0 }, EXPR_NUMBER, "how many odd things were noted", .place = { FLOW(capture.notes) } },
	{ "note", { 0 }, EXPR_TEXT, "the first of them", .place = { FLOW(capture.note) } },
	{ "failed", { 0 }, EXPR_YES, "nothing useful went over it", .place = { FLOW(failed) } },
	{ "failure", { 0 }, EXPR_WORD, "what failed, a word", .get = expr_get_failure },
	{ "reason", { 0 }, EXPR_TEXT, "what went wrong, one sentence", .place = { FLOW(reason) } },
	{ "exchanges", { 0 }, EXPR_NUMBER, "how many the connection had so far", .place = { FLOW(exchanges) }, .zero = true },
	{ "bytes", { 0 }, EXPR_NUMBER, "of the bodies of an exchange, of a message, else of the connection; 1.5k, 2M", .get = expr_get_bytes },
	{ "bytes.up", { 0 }, EXPR_NUMBER, "application data from the client", .place = { FLOW(bytes_up) }, .zero = true },
	{ "bytes.down", { 0 }, EXPR_NUMBER, "application data from the server", .place = { FLOW(bytes_down) }, .zero = true },
	{ "tls", { "ssl" }, EXPR_YES, "it is TLS", .get = expr_get_tls },
	{ "tls.sni", { "tls.handshake.extensions_server_name" }, EXPR_WORD, "server name of the ClientHello, of the inner one too", .place = { FLOW(sni), FLOW(capture.inner_sni) } },
	{ "tls.version", { "tls.handshake.version" }, EXPR_CODE, "agreed version: 1.2, \"TLS 1.3\", 0x0304", .place = { FLOW(leg[0].version), FLOW(leg[1].version) }, .name_of = version_of, .code_max = 65535, .example = "1.3" },
	{ "tls.offered", { "tls.handshake.extensions.supported_version" }, EXPR_CODE, "highest version in the ClientHello", .place = { FLOW(offered_version) }, .name_of = version_of, .code_max = 65535, .example = "1.3" },
	{ "tls.cipher", { "tls.handshake.ciphersuite" }, EXPR_CODE, "agreed cipher suite, IANA's name or its number", .place = { FLOW(leg[0].cipher), FLOW(leg[1].cipher) }, .name_of = cipher_of, .code_max = 65535, .example = "TLS_AES_128_GCM_SHA256" },
	{ "tls.group", { "tls.handshake.extensions_key_share_group" }, EXPR_CODE, "agreed group, IANA's name or its number", .place = { FLOW(leg[0].group), FLOW(leg[1].group) }, .name_of = group_of, .code_max = 65535, .example = "x25519" },
	{ "tls.alpn", { "tls.handshake.extensions_alpn_str" }, EXPR_WORD, "agreed protocol: h2, http/1.1", .place = { FLOW(leg[0].alpn), FLOW(leg[1].alpn) } },
	{ "tls.resumed", { 0 }, EXPR_YES, "an earlier session was resumed", .place = { FLOW(leg[0].resumed) } },
	{ "tls.ja4", { "tls.handshake.ja4" }, EXPR_WORD, "fingerprint of the ClientHello", .place = { FLOW(ja4) } },
	{ "tls.issuer", { 0 }, EXPR_WORD, "issuer of the certificate", .place = { FLOW(leg[0].issuer), FLOW(leg[1].issuer) } },
	{ "tls.verdict", { 0 }, EXPR_WORD, "on the certificate: ok, expired, wrong-name, ...", .get = expr_get_verdict },
	{ "tls.alert", { "tls.alert_message.desc" }, EXPR_CODE, "the last alert but close_notify, its name or number", .get = expr_get_alert, .name_of = alert_of, .code_max = 255, .example = "unknown_ca" },
	{ "tls.handshake.type", { 0 }, EXPR_CODE, "a handshake message of that type was seen, its name or number", .get = expr_get_handshake_type, .name_of = handshake_of, .code_max = 255, .example = "client_hello" },
	{ "tls.handshake_ms", { 0 }, EXPR_DURATION, "how long the handshake took; a number alone is milliseconds", .place = { FLOW(leg[0].handshake_ns), FLOW(leg[1].handshake_ns) }, .unit = MS },
	{ "tls.depth", { 0 }, EXPR_NUMBER, "how deep TLS was found inside TLS", .place = { FLOW(capture.depth) } },
	{ "http", { 0 }, EXPR_YES, "it is an exchange of HTTP", .get = expr_get_http },
	{ "http2", { 0 }, EXPR_YES, "it is HTTP/2", .get = expr_get_http2 },
	{ "id", { 0 }, EXPR_TEXT, "name of the exchange in a capture: 12.3", .get = expr_get_id },
	{ "index", { 0 }, EXPR_NUMBER, "number of the exchange in its connection, from 1", .place = { EXCHANGE(index), MESSAGE(index) } },
	{ "n", { 0 }, EXPR_NUMBER, "running number of the exchange, of oriel run", .place = { EXCHANGE(n), MESSAGE(n) } },
	{ "stream", { 0 }, EXPR_NUMBER, "HTTP/2's stream; else the same as index", .place = { EXCHANGE(stream) }, .zero = true },
	{ "http2.streamid", { 0 }, EXPR_NUMBER, "HTTP/2's stream", .get = expr_get_http2_stream },
	{ "http.version", { "http.request.version", "http.response.version" }, EXPR_WORD, "1.1, 2", .get = expr_get_http_version },
	{ "http.method", { "http.request.method", "http2.headers.method" }, EXPR_WORD, "of the request", .place = { EXCHANGE(method) } },
	{ "http.host", { "http2.headers.authority" }, EXPR_WORD, "host that the request is for, with and without its port", .get = expr_get_host },
	{ "http.url", { "http.request.full_uri" }, EXPR_TEXT, "whole URL", .get = expr_get_url },
	{ "http.uri", { "http.request.uri", "http2.headers.path" }, EXPR_TEXT, "path and query", .place = { EXCHANGE(path) } },
	{ "http.path", { "http.request.uri.path" }, EXPR_TEXT, "path without the query", .get = expr_get_path },
	{ "http.query", { "http.request.uri.query" }, EXPR_TEXT, "query without the question mark", .get = expr_get_query },
	{ "http.status", { "http.response.code", "http2.headers.status" }, EXPR_NUMBER, "of the response", .place = { EXCHANGE(status) } },
	{ "http.reason", { "http.response.phrase" }, EXPR_TEXT, "what HTTP/1 says after the status", .place = { EXCHANGE(reason) } },
	{ "http.header.", { 0 }, EXPR_TEXT, "a header or trailer of the request or the response, by its name", .get = expr_get_header },
	{ "http.request.header.", { 0 }, EXPR_TEXT, "of the request", .get = expr_get_request_header },
	{ "http.response.header.", { 0 }, EXPR_TEXT, "of the response", .get = expr_get_response_header },
	{ "http.request.bytes", { 0 }, EXPR_NUMBER, "of the request's body", .place = { EXCHANGE(request.body_bytes) }, .zero = true },
	{ "http.response.bytes", { 0 }, EXPR_NUMBER, "of the response's body", .place = { EXCHANGE(response.body_bytes) }, .zero = true },
	{ "http.body", { "http.file_data" }, EXPR_TEXT, "the beginning of either body, not decoded", .place = { EXCHANGE(request.body), EXCHANGE(response.body) }, .bodies = true },
	{ "http.request.body", { 0 }, EXPR_TEXT, "the beginning of the request's body, not decoded", .place = { EXCHANGE(request.body) }, .bodies = true },
	{ "http.response.body", { 0 }, EXPR_TEXT, "the beginning of the response's body, not decoded", .place = { EXCHANGE(response.body) }, .bodies = true },
	{ "http.first_byte", { "http.time" }, EXPR_DURATION, "from the request's head to the response's; 1.5s, 20ms, or seconds", .get = expr_get_first_byte, .unit = SECOND },
	{ "http.first_byte_ms", { "first_byte_ms" }, EXPR_DURATION, "the same; a number alone is milliseconds", .get = expr_get_first_byte, .unit = MS },
	{ "http.cut", { "cut", "truncated" }, EXPR_YES, "the exchange did not come to its end", .get = expr_get_cut },
	{ "grpc", { 0 }, EXPR_YES, "it is a gRPC call", .get = expr_get_grpc },
	{ "grpc.status", { "grpc.status_code" }, EXPR_CODE, "its status, name or number", .get = expr_get_grpc_status, .name_of = grpc_of, .code_max = 16, .example = "NOT_FOUND" },
	{ "websocket", { 0 }, EXPR_YES, "it is a WebSocket", .get = expr_get_websocket },
	{ "websocket.opcode", { "opcode" }, EXPR_CODE, "of a message: text, binary, close, ping, pong, or its number", .place = { MESSAGE(opcode) }, .name_of = opcode_of, .code_max = 15, .example = "text" },
	{ "message", { 0 }, EXPR_YES, "it is a message of a WebSocket or a gRPC call, or plain bytes", .get = expr_get_message },
	{ "message.data", { "data" }, EXPR_TEXT, "the beginning of the message", .place = { MESSAGE(data) }, .bodies = true },
	{ "direction", { 0 }, EXPR_WORD, "of the message: up, down", .get = expr_get_direction },
};
/* clang-format on */
const size_t expr_field_count = ARRAY_LEN(expr_field_table);

/* What Wireshark calls these headers. */
static const struct {
	const char *name, *header;
} headers[] = {
	{ "http.user_agent", "user-agent" },
	{ "http.content_type", "content-type" },
	{ "http.server", "server" },
	{ "http.referer", "referer" },
	{ "http.cookie", "cookie" },
	{ "http.set_cookie", "set-cookie" },
	{ "http.location", "location" },
	{ "http.authorization", "authorization" },
	{ "http.content_encoding", "content-encoding" },
};

static bool has_name(const struct expr_field *f, struct bytes name, struct bytes *arg)
{
	struct bytes own = bytes_str(f->name);

	if (bytes_ends_nocase(own, bytes_str("."))) {
		*arg = bytes_slice(name, own.n, name.n);
		return arg->n && bytes_equal_nocase(own, bytes_slice(name, 0, own.n));
	}
	if (bytes_equal_nocase(own, name))
		return true;
	for (size_t i = 0; i < EXPR_OTHERS && f->others[i]; i++)
		if (bytes_equal_nocase(bytes_str(f->others[i]), name))
			return true;
	return false;
}

const struct expr_field *expr_field_find(struct bytes name, struct bytes *arg)
{
	const char *header = NULL;

	*arg = (struct bytes){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(headers) && !header; i++)
		if (bytes_equal_nocase(bytes_str(headers[i].name), name))
			header = headers[i].header;
	if (header)
		name = bytes_str("http.header.any");
	for (size_t i = 0; i < expr_field_count; i++) {
		if (!has_name(&expr_field_table[i], name, arg))
			continue;
		if (header)
			*arg = bytes_str(header);
		return &expr_field_table[i];
	}
	return NULL;
}

const char *expr_field_hint(struct bytes name, char out[EXPR_HINT_MAX])
{
	struct suggest s = suggest_init(name);

	for (size_t i = 0; i < expr_field_count; i++) {
		const struct expr_field *f = &expr_field_table[i];

		suggest_offer(&s, f->name);
		for (size_t k = 0; k < EXPR_OTHERS && f->others[k]; k++)
			suggest_offer(&s, f->others[k]);
	}
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		suggest_offer(&s, headers[i].name);
	return suggest_text(&s, "", out);
}

const char *expr_type_text(enum expr_type type)
{
	static const char *const text[] = {
		[EXPR_YES] = "yes or no",	[EXPR_NUMBER] = "a number",
		[EXPR_FLOW] = "a number or u1", [EXPR_DURATION] = "a duration",
		[EXPR_TIME] = "a time",		[EXPR_CODE] = "a name or number",
		[EXPR_ADDR] = "an address",	[EXPR_WORD] = "text",
		[EXPR_TEXT] = "text",
	};

	return text[type];
}

static const uint8_t *record_of(enum expr_base base, const struct expr_subject *s)
{
	const void *records[] = { [IN_NOTHING] = NULL,
				  [IN_FLOW] = s->flow,
				  [IN_EXCHANGE] = s->exchange,
				  [IN_MESSAGE] = s->message };

	return records[base];
}

static int64_t number_at(const uint8_t *p, size_t size)
{
	uint64_t n = 0;

	if (size == 1)
		n = *p;
	else if (size == 2)
		n = *(const uint16_t *)(const void *)p;
	else if (size == 4)
		n = *(const uint32_t *)(const void *)p;
	else
		n = *(const uint64_t *)(const void *)p;
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static bool value_at(const struct expr_field *f, const struct expr_place *place,
		     const struct expr_subject *s, struct expr_value *v)
{
	const uint8_t *record = record_of(place->base, s), *p;

	if (!record)
		return false;
	p = record + place->at;
	if (f->type == EXPR_TEXT || f->type == EXPR_WORD) {
		v->text = *(const struct bytes *)(const void *)p;
		return v->text.n > 0;
	}
	if (f->type == EXPR_ADDR) {
		v->addr = (const struct addr *)(const void *)p;
		return v->addr->family != ADDR_NONE;
	}
	v->n = number_at(p, place->size);
	return v->n != 0 || f->zero || f->type == EXPR_YES;
}

bool expr_field_value(const struct expr_field *f, struct expr_subject *s, struct bytes arg,
		      size_t i, struct expr_value *v)
{
	if (f->get)
		return f->get(s, arg, i, v);
	for (size_t k = 0; k < ARRAY_LEN(f->place); k++)
		if (value_at(f, &f->place[k], s, v) && i-- == 0)
			return true;
	return false;
}
