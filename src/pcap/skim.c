#include "pcap/skim.h"

#include "pcap/capture_part.h"

#define BLOCK_SECRETS 10
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define FRAME_SIZE 12

static bool begin_section(struct skim *s, struct bytes header)
{
	struct bytes magic = bytes_slice(header, 8, 4);

	s->big_endian = order_first(magic, true) == BYTE_ORDER_MAGIC;
	s->begun = s->big_endian || order_first(magic, false) == BYTE_ORDER_MAGIC;
	return s->begun;
}

bool skim_next(struct skim *s, struct bytes header, struct skim_block *out)
{
	uint32_t length;

	if (header.n < SKIM_HEADER)
		return false;
	if (order_first(header, true) == MAGIC_SECTION && !begin_section(s, header))
		return false;
	length = order_first(bytes_slice(header, 4, 4), s->big_endian);
	if (!s->begun || length < FRAME_SIZE)
		return false;
	out->type = order_first(header, s->big_endian);
	out->n = ((uint64_t)length + 3) & ~(uint64_t)3;
	out->secrets = out->type == BLOCK_SECRETS && out->n <= CAPTURE_BLOCK_MAX;
	return true;
}

bool skim_secrets(const struct skim *s, struct bytes block, struct capture_secrets *out)
{
	bool bad = false;
	struct order o = order_init(block, s->big_endian, &bad);
	uint32_t type, n;
	struct bytes data;

	(void)order_u32(&o);
	if (order_u32(&o) != order_first(bytes_slice(block, block.n - 4, 4), s->big_endian))
		return false;
	type = order_u32(&o);
	n = order_u32(&o);
	data = rd_take(&o.rd, n);
	rd_skip(&o.rd, 4); /* the length again */
	if (bad)
		return false;
	*out = (struct capture_secrets){ .type = type, .data = data };
	return true;
}
