#include "pcap/testkit.h"

#include <assert.h>

static void must(bool ok)
{
	assert(ok);
}

void kit_put(struct maker *m, uint64_t v, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)(v >> 8 * (m->big ? size - 1 - i : i));

		must(buf_add(&m->b, bytes_of(&byte, 1), NULL) == 0);
	}
}

void kit_text(struct maker *m, const char *text)
{
	must(buf_add(&m->b, bytes_str(text), NULL) == 0);
}

static void pad(struct maker *m)
{
	while (m->b.n % 4)
		kit_put(m, 0, 1);
}

size_t kit_block(struct maker *m, uint32_t type)
{
	kit_put(m, type, 4);
	kit_put(m, 0, 4);
	return m->b.n - 8;
}

void kit_put_at(struct maker *m, size_t at, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		m->b.p[at + i] = (uint8_t)(v >> 8 * (m->big ? 3 - i : i));
}

void kit_block_end(struct maker *m, size_t at)
{
	uint32_t whole;

	pad(m);
	whole = (uint32_t)(m->b.n - at + 4);
	kit_put(m, whole, 4);
	kit_put_at(m, at + 4, whole);
}

void kit_option(struct maker *m, uint16_t code, struct bytes value)
{
	kit_put(m, code, 2);
	kit_put(m, value.n, 2);
	must(buf_add(&m->b, value, NULL) == 0);
	pad(m);
}

void kit_option_number(struct maker *m, uint16_t code, uint64_t v, size_t size)
{
	kit_put(m, code, 2);
	kit_put(m, size, 2);
	kit_put(m, v, size);
	pad(m);
}

void kit_section(struct maker *m)
{
	size_t at = kit_block(m, 0x0a0d0d0a);

	kit_put(m, 0x1a2b3c4d, 4);
	kit_put(m, 1, 2);
	kit_put(m, 0, 2);
	kit_put(m, UINT64_MAX, 8);
	kit_block_end(m, at);
}

void kit_interface(struct maker *m, uint16_t link, uint8_t resolution, int64_t offset)
{
	size_t at = kit_block(m, 1);

	kit_put(m, link, 2);
	kit_put(m, 0, 2);
	kit_put(m, 96, 4);
	kit_option(m, 2, bytes_str("eth0"));
	if (resolution)
		kit_option_number(m, 9, resolution, 1);
	if (offset)
		kit_option_number(m, 14, (uint64_t)offset, 8);
	kit_option(m, 0, bytes_str(""));
	kit_block_end(m, at);
}

size_t kit_packet_begin(struct maker *m, uint32_t interface_number, uint64_t time, const char *text)
{
	size_t at = kit_block(m, 6);

	kit_put(m, interface_number, 4);
	kit_put(m, time >> 32, 4);
	kit_put(m, time & UINT32_MAX, 4);
	kit_put(m, strlen(text), 4);
	kit_put(m, 1500, 4);
	kit_text(m, text);
	pad(m);
	return at;
}

void kit_packet(struct maker *m, uint32_t interface_number, uint64_t time, const char *text)
{
	kit_block_end(m, kit_packet_begin(m, interface_number, time, text));
}

struct maker kit_new(bool big)
{
	return (struct maker){ .b = buf_init((size_t)64 << 20), .big = big };
}

void kit_read(struct reader *r, const struct maker *m)
{
	*r = (struct reader){ .step = { .in = buf_bytes(&m->b), .last = true } };
	must(capture_new(&r->c, NULL) == 0);
}

enum capture_outcome kit_next(struct reader *r)
{
	r->e = (struct err){ 0 };
	return capture_next(r->c, &r->step, &r->item, &r->e);
}

void kit_expect(struct reader *r, enum capture_kind kind)
{
	must(kit_next(r) == CAPTURE_ITEM);
	must(r->item.kind == kind);
}

void kit_expect_packet(struct reader *r, uint64_t number, int64_t wall_ns, const char *text)
{
	kit_expect(r, CAPTURE_PACKET);
	must(r->item.u.packet.number == number);
	must(r->item.u.packet.wall_ns == wall_ns);
	must(bytes_equal(r->item.u.packet.bytes, bytes_str(text)));
}

const char *kit_sentence(struct reader *r, enum capture_outcome outcome)
{
	must(kit_next(r) == outcome);
	must(r->e.code == ERR_WIRE_DECODE);
	return r->e.sentence;
}

void kit_expect_end(struct reader *r)
{
	for (int i = 0; i < 2; i++) {
		must(kit_next(r) == CAPTURE_MORE);
		must(r->step.need == 0);
	}
}

void kit_end(struct reader *r, struct maker *m)
{
	capture_free(r->c);
	buf_fini(&m->b);
}

void kit_pcap_header(struct maker *m, uint32_t magic, uint32_t network)
{
	kit_put(m, magic, 4);
	kit_put(m, 2, 2);
	kit_put(m, 4, 2);
	kit_put(m, 0, 8);
	kit_put(m, 262144, 4);
	kit_put(m, network, 4);
}

void kit_pcap_record(struct maker *m, uint32_t fraction, const char *text)
{
	kit_put(m, 1600000000, 4);
	kit_put(m, fraction, 4);
	kit_put(m, strlen(text), 4);
	kit_put(m, strlen(text) + 10, 4);
	kit_text(m, text);
}

void kit_custom_process(struct maker *m, uint32_t enterprise, uint32_t entry, uint32_t pid)
{
	size_t at = kit_block(m, 0xbad), length;
	bool big = m->big;

	kit_put(m, enterprise, 4);
	m->big = false;
	kit_put(m, entry, 4);
	kit_put(m, 0, 4);
	length = m->b.n - 4;
	kit_put(m, pid, 4);
	kit_option(m, 3, bytes_str("/usr/bin/curl"));
	kit_option(m, 2, bytes_str("curl"));
	kit_option(m, 0, bytes_str(""));
	kit_put_at(m, length, (uint32_t)(m->b.n - length - 4));
	m->big = big;
	kit_block_end(m, at);
}
