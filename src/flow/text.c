#include "flow/text.h"

#include "flow/text_part.h"
#include "http/grpc.h"
#include "wire/names.h"

/* The columns; the URL follows. */
enum {
	WIDTH_N = 5,
	WIDTH_CLIENT = 15,
	WIDTH_TLS = 3,
	WIDTH_ALPN = 8,
};
#define LEFT_WIDTH (12 + 1 + WIDTH_N + 1 + WIDTH_CLIENT + 1 + WIDTH_TLS + 1 + WIDTH_ALPN + 1)
#define URL_LEAST 20

int text_title(struct buf *out, const struct text_options *o, struct err *e)
{
	struct text t = text_begin(out, o, e);

	text_paint(&t, PAINT_DIM);
	put_str(&t.w,
		"time             # client          tls alpn     method  sta  size   took url");
	text_paint(&t, PAINT_OFF);
	put_char(&t.w, '\n');
	return put_end(&t.w);
}

/* What goes before the columns that exchanges and connections fill differently. n 0: none. */
static void put_left(struct text *t, const struct flow_info *f, int64_t wall_ns, uint64_t n)
{
	const struct leg_info *leg = &f->leg[LEG_CLIENT];
	size_t at;

	text_paint(t, PAINT_DIM);
	put_clock(&t->w, wall_ns, t->o->utc_offset_s);
	put_char(&t->w, ' ');
	text_right_number(t, n, WIDTH_N);
	text_paint(t, PAINT_OFF);

	at = text_at(t);
	if (f->process.n)
		put_escaped(&t->w, f->process);
	else if (f->client.family != ADDR_NONE)
		put_addr(&t->w, &f->client, f->client.family == ADDR_IP4);
	else
		put_char(&t->w, '-');
	text_pad(t, at, WIDTH_CLIENT);

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

void text_size_and_time(struct text *t, uint64_t bytes, int64_t ns)
{
	char room[TEXT_NUMBER_MAX];

	text_right(t, text_size(bytes, room), WIDTH_SIZE);
	text_paint(t, ns >= 1000000000 ? PAINT_YELLOW : PAINT_DIM);
	text_right(t, text_duration(ns, room), WIDTH_TIME);
	text_paint(t, PAINT_OFF);
}

/* The host that the URL names, without port and userinfo. */
static struct bytes url_host(const struct exchange *x)
{
	struct bytes a = x->authority;
	size_t at = a.n, end;

	while (at && a.p[at - 1] != '@')
		at--;
	a = bytes_slice(a, at, a.n);
	end = a.n && a.p[0] == '[' ? a.n : bytes_index(a, ':');
	return bytes_slice(a, 0, end);
}

void text_sni_note(struct text *t, const struct flow_info *f, struct bytes host)
{
	if (!f->hello_seen || bytes_equal_nocase(f->sni, host))
		return;
	/* The line of a captured connection says it. */
	if (f->way == WAY_CAPTURE && !f->sni.n)
		return;
	text_paint(t, PAINT_DIM);
	if (f->sni.n) {
		put_str(&t->w, " (sni ");
		put_escaped(&t->w, f->sni);
		put_char(&t->w, ')');
	} else {
		put_str(&t->w, " (no sni)");
	}
	text_paint(t, PAINT_OFF);
}

void text_verdict_note(struct text *t, const struct flow_info *f)
{
	if (f->verdict == CHAIN_OK || f->verdict == CHAIN_UNCHECKED)
		return;
	text_paint(t, PAINT_YELLOW);
	put_str(&t->w, " [certificate: ");
	put_str(&t->w, chain_verdict_text(f->verdict));
	put_char(&t->w, ']');
	text_paint(t, PAINT_OFF);
}

static void put_notes(struct text *t, const struct flow_info *f, const struct exchange *x)
{
	if (x->proto == PROTO_GRPC && x->grpc_status >= 0) {
		const char *name = grpc_status_text(x->grpc_status);

		text_paint(t, x->grpc_status ? PAINT_RED : PAINT_GREEN);
		put_str(&t->w, " grpc ");
		if (name)
			put_str(&t->w, name);
		else
			put_u64(&t->w, (uint64_t)x->grpc_status);
		text_paint(t, PAINT_OFF);
	}
	if (x->request.messages || x->response.messages) {
		text_paint(t, PAINT_DIM);
		put_str(&t->w, " (messages: ");
		put_u64(&t->w, x->request.messages);
		put_str(&t->w, " up, ");
		put_u64(&t->w, x->response.messages);
		put_str(&t->w, " down)");
		text_paint(t, PAINT_OFF);
	}
	text_sni_note(t, f, url_host(x));
	text_verdict_note(t, f);
	if (x->unknown)
		put_str(&t->w, " [head not fully known]");
	if (x->cut || x->request.truncated || x->response.truncated) {
		text_paint(t, PAINT_RED);
		put_str(&t->w, x->response.seen ? " [cut off]" : " [no answer]");
		text_paint(t, PAINT_OFF);
	}
}

static enum text_paint status_paint(unsigned status)
{
	static const enum text_paint by_class[] = { PAINT_DIM,	PAINT_CYAN,   PAINT_GREEN,
						    PAINT_CYAN, PAINT_YELLOW, PAINT_RED };

	return status / 100 < ARRAY_LEN(by_class) ? by_class[status / 100] : PAINT_RED;
}

void text_exchange_columns(struct text *t, const struct flow_info *f, const struct exchange *x,
			   size_t url_at)
{
	const struct text_options *o = t->o;
	size_t at;

	text_paint(t, PAINT_BOLD);
	at = text_at(t);
	if (x->method.n)
		put_escaped(&t->w, x->method);
	else
		put_char(&t->w, '-');
	text_pad(t, at, WIDTH_METHOD);
	text_paint(t, status_paint(x->status));
	text_right_number(t, x->status, WIDTH_STATUS);
	text_paint(t, PAINT_OFF);
	text_size_and_time(t, x->response.body_bytes, x->end_ns);

	at = text_at(t);
	put_url(&t->w, x, o->mask, VIEW_ESCAPED);
	url_at += TEXT_EXCHANGE_WIDTH;
	if (o->width)
		text_cut(t, at, o->width > url_at + URL_LEAST ? o->width - url_at : URL_LEAST);
	put_notes(t, f, x);
	put_char(&t->w, '\n');
}

int text_exchange(struct buf *out, const struct text_options *o, const struct flow_info *f,
		  const struct exchange *x, struct err *e)
{
	struct text t = text_begin(out, o, e);

	put_left(&t, f, x->wall_ns, x->n);
	text_exchange_columns(&t, f, x, LEFT_WIDTH);
	if (o->verbose && x->first)
		text_legs(&t, f);
	if (o->verbose || o->body)
		text_messages(&t, x);
	return put_end(&t.w);
}

/* What a connection is called in the column of the methods; NULL: its exchanges say everything. */
static const char *flow_word(const struct text_options *o, const struct flow_info *f,
			     enum text_paint *paint)
{
	*paint = PAINT_DIM;
	if (f->action == ACTION_BLOCK) {
		*paint = PAINT_YELLOW;
		return "blocked";
	}
	if (f->failed || f->failure) {
		*paint = PAINT_RED;
		return "failed";
	}
	if (f->action == ACTION_SPLICE)
		return "spliced";
	if (f->dark.n || (f->exchanges == 0 && f->proto == PROTO_BYTES))
		return "bytes";
	return f->exchanges == 0 && o->verbose ? "unused" : NULL;
}

static void put_reason(struct text *t, const struct flow_info *f, enum text_paint paint)
{
	char sentence[VIEW_REASON_MAX];

	put_str(&t->w, "  ");
	text_paint(t, paint);
	if (f->failure && f->action != ACTION_BLOCK)
		put_str(&t->w, f->side == LEG_CLIENT ? "client: " : "server: ");
	put_escaped(&t->w, view_reason(f, sentence, sizeof(sentence)));
	text_paint(t, PAINT_OFF);
}

static void put_both_ways(struct text *t, const struct flow_info *f)
{
	char room[TEXT_NUMBER_MAX];

	text_paint(t, PAINT_DIM);
	put_str(&t->w, "  ");
	put_str(&t->w, text_size(f->bytes_up, room));
	put_str(&t->w, " up, ");
	put_str(&t->w, text_size(f->bytes_down, room));
	put_str(&t->w, " down");
	text_paint(t, PAINT_OFF);
}

int text_flow(struct buf *out, const struct text_options *o, const struct flow_info *f,
	      struct err *e)
{
	struct text t = text_begin(out, o, e);
	enum text_paint paint;
	const char *word = flow_word(o, f, &paint);

	if (!word)
		return 0;
	put_left(&t, f, f->start_wall_ns, 0);
	text_paint(&t, paint);
	text_left(&t, word, WIDTH_METHOD);
	text_paint(&t, PAINT_OFF);
	text_right(&t, "-", WIDTH_STATUS);
	text_size_and_time(&t, f->bytes_up + f->bytes_down, f->duration_ns);
	if (f->target_host.n)
		put_target(&t.w, f, VIEW_ESCAPED);
	else
		put_char(&t.w, '-');
	text_sni_note(&t, f, f->target_host);
	text_verdict_note(&t, f);
	if (f->failed || f->failure || f->action == ACTION_BLOCK || f->reason.n)
		put_reason(&t, f, paint);
	else
		put_both_ways(&t, f);
	if (f->dark.n) {
		put_str(&t.w, "  ");
		put_escaped(&t.w, f->dark);
	}
	put_char(&t.w, '\n');
	if (o->verbose && f->exchanges == 0)
		text_legs(&t, f);
	return put_end(&t.w);
}

int text_message(struct buf *out, const struct text_options *o, const struct flow_info *f,
		 const struct flow_message *m, struct err *e)
{
	struct text t = text_begin(out, o, e);

	(void)f;
	if (!o->verbose && !o->body)
		return 0;
	text_paint(&t, PAINT_DIM);
	put_clock(&t.w, m->wall_ns, o->utc_offset_s);
	put_char(&t.w, ' ');
	text_right_number(&t, m->n, WIDTH_N);
	text_paint(&t, PAINT_OFF);
	text_one_message(&t, m);
	return put_end(&t.w);
}
