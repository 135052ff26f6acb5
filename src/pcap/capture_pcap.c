/* The old format: a file header, then a record for each packet. */
#include "pcap/capture_part.h"

#define NS_PER_S 1000000000
#define VERSION_MAJOR 2
#define RECORD_SIZE 16
#define RECORD_SIZE_MODIFIED 24
#define LINK_MASK 0xffff /* above: the length of the frame check sequence, and flags */

int capture_pcap_begin(struct capture *c, struct bytes header, struct err *e)
{
	bool bad = false;
	struct order o = order_init(header, c->big_endian, &bad);
	uint32_t magic = order_u32(&o);
	uint16_t major = order_u16(&o), minor = order_u16(&o);

	rd_skip(&o.rd, 12); /* time zone and accuracy, never used; the longest packet */
	c->link = order_u32(&o) & LINK_MASK;
	if (bad)
		return FAIL(e, WIRE_DECODE, "a pcap file header has %d bytes, but %zu are there",
			    PCAP_HEADER_SIZE, header.n);
	if (major != VERSION_MAJOR)
		return FAIL(e, WIRE_DECODE, "pcap of version %u.%u: 2.4 is what there is", major,
			    minor);
	c->nanoseconds = magic == MAGIC_PCAP_NANOSECONDS ? 1 : 1000;
	c->record_size = magic == MAGIC_PCAP_MODIFIED ? RECORD_SIZE_MODIFIED : RECORD_SIZE;
	return 0;
}

enum capture_outcome capture_pcap_next(struct capture *c, struct capture_step *step,
				       struct capture_item *item, struct err *e)
{
	bool bad = false;
	struct order o = order_init(step->in, c->big_endian, &bad);
	uint32_t seconds = order_u32(&o), fraction = order_u32(&o);
	uint32_t captured = order_u32(&o), wire = order_u32(&o);
	char place[CAPTURE_PLACE_MAX];
	size_t whole = c->record_size + captured;

	if (step->in.n < c->record_size)
		return capture_wait(c, step, c->record_size, e);
	/* Nothing repeats the length: when it is wrong, nobody knows where the next record is. */
	if (captured > CAPTURE_BLOCK_MAX) {
		(void)FAIL(e, WIRE_DECODE,
			   "%s says that %u bytes of it were captured, more than the %zu that are "
			   "possible: the rest of the capture cannot be read",
			   capture_place(c, place), captured, CAPTURE_BLOCK_MAX);
		return capture_give_up(c, step, e);
	}
	if (step->in.n < whole)
		return capture_wait(c, step, whole, e);
	item->kind = CAPTURE_PACKET;
	item->block_type = 0;
	item->raw = bytes_slice(step->in, 0, whole);
	item->big_endian = c->big_endian;
	item->u.packet = (struct capture_packet){
		.number = ++c->packets,
		.link = c->link,
		.wall_ns = (int64_t)seconds * NS_PER_S + (int64_t)fraction * c->nanoseconds,
		.bytes = bytes_slice(step->in, c->record_size, captured),
		.wire_n = wire > captured ? wire : captured,
	};
	c->last_ns = item->u.packet.wall_ns;
	c->blocks++;
	capture_step_over(c, step, whole);
	return CAPTURE_ITEM;
}
