/* Captures made by hand in either byte order, and a reader that is shown all there is, for tests. */
#ifndef PCAP_TESTKIT_H
#define PCAP_TESTKIT_H

#include "base/buf.h"
#include "pcap/capture.h"

struct maker {
	struct buf b;
	bool big;
};

struct reader {
	struct capture *c;
	struct capture_step step;
	struct capture_item item;
	struct err e;
};

void kit_put(struct maker *m, uint64_t v, size_t size);
void kit_text(struct maker *m, const char *text);
size_t kit_block(struct maker *m, uint32_t type);
void kit_put_at(struct maker *m, size_t at, uint32_t v);
void kit_block_end(struct maker *m, size_t at);
void kit_option(struct maker *m, uint16_t code, struct bytes value);
void kit_option_number(struct maker *m, uint16_t code, uint64_t v, size_t size);
void kit_section(struct maker *m);
/* resolution 0: not said; offset 0: not said. */
void kit_interface(struct maker *m, uint16_t link, uint8_t resolution, int64_t offset);
size_t kit_packet_begin(struct maker *m, uint32_t interface_number, uint64_t time,
			const char *text);
void kit_packet(struct maker *m, uint32_t interface_number, uint64_t time, const char *text);
struct maker kit_new(bool big);
void kit_read(struct reader *r, const struct maker *m);
enum capture_outcome kit_next(struct reader *r);
void kit_expect(struct reader *r, enum capture_kind kind);
void kit_expect_packet(struct reader *r, uint64_t number, int64_t wall_ns, const char *text);
/* Of the block that comes next, which must be bad or lost as outcome says. */
const char *kit_sentence(struct reader *r, enum capture_outcome outcome);
void kit_expect_end(struct reader *r);
void kit_end(struct reader *r, struct maker *m);
void kit_pcap_header(struct maker *m, uint32_t magic, uint32_t network);
void kit_pcap_record(struct maker *m, uint32_t fraction, const char *text);
/* Wireshark's custom block; little-endian inside. */
void kit_custom_process(struct maker *m, uint32_t enterprise, uint32_t entry, uint32_t pid);

#endif
