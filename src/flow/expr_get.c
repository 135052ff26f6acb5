#include "flow/expr_field.h"

#include "flow/observe.h"
#include "flow/view.h"

static bool yes(size_t i, bool is, struct expr_value *v)
{
	v->n = 1;
	return i == 0 && is;
}

/* A yes or no that is always known. */
static bool either(size_t i, bool is, struct expr_value *v)
{
	v->n = is;
	return i == 0;
}

static bool text(struct bytes t, struct expr_value *v)
{
	v->text = t;
	return t.n > 0;
}

static bool word(size_t i, const char *w, struct expr_value *v)
{
	return i == 0 && w && text(bytes_str(w), v);
}

EXPR_GET(expr_get_time)
{
	(void)arg;
	if (s->message)
		v->n = s->message->wall_ns;
	else
		v->n = s->exchange ? s->exchange->wall_ns : s->flow->start_wall_ns;
	return i == 0;
}

EXPR_GET(expr_get_duration)
{
	(void)arg;
	v->n = s->exchange ? s->exchange->end_ns : s->flow->duration_ns;
	return i == 0 && v->n >= 0 && (s->exchange || s->flow->ended);
}

EXPR_GET(expr_get_first_byte)
{
	(void)arg;
	if (i || !s->exchange || s->exchange->response_ns < 0)
		return false;
	v->n = s->exchange->response_ns;
	return true;
}

EXPR_GET(expr_get_http2_stream)
{
	(void)arg;
	if (i || !s->exchange || s->exchange->version_major != 2)
		return false;
	v->n = (int64_t)s->exchange->stream;
	return true;
}

EXPR_GET(expr_get_way)
{
	(void)arg;
	return word(i, flow_way_text(s->flow->way), v);
}

EXPR_GET(expr_get_action)
{
	(void)arg;
	return word(i, flow_action_text(s->flow->action), v);
}

EXPR_GET(expr_get_proto)
{
	enum flow_proto p = s->flow->proto;

	(void)arg;
	if (s->exchange)
		p = s->exchange->proto;
	else if (s->message)
		p = s->message->proto;
	return word(i, flow_proto_text(p), v);
}

EXPR_GET(expr_get_state)
{
	(void)arg;
	/* Of what goes over it still nobody knows. */
	return s->flow->ended && word(i, flow_state_text(s->flow), v);
}

EXPR_GET(expr_get_sight)
{
	(void)arg;
	return word(i, flow_sight_text(s->flow), v);
}

EXPR_GET(expr_get_tcp)
{
	(void)arg;
	return yes(i, !(s->flow->flow & FLOW_UDP), v);
}

EXPR_GET(expr_get_udp)
{
	(void)arg;
	return yes(i, s->flow->flow & FLOW_UDP, v);
}

EXPR_GET(expr_get_decrypted)
{
	(void)arg;
	return either(i, s->flow->dark.n == 0 && s->flow->capture.darks == 0, v);
}

EXPR_GET(expr_get_dark_why)
{
	(void)arg;
	return s->flow->capture.darks && word(i, dark_why_text(s->flow->capture.why), v);
}

EXPR_GET(expr_get_failure)
{
	(void)arg;
	return word(i, s->flow->failure, v);
}

EXPR_GET(expr_get_bytes)
{
	const struct exchange *x = s->exchange;

	(void)arg;
	if (s->message)
		v->n = (int64_t)s->message->bytes;
	else if (x)
		v->n = (int64_t)(x->request.body_bytes + x->response.body_bytes);
	else
		v->n = (int64_t)(s->flow->bytes_up + s->flow->bytes_down);
	return i == 0 && (s->message || x || s->flow->ended);
}

EXPR_GET(expr_get_tls)
{
	const struct flow_info *f = s->flow;

	(void)arg;
	return yes(i,
		   f->hello_seen || f->capture.encrypted || f->leg[0].version || f->leg[1].version,
		   v);
}

EXPR_GET(expr_get_verdict)
{
	(void)arg;
	return s->flow->verdict != CHAIN_UNCHECKED &&
	       word(i, chain_verdict_text(s->flow->verdict), v);
}

EXPR_GET(expr_get_alert)
{
	(void)arg;
	for (size_t leg = 0; leg < 2; leg++) {
		if (!s->flow->leg[leg].alert_seen || i--)
			continue;
		v->n = s->flow->leg[leg].alert;
		return true;
	}
	return false;
}

EXPR_GET(expr_get_handshake_type)
{
	uint64_t types = s->flow->capture.handshake_types;

	(void)arg;
	/* The proxy tells no more than that there was one. */
	if (s->flow->hello_seen)
		types |= 2;
	for (unsigned type = 0; type < 64; type++) {
		if (!(types >> type & 1) || i--)
			continue;
		v->n = type;
		return true;
	}
	return false;
}

EXPR_GET(expr_get_http)
{
	(void)arg;
	return yes(i, s->exchange != NULL, v);
}

EXPR_GET(expr_get_http2)
{
	const struct exchange *x = s->exchange;

	(void)arg;
	if (x)
		return yes(i, x->version_major == 2, v);
	return yes(i, observe_alpn_is_http2(s->flow->leg[LEG_CLIENT].alpn), v);
}

static bool speaks(const struct expr_subject *s, enum flow_proto p)
{
	return (s->exchange && s->exchange->proto == p) || (s->message && s->message->proto == p);
}

EXPR_GET(expr_get_grpc)
{
	(void)arg;
	return yes(i, speaks(s, PROTO_GRPC), v);
}

EXPR_GET(expr_get_websocket)
{
	(void)arg;
	return yes(i, speaks(s, PROTO_WEBSOCKET), v);
}

static struct put compose(struct expr_subject *s)
{
	buf_clear(s->room);
	return put_init(s->room, NULL);
}

/* What does not fit into the room is not there. */
static bool composed(struct put *w, struct expr_value *v)
{
	return put_end(w) == 0 && text(buf_bytes(w->b), v);
}

EXPR_GET(expr_get_id)
{
	struct put w;

	(void)arg;
	if (i || !s->exchange)
		return false;
	w = compose(s);
	put_exchange_name(&w, s->exchange->flow, s->exchange->index);
	return composed(&w, v);
}

/* "1.1" and "HTTP/1.1" */
EXPR_GET(expr_get_http_version)
{
	struct put w;

	(void)arg;
	if (i > 1 || !s->exchange)
		return false;
	w = compose(s);
	if (i == 1)
		put_str(&w, "HTTP/");
	put_http_version(&w, s->exchange);
	return composed(&w, v);
}

EXPR_GET(expr_get_url)
{
	struct put w;

	(void)arg;
	if (i || !s->exchange || !s->exchange->request.seen)
		return false;
	w = compose(s);
	put_url(&w, s->exchange, false, VIEW_RAW);
	return composed(&w, v);
}

EXPR_GET(expr_get_path)
{
	struct bytes path;

	(void)arg;
	if (i || !s->exchange)
		return false;
	path = s->exchange->path;
	return text(bytes_slice(path, 0, bytes_index(path, '?')), v);
}

EXPR_GET(expr_get_query)
{
	struct bytes path;

	(void)arg;
	if (i || !s->exchange)
		return false;
	path = s->exchange->path;
	return text(bytes_slice(path, bytes_index(path, '?') + 1, path.n), v);
}

/* As it was said, and without the port. */
EXPR_GET(expr_get_host)
{
	struct bytes host;

	(void)arg;
	if (i > 1 || !s->exchange)
		return false;
	host = s->exchange->authority;
	if (i == 1 && host.n && host.p[0] != '[')
		host = bytes_slice(host, 0, bytes_index(host, ':'));
	return text(host, v);
}

/* Counts *i down over the headers of that name, trailers too. */
static bool header(const struct message *m, struct bytes name, size_t *i, struct expr_value *v)
{
	size_t count = m->header_count + m->trailer_count;

	for (size_t k = 0; k < count; k++) {
		const struct flow_header *h =
			k < m->header_count ? &m->headers[k] : &m->trailers[k - m->header_count];

		if (!bytes_equal_nocase(h->name, name) || (*i)--)
			continue;
		v->text = h->value;
		return true;
	}
	return false;
}

EXPR_GET(expr_get_request_header)
{
	return s->exchange && header(&s->exchange->request, arg, &i, v);
}

EXPR_GET(expr_get_response_header)
{
	return s->exchange && header(&s->exchange->response, arg, &i, v);
}

EXPR_GET(expr_get_header)
{
	return s->exchange && (header(&s->exchange->request, arg, &i, v) ||
			       header(&s->exchange->response, arg, &i, v));
}

EXPR_GET(expr_get_cut)
{
	const struct exchange *x = s->exchange;

	(void)arg;
	return x && either(i, x->cut || x->request.truncated || x->response.truncated, v);
}

EXPR_GET(expr_get_grpc_status)
{
	(void)arg;
	if (i || !s->exchange || s->exchange->grpc_status < 0)
		return false;
	v->n = s->exchange->grpc_status;
	return true;
}

EXPR_GET(expr_get_message)
{
	(void)arg;
	return yes(i, s->message != NULL, v);
}

EXPR_GET(expr_get_direction)
{
	(void)arg;
	return s->message && word(i, s->message->dir == DIR_UP ? "up" : "down", v);
}
