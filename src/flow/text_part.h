/* The parts that lines for a terminal are made of. Only for text.c and capture_text.c. */
#ifndef FLOW_TEXT_PART_H
#define FLOW_TEXT_PART_H

#include "flow/text.h"
#include "flow/view.h"

enum text_paint {
	PAINT_OFF,
	PAINT_BOLD,
	PAINT_DIM,
	PAINT_RED,
	PAINT_GREEN,
	PAINT_YELLOW,
	PAINT_CYAN,
};

struct text {
	struct put w;
	const struct text_options *o;
};

struct text text_begin(struct buf *out, const struct text_options *o, struct err *e);
/* Nothing without colour. */
void text_paint(struct text *t, enum text_paint paint);

/* A column is written left-aligned and then padded, or right-aligned in one go; a space follows.
 * What is wider stays whole. */
size_t text_at(struct text *t); /* where the next byte goes, for text_pad and text_cut */
void text_pad(struct text *t, size_t from, size_t width);
void text_left(struct text *t, const char *s, size_t width);
void text_right(struct text *t, const char *s, size_t width);
void text_right_number(struct text *t, uint64_t n, size_t width); /* "-" for 0 */
/* What was written since from is cut off with "…" when it is wider. */
void text_cut(struct text *t, size_t from, size_t width);

/* Columns that lines of all kinds have. */
enum { WIDTH_METHOD = 7, WIDTH_STATUS = 3, WIDTH_SIZE = 5, WIDTH_TIME = 6 };
#define TEXT_EXCHANGE_WIDTH (WIDTH_METHOD + 1 + WIDTH_STATUS + 1 + WIDTH_SIZE + 1 + WIDTH_TIME + 1)
/* Method, status, size, time, URL (cut off to o->width; at: where the columns before it end),
 * notes, and the end of the line. */
void text_exchange_columns(struct text *t, const struct flow_info *f, const struct exchange *x,
			   size_t at);
void text_size_and_time(struct text *t, uint64_t bytes, int64_t ns);
void text_sni_note(struct text *t, const struct flow_info *f, struct bytes host);
void text_verdict_note(struct text *t, const struct flow_info *f);

#define TEXT_NUMBER_MAX 24
const char *text_size(uint64_t bytes, char room[TEXT_NUMBER_MAX]); /* "512", "12.3k", "1.2G" */
const char *text_duration(int64_t ns, char room[TEXT_NUMBER_MAX]); /* "0.4ms", "1.2s", "2m05s" */
const char *text_version(uint16_t version);			   /* "1.3"; "-" for 0 */

/* Indented lines below; text_indent begins one of another kind. */
void text_indent(struct text *t, const char *mark);
void text_legs(struct text *t, const struct flow_info *f);
void text_messages(struct text *t, const struct exchange *x);
void text_one_message(struct text *t, const struct flow_message *m); /* ends the line */
/* A row of a dump: an offset of some digits, 16 bytes as hexadecimal and as characters. */
void text_hex_row(struct text *t, struct bytes row, uint64_t offset, size_t digits);

#endif
