#include "http/http1.h"

#include <llhttp.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/head1.h"

enum side_state {
	SIDE_IDLE, /* between messages */
	SIDE_HEAD,
	SIDE_BODY,
	SIDE_TRAILERS,
	SIDE_SWITCHED,
	SIDE_FAILED,
};

/* What must be known of a request when its answer comes. */
enum pending { PENDING_PLAIN, PENDING_HEAD, PENDING_CONNECT, PENDING_UPGRADE };

struct side {
	llhttp_t parser; /* its data points to the struct run of the call that is under way */
	struct head1_kept *kept; /* of a head or trailers that began in an earlier call, or NULL */
	uint64_t stream;
	uint64_t body;
	enum side_state state;
	bool until_close; /* only the end of the connection ends the body */
	uint64_t left;	  /* of the body, or of its chunk, to come; when it ends by itself */
	bool torn;	  /* a part of the body is missing */
};

struct http1 {
	const struct http_sink *sink;
	struct side sides[2];
	uint64_t requests;		     /* exchanges so far */
	uint8_t waiting[HTTP1_PIPELINE_MAX]; /* enum pending: a ring */
	uint8_t first, count;
	bool seen;
	struct http1_switch next;
};

/* One call of http1_feed. */
struct run {
	struct http1 *h;
	struct side *side;
	enum http_dir dir;
	const uint8_t *in;     /* what the parser runs over */
	const uint8_t *anchor; /* where the head begins in it, if it does here; or NULL */
	struct head1 *head;    /* own, or the kept one */
	struct err *e;
	bool failed; /* e is filled */
	struct head1 own;
};

static bool is_interim(unsigned status)
{
	return status / 100 == 1 && status != 101;
}

/* Where a piece lies in its head. */
static struct span span_of(struct run *r, const char *at, size_t n)
{
	const uint8_t *p = (const uint8_t *)at;
	size_t before = 0, offset;

	if (r->side->kept) {
		before = r->side->kept->text.n;
		offset = before + (size_t)(p - r->in);
	} else {
		if (!r->anchor)
			r->anchor = p;
		offset = (size_t)(p - r->anchor);
	}
	/* Beyond the limit numbers are only kept from wrapping: head1_extend refuses them. */
	if (offset > HTTP_HEAD_MAX || n > HTTP_HEAD_MAX)
		return (struct span){ HTTP_HEAD_MAX, HTTP_HEAD_MAX };
	return (struct span){ (uint32_t)offset, (uint32_t)n };
}

static int fail_run(struct run *r)
{
	r->failed = true;
	return -1;
}

static int too_large(struct run *r)
{
	FAIL(r->e, LIMIT, "HTTP/1.1: a head of more than %d bytes or %d headers", HTTP_HEAD_MAX,
	     HTTP_HEADERS_MAX);
	return fail_run(r);
}

static int on_target(llhttp_t *p, const char *at, size_t n)
{
	struct run *r = p->data;

	return head1_extend(&r->head->target, span_of(r, at, n)) ? 0 : too_large(r);
}

static int on_reason(llhttp_t *p, const char *at, size_t n)
{
	struct run *r = p->data;

	return head1_extend(&r->head->reason, span_of(r, at, n)) ? 0 : too_large(r);
}

static int on_name(llhttp_t *p, const char *at, size_t n)
{
	struct run *r = p->data;

	/* In the trailers, here is where their text begins. */
	if (r->side->state == SIDE_BODY)
		r->side->state = SIDE_TRAILERS;
	return head1_name(r->head, span_of(r, at, n)) ? 0 : too_large(r);
}

static int on_name_complete(llhttp_t *p)
{
	struct run *r = p->data;

	r->head->named = true;
	return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
	struct run *r = p->data;

	return head1_value(r->head, span_of(r, at, n)) ? 0 : too_large(r);
}

/* The text of the head in one piece, as far as its parts reach. */
static int head_text(struct run *r, struct bytes *text)
{
	size_t reach = head1_reach(r->head);
	struct head1_kept *kept = r->side->kept;

	if (!kept) {
		*text = bytes_of(r->anchor, r->anchor ? reach : 0);
		return 0;
	}
	if (reach > kept->text.n &&
	    buf_add(&kept->text, bytes_of(r->in, reach - kept->text.n), r->e) < 0)
		return fail_run(r);
	*text = buf_bytes(&kept->text);
	return 0;
}

/* The head was handed over; what follows begins a new one. */
static void head_done(struct run *r)
{
	head1_kept_free(r->side->kept);
	r->side->kept = NULL;
	r->anchor = NULL;
	r->head = &r->own;
	head1_reset(r->head);
}

static int push_request(struct run *r, enum pending kind)
{
	struct http1 *h = r->h;

	if (h->count == HTTP1_PIPELINE_MAX) {
		FAIL(r->e, LIMIT, "HTTP/1.1: more than %d requests wait for an answer",
		     HTTP1_PIPELINE_MAX);
		return fail_run(r);
	}
	h->waiting[(h->first + h->count) % HTTP1_PIPELINE_MAX] = (uint8_t)kind;
	h->count++;
	r->side->stream = ++h->requests;
	return 0;
}

static int request_head(struct run *r, struct http_head *head, struct bytes text)
{
	const llhttp_t *p = &r->side->parser;
	enum pending kind = PENDING_PLAIN;
	const struct bytes *host;

	if (p->method == HTTP_HEAD)
		kind = PENDING_HEAD;
	else if (p->method == HTTP_CONNECT)
		kind = PENDING_CONNECT;
	else if (p->upgrade)
		kind = PENDING_UPGRADE;
	if (push_request(r, kind) < 0)
		return -1;
	head->method = bytes_str(llhttp_method_name((llhttp_method_t)p->method));
	head1_target(head1_part(text, r->head->target), kind == PENDING_CONNECT, head);
	if (head->authority.n == 0) {
		host = http_find(head->headers, head->header_count, "host");
		head->authority = host ? *host : bytes_of(NULL, 0);
	}
	return 0;
}

/* The request that a response answers. One that answers none (a time-out of the server, as a rule)
 * gets a number of its own. */
static enum pending answered(struct run *r, bool interim)
{
	struct http1 *h = r->h;
	enum pending kind;

	if (h->count == 0) {
		r->side->stream = ++h->requests;
		return PENDING_PLAIN;
	}
	kind = (enum pending)h->waiting[h->first];
	r->side->stream = h->requests - h->count + 1;
	if (!interim) {
		h->first = (uint8_t)((h->first + 1) % HTTP1_PIPELINE_MAX);
		h->count--;
	}
	return kind;
}

static void note_switch(struct run *r, enum pending kind, struct http_head *head)
{
	struct http1_switch *next = &r->h->next;
	const struct bytes *upgrade = http_find(head->headers, head->header_count, "upgrade");
	const struct bytes *extensions =
		http_find(head->headers, head->header_count, "sec-websocket-extensions");

	r->side->state = SIDE_SWITCHED;
	next->next = HTTP1_TO_BYTES;
	next->stream = r->side->stream;
	if (kind == PENDING_CONNECT || !upgrade)
		return;
	if (bytes_equal_nocase(*upgrade, bytes_str("websocket"))) {
		head->proto = HTTP_WEBSOCKET;
		next->next = HTTP1_TO_WEBSOCKET;
		next->ws = websocket_params(extensions ? *extensions : bytes_of(NULL, 0));
	}
	/* Stream 1 can only be the first exchange. */
	if (bytes_equal_nocase(*upgrade, bytes_str("h2c")) && next->stream == 1) {
		next->next = HTTP1_TO_HTTP2;
		head->interim = true;
	}
}

/* What llhttp wants to hear of a response's body. */
enum { HAS_BODY = 0, NO_BODY = 1, NO_BODY_AND_SWITCH = 2 };

static int response_head(struct run *r, struct http_head *head, struct bytes text)
{
	const llhttp_t *p = &r->side->parser;
	enum pending kind;

	head->status = p->status_code;
	head->reason = head1_part(text, r->head->reason);
	head->interim = is_interim(head->status);
	kind = answered(r, head->interim);
	if (head->status == 101 || (kind == PENDING_CONNECT && head->status / 100 == 2)) {
		note_switch(r, kind, head);
		return NO_BODY_AND_SWITCH;
	}
	if (head->interim || kind == PENDING_HEAD || head->status == 204 || head->status == 304)
		return NO_BODY;
	r->side->until_close = llhttp_message_needs_eof(p);
	return HAS_BODY;
}

static int on_headers_complete(llhttp_t *p)
{
	struct run *r = p->data;
	struct http_header headers[HTTP_HEADERS_MAX];
	struct http_head head = {
		.proto = HTTP_1,
		.dir = r->dir,
		.version_major = p->http_major,
		.version_minor = p->http_minor,
		.headers = headers,
		.header_count = r->head->count,
		.odd = r->head->odd,
	};
	struct bytes text;
	int body = HAS_BODY;

	if (head_text(r, &text) < 0)
		return -1;
	/* Its length cannot be known (RFC 9112, 6.3). */
	if (r->dir == HTTP_UP && p->flags & F_TRANSFER_ENCODING && !(p->flags & F_CHUNKED)) {
		FAIL(r->e, HTTP_DECODE, "HTTP/1.1 request: Transfer-Encoding without chunked");
		return fail_run(r);
	}
	head1_headers(r->head, text, headers);
	if (p->flags & F_CONTENT_LENGTH && p->flags & F_TRANSFER_ENCODING)
		head.odd |= HTTP_ODD_LENGTH_AND_CODING;
	r->side->state = SIDE_BODY;
	r->side->body = 0;
	r->side->until_close = r->side->torn = false;
	r->side->left = p->flags & F_CONTENT_LENGTH ? p->content_length : 0;
	body = r->dir == HTTP_UP ? request_head(r, &head, text) : response_head(r, &head, text);
	if (body < 0)
		return -1;
	head.stream = r->side->stream;
	r->h->seen = true;
	r->h->sink->on_head(r->h->sink->ctx, &head);
	head_done(r);
	return body;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
	struct run *r = p->data;
	const struct http_sink *sink = r->h->sink;
	struct http_chunk chunk = {
		.proto = HTTP_1,
		.dir = r->dir,
		.stream = r->side->stream,
		.data = bytes_of(at, n),
	};

	r->side->body += n;
	r->side->left -= n < r->side->left ? n : r->side->left;
	if (sink->on_body)
		sink->on_body(sink->ctx, &chunk);
	return 0;
}

static int on_chunk_header(llhttp_t *p)
{
	struct run *r = p->data;

	r->side->left = p->content_length;
	return 0;
}

static void hand_over_end(struct http1 *h, enum http_dir dir, struct http_end *end)
{
	end->proto = HTTP_1;
	end->dir = dir;
	end->stream = h->sides[dir].stream;
	end->body_bytes = h->sides[dir].body;
	end->grpc_status = -1;
	end->truncated |= h->sides[dir].torn;
	h->sink->on_end(h->sink->ctx, end);
}

static int on_message_complete(llhttp_t *p)
{
	struct run *r = p->data;
	struct http_header trailers[HTTP_HEADERS_MAX];
	struct http_end end = { .trailers = trailers, .trailer_count = r->head->count };
	struct bytes text;

	/* The response that switches ends with what comes after it, and is interim before HTTP/2;
	 * other interim ones have no end at all. */
	if (r->side->state == SIDE_SWITCHED)
		return 0;
	if (r->dir == HTTP_UP || !is_interim(p->status_code)) {
		if (head_text(r, &text) < 0)
			return -1;
		head1_headers(r->head, text, trailers);
		hand_over_end(r->h, r->dir, &end);
	}
	head_done(r);
	r->side->state = SIDE_IDLE;
	/* So that http1_feed learns where the next message begins. */
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_url = on_target,
	.on_status = on_reason,
	.on_header_field = on_name,
	.on_header_field_complete = on_name_complete,
	.on_header_value = on_value,
	.on_headers_complete = on_headers_complete,
	.on_chunk_header = on_chunk_header,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

int http1_new(const struct http_sink *sink, struct http1 **out, struct err *e)
{
	struct http1 *h = mem_new(sizeof(*h));

	if (!h)
		return FAIL(e, NOMEM, "an HTTP/1.1 decoder");
	h->sink = sink;
	for (int dir = HTTP_UP; dir <= HTTP_DOWN; dir++) {
		llhttp_t *p = &h->sides[dir].parser;

		llhttp_init(p, dir == HTTP_UP ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
		/* Observing: bare LF and control characters are read as they come; where there are
		 * two lengths RFC 9112, 6.3 decides; messages after "Connection: close" were sent,
		 * so they are read. What is odd is reported. */
		llhttp_set_lenient_headers(p, 1);
		llhttp_set_lenient_chunked_length(p, 1);
		llhttp_set_lenient_keep_alive(p, 1);
	}
	*out = h;
	return 0;
}

void http1_free(struct http1 *h)
{
	if (!h)
		return;
	head1_kept_free(h->sides[HTTP_UP].kept);
	head1_kept_free(h->sides[HTTP_DOWN].kept);
	mem_free(h);
}

/* Keeps what came of a head or of trailers. */
static int keep(struct run *r, const uint8_t *end)
{
	struct side *side = r->side;
	const uint8_t *from = side->kept ? r->in : r->anchor;
	struct head1_kept *kept = side->kept;

	if (!from || (side->state != SIDE_HEAD && side->state != SIDE_TRAILERS))
		return 0;
	if (!kept) {
		kept = mem_new(sizeof(*kept));
		if (!kept)
			return FAIL(r->e, NOMEM, "an HTTP/1.1 head");
		kept->text = buf_init(HTTP_HEAD_MAX);
		kept->head = *r->head;
		side->kept = kept;
	}
	if ((size_t)(end - from) > buf_room(&kept->text))
		return FAIL(r->e, LIMIT, "HTTP/1.1: a head of more than %d bytes", HTTP_HEAD_MAX);
	return buf_add(&kept->text, bytes_of(from, (size_t)(end - from)), r->e);
}

static const uint8_t *skip_empty_lines(const uint8_t *p, const uint8_t *end)
{
	while (p < end && (*p == '\r' || *p == '\n'))
		p++;
	return p;
}

/* Runs the parser from *p to the end of a message or of the input, and keeps what must be kept. */
static int run_message(struct run *r, const uint8_t **p, const uint8_t *end)
{
	llhttp_t *parser = &r->side->parser;
	llhttp_errno_t status;

	r->in = *p;
	status = llhttp_execute(parser, (const char *)*p, (size_t)(end - *p));
	*p = status == HPE_OK ? end : (const uint8_t *)llhttp_get_error_pos(parser);
	if (status == HPE_OK)
		return keep(r, end);
	if (status == HPE_PAUSED) {
		llhttp_resume(parser);
		return 0;
	}
	/* A request that asks for an upgrade: until it is granted HTTP/1.1 goes on. */
	if (status == HPE_PAUSED_UPGRADE) {
		llhttp_resume_after_upgrade(parser);
		return 0;
	}
	if (r->failed)
		return -1;
	return FAIL(r->e, HTTP_DECODE, "HTTP/1.1 %s: %s",
		    r->dir == HTTP_UP ? "request" : "response",
		    parser->reason ? parser->reason : llhttp_errno_name(status));
}

/* The message that was under way ends here; at is where the parser stopped. */
static enum http1_status fail_side(struct run *r, struct bytes in, const uint8_t *at, size_t *used)
{
	enum side_state state = r->side->state;
	struct http_end end = { .truncated = true };

	if (state == SIDE_HEAD && r->anchor)
		at = r->anchor;
	*used = r->side->kept ? 0 : (size_t)(at - in.p);
	r->side->state = SIDE_FAILED;
	if (state == SIDE_BODY || state == SIDE_TRAILERS)
		hand_over_end(r->h, r->dir, &end);
	return HTTP1_FAILED;
}

/* A switch is only understood when the client waited for it, as it must. */
static enum http1_status switch_sides(struct run *r)
{
	struct side *up = &r->h->sides[HTTP_UP];

	if (up->state != SIDE_IDLE || r->h->count) {
		FAIL(r->e, HTTP_DECODE,
		     "HTTP/1.1: the protocol was switched while other requests were under way");
		return HTTP1_FAILED;
	}
	up->state = SIDE_SWITCHED;
	return HTTP1_SWITCHED;
}

enum http1_status http1_feed(struct http1 *h, enum http_dir dir, struct bytes in, size_t *used,
			     struct err *e)
{
	struct side *side = &h->sides[dir];
	const uint8_t *p = in.p, *end;
	struct run r;

	*used = 0;
	if (side->state == SIDE_FAILED) {
		FAIL(e, HTTP_DECODE, "HTTP/1.1: it was malformed or ended before");
		return HTTP1_FAILED;
	}
	if (in.n == 0)
		return HTTP1_OPEN;
	end = in.p + in.n;
	r.h = h;
	r.side = side;
	r.dir = dir;
	r.e = e;
	r.failed = false;
	r.anchor = NULL;
	r.head = side->kept ? &side->kept->head : &r.own;
	if (!side->kept)
		head1_reset(&r.own);
	side->parser.data = &r;
	while (p < end && side->state < SIDE_SWITCHED) {
		if (side->state == SIDE_IDLE) {
			p = skip_empty_lines(p, end);
			if (p == end)
				break;
			side->state = SIDE_HEAD;
			r.anchor = p;
		}
		if (run_message(&r, &p, end) < 0)
			return fail_side(&r, in, p, used);
	}
	side->parser.data = NULL;
	*used = (size_t)(p - in.p);
	return side->state == SIDE_SWITCHED ? switch_sides(&r) : HTTP1_OPEN;
}

bool http1_gap(struct http1 *h, enum http_dir dir, uint64_t n)
{
	struct side *side = &h->sides[dir];

	if (side->state != SIDE_BODY || (!side->until_close && n >= side->left))
		return false;
	if (!side->until_close) {
		side->left -= n;
		side->parser.content_length -= n;
	}
	side->body += n;
	side->torn = true;
	return true;
}

void http1_end(struct http1 *h, enum http_dir dir, bool clean)
{
	struct side *side = &h->sides[dir];
	struct http_end end = { .truncated = !(side->until_close && clean) };

	if (side->state == SIDE_BODY || side->state == SIDE_TRAILERS)
		hand_over_end(h, dir, &end);
	if (side->state != SIDE_SWITCHED)
		side->state = SIDE_FAILED;
}

struct bytes http1_pending(const struct http1 *h, enum http_dir dir)
{
	const struct head1_kept *kept = h->sides[dir].kept;

	return kept ? buf_bytes(&kept->text) : bytes_of(NULL, 0);
}

size_t http1_waiting(const struct http1 *h)
{
	return h->count;
}

bool http1_idle(const struct http1 *h)
{
	return h->count == 0 && h->sides[HTTP_UP].state == SIDE_IDLE &&
	       h->sides[HTTP_DOWN].state == SIDE_IDLE;
}

bool http1_seen(const struct http1 *h)
{
	return h->seen;
}

const struct http1_switch *http1_switched(const struct http1 *h)
{
	return &h->next;
}
