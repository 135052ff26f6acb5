/* The blocks of pcapng, each from its body. */
#include "pcap/capture_part.h"

#include "base/mem.h"

enum block {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET_OBSOLETE = 2,
	BLOCK_PACKET_SIMPLE = 3,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	BLOCK_SECRETS = 10,
	BLOCK_CUSTOM = 0x00000bad,
	BLOCK_CUSTOM_NO_COPY = 0x40000bad,
};
#define BLOCK_PROCESS 0x80000001u /* Apple's */
#define BLOCK_NONE 0		  /* reserved: nothing has this type */

enum option {
	OPTION_END = 0,
	OPTION_INTERFACE_NAME = 2,
	OPTION_INTERFACE_RESOLUTION = 9,
	OPTION_INTERFACE_OFFSET = 14,
	OPTION_STATISTICS_DROPPED = 5,
	OPTION_STATISTICS_DROPPED_SYSTEM = 7,
	OPTION_PACKET_PROCESS = 8,
	OPTION_PACKET_PROCESS_INDEX = 0x8001,		/* Apple's: into its process blocks */
	OPTION_PACKET_PROCESS_INDEX_EFFECTIVE = 0x8003, /* for whom it was done */
	OPTION_PROCESS_NAME = 2,
	OPTION_PROCESS_PATH = 3,
};

#define NS_PER_S 1000000000
#define WIRESHARK 32622 /* its private enterprise number */
#define WIRESHARK_PROCESS 3
#define PORTS_FIRST 4

/* The next option; false when there is none. Options that make no sense end the list: what stands
 * before them is good. */
static bool next_option(struct order *o, uint16_t *code, struct bytes *value)
{
	size_t n;

	if (o->rd.n < 4)
		return false;
	*code = order_u16(o);
	n = order_u16(o);
	if (*code == OPTION_END || n > o->rd.n)
		return false;
	*value = rd_take(&o->rd, n);
	n = (4 - n % 4) % 4;
	rd_skip(&o->rd, n < o->rd.n ? n : o->rd.n);
	return true;
}

static uint64_t number(struct bytes value, bool big)
{
	bool bad = false;
	struct order o = order_init(value, big, &bad);
	uint64_t v = value.n == 4 ? order_u32(&o) : order_u64(&o);

	return bad ? 0 : v;
}

/* Times */

static const struct capture_clock clock_default = { .times = 1000, .parts = 1 };

static uint64_t power_of_ten(unsigned n)
{
	uint64_t v = 1;

	while (n--)
		v *= 10;
	return v;
}

static struct capture_clock clock_of(uint8_t resolution)
{
	unsigned n = resolution & 0x7f;

	if (resolution & 0x80)
		return (struct capture_clock){ .shift = n, .times = NS_PER_S, .parts = 1 };
	if (n <= 9)
		return (struct capture_clock){ .times = power_of_ten(9 - n), .parts = 1 };
	/* A count of 64 bits in units so small is no nanosecond. */
	if (n > 9 + 19)
		return (struct capture_clock){ .times = 0, .parts = 1 };
	return (struct capture_clock){ .times = 1, .parts = power_of_ten(n - 9) };
}

/* A count of 2^-shift seconds, as nanoseconds. */
static uint64_t binary_ns(uint64_t count, unsigned shift)
{
	uint64_t seconds = shift < 64 ? count >> shift : 0, fraction, ns;

	/* 32 bits of the fraction are more than a nanosecond needs. */
	if (shift < 64)
		count &= ((uint64_t)1 << shift) - 1;
	if (shift > 32)
		fraction = shift - 32 < 64 ? count >> (shift - 32) : 0;
	else
		fraction = count << (32 - shift);
	if (__builtin_mul_overflow(seconds, (uint64_t)NS_PER_S, &ns))
		return UINT64_MAX;
	return ns + (fraction * NS_PER_S >> 32);
}

/* A time that no year has becomes the last one there is. */
static int64_t wall_ns(const struct capture_clock *clock, uint64_t count)
{
	int64_t ns;
	uint64_t v;

	if (clock->shift)
		v = binary_ns(count, clock->shift);
	else if (__builtin_mul_overflow(count, clock->times, &v))
		v = UINT64_MAX;
	if (clock->parts > 1)
		v /= clock->parts;
	ns = v > INT64_MAX ? INT64_MAX : (int64_t)v;
	if (clock->offset_ns && __builtin_add_overflow(ns, clock->offset_ns, &ns))
		ns = clock->offset_ns > 0 ? INT64_MAX : INT64_MIN;
	return ns;
}

static void set_offset(struct capture_clock *clock, int64_t seconds)
{
	if (__builtin_mul_overflow(seconds, (int64_t)NS_PER_S, &clock->offset_ns))
		clock->offset_ns = seconds > 0 ? INT64_MAX : INT64_MIN;
}

/* Sections and interfaces */

static int section(struct capture *c, struct bytes body, struct capture_item *item, struct err *e)
{
	bool bad = false;
	struct order o = order_init(body, c->big_endian, &bad);
	uint16_t major, minor;

	rd_skip(&o.rd, 4); /* byte order, read already */
	major = order_u16(&o);
	minor = order_u16(&o);
	c->port_count = c->pid_count = 0;
	/* The draft wants such a section skipped as a whole. */
	c->foreign = major != 1;
	if (c->foreign)
		return FAIL(e, WIRE_DECODE, "a section of version %u.%u: 1.0 is what there is",
			    major, minor);
	item->kind = CAPTURE_HEADER;
	return 0;
}

/* Room for one more of size bytes in a list of count. */
static int grow(void **list, size_t count, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : PORTS_FIRST;
	void *grown;

	if (count < *room)
		return 0;
	grown = mem_resize(*list, more * size);
	if (!grown)
		return -1;
	*list = grown;
	*room = more;
	return 0;
}

static int add_port(struct capture *c, const struct capture_port *port, struct err *e)
{
	void *list = c->ports;

	if (c->port_count == CAPTURE_INTERFACES_MAX)
		return FAIL(e, LIMIT, "more than %d interfaces in a section",
			    CAPTURE_INTERFACES_MAX);
	if (grow(&list, c->port_count, &c->port_room, sizeof(*port)) < 0)
		return FAIL(e, NOMEM, "an interface of a capture");
	c->ports = list;
	c->ports[c->port_count++] = *port;
	return 0;
}

static int interface(struct capture *c, struct bytes body, struct capture_item *item, struct err *e)
{
	bool bad = false;
	struct order o = order_init(body, c->big_endian, &bad);
	struct capture_port port = { .clock = clock_default };
	struct bytes name = { 0 }, value;
	uint16_t code;
	int64_t offset = 0;

	port.link = order_u16(&o);
	rd_skip(&o.rd, 2);
	port.snaplen = order_u32(&o);
	if (bad)
		port.link = CAPTURE_LINK_NONE;
	while (next_option(&o, &code, &value)) {
		if (code == OPTION_INTERFACE_NAME)
			name = value;
		else if (code == OPTION_INTERFACE_RESOLUTION && value.n == 1)
			port.clock = clock_of(value.p[0]);
		else if (code == OPTION_INTERFACE_OFFSET && value.n == 8)
			offset = (int64_t)number(value, c->big_endian);
	}
	set_offset(&port.clock, offset);
	/* A bad one too has its number, so that those after it keep theirs. */
	if (add_port(c, &port, e) < 0)
		return -1;
	if (bad)
		return FAIL(e, WIRE_DECODE, "an interface in %zu bytes, less than the 8 it needs",
			    body.n);
	item->kind = CAPTURE_INTERFACE;
	item->u.interface = (struct capture_interface){ .number = (uint32_t)c->port_count - 1,
							.link = port.link,
							.snaplen = port.snaplen,
							.name = name };
	return 0;
}

/* Packets */

static int64_t pid_of_index(const struct capture *c, struct bytes value)
{
	uint64_t index = value.n == 4 ? number(value, c->big_endian) : UINT64_MAX;

	return index < c->pid_count ? c->pids[index] : 0;
}

/* The process in a packet's options. */
static int64_t packet_pid(const struct capture *c, struct order o)
{
	struct bytes value;
	int64_t plain = 0, owner = 0, effective = 0;
	uint16_t code;

	while (next_option(&o, &code, &value)) {
		if (code == OPTION_PACKET_PROCESS && value.n == 8)
			plain = order_first(value, c->big_endian);
		else if (code == OPTION_PACKET_PROCESS_INDEX)
			owner = pid_of_index(c, value);
		else if (code == OPTION_PACKET_PROCESS_INDEX_EFFECTIVE)
			effective = pid_of_index(c, value);
	}
	return plain ? plain : owner ? owner : effective;
}

struct head {
	uint32_t interface, captured, wire;
	uint64_t time;
	bool timeless;
};

/* o stands at the packet's bytes; its flag says whether the head was whole. */
static int packet(struct capture *c, const struct head *h, struct order *o,
		  struct capture_item *item, struct err *e)
{
	const struct capture_port *port;
	struct bytes data;
	size_t pad = (4 - h->captured % 4) % 4;

	if (*o->rd.bad)
		return FAIL(e, WIRE_DECODE, "a packet without all of its header");
	if (h->interface >= c->port_count)
		return FAIL(e, WIRE_DECODE,
			    "a packet of interface %u, but the section has %zu so far",
			    h->interface, c->port_count);
	if (h->captured > o->rd.n)
		return FAIL(e, WIRE_DECODE, "a packet of %u bytes in %zu", h->captured, o->rd.n);
	port = &c->ports[h->interface];
	data = rd_take(&o->rd, h->captured);
	if (!h->timeless)
		c->last_ns = wall_ns(&port->clock, h->time);
	item->kind = CAPTURE_PACKET;
	item->u.packet =
		(struct capture_packet){ .number = ++c->packets,
					 .interface = h->interface,
					 .link = port->link,
					 .wall_ns = c->last_ns,
					 .bytes = data,
					 .wire_n = h->wire > h->captured ? h->wire : h->captured };
	if (o->rd.n > pad + 4) {
		rd_skip(&o->rd, pad);
		item->u.packet.pid = packet_pid(c, *o);
	}
	return 0;
}

static int packet_enhanced(struct capture *c, struct bytes body, struct capture_item *item,
			   struct err *e)
{
	bool bad = false;
	struct order o = order_init(body, c->big_endian, &bad);
	struct head h = { .interface = order_u32(&o) };

	h.time = (uint64_t)order_u32(&o) << 32;
	h.time |= order_u32(&o);
	h.captured = order_u32(&o);
	h.wire = order_u32(&o);
	return packet(c, &h, &o, item, e);
}

static int packet_obsolete(struct capture *c, struct bytes body, struct capture_item *item,
			   struct err *e)
{
	bool bad = false;
	struct order o = order_init(body, c->big_endian, &bad);
	struct head h = { .interface = order_u16(&o) };

	rd_skip(&o.rd, 2); /* lost since the packet before */
	h.time = (uint64_t)order_u32(&o) << 32;
	h.time |= order_u32(&o);
	h.captured = order_u32(&o);
	h.wire = order_u32(&o);
	return packet(c, &h, &o, item, e);
}

/* Says neither interface (it is the first) nor time, nor how much was captured. */
static int packet_simple(struct capture *c, struct bytes body, struct capture_item *item,
			 struct err *e)
{
	bool bad = false;
	struct order o = order_init(body, c->big_endian, &bad);
	struct head h = { .timeless = true, .wire = order_u32(&o) };
	uint32_t snaplen = c->port_count ? c->ports[0].snaplen : 0;

	h.captured = snaplen && snaplen < h.wire ? snaplen : h.wire;
	/* No options follow; padding does. */
	o.rd.n = h.captured < o.rd.n ? h.captured : o.rd.n;
	return packet(c, &h, &o, item, e);
}

/* What else there is */

static int statistics(struct capture *c, struct bytes body, struct capture_item *item,
		      struct err *e)
{
	bool bad = false;
	struct order o = order_init(body, c->big_endian, &bad);
	struct capture_statistics s = { .interface = order_u32(&o) };
	struct bytes value;
	uint16_t code;

	rd_skip(&o.rd, 8); /* when */
	while (next_option(&o, &code, &value)) {
		if (value.n == 8 &&
		    (code == OPTION_STATISTICS_DROPPED || code == OPTION_STATISTICS_DROPPED_SYSTEM))
			s.dropped += number(value, c->big_endian);
	}
	if (bad)
		return FAIL(e, WIRE_DECODE, "statistics in %zu bytes, less than the 12 they need",
			    body.n);
	item->kind = CAPTURE_STATISTICS;
	item->u.statistics = s;
	return 0;
}

static int secrets(struct capture *c, struct bytes body, struct capture_item *item, struct err *e)
{
	bool bad = false;
	struct order o = order_init(body, c->big_endian, &bad);
	uint32_t type = order_u32(&o), n = order_u32(&o);

	if (bad || n > o.rd.n)
		return FAIL(e, WIRE_DECODE, "secrets of %u bytes in a block with room for %zu", n,
			    o.rd.n);
	item->kind = CAPTURE_SECRETS;
	item->u.secrets = (struct capture_secrets){ .type = type, .data = rd_take(&o.rd, n) };
	return 0;
}

/* o stands at the options of a process. */
static void process(struct order *o, uint32_t pid, struct capture_item *item)
{
	struct bytes value, name = { 0 }, path = { 0 };
	uint16_t code;

	while (next_option(o, &code, &value)) {
		if (code == OPTION_PROCESS_NAME)
			name = value;
		else if (code == OPTION_PROCESS_PATH)
			path = value;
	}
	item->kind = CAPTURE_PROCESS;
	item->u.process = (struct capture_process){ .pid = pid, .name = name.n ? name : path };
}

static int process_apple(struct capture *c, struct bytes body, struct capture_item *item,
			 struct err *e)
{
	bool bad = false;
	struct order o = order_init(body, c->big_endian, &bad);
	uint32_t pid = order_u32(&o);
	void *list = c->pids;

	if (c->pid_count == CAPTURE_INTERFACES_MAX)
		return FAIL(e, LIMIT, "more than %d processes in a section",
			    CAPTURE_INTERFACES_MAX);
	if (grow(&list, c->pid_count, &c->pid_room, sizeof(*c->pids)) < 0)
		return FAIL(e, NOMEM, "a process of a capture");
	c->pids = list;
	c->pids[c->pid_count++] = pid; /* a bad one too has its number */
	if (bad)
		return FAIL(e, WIRE_DECODE, "a process without a number");
	process(&o, pid, item);
	return 0;
}

/* Wireshark's are little-endian inside, whatever the section is; others say nothing to us. */
static int custom(struct capture *c, struct bytes body, struct capture_item *item, struct err *e)
{
	bool bad = false, cut = false;
	struct order o = order_init(bytes_slice(body, 4, body.n), false, &bad), entry;
	uint32_t type = order_u32(&o), n = order_u32(&o), pid;

	item->kind = CAPTURE_SKIPPED;
	if (bad || order_first(body, c->big_endian) != WIRESHARK || type != WIRESHARK_PROCESS)
		return 0;
	entry = order_init(rd_take(&o.rd, n), false, &cut);
	pid = order_u32(&entry);
	if (bad || cut)
		return FAIL(e, WIRE_DECODE, "a process of %u bytes in a block with room for %zu", n,
			    body.n < 12 ? 0 : body.n - 12);
	process(&entry, pid, item);
	return 0;
}

int capture_block(struct capture *c, uint32_t type, struct bytes body, struct capture_item *item,
		  struct err *e)
{
	if (c->foreign && type != MAGIC_SECTION)
		type = BLOCK_NONE;
	switch (type) {
	case BLOCK_PACKET:
		return packet_enhanced(c, body, item, e);
	case BLOCK_PACKET_SIMPLE:
		return packet_simple(c, body, item, e);
	case BLOCK_PACKET_OBSOLETE:
		return packet_obsolete(c, body, item, e);
	case MAGIC_SECTION:
		return section(c, body, item, e);
	case BLOCK_INTERFACE:
		return interface(c, body, item, e);
	case BLOCK_STATISTICS:
		return statistics(c, body, item, e);
	case BLOCK_SECRETS:
		return secrets(c, body, item, e);
	case BLOCK_PROCESS:
		return process_apple(c, body, item, e);
	case BLOCK_CUSTOM:
	case BLOCK_CUSTOM_NO_COPY:
		return custom(c, body, item, e);
	}
	item->kind = CAPTURE_SKIPPED;
	return 0;
}
