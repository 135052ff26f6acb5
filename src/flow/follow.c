#include "flow/follow.h"

#include "base/escape.h"
#include "flow/text_part.h"

/* The options that the parts of text_part.c look at. */
static struct text begin(struct follow *f, const struct text_options *options)
{
	return text_begin(f->o.out, options, &f->e);
}

static void finish(struct follow *f, struct text *t)
{
	if (put_end(&t->w) < 0)
		f->failed = true;
}

static enum text_paint paint_of(enum flow_dir dir)
{
	return dir == DIR_UP ? PAINT_CYAN : PAINT_GREEN;
}

static void end_line(struct follow *f, struct text *t)
{
	if (f->in_line)
		put_char(&t->w, '\n');
	f->in_line = false;
}

/* A piece of a line. Its colour ends with it, so that nothing else is coloured when it is cut. */
static void put_piece(struct follow *f, struct text *t, enum flow_dir dir, struct bytes piece)
{
	size_t tab;

	if (piece.n && piece.p[piece.n - 1] == '\r')
		piece.n--;
	if (!f->in_line && !f->o.colour)
		put_str(&t->w, dir == DIR_UP ? "> " : "< ");
	f->in_line = true;
	if (piece.n == 0)
		return;
	text_paint(t, paint_of(dir));
	while ((tab = bytes_index(piece, '\t')) < piece.n) {
		put_escaped(&t->w, bytes_slice(piece, 0, tab));
		put_str(&t->w, "    ");
		piece = bytes_slice(piece, tab + 1, piece.n);
	}
	put_escaped(&t->w, piece);
	text_paint(t, PAINT_OFF);
}

static void put_lines(struct follow *f, struct text *t, enum flow_dir dir, struct bytes data)
{
	while (data.n) {
		size_t n = bytes_index(data, '\n');

		put_piece(f, t, dir, bytes_slice(data, 0, n));
		if (n < data.n)
			end_line(f, t);
		data = bytes_slice(data, n + 1, data.n);
	}
}

/* How many bytes at the end are a character that is not whole yet. */
static size_t unfinished(struct bytes data)
{
	uint32_t cp;

	for (size_t n = 1; n <= 3 && n <= data.n; n++) {
		uint8_t c = data.p[data.n - n];
		size_t whole = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;

		if ((c & 0xc0) == 0x80)
			continue;
		if (whole <= n || c > 0xf4)
			return 0;
		return utf8_length(bytes_slice(data, data.n - n, n), &cp) ? 0 : n;
	}
	return 0;
}

/* What waited for the rest of its character is shown as it is. */
static void put_rest(struct follow *f, struct text *t)
{
	size_t n = f->rest_n;

	f->rest_n = 0;
	put_lines(f, t, f->dir, bytes_of(f->rest, n));
}

/* Takes as much from the front of *data as the waiting character may need, and shows it when it is
 * whole, or cannot become so. */
static void complete(struct follow *f, struct text *t, struct bytes *data)
{
	while (f->rest_n && data->n && unfinished(bytes_of(f->rest, f->rest_n))) {
		if ((data->p[0] & 0xc0) != 0x80)
			break;
		f->rest[f->rest_n++] = data->p[0];
		*data = bytes_slice(*data, 1, data->n);
	}
	if (f->rest_n && (data->n || !unfinished(bytes_of(f->rest, f->rest_n))))
		put_rest(f, t);
}

static void as_text(struct follow *f, struct text *t, enum flow_dir dir, struct bytes data)
{
	size_t n;

	complete(f, t, &data);
	n = unfinished(data);
	put_lines(f, t, dir, bytes_slice(data, 0, data.n - n));
	if (n) {
		memcpy(f->rest, data.p + data.n - n, n);
		f->rest_n = n;
	}
}

static void as_hex(struct follow *f, struct text *t, enum flow_dir dir, struct bytes data)
{
	for (size_t i = 0; i < data.n; i += 16) {
		put_str(&t->w, dir == DIR_UP ? "" : "    ");
		text_paint(t, paint_of(dir));
		text_hex_row(t, bytes_slice(data, i, 16), f->bytes[dir] + i, 8);
	}
}

static void turn(struct follow *f, struct text *t, enum flow_dir dir)
{
	if (f->begun && f->dir == dir)
		return;
	put_rest(f, t);
	end_line(f, t);
	f->dir = dir;
	f->begun = true;
}

static void on_data(struct follow *f, enum flow_dir dir, struct bytes data)
{
	const struct text_options options = { .colour = f->o.colour };
	struct text t = begin(f, &options);

	if (f->o.form == FOLLOW_RAW) {
		put_bytes(&t.w, data);
	} else if (f->o.form == FOLLOW_HEX) {
		as_hex(f, &t, dir, data);
	} else {
		turn(f, &t, dir);
		as_text(f, &t, dir, data);
	}
	f->bytes[dir] += data.n;
	finish(f, &t);
}

/* A line about what is not there. */
static void remark(struct follow *f, enum flow_dir dir, uint64_t bytes, struct bytes sentence)
{
	const struct text_options options = { .colour = f->o.colour };
	struct text t = begin(f, &options);

	put_rest(f, &t);
	end_line(f, &t);
	text_paint(&t, PAINT_YELLOW);
	put_char(&t.w, '[');
	if (bytes) {
		put_u64(&t.w, bytes);
		put_str(&t.w, dir == DIR_UP ? " bytes of the client" : " bytes of the server");
		put_str(&t.w, " are not in the capture");
	}
	put_escaped(&t.w, sentence);
	put_char(&t.w, ']');
	text_paint(&t, PAINT_OFF);
	put_char(&t.w, '\n');
	finish(f, &t);
}

static void on_end(struct follow *f)
{
	const struct text_options options = { .colour = f->o.colour };
	struct text t = begin(f, &options);

	put_rest(f, &t);
	end_line(f, &t);
	finish(f, &t);
}

static void follow_on_event(void *ctx, const struct event *ev)
{
	struct follow *f = ctx;
	bool shown = ev->dir == DIR_UP ? !f->o.no_client : !f->o.no_server;

	if (ev->flow != f->o.flow)
		return;
	f->seen = true;
	if (ev->type == EV_DATA && shown)
		on_data(f, ev->dir, ev->u.data.data);
	if (f->o.form == FOLLOW_RAW)
		return;
	if (ev->type == EV_GAP && shown && ev->u.gap.bytes)
		remark(f, ev->dir, ev->u.gap.bytes, (struct bytes){ 0 });
	else if (ev->type == EV_DARK)
		remark(f, ev->dir, 0, ev->u.dark.reason);
	else if (ev->type == EV_FLOW_END)
		on_end(f);
}

struct follow follow_init(const struct follow_options *o)
{
	return (struct follow){ .o = *o };
}

struct event_sink follow_sink(struct follow *f)
{
	return (struct event_sink){
		.mask = EV_BIT(EV_FLOW_OPEN) | EV_BIT(EV_DATA) | EV_BIT(EV_GAP) | EV_BIT(EV_DARK) |
			EV_BIT(EV_FLOW_END),
		.on_event = follow_on_event,
		.ctx = f,
	};
}
