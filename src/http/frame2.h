/* The frames of one direction of an HTTP/2 connection (RFC 9113, 4.1 and 6), read as the bytes come
 * and checked as far as a frame by itself can be wrong. Payloads are handed out where they lie. */
#ifndef HTTP_FRAME2_H
#define HTTP_FRAME2_H

#include "http/message.h"

enum frame2_type {
	FRAME2_DATA = 0,
	FRAME2_HEADERS = 1,
	FRAME2_PRIORITY = 2,
	FRAME2_RST_STREAM = 3,
	FRAME2_SETTINGS = 4,
	FRAME2_PUSH_PROMISE = 5,
	FRAME2_PING = 6,
	FRAME2_GOAWAY = 7,
	FRAME2_WINDOW_UPDATE = 8,
	FRAME2_CONTINUATION = 9,
};

#define FRAME2_END_STREAM 0x1
#define FRAME2_ACK 0x1
#define FRAME2_END_HEADERS 0x4
#define FRAME2_PADDED 0x8
#define FRAME2_HAS_PRIORITY 0x20

#define FRAME2_FIXED_MAX 6
#define FRAME2_SIZE_DEFAULT 16384

struct frame2 {
	uint32_t max; /* the longest frame that the other side allowed */
	uint8_t header[9];
	uint8_t have; /* bytes of the header that came */
	uint8_t type, flags;
	uint32_t stream;
	uint32_t left;			 /* of the payload, without padding, after the fixed part */
	uint32_t pad;			 /* padding that is missing */
	uint8_t fixed[FRAME2_FIXED_MAX]; /* what stands before the payload, or one setting */
	uint8_t fixed_need, fixed_have;
};

enum frame2_event {
	FRAME2_MORE,  /* the input is used up */
	FRAME2_BEGIN, /* the header was read, and the fixed part: .type, .flags, .stream, .fixed */
	FRAME2_PAYLOAD, /* a piece of the payload */
	FRAME2_SETTING, /* one setting is in .fixed */
	FRAME2_END,	/* the frame is complete */
	FRAME2_BAD,
};

void frame2_init(struct frame2 *f);
/* The next thing that happened, taken from the front of *in; *payload is set with FRAME2_PAYLOAD. */
enum frame2_event frame2_next(struct frame2 *f, struct bytes *in, struct bytes *payload,
			      struct err *e);
/* Of a frame of this type, without its padding length: where its own part begins in .fixed. */
struct bytes frame2_fixed(const struct frame2 *f);

#endif
