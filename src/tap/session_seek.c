#include "tap/session_part.h"

#include "base/rd.h"

#define TRIED_MAX 8	  /* records that may fail before a search is given up */
#define FRESH_SECRETS 32  /* that are tried on every record until one is in use */
#define ANY_TRIED_MAX 1	  /* likewise, when all secrets that are known are tried */
#define NEAR 8		  /* records that are looked for beyond those that the bytes allow */
#define GENERATIONS_MAX 4 /* updates of a key within one gap */
#define LAST_BYTES 64	  /* of a record, for ciphers that chain records */

void session_darken(struct session *s, enum flow_dir dir, size_t n)
{
	struct side *side = &s->sides[dir];

	side->state = SIDE_DARK;
	side->waits = false;
	session_unread(s, dir, n);
	tell_above_gap(s, dir, n, side->at);
	s->moved = true;
}

void session_unread(struct session *s, enum flow_dir dir, size_t n)
{
	s->sides[dir].seek.lost += n;
}

void session_seek_on(struct session *s, enum flow_dir dir)
{
	struct side *side = &s->sides[dir];

	side->state = SIDE_SEEK;
	side->seek.lost = 0;
	side->seek.gap = 0;
	side->seek.from = 0;
	side->seek.exact = SIZE_MAX;
	side->seek.tried = 0;
	side->seek.candidates = 0;
	side->seek.searched = 0;
	side->seek.fresh_only = false;
	side->seek.cut = false;
	side->seek.any = false;
	side->seek.seen = false;
	side->broken = true;
	inflater_miss(side->inflater);
	if (side->epoch == EPOCH_PLAIN && !(dir == DIR_UP ? s->has_client : s->has_server))
		side->hello_lost = true;
	buf_clear(&side->messages);
	s->moved = true;
}

void session_seek_any(struct session *s, enum flow_dir dir)
{
	session_seek_on(s, dir);
	s->sides[dir].seek.any = true;
	s->sides[dir].hello_lost = true;
}

/* Where the record that was cut off ends, counted from the end of a gap of n bytes. */
static size_t end_of_cut(const struct side *side, uint64_t n)
{
	struct record r;
	size_t need = 0;

	if (side->buffer.n == 0)
		return n == 0 ? 0 : SIZE_MAX;
	if (side->buffer.n < RECORD_HEADER_SIZE ||
	    session_frame(side, DIR_DOWN, buf_bytes(&side->buffer), &r, &need) != RECORD_MORE ||
	    need < side->buffer.n + n)
		return SIZE_MAX;
	return (size_t)(need - side->buffer.n - n);
}

void session_lost(struct session *s, enum flow_dir dir, uint64_t n, bool truncated)
{
	struct side *side = &s->sides[dir];
	size_t cut = side->buffer.n, exact = SIZE_MAX;

	if (side->state == SIDE_OVER)
		return;
	if (side->state == SIDE_DARK) {
		side->seek.lost += n;
		return;
	}
	if (side->state == SIDE_START) {
		s->late = true;
		session_seek_any(s, dir);
	} else if (side->state == SIDE_READ) {
		exact = end_of_cut(side, n);
		session_seek_on(s, dir);
	}
	side->seek.lost += n + cut;
	side->seek.gap += n;
	side->seek.truncated |= truncated;
	side->seek.exact = exact;
	side->seek.from = 0;
	side->buffer_waits = false;
	buf_clear(&side->buffer);
}

/* The shortest record under the key that is known. */
static size_t shortest(const struct side *side)
{
	return RECORD_HEADER_SIZE + (side->protect ? protect_overhead(side->protect) : 1);
}

/* Can in be the beginning of the next record's header, as far as it goes? */
static bool is_header(const struct session *s, const struct side *side, struct bytes in)
{
	bool is_13 = session_is_13(s) && side->epoch != EPOCH_PLAIN;
	size_t n;

	if (in.n >= 1 && (in.p[0] < RECORD_CHANGE_CIPHER_SPEC || in.p[0] > RECORD_HEARTBEAT))
		return false;
	if (in.n >= 1 && is_13 && in.p[0] != RECORD_APPLICATION_DATA)
		return false;
	if (in.n >= 2 && in.p[1] != 3)
		return false;
	if (in.n >= 3 && (is_13 ? in.p[2] != 3 : in.p[2] > 4))
		return false;
	if (in.n >= 3 && side->epoch == EPOCH_SESSION && in.p[2] != (s->version & 0xff))
		return false;
	if (in.n < RECORD_HEADER_SIZE)
		return true;
	n = (size_t)(in.p[3] << 8 | in.p[4]);
	return n + RECORD_HEADER_SIZE >= shortest(side) &&
	       n <= (is_13 ? RECORD_CIPHER_MAX : RECORD_CIPHER_MAX_12);
}

enum found {
	FOUND_RECORD,
	FOUND_PART, /* the rest of it is still to come */
	FOUND_NONE,
};

/* Looks at offset from of the buffer for a record and the header of the next one. */
static enum found look_at(const struct session *s, const struct side *side, size_t from,
			  struct record *r)
{
	struct bytes in = bytes_slice(buf_bytes(&side->buffer), from, side->buffer.n);

	if (!is_header(s, side, in))
		return FOUND_NONE;
	switch (record_next(in, RECORD_CIPHER_MAX_12, r, NULL, NULL)) {
	case RECORD_MORE:
		return FOUND_PART;
	case RECORD_DONE:
		break;
	default:
		return FOUND_NONE;
	}
	if (!is_header(s, side, bytes_slice(in, r->raw.n, RECORD_HEADER_SIZE)))
		return FOUND_NONE;
	return FOUND_RECORD;
}

/* The next place where a record can be; seek.from is where. final: no bytes come any more. */
static enum found find(const struct session *s, struct side *side, bool final, struct record *r)
{
	size_t exact = side->seek.exact;
	enum found found;

	if (exact != SIZE_MAX) {
		if (exact >= side->buffer.n && !final)
			return FOUND_PART;
		side->seek.exact = SIZE_MAX;
		if (exact < side->buffer.n && look_at(s, side, exact, r) != FOUND_NONE)
			side->seek.from = exact;
	}
	for (; side->seek.from < side->buffer.n; side->seek.from++) {
		found = look_at(s, side, side->seek.from, r);
		if (found == FOUND_RECORD || (found == FOUND_PART && !final))
			return found;
	}
	return FOUND_NONE;
}

bool session_try_range(struct session *s, struct protect *p, struct seq_trial *t)
{
	const struct seq_range *range = &t->range;
	uint64_t below = range->guess < range->count ? range->guess : range->count - 1;
	uint64_t above = below + 1;

	for (uint64_t i = 0; i < range->count; i++) {
		bool up = above < range->count && (i % 2 == 1 || below == UINT64_MAX);

		t->seq = range->first + (up || below == UINT64_MAX ? above++ : below--);
		if (!tap_spend(s->flow, 1))
			return false;
		if (protect_open(p, t->seq, t->record, session_room(s), t->opened))
			return true;
	}
	return false;
}

/* Which connection it is has become known. */
static void wake(struct session *s, enum flow_dir dir)
{
	struct side *side = &s->sides[dir];

	if (side->state == SIDE_DARK && side->seek.any)
		session_revive(s, dir);
	if (side->state == SIDE_SEEK)
		side->seek.fresh_only = false;
	s->moved = true;
}

static void wait(struct side *side)
{
	side->waits = side->buffer_waits = true;
}

/* The record at seek.from is opened: everything before it is lost, and what follows is read. */
static void found(struct session *s, enum flow_dir dir, const struct seq_trial *t)
{
	struct side *side = &s->sides[dir];
	uint64_t lost = side->seek.lost + side->seek.from;
	size_t skip = side->seek.from + t->record->raw.n;
	bool any = side->seek.any;

	side->seq = t->seq + 1;
	side->failed = 0;
	side->last_size = t->record->raw.n;
	side->state = SIDE_READ;
	side->seek.any = false;
	side->seek.truncated = false;
	tell_gap(s, dir, lost, side->at);
	if (lost)
		tap_note(s->flow, side->at,
			 "%llu bytes of the %s are lost; decryption goes on with record %llu",
			 (unsigned long long)lost, session_who(s, dir), (unsigned long long)t->seq);
	tell_above_gap(s, dir, lost, side->at);
	if (any)
		wake(s, dir_other(dir));
	if (any && held_before(s, dir)) {
		/* That can be found now, too, and has its turn first: this record is opened again. */
		side->seq = t->seq;
		buf_take(&side->buffer, skip - t->record->raw.n);
		wait(side);
		return;
	}
	session_opened(s, dir, t->opened, side->at);
	buf_take(&side->buffer, skip);
}

/* Most programs count in the nonces that TLS 1.2 sends along: how far from the last one? */
static bool nonce_distance(const struct session *s, const struct side *side, const struct record *r,
			   uint64_t *out)
{
	bool bad = false;
	struct rd rd = rd_init(r->body, &bad);

	if (side->epoch != EPOCH_SESSION || !session_sends_nonces(s) || !side->protect)
		return false;
	*out = rd_u64(&rd) - side->nonce - 1;
	return !bad;
}

/* Numbers that the record can have when so many bytes were lost. */
static struct seq_range range_after(const struct session *s, const struct side *side,
				    uint64_t first, const struct record *r)
{
	uint64_t lost = side->seek.lost + side->seek.from, distance;
	uint64_t size = side->last_size ? side->last_size : 1500;
	struct seq_range range = {
		.first = first,
		.count = lost / shortest(side) + NEAR,
		.guess = (lost + size / 2) / size,
	};

	if (nonce_distance(s, side, r, &distance) && distance < range.count)
		range.guess = distance;
	return range;
}

/* A stream cipher goes on where as many bytes of bodies have passed as were lost, without the headers
 * of records; how many of those there were is not known. */
static bool try_stream(struct session *s, enum flow_dir dir, struct seq_trial *t)
{
	struct side *side = &s->sides[dir];
	uint64_t lost = side->seek.lost + side->seek.from;
	uint64_t count = lost / shortest(side);

	/* There is no way back: the most headers first. */
	side->seek.tried = TRIED_MAX - 1;
	protect_skip(side->protect, lost - count * RECORD_HEADER_SIZE, (struct bytes){ 0 });
	for (; tap_spend(s->flow, 1); count--) {
		t->seq = side->seq + count;
		if (protect_open(side->protect, t->seq, t->record, session_room(s), t->opened))
			return true;
		if (count == 0)
			break;
		protect_skip(side->protect, RECORD_HEADER_SIZE, (struct bytes){ 0 });
	}
	return false;
}

/* Of the record before the one at seek.from, as far as it was captured. */
static struct bytes last_bytes(const struct side *side)
{
	size_t n = side->seek.from < LAST_BYTES ? side->seek.from : LAST_BYTES;

	return bytes_slice(buf_bytes(&side->buffer), side->seek.from - n, n);
}

/* Under the key that the direction has, or one that a KeyUpdate within the gap made of it. */
static bool try_key(struct session *s, enum flow_dir dir, struct seq_trial *t)
{
	struct side *side = &s->sides[dir];
	struct protect *p = side->protect, *next;
	bool opened;

	if (!p)
		return false;
	if (protect_is_chained(p)) {
		if (cipher_info(s->suite->cipher)->class == CIPHER_CLASS_STREAM)
			return try_stream(s, dir, t);
		protect_skip(p, 0, last_bytes(side));
	}
	t->range = range_after(s, side, side->seq, t->record);
	if (session_try_range(s, p, t))
		return true;
	if (side->epoch != EPOCH_TRAFFIC)
		return false;
	t->range = range_after(s, side, 0, t->record);
	for (uint32_t i = 1; i <= GENERATIONS_MAX; i++) {
		if (protect_next_13(p, &next, NULL) < 0)
			break;
		if (p != side->protect)
			protect_free(p);
		p = next;
		opened = session_try_range(s, p, t);
		if (opened) {
			i += side->generation;
			session_adopt(s, dir, p, EPOCH_TRAFFIC);
			side->generation = i;
			return true;
		}
	}
	if (p != side->protect)
		protect_free(p);
	return false;
}

/* Under a secret of this client random that comes later than the key that the direction has. */
static bool try_later(struct session *s, enum flow_dir dir, struct seq_trial *t)
{
	struct side *side = &s->sides[dir];
	int epoch =
		side->epoch == EPOCH_PLAIN ? EPOCH_HANDSHAKE : (int)side->epoch + !!side->protect;
	struct protect *p;

	if (!session_is_13(s) || !s->suite || !s->has_client)
		return false;
	t->range = range_after(s, side, 0, t->record);
	for (; epoch <= EPOCH_TRAFFIC; epoch++) {
		enum keylog_label label = session_label(s, dir, (enum epoch)epoch);
		const struct keylog_secret *k = NULL;

		while ((k = session_secret(s, label, KEYLOG_NEXT, k))) {
			if (protect_new_13(s->suite, bytes_of(k->secret, k->secret_n), &p, NULL) <
			    0)
				continue;
			if (session_try_range(s, p, t)) {
				session_adopt(s, dir, p, (enum epoch)epoch);
				side->generation = k->generation;
				session_tell_secret(s, k->label, dir);
				return true;
			}
			protect_free(p);
		}
	}
	return false;
}

/* TLS 1.2 and before: the first record that is seen of many after ChangeCipherSpec. A stream cipher
 * is known to be behind Finished only (RFC 5246, 7.4.9; RFC 6101, 5.6.9). */
static bool fits_somewhere(struct session *s, enum flow_dir dir, struct protect *p,
			   struct key_trial *t)
{
	const size_t finished = s->version == 0x0300 ? 4 + 36 : 4 + 12;
	struct side *side = &s->sides[dir];

	if (protect_is_chained(p) && cipher_info(s->suite->cipher)->class == CIPHER_CLASS_STREAM) {
		/* There is no way back. */
		side->seek.tried = TRIED_MAX - 1;
		protect_skip(p, finished + protect_overhead(p), (struct bytes){ 0 });
	} else if (protect_is_chained(p)) {
		protect_skip(p, 0, last_bytes(side));
	}
	return session_try_range(s, p, t->numbers);
}

static bool try_12(struct session *s, enum flow_dir dir, struct seq_trial *t)
{
	struct key_trial keys = {
		.fits = fits_somewhere,
		.record = t->record,
		.opened = t->opened,
		.numbers = t,
	};

	if (!s->old || session_is_13(s) || !s->suite || !s->has_client || !s->has_server ||
	    s->sides[dir].protect)
		return false;
	t->range = range_after(s, &s->sides[dir], 0, t->record);
	return session_pick_12(s, dir, &keys);
}

static bool try_record(struct session *s, enum flow_dir dir, struct seq_trial *t)
{
	if (s->sides[dir].seek.any)
		return session_try_any(s, dir, t);
	return try_key(s, dir, t) || try_later(s, dir, t) || try_12(s, dir, t);
}

static const char *what_is_missing(const struct session *s)
{
	if (s->has_client == s->has_server)
		return "handshake";
	return s->has_client ? "ServerHello" : "ClientHello";
}

static void tell_why(struct session *s, enum flow_dir dir)
{
	struct side *side = &s->sides[dir];
	const char *who = session_who(s, dir);

	if (s->flow->trials_left == 0 || s->flow->shared->trials_left == 0 || side->seek.cut)
		tell_dark(s, DARK_BUDGET, side->at,
			  "the search for the next record of the %s was given up after %u trials",
			  who, TAP_TRIALS_FLOW - s->flow->trials_left);
	else if (side->seek.truncated)
		tell_dark(s, DARK_TRUNCATED, side->at,
			  "packets of the %s were cut off when they were captured", who);
	else if (side->seek.any && side->seek.candidates)
		tell_dark(s, DARK_NO_HANDSHAKE, side->at,
			  "the %s was not captured, and none of %u traffic secrets opens a record",
			  what_is_missing(s), side->seek.candidates);
	else if (side->seek.any)
		tell_dark(s, DARK_NO_HANDSHAKE, side->at,
			  "the %s was not captured, and no traffic secret is known",
			  what_is_missing(s));
	else if (side->seek.gap == 0)
		tell_dark(s, DARK_TAG, side->at,
			  "the records of the %s no longer open with its secrets", who);
	else
		tell_dark(s, DARK_GAP, side->at,
			  "%llu bytes of the %s were not captured, and no record after them opens",
			  (unsigned long long)side->seek.gap, who);
}

static void give_up(struct session *s, enum flow_dir dir)
{
	struct side *side = &s->sides[dir];

	tell_why(s, dir);
	session_darken(s, dir, side->buffer.n);
	buf_clear(&side->buffer);
}

/* A record in the clear has no tag: it counts when another header follows it. */
static bool is_plain(const struct side *side, const struct record *r)
{
	return side->epoch == EPOCH_PLAIN && r->type != RECORD_APPLICATION_DATA;
}

/* Could more be known of the keys later on? */
static bool must_wait(const struct session *s, enum flow_dir dir)
{
	const struct side *side = &s->sides[dir], *other = &s->sides[dir_other(dir)];

	if (session_is_13(s) && s->has_client && !side->seek.any)
		return false;
	if ((!s->version && session_hello_may_come(s, DIR_DOWN)) ||
	    (!s->has_client && session_hello_may_come(s, DIR_UP)))
		return true;
	/* Once one direction is found, there is only one secret for the other. */
	if (!side->seek.any || !side->seek.candidates || s->has_client || s->impatient ||
	    other->tcp_ended)
		return false;
	return other->state == SIDE_START ||
	       (other->state == SIDE_SEEK && !other->waits && !other->seek.fresh_only);
}

/* No key opens the record at seek.from. False: it is looked at again later. */
static bool next_record(struct session *s, enum flow_dir dir, const struct record *r)
{
	struct side *side = &s->sides[dir];

	if (side->seek.fresh_only && s->flow->trials_left && s->flow->shared->trials_left) {
		side->seek.from += r->raw.n;
		return true;
	}
	side->seek.tried++;
	if (side->seek.tried < (side->seek.any ? ANY_TRIED_MAX : TRIED_MAX)) {
		side->seek.from++;
		return true;
	}
	side->seek.tried--;
	if (must_wait(s, dir) || (session_secrets_may_come(s) && !side->protect)) {
		wait(side);
		return false;
	}
	if (side->seek.any && side->seek.candidates && side->seek.candidates <= FRESH_SECRETS &&
	    !side->seek.fresh_only) {
		tell_why(s, dir);
		side->seek.fresh_only = true;
		side->seek.from += r->raw.n;
		s->moved = true;
		return true;
	}
	give_up(s, dir);
	return false;
}

/* Looks through what has come. */
static void seek_run(struct session *s, enum flow_dir dir, bool final)
{
	struct side *side = &s->sides[dir];
	struct protect_opened o;
	struct record r;
	struct seq_trial t = { .record = &r, .opened = &o };

	while (side->state == SIDE_SEEK && find(s, side, final, &r) == FOUND_RECORD) {
		if (is_plain(side, &r)) {
			tell_gap(s, dir, side->seek.lost + side->seek.from, side->at);
			buf_take(&side->buffer, side->seek.from);
			side->state = SIDE_READ;
			return;
		}
		s->flow->encrypted = true;
		if (side->inflater) {
			/* What is compressed refers to what is lost. */
			give_up(s, dir);
			return;
		}
		if (!side->seek.candidates && must_wait(s, dir)) {
			wait(side);
			return;
		}
		if (try_record(s, dir, &t)) {
			found(s, dir, &t);
			return;
		}
		if (!next_record(s, dir, &r))
			return;
	}
}

size_t session_seek(struct session *s, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	struct side *side = &s->sides[dir];
	struct bytes more = bytes_slice(in, 0, buf_room(&side->buffer));

	side->at = at;
	side->seek.seen |= more.n > 0;
	if (buf_add(&side->buffer, more, NULL) < 0) {
		session_lost(s, dir, more.n, false);
		return more.n;
	}
	seek_run(s, dir, false);
	/* Before from there is nothing, but for the end of a record. */
	if (side->state == SIDE_SEEK && side->seek.from > LAST_BYTES) {
		size_t n = side->seek.from - LAST_BYTES;

		side->seek.lost += n;
		buf_take(&side->buffer, n);
		side->seek.from = LAST_BYTES;
	}
	return more.n;
}

void session_seek_end(struct session *s, enum flow_dir dir, struct tap_at at)
{
	struct side *side = &s->sides[dir];
	uint64_t lost;

	side->at = at;
	seek_run(s, dir, true);
	if (side->state != SIDE_SEEK)
		return;
	lost = side->seek.lost + side->buffer.n;
	/* Nothing came after the gap, and so nothing is dark that could be opened. */
	if (side->buffer.n || side->seek.truncated || side->seek.tried || side->seek.seen)
		tell_why(s, dir);
	tell_gap(s, dir, lost, at);
	tell_above_gap(s, dir, lost, at);
}

void session_revive(struct session *s, enum flow_dir dir)
{
	struct side *side = &s->sides[dir];
	uint64_t lost = side->seek.lost;
	bool any = !s->version || !s->has_client;

	if (side->state != SIDE_DARK ||
	    (!any && !tap_secret_next(s->flow, bytes_of(s->client_random, SESSION_RANDOM), NULL)))
		return;
	session_seek_on(s, dir);
	side->seek.lost = lost;
	side->seek.any = any;
}
