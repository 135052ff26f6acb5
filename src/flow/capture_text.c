#include "flow/capture_text.h"

#include "flow/text_part.h"
#include "wire/alert.h"
#include "wire/names.h"

/* Columns; the connection's line ends with what has no fixed width. */
enum { WIDTH_NAME = 7, WIDTH_ADDR = 21, WIDTH_TLS = 3, WIDTH_ALPN = 8, WIDTH_STATE = 9 };
#define LEFT_WIDTH (12 + 1 + WIDTH_NAME + 1)

int capture_text_title(struct buf *out, const struct text_options *o, struct err *e)
{
	struct text t = text_begin(out, o, e);

	text_paint(&t, PAINT_DIM);
	put_str(&t.w, "time            flow client                  server                tls "
		      "alpn        up  down   took state     server name, cipher, ...\n"
		      "time        exchange method  sta  size   took url");
	text_paint(&t, PAINT_OFF);
	put_char(&t.w, '\n');
	return put_end(&t.w);
}

/* The number of a flow, or the name of an exchange: index 0 is none. */
static void put_name(struct text *t, uint64_t flow, uint64_t index)
{
	char room[2 * DIGITS_MAX + 2], digits[DIGITS_MAX];
	struct bytes number = digits_of(flow & ~FLOW_UDP, digits);
	size_t n = 0;

	if (flow & FLOW_UDP)
		room[n++] = 'u';
	memcpy(room + n, number.p, number.n);
	n += number.n;
	if (index) {
		room[n++] = '.';
		number = digits_of(index, digits);
		memcpy(room + n, number.p, number.n);
		n += number.n;
	}
	put_fill(&t->w, ' ', n < WIDTH_NAME ? WIDTH_NAME - n : 0);
	put_bytes(&t->w, bytes_of(room, n));
	put_char(&t->w, ' ');
}

static void put_left(struct text *t, int64_t wall_ns, uint64_t flow, uint64_t index)
{
	text_paint(t, PAINT_DIM);
	put_clock(&t->w, wall_ns, t->o->utc_offset_s);
	put_char(&t->w, ' ');
	put_name(t, flow, index);
	text_paint(t, PAINT_OFF);
}

static void put_addresses(struct text *t, const struct flow_info *f)
{
	size_t at = text_at(t);

	put_addr(&t->w, &f->client, true);
	text_pad(t, at, WIDTH_ADDR);
	put_str(&t->w, "→ ");
	at = text_at(t);
	put_addr(&t->w, &f->local, true);
	text_pad(t, at, WIDTH_ADDR);
}

static void put_agreed(struct text *t, const struct flow_info *f)
{
	const struct leg_info *leg = &f->leg[LEG_CLIENT];
	size_t at;

	text_paint(t, PAINT_DIM);
	text_left(t, text_version(leg->version), WIDTH_TLS);
	at = text_at(t);
	if (leg->alpn.n)
		put_escaped(&t->w, leg->alpn);
	else
		put_char(&t->w, '-');
	text_pad(t, at, WIDTH_ALPN);
	text_paint(t, PAINT_OFF);
}

static enum text_paint state_paint(const struct flow_info *f)
{
	if (f->failed || f->leg[LEG_CLIENT].end == END_RESET)
		return PAINT_RED;
	return f->capture.darks ? PAINT_YELLOW : PAINT_OFF;
}

static void put_state(struct text *t, const struct flow_info *f)
{
	char room[TEXT_NUMBER_MAX];
	enum text_paint paint = state_paint(f);

	text_right(t, text_size(f->bytes_up, room), WIDTH_SIZE);
	text_size_and_time(t, f->bytes_down, f->duration_ns);
	if (paint)
		text_paint(t, paint);
	text_left(t, flow_state_text(f), WIDTH_STATE);
	if (paint)
		text_paint(t, PAINT_OFF);
}

/* What stands in place of a server name. */
static const char *spoken(const struct flow_info *f)
{
	const struct capture_info *c = &f->capture;

	if (c->darks && (c->why == DARK_QUIC || c->why == DARK_DTLS))
		return dark_why_text(c->why);
	return f->hello_seen ? "(no sni)" : flow_proto_text(f->proto);
}

static void put_names(struct text *t, const struct flow_info *f)
{
	const struct leg_info *leg = &f->leg[LEG_CLIENT];
	char code[NAMES_CODE_MAX];

	text_paint(t, PAINT_BOLD);
	if (f->sni.n)
		put_escaped(&t->w, f->sni);
	else
		put_str(&t->w, spoken(f));
	text_paint(t, PAINT_OFF);
	if (f->capture.inner_sni.n) {
		put_str(&t->w, " (inside: ");
		put_escaped(&t->w, f->capture.inner_sni);
		put_char(&t->w, ')');
	}
	text_paint(t, PAINT_DIM);
	if (leg->cipher) {
		put_char(&t->w, ' ');
		put_str(&t->w, names_or_code(cipher_name(leg->cipher), leg->cipher, code));
	}
	if (leg->group) {
		put_char(&t->w, ' ');
		put_str(&t->w, names_or_code(group_name(leg->group), leg->group, code));
	}
	if (leg->resumed)
		put_str(&t->w, " resumed");
	text_paint(t, PAINT_OFF);
}

static void put_process(struct text *t, struct bytes name, int64_t pid)
{
	if (name.n == 0 && pid <= 0)
		return;
	if (name.n)
		put_escaped(&t->w, name);
	else
		put_char(&t->w, '?');
	if (pid > 0) {
		put_char(&t->w, '[');
		put_u64(&t->w, (uint64_t)pid);
		put_char(&t->w, ']');
	}
}

static void put_processes(struct text *t, const struct flow_info *f)
{
	const struct capture_info *c = &f->capture;
	bool client = f->process.n || f->pid > 0;
	bool server = c->server_process.n || c->server_pid > 0;

	if (!client && !server)
		return;
	text_paint(t, PAINT_CYAN);
	put_char(&t->w, ' ');
	put_process(t, f->process, f->pid);
	if (server) {
		put_str(&t->w, client ? " → " : "→ ");
		put_process(t, c->server_process, c->server_pid);
	}
	text_paint(t, PAINT_OFF);
}

static void put_wrong(struct text *t, const struct flow_info *f)
{
	const struct leg_info *leg = &f->leg[LEG_CLIENT];

	text_verdict_note(t, f);
	if (f->capture.mid)
		put_str(&t->w, " [begun before the capture]");
	if (leg->alert_seen) {
		text_paint(t, PAINT_RED);
		put_str(&t->w, " alert: ");
		put_str(&t->w, alert_name(leg->alert));
		text_paint(t, PAINT_OFF);
	}
	if (f->reason.n) {
		put_str(&t->w, "  ");
		text_paint(t, PAINT_RED);
		put_escaped(&t->w, f->reason);
		text_paint(t, PAINT_OFF);
	}
	if (f->capture.darks) {
		put_str(&t->w, "  ");
		text_paint(t, PAINT_YELLOW);
		put_str(&t->w, flow_sight_text(f));
		put_str(&t->w, ": ");
		put_escaped(&t->w, f->dark);
		text_paint(t, PAINT_OFF);
	}
}

static void put_count(struct text *t, const char *before, uint64_t n, const char *after)
{
	put_str(&t->w, before);
	put_u64(&t->w, n);
	put_str(&t->w, after);
}

/* What a line below the connection's says of it. */
static void put_details(struct text *t, const struct flow_info *f)
{
	const struct capture_info *c = &f->capture;
	const struct leg_info *leg = &f->leg[LEG_CLIENT];

	text_indent(t, "* ");
	put_count(t, "packets ", c->first_packet, " to ");
	put_count(t, "", c->last_packet, ", ");
	put_count(t, "", c->packets, " of this flow");
	if (f->gap_bytes)
		put_count(t, ", ", f->gap_bytes, " bytes missing");
	if (leg->handshake_ns) {
		char room[TEXT_NUMBER_MAX];

		put_str(&t->w, ", handshake ");
		put_str(&t->w, text_duration(leg->handshake_ns, room));
	}
	if (f->ja4.n) {
		put_str(&t->w, ", ja4 ");
		put_escaped(&t->w, f->ja4);
	}
	put_char(&t->w, '\n');
	if (leg->issuer.n) {
		text_indent(t, "* ");
		put_str(&t->w, "certificate by ");
		put_escaped(&t->w, leg->issuer);
		put_char(&t->w, '\n');
	}
	if (c->notes) {
		text_indent(t, "* ");
		put_escaped(&t->w, c->note);
		if (c->notes > 1)
			put_count(t, " (and ", c->notes - 1, " more)");
		put_char(&t->w, '\n');
	}
}

int capture_text_flow(struct buf *out, const struct text_options *o, const struct flow_info *f,
		      struct err *e)
{
	struct text t = text_begin(out, o, e);

	put_left(&t, f->start_wall_ns, f->flow, 0);
	put_addresses(&t, f);
	put_agreed(&t, f);
	put_state(&t, f);
	put_names(&t, f);
	put_processes(&t, f);
	put_wrong(&t, f);
	put_char(&t.w, '\n');
	if (o->verbose)
		put_details(&t, f);
	return put_end(&t.w);
}

int capture_text_exchange(struct buf *out, const struct text_options *o, const struct flow_info *f,
			  const struct exchange *x, struct err *e)
{
	struct text t = text_begin(out, o, e);

	put_left(&t, x->wall_ns, x->flow, x->index);
	text_exchange_columns(&t, f, x, LEFT_WIDTH);
	if (o->verbose || o->body)
		text_messages(&t, x);
	return put_end(&t.w);
}

int capture_text_message(struct buf *out, const struct text_options *o, const struct flow_info *f,
			 const struct flow_message *m, struct err *e)
{
	struct text t = text_begin(out, o, e);
	bool plain = m->proto == PROTO_BYTES;

	if (!o->body && (plain || !o->verbose))
		return 0;
	put_left(&t, m->wall_ns, f->flow, m->index);
	text_one_message(&t, m);
	return put_end(&t.w);
}

int capture_text_why(struct buf *out, const struct text_options *o, const struct flow_info *f,
		     struct err *e)
{
	struct text t = text_begin(out, o, e);

	if (!f->capture.darks)
		return 0;
	put_name(&t, f->flow, 0);
	put_addresses(&t, f);
	text_paint(&t, PAINT_BOLD);
	if (f->sni.n) {
		put_escaped(&t.w, f->sni);
		put_char(&t.w, ' ');
	}
	text_paint(&t, PAINT_YELLOW);
	put_str(&t.w, flow_sight_text(f));
	put_str(&t.w, ": ");
	text_paint(&t, PAINT_OFF);
	put_escaped(&t.w, f->dark);
	if (f->capture.darks > 1)
		put_count(&t, " (and ", f->capture.darks - 1, " more)");
	put_char(&t.w, '\n');
	return put_end(&t.w);
}
