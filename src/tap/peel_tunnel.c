#include "base/rd.h"
#include "tap/peel_part.h"
#include "wire/socks.h"

enum { SOCKS5 = 5, SOCKS4_GRANTED = 90 };

static enum socks_outcome done(struct socks_talk *s, enum socks_step next)
{
	s->step = next;
	return SOCKS_DONE;
}

static enum socks_outcome take_greeting(struct socks_talk *s, struct bytes in, size_t *used)
{
	struct socks_greeting greeting;
	enum socks_outcome outcome = socks_greeting_parse(in, &greeting, used, NULL);

	return outcome == SOCKS_DONE ? done(s, SOCKS_STEP_METHOD) : outcome;
}

static enum socks_outcome take_method(struct socks_talk *s, struct bytes in, size_t *used)
{
	bool more = false;
	struct rd r = rd_init(in, &more);
	uint8_t version = rd_u8(&r), method = rd_u8(&r);

	if (more)
		return SOCKS_MORE;
	*used = 2;
	if (version == SOCKS5 && method == SOCKS_NO_AUTH)
		return done(s, SOCKS_STEP_REQUEST);
	if (version == SOCKS5 && method == SOCKS_PASSWORD)
		return done(s, SOCKS_STEP_LOGIN);
	return SOCKS_BAD;
}

static enum socks_outcome take_login(struct socks_talk *s, struct bytes in, size_t *used)
{
	struct socks_password password;
	enum socks_outcome outcome = socks_password_parse(in, &password, used, NULL);

	return outcome == SOCKS_DONE ? done(s, SOCKS_STEP_STATUS) : outcome;
}

static enum socks_outcome take_status(struct socks_talk *s, struct bytes in, size_t *used)
{
	if (in.n < 2)
		return SOCKS_MORE;
	*used = 2;
	return in.p[1] == 0 ? done(s, SOCKS_STEP_REQUEST) : SOCKS_BAD;
}

static enum socks_outcome take_request(struct socks_talk *s, struct bytes in, size_t *used)
{
	struct socks_request request;
	enum socks_reply reply;
	enum socks_outcome outcome = socks_request_parse(in, &request, used, &reply, NULL);

	if (outcome != SOCKS_DONE)
		return outcome;
	if (request.command != SOCKS_CONNECT)
		return SOCKS_BAD;
	s->target = request.host;
	return done(s, SOCKS_STEP_REPLY);
}

/* RFC 1928, 6. */
static enum socks_outcome take_reply(struct socks_talk *s, struct bytes in, size_t *used)
{
	bool more = false;
	struct rd r = rd_init(in, &more);
	uint8_t version = rd_u8(&r), reply = rd_u8(&r), type;

	rd_skip(&r, 1);
	type = rd_u8(&r);
	if (!more && (version != SOCKS5 || reply != SOCKS_SUCCEEDED))
		return SOCKS_BAD;
	rd_skip(&r, type == 1 ? 4 : type == 4 ? 16 : rd_u8(&r));
	rd_skip(&r, 2);
	if (more)
		return SOCKS_MORE;
	*used = in.n - r.n;
	return done(s, SOCKS_STEP_DONE);
}

/* Up to a NUL. */
static struct bytes take_string(struct rd *r)
{
	struct bytes text = rd_take(r, bytes_index(rd_rest(r), 0));

	rd_skip(r, 1);
	return text;
}

/* Version, command, port, address, user name; where the address is 0.0.0.x, a host name (4a). */
static enum socks_outcome take_request4(struct socks_talk *s, struct bytes in, size_t *used)
{
	bool more = false;
	struct rd r = rd_init(in, &more);
	struct host *host = &s->target;
	uint16_t port;
	uint32_t ip;
	struct bytes name = { 0 };
	bool named;

	rd_skip(&r, 2);
	port = rd_u16(&r);
	ip = rd_u32(&r);
	named = ip && ip < 256;
	(void)take_string(&r);
	if (named)
		name = take_string(&r);
	if (more)
		return SOCKS_MORE;
	*host = (struct host){ .kind = HOST_ADDR, .addr = { ADDR_IP4 }, .port = port };
	host->addr.port = port;
	memcpy(host->addr.ip, in.p + 4, 4);
	if (named && host_parse(name, port, host, NULL) < 0)
		return SOCKS_BAD;
	*used = in.n - r.n;
	return done(s, SOCKS_STEP_REPLY4);
}

static enum socks_outcome take_reply4(struct socks_talk *s, struct bytes in, size_t *used)
{
	if (in.n < SOCKS4_REPLY_SIZE)
		return SOCKS_MORE;
	*used = SOCKS4_REPLY_SIZE;
	return in.p[0] == 0 && in.p[1] == SOCKS4_GRANTED ? done(s, SOCKS_STEP_DONE) : SOCKS_BAD;
}

/* Who speaks in a step, and what. */
static const struct {
	enum flow_dir dir;
	enum socks_outcome (*take)(struct socks_talk *s, struct bytes in, size_t *used);
} steps[] = {
	[SOCKS_STEP_GREETING] = { DIR_UP, take_greeting },
	[SOCKS_STEP_METHOD] = { DIR_DOWN, take_method },
	[SOCKS_STEP_LOGIN] = { DIR_UP, take_login },
	[SOCKS_STEP_STATUS] = { DIR_DOWN, take_status },
	[SOCKS_STEP_REQUEST] = { DIR_UP, take_request },
	[SOCKS_STEP_REPLY] = { DIR_DOWN, take_reply },
	[SOCKS_STEP_REQUEST4] = { DIR_UP, take_request4 },
	[SOCKS_STEP_REPLY4] = { DIR_DOWN, take_reply4 },
};

enum socks_talk_outcome socks_talk_run(struct socks_talk *s, const struct bytes held[2])
{
	while (s->step != SOCKS_STEP_DONE) {
		enum flow_dir dir = steps[s->step].dir;
		struct bytes in = bytes_slice(held[dir], s->used[dir], held[dir].n);
		size_t used = 0;

		/* Its first byte tells the version. */
		if (s->step == SOCKS_STEP_GREETING && in.n && in.p[0] != SOCKS5)
			s->step = SOCKS_STEP_REQUEST4;
		switch (steps[s->step].take(s, in, &used)) {
		case SOCKS_MORE:
			return SOCKS_TALK_MORE;
		case SOCKS_BAD:
			return SOCKS_TALK_OTHER;
		case SOCKS_DONE:
			s->used[dir] += used;
			break;
		}
	}
	return SOCKS_TALK_DONE;
}
