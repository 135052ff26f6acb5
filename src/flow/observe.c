#include "flow/observe.h"

#include "base/escape.h"
#include "base/mem.h"
#include "flow/resume.h"
#include "http/http1.h"
#include "http/http2.h"

/* What the bytes of the flow are taken for. */
enum mode {
	MODE_SNIFF, /* not known yet */
	MODE_HTTP1,
	MODE_HTTP2,
	MODE_WEBSOCKET,
	MODE_BYTES,
};

/* As much as tells HTTP/1, HTTP/2 and the rest apart; held back until it is there. */
#define SNIFF_MAX 24

struct observe {
	struct observe_options options;
	struct http_sink sink;
	enum mode mode;
	enum flow_proto proto;
	unsigned odd;
	bool grpc;
	bool failed;
	char fault[120];
	int64_t wall_ns, mono_ns; /* of the call that is under way */
	uint64_t packet;
	uint64_t streams; /* of HTTP/1.1, the last one */
	uint64_t asked; /* the packet in which the first request was seen; 0: none, or no capture */
	bool hunting[2];   /* something is missing: where does the next message or frame begin? */
	bool tunnel;	   /* HTTP/1.1 is over, and what follows is the caller's */
	struct bytes rest; /* of the call that is under way: bytes of the tunnel */
	uint64_t bytes[2];
	uint8_t held[2][SNIFF_MAX]; /* by direction, while sniffing */
	uint8_t held_count[2];
	union {
		struct http1 *http1;
		struct http2 *http2;
		struct websocket *websocket;
	} decoder; /* the one of the mode, or NULL */
};

/* The decoders' words are the events' words. */
_Static_assert((int)HTTP_UP == (int)DIR_UP && (int)HTTP_DOWN == (int)DIR_DOWN, "directions");
_Static_assert(sizeof(struct http_header) == sizeof(struct flow_header) &&
		       offsetof(struct http_header, name) == offsetof(struct flow_header, name) &&
		       offsetof(struct http_header, value) == offsetof(struct flow_header, value),
	       "headers");

static const struct flow_header *flow_headers(const struct http_header *headers)
{
	return (const struct flow_header *)(const void *)headers;
}

static enum flow_proto flow_proto_of(enum http_proto p)
{
	static const enum flow_proto protos[] = {
		[HTTP_1] = PROTO_HTTP1,
		[HTTP_2] = PROTO_HTTP2,
		[HTTP_WEBSOCKET] = PROTO_WEBSOCKET,
		[HTTP_GRPC] = PROTO_GRPC,
	};

	return protos[p];
}

/* Everything of an event but its type's own part. */
static void start_event(const struct observe *o, struct event *ev, enum event_type type,
			enum flow_dir dir)
{
	ev->type = type;
	ev->flow = o->options.flow;
	ev->leg = o->options.leg;
	ev->dir = dir;
	ev->depth = o->options.depth;
	ev->packet = o->packet;
	ev->wall_ns = o->wall_ns;
	ev->mono_ns = o->mono_ns;
}

/* HTTP/2's numbers are those on the wire. */
static uint64_t stream_number(const struct observe *o, uint64_t stream)
{
	return o->mode == MODE_HTTP2 ? stream : stream + o->options.streams;
}

static void on_head(void *ctx, const struct http_head *head)
{
	struct observe *o = ctx;
	struct event ev;
	struct ev_message_head *out = &ev.u.message_head;

	if (head->dir == HTTP_UP && !o->asked)
		o->asked = o->packet;
	o->odd |= head->odd;
	o->grpc |= head->proto == HTTP_GRPC;
	if (o->mode != MODE_HTTP2 && o->streams < stream_number(o, head->stream))
		o->streams = stream_number(o, head->stream);
	if (!event_bus_wants(o->options.bus, EV_MESSAGE_HEAD))
		return;
	start_event(o, &ev, EV_MESSAGE_HEAD, (enum flow_dir)head->dir);
	ev.stream = stream_number(o, head->stream);
	*out = (struct ev_message_head){
		.proto = flow_proto_of(head->proto),
		.method = head->method,
		.scheme = head->scheme,
		.authority = head->authority,
		.path = head->path,
		.reason = head->reason,
		.status = head->status,
		.version_major = head->version_major,
		.version_minor = head->version_minor,
		.headers = flow_headers(head->headers),
		.header_count = head->header_count,
		.interim = head->interim,
		.unknown = head->unknown,
	};
	if (head->dir == HTTP_UP && head->unknown && out->method.n == 0)
		out->method = bytes_str("?");
	if (head->dir == HTTP_UP && head->unknown && out->path.n == 0)
		out->path = bytes_str("/?");
	if (head->dir == HTTP_UP && out->scheme.n == 0)
		out->scheme = o->options.scheme;
	if (head->dir == HTTP_UP && out->authority.n == 0)
		out->authority = o->options.authority;
	event_bus_emit(o->options.bus, &ev);
}

static void on_body(void *ctx, const struct http_chunk *chunk)
{
	const struct observe *o = ctx;
	struct event ev;

	start_event(o, &ev, EV_BODY_CHUNK, (enum flow_dir)chunk->dir);
	ev.stream = stream_number(o, chunk->stream);
	ev.u.body_chunk = (struct ev_body_chunk){
		.proto = flow_proto_of(chunk->proto),
		.data = chunk->data,
		.ws_opcode = chunk->ws_opcode,
		.message_end = chunk->message_end,
		.compressed = chunk->compressed,
	};
	event_bus_emit(o->options.bus, &ev);
}

static void on_end(void *ctx, const struct http_end *end)
{
	const struct observe *o = ctx;
	struct event ev;

	if (!event_bus_wants(o->options.bus, EV_MESSAGE_END))
		return;
	start_event(o, &ev, EV_MESSAGE_END, (enum flow_dir)end->dir);
	ev.stream = stream_number(o, end->stream);
	ev.u.message_end = (struct ev_message_end){
		.body_bytes = end->body_bytes,
		.trailers = flow_headers(end->trailers),
		.trailer_count = end->trailer_count,
		.truncated = end->truncated,
		.grpc_status = end->grpc_status,
	};
	event_bus_emit(o->options.bus, &ev);
}

bool observe_alpn_is_http2(struct bytes alpn)
{
	/* gRPC's own name from before RFC 7540; its C core still prefers it. */
	return bytes_equal(alpn, bytes_str("h2")) || bytes_equal(alpn, bytes_str("grpc-exp"));
}

int observe_new(const struct observe_options *options, struct observe **out, struct err *e)
{
	struct observe *o = mem_new(sizeof(*o));
	struct bytes alpn = options->alpn;

	if (!o)
		return FAIL(e, NOMEM, "an observer");
	o->options = *options;
	o->streams = options->streams;
	o->sink = (struct http_sink){ .on_head = on_head, .on_end = on_end, .ctx = o };
	if (observe_alpn_is_http2(alpn)) {
		o->mode = MODE_HTTP2;
		o->hunting[DIR_UP] = o->hunting[DIR_DOWN] = options->late;
	} else if (alpn.n && !bytes_equal(alpn, bytes_str("http/1.1")) &&
		   !bytes_equal(alpn, bytes_str("http/1.0"))) {
		o->mode = MODE_BYTES;
	}
	*out = o;
	return 0;
}

static void free_decoder(struct observe *o)
{
	if (o->mode == MODE_HTTP1)
		http1_free(o->decoder.http1);
	if (o->mode == MODE_HTTP2)
		http2_free(o->decoder.http2);
	if (o->mode == MODE_WEBSOCKET)
		websocket_free(o->decoder.websocket);
	o->decoder.http1 = NULL;
}

void observe_free(struct observe *o)
{
	if (!o)
		return;
	free_decoder(o);
	mem_free(o);
}

static void emit_bytes(const struct observe *o, enum flow_dir dir, struct bytes data)
{
	struct event ev;

	if (data.n == 0 || !event_bus_wants(o->options.bus, EV_BODY_CHUNK))
		return;
	start_event(o, &ev, EV_BODY_CHUNK, dir);
	ev.stream = 0;
	ev.u.body_chunk = (struct ev_body_chunk){ .proto = PROTO_BYTES, .data = data };
	event_bus_emit(o->options.bus, &ev);
}

/* Messages under way in the decoder end here, cut off. */
static void end_decoder(struct observe *o, enum flow_dir dir, bool clean)
{
	if (!o->decoder.http1)
		return;
	if (o->mode == MODE_HTTP1)
		http1_end(o->decoder.http1, (enum http_dir)dir, clean);
	if (o->mode == MODE_HTTP2)
		http2_end(o->decoder.http2, (enum http_dir)dir);
	if (o->mode == MODE_WEBSOCKET)
		websocket_end(o->decoder.websocket, (enum http_dir)dir, clean);
}

/* The decoder cannot go on: its messages end, and what it held of dir is told as bytes. e is NULL
 * when the bytes never were what they looked like, which is no fault. */
static void become_bytes(struct observe *o, enum flow_dir dir, const struct err *e)
{
	if (e) {
		o->failed = true;
		(void)escape_to(o->fault, sizeof(o->fault), bytes_str(e->sentence));
	}
	end_decoder(o, DIR_UP, false);
	end_decoder(o, DIR_DOWN, false);
	if (o->mode == MODE_HTTP1 && o->decoder.http1)
		emit_bytes(o, dir, http1_pending(o->decoder.http1, (enum http_dir)dir));
	free_decoder(o);
	o->mode = MODE_BYTES;
	o->proto = PROTO_BYTES;
}

static int start_http2(struct observe *o, bool upgraded, struct err *e)
{
	struct http2_options options = {
		.sink = &o->sink,
		.late = o->options.late && !upgraded,
		.upgraded = upgraded,
	};

	o->mode = MODE_HTTP2;
	o->proto = PROTO_HTTP2;
	return http2_new(&options, &o->decoder.http2, e);
}

static int start_http1(struct observe *o, struct err *e)
{
	o->mode = MODE_HTTP1;
	o->proto = PROTO_HTTP1;
	return http1_new(&o->sink, &o->decoder.http1, e);
}

static void feed_mode(struct observe *o, enum flow_dir dir, struct bytes in);

/* The answer that ended HTTP/1.1, when what follows is bytes that belong to no exchange. */
static void end_answer(struct observe *o, uint64_t stream)
{
	struct http_end end = { .dir = HTTP_DOWN, .stream = stream, .grpc_status = -1 };

	on_end(o, &end);
}

/* HTTP/1.1 gives way to what was agreed; rest are the first bytes of that. */
static int switch_protocol(struct observe *o, enum flow_dir dir, struct bytes rest, struct err *e)
{
	struct http1_switch next = *http1_switched(o->decoder.http1);
	struct websocket_options options = {
		.params = next.ws,
		.stream = next.stream,
		.sink = &o->sink,
	};
	int status = 0;

	free_decoder(o);
	o->mode = MODE_BYTES;
	o->proto = PROTO_BYTES;
	if (next.next == HTTP1_TO_HTTP2) {
		status = start_http2(o, true, e);
	} else if (next.next == HTTP1_TO_WEBSOCKET) {
		o->mode = MODE_WEBSOCKET;
		o->proto = PROTO_WEBSOCKET;
		status = websocket_new(&options, &o->decoder.websocket, e);
	} else {
		end_answer(o, next.stream);
		o->tunnel = o->options.tunnels;
	}
	if (status == 0)
		feed_mode(o, dir, rest);
	return status;
}

static void feed_http1(struct observe *o, enum flow_dir dir, struct bytes in)
{
	struct err e;
	size_t used = 0;
	bool fault;

	if (!o->decoder.http1 && start_http1(o, &e) < 0) {
		become_bytes(o, dir, &e);
		return;
	}
	switch (http1_feed(o->decoder.http1, (enum http_dir)dir, in, &used, &e)) {
	case HTTP1_OPEN:
		return;
	case HTTP1_SWITCHED:
		if (switch_protocol(o, dir, bytes_slice(in, used, in.n), &e) < 0)
			become_bytes(o, dir, &e);
		return;
	case HTTP1_FAILED:
		fault = http1_seen(o->decoder.http1) || e.code != ERR_HTTP_DECODE;
		become_bytes(o, dir, fault ? &e : NULL);
		emit_bytes(o, dir, bytes_slice(in, used, in.n));
		return;
	}
}

/* What cannot be read of HTTP/2 is not worth showing: frames, compressed. */
static void feed_http2(struct observe *o, enum flow_dir dir, struct bytes in)
{
	struct err e;

	if ((!o->decoder.http2 && start_http2(o, false, &e) < 0) ||
	    http2_feed(o->decoder.http2, (enum http_dir)dir, in, &e) < 0)
		become_bytes(o, dir, &e);
}

static void feed_websocket(struct observe *o, enum flow_dir dir, struct bytes in)
{
	struct err e;

	if (websocket_feed(o->decoder.websocket, (enum http_dir)dir, in, &e) < 0)
		become_bytes(o, dir, &e);
}

enum looks { LOOKS_SHORT, LOOKS_HTTP1, LOOKS_HTTP2, LOOKS_OTHER };

/* What a client's first bytes look like. A method is capitals and hyphens, then a space (RFC 9110,
 * 9.1 allows more; nobody uses it). */
static enum looks look_at_client(struct bytes b)
{
	struct bytes preface = bytes_str(HTTP2_PREFACE);
	size_t i = 0;

	if (bytes_starts(b, preface))
		return LOOKS_HTTP2;
	if (bytes_starts(preface, b))
		return LOOKS_SHORT;
	while (i < b.n && ((b.p[i] >= 'A' && b.p[i] <= 'Z') || b.p[i] == '-'))
		i++;
	if (i == b.n && i < SNIFF_MAX)
		return LOOKS_SHORT;
	return i > 0 && i < SNIFF_MAX && b.p[i] == ' ' ? LOOKS_HTTP1 : LOOKS_OTHER;
}

/* A server that speaks first speaks HTTP/2 (a SETTINGS frame, shorter than 64 KiB), or says that it
 * waited too long for a request, or it is no HTTP. */
static enum looks look_at_server(struct bytes b)
{
	static const uint8_t settings[] = { 0, 0, 0, 4, 0, 0, 0, 0, 0 };
	struct bytes answer = bytes_str("HTTP/1.");

	if (bytes_starts(b, answer))
		return LOOKS_HTTP1;
	if (bytes_starts(answer, b))
		return LOOKS_SHORT;
	for (size_t i = 0; i < b.n && i < sizeof(settings); i++)
		if (b.p[i] != settings[i] && i != 1 && i != 2)
			return LOOKS_OTHER;
	return b.n < sizeof(settings) ? LOOKS_SHORT : LOOKS_HTTP2;
}

static void start_mode(struct observe *o, enum looks looks)
{
	static const enum mode modes[] = {
		[LOOKS_HTTP1] = MODE_HTTP1,
		[LOOKS_HTTP2] = MODE_HTTP2,
		[LOOKS_OTHER] = MODE_BYTES,
	};

	o->mode = modes[looks];
	if (o->mode == MODE_BYTES)
		o->proto = PROTO_BYTES;
}

static struct bytes held_bytes(const struct observe *o, enum flow_dir dir)
{
	return bytes_of(o->held[dir], o->held_count[dir]);
}

/* Goes on as what it looks like, with what was held back. */
static void end_sniff(struct observe *o, enum looks looks)
{
	start_mode(o, looks);
	feed_mode(o, DIR_UP, held_bytes(o, DIR_UP));
	feed_mode(o, DIR_DOWN, held_bytes(o, DIR_DOWN));
}

/* In the middle of something: each piece may be where a message or a frame begins; until then it is
 * bytes. */
static void feed_late(struct observe *o, enum flow_dir dir, struct bytes in)
{
	enum looks looks = LOOKS_OTHER;

	if (dir == DIR_UP && look_at_client(in) == LOOKS_HTTP2) {
		looks = LOOKS_HTTP2;
		o->options.late = false; /* it is the beginning after all */
	} else if (resume_http1(dir == DIR_UP, in) == 0) {
		looks = LOOKS_HTTP1;
	} else if (resume_http2(in) == 0) {
		looks = LOOKS_HTTP2;
	}
	if (looks == LOOKS_OTHER) {
		o->proto = PROTO_BYTES;
		emit_bytes(o, dir, in);
		return;
	}
	start_mode(o, looks);
	o->hunting[dir == DIR_UP ? DIR_DOWN : DIR_UP] = o->options.late;
	feed_mode(o, dir, in);
}

static void feed_sniff(struct observe *o, enum flow_dir dir, struct bytes in)
{
	enum looks (*look)(struct bytes) = dir == DIR_UP ? look_at_client : look_at_server;
	enum looks looks = LOOKS_SHORT;

	if (o->held_count[dir] == 0)
		looks = look(in);
	/* The rule, but when the first bytes come in crumbs, is that they tell. */
	while (looks == LOOKS_SHORT && in.n) {
		o->held[dir][o->held_count[dir]++] = in.p[0];
		in = bytes_slice(in, 1, in.n);
		looks = look(held_bytes(o, dir));
	}
	if (looks == LOOKS_SHORT)
		return;
	end_sniff(o, looks);
	feed_mode(o, dir, in);
}

/* An answer to what was asked before this was joined; directions may be found one after the other. */
static bool is_older(const struct observe *o, enum flow_dir dir)
{
	return dir == DIR_DOWN && o->mode == MODE_HTTP1 && o->packet < o->asked;
}

/* What is left of in from where a message or a frame begins. */
static struct bytes hunt(struct observe *o, enum flow_dir dir, struct bytes in)
{
	size_t at = o->mode == MODE_HTTP2   ? resume_http2(in)
		    : o->mode == MODE_HTTP1 ? resume_http1(dir == DIR_UP, in)
					    : 0;

	if (is_older(o, dir)) {
		emit_bytes(o, dir, in);
		at = in.n;
	}
	o->hunting[dir] = at == in.n;
	return bytes_slice(in, at, in.n);
}

static void feed_mode(struct observe *o, enum flow_dir dir, struct bytes in)
{
	if (o->hunting[dir])
		in = hunt(o, dir, in);
	if (in.n == 0)
		return;
	switch (o->mode) {
	case MODE_SNIFF:
		if (o->options.late)
			feed_late(o, dir, in);
		else
			feed_sniff(o, dir, in);
		break;
	case MODE_HTTP1:
		feed_http1(o, dir, in);
		break;
	case MODE_HTTP2:
		feed_http2(o, dir, in);
		break;
	case MODE_WEBSOCKET:
		feed_websocket(o, dir, in);
		break;
	case MODE_BYTES:
		o->proto = PROTO_BYTES;
		if (o->tunnel)
			o->rest = in;
		else
			emit_bytes(o, dir, in);
		break;
	}
}

void observe_feed(struct observe *o, enum flow_dir dir, struct bytes in, int64_t wall_ns,
		  int64_t mono_ns)
{
	o->bytes[dir] += in.n;
	o->rest = bytes_of(NULL, 0);
	o->wall_ns = wall_ns;
	o->mono_ns = mono_ns;
	o->sink.on_body = event_bus_wants(o->options.bus, EV_BODY_CHUNK) ? on_body : NULL;
	feed_mode(o, dir, in);
}

void observe_gap(struct observe *o, enum flow_dir dir, uint64_t n, int64_t wall_ns, int64_t mono_ns)
{
	enum mode mode = o->mode;
	struct err e;

	o->wall_ns = wall_ns;
	o->mono_ns = mono_ns;
	if (mode == MODE_HTTP1 && o->decoder.http1 && n && !o->hunting[dir] &&
	    http1_gap(o->decoder.http1, (enum http_dir)dir, n))
		return;
	if (mode == MODE_BYTES || (mode == MODE_SNIFF && o->held_count[dir] == 0))
		return;
	FAIL(&e, HTTP_DECODE, "bytes are missing");
	become_bytes(o, dir, mode == MODE_WEBSOCKET ? &e : NULL);
	if (mode != MODE_HTTP1 && mode != MODE_HTTP2)
		return;
	o->mode = mode;
	o->proto = mode == MODE_HTTP1 ? PROTO_HTTP1 : PROTO_HTTP2;
	o->options.late = true;
	o->options.streams = o->streams;
	o->asked = 0;
	o->hunting[DIR_UP] = o->hunting[DIR_DOWN] = true;
}

void observe_packet(struct observe *o, uint64_t packet)
{
	o->packet = packet;
}

bool observe_tunnel(const struct observe *o, struct bytes *rest)
{
	*rest = o->rest;
	return o->tunnel;
}

uint64_t observe_streams(const struct observe *o)
{
	return o->streams;
}

void observe_end(struct observe *o, enum flow_dir dir, bool clean, int64_t wall_ns, int64_t mono_ns)
{
	o->wall_ns = wall_ns;
	o->mono_ns = mono_ns;
	o->sink.on_body = event_bus_wants(o->options.bus, EV_BODY_CHUNK) ? on_body : NULL;
	if (o->mode == MODE_SNIFF && o->held_count[dir])
		end_sniff(o, LOOKS_OTHER);
	end_decoder(o, dir, clean);
}

enum flow_proto observe_proto(const struct observe *o)
{
	return o->grpc && o->proto == PROTO_HTTP2 ? PROTO_GRPC : o->proto;
}

size_t observe_waiting(const struct observe *o)
{
	return o->mode == MODE_HTTP1 && o->decoder.http1 ? http1_waiting(o->decoder.http1) : 0;
}

bool observe_idle(const struct observe *o)
{
	if (o->bytes[DIR_UP] == 0 && o->bytes[DIR_DOWN] == 0)
		return o->mode != MODE_BYTES;
	if (o->mode == MODE_HTTP1 && o->decoder.http1)
		return http1_idle(o->decoder.http1);
	return o->mode == MODE_HTTP2 && o->decoder.http2 && http2_streams(o->decoder.http2) == 0;
}

uint64_t observe_bytes(const struct observe *o, enum flow_dir dir)
{
	return o->bytes[dir];
}

const char *observe_fault(const struct observe *o)
{
	return o->failed ? o->fault : NULL;
}

unsigned observe_odd(const struct observe *o)
{
	return o->odd;
}

const char *http_odd_text(unsigned odd)
{
	static const struct {
		unsigned bit;
		const char *text;
	} texts[] = {
		{ HTTP_ODD_LENGTH_AND_CODING, "both Content-Length and Transfer-Encoding" },
		{ HTTP_ODD_FOLD, "a header folded over two lines" },
		{ HTTP_ODD_BARE_LF, "a line that ends without CR" },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (odd & texts[i].bit)
			return texts[i].text;
	return NULL;
}
