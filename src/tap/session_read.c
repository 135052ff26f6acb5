#include "tap/session_part.h"

#include "base/rd.h"

/* A ClientHello in SSLv2's format (RFC 5246, E.2): two bytes of length with the highest bit set,
 * then the message. */
static enum record_outcome v2_frame(struct bytes in, struct record *out, size_t *need)
{
	bool bad = false;
	struct rd r = rd_init(in, &bad);
	size_t n = rd_u16(&r) & 0x7fffu;
	uint8_t type = rd_u8(&r);

	if (bad) {
		*need = 3;
		return RECORD_MORE;
	}
	*need = 2 + n;
	if (type != HANDSHAKE_CLIENT_HELLO || n < 9)
		return RECORD_NOT_TLS;
	if (in.n < *need)
		return RECORD_MORE;
	*out = (struct record){
		.type = RECORD_V2_HELLO,
		.body = bytes_slice(in, 2, n),
		.raw = bytes_slice(in, 0, *need),
	};
	return RECORD_DONE;
}

enum record_outcome session_frame(const struct side *side, enum flow_dir dir, struct bytes in,
				  struct record *out, size_t *need)
{
	enum record_outcome outcome;

	if (side->state == SIDE_START && dir == DIR_UP && in.n && in.p[0] & 0x80)
		return v2_frame(in, out, need);
	outcome = record_next(in, RECORD_CIPHER_MAX_12, out, NULL, NULL);
	if (outcome == RECORD_MORE)
		*need = RECORD_HEADER_SIZE +
			(in.n < RECORD_HEADER_SIZE ? 0u : (size_t)(in.p[3] << 8 | in.p[4]));
	return outcome;
}

/* A server may answer the hello with something else: then there is no TLS, and nothing is dark. */
static bool answers_otherwise(const struct session *s, enum flow_dir dir)
{
	const struct side *up = &s->sides[DIR_UP];

	return dir == DIR_DOWN && s->has_client && !s->late && !up->hello_lost &&
	       up->epoch == EPOCH_PLAIN;
}

static void on_other_answer(struct session *s, struct tap_at at)
{
	s->flow->failed = true;
	tap_note(s->flow, at, "the server's answer to the ClientHello is not TLS");
	s->sides[DIR_DOWN].state = SIDE_OVER;
	s->moved = true;
}

/* What comes is no record. */
static void refuse(struct session *s, enum flow_dir dir, struct tap_at at)
{
	struct side *side = &s->sides[dir];

	if (side->state == SIDE_START && answers_otherwise(s, dir)) {
		on_other_answer(s, at);
		return;
	}
	if (side->state == SIDE_START) {
		s->late = true;
		session_seek_any(s, dir);
		return;
	}
	tell_dark(s, DARK_MALFORMED, at, "what the %s sends is no longer TLS", session_who(s, dir));
	session_seek_on(s, dir);
}

static bool reads(const struct side *side)
{
	return (side->state == SIDE_START || side->state == SIDE_READ) && !side->waits;
}

/* Records that lie whole in in; the beginning of the next one goes into buffer. */
static size_t read_whole(struct session *s, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	struct side *side = &s->sides[dir];
	struct bytes rest = in;
	struct record r;
	size_t need;

	while (rest.n && reads(side)) {
		enum record_outcome outcome = session_frame(side, dir, rest, &r, &need);

		if (outcome == RECORD_MORE) {
			if (buf_add(&side->buffer, rest, NULL) < 0)
				session_lost(s, dir, rest.n, false);
			return in.n;
		}
		if (outcome != RECORD_DONE) {
			refuse(s, dir, at);
			break;
		}
		enum took took = session_record(s, dir, &r, at);

		side->waits = took == TOOK_WAITS;
		if (took != TOOK_ALL)
			break;
		rest = bytes_slice(rest, r.raw.n, rest.n);
	}
	return in.n - rest.n;
}

/* Adds to buffer what its record lacks; how much of in that was. */
static size_t complete(struct session *s, enum flow_dir dir, struct bytes in, size_t need)
{
	struct side *side = &s->sides[dir];
	struct bytes more = bytes_slice(in, 0, need - side->buffer.n);
	uint8_t *room;

	/* All of it at once; a fault comes again below. */
	(void)!buf_reserve(&side->buffer, need - side->buffer.n, &room, NULL);
	if (buf_add(&side->buffer, more, NULL) < 0)
		session_lost(s, dir, more.n, false);
	return more.n;
}

/* Records at whose front buffer is. */
static size_t read_buffer(struct session *s, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	struct side *side = &s->sides[dir];
	size_t used = 0, need;
	struct record r;

	while (side->buffer.n && reads(side)) {
		enum record_outcome outcome =
			session_frame(side, dir, buf_bytes(&side->buffer), &r, &need);

		if (outcome == RECORD_MORE) {
			if (used == in.n)
				break;
			used += complete(s, dir, bytes_slice(in, used, in.n), need);
			continue;
		}
		if (outcome != RECORD_DONE) {
			refuse(s, dir, at);
			break;
		}
		enum took took = session_record(s, dir, &r, at);

		side->waits = side->buffer_waits = took == TOOK_WAITS;
		if (took != TOOK_ALL)
			break;
		buf_take(&side->buffer, r.raw.n);
	}
	/* Many connections are idle most of the time. */
	buf_shrink(&side->buffer);
	return used;
}

size_t session_read(struct session *s, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	struct side *side = &s->sides[dir];
	struct bytes rest = in;

	side->at = at;
	side->buffer_waits = false;
	for (;;) {
		enum side_state before = side->state;
		size_t n = rest.n;

		if (side->state == SIDE_SEEK)
			n = session_seek(s, dir, rest, at);
		else if (reads(side))
			n = side->buffer.n ? read_buffer(s, dir, rest, at)
					   : read_whole(s, dir, rest, at);
		else
			session_unread(s, dir, n);
		rest = bytes_slice(rest, n, rest.n);
		/* With another state, what is in buffer is looked at in another way. */
		if (side->waits || (rest.n == 0 && side->state == before))
			break;
	}
	return in.n - rest.n;
}
