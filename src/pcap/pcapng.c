#include "pcap/pcapng.h"

#include "base/wr.h"

enum block {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
	BLOCK_SECRETS = 10,
};

enum option {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_SECTION_APPLICATION = 4,
	OPTION_INTERFACE_NAME = 2,
	OPTION_INTERFACE_RESOLUTION = 9,
};

#define BYTE_ORDER 0x1a2b3c4du
#define LENGTH_UNKNOWN UINT64_MAX
#define SECRETS_TLS 0x544c534bu /* "TLSK" */
#define NANOSECONDS 9		/* 10^-9 */
#define OPTION_MAX 65535
#define BODY_MAX ((size_t)64 << 20)
#define FRAME_SIZE 12 /* type and both lengths */

static void put_padding(struct wr *w, size_t n)
{
	static const uint8_t zeros[3];

	wr_bytes(w, bytes_of(zeros, (4 - n % 4) % 4));
}

static void put_padded(struct wr *w, struct bytes b)
{
	wr_bytes(w, b);
	put_padding(w, b.n);
}

static void put_option(struct wr *w, enum option code, struct bytes value)
{
	value = bytes_slice(value, 0, OPTION_MAX);
	wr_u16(w, (uint16_t)code);
	wr_u16(w, (uint16_t)value.n);
	put_padded(w, value);
}

static void put_options_end(struct wr *w)
{
	wr_u16(w, OPTION_END);
	wr_u16(w, 0);
}

/* The block around a body, whose length is a multiple of four. */
static int add_block(struct buf *out, enum block type, struct wr *body, struct err *e)
{
	struct wr w = wr_init(out);
	uint32_t whole;
	uint8_t *room;

	if (wr_end(body, e) < 0)
		return -1;
	whole = (uint32_t)(body->b->n + FRAME_SIZE);
	/* All or nothing: what follows finds its room. */
	if (buf_reserve(out, whole, &room, e) < 0)
		return -1;
	wr_u32(&w, (uint32_t)type);
	wr_u32(&w, whole);
	wr_bytes(&w, buf_bytes(body->b));
	wr_u32(&w, whole);
	return wr_end(&w, e);
}

int pcapng_section(struct buf *out, const char *application, struct err *e)
{
	AUTO(buf_fini) struct buf body = buf_init(BODY_MAX);
	struct wr w = wr_init(&body);

	wr_u32(&w, BYTE_ORDER);
	wr_u16(&w, 1); /* version 1.0 */
	wr_u16(&w, 0);
	wr_u64(&w, LENGTH_UNKNOWN);
	put_option(&w, OPTION_SECTION_APPLICATION, bytes_str(application));
	put_options_end(&w);
	return add_block(out, BLOCK_SECTION, &w, e);
}

int pcapng_interface(struct buf *out, enum pcapng_link link, const char *name, struct err *e)
{
	static const uint8_t resolution = NANOSECONDS;
	AUTO(buf_fini) struct buf body = buf_init(BODY_MAX);
	struct wr w = wr_init(&body);

	wr_u16(&w, (uint16_t)link);
	wr_u16(&w, 0);
	wr_u32(&w, 0); /* no limit on a packet's length */
	if (name)
		put_option(&w, OPTION_INTERFACE_NAME, bytes_str(name));
	put_option(&w, OPTION_INTERFACE_RESOLUTION, bytes_of(&resolution, 1));
	put_options_end(&w);
	return add_block(out, BLOCK_INTERFACE, &w, e);
}

int pcapng_secrets(struct buf *out, struct bytes keylog, struct err *e)
{
	return pcapng_secrets_in(out, true, keylog, e);
}

/* A number in an order that is known only now. */
static void put_ordered(struct wr *w, bool big_endian, uint32_t v)
{
	wr_u32(w, big_endian ? v : __builtin_bswap32(v));
}

int pcapng_secrets_in(struct buf *out, bool big_endian, struct bytes keylog, struct err *e)
{
	size_t padded = (keylog.n + 3) & ~(size_t)3;
	uint32_t whole = (uint32_t)padded + 8 + FRAME_SIZE;
	struct wr w = wr_init(out);
	uint8_t *room;

	if (keylog.n > BODY_MAX)
		return FAIL(e, LIMIT, "%zu bytes of secrets in one block", keylog.n);
	/* All or nothing: what follows finds its room. */
	if (buf_reserve(out, whole, &room, e) < 0)
		return -1;
	put_ordered(&w, big_endian, BLOCK_SECRETS);
	put_ordered(&w, big_endian, whole);
	put_ordered(&w, big_endian, SECRETS_TLS);
	put_ordered(&w, big_endian, (uint32_t)keylog.n);
	put_padded(&w, keylog);
	put_ordered(&w, big_endian, whole);
	return wr_end(&w, e);
}

int pcapng_packet(struct buf *out, const struct pcapng_packet *p, struct err *e)
{
	AUTO(buf_fini) struct buf body = buf_init(BODY_MAX);
	struct wr w = wr_init(&body);

	wr_u32(&w, p->interface);
	wr_u64(&w, (uint64_t)p->wall_ns);
	wr_u32(&w, (uint32_t)p->bytes.n); /* captured */
	wr_u32(&w, p->wire_n > p->bytes.n ? p->wire_n : (uint32_t)p->bytes.n);
	put_padded(&w, p->bytes);
	if (p->comment) {
		put_option(&w, OPTION_COMMENT, bytes_str(p->comment));
		put_options_end(&w);
	}
	return add_block(out, BLOCK_PACKET, &w, e);
}
