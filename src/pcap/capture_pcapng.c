/* The framing of pcapng: blocks, each with its length at the front and at the end. As long as both
 * agree, the next block is where they say. */
#include "pcap/capture_part.h"

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define FRAME_SIZE 12	/* type and both lengths */
#define SECTION_SIZE 28 /* with byte order, version and the section's length */

static enum capture_outcome lost(struct capture *c, struct capture_step *step, struct err *e)
{
	char place[CAPTURE_PLACE_MAX];

	(void)err_ctx(e, "%s", capture_place(c, place));
	return capture_give_up(c, step, e);
}

/* The block that begins here tells the order of its section: false when it does not. */
static bool take_order(struct capture *c, struct bytes in)
{
	struct bytes magic = bytes_slice(in, 8, 4);

	c->big_endian = order_first(magic, true) == BYTE_ORDER_MAGIC;
	return c->big_endian || order_first(magic, false) == BYTE_ORDER_MAGIC;
}

static enum capture_outcome bad(struct capture *c, struct err *e)
{
	char place[CAPTURE_PLACE_MAX];

	(void)err_ctx(e, "%s", capture_place(c, place));
	c->bad++;
	c->blocks++;
	return CAPTURE_BAD;
}

/* Goes over a block that is too long, down to the length at its end. */
static enum capture_outcome skip(struct capture *c, struct capture_step *step,
				 struct capture_item *item, struct err *e)
{
	size_t n = c->skip - 4 < step->in.n ? (size_t)(c->skip - 4) : step->in.n;
	uint64_t at = c->offset + n;
	enum capture_outcome r;

	capture_step_over(c, step, n);
	c->skip -= n;
	if (step->in.n < 4 && !step->last) {
		step->need = 4;
		return CAPTURE_MORE;
	}
	c->offset = c->skip_offset; /* for the sentence */
	if (step->in.n < 4) {
		(void)FAIL(e, WIRE_DECODE,
			   "it says that it has %u bytes, but the input ends after %llu",
			   c->skip_length, (unsigned long long)(at + step->in.n - c->offset));
		return lost(c, step, e);
	}
	if (order_first(step->in, c->big_endian) != c->skip_length) {
		(void)FAIL(e, WIRE_DECODE,
			   "it says that it has %u bytes, but does not end there: the rest of the "
			   "capture cannot be read",
			   c->skip_length);
		return lost(c, step, e);
	}
	(void)FAIL(e, WIRE_DECODE, "it has %u bytes, more than the %zu that are read",
		   c->skip_length, CAPTURE_BLOCK_MAX);
	item->block_type = c->skip_type;
	item->raw = bytes_of(NULL, 0);
	item->big_endian = c->big_endian;
	r = bad(c, e);
	c->offset = at;
	c->skip = 0;
	capture_step_over(c, step, 4);
	return r;
}

/* The whole block is there. */
static enum capture_outcome take(struct capture *c, struct capture_step *step, size_t whole,
				 struct capture_item *item, struct err *e)
{
	struct bytes raw = bytes_slice(step->in, 0, whole);
	uint32_t length = order_first(bytes_slice(raw, 4, 4), c->big_endian);
	uint32_t again = order_first(bytes_slice(raw, whole - 4, 4), c->big_endian);
	enum capture_outcome r;

	if (again != length) {
		(void)FAIL(e, WIRE_DECODE,
			   "its length is %u at the front, but %u at the end: the rest of the "
			   "capture cannot be read",
			   length, again);
		return lost(c, step, e);
	}
	item->block_type = order_first(raw, c->big_endian);
	item->raw = raw;
	item->big_endian = c->big_endian;
	if (capture_block(c, item->block_type, bytes_slice(raw, 8, whole - FRAME_SIZE), item, e) ==
	    0) {
		c->blocks++;
		r = CAPTURE_ITEM;
	} else if (e->code == ERR_NOMEM) {
		return lost(c, step, e);
	} else {
		r = bad(c, e);
	}
	capture_step_over(c, step, whole);
	return r;
}

enum capture_outcome capture_pcapng_next(struct capture *c, struct capture_step *step,
					 struct capture_item *item, struct err *e)
{
	bool section;
	uint32_t length;
	uint64_t whole;

	if (c->skip)
		return skip(c, step, item, e);
	if (step->in.n < FRAME_SIZE)
		return capture_wait(c, step, FRAME_SIZE, e);
	section = order_first(step->in, true) == MAGIC_SECTION;
	if (section && !take_order(c, step->in)) {
		(void)FAIL(e, WIRE_DECODE,
			   "a section header without its byte-order magic: the "
			   "rest of the capture cannot be read");
		return lost(c, step, e);
	}
	length = order_first(bytes_slice(step->in, 4, 4), c->big_endian);
	/* Some writers do not count the padding. */
	whole = ((uint64_t)length + 3) & ~(uint64_t)3;
	if (whole < (section ? SECTION_SIZE : FRAME_SIZE)) {
		(void)FAIL(e, WIRE_DECODE,
			   "its length is %u, less than any block has: the rest of the capture "
			   "cannot be read",
			   length);
		return lost(c, step, e);
	}
	if (whole > CAPTURE_BLOCK_MAX) {
		c->skip = whole;
		c->skip_length = length;
		c->skip_type = order_first(step->in, c->big_endian);
		c->skip_offset = c->offset;
		return skip(c, step, item, e);
	}
	if (step->in.n < whole)
		return capture_wait(c, step, (size_t)whole, e);
	return take(c, step, (size_t)whole, item, e);
}
