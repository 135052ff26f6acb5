#include "tap/session_part.h"

/* The numbers that are tried, so that many secrets get a chance before one gets all of them. */
static const uint32_t rounds[] = { 0, 1u << 6, 1u << 10, 1u << 14, 1u << 20 };

/* Suites that a secret of this length can belong to (its length is that of the suite's hash). */
static const uint16_t suites[] = { 0x1301, 0x1303, 0x1302, 0x1304, 0x1305 };

struct any {
	struct session *s;
	enum flow_dir dir;
	struct seq_trial *trial;
};

static bool take(const struct any *a, const struct keylog_secret *k, const struct suite *suite,
		 struct protect *p)
{
	struct session *s = a->s;
	bool traffic = k->label == session_label(a->dir, EPOCH_TRAFFIC);

	s->version = 0x0304;
	s->suite = suite;
	s->cipher = suite->code;
	s->has_client = true;
	memcpy(s->client_random, k->key, SESSION_RANDOM);
	session_adopt(s, a->dir, p, traffic ? EPOCH_TRAFFIC : EPOCH_HANDSHAKE);
	s->sides[a->dir].generation = k->generation;
	session_tell_secret(s, k->label, a->dir);
	return true;
}

static bool try_suite(const struct any *a, const struct keylog_secret *k, const struct suite *suite)
{
	struct protect *p;

	if (!suite || digest_size(suite->prf) != k->secret_n ||
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
	for (size_t i = 0; i < ARRAY_LEN(suites); i++)
		if (try_suite(a, k, suite_find(suites[i])))
			return true;
	return false;
}

/* All secrets of this connection. */
static bool try_own(const struct any *a, unsigned *count)
{
	const enum epoch epochs[] = { EPOCH_HANDSHAKE, EPOCH_TRAFFIC };

	for (size_t i = 0; i < ARRAY_LEN(epochs); i++) {
		enum keylog_label label = session_label(a->dir, epochs[i]);
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

	while ((k = session_secret(s, session_label(dir, EPOCH_TRAFFIC), KEYLOG_NEXT, k)))
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

bool session_try_any(struct session *s, enum flow_dir dir, struct seq_trial *t)
{
	struct side *side = &s->sides[dir];
	struct any a = { .s = s, .dir = dir, .trial = t };
	struct newest_secrets newest, handshakes;
	size_t known;

	newest.count = newest.seen = handshakes.count = 0;
	if (s->version && !session_is_13(s))
		return false;
	if (!s->has_client) {
		session_newest(s, session_label(dir, EPOCH_TRAFFIC), &newest);
		session_newest(s, session_label(dir, EPOCH_HANDSHAKE), &handshakes);
	}
	known = s->has_client ? SIZE_MAX - count_own(s, dir) : newest.seen + 1;
	if (side->seek.searched == known)
		return false;
	side->seek.searched = known;
	for (size_t i = 0; i + 1 < ARRAY_LEN(rounds); i++) {
		unsigned count = 0;
		bool found;

		t->range = (struct seq_range){ .first = rounds[i],
					       .count = rounds[i + 1] - rounds[i] };
		found = s->has_client ? try_own(&a, &count) : try_newest(&a, &newest, &count);
		/* A handshake has few records. */
		if (!found && i == 0)
			found = try_newest(&a, &handshakes, &count);
		side->seek.candidates = count;
		if (found)
			return true;
	}
	return false;
}
