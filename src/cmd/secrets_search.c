#include "cmd/secrets_search.h"

#include "base/buf.h"
#include "base/cache.h"
#include "base/mem.h"
#include "base/rd.h"
#include "wire/handshake.h"
#include "wire/record.h"

#define RANDOM_SIZE 32
#define PRE_MASTER_KEY_SIZE 8 /* as key logs have it */
/* The farthest that anything of interest ends: record and message header of DTLS, a hello's version
 * and random, a session id. */
#define REACH (13 + 12 + 2 + RANDOM_SIZE + 1 + 32)

struct secrets_search {
	struct secrets_sink sink;
	struct cache *parts; /* of streams that ended where a message may have begun: struct part */
};

struct part {
	size_t n;
	uint8_t b[REACH];
};

int secrets_search_new(const struct secrets_sink *sink, struct secrets_search **out, struct err *e)
{
	struct cache_options options = { .max_entries = SECRETS_STREAMS_MAX,
					 .free_value = mem_free };
	struct secrets_search *s = mem_new(sizeof(*s));

	if (!s)
		return FAIL(e, NOMEM, "a search for secrets");
	s->sink = *sink;
	if (cache_new(&options, &s->parts, e) < 0) {
		mem_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void secrets_search_free(struct secrets_search *s)
{
	if (!s)
		return;
	cache_free(s->parts);
	mem_free(s);
}

/* Steps over the headers of a record and of the message that it begins with; *type is the latter's.
 * False when this is no handshake message. */
static bool take_headers(struct rd *r, uint8_t *type)
{
	uint8_t major, minor;
	bool datagram;

	if (rd_u8(r) != RECORD_HANDSHAKE)
		return false;
	major = rd_u8(r);
	minor = rd_u8(r);
	datagram = major == 0xfe;
	if (datagram ? minor < 0xfc : major != 3 || minor > 4)
		return false;
	rd_skip(r, datagram ? 10 : 2); /* epoch and sequence number; length */
	*type = rd_u8(r);
	rd_skip(r, datagram ? 3 + 8 : 3); /* length; number and place of the fragment */
	return !*r->bad;
}

static void found(struct secrets_search *s, enum secrets_key kind, struct bytes key)
{
	if (key.n)
		s->sink.found(s->sink.ctx, kind, key);
}

static void take_hello(struct secrets_search *s, struct rd *r, bool client)
{
	uint8_t major = rd_u8(r);
	struct bytes random, id;
	struct rd list;

	rd_skip(r, 1);
	if (*r->bad || (major != 3 && major != 0xfe))
		return;
	random = rd_take(r, RANDOM_SIZE);
	if (client)
		found(s, SECRETS_CLIENT_RANDOM, random);
	list = rd_vec8(r);
	id = rd_rest(&list);
	if (!*r->bad && id.n <= 32)
		found(s, SECRETS_SESSION_ID, id);
}

/* SSL 3.0 has no length before it, TLS has: both are offered. */
static void take_pre_master(struct secrets_search *s, struct rd *r)
{
	struct bytes b = rd_take(r, 2 + PRE_MASTER_KEY_SIZE);

	found(s, SECRETS_PRE_MASTER, bytes_slice(b, 0, PRE_MASTER_KEY_SIZE));
	found(s, SECRETS_PRE_MASTER, bytes_slice(b, 2, PRE_MASTER_KEY_SIZE));
}

/* What begins here. False when that cannot be said before more bytes come. */
static bool look(struct secrets_search *s, struct bytes in)
{
	bool bad = false;
	struct rd r = rd_init(in, &bad);
	uint8_t type;

	if (!take_headers(&r, &type))
		return !bad;
	switch (type) {
	case HANDSHAKE_CLIENT_HELLO:
	case HANDSHAKE_SERVER_HELLO:
		take_hello(s, &r, type == HANDSHAKE_CLIENT_HELLO);
		break;
	case HANDSHAKE_CLIENT_KEY_EXCHANGE:
		take_pre_master(s, &r);
		break;
	}
	return !bad;
}

/* The position where something begins that more bytes would complete; in.n: there is none. */
static size_t search(struct secrets_search *s, struct bytes in)
{
	for (size_t at = 0; at < in.n; at++) {
		struct bytes rest = bytes_slice(in, at, in.n);
		const uint8_t *next = memchr(rest.p, RECORD_HANDSHAKE, rest.n);

		if (!next)
			break;
		at = (size_t)(next - in.p);
		if (!look(s, bytes_slice(in, at, REACH)))
			return at;
	}
	return in.n;
}

/* Remembers the end of a stream, where something may have begun. */
static int keep(struct secrets_search *s, uint64_t stream, struct bytes b, struct err *e)
{
	struct bytes key = bytes_of(&stream, sizeof(stream));
	struct part *p;

	b = bytes_slice(b, 0, REACH);
	if (b.n == 0)
		return 0;
	p = mem_new(sizeof(*p));
	if (!p)
		return FAIL(e, NOMEM, "a search for secrets");
	memcpy(p->b, b.p, b.n);
	p->n = b.n;
	return cache_put(s->parts, key, p, 0, e);
}

int secrets_search_feed(struct secrets_search *s, uint64_t stream, struct bytes in, struct err *e)
{
	struct part *before = NULL;
	size_t at;

	if (cache_count(s->parts))
		before = cache_take(s->parts, bytes_of(&stream, sizeof(stream)), 0);
	if (before) {
		uint8_t room[2 * REACH];
		size_t more = in.n < REACH ? in.n : REACH;
		struct bytes joined = bytes_of(room, before->n + more);

		memcpy(room, before->b, before->n);
		if (more)
			memcpy(room + before->n, in.p, more);
		mem_free(before);
		at = search(s, joined);
		if (more == in.n)
			return keep(s, stream, bytes_slice(joined, at, joined.n), e);
		/* What began before is complete now. */
	}
	at = search(s, in);
	return keep(s, stream, bytes_slice(in, at, in.n), e);
}
