#include "pcap/capture_part.h"

#include <assert.h>
#include <stdio.h>

#include "base/escape.h"
#include "base/mem.h"

int capture_new(struct capture **out, struct err *e)
{
	struct capture *c = mem_new(sizeof(*c));

	if (!c)
		return FAIL(e, NOMEM, "a capture");
	*out = c;
	return 0;
}

void capture_free(struct capture *c)
{
	if (!c)
		return;
	mem_free(c->ports);
	mem_free(c->pids);
	mem_free(c);
}

void capture_step_over(struct capture *c, struct capture_step *step, size_t n)
{
	step->in = bytes_slice(step->in, n, step->in.n);
	c->offset += n;
}

enum capture_outcome capture_give_up(struct capture *c, struct capture_step *step, struct err *e)
{
	/* A block that cannot be read; what is too short to be any capture has none. */
	if (c->format != CAPTURE_UNKNOWN && e->code != ERR_NOMEM)
		c->bad++;
	c->over = true;
	step->in = bytes_of(NULL, 0);
	return CAPTURE_LOST;
}

const char *capture_place(const struct capture *c, char out[CAPTURE_PLACE_MAX])
{
	snprintf(out, CAPTURE_PLACE_MAX, "%s %llu at offset %llu",
		 c->format == CAPTURE_PCAP ? "packet" : "block", (unsigned long long)c->blocks + 1,
		 (unsigned long long)c->offset);
	return out;
}

enum capture_outcome capture_wait(struct capture *c, struct capture_step *step, size_t need,
				  struct err *e)
{
	char place[CAPTURE_PLACE_MAX];

	step->need = 0;
	if (step->last && step->in.n == 0)
		return CAPTURE_MORE;
	if (step->last) {
		(void)FAIL(e, WIRE_DECODE,
			   "%s is cut off: %zu bytes of it are there, %zu are needed",
			   capture_place(c, place), step->in.n, need);
		return capture_give_up(c, step, e);
	}
	step->need = need;
	return CAPTURE_MORE;
}

static bool is_pcap(uint32_t magic)
{
	return magic == MAGIC_PCAP || magic == MAGIC_PCAP_NANOSECONDS ||
	       magic == MAGIC_PCAP_MODIFIED;
}

static enum capture_outcome refuse(struct capture *c, struct capture_step *step, struct err *e)
{
	struct bytes b = bytes_slice(step->in, 0, 4);
	char digits[9] = "";

	for (size_t i = 0; i < b.n; i++)
		snprintf(digits + 2 * i, 3, "%02x", b.p[i]);
	if (b.n)
		(void)FAIL(e, WIRE_DECODE,
			   "not a capture (pcap or pcapng): it begins with the bytes %s", digits);
	else
		(void)FAIL(e, WIRE_DECODE, "not a capture (pcap or pcapng): it is empty");
	return capture_give_up(c, step, e);
}

/* What format it is. CAPTURE_ITEM: known now, item is filled for pcap. */
static enum capture_outcome begin(struct capture *c, struct capture_step *step,
				  struct capture_item *item, struct err *e)
{
	uint32_t big = order_first(step->in, true), little = order_first(step->in, false);

	if (step->in.n < 4 && !step->last) {
		step->need = 4;
		return CAPTURE_MORE;
	}
	if (big == MAGIC_SECTION) {
		c->format = CAPTURE_PCAPNG;
		return capture_pcapng_next(c, step, item, e);
	}
	if (!is_pcap(big) && !is_pcap(little))
		return refuse(c, step, e);
	if (step->in.n < PCAP_HEADER_SIZE && !step->last) {
		step->need = PCAP_HEADER_SIZE;
		return CAPTURE_MORE;
	}
	c->big_endian = is_pcap(big);
	if (capture_pcap_begin(c, bytes_slice(step->in, 0, PCAP_HEADER_SIZE), e) < 0)
		return capture_give_up(c, step, e);
	c->format = CAPTURE_PCAP;
	*item = (struct capture_item){ .kind = CAPTURE_HEADER,
				       .raw = bytes_slice(step->in, 0, PCAP_HEADER_SIZE),
				       .big_endian = c->big_endian,
				       .u.interface.link = c->link };
	capture_step_over(c, step, PCAP_HEADER_SIZE);
	return CAPTURE_ITEM;
}

enum capture_outcome capture_next(struct capture *c, struct capture_step *step,
				  struct capture_item *item, struct err *e)
{
	assert(e);
	if (c->over) {
		step->in = bytes_of(NULL, 0);
		step->need = 0;
		return CAPTURE_MORE;
	}
	switch (c->format) {
	case CAPTURE_PCAP:
		return capture_pcap_next(c, step, item, e);
	case CAPTURE_PCAPNG:
		return capture_pcapng_next(c, step, item, e);
	case CAPTURE_UNKNOWN:
		break;
	}
	return begin(c, step, item, e);
}

enum capture_format capture_format(const struct capture *c)
{
	return c->format;
}

uint64_t capture_offset(const struct capture *c)
{
	return c->offset;
}

uint64_t capture_bad(const struct capture *c)
{
	return c->bad;
}
