#include "tap/session.h"

#include "base/mem.h"
#include "tap/session_part.h"

#define FAILED_MAX 3 /* records that go bad one after another: then it is searched where to go on */

uint8_t *session_room(struct session *s)
{
	return s->depth == 0 ? s->flow->shared->plain.p : s->own_plain.p;
}

bool session_hello_may_come(const struct session *s, enum flow_dir dir)
{
	const struct side *side = &s->sides[dir];

	if (s->impatient || side->hello_lost || side->epoch != EPOCH_PLAIN)
		return false;
	if (side->tcp_ended)
		return !list_empty(&side->held) || side->buffer_waits;
	return side->state == SIDE_START || side->state == SIDE_READ;
}

bool session_secrets_may_come(const struct session *s)
{
	return s->flow->shared->secrets_may_come && !s->impatient;
}

/* Is this how a direction begins? */
static bool is_beginning(enum flow_dir dir, const struct record *r)
{
	uint8_t first = r->body.n ? r->body.p[0] : 0;

	if (r->type == RECORD_V2_HELLO)
		return dir == DIR_UP;
	if (r->type == RECORD_ALERT)
		return r->body.n == 2;
	if (r->type != RECORD_HANDSHAKE)
		return false;
	return first == (dir == DIR_UP ? HANDSHAKE_CLIENT_HELLO : HANDSHAKE_SERVER_HELLO);
}

static bool is_encrypted(const struct side *side, const struct record *r)
{
	return side->epoch == EPOCH_SESSION || r->type == RECORD_APPLICATION_DATA;
}

static void take_ccs(struct session *s, enum flow_dir dir, const struct record *r, struct tap_at at)
{
	const struct ev_handshake_message m = {
		.content = RECORD_CHANGE_CIPHER_SPEC,
		.bad = r->body.n != 1 || r->body.p[0] != 1,
		.raw = r->body,
	};

	tell_message(s, dir, &m, at);
	/* In TLS 1.3 it is there for middleboxes and means nothing (RFC 8446, D.4). */
	if (s->version && !session_is_13(s))
		session_ccs_12(s, dir, at);
}

/* A record in the clear. */
static enum took take_plain(struct session *s, enum flow_dir dir, const struct record *r,
			    struct tap_at at)
{
	struct side *side = &s->sides[dir];

	/* What a ChangeCipherSpec means, only the server's hello tells. */
	if (dir == DIR_UP && s->has_client && !s->version && r->type != RECORD_ALERT &&
	    session_hello_may_come(s, DIR_DOWN))
		return TOOK_WAITS;
	if (r->type == RECORD_CHANGE_CIPHER_SPEC)
		take_ccs(s, dir, r, at);
	else if (r->type == RECORD_HANDSHAKE && side->epoch == EPOCH_PLAIN)
		session_messages(s, dir, r->body, false, at);
	else if (r->type == RECORD_ALERT)
		session_tell_alert(s, dir, r->body, at);
	return TOOK_ALL;
}

static void refuse_cipher(struct session *s, enum flow_dir dir, struct tap_at at)
{
	char code[NAMES_CODE_MAX];

	tell_dark(s, DARK_CIPHER, at, "the cipher suite %s is not supported",
		  names_or_code(cipher_name(s->cipher), s->cipher, code));
	s->sides[dir].state = SIDE_DARK;
}

static enum took take_encrypted(struct session *s, enum flow_dir dir, const struct record *r,
				struct tap_at at)
{
	struct protect_opened o = { 0 };
	enum took took;

	s->flow->encrypted = true;
	if ((!s->version && session_hello_may_come(s, DIR_DOWN)) ||
	    (!s->has_client && session_hello_may_come(s, DIR_UP)))
		return TOOK_WAITS;
	if (!s->version || !s->has_client) {
		session_seek_any(s, dir);
		return TOOK_AGAIN;
	}
	if (!s->suite) {
		refuse_cipher(s, dir, at);
		return TOOK_ALL;
	}
	took = session_is_13(s) ? session_open_13(s, dir, r, &o) : session_open_12(s, dir, r, &o);
	if (o.type)
		session_opened(s, dir, &o, at);
	return took;
}

enum took session_record(struct session *s, enum flow_dir dir, const struct record *r,
			 struct tap_at at)
{
	struct side *side = &s->sides[dir];

	if (side->state == SIDE_START) {
		if (!is_beginning(dir, r)) {
			s->late = true;
			session_seek_any(s, dir);
			return TOOK_AGAIN;
		}
		side->state = SIDE_READ;
	}
	if (r->type == RECORD_V2_HELLO) {
		if (!session_v2_hello(s, r->body, at))
			side->hello_lost = true;
		return TOOK_ALL;
	}
	if (is_encrypted(side, r))
		return take_encrypted(s, dir, r, at);
	return take_plain(s, dir, r, at);
}

void session_opened(struct session *s, enum flow_dir dir, const struct protect_opened *o,
		    struct tap_at at)
{
	s->dark = false;
	switch (o->type) {
	case RECORD_APPLICATION_DATA:
		tell_application(s, dir, o->plain, at);
		break;
	case RECORD_HANDSHAKE:
		session_messages(s, dir, o->plain, true, at);
		break;
	case RECORD_ALERT:
		session_tell_alert(s, dir, o->plain, at);
		break;
	case RECORD_CHANGE_CIPHER_SPEC: {
		/* Of a renegotiation: under the old keys, and the new ones begin after it. */
		const struct record r = { .type = o->type, .body = o->plain };

		take_ccs(s, dir, &r, at);
		break;
	}
	default:
		break;
	}
}

enum took session_lost_record(struct session *s, enum flow_dir dir, const struct record *r)
{
	struct side *side = &s->sides[dir];

	if (side->failed == FAILED_MAX && !protect_is_chained(side->protect)) {
		session_seek_on(s, dir);
		return TOOK_AGAIN;
	}
	side->failed++;
	side->broken = true;
	inflater_miss(side->inflater);
	buf_clear(&side->messages);
	tell_gap(s, dir, r->raw.n, side->at);
	tap_note(s->flow, side->at, "a record of %zu bytes of the %s does not open", r->raw.n,
		 session_who(s, dir));
	tell_above_gap(s, dir, r->raw.n, side->at);
	return TOOK_ALL;
}

static void side_init(struct side *side)
{
	list_init(&side->held);
	side->buffer = buf_init(SESSION_BUFFER_MAX);
	side->messages = buf_init_secret(SESSION_MESSAGES_MAX);
	side->seek.exact = SIZE_MAX;
}

static void side_fini(struct session *s, struct side *side)
{
	held_fini(s, side);
	buf_fini(&side->buffer);
	buf_fini(&side->messages);
	protect_free(side->protect);
	inflater_free(side->inflater);
}

static void on_feed(struct layer *l, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	struct session *s = LIST_OWNER(l, struct session, layer);
	struct side *side = &s->sides[dir];
	size_t n = 0;

	s->at = at;
	if (!held_must(side))
		n = session_read(s, dir, in, at);
	if (n < in.n)
		held_bytes(s, dir, bytes_slice(in, n, in.n - n), at);
	held_run(s);
}

static void on_gap(struct layer *l, enum flow_dir dir, uint64_t n, bool truncated, struct tap_at at)
{
	struct session *s = LIST_OWNER(l, struct session, layer);

	s->at = at;
	if (held_must(&s->sides[dir]))
		held_gap(s, dir, n, truncated, at);
	else
		session_lost(s, dir, n, truncated);
	held_run(s);
}

/* Both directions are over. */
static void judge(struct session *s)
{
	if (s->has_client && !s->done && !s->flow->dark)
		s->flow->failed = true;
}

void session_end_side(struct session *s, enum flow_dir dir, enum leg_end how, struct tap_at at)
{
	struct side *side = &s->sides[dir];

	if (side->state == SIDE_SEEK)
		session_seek_end(s, dir, at);
	else if (side->failed && !side->protect && side->state == SIDE_READ)
		session_end_13(s, dir, at);
	/* Who was told that the other has nothing more to say may just hang up: nothing is lost by it. */
	if (!side->closed && !s->sides[dir_other(dir)].closed && how == END_CLEAN)
		how = END_TRUNCATED;
	if (side->state == SIDE_READ && side->epoch != EPOCH_PLAIN && how == END_TRUNCATED)
		s->flow->truncated = true;
	side->state = SIDE_OVER;
	buf_fini(&side->buffer);
	buf_fini(&side->messages);
	tell_above_end(s, dir, how, at);
	s->moved = true;
	if (s->sides[dir_other(dir)].tcp_ended && s->sides[dir_other(dir)].state == SIDE_OVER)
		judge(s);
}

static void on_end(struct layer *l, enum flow_dir dir, enum leg_end how, struct tap_at at)
{
	struct session *s = LIST_OWNER(l, struct session, layer);

	s->at = at;
	s->sides[dir].tcp_ended = true;
	s->moved = true;
	if (s->sides[dir_other(dir)].tcp_ended)
		s->impatient = true;
	if (held_must(&s->sides[dir]))
		held_end(s, dir, how, at);
	else
		session_end_side(s, dir, how, at);
	held_run(s);
}

static void on_secrets(struct layer *l, struct tap_at at)
{
	struct session *s = LIST_OWNER(l, struct session, layer);

	s->at = at;
	for (int dir = 0; dir < 2; dir++)
		session_revive(s, (enum flow_dir)dir);
	s->moved = true;
	held_run(s);
	if (s->above)
		layer_secrets(s->above, at);
}

static void on_free(struct layer *l)
{
	struct session *s = LIST_OWNER(l, struct session, layer);

	layer_free(s->above);
	for (int dir = 0; dir < 2; dir++)
		side_fini(s, &s->sides[dir]);
	session_12_free(s->old);
	buf_fini(&s->own_plain);
	mem_free(s);
}

static const struct layer_ops ops = {
	.feed = on_feed,
	.gap = on_gap,
	.end = on_end,
	.secrets = on_secrets,
	.free = on_free,
};

int session_new(const struct session_options *o, struct layer **out, struct err *e)
{
	struct session *s = mem_new(sizeof(*s));
	uint8_t *room;

	if (!s)
		return FAIL(e, NOMEM, "a TLS session");
	s->layer.ops = &ops;
	s->flow = o->flow;
	s->depth = o->depth;
	s->make_above = o->above;
	s->ctx = o->ctx;
	for (int dir = 0; dir < 2; dir++)
		side_init(&s->sides[dir]);
	/* The shared room holds what the session below has opened. */
	s->own_plain = buf_init_secret(SESSION_PLAIN_MAX);
	if (o->depth && buf_reserve(&s->own_plain, SESSION_PLAIN_MAX, &room, e) < 0) {
		on_free(&s->layer);
		return -1;
	}
	*out = &s->layer;
	return 0;
}
