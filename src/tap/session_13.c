#include "tap/session_part.h"

#define FAILED_MAX 1024 /* records that did not open before a direction is given up */

static bool has_secret(const struct session *s, enum flow_dir dir, enum epoch epoch)
{
	return session_secret(s, session_label(s, dir, epoch), 0, NULL) != NULL;
}

void session_adopt(struct session *s, enum flow_dir dir, struct protect *p, enum epoch epoch)
{
	struct side *side = &s->sides[dir];

	protect_free(side->protect);
	side->protect = p;
	side->epoch = epoch;
	side->generation = 0;
	side->failed = 0;
	s->moved = true;
}

/* Does the record open with this secret, as the first under its key? Then that is the key. */
static bool opens_with(struct session *s, enum flow_dir dir, const struct keylog_secret *k,
		       const struct record *r, struct protect_opened *o)
{
	struct protect *p;

	if (!tap_spend(s->flow, 1) ||
	    protect_new_13(s->suite, bytes_of(k->secret, k->secret_n), &p, NULL) < 0)
		return false;
	if (!protect_open(p, 0, r, session_room(s), o)) {
		protect_free(p);
		return false;
	}
	session_adopt(s, dir, p, s->sides[dir].epoch);
	s->sides[dir].seq = 1;
	session_tell_secret(s, k->label, dir);
	return true;
}

/* Conflicting lines of a key log: whichever fits. */
static bool opens_in(struct session *s, enum flow_dir dir, enum epoch epoch, const struct record *r,
		     struct protect_opened *o)
{
	enum keylog_label label = session_label(s, dir, epoch);
	const struct keylog_secret *k = NULL;

	while ((k = session_secret(s, label, 0, k))) {
		if (opens_with(s, dir, k, r, o)) {
			s->sides[dir].epoch = epoch;
			return true;
		}
	}
	return false;
}

/* A key was logged for the generation that should come, and differs from the derived one. */
static bool opens_in_generation(struct session *s, enum flow_dir dir, const struct record *r,
				struct protect_opened *o)
{
	struct side *side = &s->sides[dir];
	uint32_t generation = side->generation;
	const struct keylog_secret *k = NULL;

	if (side->epoch != EPOCH_TRAFFIC || side->seq != 0 || generation == 0)
		return false;
	while ((k = session_secret(s, session_label(s, dir, EPOCH_TRAFFIC), generation, k))) {
		if (opens_with(s, dir, k, r, o)) {
			side->generation = generation;
			return true;
		}
	}
	return false;
}

/* The record that told of new keys may have been one that went bad. */
static bool opens_after_update(struct session *s, enum flow_dir dir, const struct record *r,
			       struct protect_opened *o)
{
	struct side *side = &s->sides[dir];
	uint32_t generation = side->generation + 1;
	struct protect *next;

	if (side->epoch != EPOCH_TRAFFIC || side->failed == 0 || !tap_spend(s->flow, 1) ||
	    protect_next_13(side->protect, &next, NULL) < 0)
		return false;
	if (!protect_open(next, 0, r, session_room(s), o)) {
		protect_free(next);
		return false;
	}
	session_adopt(s, dir, next, EPOCH_TRAFFIC);
	side->generation = generation;
	side->seq = 1;
	return true;
}

/* With ECH the secrets are logged under a client random that is not on the wire (RFC 9850, 2.2):
 * any server's handshake secret that opens its first record shows which. */
static bool find_inner_random(struct session *s, const struct record *r, struct protect_opened *o)
{
	struct newest_secrets newest;

	s->ech_tried = true;
	s->moved = true;
	session_newest(s, KEYLOG_SERVER_HANDSHAKE_TRAFFIC_SECRET, &newest);
	for (size_t i = 0; i < newest.count; i++) {
		const struct keylog_secret *k = newest_get(&newest, i);

		if (!opens_with(s, DIR_DOWN, k, r, o))
			continue;
		memcpy(s->client_random, k->key, SESSION_RANDOM);
		return true;
	}
	return false;
}

/* No secret of this direction is known. */
static enum took without_secret(struct session *s, enum flow_dir dir, const struct record *r,
				struct protect_opened *o)
{
	struct side *side = &s->sides[dir];
	const char *who = session_who(s, dir);
	char random[RANDOM_TEXT];

	if (s->ech && !s->ech_tried && dir == DIR_DOWN && side->epoch == EPOCH_HANDSHAKE &&
	    find_inner_random(s, r, o))
		return TOOK_ALL;
	if (s->ech && !s->ech_tried && dir == DIR_UP && !s->impatient &&
	    s->sides[DIR_DOWN].state == SIDE_READ && !s->sides[DIR_DOWN].tcp_ended)
		return TOOK_WAITS;
	if (session_secrets_may_come(s))
		return TOOK_WAITS;
	if (has_secret(s, dir_other(dir), EPOCH_HANDSHAKE) ||
	    has_secret(s, dir_other(dir), EPOCH_TRAFFIC))
		tell_dark(s, DARK_NO_SECRET, side->at,
			  "no secret of the %s for client random %s, only the other side's", who,
			  random_text(s, random));
	else
		tell_dark(s, DARK_NO_SECRET, side->at, "no secret for client random %s",
			  random_text(s, random));
	session_darken(s, dir, r->raw.n);
	return TOOK_ALL;
}

/* There are secrets, and none of them opens this record. */
static enum took not_opened(struct session *s, enum flow_dir dir, const struct record *r)
{
	struct side *side = &s->sides[dir];
	bool mine = has_secret(s, dir, side->epoch);

	if (side->epoch == EPOCH_EARLY) {
		s->early_lost += r->raw.n;
		return TOOK_ALL;
	}
	/* The secret of a handshake is logged before that of the traffic: without it, the latter
	 * is all there will be. */
	if (mine && session_secrets_may_come(s))
		return TOOK_WAITS;
	side->failed++;
	if ((mine && side->epoch == EPOCH_TRAFFIC) || side->failed > FAILED_MAX ||
	    !has_secret(s, dir, EPOCH_TRAFFIC)) {
		session_end_13(s, dir, side->at);
		session_darken(s, dir, r->raw.n);
	}
	return TOOK_ALL;
}

void session_end_13(struct session *s, enum flow_dir dir, struct tap_at at)
{
	enum epoch epoch = s->sides[dir].epoch;
	char random[RANDOM_TEXT];

	if (!has_secret(s, dir, epoch))
		epoch = EPOCH_TRAFFIC;
	tell_dark(s, DARK_TAG, at, "the %s for client random %s opens no record",
		  keylog_label_name(session_label(s, dir, epoch)), random_text(s, random));
}

/* Early data is for the layer above only when the server took it; that stands in its extensions. */
static bool early_is_open(const struct session *s)
{
	const struct side *down = &s->sides[DIR_DOWN];

	if (s->early_known || s->impatient || down->state != SIDE_READ)
		return false;
	return down->epoch <= EPOCH_HANDSHAKE && !down->finished && !down->tcp_ended &&
	       (has_secret(s, DIR_DOWN, EPOCH_HANDSHAKE) || session_secrets_may_come(s));
}

static void begin_encryption(struct session *s, enum flow_dir dir)
{
	struct side *side = &s->sides[dir];

	side->epoch =
		dir == DIR_UP && s->early_offered && !s->retry ? EPOCH_EARLY : EPOCH_HANDSHAKE;
	side->seq = 0;
	buf_clear(&side->messages);
}

enum took session_open_13(struct session *s, enum flow_dir dir, const struct record *r,
			  struct protect_opened *o)
{
	struct side *side = &s->sides[dir];
	bool any = false;

	if (side->protect &&
	    (session_opens_now(s, dir, r, o) || opens_in_generation(s, dir, r, o) ||
	     opens_after_update(s, dir, r, o))) {
		side->last_size = r->raw.n;
		return TOOK_ALL;
	}
	if (side->epoch == EPOCH_PLAIN) {
		/* Early data that the server sent back to the start with a HelloRetryRequest. */
		if (dir == DIR_UP && s->retry && s->early_offered && !s->retried)
			return TOOK_ALL;
		begin_encryption(s, dir);
	}
	if (side->epoch == EPOCH_EARLY && early_is_open(s) &&
	    (has_secret(s, dir, EPOCH_EARLY) || session_secrets_may_come(s)))
		return TOOK_WAITS;
	for (int epoch = (int)side->epoch + !!side->protect; epoch <= EPOCH_TRAFFIC; epoch++) {
		if (!opens_in(s, dir, (enum epoch)epoch, r, o)) {
			any |= has_secret(s, dir, (enum epoch)epoch);
			continue;
		}
		side->last_size = r->raw.n;
		return TOOK_ALL;
	}
	if (side->protect && side->epoch != EPOCH_EARLY)
		return session_lost_record(s, dir, r);
	return any ? not_opened(s, dir, r) : without_secret(s, dir, r, o);
}

void session_key_update(struct session *s, enum flow_dir dir)
{
	struct side *side = &s->sides[dir];
	struct protect *next;

	if (!side->protect || side->epoch != EPOCH_TRAFFIC ||
	    protect_next_13(side->protect, &next, NULL) < 0)
		return;
	protect_free(side->protect);
	side->protect = next;
	side->generation++;
	side->seq = 0;
}

/* The next key is chosen by the next record. */
static void next_epoch(struct session *s, enum flow_dir dir, enum epoch epoch)
{
	struct side *side = &s->sides[dir];

	protect_free(side->protect);
	side->protect = NULL;
	side->epoch = epoch;
	side->seq = 0;
	side->failed = 0;
	s->moved = true;
}

void session_early_end(struct session *s)
{
	if (s->sides[DIR_UP].epoch == EPOCH_EARLY)
		next_epoch(s, DIR_UP, EPOCH_HANDSHAKE);
}

void session_finished_13(struct session *s, enum flow_dir dir)
{
	char random[RANDOM_TEXT];

	if (dir == DIR_UP && s->early_accepted && s->early_lost) {
		tell_dark(
			s, DARK_NO_SECRET, s->sides[dir].at,
			"no CLIENT_EARLY_TRAFFIC_SECRET that fits for client random %s: %llu bytes "
			"of early data",
			random_text(s, random), (unsigned long long)s->early_lost);
		s->early_lost = 0;
	}
	/* A client that authenticates later finishes under its traffic key (RFC 8446, 4.6.2). */
	if (s->sides[dir].epoch == EPOCH_HANDSHAKE)
		next_epoch(s, dir, EPOCH_TRAFFIC);
}
