/* The parts that lines for a terminal are made of. Only for text.c. */
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

#define TEXT_NUMBER_MAX 24
const char *text_size(uint64_t bytes, char room[TEXT_NUMBER_MAX]); /* "512", "12.3k", "1.2G" */
const char *text_duration(int64_t ns, char room[TEXT_NUMBER_MAX]); /* "0.4ms", "1.2s", "2m05s" */
const char *text_version(uint16_t version);			   /* "1.3"; "-" for 0 */

/* Indented lines below. */
void text_legs(struct text *t, const struct flow_info *f);
void text_messages(struct text *t, const struct exchange *x);
void text_one_message(struct text *t, const struct flow_message *m); /* ends the line */

#endif
