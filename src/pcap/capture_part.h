/* Inside the reader of captures: what capture.c, capture_pcap.c and capture_pcapng.c share. */
#ifndef PCAP_CAPTURE_PART_H
#define PCAP_CAPTURE_PART_H

#include "pcap/capture.h"
#include "pcap/order.h"

#define MAGIC_PCAP 0xa1b2c3d4u
#define MAGIC_PCAP_NANOSECONDS 0xa1b23c4du
#define MAGIC_PCAP_MODIFIED 0xa1b2cd34u /* Kuznetzov's: the record's header has 8 bytes more */
#define MAGIC_SECTION 0x0a0d0d0au	/* in either order */

/* How an interface counts time. */
struct capture_clock {
	uint64_t times, parts; /* nanoseconds: a count times this, or divided by that */
	unsigned shift;	       /* unless 0: the count is of 2^-shift seconds */
	int64_t offset_ns;
};

struct capture_port {
	unsigned link;
	uint32_t snaplen;
	struct capture_clock clock;
};

struct capture {
	enum capture_format format;
	bool big_endian;
	bool over;	 /* nothing more is read */
	uint64_t offset; /* of the next block */
	uint64_t blocks; /* read so far; in pcap, records */
	uint64_t packets, bad;
	int64_t last_ns; /* time of the packet before */

	/* pcap */
	uint32_t nanoseconds; /* of a unit of the fraction */
	size_t record_size;   /* of a record's header */
	unsigned link;

	/* pcapng: of the section */
	struct capture_port *ports;
	size_t port_count, port_room;
	bool foreign;	/* of a version that is not known */
	uint32_t *pids; /* of Apple's process blocks */
	size_t pid_count, pid_room;

	/* A block that is too long: bytes of it to come, and what it said. */
	uint64_t skip;
	uint32_t skip_length, skip_type;
	uint64_t skip_offset;
};

/* With more bytes than there are: CAPTURE_MORE, or the sentence that the input ends here. */
enum capture_outcome capture_wait(struct capture *c, struct capture_step *step, size_t need,
				  struct err *e);
/* e is filled: nothing more is read. */
enum capture_outcome capture_give_up(struct capture *c, struct capture_step *step, struct err *e);
/* Where the reader stands: "block 7 at offset 1234". */
#define CAPTURE_PLACE_MAX 80
const char *capture_place(const struct capture *c, char out[CAPTURE_PLACE_MAX]);
/* Steps over n bytes of step->in, which are there. */
void capture_step_over(struct capture *c, struct capture_step *step, size_t n);

/* The file header: 24 bytes are there. Fails with ERR_WIRE_DECODE. */
#define PCAP_HEADER_SIZE 24
int capture_pcap_begin(struct capture *c, struct bytes header, struct err *e) MUST_CHECK;
enum capture_outcome capture_pcap_next(struct capture *c, struct capture_step *step,
				       struct capture_item *item, struct err *e);

enum capture_outcome capture_pcapng_next(struct capture *c, struct capture_step *step,
					 struct capture_item *item, struct err *e);
/* The body of a block into item. Fails with ERR_WIRE_DECODE, ERR_LIMIT (the block is bad) and
 * ERR_NOMEM. */
int capture_block(struct capture *c, uint32_t type, struct bytes body, struct capture_item *item,
		  struct err *e) MUST_CHECK;

#endif
