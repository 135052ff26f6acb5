#include "tap/session_part.h"

#define AHEAD_MAX 8 /* records that may have gone bad before the next good one */

bool session_opens_now(struct session *s, enum flow_dir dir, const struct record *r,
		       struct protect_opened *o)
{
	struct side *side = &s->sides[dir];
	unsigned ahead = side->failed < AHEAD_MAX ? side->failed : AHEAD_MAX;

	for (unsigned i = 0; i <= ahead; i++) {
		if (!protect_open(side->protect, side->seq + i, r, session_room(s), o))
			continue;
		side->seq += i + 1;
		side->failed = 0;
		return true;
	}
	return false;
}

enum keylog_label session_label(const struct session *s, enum flow_dir side, enum epoch epoch)
{
	enum flow_dir dir = session_role(s, side);

	switch (epoch) {
	case EPOCH_EARLY:
		return dir == DIR_UP ? KEYLOG_CLIENT_EARLY_TRAFFIC_SECRET : KEYLOG_NONE;
	case EPOCH_HANDSHAKE:
		return dir == DIR_UP ? KEYLOG_CLIENT_HANDSHAKE_TRAFFIC_SECRET
				     : KEYLOG_SERVER_HANDSHAKE_TRAFFIC_SECRET;
	case EPOCH_TRAFFIC:
		return dir == DIR_UP ? KEYLOG_CLIENT_TRAFFIC_SECRET : KEYLOG_SERVER_TRAFFIC_SECRET;
	default:
		return KEYLOG_NONE;
	}
}

const struct keylog_secret *session_secret(const struct session *s, enum keylog_label label,
					   uint32_t generation, const struct keylog_secret *after)
{
	const struct bytes random = bytes_of(s->client_random, SESSION_RANDOM);
	const struct keylog_secret *k = tap_secret_next(s->flow, random, after);

	while (k &&
	       (k->label != label || (generation != KEYLOG_NEXT && k->generation != generation)))
		k = tap_secret_next(s->flow, random, k);
	return k;
}

/* Those of a table, as long as there is room; how many there are besides is counted. */
static void look(const struct keylog_table *t, enum keylog_label label, struct newest_secrets *out)
{
	const struct keylog_secret *k = NULL;

	if (!t)
		return;
	out->seen += keylog_table_count(t, label);
	while (out->count < ARRAY_LEN(out->ring) && (k = keylog_table_newest(t, label, k))) {
		if (k->key_n == SESSION_RANDOM)
			out->ring[out->count++] = k;
	}
}

void session_newest(const struct session *s, enum keylog_label label, struct newest_secrets *out)
{
	out->seen = out->count = 0;
	look(s->flow->shared->late, label, out);
	look(s->flow->shared->known, label, out);
}

const struct keylog_secret *newest_get(const struct newest_secrets *n, size_t i)
{
	return n->ring[i];
}
