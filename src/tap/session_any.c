#include "tap/session_part.h"

/* The numbers that are tried, so that many secrets get a chance before one gets all of them. */
static const uint32_t rounds[] = { 0, 1u << 6, 1u << 10, 1u << 14, 1u << 20 };
#define RARE_MAX (1u << 14) /* of a rare suite */
#define KEY_TRIALS 64	    /* that to make a key costs as much as */
#define FRESH_MAX 4	    /* after an update of keys numbers begin anew */

/* Suites that a secret of this length can belong to (its length is that of the suite's hash). */
static const struct {
	uint16_t code;
	bool rare;
} suites[] = {
	{ 0x1301, false }, { 0x1303, false }, { 0x1302, false }, { 0x1304, true }, { 0x1305, true },
};

struct any {
	struct session *s;
	enum flow_dir dir;
	struct seq_trial *trial;
};

static bool take(const struct any *a, const struct keylog_secret *k, const struct suite *suite,
		 struct protect *p)
{
	struct session *s = a->s;
	bool handshake = k->label == session_label(s, a->dir, EPOCH_HANDSHAKE);

	if (!handshake && k->label != session_label(s, a->dir, EPOCH_TRAFFIC)) {
		s->swapped = true;
		tap_note(s->flow, s->sides[a->dir].at,
			 "the one taken for the %s is the %s, as its secret says",
			 a->dir == DIR_UP ? "client" : "server", session_who(s, a->dir));
	}
	s->version = 0x0304;
	s->suite = suite;
	s->cipher = suite->code;
	s->has_client = true;
	memcpy(s->client_random, k->key, SESSION_RANDOM);
	session_adopt(s, a->dir, p, handshake ? EPOCH_HANDSHAKE : EPOCH_TRAFFIC);
	s->sides[a->dir].generation = k->generation;
	session_tell_secret(s, k->label, a->dir);
	return true;
}

static bool try_suite(const struct any *a, const struct keylog_secret *k, const struct suite *suite)
{
	struct protect *p;

	if (!suite || digest_size(suite->prf) != k->secret_n ||
	    !tap_spend(a->s->flow, KEY_TRIALS) ||
	    protect_new_13(suite, bytes_of(k->secret, k->secret_n), &p, NULL) < 0)
		return false;
	if (session_try_range(a->s, p, a->trial))
		return take(a, k, suite, p);
	protect_free(p);
	return false;
}

static bool try_secret(const struct any *a, const struct keylog_secret *k)
{
	if (session_is_13(a->s))
		return try_suite(a, k, a->s->suite);
	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		if (suites[i].rare && a->trial->range.first >= RARE_MAX)
			continue;
		if (try_suite(a, k, suite_find(suites[i].code)))
			return true;
	}
	return false;
}

/* All secrets of this connection. */
static bool try_own(const struct any *a, unsigned *count)
{
	const enum epoch epochs[] = { EPOCH_HANDSHAKE, EPOCH_TRAFFIC };

	for (size_t i = 0; i < ARRAY_LEN(epochs); i++) {
		enum keylog_label label = session_label(a->s, a->dir, epochs[i]);
		const struct keylog_secret *k = NULL;

		while ((k = session_secret(a->s, label, KEYLOG_NEXT, k))) {
			++*count;
			if (try_secret(a, k))
				return true;
		}
	}
	return false;
}

static size_t count_own(const struct session *s, enum flow_dir dir)
{
	const struct keylog_secret *k = NULL;
	size_t n = 0;

	while ((k = session_secret(s, session_label(s, dir, EPOCH_TRAFFIC), KEYLOG_NEXT, k)))
		n++;
	return n;
}

static bool try_newest(const struct any *a, const struct newest_secrets *newest, unsigned *count)
{
	for (size_t i = 0; i < newest->count; i++) {
		++*count;
		if (try_secret(a, newest_get(newest, i)))
			return true;
	}
	return false;
}

/* How many keys the secrets stand for, without those of rare suites. */
static uint64_t key_count(const struct session *s, const struct newest_secrets *newest)
{
	uint64_t n = 0;

	for (size_t i = 0; i < newest->count; i++)
		n += newest_get(newest, i)->secret_n == 32 && !session_is_13(s) ? 2 : 1;
	return n ? n : 1;
}

/* The widest round leaves some of what may be spent to the other direction and to what comes later. */
static struct seq_range round_range(struct session *s, struct side *side, size_t round,
				    uint64_t keys)
{
	const uint64_t flow = s->flow->trials_left, all = s->flow->shared->trials_left;
	uint64_t most = (flow < all ? flow : all) / 8 * 5 / keys + 1;
	uint64_t count = rounds[round + 1] - rounds[round];

	side->seek.cut |= most < count;
	return (struct seq_range){
		.first = rounds[round],
		.count = count < most ? count : most,
	};
}

struct choice {
	struct newest_secrets own, handshakes, others;
};

static void choose(const struct session *s, enum flow_dir dir, struct choice *c)
{
	c->own.count = c->own.seen = c->handshakes.count = c->others.count = c->others.seen = 0;
	if (s->has_client)
		return;
	session_newest(s, session_label(s, dir, EPOCH_TRAFFIC), &c->own);
	session_newest(s, session_label(s, dir, EPOCH_HANDSHAKE), &c->handshakes);
	/* Who is the client, only a hello says for sure. */
	if (!s->has_server)
		session_newest(s, session_label(s, dir_other(dir), EPOCH_TRAFFIC), &c->others);
}

/* One round; the number of secrets of the direction into *count. */
static bool try_round(struct any *a, const struct choice *c, size_t round, unsigned *count)
{
	const struct session *s = a->s;
	unsigned more = 0;

	if (s->has_client ? try_own(a, count) : try_newest(a, &c->own, count))
		return true;
	/* A handshake has few records; and a wrong guess at who is who is rare. */
	return (round == 0 && try_newest(a, &c->handshakes, &more)) ||
	       (round + 2 < ARRAY_LEN(rounds) && try_newest(a, &c->others, &more));
}

bool session_try_any(struct session *s, enum flow_dir dir, struct seq_trial *t)
{
	struct side *side = &s->sides[dir];
	struct any a = { .s = s, .dir = dir, .trial = t };
	size_t own = count_own(s, dir), known;
	struct choice c;
	uint64_t keys;

	if (s->version && !session_is_13(s))
		return false;
	choose(s, dir, &c);
	keys = s->has_client ? own + 1 : key_count(s, &c.own);
	known = s->has_client ? SIZE_MAX - own : c.own.seen + c.others.seen + 1;
	if (side->seek.fresh_only) {
		unsigned count = 0;

		t->range = (struct seq_range){ .count = FRESH_MAX };
		return try_round(&a, &c, 0, &count);
	}
	if (side->seek.searched == known)
		return false;
	side->seek.searched = known;
	for (size_t i = 0; i + 1 < ARRAY_LEN(rounds); i++) {
		unsigned count = 0;
		bool found;

		t->range = round_range(s, side, i, keys);
		found = try_round(&a, &c, i, &count);
		side->seek.candidates = count;
		if (found)
			return true;
	}
	return false;
}
