#include "flow/text_part.h"

#include "base/rd.h"
#include "http/protobuf.h"
#include "wire/alert.h"
#include "wire/names.h"

#define INDENT 13
#define INLINE_MAX 100 /* bytes of a message that are shown in its own line */

struct text text_begin(struct buf *out, const struct text_options *o, struct err *e)
{
	return (struct text){ .w = put_init(out, e), .o = o };
}

void text_paint(struct text *t, enum text_paint paint)
{
	static const char *const sgr[] = {
		[PAINT_OFF] = "\033[0m",   [PAINT_BOLD] = "\033[1m",   [PAINT_DIM] = "\033[2m",
		[PAINT_RED] = "\033[31m",  [PAINT_GREEN] = "\033[32m", [PAINT_YELLOW] = "\033[33m",
		[PAINT_CYAN] = "\033[36m",
	};

	if (t->o->colour)
		put_str(&t->w, sgr[paint]);
}

size_t text_at(struct text *t)
{
	put_flush(&t->w);
	return t->w.b->n;
}

static struct bytes since(struct text *t, size_t from)
{
	put_flush(&t->w);
	return bytes_slice(buf_bytes(t->w.b), from, t->w.b->n);
}

void text_pad(struct text *t, size_t from, size_t width)
{
	size_t n = columns_of(since(t, from));

	put_fill(&t->w, ' ', (n < width ? width - n : 0) + 1);
}

void text_left(struct text *t, const char *s, size_t width)
{
	size_t n = strlen(s);

	put_str(&t->w, s);
	put_fill(&t->w, ' ', (n < width ? width - n : 0) + 1);
}

static void right(struct text *t, struct bytes s, size_t width)
{
	put_fill(&t->w, ' ', s.n < width ? width - s.n : 0);
	put_bytes(&t->w, s);
	put_char(&t->w, ' ');
}

void text_right(struct text *t, const char *s, size_t width)
{
	right(t, bytes_str(s), width);
}

void text_right_number(struct text *t, uint64_t n, size_t width)
{
	char room[DIGITS_MAX];

	right(t, n ? digits_of(n, room) : bytes_str("-"), width);
}

void text_cut(struct text *t, size_t from, size_t width)
{
	struct bytes b = since(t, from);
	size_t i = 0, n = 0;

	if (t->w.failed || b.n <= width || columns_of(b) <= width)
		return;
	for (; i < b.n; i++) {
		n += (b.p[i] & 0xc0) != 0x80;
		if (n == width)
			break;
	}
	/* Not in the middle of an escaped byte. */
	for (size_t k = 1; k <= 3 && k <= i; k++) {
		if (b.p[i - k] == '\\') {
			i -= k;
			break;
		}
	}
	t->w.b->n = from + i;
	put_str(&t->w, "…");
}

/* A number, its decimal if it has one, a unit. room holds 24 bytes: 20 digits at most, a point,
 * a digit, two letters. */
static const char *number(char room[TEXT_NUMBER_MAX], uint64_t whole, int tenth, const char *unit)
{
	char digits[DIGITS_MAX];
	struct bytes text = digits_of(whole, digits);
	size_t n = text.n;

	memcpy(room, text.p, n);
	if (tenth >= 0) {
		room[n++] = '.';
		room[n++] = (char)('0' + tenth);
	}
	while (*unit && n < TEXT_NUMBER_MAX - 1)
		room[n++] = *unit++;
	room[n] = 0;
	return room;
}

/* tenths of a unit; three digits at most, so that the columns keep their width. */
static const char *scaled(uint64_t tenths, const char *unit, char room[TEXT_NUMBER_MAX])
{
	if (tenths < 1000)
		return number(room, tenths / 10, (int)(tenths % 10), unit);
	return number(room, tenths / 10, -1, unit);
}

const char *text_size(uint64_t bytes, char room[TEXT_NUMBER_MAX])
{
	static const char *const units[] = { "k", "M", "G", "T", "P", "E" };
	uint64_t tenths = bytes / 100;
	size_t unit = 0;

	if (bytes < 1000)
		return number(room, bytes, -1, "");
	for (; tenths >= 10000; tenths /= 1000)
		unit++;
	return scaled(tenths, units[unit], room);
}

static const char *in_two(uint64_t value, unsigned per, const char *units,
			  char room[TEXT_NUMBER_MAX])
{
	const char rest[] = { units[0], (char)('0' + value % per / 10),
			      (char)('0' + value % per % 10), units[1], 0 };

	return number(room, value / per, -1, rest);
}

const char *text_duration(int64_t ns, char room[TEXT_NUMBER_MAX])
{
	uint64_t ms = ns > 0 ? (uint64_t)ns / 1000000 : 0, s = ms / 1000;

	if (ns < 0)
		return "-";
	if (ms < 10)
		return scaled((uint64_t)ns / 100000, "ms", room);
	if (ms < 1000)
		return number(room, ms, -1, "ms");
	if (s < 60)
		return scaled(ms / 100, "s", room);
	if (s < 3600)
		return in_two(s, 60, "ms", room);
	if (s < 86400)
		return in_two(s / 60, 60, "hm", room);
	return in_two(s / 3600, 24, "dh", room);
}

const char *text_version(uint16_t version)
{
	const char *name = version ? version_name(version) : "-";

	if (!name)
		return "?";
	return strncmp(name, "TLS ", 4) == 0 ? name + 4 : name;
}

void text_indent(struct text *t, const char *mark)
{
	put_fill(&t->w, ' ', INDENT);
	text_paint(t, PAINT_DIM);
	put_str(&t->w, mark);
	text_paint(t, PAINT_OFF);
}

static void put_leg(struct text *t, const struct flow_info *f, enum flow_leg side)
{
	const struct leg_info *leg = &f->leg[side];
	char code[NAMES_CODE_MAX];
	bool server = side == LEG_SERVER;

	if (!leg->version)
		return;
	text_indent(t, server ? "* server " : "* client ");
	put_str(&t->w, names_or_code(version_name(leg->version), leg->version, code));
	put_char(&t->w, ' ');
	put_str(&t->w, names_or_code(cipher_name(leg->cipher), leg->cipher, code));
	if (leg->group) {
		put_char(&t->w, ' ');
		put_str(&t->w, names_or_code(group_name(leg->group), leg->group, code));
	}
	if (leg->resumed)
		put_str(&t->w, " resumed");
	if (leg->issuer.n) {
		put_str(&t->w, ", certificate by ");
		put_escaped(&t->w, leg->issuer);
	}
	if (server && f->verdict != CHAIN_UNCHECKED) {
		put_str(&t->w, ": ");
		put_str(&t->w, chain_verdict_text(f->verdict));
	}
	if (server && f->verdict != CHAIN_OK && f->verdict_reason.n) {
		put_str(&t->w, " (");
		put_escaped(&t->w, f->verdict_reason);
		put_char(&t->w, ')');
	}
	if (leg->remote.family != ADDR_NONE) {
		put_str(&t->w, ", ");
		put_addr(&t->w, &leg->remote, true);
	}
	if (leg->alert_seen) {
		put_str(&t->w, leg->alert_sent ? ", alert sent: " : ", alert received: ");
		put_str(&t->w, alert_name(leg->alert));
	}
	put_char(&t->w, '\n');
}

void text_legs(struct text *t, const struct flow_info *f)
{
	put_leg(t, f, LEG_CLIENT);
	put_leg(t, f, LEG_SERVER);
}

static void put_headers(struct text *t, const char *mark, const struct flow_header *headers,
			size_t count)
{
	for (size_t i = 0; i < count; i++) {
		text_indent(t, mark);
		text_paint(t, PAINT_CYAN);
		put_escaped(&t->w, headers[i].name);
		text_paint(t, PAINT_OFF);
		put_str(&t->w, ": ");
		put_header_value(&t->w, &headers[i], t->o->mask, VIEW_ESCAPED);
		put_char(&t->w, '\n');
	}
}

/* A line of text; tabs are shown as spaces, since the escaper would not let them through. */
static void put_line(struct text *t, struct bytes line)
{
	size_t tab;

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	while ((tab = bytes_index(line, '\t')) < line.n) {
		put_escaped(&t->w, bytes_slice(line, 0, tab));
		put_str(&t->w, "    ");
		line = bytes_slice(line, tab + 1, line.n);
	}
	put_escaped(&t->w, line);
	put_char(&t->w, '\n');
}

void text_hex_row(struct text *t, struct bytes row, uint64_t offset, size_t digits)
{
	text_paint(t, PAINT_DIM);
	put_hex(&t->w, offset, digits);
	text_paint(t, PAINT_OFF);
	put_char(&t->w, ' ');
	for (size_t i = 0; i < 16; i++) {
		put_str(&t->w, i == 8 ? "  " : " ");
		if (i < row.n)
			put_hex(&t->w, row.p[i], 2);
		else
			put_str(&t->w, "  ");
	}
	put_str(&t->w, "  ");
	for (size_t i = 0; i < row.n; i++)
		put_char(&t->w, row.p[i] >= 0x20 && row.p[i] < 0x7f ? (char)row.p[i] : '.');
	put_char(&t->w, '\n');
}

/* Returns how many bytes were shown. */
static size_t put_block(struct text *t, struct bytes data, bool cut)
{
	struct bytes text = data;
	size_t shown = data.n;

	if (view_is_text(&text, cut)) {
		shown = text.n;
		data = text;
		while (data.n) {
			size_t n = bytes_index(data, '\n');

			text_indent(t, "| ");
			put_line(t, bytes_slice(data, 0, n));
			data = bytes_slice(data, n + 1, data.n);
		}
		return shown;
	}
	for (size_t i = 0; i < data.n; i += 16) {
		text_indent(t, "");
		text_hex_row(t, bytes_slice(data, i, 16), i, 6);
	}
	return shown;
}

/* How much of a body is missing, as far as it can be told: 0 is "some". */
static void put_more(struct text *t, uint64_t bytes)
{
	text_indent(t, "… ");
	if (bytes) {
		put_u64(&t->w, bytes);
		put_str(&t->w, " more bytes\n");
	} else {
		put_str(&t->w, "more\n");
	}
}

static bool hides_bodies(const struct text_options *o)
{
	return o->mask && !o->mask_but_body;
}

static void put_body(struct text *t, const struct message *m)
{
	struct view_body body;
	bool decoded;
	size_t shown;

	/* The messages of gRPC were shown one by one. */
	if (!t->o->body || m->body_bytes == 0 || m->messages)
		return;
	if (hides_bodies(t->o)) {
		text_indent(t, "| (hidden)\n");
		return;
	}
	view_body_init(&body, m, t->o->body_max ? t->o->body_max : VIEW_BODY_MAX);
	decoded = body.data.p != m->body.p;
	if (body.coded) {
		text_indent(t, "| ");
		put_str(&t->w, "(its content coding cannot be undone)\n");
	}
	shown = put_block(t, body.data, body.cut);
	if (body.cut)
		put_more(t, decoded || m->body_bytes < shown ? 0 : m->body_bytes - shown);
	view_body_fini(&body);
}

static void put_request_line(struct text *t, const struct exchange *x)
{
	text_indent(t, "> ");
	text_paint(t, PAINT_BOLD);
	put_escaped(&t->w, x->method);
	put_char(&t->w, ' ');
	put_view(&t->w, t->o->mask ? mask_url(x->path) : mask_none(x->path), VIEW_ESCAPED);
	put_str(&t->w, x->path.n ? " HTTP/" : "HTTP/");
	put_http_version(&t->w, x);
	text_paint(t, PAINT_OFF);
	put_char(&t->w, '\n');
}

static void put_status_line(struct text *t, const struct exchange *x)
{
	text_indent(t, "< ");
	text_paint(t, PAINT_BOLD);
	put_str(&t->w, "HTTP/");
	put_http_version(&t->w, x);
	put_char(&t->w, ' ');
	put_u64(&t->w, x->status);
	if (x->reason.n) {
		put_char(&t->w, ' ');
		put_escaped(&t->w, x->reason);
	}
	text_paint(t, PAINT_OFF);
	put_char(&t->w, '\n');
}

static void put_one(struct text *t, const struct exchange *x, const struct message *m,
		    const char *mark)
{
	bool up = m == &x->request;

	if (!m->seen)
		return;
	if (t->o->verbose) {
		if (up)
			put_request_line(t, x);
		else
			put_status_line(t, x);
		put_headers(t, mark, m->headers, m->header_count);
		if (m->headers_cut) {
			text_indent(t, mark);
			put_str(&t->w, "… more headers\n");
		}
	}
	put_body(t, m);
	if (t->o->verbose)
		put_headers(t, mark, m->trailers, m->trailer_count);
}

void text_messages(struct text *t, const struct exchange *x)
{
	put_one(t, x, &x->request, "> ");
	put_one(t, x, &x->response, "< ");
}

/* The body of a Close frame: a status of two bytes and perhaps a reason (RFC 6455, 5.5.1). */
static void put_close(struct text *t, struct bytes data)
{
	bool bad = false;
	struct rd r = rd_init(data, &bad);

	put_str(&t->w, ": ");
	put_u64(&t->w, rd_u16(&r));
	if (r.n)
		put_char(&t->w, ' ');
	put_line(t, rd_rest(&r));
}

static bool fits_in_line(const struct view_body *v)
{
	struct bytes text = v->data;

	return !v->cut && text.n <= INLINE_MAX && bytes_index(text, '\n') == text.n &&
	       view_is_text(&text, false);
}

/* A message of gRPC as the fields of Protocol Buffers that it has, when it reads as such. */
static bool put_fields(struct text *t, const struct flow_message *m, const struct view_body *v)
{
	struct buf fields = buf_init(VIEW_BODY_MAX);
	bool shown = m->proto == PROTO_GRPC && !v->cut && !v->coded &&
		     protobuf_explain(v->data, &fields) && fields.n;

	if (shown) {
		put_str(&t->w, ":\n");
		(void)put_block(t, buf_bytes(&fields), true);
	}
	buf_fini(&fields);
	return shown;
}

static void put_content(struct text *t, const struct flow_message *m)
{
	struct view_body v;
	size_t shown;

	view_message_init(&v, m, t->o->body_max ? t->o->body_max : VIEW_BODY_MAX);
	if (v.coded)
		put_str(&t->w, " (which cannot be undone)");
	if (m->opcode == 8 && v.data.n > 1 && !v.cut) {
		put_close(t, v.data);
	} else if (put_fields(t, m, &v)) {
		/* What a schema would call them is not known. */
	} else if (fits_in_line(&v)) {
		put_str(&t->w, ": ");
		put_line(t, v.data);
	} else {
		put_str(&t->w, ":\n");
		shown = put_block(t, v.data, v.cut);
		/* Of what is compressed the end is not known. */
		if (v.cut)
			put_more(t, m->coding.n ? 0 : m->bytes - shown);
	}
	view_body_fini(&v);
}

void text_one_message(struct text *t, const struct flow_message *m)
{
	put_str(&t->w, m->dir == DIR_UP ? "> " : "< ");
	put_str(&t->w, flow_proto_text(m->proto));
	if (m->proto == PROTO_WEBSOCKET) {
		put_char(&t->w, ' ');
		put_str(&t->w, ws_opcode_text(m->opcode));
	}
	put_str(&t->w, ", ");
	put_u64(&t->w, m->bytes);
	put_str(&t->w, m->bytes == 1 ? " byte" : " bytes");
	if (m->coding.n) {
		put_str(&t->w, " of ");
		put_escaped(&t->w, m->coding);
	}
	if (!t->o->body || hides_bodies(t->o) || m->bytes == 0)
		put_char(&t->w, '\n');
	else
		put_content(t, m);
}
