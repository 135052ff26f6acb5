#include "flow/har.h"

#include "flow/har_part.h"

#define HAR_BODY_MAX (1 << 20)
#define TAIL "\n]}}\n"

static struct har_options with_defaults(const struct har_options *o)
{
	struct har_options options = *o;

	if (!options.body_max)
		options.body_max = HAR_BODY_MAX;
	return options;
}

int har_begin(struct har *h, const struct har_options *o, struct buf *out, struct err *e)
{
	struct put w = put_init(out, e);
	size_t start = out->n;

	put_str(&w, "{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"oriel\",\"version\":");
	put_json(&w, bytes_str(o->version));
	put_str(&w, "},\"pages\":[],\"entries\":[");
	put_str(&w, TAIL);
	if (put_end(&w) < 0)
		return -1;
	*h = (struct har){ .options = with_defaults(o), .first = out->n - start - strlen(TAIL) };
	h->at = h->first;
	return 0;
}

static void put_size(struct put *w, const char *name, int64_t n)
{
	put_key(w, name);
	if (n < 0)
		put_str(w, "-1");
	else
		put_u64(w, (uint64_t)n);
}

static void put_http_name(struct put *w, const struct exchange *x)
{
	put_key(w, "httpVersion");
	put_str(w, "\"HTTP/");
	put_http_version(w, x);
	put_char(w, '"');
}

static void put_headers(struct put *w, const struct message *m, bool mask)
{
	put_key(w, "headers");
	put_char(w, '[');
	for (size_t i = 0; i < m->header_count; i++) {
		put_str(w, i ? ",{\"name\":" : "{\"name\":");
		put_json(w, m->headers[i].name);
		put_str(w, ",\"value\":\"");
		put_header_value(w, &m->headers[i], mask, VIEW_JSON);
		put_str(w, "\"}");
	}
	put_char(w, ']');
}

/* The bytes of a head in HTTP/1, as far as they are known; -1: they are not. start is the length of
 * its first line without CRLF. */
static int64_t head_size(const struct exchange *x, const struct message *m, size_t start)
{
	if (x->version_major != 1 || !m->seen || m->headers_cut || m->trailer_count)
		return -1;
	return (int64_t)(start + 4 + m->header_bytes + 4 * m->header_count);
}

static void put_request(struct put *w, const struct har_options *o, const struct exchange *x)
{
	const struct message *m = &x->request;
	/* "METHOD target HTTP/1.1"; the target may have come in absolute form, which is rare. */
	size_t line = x->method.n + 1 + (x->path.n ? x->path.n : x->authority.n) + 9;

	put_key(w, "request");
	put_str(w, "{\"method\":");
	put_json(w, x->method);
	put_str(w, ",\"url\":\"");
	put_url(w, x, o->mask, VIEW_JSON);
	put_char(w, '"');
	put_http_name(w, x);
	har_cookies(w, m, o->mask);
	put_headers(w, m, o->mask);
	har_query(w, x->path, o->mask);
	if (m->body_bytes)
		har_post_data(w, m, o);
	put_size(w, "headersSize", head_size(x, m, line));
	put_size(w, "bodySize", (int64_t)m->body_bytes);
	put_char(w, '}');
}

static void put_response(struct put *w, const struct har_options *o, const struct exchange *x)
{
	const struct message *m = &x->response;
	struct flow_header location = { bytes_str("location"), message_header(m, "location") };

	put_key(w, "response");
	put_str(w, "{\"status\":");
	put_u64(w, x->status);
	put_str(w, ",\"statusText\":");
	put_json(w, x->reason);
	put_http_name(w, x);
	har_set_cookies(w, m, o->mask);
	put_headers(w, m, o->mask);
	har_content(w, m, o);
	put_key(w, "redirectURL");
	put_char(w, '"');
	put_header_value(w, &location, o->mask, VIEW_JSON);
	put_char(w, '"');
	put_size(w, "headersSize", head_size(x, m, 8 + 1 + 3 + 1 + x->reason.n));
	put_size(w, "bodySize", m->seen ? (int64_t)m->body_bytes : -1);
	put_char(w, '}');
}

struct timings {
	int64_t connect, send, wait, receive; /* ns; connect 0: none */
};

static struct timings timings(const struct flow_info *f, const struct exchange *x)
{
	int64_t end = x->end_ns > 0 ? x->end_ns : 0;
	int64_t sent = x->request_end_ns > 0 ? x->request_end_ns : 0;
	int64_t answered = x->response_ns >= 0 ? x->response_ns : end;
	enum flow_leg server = f->way == WAY_CAPTURE ? LEG_CLIENT : LEG_SERVER;

	/* An answer that came before the request's end was not waited for. */
	if (sent > answered)
		sent = answered;
	return (struct timings){
		.connect = x->first ? f->leg[server].handshake_ns : 0,
		.send = sent,
		.wait = answered - sent,
		.receive = end > answered ? end - answered : 0,
	};
}

static void put_timings(struct put *w, const struct timings *t)
{
	put_str(w, ",\"cache\":{},\"timings\":{\"blocked\":-1,\"dns\":-1,\"connect\":");
	if (t->connect)
		put_ms(w, t->connect);
	else
		put_str(w, "-1");
	put_key(w, "ssl");
	if (t->connect)
		put_ms(w, t->connect);
	else
		put_str(w, "-1");
	put_key(w, "send");
	put_ms(w, t->send);
	put_key(w, "wait");
	put_ms(w, t->wait);
	put_key(w, "receive");
	put_ms(w, t->receive);
	put_char(w, '}');
}

/* Where the server is, and how long the handshake with it took: a captured flow has one leg. */
static const struct addr *server_of(const struct flow_info *f)
{
	return f->way == WAY_CAPTURE ? &f->local : &f->leg[LEG_SERVER].remote;
}

static void put_entry(struct put *w, const struct har_options *o, const struct flow_info *f,
		      const struct exchange *x)
{
	struct timings t = timings(f, x);

	put_str(w, "{\"startedDateTime\":\"");
	put_time(w, x->wall_ns - t.connect);
	put_str(w, "\",\"time\":");
	put_ms(w, t.connect + t.send + t.wait + t.receive);
	put_request(w, o, x);
	put_response(w, o, x);
	put_timings(w, &t);
	if (server_of(f)->family != ADDR_NONE) {
		put_key(w, "serverIPAddress");
		put_char(w, '"');
		put_addr(w, server_of(f), false);
		put_char(w, '"');
	}
	put_key(w, "connection");
	put_char(w, '"');
	put_flow(w, x->flow);
	put_char(w, '"');
	if (x->cut || x->response.truncated)
		put_str(w, ",\"comment\":\"cut off before its end\"");
	else if (x->unknown)
		put_str(w, ",\"comment\":\"? stands for what is not known of its heads\"");
	put_char(w, '}');
}

int har_render(const struct har_options *o, struct buf *out, const struct flow_info *f,
	       const struct exchange *x, struct err *e)
{
	struct har_options options = with_defaults(o);
	struct put w = put_init(out, e);

	put_entry(&w, &options, f, x);
	return put_end(&w);
}

/* start: the bytes that were there before the entry. */
static int end_entry(struct har *h, struct put *w, size_t start)
{
	put_str(w, TAIL);
	if (put_end(w) < 0)
		return -1;
	h->at += w->b->n - start - strlen(TAIL);
	h->entries++;
	return 0;
}

int har_add(struct har *h, struct buf *out, struct bytes entry, struct err *e)
{
	struct put w = put_init(out, e);
	size_t start = out->n;

	put_str(&w, h->at > h->first ? ",\n" : "\n");
	put_bytes(&w, entry);
	return end_entry(h, &w, start);
}

int har_entry(struct har *h, struct buf *out, const struct flow_info *f, const struct exchange *x,
	      struct err *e)
{
	struct put w = put_init(out, e);
	size_t start = out->n;

	put_str(&w, h->at > h->first ? ",\n" : "\n");
	put_entry(&w, &h->options, f, x);
	return end_entry(h, &w, start);
}
