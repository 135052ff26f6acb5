#include "flow/expr.h"
#include "flow/expr_field.h"
#include "flow/put.h"

#define SHOWN_BEFORE 50
#define SHOWN_AFTER 30

/* Writes a part of the expression; how many columns it took. */
static size_t show(struct put *w, struct bytes part)
{
	size_t from;

	put_flush(w);
	from = w->b->n;
	/* Line ends and tabs are spaces to the language. */
	for (size_t n; part.n; part = bytes_slice(part, n, part.n)) {
		bool space = part.p[0] == '\n' || part.p[0] == '\r' || part.p[0] == '\t';

		for (n = 1; !space && n < part.n && part.p[n] >= 0x20; n++)
			;
		if (space)
			put_char(w, ' ');
		else
			put_escaped(w, bytes_slice(part, 0, n));
	}
	put_flush(w);
	return columns_of(bytes_slice(buf_bytes(w->b), from, w->b->n));
}

/* To the front of a character. */
static size_t whole(struct bytes text, size_t at)
{
	while (at > 0 && at < text.n && (text.p[at] & 0xc0) == 0x80)
		at--;
	return at;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

int expr_caret(struct buf *out, struct bytes text, const struct expr_fault *fault, struct err *e)
{
	struct put w = put_init(out, e);
	size_t at = fault->column ? least(fault->column - 1, text.n) : 0;
	size_t end = at + least(fault->length, text.n - at);
	size_t from = whole(text, at > SHOWN_BEFORE ? at - SHOWN_BEFORE : 0);
	size_t to = whole(text, least(text.n, at + SHOWN_BEFORE + SHOWN_AFTER));
	size_t before, marked;

	end = least(end, to > at ? to : at);
	put_str(&w, from ? "  …" : "  ");
	before = 2 + (from > 0) + show(&w, bytes_slice(text, from, at - from));
	marked = show(&w, bytes_slice(text, at, end - at));
	(void)show(&w, bytes_slice(text, end, to - end));
	put_str(&w, to < text.n ? "…\n" : "\n");
	put_fill(&w, ' ', before);
	put_char(&w, '^');
	put_fill(&w, '~', marked > 1 ? marked - 1 : 0);
	put_char(&w, '\n');
	return put_end(&w);
}

static void put_name(struct put *w, const struct expr_field *f)
{
	put_str(w, f->name);
	if (f->name[strlen(f->name) - 1] == '.')
		put_str(w, "NAME");
}

static void put_row(struct put *w, const struct expr_field *f, enum expr_list form)
{
	size_t from;

	put_str(w, form == EXPR_LIST_MARKDOWN ? "| `" : "");
	put_flush(w);
	from = w->b->n;
	put_name(w, f);
	put_flush(w);
	if (form == EXPR_LIST_MARKDOWN)
		put_str(w, "` | ");
	else
		put_fill(w, ' ', w->b->n - from < 24 ? 24 - (w->b->n - from) : 1);
	put_str(w, f->what);
	if (form == EXPR_LIST_MARKDOWN)
		put_str(w, f->others[0] ? " | `" : " | ");
	for (size_t i = 0; i < EXPR_OTHERS && f->others[i]; i++) {
		if (form == EXPR_LIST_MARKDOWN)
			put_str(w, i ? "` `" : "");
		else
			put_str(w, i ? ", " : " (also ");
		put_str(w, f->others[i]);
	}
	if (form == EXPR_LIST_MARKDOWN)
		put_str(w, f->others[0] ? "` |\n" : " |\n");
	else
		put_str(w, f->others[0] ? ")\n" : "\n");
}

int expr_fields(struct buf *out, enum expr_list form, struct err *e)
{
	struct put w = put_init(out, e);

	if (form == EXPR_LIST_MARKDOWN)
		put_str(&w, "| field | what it is | other names |\n|---|---|---|\n");
	for (size_t i = 0; i < expr_field_count; i++)
		put_row(&w, &expr_field_table[i], form);
	return put_end(&w);
}
