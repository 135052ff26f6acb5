#include "pcap/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

/* Captures made by hand, in either byte order. */
struct maker {
	struct buf b;
	bool big;
};

static void put(struct maker *m, uint64_t v, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)(v >> 8 * (m->big ? size - 1 - i : i));

		assert_int_equal(buf_add(&m->b, bytes_of(&byte, 1), NULL), 0);
	}
}

static void put_text(struct maker *m, const char *text)
{
	assert_int_equal(buf_add(&m->b, bytes_str(text), NULL), 0);
}

static void pad(struct maker *m)
{
	while (m->b.n % 4)
		put(m, 0, 1);
}

static size_t block_open(struct maker *m, uint32_t type)
{
	put(m, type, 4);
	put(m, 0, 4);
	return m->b.n - 8;
}

static void put_at(struct maker *m, size_t at, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		m->b.p[at + i] = (uint8_t)(v >> 8 * (m->big ? 3 - i : i));
}

static void block_close(struct maker *m, size_t at)
{
	uint32_t whole;

	pad(m);
	whole = (uint32_t)(m->b.n - at + 4);
	put(m, whole, 4);
	put_at(m, at + 4, whole);
}

static void option(struct maker *m, uint16_t code, struct bytes value)
{
	put(m, code, 2);
	put(m, value.n, 2);
	assert_int_equal(buf_add(&m->b, value, NULL), 0);
	pad(m);
}

static void option_number(struct maker *m, uint16_t code, uint64_t v, size_t size)
{
	put(m, code, 2);
	put(m, size, 2);
	put(m, v, size);
	pad(m);
}

static void section(struct maker *m)
{
	size_t at = block_open(m, 0x0a0d0d0a);

	put(m, 0x1a2b3c4d, 4);
	put(m, 1, 2);
	put(m, 0, 2);
	put(m, UINT64_MAX, 8);
	block_close(m, at);
}

/* resolution 0: not said; offset 0: not said. */
static void interface(struct maker *m, uint16_t link, uint8_t resolution, int64_t offset)
{
	size_t at = block_open(m, 1);

	put(m, link, 2);
	put(m, 0, 2);
	put(m, 96, 4);
	option(m, 2, bytes_str("eth0"));
	if (resolution)
		option_number(m, 9, resolution, 1);
	if (offset)
		option_number(m, 14, (uint64_t)offset, 8);
	option(m, 0, bytes_str(""));
	block_close(m, at);
}

static size_t packet_open(struct maker *m, uint32_t interface_number, uint64_t time,
			  const char *text)
{
	size_t at = block_open(m, 6);

	put(m, interface_number, 4);
	put(m, time >> 32, 4);
	put(m, time & UINT32_MAX, 4);
	put(m, strlen(text), 4);
	put(m, 1500, 4);
	put_text(m, text);
	pad(m);
	return at;
}

static void packet(struct maker *m, uint32_t interface_number, uint64_t time, const char *text)
{
	block_close(m, packet_open(m, interface_number, time, text));
}

static struct maker maker(bool big)
{
	return (struct maker){ .b = buf_init((size_t)64 << 20), .big = big };
}

/* A reader that is shown all there is. */
struct reader {
	struct capture *c;
	struct capture_step step;
	struct capture_item item;
	struct err e;
};

static void reader_begin(struct reader *r, const struct maker *m)
{
	*r = (struct reader){ .step = { .in = buf_bytes(&m->b), .last = true } };
	assert_int_equal(capture_new(&r->c, NULL), 0);
}

static enum capture_outcome next(struct reader *r)
{
	r->e = (struct err){ 0 };
	return capture_next(r->c, &r->step, &r->item, &r->e);
}

static void assert_next(struct reader *r, enum capture_kind kind)
{
	assert_int_equal(next(r), CAPTURE_ITEM);
	assert_int_equal(r->item.kind, kind);
}

static void assert_packet(struct reader *r, uint64_t number, int64_t wall_ns, const char *text)
{
	assert_next(r, CAPTURE_PACKET);
	assert_int_equal(r->item.u.packet.number, number);
	assert_int_equal(r->item.u.packet.wall_ns, wall_ns);
	assert_true(bytes_equal(r->item.u.packet.bytes, bytes_str(text)));
}

static void assert_sentence(struct reader *r, enum capture_outcome outcome, const char *sentence)
{
	assert_int_equal(next(r), outcome);
	assert_int_equal(r->e.code, ERR_WIRE_DECODE);
	assert_string_equal(r->e.sentence, sentence);
}

static void assert_end(struct reader *r)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(next(r), CAPTURE_MORE);
		assert_int_equal(r->step.need, 0);
	}
}

static void reader_end(struct reader *r, struct maker *m)
{
	capture_free(r->c);
	buf_fini(&m->b);
}

/* pcap */

static void pcap_header(struct maker *m, uint32_t magic, uint32_t network)
{
	put(m, magic, 4);
	put(m, 2, 2);
	put(m, 4, 2);
	put(m, 0, 8);
	put(m, 262144, 4);
	put(m, network, 4);
}

static void pcap_record(struct maker *m, uint32_t fraction, const char *text)
{
	put(m, 1600000000, 4);
	put(m, fraction, 4);
	put(m, strlen(text), 4);
	put(m, strlen(text) + 10, 4);
	put_text(m, text);
}

static void reads_pcap_in_either_order_and_resolution(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct maker m = maker(i & 1);
		bool nano = i & 2;
		struct reader r;

		pcap_header(&m, nano ? 0xa1b23c4d : 0xa1b2c3d4, 276);
		pcap_record(&m, 123456, "one");
		pcap_record(&m, 999999, "");
		reader_begin(&r, &m);
		assert_next(&r, CAPTURE_HEADER);
		assert_int_equal(r.item.raw.n, 24);
		assert_int_equal(r.item.big_endian, m.big);
		assert_int_equal(capture_format(r.c), CAPTURE_PCAP);
		assert_int_equal(r.item.u.interface.link, 276);
		assert_packet(&r, 1, 1600000000000000000 + (nano ? 123456 : 123456000), "one");
		assert_int_equal(r.item.u.packet.link, 276);
		assert_int_equal(r.item.u.packet.wire_n, 13);
		assert_int_equal(r.item.raw.n, 19);
		assert_packet(&r, 2, 1600000000000000000 + (nano ? 999999 : 999999000), "");
		assert_end(&r);
		assert_int_equal(capture_offset(r.c), m.b.n);
		assert_int_equal(capture_bad(r.c), 0);
		reader_end(&r, &m);
	}
}

static void reads_the_longer_records_of_modified_pcap(void **state)
{
	struct maker m = maker(false);
	struct reader r;

	(void)state;
	pcap_header(&m, 0xa1b2cd34, 1);
	for (int i = 1; i < 3; i++) {
		put(&m, (uint64_t)i, 4);
		put(&m, 5, 4);
		put(&m, 3, 4);
		put(&m, 3, 4);
		put(&m, 0x0102030405060708, 8);
		put_text(&m, "abc");
	}
	reader_begin(&r, &m);
	assert_next(&r, CAPTURE_HEADER);
	assert_packet(&r, 1, 1000005000, "abc");
	assert_packet(&r, 2, 2000005000, "abc");
	assert_end(&r);
	reader_end(&r, &m);
}

static void the_frame_check_sequence_is_not_part_of_the_link_type(void **state)
{
	struct maker m = maker(true);
	struct reader r;

	(void)state;
	pcap_header(&m, 0xa1b2c3d4, 0x24000001);
	pcap_record(&m, 0, "x");
	reader_begin(&r, &m);
	assert_next(&r, CAPTURE_HEADER);
	assert_next(&r, CAPTURE_PACKET);
	assert_int_equal(r.item.u.packet.link, 1);
	reader_end(&r, &m);
}

static void more_captured_than_there_was_counts_as_there(void **state)
{
	struct maker m = maker(false);
	struct reader r;

	(void)state;
	pcap_header(&m, 0xa1b2c3d4, 1);
	put(&m, 0, 8);
	put(&m, 3, 4);
	put(&m, 1, 4);
	put_text(&m, "abc");
	reader_begin(&r, &m);
	assert_next(&r, CAPTURE_HEADER);
	assert_packet(&r, 1, 0, "abc");
	assert_int_equal(r.item.u.packet.wire_n, 3);
	reader_end(&r, &m);
}

static void refuses_pcap_of_another_version(void **state)
{
	struct maker m = maker(false);
	struct reader r;

	(void)state;
	pcap_header(&m, 0xa1b2c3d4, 1);
	m.b.p[4] = 3;
	reader_begin(&r, &m);
	assert_sentence(&r, CAPTURE_LOST, "pcap of version 3.4: 2.4 is what there is");
	assert_end(&r);
	reader_end(&r, &m);
}

static void a_length_of_four_gigabytes_ends_pcap(void **state)
{
	struct maker m = maker(false);
	struct reader r;

	(void)state;
	pcap_header(&m, 0xa1b2c3d4, 1);
	pcap_record(&m, 0, "good");
	pcap_record(&m, 0, "bad");
	put_at(&m, 24 + 20 + 8, UINT32_MAX);
	reader_begin(&r, &m);
	assert_next(&r, CAPTURE_HEADER);
	assert_next(&r, CAPTURE_PACKET);
	assert_sentence(&r, CAPTURE_LOST,
			"packet 2 at offset 44 says that 4294967295 bytes of it were captured, "
			"more than the 16777216 that are possible: the rest of the capture cannot "
			"be read");
	assert_int_equal(capture_bad(r.c), 1);
	assert_end(&r);
	reader_end(&r, &m);
}

static void what_is_no_capture_is_said_to_be_none(void **state)
{
	struct maker m = maker(false);
	struct reader r;

	(void)state;
	reader_begin(&r, &m);
	assert_sentence(&r, CAPTURE_LOST, "not a capture (pcap or pcapng): it is empty");
	assert_end(&r);
	capture_free(r.c);
	put_text(&m, "GET / HTTP/1.1\r\n");
	reader_begin(&r, &m);
	assert_sentence(&r, CAPTURE_LOST,
			"not a capture (pcap or pcapng): it begins with the bytes 47455420");
	assert_int_equal(capture_bad(r.c), 0);
	assert_end(&r);
	reader_end(&r, &m);
}

/* pcapng */

static void reads_sections_of_either_order_in_one_file(void **state)
{
	struct maker m = maker(false);
	struct reader r;

	(void)state;
	for (int i = 0; i < 2; i++) {
		m.big = i;
		section(&m);
		interface(&m, i ? 101 : 1, 0, 0);
		interface(&m, 113, 9, 0);
		packet(&m, 1, 1700000000000000001, "nano");
		packet(&m, 0, 1700000000000001, "micro");
	}
	reader_begin(&r, &m);
	for (int i = 0; i < 2; i++) {
		assert_next(&r, CAPTURE_HEADER);
		assert_int_equal(r.item.big_endian, i);
		assert_next(&r, CAPTURE_INTERFACE);
		assert_int_equal(r.item.u.interface.number, 0);
		assert_int_equal(r.item.u.interface.link, i ? 101 : 1);
		assert_int_equal(r.item.u.interface.snaplen, 96);
		assert_true(bytes_equal(r.item.u.interface.name, bytes_str("eth0")));
		assert_next(&r, CAPTURE_INTERFACE);
		assert_int_equal(r.item.u.interface.number, 1);
		assert_packet(&r, (uint64_t)i * 2 + 1, 1700000000000000001, "nano");
		assert_int_equal(r.item.u.packet.interface, 1);
		assert_int_equal(r.item.u.packet.link, 113);
		assert_int_equal(r.item.u.packet.wire_n, 1500);
		assert_int_equal(r.item.u.packet.pid, 0);
		assert_packet(&r, (uint64_t)i * 2 + 2, 1700000000000001000, "micro");
	}
	assert_end(&r);
	reader_end(&r, &m);
}

static void every_resolution_of_time_becomes_nanoseconds(void **state)
{
	static const struct {
		uint8_t resolution;
		int64_t offset;
		uint64_t count;
		int64_t wall_ns;
	} cases[] = {
		{ 0, 0, 1, 1000 }, /* not said: microseconds */
		{ 3, 0, 1700000000123, 1700000000123000000 },
		{ 9, 0, 1700000000123456789, 1700000000123456789 },
		{ 12, 0, 1700000000123456789, 1700000000123456 },
		{ 29, 0, UINT64_MAX, 0 },
		{ 0x7f, 0, UINT64_MAX, 0 },
		{ 0x80, 0, 1700000000, 1700000000000000000 }, /* 2^0: seconds */
		{ 0x8a, 0, 1700000000 * 1024ull + 512, 1700000000500000000 },
		{ 0x94, 0, (1700000000ull << 20) + (1 << 18), 1700000000250000000 },
		{ 0xa8, 0, (1000000ull << 40) + (1ull << 39), 1000000500000000 },
		{ 0xbf, 0, (1ull << 63) + (1ull << 62), 1500000000 },
		{ 0xc0, 0, 1ull << 63, 500000000 },
		{ 0xff, 0, UINT64_MAX, 0 },
		{ 6, 1700000000, 5, 1700000000000005000 },
		{ 6, -1, 5, -999995000 },
		{ 6, 0, UINT64_MAX, INT64_MAX },
		{ 0x81, 0, UINT64_MAX, INT64_MAX },
		{ 6, INT64_MAX, 5, INT64_MAX },
		{ 9, INT64_MIN, 0, INT64_MIN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct maker m = maker(i & 1);
		struct reader r;

		section(&m);
		interface(&m, 1, cases[i].resolution, cases[i].offset);
		packet(&m, 0, cases[i].count, "x");
		reader_begin(&r, &m);
		assert_next(&r, CAPTURE_HEADER);
		assert_next(&r, CAPTURE_INTERFACE);
		assert_packet(&r, 1, cases[i].wall_ns, "x");
		reader_end(&r, &m);
	}
}

static void simple_packets_are_of_the_first_interface(void **state)
{
	struct maker m = maker(false);
	struct reader r;
	size_t at;

	(void)state;
	section(&m);
	interface(&m, 101, 9, 0);
	packet(&m, 0, 77, "before");
	at = block_open(&m, 3);
	put(&m, 5, 4);
	put_text(&m, "simple");
	m.b.n--; /* five bytes, and padding */
	block_close(&m, at);
	at = block_open(&m, 3);
	put(&m, 2000, 4); /* the interface's limit is 96 */
	for (int i = 0; i < 96; i++)
		put_text(&m, "x");
	block_close(&m, at);
	reader_begin(&r, &m);
	assert_next(&r, CAPTURE_HEADER);
	assert_next(&r, CAPTURE_INTERFACE);
	assert_packet(&r, 1, 77, "before");
	assert_packet(&r, 2, 77, "simpl");
	assert_int_equal(r.item.u.packet.link, 101);
	assert_next(&r, CAPTURE_PACKET);
	assert_int_equal(r.item.u.packet.bytes.n, 96);
	assert_int_equal(r.item.u.packet.wire_n, 2000);
	assert_end(&r);
	reader_end(&r, &m);
}

static void obsolete_packets_are_read(void **state)
{
	struct maker m = maker(true);
	struct reader r;
	size_t at;

	(void)state;
	section(&m);
	interface(&m, 1, 0, 0);
	interface(&m, 101, 0, 0);
	at = block_open(&m, 2);
	put(&m, 1, 2);
	put(&m, 99, 2); /* lost before it */
	put(&m, 0, 4);
	put(&m, 7, 4);
	put(&m, 3, 4);
	put(&m, 4, 4);
	put_text(&m, "old");
	block_close(&m, at);
	reader_begin(&r, &m);
	for (int i = 0; i < 3; i++)
		assert_int_equal(next(&r), CAPTURE_ITEM);
	assert_packet(&r, 1, 7000, "old");
	assert_int_equal(r.item.u.packet.link, 101);
	assert_int_equal(r.item.u.packet.wire_n, 4);
	reader_end(&r, &m);
}

static void secrets_and_statistics_are_handed_out(void **state)
{
	struct maker m = maker(false);
	struct reader r;
	size_t at;

	(void)state;
	section(&m);
	at = block_open(&m, 10);
	put(&m, CAPTURE_SECRETS_TLS, 4);
	put(&m, 5, 4);
	put_text(&m, "LINE\n");
	block_close(&m, at);
	at = block_open(&m, 5);
	put(&m, 3, 4);
	put(&m, 0, 8);
	option_number(&m, 5, 1ull << 32, 8);
	option_number(&m, 4, 1000, 8); /* received */
	option_number(&m, 7, 2, 8);
	option(&m, 0, bytes_str(""));
	block_close(&m, at);
	reader_begin(&r, &m);
	assert_next(&r, CAPTURE_HEADER);
	assert_next(&r, CAPTURE_SECRETS);
	assert_int_equal(r.item.u.secrets.type, CAPTURE_SECRETS_TLS);
	assert_true(bytes_equal(r.item.u.secrets.data, bytes_str("LINE\n")));
	assert_next(&r, CAPTURE_STATISTICS);
	assert_int_equal(r.item.u.statistics.interface, 3);
	assert_int_equal(r.item.u.statistics.dropped, (1ull << 32) + 2);
	assert_end(&r);
	reader_end(&r, &m);
}

static void a_packet_names_its_process(void **state)
{
	struct maker m = maker(true);
	struct reader r;
	size_t at;

	(void)state;
	section(&m);
	interface(&m, 1, 0, 0);
	at = packet_open(&m, 0, 0, "odd");
	option(&m, 1, bytes_str("a comment"));
	put(&m, 8, 2); /* process and thread */
	put(&m, 8, 2);
	put(&m, 1234, 4);
	put(&m, 5678, 4);
	option(&m, 0, bytes_str(""));
	block_close(&m, at);
	reader_begin(&r, &m);
	assert_next(&r, CAPTURE_HEADER);
	assert_next(&r, CAPTURE_INTERFACE);
	assert_packet(&r, 1, 0, "odd");
	assert_int_equal(r.item.u.packet.pid, 1234);
	reader_end(&r, &m);
}

/* Wireshark's custom block; little-endian inside. */
static void custom_process(struct maker *m, uint32_t enterprise, uint32_t entry, uint32_t pid)
{
	size_t at = block_open(m, 0xbad), length;
	bool big = m->big;

	put(m, enterprise, 4);
	m->big = false;
	put(m, entry, 4);
	put(m, 0, 4);
	length = m->b.n - 4;
	put(m, pid, 4);
	option(m, 3, bytes_str("/usr/bin/curl"));
	option(m, 2, bytes_str("curl"));
	option(m, 0, bytes_str(""));
	put_at(m, length, (uint32_t)(m->b.n - length - 4));
	m->big = big;
	block_close(m, at);
}

static void wiresharks_process_blocks_are_read(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct maker m = maker(i);
		struct reader r;

		section(&m);
		custom_process(&m, 32622, 3, 1234);
		custom_process(&m, 32622, 99, 1);
		custom_process(&m, 1, 3, 1);
		reader_begin(&r, &m);
		assert_next(&r, CAPTURE_HEADER);
		assert_next(&r, CAPTURE_PROCESS);
		assert_int_equal(r.item.u.process.pid, 1234);
		assert_true(bytes_equal(r.item.u.process.name, bytes_str("curl")));
		assert_next(&r, CAPTURE_SKIPPED);
		assert_next(&r, CAPTURE_SKIPPED);
		assert_end(&r);
		reader_end(&r, &m);
	}
}

static void apples_process_blocks_are_numbered(void **state)
{
	struct maker m = maker(false);
	struct reader r;

	(void)state;
	section(&m);
	interface(&m, 1, 0, 0);
	for (uint32_t i = 0; i < 10; i++) {
		size_t at = block_open(&m, 0x80000001);

		put(&m, 500 + i, 4);
		option(&m, 2, bytes_str("Safari"));
		block_close(&m, at);
	}
	for (uint32_t i = 8; i < 11; i++) {
		size_t at = packet_open(&m, 0, 0, "four");

		option_number(&m, 32771, 0, 4);
		option_number(&m, 32769, i, 4);
		block_close(&m, at);
	}
	reader_begin(&r, &m);
	assert_next(&r, CAPTURE_HEADER);
	assert_next(&r, CAPTURE_INTERFACE);
	for (uint32_t i = 0; i < 10; i++) {
		assert_next(&r, CAPTURE_PROCESS);
		assert_int_equal(r.item.u.process.pid, 500 + i);
		assert_true(bytes_equal(r.item.u.process.name, bytes_str("Safari")));
	}
	for (int64_t i = 8; i < 11; i++) {
		assert_next(&r, CAPTURE_PACKET);
		/* There is no eleventh: for whom it was done is known, at least. */
		assert_int_equal(r.item.u.packet.pid, i < 10 ? 500 + i : 500);
	}
	reader_end(&r, &m);
}

static void unknown_blocks_are_stepped_over(void **state)
{
	struct maker m = maker(true);
	struct reader r;

	(void)state;
	section(&m);
	block_close(&m, block_open(&m, 4));
	block_close(&m, block_open(&m, 0xdeadbeef));
	reader_begin(&r, &m);
	assert_next(&r, CAPTURE_HEADER);
	assert_next(&r, CAPTURE_SKIPPED);
	assert_int_equal(r.item.block_type, 4);
	assert_int_equal(r.item.raw.n, 12);
	assert_next(&r, CAPTURE_SKIPPED);
	assert_int_equal(r.item.block_type, 0xdeadbeef);
	assert_end(&r);
	reader_end(&r, &m);
}

static void a_length_without_the_padding_is_understood(void **state)
{
	struct maker m = maker(false);
	struct reader r;
	size_t at;

	(void)state;
	section(&m);
	interface(&m, 1, 0, 0);
	at = packet_open(&m, 0, 0, "odd");
	put(&m, m.b.n - at + 3, 4);
	put_at(&m, at + 4, (uint32_t)(m.b.n - at - 1));
	packet(&m, 0, 1, "even");
	reader_begin(&r, &m);
	assert_next(&r, CAPTURE_HEADER);
	assert_next(&r, CAPTURE_INTERFACE);
	assert_packet(&r, 1, 0, "odd");
	assert_packet(&r, 2, 1000, "even");
	assert_end(&r);
	reader_end(&r, &m);
}

/* A good packet after a block that something is wrong with. */
static void assert_costs_itself_only(struct maker *m, const char *sentence)
{
	struct reader r;

	packet(m, 0, 5, "after");
	reader_begin(&r, m);
	assert_next(&r, CAPTURE_HEADER);
	assert_next(&r, CAPTURE_INTERFACE);
	assert_sentence(&r, CAPTURE_BAD, sentence);
	/* As it stands in the file, for who copies it. */
	assert_int_equal(r.item.block_type, m->b.p[60] | m->b.p[61] << 8 | m->b.p[62] << 16 |
						    (uint32_t)m->b.p[63] << 24);
	assert_true(r.item.raw.n == 0 || r.item.raw.p == m->b.p + 60);
	assert_packet(&r, 1, 5000, "after");
	assert_end(&r);
	assert_int_equal(capture_bad(r.c), 1);
	reader_end(&r, m);
}

static struct maker good_beginning(void)
{
	struct maker m = maker(false);

	section(&m);
	interface(&m, 1, 0, 0);
	return m; /* the next block is 3, at offset 60 */
}

static void a_bad_block_costs_itself_only(void **state)
{
	struct maker m = good_beginning();
	size_t at;

	(void)state;
	packet(&m, 7, 0, "x");
	assert_costs_itself_only(&m, "block 3 at offset 60: a packet of interface 7, but the "
				     "section has 1 so far");

	m = good_beginning();
	packet(&m, 0, 0, "1234");
	put_at(&m, 60 + 20, 5);
	assert_costs_itself_only(&m, "block 3 at offset 60: a packet of 5 bytes in 4");

	m = good_beginning();
	packet(&m, 0, 0, "");
	put_at(&m, 60 + 20, UINT32_MAX);
	assert_costs_itself_only(&m, "block 3 at offset 60: a packet of 4294967295 bytes in 0");

	m = good_beginning();
	at = block_open(&m, 6);
	put(&m, 0, 8);
	block_close(&m, at);
	assert_costs_itself_only(&m, "block 3 at offset 60: a packet without all of its header");

	m = good_beginning();
	at = block_open(&m, 3);
	put(&m, 5, 4);
	put_text(&m, "1234");
	block_close(&m, at);
	assert_costs_itself_only(&m, "block 3 at offset 60: a packet of 5 bytes in 4");

	m = good_beginning();
	at = block_open(&m, 10);
	put(&m, CAPTURE_SECRETS_TLS, 4);
	put(&m, 5, 4);
	put_text(&m, "1234");
	block_close(&m, at);
	assert_costs_itself_only(
		&m, "block 3 at offset 60: secrets of 5 bytes in a block with room for 4");

	m = good_beginning();
	at = block_open(&m, 5);
	put(&m, 0, 8);
	block_close(&m, at);
	assert_costs_itself_only(&m,
				 "block 3 at offset 60: statistics in 8 bytes, less than the 12 "
				 "they need");

	m = good_beginning();
	block_close(&m, block_open(&m, 0x80000001));
	assert_costs_itself_only(&m, "block 3 at offset 60: a process without a number");

	m = good_beginning();
	at = block_open(&m, 0xbad);
	put(&m, 32622, 4);
	put(&m, 3, 4);
	put(&m, 8, 4);
	put(&m, 1, 4);
	block_close(&m, at);
	assert_costs_itself_only(
		&m, "block 3 at offset 60: a process of 8 bytes in a block with room for 4");
}

static void a_bad_interface_keeps_its_number(void **state)
{
	struct maker m = maker(false);
	struct reader r;
	size_t at;

	(void)state;
	section(&m);
	at = block_open(&m, 1);
	put(&m, 1, 4);
	block_close(&m, at);
	interface(&m, 101, 0, 0);
	packet(&m, 1, 0, "x");
	packet(&m, 0, 0, "y");
	reader_begin(&r, &m);
	assert_next(&r, CAPTURE_HEADER);
	assert_sentence(&r, CAPTURE_BAD,
			"block 2 at offset 28: an interface in 4 bytes, less than the 8 it needs");
	assert_next(&r, CAPTURE_INTERFACE);
	assert_int_equal(r.item.u.interface.number, 1);
	assert_packet(&r, 1, 0, "x");
	assert_int_equal(r.item.u.packet.link, 101);
	assert_packet(&r, 2, 0, "y");
	assert_int_equal(r.item.u.packet.link, CAPTURE_LINK_NONE);
	reader_end(&r, &m);
}

static void options_that_make_no_sense_cost_nothing_else(void **state)
{
	struct maker m = good_beginning();
	struct reader r;
	size_t at;

	(void)state;
	at = packet_open(&m, 0, 0, "x");
	put(&m, 8, 2);
	put(&m, 999, 2);
	put(&m, 1, 8);
	block_close(&m, at);
	reader_begin(&r, &m);
	assert_next(&r, CAPTURE_HEADER);
	assert_next(&r, CAPTURE_INTERFACE);
	assert_packet(&r, 1, 0, "x");
	assert_int_equal(r.item.u.packet.pid, 0);
	assert_end(&r);
	reader_end(&r, &m);
}

static void a_section_of_another_version_is_skipped_whole(void **state)
{
	struct maker m = maker(false);
	struct reader r;

	(void)state;
	section(&m);
	m.b.p[12] = 2;
	packet(&m, 0, 0, "what may this be");
	section(&m);
	interface(&m, 1, 0, 0);
	packet(&m, 0, 0, "x");
	reader_begin(&r, &m);
	assert_sentence(&r, CAPTURE_BAD,
			"block 1 at offset 0: a section of version 2.0: 1.0 is what there is");
	assert_next(&r, CAPTURE_SKIPPED);
	assert_next(&r, CAPTURE_HEADER);
	assert_next(&r, CAPTURE_INTERFACE);
	assert_packet(&r, 1, 0, "x");
	reader_end(&r, &m);
}

static void assert_is_lost(struct maker *m, const char *sentence)
{
	struct reader r;

	reader_begin(&r, m);
	assert_next(&r, CAPTURE_HEADER);
	assert_next(&r, CAPTURE_INTERFACE);
	assert_sentence(&r, CAPTURE_LOST, sentence);
	assert_end(&r);
	assert_int_equal(capture_bad(r.c), 1);
	reader_end(&r, m);
}

static void without_framing_the_rest_is_lost(void **state)
{
	struct maker m = good_beginning();

	(void)state;
	packet(&m, 0, 0, "x");
	put_at(&m, m.b.n - 4, 4711);
	assert_is_lost(&m, "block 3 at offset 60: its length is 36 at the front, but 4711 at the "
			   "end: the rest of the capture cannot be read");

	m = good_beginning();
	packet(&m, 0, 0, "x");
	put_at(&m, 60 + 4, 8);
	assert_is_lost(&m, "block 3 at offset 60: its length is 8, less than any block has: the "
			   "rest of the capture cannot be read");

	m = good_beginning();
	section(&m);
	put_at(&m, 60 + 8, 0x11223344);
	assert_is_lost(&m, "block 3 at offset 60: a section header without its byte-order magic: "
			   "the rest of the capture cannot be read");

	m = good_beginning();
	packet(&m, 0, 0, "x");
	put_at(&m, 60 + 4, UINT32_MAX - 3);
	assert_is_lost(&m, "block 3 at offset 60: it says that it has 4294967292 bytes, but the "
			   "input ends after 36");
}

static void a_block_that_is_too_long_is_stepped_over(void **state)
{
	struct maker m = good_beginning();
	static uint8_t much[CAPTURE_BLOCK_MAX];
	size_t at = block_open(&m, 10);

	(void)state;
	assert_int_equal(buf_add(&m.b, bytes_of(much, sizeof(much)), NULL), 0);
	block_close(&m, at);
	assert_costs_itself_only(&m, "block 3 at offset 60: it has 16777228 bytes, more than the "
				     "16777216 that are read");

	m = good_beginning();
	at = block_open(&m, 10);
	assert_int_equal(buf_add(&m.b, bytes_of(much, sizeof(much)), NULL), 0);
	block_close(&m, at);
	put_at(&m, m.b.n - 4, 12);
	packet(&m, 0, 0, "x");
	assert_is_lost(&m, "block 3 at offset 60: it says that it has 16777228 bytes, but does not "
			   "end there: the rest of the capture cannot be read");
}

/* Cut anywhere */

static struct maker a_bit_of_all(bool ng)
{
	struct maker m = maker(ng);

	if (!ng) {
		pcap_header(&m, 0xa1b2c3d4, 1);
		pcap_record(&m, 1, "one");
		pcap_record(&m, 2, "two");
		return m;
	}
	section(&m);
	interface(&m, 1, 0, 0);
	custom_process(&m, 32622, 3, 1);
	packet(&m, 0, 1, "one");
	packet(&m, 0, 2, "two!");
	return m;
}

/* Where blocks of a good capture begin. */
static bool is_border(const struct maker *m, size_t at)
{
	struct reader r;
	bool found = at == 0;

	reader_begin(&r, m);
	while (next(&r) == CAPTURE_ITEM)
		found |= capture_offset(r.c) == at;
	capture_free(r.c);
	return found;
}

static void every_cut_is_told_once(void **state)
{
	(void)state;
	for (int ng = 0; ng < 2; ng++) {
		struct maker m = a_bit_of_all(ng);

		for (size_t n = 1; n < m.b.n; n++) {
			struct reader r;
			enum capture_outcome o;

			reader_begin(&r, &m);
			r.step.in.n = n;
			while ((o = next(&r)) == CAPTURE_ITEM)
				;
			if (is_border(&m, n)) {
				assert_int_equal(o, CAPTURE_MORE);
			} else {
				assert_int_equal(o, CAPTURE_LOST);
				assert_true(strstr(r.e.sentence, "cut off") ||
					    strstr(r.e.sentence, "not a capture") ||
					    strstr(r.e.sentence, "pcap file header"));
				assert_true(capture_offset(r.c) <= n);
			}
			assert_end(&r);
			capture_free(r.c);
		}
		buf_fini(&m.b);
	}
}

static void what_comes_byte_by_byte_is_waited_for(void **state)
{
	(void)state;
	for (int ng = 0; ng < 2; ng++) {
		struct maker m = a_bit_of_all(ng);
		size_t at = 0, end = 0, packets = 0;
		struct reader r;

		reader_begin(&r, &m);
		while (at < m.b.n) {
			size_t shown = end - at;
			enum capture_outcome o;

			r.step.in = bytes_slice(buf_bytes(&m.b), at, shown);
			r.step.last = false;
			o = next(&r);
			at += shown - r.step.in.n;
			if (o == CAPTURE_ITEM) {
				packets += r.item.kind == CAPTURE_PACKET;
				continue;
			}
			assert_int_equal(o, CAPTURE_MORE);
			assert_true(r.step.need > r.step.in.n);
			end++;
		}
		assert_int_equal(packets, 2);
		reader_end(&r, &m);
	}
}

static void memory_that_is_not_there_ends_it(void **state)
{
	struct maker m = a_bit_of_all(true);
	struct capture *c = NULL;
	struct reader r;

	(void)state;
	mem_fail_at(1);
	assert_int_equal(capture_new(&c, NULL), -1);
	mem_fail_at(0);
	reader_begin(&r, &m);
	mem_fail_at(1);
	assert_next(&r, CAPTURE_HEADER);
	assert_int_equal(next(&r), CAPTURE_LOST);
	assert_int_equal(r.e.code, ERR_NOMEM);
	mem_fail_at(0);
	assert_end(&r);
	reader_end(&r, &m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_pcap_in_either_order_and_resolution),
		cmocka_unit_test(reads_the_longer_records_of_modified_pcap),
		cmocka_unit_test(the_frame_check_sequence_is_not_part_of_the_link_type),
		cmocka_unit_test(more_captured_than_there_was_counts_as_there),
		cmocka_unit_test(refuses_pcap_of_another_version),
		cmocka_unit_test(a_length_of_four_gigabytes_ends_pcap),
		cmocka_unit_test(what_is_no_capture_is_said_to_be_none),
		cmocka_unit_test(reads_sections_of_either_order_in_one_file),
		cmocka_unit_test(every_resolution_of_time_becomes_nanoseconds),
		cmocka_unit_test(simple_packets_are_of_the_first_interface),
		cmocka_unit_test(obsolete_packets_are_read),
		cmocka_unit_test(secrets_and_statistics_are_handed_out),
		cmocka_unit_test(a_packet_names_its_process),
		cmocka_unit_test(wiresharks_process_blocks_are_read),
		cmocka_unit_test(apples_process_blocks_are_numbered),
		cmocka_unit_test(unknown_blocks_are_stepped_over),
		cmocka_unit_test(a_length_without_the_padding_is_understood),
		cmocka_unit_test(a_bad_block_costs_itself_only),
		cmocka_unit_test(a_bad_interface_keeps_its_number),
		cmocka_unit_test(options_that_make_no_sense_cost_nothing_else),
		cmocka_unit_test(a_section_of_another_version_is_skipped_whole),
		cmocka_unit_test(without_framing_the_rest_is_lost),
		cmocka_unit_test(a_block_that_is_too_long_is_stepped_over),
		cmocka_unit_test(every_cut_is_told_once),
		cmocka_unit_test(what_comes_byte_by_byte_is_waited_for),
		cmocka_unit_test(memory_that_is_not_there_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
