#include "http/websocket.h"

#include <zlib.h>

#include "base/mem.h"
#include "base/rd.h"
#include "http/zmem.h"

enum opcode { OP_CONTINUATION = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PONG = 10 };

#define CONTROL_MAX 125
#define HEADER_MAX 14
#define PIECE_MAX 8192 /* of unmasked or decompressed bytes */
/* What may come out of a direction's decompression: this, and so much for each byte that goes in. */
#define EXPAND_FREE (4u << 20)
#define EXPAND_RATIO 64

struct frame {
	bool fin, masked, compressed;
	uint8_t opcode;
	uint64_t left; /* payload that is missing */
	uint8_t key[4];
	uint8_t key_at; /* which byte of the key is next */
};

struct ws_side {
	uint8_t header[HEADER_MAX];
	uint8_t have; /* bytes of the header that came; 0 between frames and within a payload */
	bool in_payload;
	struct frame frame;
	uint8_t message;	 /* opcode of the message that is under way, 0: none */
	bool message_compressed; /* it was sent so */
	bool message_spoiled;	 /* it cannot be decompressed: the rest of it is left out */
	bool closed, ended;
	uint8_t control[CONTROL_MAX];
	uint8_t control_have;
	uint64_t payload; /* of all messages, as on the wire */
	bool inflating;	  /* messages are undone */
	bool inflater_made;
	z_stream z;
	uint64_t z_in, z_out;
};

struct websocket {
	struct websocket_params params;
	uint64_t stream;
	const struct http_sink *sink;
	bool failed;
	struct ws_side sides[2];
};

static void read_bits(struct bytes value, uint8_t *bits)
{
	uint64_t n;

	if (value.n >= 2 && value.p[0] == '"')
		value = bytes_slice(value, 1, value.n - 2);
	if (bytes_decimal(value, 15, &n) && n >= 8)
		*bits = (uint8_t)n;
}

static void read_parameter(struct bytes parameter, struct websocket_params *out)
{
	size_t equals = bytes_index(parameter, '=');
	struct bytes name = bytes_trim(bytes_slice(parameter, 0, equals));
	struct bytes value = bytes_trim(bytes_slice(parameter, equals + 1, parameter.n));

	if (bytes_equal_nocase(name, bytes_str("client_no_context_takeover")))
		out->no_context[HTTP_UP] = true;
	else if (bytes_equal_nocase(name, bytes_str("server_no_context_takeover")))
		out->no_context[HTTP_DOWN] = true;
	else if (bytes_equal_nocase(name, bytes_str("client_max_window_bits")))
		read_bits(value, &out->bits[HTTP_UP]);
	else if (bytes_equal_nocase(name, bytes_str("server_max_window_bits")))
		read_bits(value, &out->bits[HTTP_DOWN]);
}

static void read_extension(struct bytes extension, struct websocket_params *out)
{
	size_t end = bytes_index(extension, ';');
	struct bytes name = bytes_trim(bytes_slice(extension, 0, end));

	if (name.n == 0)
		return;
	if (!bytes_equal_nocase(name, bytes_str("permessage-deflate")) || out->deflate) {
		out->unknown = true;
		return;
	}
	out->deflate = true;
	while (end < extension.n) {
		extension = bytes_slice(extension, end + 1, extension.n);
		end = bytes_index(extension, ';');
		read_parameter(bytes_slice(extension, 0, end), out);
	}
}

struct websocket_params websocket_params(struct bytes extensions)
{
	struct websocket_params out = { .bits = { 15, 15 } };

	while (extensions.n) {
		size_t comma = bytes_index(extensions, ',');

		read_extension(bytes_slice(extensions, 0, comma), &out);
		extensions = bytes_slice(extensions, comma + 1, extensions.n);
	}
	return out;
}

int websocket_new(const struct websocket_options *options, struct websocket **out, struct err *e)
{
	struct websocket *w = mem_new(sizeof(*w));

	if (!w)
		return FAIL(e, NOMEM, "a WebSocket decoder");
	w->params = options->params;
	w->stream = options->stream;
	w->sink = options->sink;
	for (int dir = HTTP_UP; dir <= HTTP_DOWN; dir++)
		w->sides[dir].inflating =
			w->params.deflate && !w->params.unknown && w->sink->on_body;
	*out = w;
	return 0;
}

static void stop_inflating(struct ws_side *s)
{
	if (s->inflater_made)
		inflateEnd(&s->z);
	s->inflater_made = s->inflating = false;
}

void websocket_free(struct websocket *w)
{
	if (!w)
		return;
	stop_inflating(&w->sides[HTTP_UP]);
	stop_inflating(&w->sides[HTTP_DOWN]);
	mem_free(w);
}

static void hand_over(struct websocket *w, enum http_dir dir, struct bytes data, bool last)
{
	const struct ws_side *s = &w->sides[dir];
	bool control = s->frame.opcode >= OP_CLOSE;
	struct http_chunk chunk = {
		.proto = HTTP_WEBSOCKET,
		.dir = dir,
		.stream = w->stream,
		.data = data,
		.ws_opcode = control ? s->frame.opcode : s->message,
		.message_end = last,
		.compressed = !control && s->message_compressed && !s->inflating,
	};

	if (w->sink->on_body && (data.n || last))
		w->sink->on_body(w->sink->ctx, &chunk);
}

/* Decompresses in and hands over what comes out. When it expands too far or is no deflate, the
 * direction goes on without. */
static int inflate_piece(struct websocket *w, enum http_dir dir, struct bytes in, struct err *e)
{
	struct ws_side *s = &w->sides[dir];
	uint8_t out[PIECE_MAX];
	int status;

	if (!s->inflater_made) {
		zmem_init(&s->z);
		if (inflateInit2(&s->z, -w->params.bits[dir]) != Z_OK)
			return FAIL(e, NOMEM, "a WebSocket's decompression");
		s->inflater_made = true;
	}
	s->z_in += in.n;
	zmem_input(&s->z, in);
	do {
		s->z.next_out = out;
		s->z.avail_out = sizeof(out);
		status = inflate(&s->z, Z_SYNC_FLUSH);
		if (status == Z_MEM_ERROR)
			return FAIL(e, NOMEM, "a WebSocket's decompression");
		if (status == Z_STREAM_END) /* a final block is allowed: RFC 7692, 7.2.3.4 */
			status = inflateReset(&s->z);
		s->z_out += sizeof(out) - s->z.avail_out;
		hand_over(w, dir, bytes_of(out, sizeof(out) - s->z.avail_out), false);
		if ((status != Z_OK && status != Z_BUF_ERROR) ||
		    s->z_out > EXPAND_FREE + EXPAND_RATIO * s->z_in) {
			stop_inflating(s);
			s->message_spoiled = true;
			return 0;
		}
	} while (s->z.avail_in || s->z.avail_out == 0);
	return 0;
}

/* The sender left these four bytes out (RFC 7692, 7.2.2). */
static int inflate_end(struct websocket *w, enum http_dir dir, struct err *e)
{
	static const uint8_t tail[4] = { 0, 0, 0xff, 0xff };
	struct ws_side *s = &w->sides[dir];

	if (inflate_piece(w, dir, bytes_of(tail, sizeof(tail)), e) < 0)
		return -1;
	if (s->inflater_made && w->params.no_context[dir]) {
		inflateEnd(&s->z);
		s->inflater_made = false;
	}
	return 0;
}

static int payload_piece(struct websocket *w, enum http_dir dir, struct bytes data, struct err *e)
{
	struct ws_side *s = &w->sides[dir];

	if (s->message_spoiled)
		return 0;
	if (s->message_compressed && s->inflating)
		return inflate_piece(w, dir, data, e);
	hand_over(w, dir, data, false);
	return 0;
}

static void unmask(struct frame *f, struct bytes in, uint8_t *out)
{
	for (size_t i = 0; i < in.n; i++)
		out[i] = in.p[i] ^ f->key[(f->key_at + i) & 3];
	f->key_at = (uint8_t)((f->key_at + in.n) & 3);
}

/* Part of the payload of a data frame. */
static int data_payload(struct websocket *w, enum http_dir dir, struct bytes in, struct err *e)
{
	struct frame *f = &w->sides[dir].frame;
	uint8_t plain[PIECE_MAX];

	if (!w->sink->on_body && !w->sides[dir].inflating) {
		f->key_at = (uint8_t)((f->key_at + in.n) & 3);
		return 0;
	}
	if (!f->masked)
		return payload_piece(w, dir, in, e);
	while (in.n) {
		struct bytes piece = bytes_slice(in, 0, sizeof(plain));

		unmask(f, piece, plain);
		in = bytes_slice(in, piece.n, in.n);
		if (payload_piece(w, dir, bytes_of(plain, piece.n), e) < 0)
			return -1;
	}
	return 0;
}

static void control_payload(struct ws_side *s, struct bytes in)
{
	unmask(&s->frame, in, s->control + s->control_have);
	s->control_have = (uint8_t)(s->control_have + in.n);
}

static int frame_end(struct websocket *w, enum http_dir dir, struct err *e)
{
	struct ws_side *s = &w->sides[dir];

	s->in_payload = false;
	if (s->frame.opcode >= OP_CLOSE) {
		s->closed |= s->frame.opcode == OP_CLOSE;
		hand_over(w, dir, bytes_of(s->control, s->control_have), true);
		return 0;
	}
	if (!s->frame.fin)
		return 0;
	if (s->message_compressed && s->inflating && inflate_end(w, dir, e) < 0)
		return -1;
	hand_over(w, dir, bytes_of(NULL, 0), true);
	s->message = 0;
	s->message_spoiled = false;
	return 0;
}

/* How long the header is, by its second byte. */
static size_t header_size(uint8_t second)
{
	size_t length = (second & 0x7f) == 127 ? 8 : (second & 0x7f) == 126 ? 2 : 0;

	return 2 + length + (second & 0x80 ? 4 : 0);
}

/* The rules of RFC 6455, 5.2 to 5.5 that a frame by itself can break. */
static const char *frame_fault(const struct websocket *w, const struct ws_side *s, uint8_t first)
{
	const struct frame *f = &s->frame;
	uint8_t reserved = first & 0x70;

	if (f->opcode > OP_PONG || (f->opcode > OP_BINARY && f->opcode < OP_CLOSE))
		return "an unknown kind of frame";
	if (f->opcode >= OP_CLOSE && (!f->fin || f->left > CONTROL_MAX))
		return "a control frame that is fragmented or longer than 125 bytes";
	if (f->opcode == OP_CONTINUATION && !s->message)
		return "a continuation of nothing";
	if ((f->opcode == OP_TEXT || f->opcode == OP_BINARY) && s->message)
		return "a message within another one";
	if (f->left >> 63)
		return "a length of 2^63 or more";
	if (w->params.unknown)
		return NULL;
	if (reserved & 0x30 || (reserved && (!w->params.deflate || f->opcode == OP_CONTINUATION ||
					     f->opcode >= OP_CLOSE)))
		return "reserved bits that were not agreed";
	return NULL;
}

/* The header is complete. */
static int frame_begin(struct websocket *w, enum http_dir dir, struct err *e)
{
	struct ws_side *s = &w->sides[dir];
	struct frame *f = &s->frame;
	bool bad = false;
	struct rd r = rd_init(bytes_of(s->header, s->have), &bad);
	uint8_t first = rd_u8(&r), second = rd_u8(&r);
	struct bytes key;
	const char *fault;

	*f = (struct frame){ .fin = first & 0x80, .opcode = first & 15, .masked = second & 0x80 };
	f->left = second & 0x7f;
	if (f->left == 126)
		f->left = rd_u16(&r);
	else if (f->left == 127)
		f->left = rd_u64(&r);
	key = rd_take(&r, f->masked ? sizeof(f->key) : 0);
	if (key.n)
		memcpy(f->key, key.p, sizeof(f->key));
	s->have = 0;
	fault = frame_fault(w, s, first);
	if (bad || fault)
		return FAIL(e, HTTP_DECODE, "WebSocket: %s", fault ? fault : "a short header");
	if (f->opcode == OP_TEXT || f->opcode == OP_BINARY) {
		s->message = f->opcode;
		s->message_compressed = (first & 0x40) || w->params.unknown;
	}
	s->control_have = 0;
	s->in_payload = true;
	if (f->opcode < OP_CLOSE)
		s->payload += f->left;
	return f->left ? 0 : frame_end(w, dir, e);
}

/* Takes what is missing of the header from *in. */
static int take_header(struct websocket *w, enum http_dir dir, struct bytes *in, struct err *e)
{
	struct ws_side *s = &w->sides[dir];
	size_t size = s->have < 2 ? 2 : header_size(s->header[1]);
	struct bytes part = bytes_slice(*in, 0, size - s->have);

	memcpy(s->header + s->have, part.p, part.n);
	s->have = (uint8_t)(s->have + part.n);
	*in = bytes_slice(*in, part.n, in->n);
	if (s->have < 2 || s->have < header_size(s->header[1]))
		return 0;
	return frame_begin(w, dir, e);
}

static int take_payload(struct websocket *w, enum http_dir dir, struct bytes *in, struct err *e)
{
	struct ws_side *s = &w->sides[dir];
	struct bytes part =
		bytes_slice(*in, 0, s->frame.left < in->n ? (size_t)s->frame.left : in->n);

	*in = bytes_slice(*in, part.n, in->n);
	s->frame.left -= part.n;
	if (s->frame.opcode >= OP_CLOSE)
		control_payload(s, part);
	else if (data_payload(w, dir, part, e) < 0)
		return -1;
	return s->frame.left ? 0 : frame_end(w, dir, e);
}

int websocket_feed(struct websocket *w, enum http_dir dir, struct bytes in, struct err *e)
{
	if (w->failed)
		return FAIL(e, HTTP_DECODE, "WebSocket: it was malformed before");
	while (in.n) {
		int status = w->sides[dir].in_payload ? take_payload(w, dir, &in, e)
						      : take_header(w, dir, &in, e);

		if (status < 0) {
			w->failed = true;
			return -1;
		}
	}
	return 0;
}

void websocket_end(struct websocket *w, enum http_dir dir, bool clean)
{
	struct ws_side *s = &w->sides[dir];
	struct http_end end = {
		.proto = HTTP_WEBSOCKET,
		.dir = dir,
		.stream = w->stream,
		.body_bytes = s->payload -
			      (s->in_payload && s->frame.opcode < OP_CLOSE ? s->frame.left : 0),
		.truncated = s->in_payload || s->have || s->message || !(clean || s->closed),
		.grpc_status = -1,
	};

	if (s->ended)
		return;
	s->ended = true;
	w->sink->on_end(w->sink->ctx, &end);
}
