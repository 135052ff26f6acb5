#include "wire/hello.h"

#include "base/rd.h"
#include "wire/handshake.h"
#include "wire/record.h"
#include "wire/sniff.h"

static enum hello_outcome not_tls(struct bytes raw, struct err *e)
{
	enum sniff sniff = sniff_first(raw);

	if (sniff == SNIFF_MORE || sniff == SNIFF_OTHER || sniff == SNIFF_TLS)
		FAIL(e, TLS_DECODE, "no TLS: the first byte is 0x%02x", raw.p[0]);
	else
		FAIL(e, TLS_DECODE, "no TLS: it looks like %s", sniff_text(sniff));
	return HELLO_NOT_TLS;
}

/* Judges as much of the message's header as is there: in records taken in, then in part. */
static enum hello_outcome judge_head(struct hello *h, struct bytes part, enum alert *alert,
				     struct err *e)
{
	uint8_t head[HANDSHAKE_HEADER_SIZE] = { 0 };
	size_t n = h->message_n;
	bool bad = false;

	if (h->need)
		return HELLO_MORE;
	memcpy(head, h->head, sizeof(head));
	for (size_t i = 0; n < sizeof(head) && i < part.n; i++)
		head[n++] = part.p[i];

	struct rd r = rd_init(bytes_of(head, n), &bad);
	uint8_t type = rd_u8(&r);
	uint32_t length = rd_u24(&r);

	if (n >= 1 && type != HANDSHAKE_CLIENT_HELLO) {
		FAIL(e, TLS_DECODE, "TLS, but the first message is %s (%u), not client_hello",
		     handshake_type_name(type), type);
		*alert = ALERT_UNEXPECTED_MESSAGE;
		return HELLO_BAD;
	}
	if (!bad && length > HELLO_MESSAGE_MAX - HANDSHAKE_HEADER_SIZE) {
		FAIL(e, TLS_DECODE, "a ClientHello of %u bytes; at most %d may be",
		     length + HANDSHAKE_HEADER_SIZE, HELLO_MESSAGE_MAX);
		*alert = ALERT_ILLEGAL_PARAMETER;
		return HELLO_BAD;
	}
	return HELLO_MORE;
}

/* Takes a whole record in. */
static enum hello_outcome absorb(struct hello *h, const struct record *rec, enum alert *alert,
				 struct err *e)
{
	for (size_t i = 0; h->message_n + i < sizeof(h->head) && i < rec->body.n; i++)
		h->head[h->message_n + i] = rec->body.p[i];
	h->raw_n += rec->raw.n;
	h->message_n += rec->body.n;
	h->records++;
	if (!h->need && h->message_n >= HANDSHAKE_HEADER_SIZE) {
		bool bad = false;
		struct rd r = rd_init(bytes_of(h->head, sizeof(h->head)), &bad);

		rd_skip(&r, 1);
		h->need = HANDSHAKE_HEADER_SIZE + rd_u24(&r);
	}
	if (h->need && h->message_n > h->need) {
		FAIL(e, TLS_DECODE, "%zu bytes follow the ClientHello in its last record",
		     h->message_n - h->need);
		*alert = ALERT_UNEXPECTED_MESSAGE;
		return HELLO_BAD;
	}
	if (h->need && h->message_n == h->need)
		return HELLO_DONE;
	if (h->raw_n > HELLO_RAW_MAX) {
		FAIL(e, TLS_DECODE,
		     "a ClientHello cut into %u records, which take more than %d bytes", h->records,
		     HELLO_RAW_MAX);
		*alert = ALERT_DECODE_ERROR;
		return HELLO_BAD;
	}
	return HELLO_MORE;
}

/* The next record, whole or in part. *taken: it was whole, and taken in. */
static enum hello_outcome step(struct hello *h, struct bytes rest, bool *taken, enum alert *alert,
			       struct err *e)
{
	struct record rec;
	enum record_outcome outcome = record_next(rest, RECORD_PLAIN_MAX, &rec, alert, e);

	*taken = false;
	if (outcome == RECORD_NOT_TLS && h->records == 0)
		return not_tls(rest, e);
	if (outcome == RECORD_NOT_TLS) {
		*alert = ALERT_UNEXPECTED_MESSAGE;
		err_ctx(e, "in a ClientHello");
		return HELLO_BAD;
	}
	/* With its second byte it is known that this is TLS at all. */
	if (rest.n >= 2 && rest.p[0] != RECORD_HANDSHAKE) {
		FAIL(e, TLS_DECODE, "a TLS record of type %s where a ClientHello was expected",
		     record_type_name(rest.p[0]));
		*alert = ALERT_UNEXPECTED_MESSAGE;
		return HELLO_BAD;
	}
	if (outcome == RECORD_BAD) {
		err_ctx(e, "in a ClientHello");
		return HELLO_BAD;
	}
	struct bytes part = bytes_slice(rest, RECORD_HEADER_SIZE, rest.n);
	if (judge_head(h, outcome == RECORD_DONE ? rec.body : part, alert, e) == HELLO_BAD)
		return HELLO_BAD;
	if (outcome == RECORD_MORE)
		return HELLO_MORE;
	*taken = true;
	return absorb(h, &rec, alert, e);
}

enum hello_outcome hello_run(struct hello *h, struct bytes raw, enum alert *alert, struct err *e)
{
	enum hello_outcome outcome;
	enum alert ignored;
	bool taken;

	if (!alert)
		alert = &ignored;
	*alert = ALERT_DECODE_ERROR;
	do {
		outcome = step(h, bytes_slice(raw, h->raw_n, raw.n), &taken, alert, e);
	} while (outcome == HELLO_MORE && taken);
	return outcome;
}

int hello_message(const struct hello *h, struct bytes raw, struct buf *joined,
		  struct bytes *message, struct err *e)
{
	uint8_t *room;

	if (h->records == 1) {
		*message = bytes_slice(raw, RECORD_HEADER_SIZE, h->need);
		return 0;
	}
	if (buf_reserve(joined, h->need, &room, e) < 0)
		return -1;
	raw = bytes_slice(raw, 0, h->raw_n);
	while (raw.n) {
		struct record rec;

		if (record_next(raw, RECORD_PLAIN_MAX, &rec, NULL, e) != RECORD_DONE)
			return -1;
		if (buf_add(joined, rec.body, e) < 0)
			return -1;
		raw = bytes_slice(raw, rec.raw.n, raw.n);
	}
	*message = buf_bytes(joined);
	return 0;
}
