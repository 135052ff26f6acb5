#include "http/http2.h"

#include "base/mem.h"
#include "base/rd.h"
#include "http/block2.h"
#include "http/frame2.h"
#include "http/stream2.h"

#define SETTING_TABLE_SIZE 1
#define SETTING_MAX_FRAME_SIZE 5
#define SETTINGS_PENDING_MAX 16
#define NO_TABLE UINT32_MAX /* a SETTINGS frame that says nothing about the table */

struct side2 {
	size_t preface_have; /* upwards, unless late */
	bool begun;	     /* the first SETTINGS came */
	struct frame2 frame;
	struct block2 block;
	uint32_t block_stream, block_promised; /* of the block that is open; promised: or 0 */
	bool block_ends_stream;
	uint32_t announced; /* table size in the SETTINGS frame that is being read */
	/* What the other side announced, and this one has not acknowledged: one for each frame. */
	uint32_t pending[SETTINGS_PENDING_MAX];
	size_t pending_count;
	uint32_t table; /* acknowledged */
};

struct http2 {
	struct http2_options options;
	bool failed;
	uint32_t last_up, last_promised; /* the highest streams so far */
	uint32_t first_up;		 /* the first request that was seen; 0: none */
	struct streams2 streams;
	struct side2 sides[2];
};

int http2_new(const struct http2_options *options, struct http2 **out, struct err *e)
{
	struct http2 *h = mem_new(sizeof(*h));
	struct stream2 *s;

	if (!h)
		return FAIL(e, NOMEM, "an HTTP/2 decoder");
	h->options = *options;
	streams2_init(&h->streams);
	for (int dir = HTTP_UP; dir <= HTTP_DOWN; dir++) {
		frame2_init(&h->sides[dir].frame);
		block2_init(&h->sides[dir].block);
		h->sides[dir].block.late = options->late;
		h->sides[dir].table = (uint32_t)h->sides[dir].block.table;
		h->sides[dir].begun = options->late;
		h->sides[dir].announced = NO_TABLE;
	}
	if (options->upgraded) {
		if (streams2_add(&h->streams, 1, &s, e) < 0) {
			http2_free(h);
			return -1;
		}
		s->halves[HTTP_UP] = (struct half2){ .head = true, .ended = true };
		h->last_up = 1;
	}
	*out = h;
	return 0;
}

void http2_free(struct http2 *h)
{
	if (!h)
		return;
	streams2_fini(&h->streams);
	block2_fini(&h->sides[HTTP_UP].block);
	block2_fini(&h->sides[HTTP_DOWN].block);
	mem_free(h);
}

size_t http2_streams(const struct http2 *h)
{
	return h->streams.count;
}

static enum http_proto proto_of(const struct stream2 *s)
{
	return s->grpc ? HTTP_GRPC : HTTP_2;
}

/* How a half ends. */
struct ending {
	bool truncated;
	const struct http_header *trailers;
	size_t trailer_count;
};

/* Ends one half of a stream, once; the stream is gone when it was the other one's end too. */
static void end_half(struct http2 *h, struct stream2 *s, enum http_dir dir, struct ending how)
{
	struct half2 *half = &s->halves[dir];
	struct http_end end = {
		.proto = proto_of(s),
		.dir = dir,
		.stream = s->id,
		.body_bytes = half->body,
		.trailers = how.trailers,
		.trailer_count = how.trailer_count,
		.truncated = how.truncated,
		.grpc_status = dir == HTTP_DOWN && s->grpc ? s->grpc_status : -1,
	};

	if (!half->ended) {
		half->ended = true;
		if (s->ws)
			websocket_end(s->ws, dir, !how.truncated);
		else
			h->options.sink->on_end(h->options.sink->ctx, &end);
	}
	/* The request went by before: it has no end that could come. */
	if (h->options.late && dir == HTTP_DOWN && !s->halves[HTTP_UP].head &&
	    !s->halves[HTTP_UP].ended) {
		end_half(h, s, HTTP_UP, (struct ending){ 0 });
		return;
	}
	if (s->halves[HTTP_UP].ended && s->halves[HTTP_DOWN].ended)
		streams2_remove(&h->streams, s);
}

static void cut_stream(struct http2 *h, struct stream2 *s)
{
	bool last = s->halves[HTTP_UP].ended || s->halves[HTTP_DOWN].ended;
	struct ending cut = { .truncated = true };

	if (!last)
		end_half(h, s, HTTP_UP, cut);
	end_half(h, s, s->halves[HTTP_DOWN].ended ? HTTP_UP : HTTP_DOWN, cut);
}

static int open_stream(struct http2 *h, uint32_t id, struct stream2 **out, struct err *e)
{
	if (h->streams.count == HTTP2_STREAMS_MAX)
		cut_stream(h, streams2_oldest(&h->streams));
	return streams2_add(&h->streams, id, out, e);
}

static void request_head(struct stream2 *s, struct http_head *head)
{
	const struct bytes *type = http_find(head->headers, head->header_count, "content-type");

	s->grpc = type && grpc_content_type(*type);
	s->asks_websocket = bytes_equal(head->method, bytes_str("CONNECT")) &&
			    bytes_equal_nocase(head->protocol, bytes_str("websocket"));
}

static int response_head(struct http2 *h, struct stream2 *s, struct http_head *head, struct err *e)
{
	const struct bytes *extensions;
	struct websocket_options options = { .stream = s->id, .sink = h->options.sink };

	if (s->grpc)
		s->grpc_status = grpc_status(head->headers, head->header_count);
	if (!s->asks_websocket || head->status / 100 != 2)
		return 0;
	extensions = http_find(head->headers, head->header_count, "sec-websocket-extensions");
	options.params = websocket_params(extensions ? *extensions : bytes_of(NULL, 0));
	return websocket_new(&options, &s->ws, e);
}

static int hand_over_head(struct http2 *h, struct stream2 *s, struct http_head *head, struct err *e)
{
	if (head->dir == HTTP_UP)
		request_head(s, head);
	else if (!head->interim && response_head(h, s, head, e) < 0)
		return -1;
	head->stream = s->id;
	head->proto = s->ws && head->dir == HTTP_DOWN ? HTTP_WEBSOCKET : proto_of(s);
	head->version_major = 2;
	if (!head->interim)
		s->halves[head->dir].head = true;
	h->options.sink->on_head(h->options.sink->ctx, head);
	return 0;
}

static int hand_over_trailers(struct http2 *h, struct stream2 *s, const struct http_head *head,
			      bool ends, struct err *e)
{
	int status = grpc_status(head->headers, head->header_count);

	if (!ends)
		return FAIL(e, HTTP_DECODE, "HTTP/2: trailers in the midst of stream %u", s->id);
	if (head->dir == HTTP_DOWN && s->grpc && status >= 0)
		s->grpc_status = status;
	end_half(h, s, head->dir,
		 (struct ending){ .trailers = head->headers, .trailer_count = head->header_count });
	return 0;
}

/* Whether a stream that is not open was so once: frames that crossed its reset are no fault. */
static bool was_open(const struct http2 *h, uint32_t id)
{
	return id <= (id & 1 ? h->last_up : h->last_promised);
}

/* Its request may have gone by before this decoder came. */
static bool may_be_older(const struct http2 *h, enum http_dir dir, uint32_t id)
{
	return h->options.late && dir == HTTP_DOWN && id & 1 && id < h->first_up;
}

/* The stream that a HEADERS frame belongs to; NULL when it is to be ignored. */
static int stream_of_headers(struct http2 *h, enum http_dir dir, uint32_t id, struct stream2 **out,
			     struct err *e)
{
	bool new = (dir == HTTP_UP && id & 1) || h->options.late;

	*out = streams2_find(&h->streams, id);
	if (*out || (was_open(h, id) && !may_be_older(h, dir, id)))
		return 0;
	if (!new)
		return FAIL(e, HTTP_DECODE, "HTTP/2: %s on stream %u, which is not open",
			    dir == HTTP_UP ? "a request" : "a response", id);
	if (open_stream(h, id, out, e) < 0)
		return -1;
	if (dir == HTTP_UP && !h->first_up)
		h->first_up = id;
	if (id & 1)
		h->last_up = id > h->last_up ? id : h->last_up;
	else
		h->last_promised = id;
	return 0;
}

static int promised_head(struct http2 *h, struct side2 *side, struct http_head *head, struct err *e)
{
	struct stream2 *s;

	if (side->block_promised & 1 || was_open(h, side->block_promised))
		return FAIL(e, HTTP_DECODE, "HTTP/2: a promise of stream %u", side->block_promised);
	if (open_stream(h, side->block_promised, &s, e) < 0)
		return -1;
	h->last_promised = side->block_promised;
	head->dir = HTTP_UP;
	head->pushed = true;
	if (hand_over_head(h, s, head, e) < 0)
		return -1;
	end_half(h, s, HTTP_UP, (struct ending){ 0 });
	return 0;
}

/* A header block is complete: a request, a response, or trailers. */
static int block_done(struct http2 *h, enum http_dir dir, struct http_head *head, struct err *e)
{
	struct side2 *side = &h->sides[dir];
	struct stream2 *s;

	if (side->block_promised)
		return promised_head(h, side, head, e);
	if (stream_of_headers(h, dir, side->block_stream, &s, e) < 0)
		return -1;
	if (!s || s->halves[dir].ended)
		return 0;
	if (s->halves[dir].head && h->options.late && !side->block_ends_stream)
		return 0;
	if (s->halves[dir].head)
		return hand_over_trailers(h, s, head, side->block_ends_stream, e);
	if (!h->options.late && (dir == HTTP_UP ? head->method.n == 0 : head->status == 0))
		return FAIL(e, HTTP_DECODE,
			    "HTTP/2: a head on stream %u without :method or :status", s->id);
	head->interim = dir == HTTP_DOWN && head->status / 100 == 1;
	if (hand_over_head(h, s, head, e) < 0)
		return -1;
	if (side->block_ends_stream)
		end_half(h, s, dir, (struct ending){ 0 });
	return 0;
}

static int end_block(struct http2 *h, enum http_dir dir, struct err *e)
{
	struct block2 *block = &h->sides[dir].block;
	struct http_header headers[HTTP_HEADERS_MAX];
	struct http_head head = { .dir = dir, .headers = headers };
	int status;

	if (block2_finish(block, e) < 0 || block2_read(block, &head, headers, e) < 0)
		return -1;
	status = block_done(h, dir, &head, e);
	block2_clear(block);
	return status;
}

static int begin_block(struct http2 *h, enum http_dir dir, struct err *e)
{
	struct side2 *side = &h->sides[dir];
	bool bad = false;
	struct rd r = rd_init(frame2_fixed(&side->frame), &bad);

	side->block_stream = side->frame.stream;
	side->block_promised = 0;
	side->block_ends_stream =
		side->frame.type == FRAME2_HEADERS && side->frame.flags & FRAME2_END_STREAM;
	if (side->frame.type == FRAME2_PUSH_PROMISE) {
		side->block_promised = rd_u32(&r) & 0x7fffffff;
		if (dir == HTTP_UP || side->block_promised == 0)
			return FAIL(e, HTTP_DECODE, "HTTP/2: a promise that cannot be");
	}
	return block2_begin(&side->block, e);
}

static int data_piece(struct http2 *h, enum http_dir dir, struct bytes data, struct err *e)
{
	const struct http_sink *sink = h->options.sink;
	struct stream2 *s = streams2_find(&h->streams, h->sides[dir].frame.stream);
	struct http_chunk chunk = { .dir = dir, .data = data };

	if (!s || s->halves[dir].ended)
		return 0;
	s->halves[dir].body += data.n;
	if (s->ws) {
		/* A stream that is no WebSocket after all spoils only itself. */
		if (websocket_feed(s->ws, dir, data, e) < 0 && e && e->code == ERR_NOMEM)
			return -1;
		return 0;
	}
	chunk.proto = proto_of(s);
	chunk.stream = s->id;
	if (!s->grpc) {
		if (sink->on_body)
			sink->on_body(sink->ctx, &chunk);
		return 0;
	}
	while (grpc_next(&s->halves[dir].grpc, &data, &chunk))
		if (sink->on_body)
			sink->on_body(sink->ctx, &chunk);
	return 0;
}

static enum http_dir other(enum http_dir dir)
{
	return dir == HTTP_UP ? HTTP_DOWN : HTTP_UP;
}

static void setting(struct http2 *h, enum http_dir dir)
{
	struct side2 *side = &h->sides[dir];
	bool bad = false;
	struct rd r = rd_init(bytes_of(side->frame.fixed, 6), &bad);
	uint16_t id = rd_u16(&r);
	uint32_t value = rd_u32(&r);

	if (id == SETTING_TABLE_SIZE)
		side->announced = value == NO_TABLE ? NO_TABLE - 1 : value;
	/* Larger frames may come before the acknowledgement is seen here; smaller are no fault. */
	if (id == SETTING_MAX_FRAME_SIZE && value > h->sides[other(dir)].frame.max)
		h->sides[other(dir)].frame.max = value < (1u << 24) ? value : (1u << 24) - 1;
}

/* The table of a direction may be as large as the largest that is acknowledged or about to be. */
static void apply_tables(struct side2 *side)
{
	uint32_t most = side->table;

	for (size_t i = 0; i < side->pending_count; i++)
		if (side->pending[i] != NO_TABLE && side->pending[i] > most)
			most = side->pending[i];
	block2_limit(&side->block, most);
}

static int settings_end(struct http2 *h, enum http_dir dir, struct err *e)
{
	struct side2 *from = &h->sides[dir], *to = &h->sides[other(dir)];

	if (from->frame.flags & FRAME2_ACK) {
		if (from->pending_count == 0)
			return 0; /* what it acknowledges was sent before we came */
		if (from->pending[0] != NO_TABLE)
			from->table = from->pending[0];
		from->pending_count--;
		memmove(from->pending, from->pending + 1,
			from->pending_count * sizeof(from->pending[0]));
		apply_tables(from);
		return 0;
	}
	if (to->pending_count == SETTINGS_PENDING_MAX)
		return FAIL(e, LIMIT, "HTTP/2: more than %d SETTINGS without an answer",
			    SETTINGS_PENDING_MAX);
	to->pending[to->pending_count++] = from->announced;
	from->announced = NO_TABLE;
	apply_tables(to);
	return 0;
}

static int frame_begin(struct http2 *h, enum http_dir dir, struct err *e)
{
	struct side2 *side = &h->sides[dir];
	struct frame2 *f = &side->frame;

	if (!side->begun && f->type != FRAME2_SETTINGS)
		return FAIL(e, HTTP_DECODE, "HTTP/2: it does not begin with SETTINGS");
	side->begun = true;
	/* Between HEADERS and the end of its block nothing else may come (RFC 9113, 6.10). */
	if (side->block.open != (f->type == FRAME2_CONTINUATION) ||
	    (side->block.open && f->stream != side->block_stream))
		return FAIL(e, HTTP_DECODE, "HTTP/2: a header block that is torn apart");
	if (f->type == FRAME2_HEADERS || f->type == FRAME2_PUSH_PROMISE)
		return begin_block(h, dir, e);
	return 0;
}

static int frame_payload(struct http2 *h, enum http_dir dir, struct bytes data, struct err *e)
{
	struct side2 *side = &h->sides[dir];

	switch (side->frame.type) {
	case FRAME2_DATA:
		return data_piece(h, dir, data, e);
	case FRAME2_HEADERS:
	case FRAME2_PUSH_PROMISE:
	case FRAME2_CONTINUATION:
		return block2_feed(&side->block, data, e);
	default:
		return 0;
	}
}

static int frame_end(struct http2 *h, enum http_dir dir, struct err *e)
{
	struct frame2 *f = &h->sides[dir].frame;
	struct stream2 *s;

	switch (f->type) {
	case FRAME2_DATA:
		s = f->flags & FRAME2_END_STREAM ? streams2_find(&h->streams, f->stream) : NULL;
		if (s)
			end_half(h, s, dir, (struct ending){ 0 });
		return 0;
	case FRAME2_HEADERS:
	case FRAME2_PUSH_PROMISE:
	case FRAME2_CONTINUATION:
		return f->flags & FRAME2_END_HEADERS ? end_block(h, dir, e) : 0;
	case FRAME2_RST_STREAM:
		s = streams2_find(&h->streams, f->stream);
		if (s)
			cut_stream(h, s);
		return 0;
	case FRAME2_SETTINGS:
		return settings_end(h, dir, e);
	default:
		return 0;
	}
}

static int feed_frames(struct http2 *h, enum http_dir dir, struct bytes in, struct err *e)
{
	struct bytes data;
	int status = 0;

	while (status == 0) {
		switch (frame2_next(&h->sides[dir].frame, &in, &data, e)) {
		case FRAME2_MORE:
			return 0;
		case FRAME2_BAD:
			return -1;
		case FRAME2_BEGIN:
			status = frame_begin(h, dir, e);
			break;
		case FRAME2_PAYLOAD:
			status = frame_payload(h, dir, data, e);
			break;
		case FRAME2_SETTING:
			setting(h, dir);
			break;
		case FRAME2_END:
			status = frame_end(h, dir, e);
			break;
		}
	}
	return status;
}

/* Takes what is missing of the client's preface from *in. */
static int take_preface(struct http2 *h, struct bytes *in, struct err *e)
{
	struct side2 *up = &h->sides[HTTP_UP];
	struct bytes rest = bytes_slice(bytes_str(HTTP2_PREFACE), up->preface_have, SIZE_MAX);
	struct bytes part = bytes_slice(*in, 0, rest.n);

	if (!bytes_starts(rest, part))
		return FAIL(e, HTTP_DECODE, "HTTP/2: the client does not begin with the preface");
	up->preface_have += part.n;
	*in = bytes_slice(*in, part.n, in->n);
	return 0;
}

int http2_feed(struct http2 *h, enum http_dir dir, struct bytes in, struct err *e)
{
	struct err own;

	if (!e)
		e = &own;
	if (h->failed)
		return FAIL(e, HTTP_DECODE, "HTTP/2: it was malformed before");
	if ((dir == HTTP_UP && !h->options.late && take_preface(h, &in, e) < 0) ||
	    feed_frames(h, dir, in, e) < 0) {
		h->failed = true;
		return -1;
	}
	return 0;
}

void http2_end(struct http2 *h, enum http_dir dir)
{
	LIST_EACH (it, &h->streams.order) {
		struct stream2 *s = LIST_OWNER(it, struct stream2, order);

		end_half(h, s, dir, (struct ending){ .truncated = true });
	}
}
