#include "base/rd.h"
#include "tap/peel_part.h"
#include "wire/handshake.h"
#include "wire/proxyproto.h"
#include "wire/record.h"
#include "wire/sniff.h"

/* Of two judgements over the same bytes: what one is sure of holds. */
static enum peel_look surer(enum peel_look a, enum peel_look b)
{
	return a == LOOK_TLS || b == LOOK_PLAIN ? a : b;
}

/* A record's header. Heartbeats and odd minor versions are nobody's first record. */
static enum peel_look look_header(struct bytes in, uint8_t *type, size_t *length)
{
	bool bad = false;
	struct rd r = rd_init(in, &bad);

	*type = rd_u8(&r);
	if (*type < RECORD_CHANGE_CIPHER_SPEC || *type > RECORD_APPLICATION_DATA)
		return LOOK_PLAIN;
	if (rd_u8(&r) != 3 && !bad)
		return LOOK_PLAIN;
	if (rd_u8(&r) > 4)
		return LOOK_PLAIN;
	*length = rd_u16(&r);
	if (bad)
		return LOOK_MORE;
	return *length > 0 && *length <= RECORD_CIPHER_MAX_12 ? LOOK_TLS : LOOK_PLAIN;
}

enum peel_look peel_look_hello(struct bytes in)
{
	bool bad = false;
	struct rd r = rd_init(bytes_slice(in, RECORD_HEADER_SIZE, in.n), &bad);
	uint8_t type;
	size_t length = 0, message;
	enum peel_look looks = in.n ? look_header(in, &type, &length) : LOOK_MORE;

	if (looks == LOOK_PLAIN || (in.n && type != RECORD_HANDSHAKE))
		return LOOK_PLAIN;
	if (looks == LOOK_MORE || r.n == 0)
		return LOOK_MORE;
	if (rd_u8(&r) != HANDSHAKE_CLIENT_HELLO)
		return LOOK_PLAIN;
	message = rd_u24(&r) + (size_t)HANDSHAKE_HEADER_SIZE;
	if (!bad && (message < length || message > PEEL_HELD_MAX))
		return LOOK_PLAIN;
	if (rd_u8(&r) != 3 && !bad)
		return LOOK_PLAIN;
	return bad ? LOOK_MORE : LOOK_TLS;
}

/* The first record of a connection: a hello of this side, or an alert instead of one. */
static enum peel_look look_first_record(enum flow_dir dir, struct bytes in)
{
	uint8_t type, hello = dir == DIR_UP ? HANDSHAKE_CLIENT_HELLO : HANDSHAKE_SERVER_HELLO;
	size_t length = 0;
	enum peel_look looks = look_header(in, &type, &length);
	bool bad = false;
	struct rd r = rd_init(bytes_slice(in, RECORD_HEADER_SIZE, in.n), &bad);

	if (looks == LOOK_PLAIN || (type != RECORD_HANDSHAKE && type != RECORD_ALERT))
		return LOOK_PLAIN;
	if (looks == LOOK_MORE || r.n == 0)
		return LOOK_MORE;
	if (type == RECORD_HANDSHAKE)
		return rd_u8(&r) == hello ? LOOK_TLS : LOOK_PLAIN;
	if (length != 2 || rd_u8(&r) - 1u > 1)
		return LOOK_PLAIN;
	return LOOK_TLS;
}

/* A ClientHello in SSLv2's format whose lengths agree (RFC 5246, E.2). */
static enum peel_look look_v2_hello(struct bytes in)
{
	bool bad = false;
	struct rd r = rd_init(in, &bad);
	size_t length = rd_u16(&r) & 0x7fff, suites, id, challenge;

	if (!(in.p[0] & 0x80))
		return LOOK_PLAIN;
	if (sniff_first(bytes_slice(in, 0, 5)) == SNIFF_MORE)
		return LOOK_MORE;
	if (sniff_first(bytes_slice(in, 0, 5)) != SNIFF_SSLV2_HELLO)
		return LOOK_PLAIN;
	rd_skip(&r, 3); /* type and version */
	suites = rd_u16(&r);
	id = rd_u16(&r);
	challenge = rd_u16(&r);
	if (bad)
		return LOOK_MORE;
	if (suites == 0 || suites % 3 || (id && id != 16) || challenge < 16 || challenge > 32)
		return LOOK_PLAIN;
	return length == 9 + suites + id + challenge ? LOOK_TLS : LOOK_PLAIN;
}

static enum peel_look look_tls(enum flow_dir dir, struct bytes in)
{
	enum peel_look looks = look_first_record(dir, in);

	return dir == DIR_UP ? surer(looks, look_v2_hello(in)) : looks;
}

/* Records one after another: a header where the one before says, or the end just there. */
static enum peel_look look_chain(struct bytes in)
{
	uint8_t type;
	size_t length = 0;
	enum peel_look looks = look_header(in, &type, &length);

	if (looks != LOOK_TLS || RECORD_HEADER_SIZE + length == in.n)
		return looks;
	if (RECORD_HEADER_SIZE + length > in.n)
		return LOOK_MORE;
	in = bytes_slice(in, RECORD_HEADER_SIZE + length, in.n);
	return look_header(in, &type, &length);
}

static bool is_text(struct bytes in)
{
	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] != '\r' && in.p[i] != '\n' && in.p[i] != '\t' &&
		    (in.p[i] < 0x20 || in.p[i] > 0x7e))
			return false;
	return true;
}

/* The first place where records are chained. */
static size_t find_chain(struct bytes in)
{
	for (size_t i = 0; i < in.n; i++) {
		i += bytes_index(bytes_slice(in, i + 1, in.n), 3);
		if (look_chain(bytes_slice(in, i, in.n)) == LOOK_TLS)
			return i;
	}
	return in.n;
}

/* In the middle of something. */
static enum peel_look look_late(const struct peel_first *first, struct bytes in, size_t *skip)
{
	enum peel_look looks = surer(look_tls(first->dir, in), look_chain(in));

	if (looks == LOOK_TLS)
		return LOOK_TLS;
	if (is_text(bytes_slice(in, 0, 16)))
		return LOOK_PLAIN;
	if (!first->outer)
		return looks;
	*skip = find_chain(in);
	if (*skip < in.n)
		return LOOK_TLS;
	*skip = 0;
	return in.n < PEEL_HELD_MAX ? LOOK_MORE : LOOK_PLAIN;
}

/* What may come before anything else, from the client. */
static enum peel_look look_wrapping(struct bytes in)
{
	struct proxyproto header;
	size_t used;

	switch (proxyproto_parse(in, &header, &used, NULL)) {
	case PROXYPROTO_MORE:
		return LOOK_MORE;
	case PROXYPROTO_DONE:
		return LOOK_PROXY;
	default:
		break;
	}
	switch (sniff_first(in)) {
	case SNIFF_SOCKS4:
		return LOOK_SOCKS;
	case SNIFF_SOCKS5:
		/* Some methods, and as a rule few. */
		return in.n < 2 ? LOOK_MORE : in.p[1] - 1u < 8 ? LOOK_SOCKS : LOOK_PLAIN;
	case SNIFF_MORE:
		return in.p[0] == 4 ? LOOK_MORE : LOOK_PLAIN;
	default:
		return LOOK_PLAIN;
	}
}

enum peel_look peel_look(const struct peel_first *first, struct bytes in, size_t *skip)
{
	enum peel_look looks = LOOK_PLAIN;

	*skip = 0;
	if (in.n == 0)
		return LOOK_MORE;
	if (first->tls)
		looks = first->late ? look_late(first, in, skip) : look_tls(first->dir, in);
	if (looks == LOOK_TLS || first->dir == DIR_DOWN || first->late || !first->wrapped)
		return looks;
	return surer(look_wrapping(in), looks);
}
