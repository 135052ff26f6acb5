/* Finds the ClientHello in a connection's first bytes: one handshake message in as many records as
 * the client likes, split anywhere. The caller keeps the raw bytes (they are what a splice passes
 * on) and shows all of them each time; nothing is looked at twice and, as long as the message is in
 * one record, nothing is copied. */
#ifndef WIRE_HELLO_H
#define WIRE_HELLO_H

#include "base/buf.h"
#include "wire/alert.h"

#define HELLO_MESSAGE_MAX (128 * 1024)
/* Raw bytes: more than this many for one hello is somebody sending records of a byte each. */
#define HELLO_RAW_MAX (256 * 1024)

enum hello_outcome {
	HELLO_MORE,    /* and *alert is ALERT_DECODE_ERROR should the connection end here */
	HELLO_DONE,    /* h->raw_n bytes hold it */
	HELLO_NOT_TLS, /* no TLS record; e says what it looks like */
	HELLO_BAD,     /* TLS, but no ClientHello; e says what is wrong, *alert what to answer */
};

struct hello {
	size_t raw_n;	  /* bytes in whole records so far */
	size_t message_n; /* of those, bytes of the message */
	size_t need;	  /* of the whole message with its header; 0: not known yet */
	unsigned records;
	uint8_t head[4]; /* the first message_n of the message's header */
};

static inline struct hello hello_init(void)
{
	return (struct hello){ 0 };
}

/* raw: everything the client has sent, from its first byte; each call shows at least what the one
 * before did. The answer comes as early as it can be known. The records are plaintext (RFC 8446,
 * 5.1): no empty ones, none above 2^14, nothing after the message in its last record. Bytes after
 * that record (early data) are not looked at. HELLO_NOT_TLS and HELLO_BAD fill e with
 * ERR_TLS_DECODE. After any answer but HELLO_MORE, further calls are not allowed. */
enum hello_outcome hello_run(struct hello *h, struct bytes raw, enum alert *alert,
			     struct err *e) MUST_CHECK;
/* After HELLO_DONE: the message with its 4 byte header. It borrows from raw, or, when it came in
 * several records, from joined, which is empty and whose max is at least HELLO_MESSAGE_MAX. Fails
 * with ERR_NOMEM, ERR_LIMIT. */
int hello_message(const struct hello *h, struct bytes raw, struct buf *joined,
		  struct bytes *message, struct err *e) MUST_CHECK;

#endif
