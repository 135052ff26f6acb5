/* Packets of every link type. First byte: which link, second: how many bytes the capture cut off. */
#include <assert.h>

#include "wire/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned links[] = { LINK_ETHERNET, LINK_LINUX_SLL, LINK_LINUX_SLL2, LINK_RAW,
				  LINK_NULL,	 LINK_LOOP,	 LINK_IPV4,	  LINK_IPV6 };

static void check_inside(struct bytes whole, struct bytes part)
{
	assert(part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

static void check_addresses(const struct addr *src, const struct addr *dst)
{
	assert(src->family != ADDR_NONE && dst->family != ADDR_NONE);
}

static void check(struct bytes frame, enum packet_outcome outcome, const union packet *p)
{
	if (outcome == PACKET_SEGMENT) {
		check_addresses(&p->segment.src, &p->segment.dst);
		check_inside(frame, p->segment.payload);
		assert(!p->segment.udp || !(p->segment.seq | p->segment.ack | p->segment.flags));
	}
	if (outcome == PACKET_FRAGMENT) {
		check_addresses(&p->fragment.src, &p->fragment.dst);
		check_inside(frame, p->fragment.payload);
		assert(p->fragment.offset || p->fragment.more);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes frame;
	union packet p;
	enum packet_outcome outcome;

	if (size < 2)
		return 0;
	frame = bytes_of(data + 2, size - 2);
	outcome = packet_parse(links[data[0] % ARRAY_LEN(links)], frame, frame.n + data[1], &p);
	check(frame, outcome, &p);
	if (outcome == PACKET_FRAGMENT)
		check(frame, packet_parse_datagram(&p.fragment, &p), &p);
	return 0;
}
