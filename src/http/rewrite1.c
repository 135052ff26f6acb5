#include "http/rewrite1.h"

#include "base/mem.h"
#include "http/head1.h"
#include "http/strict1.h"

#define SIZE_DIGITS_MAX 15
#define EXTENSION_MAX 1024
#define PIECE_MAX 16384 /* of a body, handed to the filter at once */
#define CHANGED_MAX (4 * PIECE_MAX)
#define CHUNK_SLACK 24 /* a chunk's size line and its CRLF, when bodies are framed anew */

enum state {
	AT_HEAD,
	AT_LENGTH,    /* within a body of known length */
	AT_SIZE,      /* the digits of a chunk's size */
	AT_EXTENSION, /* behind them */
	AT_SIZE_LF,
	AT_CHUNK,
	AT_CHUNK_CR,
	AT_CHUNK_LF,
	AT_TRAILERS,
	AT_END,	   /* the filter is to hear of it */
	AT_SWITCH, /* nobody knows yet what comes */
	AT_BYTES,
	AT_FAULT,
};

struct rewrite1 {
	const struct http_filter *filter;
	enum state state;
	enum rewrite1_status fault; /* and its reason */
	struct err reason;
	struct buf text; /* of a head or of trailers that is not complete */
	size_t line;	 /* where its last line begins */
	bool text_done;	 /* it is complete, but could not be written yet */
	uint64_t stream;
	uint64_t left; /* of the body or chunk */
	unsigned digits, extension;
	bool chunked, asks_switch, reframes;
	uint64_t body;
};

int rewrite1_new(const struct http_filter *filter, struct rewrite1 **out, struct err *e)
{
	struct rewrite1 *r = mem_new(sizeof(*r));

	if (!r)
		return FAIL(e, NOMEM, "an HTTP/1.1 rewriter");
	r->filter = filter;
	r->text = buf_init(HTTP_HEAD_MAX);
	*out = r;
	return 0;
}

void rewrite1_free(struct rewrite1 *r)
{
	if (!r)
		return;
	buf_fini(&r->text);
	mem_free(r);
}

/* What a step did. */
enum step {
	STEP_ON,   /* the state is another one, or the same with less input */
	STEP_MORE, /* it needs more input */
	STEP_HELD,
	STEP_FULL,
	STEP_WAIT,
	STEP_FAULT, /* r->reason says why */
};

static enum step refuse(struct rewrite1 *r)
{
	r->fault = REWRITE1_REFUSED;
	r->state = AT_FAULT;
	err_ctx(&r->reason, "request refused");
	return STEP_FAULT;
}

static enum step ended(struct rewrite1 *r, const char *reason)
{
	r->fault = REWRITE1_ENDED;
	r->state = AT_FAULT;
	FAIL(&r->reason, REFUSED, "%s: %s", r->filter->name,
	     reason && reason[0] ? reason : "the request was ended");
	return STEP_FAULT;
}

static enum step unsupported(struct rewrite1 *r, const char *what)
{
	FAIL(&r->reason, UNSUPPORTED, "%s changed %s", r->filter->name, what);
	return refuse(r);
}

/* Adds whole lines to the text, up to the empty one that ends it. Sets text_done. */
static enum step gather(struct rewrite1 *r, struct bytes *in)
{
	while (!r->text_done) {
		struct bytes part = bytes_slice(*in, 0, bytes_index(*in, '\n') + 1);
		struct bytes line;

		if (part.n == 0)
			return STEP_MORE;
		if (buf_add(&r->text, part, &r->reason) < 0) {
			if (r->reason.code == ERR_LIMIT)
				FAIL(&r->reason, LIMIT, "a head of more than %d bytes",
				     HTTP_HEAD_MAX);
			return refuse(r);
		}
		*in = bytes_slice(*in, part.n, in->n);
		line = bytes_slice(buf_bytes(&r->text), r->line, SIZE_MAX);
		if (line.p[line.n - 1] != '\n')
			return STEP_MORE;
		if (line.n < 2 || line.p[line.n - 2] != '\r') {
			FAIL(&r->reason, HTTP_DECODE, "a line that does not end with CR LF");
			return refuse(r);
		}
		r->line = r->text.n;
		if (line.n > 2)
			continue;
		/* RFC 9112, 2.2: empty lines before a request mean nothing; they go no further. */
		if (r->state == AT_HEAD && r->text.n == 2) {
			buf_clear(&r->text);
			r->line = 0;
			continue;
		}
		r->text_done = true;
	}
	return STEP_ON;
}

static void text_written(struct rewrite1 *r)
{
	r->text_done = false;
	r->line = 0;
	buf_fini(&r->text);
}

static void write_field(struct buf *out, const struct http_header *h, bool *failed)
{
	*failed |= buf_add(out, h->name, NULL) < 0 || buf_add(out, bytes_str(": "), NULL) < 0 ||
		   buf_add(out, h->value, NULL) < 0 || buf_add(out, bytes_str("\r\n"), NULL) < 0;
}

/* The edit that decides about the header lines of that name; NULL: they stay. */
static const struct header_edit *edit_of(const struct filter_edit *edit, struct bytes name)
{
	const struct header_edit *last = NULL;

	for (size_t i = 0; i < edit->count; i++)
		if (edit->edits[i].kind != HEADER_ADD &&
		    bytes_equal_nocase(edit->edits[i].header.name, name))
			last = &edit->edits[i];
	return last;
}

static bool has_field(const struct strict1 *s, size_t before, struct bytes name)
{
	for (size_t i = 0; i < before; i++)
		if (bytes_equal_nocase(s->headers[i].name, name))
			return true;
	return false;
}

/* The lines that came, with the edits. */
static void write_lines(struct buf *out, const struct strict1 *s, const struct filter_edit *edit,
			bool reframes, bool *failed)
{
	for (size_t i = 0; i < s->count; i++) {
		struct bytes name = s->headers[i].name;
		const struct header_edit *change = edit_of(edit, name);

		if (reframes && (bytes_equal_nocase(name, bytes_str("content-length")) ||
				 bytes_equal_nocase(name, bytes_str("transfer-encoding"))))
			continue;
		if (!change)
			*failed |= buf_add(out, s->lines[i], NULL) < 0;
		else if (change->kind == HEADER_SET && !has_field(s, i, name))
			write_field(out, &change->header, failed);
	}
	for (size_t i = 0; i < edit->count; i++) {
		const struct header_edit *change = &edit->edits[i];

		if (change->kind == HEADER_ADD ||
		    (change->kind == HEADER_SET && !has_field(s, s->count, change->header.name) &&
		     edit_of(edit, change->header.name) == change))
			write_field(out, &change->header, failed);
	}
}

static const struct http_header chunked_field = {
	.name = { (const uint8_t *)"Transfer-Encoding", 17 },
	.value = { (const uint8_t *)"chunked", 7 },
};

/* Room for the text with as many edits as there may be, and what reframing adds. */
static size_t most_of_text(const struct rewrite1 *r)
{
	return r->text.n + FILTER_TEXT_MAX + FILTER_EDITS_MAX * 4 + 64;
}

static enum step write_text(struct rewrite1 *r, struct buf *out, const struct strict1 *s,
			    const struct filter_edit *edit)
{
	bool failed = false, reframes = s->first_line.n && r->reframes;

	if (edit->count == 0 && !reframes) {
		failed |= buf_add(out, buf_bytes(&r->text), NULL) < 0;
	} else {
		failed |= buf_add(out, s->first_line, NULL) < 0;
		write_lines(out, s, edit, reframes, &failed);
		if (reframes)
			write_field(out, &chunked_field, &failed);
		failed |= buf_add(out, bytes_str("\r\n"), NULL) < 0;
	}
	if (failed) {
		FAIL(&r->reason, NOMEM, "a head");
		return refuse(r);
	}
	return STEP_ON;
}

static void head_of(const struct strict1 *s, uint64_t stream, struct http_head *out)
{
	bool connect = bytes_equal(s->method, bytes_str("CONNECT"));
	const struct bytes *host = http_find(s->headers, s->count, "host");

	*out = (struct http_head){
		.proto = HTTP_1,
		.dir = HTTP_UP,
		.stream = stream,
		.method = s->method,
		.version_major = 1,
		.version_minor = s->minor,
		.headers = s->headers,
		.header_count = s->count,
	};
	head1_target(s->target, connect, out);
	if (out->authority.n == 0 && host)
		out->authority = *host;
}

static enum filter_answer ask_head(struct rewrite1 *r, const struct strict1 *s,
				   struct filter_edit *edit)
{
	struct http_head head;

	if (!r->filter->on_head)
		return FILTER_PASS;
	head_of(s, r->stream + 1, &head);
	return r->filter->on_head(r->filter->ctx, &head, edit);
}

static void start_edit(struct filter_edit *edit)
{
	edit->count = edit->used = 0;
	edit->reason[0] = 0;
	edit->changes_body = false;
}

static enum state state_of_body(const struct strict1 *s)
{
	switch (s->body) {
	case STRICT1_LENGTH:
		return AT_LENGTH;
	case STRICT1_CHUNKED:
		return AT_SIZE;
	case STRICT1_NONE:
		break;
	}
	return AT_END;
}

static enum step step_head(struct rewrite1 *r, struct rewrite1_io *io)
{
	struct strict1 s;
	struct filter_edit edit;
	enum filter_answer answer;
	enum step step = gather(r, &io->in);

	if (step != STEP_ON)
		return step;
	if (buf_room(io->out) < most_of_text(r))
		return STEP_FULL;
	/* After HELD it is all done again: what was learnt was borrowed. */
	if (strict1_request(buf_bytes(&r->text), &s, &r->reason) < 0)
		return refuse(r);
	start_edit(&edit);
	answer = ask_head(r, &s, &edit);
	if (answer == FILTER_HOLD)
		return STEP_HELD;
	if (answer == FILTER_END)
		return ended(r, edit.reason);
	if (answer == FILTER_PASS)
		edit.count = 0;
	r->reframes = edit.changes_body && s.body != STRICT1_NONE;
	if (r->reframes && s.minor == 0)
		return unsupported(r, "the body of an HTTP/1.0 request");
	step = write_text(r, io->out, &s, &edit);
	if (step != STEP_ON)
		return step;
	r->stream++;
	r->body = 0;
	r->left = s.length;
	r->digits = r->extension = 0;
	r->chunked = s.body == STRICT1_CHUNKED;
	r->asks_switch = s.asks_switch;
	r->state = state_of_body(&s);
	text_written(r);
	return STEP_ON;
}

/* A piece of a body on its way out: as it is, or as a chunk of its own. */
static int write_piece(struct rewrite1 *r, struct buf *out, struct bytes data)
{
	if (!r->reframes)
		return buf_add(out, data, &r->reason);
	if (data.n == 0)
		return 0;
	if (buf_printf(out, &r->reason, "%zx\r\n", data.n) < 0 ||
	    buf_add(out, data, &r->reason) < 0)
		return -1;
	return buf_add(out, bytes_str("\r\n"), &r->reason);
}

static enum step changed_piece(struct rewrite1 *r, struct buf *out, const struct buf *changed)
{
	if (!r->reframes && r->state != AT_BYTES)
		return unsupported(r, "a body that it had not announced to change");
	return write_piece(r, out, buf_bytes(changed)) < 0 ? refuse(r) : STEP_ON;
}

/* Asks the filter about the piece and writes it. STEP_ON: it is used up. */
static enum step pass_piece(struct rewrite1 *r, struct buf *out, struct bytes piece)
{
	struct buf changed = buf_init(CHANGED_MAX);
	struct http_chunk chunk = { .dir = HTTP_UP, .stream = r->stream, .data = piece };
	enum filter_answer answer = FILTER_PASS;
	enum step step = STEP_ON;

	if (r->state == AT_BYTES && r->filter->on_bytes)
		answer = r->filter->on_bytes(r->filter->ctx, HTTP_UP, piece, &changed);
	else if (r->state != AT_BYTES && r->filter->on_body)
		answer = r->filter->on_body(r->filter->ctx, &chunk, &changed);
	switch (answer) {
	case FILTER_PASS:
		step = write_piece(r, out, piece) < 0 ? refuse(r) : STEP_ON;
		break;
	case FILTER_CHANGED:
		step = changed_piece(r, out, &changed);
		break;
	case FILTER_HOLD:
		step = STEP_HELD;
		break;
	case FILTER_END:
		step = ended(r, NULL);
		break;
	}
	buf_fini(&changed);
	return step;
}

/* How much of in can go out now: where the filter may change it, a piece of fixed size or none. */
static struct bytes next_piece(const struct rewrite1 *r, const struct rewrite1_io *io,
			       uint64_t left)
{
	bool changes = r->state == AT_BYTES ? r->filter->on_bytes != NULL : r->reframes;
	size_t room = buf_room(io->out);
	size_t most = room < PIECE_MAX ? room : PIECE_MAX;

	if (changes)
		most = room < CHANGED_MAX + CHUNK_SLACK ? 0 : PIECE_MAX;
	if (left < most)
		most = (size_t)left;
	return bytes_slice(io->in, 0, most);
}

/* Body bytes, left of them to come. */
static enum step step_data(struct rewrite1 *r, struct rewrite1_io *io)
{
	struct bytes piece = next_piece(r, io, r->left);
	enum step step;

	if (r->left == 0) {
		r->state = r->state == AT_CHUNK ? AT_CHUNK_CR : AT_END;
		return STEP_ON;
	}
	if (io->in.n == 0)
		return STEP_MORE;
	if (piece.n == 0)
		return STEP_FULL;
	step = pass_piece(r, io->out, piece);
	if (step != STEP_ON)
		return step;
	r->left -= piece.n;
	r->body += piece.n;
	io->in = bytes_slice(io->in, piece.n, io->in.n);
	return STEP_ON;
}

static enum step bad_chunk(struct rewrite1 *r)
{
	FAIL(&r->reason, HTTP_DECODE, "a chunk that is not SIZE CR LF DATA CR LF");
	return refuse(r);
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of a chunk's framing: the state after it, AT_FAULT when it may not stand there. */
static enum state frame_byte(struct rewrite1 *r, uint8_t c)
{
	switch (r->state) {
	case AT_SIZE:
		if (hex_digit(c) >= 0 && r->digits < SIZE_DIGITS_MAX) {
			r->left = r->left << 4 | (unsigned)hex_digit(c);
			r->digits++;
			return AT_SIZE;
		}
		if (r->digits == 0 || (c != ';' && c != '\r'))
			return AT_FAULT;
		return c == ';' ? AT_EXTENSION : AT_SIZE_LF;
	case AT_EXTENSION:
		if (c == '\r')
			return AT_SIZE_LF;
		if (++r->extension > EXTENSION_MAX || !http_is_value(bytes_of(&c, 1)))
			return AT_FAULT;
		return AT_EXTENSION;
	case AT_SIZE_LF:
		if (c != '\n')
			return AT_FAULT;
		return r->left ? AT_CHUNK : AT_TRAILERS;
	case AT_CHUNK_CR:
		return c == '\r' ? AT_CHUNK_LF : AT_FAULT;
	default:
		return c == '\n' ? AT_SIZE : AT_FAULT;
	}
}

static enum step step_frame(struct rewrite1 *r, struct rewrite1_io *io)
{
	enum state next;

	if (io->in.n == 0)
		return STEP_MORE;
	if (buf_room(io->out) == 0)
		return STEP_FULL;
	if (r->state == AT_SIZE && r->digits == 0)
		r->left = 0;
	next = frame_byte(r, io->in.p[0]);
	if (next == AT_FAULT)
		return bad_chunk(r);
	/* The last chunk of a body framed anew is written with the trailers. */
	if (!r->reframes && buf_add(io->out, bytes_slice(io->in, 0, 1), &r->reason) < 0)
		return refuse(r);
	io->in = bytes_slice(io->in, 1, io->in.n);
	if (next == AT_CHUNK || next == AT_TRAILERS)
		r->digits = r->extension = 0;
	r->state = next;
	return STEP_ON;
}

static enum step step_trailers(struct rewrite1 *r, struct rewrite1_io *io)
{
	enum step step = gather(r, &io->in);

	if (step == STEP_ON)
		r->state = AT_END;
	return step;
}

static enum filter_answer ask_end(struct rewrite1 *r, const struct strict1 *s,
				  struct filter_edit *edit)
{
	struct http_end end = {
		.proto = HTTP_1,
		.dir = HTTP_UP,
		.stream = r->stream,
		.body_bytes = r->body,
		.trailers = s->headers,
		.trailer_count = s->count,
		.grpc_status = -1,
	};

	return r->filter->on_end ? r->filter->on_end(r->filter->ctx, &end, edit) : FILTER_PASS;
}

/* The end of a chunked body. Framed anew, it has its last chunk here. */
static enum step write_trailers(struct rewrite1 *r, struct buf *out, const struct strict1 *s,
				const struct filter_edit *edit)
{
	if (!r->chunked && !r->reframes)
		return edit->count ? unsupported(r, "trailers where there are none") : STEP_ON;
	if (r->reframes && buf_add(out, bytes_str("0\r\n"), &r->reason) < 0)
		return refuse(r);
	if (r->chunked)
		return write_text(r, out, s, edit);
	if (edit->count)
		return unsupported(r, "trailers where there are none");
	return buf_add(out, bytes_str("\r\n"), &r->reason) < 0 ? refuse(r) : STEP_ON;
}

static enum step step_end(struct rewrite1 *r, struct rewrite1_io *io)
{
	struct strict1 s;
	struct filter_edit edit;
	enum filter_answer answer;
	struct bytes text = r->chunked ? buf_bytes(&r->text) : bytes_str("\r\n");
	enum step step;

	if (buf_room(io->out) < most_of_text(r))
		return STEP_FULL;
	if (strict1_trailers(text, &s, &r->reason) < 0)
		return refuse(r);
	start_edit(&edit);
	answer = ask_end(r, &s, &edit);
	if (answer == FILTER_HOLD)
		return STEP_HELD;
	if (answer == FILTER_END)
		return ended(r, edit.reason);
	if (answer == FILTER_PASS)
		edit.count = 0;
	step = write_trailers(r, io->out, &s, &edit);
	if (step != STEP_ON)
		return step;
	text_written(r);
	r->state = r->asks_switch ? AT_SWITCH : AT_HEAD;
	return STEP_ON;
}

static enum step step_switch(struct rewrite1 *r, struct rewrite1_io *io)
{
	(void)r;
	(void)io;
	return STEP_WAIT;
}

static enum step step_bytes(struct rewrite1 *r, struct rewrite1_io *io)
{
	struct bytes piece = next_piece(r, io, UINT64_MAX);
	enum step step;

	if (io->in.n == 0)
		return STEP_MORE;
	if (piece.n == 0)
		return STEP_FULL;
	step = pass_piece(r, io->out, piece);
	if (step == STEP_ON)
		io->in = bytes_slice(io->in, piece.n, io->in.n);
	return step;
}

static enum step step_fault(struct rewrite1 *r, struct rewrite1_io *io)
{
	(void)r;
	(void)io;
	return STEP_FAULT;
}

static enum step (*const steps[])(struct rewrite1 *r, struct rewrite1_io *io) = {
	[AT_HEAD] = step_head,	     [AT_LENGTH] = step_data,	 [AT_SIZE] = step_frame,
	[AT_EXTENSION] = step_frame, [AT_SIZE_LF] = step_frame,	 [AT_CHUNK] = step_data,
	[AT_CHUNK_CR] = step_frame,  [AT_CHUNK_LF] = step_frame, [AT_TRAILERS] = step_trailers,
	[AT_END] = step_end,	     [AT_SWITCH] = step_switch,	 [AT_BYTES] = step_bytes,
	[AT_FAULT] = step_fault,
};

enum rewrite1_status rewrite1_feed(struct rewrite1 *r, struct rewrite1_io *io, struct err *e)
{
	enum step step;

	do
		step = steps[r->state](r, io);
	while (step == STEP_ON);
	switch (step) {
	case STEP_HELD:
		return REWRITE1_HELD;
	case STEP_FULL:
		return REWRITE1_FULL;
	case STEP_WAIT:
		return REWRITE1_WAIT;
	case STEP_FAULT:
		if (e)
			*e = r->reason;
		return r->fault;
	default:
		return REWRITE1_OPEN;
	}
}

void rewrite1_answer(struct rewrite1 *r, bool switched)
{
	if (r->state != AT_SWITCH)
		return;
	r->reframes = false;
	r->state = switched ? AT_BYTES : AT_HEAD;
}

bool rewrite1_end(struct rewrite1 *r)
{
	bool within_head = r->state == AT_HEAD && r->text.n;
	bool within_body = r->state > AT_HEAD && r->state < AT_SWITCH;

	if (within_body && r->filter->on_reset)
		r->filter->on_reset(r->filter->ctx, HTTP_UP, r->stream);
	return !within_head && !within_body;
}
