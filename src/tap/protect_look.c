/* Whether a record of TLS 1.3 can have a number, by the type that stands behind its text: it is the
 * last byte before the tag, and either a type or padding. That refuses 250 of 256 wrong numbers for
 * the price of a block of the cipher, and the numbers next to it come with it: a search through a
 * million numbers on records of 16 KiB takes milliseconds instead of seconds. */
#include "crypt/keystream.h"
#include "tap/protect_part.h"

static bool is_possible(uint8_t last)
{
	return last == 0 || (last >= RECORD_ALERT && last <= RECORD_HEARTBEAT);
}

static bool look(struct protect *p, uint64_t group, const struct record *r,
		 struct protect_looked *l)
{
	uint8_t nonces[KEYSTREAM_MAX][KEYSTREAM_NONCE], hides[KEYSTREAM_MAX];
	const size_t at = r->body.n - p->info->tag_n - 1;
	const struct keystream_look in = { nonces[0], KEYSTREAM_MAX, at };

	for (uint64_t i = 0; i < KEYSTREAM_MAX; i++)
		protect_nonce(secret_bytes(&p->iv), group * KEYSTREAM_MAX + i, nonces[i]);
	if (!keystream_bytes(p->keystream, &in, hides))
		return false;
	*l = (struct protect_looked){
		.filled = true, .group = group, .at = at, .byte = r->body.p[at]
	};
	for (size_t i = 0; i < KEYSTREAM_MAX; i++)
		if (is_possible(hides[i] ^ l->byte))
			l->possible |= 1ull << i;
	return true;
}

bool protect_may_fit(struct protect *p, uint64_t seq, const struct record *r)
{
	const uint64_t group = seq / KEYSTREAM_MAX;
	struct protect_looked *l = &p->looked[group % PROTECT_LOOKED];
	const size_t behind = p->info->tag_n + 1u;

	if (!p->keystream && !p->keystream_failed && !protect_keystream(p))
		p->keystream_failed = true;
	if (!p->keystream || r->body.n < behind)
		return true;
	if (!l->filled || l->group != group || l->at != r->body.n - behind ||
	    l->byte != r->body.p[l->at]) {
		if (!look(p, group, r, l))
			return true;
	}
	return l->possible >> seq % KEYSTREAM_MAX & 1;
}
