#include "flow/json.h"

#include "flow/diagnose.h"
#include "flow/view.h"
#include "wire/alert.h"
#include "wire/names.h"

static void put_flag(struct put *w, const char *name, bool value)
{
	put_key(w, name);
	put_str(w, value ? "true" : "false");
}

/* Left out when false: the exceptions. */
static void put_mark(struct put *w, const char *name, bool value)
{
	if (value)
		put_flag(w, name, true);
}

/* Left out when empty. */
static void put_text(struct put *w, const char *name, struct bytes text)
{
	if (text.n == 0)
		return;
	put_key(w, name);
	put_json(w, text);
}

/* A word of ours: nothing in it needs escaping. */
static void put_word(struct put *w, const char *name, const char *word)
{
	put_key(w, name);
	put_char(w, '"');
	put_str(w, word);
	put_char(w, '"');
}

static void put_number(struct put *w, const char *name, uint64_t value)
{
	put_key(w, name);
	put_u64(w, value);
}

static void put_duration(struct put *w, const char *name, int64_t ns)
{
	put_key(w, name);
	put_ms(w, ns);
}

static void put_open(struct put *w, const char *name, char bracket)
{
	put_key(w, name);
	put_char(w, bracket);
}

static void put_endpoint(struct put *w, const char *name, const struct addr *a)
{
	if (a->family == ADDR_NONE)
		return;
	put_open(w, name, '"');
	put_addr(w, a, true);
	put_char(w, '"');
}

static void put_code(struct put *w, const char *name, const char *text, uint16_t code)
{
	char hex[NAMES_CODE_MAX];

	if (code)
		put_word(w, name, names_or_code(text, code, hex));
}

static void put_begin(struct put *w, const char *type, int64_t wall_ns, uint64_t flow)
{
	put_str(w, "{\"v\":1");
	put_word(w, "type", type);
	put_open(w, "time", '"');
	put_time(w, wall_ns);
	put_char(w, '"');
	put_key(w, "flow");
	put_str(w, flow & FLOW_UDP ? "\"" : "");
	put_flow(w, flow);
	put_str(w, flow & FLOW_UDP ? "\"" : "");
}

/* Of captures: there exchanges have no running number. */
static void put_id(struct put *w, uint64_t flow, uint64_t index)
{
	put_open(w, "id", '"');
	put_exchange_name(w, flow, index);
	put_char(w, '"');
}

static void put_end_point(struct put *w, const char *name, const struct addr *a,
			  struct bytes process, int64_t pid)
{
	if (a->family == ADDR_NONE && process.n == 0)
		return;
	put_open(w, name, '{');
	put_endpoint(w, "addr", a);
	put_text(w, "process", process);
	if (pid > 0)
		put_number(w, "pid", (uint64_t)pid);
	put_char(w, '}');
}

static void put_who(struct put *w, const struct flow_info *f)
{
	put_word(w, "way", flow_way_text(f->way));
	put_end_point(w, "client", &f->client, f->process, f->pid);
	if (f->way == WAY_CAPTURE)
		put_end_point(w, "server", &f->local, f->capture.server_process,
			      f->capture.server_pid);
	if (f->target_host.n) {
		put_open(w, "target", '"');
		put_target(w, f, VIEW_JSON);
		put_char(w, '"');
	}
}

static void put_leg(struct put *w, const struct leg_info *leg)
{
	put_code(w, "version", version_name(leg->version), leg->version);
	put_code(w, "cipher", cipher_name(leg->cipher), leg->cipher);
	put_code(w, "group", group_name(leg->group), leg->group);
	put_text(w, "alpn", leg->alpn);
	if (leg->version)
		put_flag(w, "resumed", leg->resumed);
	put_text(w, "issuer", leg->issuer);
	put_endpoint(w, "local", &leg->local);
	put_endpoint(w, "remote", &leg->remote);
	if (leg->handshake_ns)
		put_duration(w, "handshake_ms", leg->handshake_ns);
	if (leg->alert_seen) {
		put_open(w, "alert", '{');
		put_word(w, "name", alert_name(leg->alert));
		put_number(w, "code", leg->alert);
		put_flag(w, "sent", leg->alert_sent);
		put_char(w, '}');
	}
	if (leg->ended) {
		put_word(w, "end", leg_end_text(leg->end));
		put_text(w, "end_reason", leg->end_reason);
	}
}

static bool leg_is_known(const struct leg_info *leg)
{
	return leg->version || leg->cipher || leg->alert_seen || leg->ended;
}

static void put_tls(struct put *w, const struct flow_info *f)
{
	const struct leg_info *client = &f->leg[LEG_CLIENT], *server = &f->leg[LEG_SERVER];
	bool judged = f->verdict != CHAIN_UNCHECKED;

	if (!f->hello_seen && !leg_is_known(client) && !leg_is_known(server) && !judged)
		return;
	/* How TCP ended is said by the state. */
	if (f->way == WAY_CAPTURE && !f->hello_seen && !f->capture.encrypted)
		return;
	put_open(w, "tls", '{');
	put_text(w, "sni", f->sni);
	put_text(w, "inner_sni", f->capture.inner_sni);
	put_text(w, "ja4", f->ja4);
	if (leg_is_known(client)) {
		put_open(w, "client", '{');
		put_leg(w, client);
		put_char(w, '}');
	}
	if (leg_is_known(server) || judged) {
		put_open(w, "server", '{');
		put_leg(w, server);
		put_word(w, "verdict", chain_verdict_text(f->verdict));
		put_text(w, "verdict_reason", f->verdict_reason);
		put_char(w, '}');
	}
	put_char(w, '}');
}

static void put_headers(struct put *w, const char *name, const struct flow_header *headers,
			size_t count, bool mask)
{
	put_open(w, name, '[');
	for (size_t i = 0; i < count; i++) {
		put_str(w, i ? ",[" : "[");
		put_json(w, headers[i].name);
		put_str(w, ",\"");
		put_header_value(w, &headers[i], mask, VIEW_JSON);
		put_str(w, "\"]");
	}
	put_char(w, ']');
}

static bool shows_bodies(const struct json_options *o)
{
	return o->body && (!o->mask || o->mask_but_body);
}

static void put_data(struct put *w, struct bytes data, bool cut)
{
	if (view_is_text(&data, cut)) {
		put_key(w, "text");
		put_json(w, data);
	} else {
		put_open(w, "base64", '"');
		put_base64(w, data);
		put_char(w, '"');
	}
	put_mark(w, "cut", cut);
}

static void put_body(struct put *w, const struct message *m, const struct json_options *o)
{
	struct view_body body;

	if (!shows_bodies(o) || m->body.n == 0)
		return;
	view_body_init(&body, m, o->body_max ? o->body_max : VIEW_BODY_MAX);
	put_open(w, "body", '{');
	put_data(w, body.data, body.cut);
	put_mark(w, "coded", body.coded);
	put_char(w, '}');
	view_body_fini(&body);
}

static void put_message(struct put *w, const char *name, const struct message *m,
			const struct json_options *o)
{
	if (!m->seen)
		return;
	put_open(w, name, '{');
	put_number(w, "bytes", m->body_bytes);
	put_text(w, "type", message_header(m, "content-type"));
	if (m->messages)
		put_number(w, "messages", m->messages);
	put_mark(w, "truncated", m->truncated || !m->ended);
	if (o->headers) {
		put_headers(w, "headers", m->headers, m->header_count, o->mask);
		put_mark(w, "headers_cut", m->headers_cut);
		if (m->trailer_count)
			put_headers(w, "trailers", m->trailers, m->trailer_count, o->mask);
	}
	put_body(w, m, o);
	put_char(w, '}');
}

static void put_http(struct put *w, const struct exchange *x, const struct json_options *o)
{
	put_open(w, "http", '{');
	put_word(w, "proto", flow_proto_text(x->proto));
	put_open(w, "version", '"');
	put_http_version(w, x);
	put_char(w, '"');
	if (x->request.seen) {
		put_text(w, "method", x->method);
		put_open(w, "url", '"');
		put_url(w, x, o->mask, VIEW_JSON);
		put_char(w, '"');
	}
	if (x->status)
		put_number(w, "status", x->status);
	put_text(w, "reason", x->reason);
	put_mark(w, "unknown", x->unknown);
	if (x->grpc_status >= 0)
		put_number(w, "grpc_status", (uint64_t)x->grpc_status);
	put_char(w, '}');
}

int exchange_json(struct buf *out, const struct json_options *o, const struct flow_info *f,
		  const struct exchange *x, struct err *e)
{
	struct put w = put_init(out, e);

	put_begin(&w, "exchange", x->wall_ns, x->flow);
	put_number(&w, "stream", x->stream);
	if (f->way == WAY_CAPTURE)
		put_id(&w, x->flow, x->index);
	else
		put_number(&w, "n", x->n);
	if (x->first_packet)
		put_number(&w, "packet", x->first_packet);
	put_who(&w, f);
	put_tls(&w, f);
	put_http(&w, x, o);
	put_message(&w, "request", &x->request, o);
	put_message(&w, "response", &x->response, o);
	if (x->response_ns >= 0)
		put_duration(&w, "first_byte_ms", x->response_ns);
	put_duration(&w, "duration_ms", x->end_ns);
	put_mark(&w, "cut", x->cut);
	put_str(&w, "}\n");
	return put_end(&w);
}

/* What only captures know of a connection. */
static void put_capture(struct put *w, const struct flow_info *f)
{
	const struct capture_info *c = &f->capture;

	put_word(w, "state", flow_state_text(f));
	put_flag(w, "encrypted", c->encrypted);
	if (c->darks == 0) {
		put_flag(w, "decrypted", true);
	} else {
		put_open(w, "decrypted", '{');
		put_word(w, "why", dark_why_text(c->why));
		put_text(w, "reason", f->dark);
		put_mark(w, "partly", strcmp(flow_sight_text(f), "partly") == 0);
		put_char(w, '}');
	}
	put_number(w, "packets", c->packets);
	if (c->first_packet) {
		put_number(w, "first_packet", c->first_packet);
		put_number(w, "last_packet", c->last_packet);
	}
	put_mark(w, "late", c->mid);
	if (c->notes)
		put_number(w, "notes", c->notes);
	put_text(w, "note", c->note);
}

int flow_json(struct buf *out, const struct json_options *o, const struct flow_info *f,
	      struct err *e)
{
	struct put w = put_init(out, e);
	char reason[VIEW_REASON_MAX];

	(void)o;
	put_begin(&w, "connection", f->start_wall_ns, f->flow);
	put_who(&w, f);
	if (f->way != WAY_CAPTURE)
		put_word(&w, "action", flow_action_text(f->action));
	put_word(&w, "proto", flow_proto_text(f->proto));
	put_tls(&w, f);
	put_number(&w, "exchanges", f->exchanges);
	put_open(&w, "bytes", '{');
	put_number(&w, "up", f->bytes_up);
	put_number(&w, "down", f->bytes_down);
	put_char(&w, '}');
	put_duration(&w, "duration_ms", f->duration_ns);
	put_flag(&w, "failed", f->failed);
	if (f->failure) {
		put_word(&w, "failure", failure_word(failure_find(f->failure)));
		put_word(&w, "side", f->side == LEG_CLIENT ? "client" : "server");
	}
	put_text(&w, "reason", view_reason(f, reason, sizeof(reason)));
	if (f->way == WAY_CAPTURE)
		put_capture(&w, f);
	else
		put_text(&w, "dark", f->dark);
	if (f->gap_bytes)
		put_number(&w, "gap_bytes", f->gap_bytes);
	put_str(&w, "}\n");
	return put_end(&w);
}

int message_json(struct buf *out, const struct json_options *o, const struct flow_info *f,
		 const struct flow_message *m, struct err *e)
{
	struct put w = put_init(out, e);
	struct view_body v;

	put_begin(&w, "message", m->wall_ns, f->flow);
	if (m->index && f->way == WAY_CAPTURE)
		put_id(&w, f->flow, m->index);
	else if (m->n)
		put_number(&w, "n", m->n);
	put_word(&w, "proto", flow_proto_text(m->proto));
	put_word(&w, "direction", m->dir == DIR_UP ? "up" : "down");
	if (m->opcode)
		put_word(&w, "opcode", ws_opcode_text(m->opcode));
	put_number(&w, "bytes", m->bytes);
	put_text(&w, "coding", m->coding);
	if (shows_bodies(o)) {
		view_message_init(&v, m, o->body_max ? o->body_max : VIEW_BODY_MAX);
		put_open(&w, "data", '{');
		put_data(&w, v.data, v.cut);
		put_mark(&w, "coded", v.coded);
		put_char(&w, '}');
		view_body_fini(&v);
	}
	put_str(&w, "}\n");
	return put_end(&w);
}
