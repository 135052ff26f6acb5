#include "tap/stream.h"

#include "tap/stream_past.h"
#include "tap/stream_queue.h"
#include "wire/packet.h"

#define AHEAD_MAX (1 << 30) /* the largest window there is (RFC 7323, 2.3) */
#define RESET_AHEAD_MAX STREAM_QUEUE_MAX
#define START_BEHIND_MAX (1 << 20) /* how far before the first bytes seen others may come */
/* Where the clock of a capture stands, packets are the time. */
#define PACKETS_INSTEAD 65536

void stream_init(struct stream *s, const struct stream_hooks *hooks, void *ctx,
		 struct stream_pool *pool)
{
	*s = (struct stream){ .hooks = hooks, .ctx = ctx, .pool = pool };
	list_init(&s->queue);
}

void stream_fini(struct stream *s)
{
	LIST_EACH (it, &s->queue)
		queue_remove(s, LIST_OWNER(it, struct part, node));
	if (s->pair)
		s->pair->pair = NULL;
	s->pair = NULL;
}

void stream_pair(struct stream *a, struct stream *b)
{
	a->pair = b;
	b->pair = a;
}

static bool past(struct tap_at since, struct tap_at now, int64_t ns, uint64_t packets)
{
	uint64_t passed = now.packet - since.packet;

	if (now.packet < since.packet)
		return false;
	return passed >= PACKETS_INSTEAD ||
	       (passed >= packets && now.wall_ns - since.wall_ns >= ns);
}

/* at, or the last place where that is later. */
static struct tap_at forward(struct stream *s, struct tap_at at)
{
	if (at.packet > s->last.packet)
		s->last.packet = at.packet;
	if (at.wall_ns > s->last.wall_ns)
		s->last.wall_ns = at.wall_ns;
	return s->last;
}

static void hand_out(struct stream *s, struct bytes b, struct tap_at at)
{
	past_add(s, s->next, b);
	s->next += (uint32_t)b.n;
	s->offset += b.n;
	s->hooks->bytes(s->ctx, b, forward(s, at));
}

/* The n bytes from next on are a gap. */
static void lose(struct stream *s, uint32_t n, bool truncated, struct tap_at at)
{
	s->next += n;
	s->offset += n;
	s->hooks->gap(s->ctx, n, truncated, forward(s, at));
}

static void end(struct stream *s, struct tap_at at)
{
	s->ended = true;
	s->hooks->end(s->ctx, s->reset, forward(s, at));
}

/* What the sender had received when it sent this was handed out: it is not an answer to what is still
 * to come. */
static bool may_go(const struct stream *s, uint32_t ack)
{
	const struct stream *other = s->pair;
	int32_t ahead;

	if (!other || !other->begun || other->ended)
		return true;
	ahead = seq_after(ack, other->next);
	return ahead <= 0 || ahead > AHEAD_MAX;
}

static bool part_may_go(const struct stream *s, const struct part *p, struct tap_at now)
{
	return !p->acked || may_go(s, p->ack) ||
	       past(p->at, now, STREAM_HELD_NS, STREAM_SETTLE_PACKETS);
}

static bool fin_may_go(const struct stream *s, struct tap_at now)
{
	return s->reset || !s->fin_acked || may_go(s, s->fin_ack) ||
	       past(s->fin_at, now, STREAM_HELD_NS, STREAM_SETTLE_PACKETS);
}

static void hand_out_first(struct stream *s, struct part *p)
{
	hand_out(s, part_bytes(p), p->at);
	queue_remove(s, p);
}

static bool waits_in_order(const struct stream *s, const struct part *p)
{
	return p && !p->cut && p->seq == s->next;
}

/* How many bytes are missing in front of what waits. Where nothing waits: of what the other side
 * acknowledged, now or (not all) long enough ago. */
static uint32_t hole(const struct stream *s, const struct part *first, bool all)
{
	int32_t n = 0;

	if (!s->begun || s->ended)
		return 0;
	if (waits_in_order(s, first))
		return 0;
	if (first)
		return first->seq == s->next ? first->n : first->seq - s->next;
	if (s->fin_known)
		n = seq_after(s->fin, s->next);
	else if (all ? s->acked_known : s->settled_known)
		n = seq_after(all ? s->acked : s->settled, s->next);
	return n > 0 ? (uint32_t)n : 0;
}

static bool is_due(const struct stream *s, uint32_t n, const struct part *first, struct tap_at now)
{
	if (s->settled_known && seq_after(s->settled, s->next + n) >= 0)
		return true;
	if (first)
		return past(first->at, now, STREAM_LOST_NS, 0);
	return s->fin_known && past(s->fin_at, now, STREAM_LOST_NS, 0);
}

static void declare(struct stream *s, uint32_t n, struct part *first, struct tap_at now)
{
	bool truncated = first && first->seq == s->next;

	lose(s, n, truncated, first ? first->at : s->fin_known ? s->fin_at : now);
	if (truncated)
		queue_remove(s, first);
}

/* One thing that waits and need not wait longer. */
static bool step(struct stream *s, struct tap_at now)
{
	struct part *first = queue_first(s);
	uint32_t n;

	if (!s->begun || s->ended)
		return false;
	if (waits_in_order(s, first)) {
		if (!part_may_go(s, first, now))
			return false;
		hand_out_first(s, first);
		return true;
	}
	if (!first && s->fin_known && s->fin == s->next) {
		if (!fin_may_go(s, now))
			return false;
		end(s, s->fin_at);
		return true;
	}
	n = hole(s, first, false);
	if (n == 0 || !is_due(s, n, first, now))
		return false;
	declare(s, n, first, now);
	return true;
}

/* The stream goes on from seq; what is before it was never asked for. */
static void begin(struct stream *s, uint32_t seq, bool sure)
{
	struct part *first;

	s->next = seq;
	s->begun = true;
	s->sure = sure;
	s->starting = 0;
	while ((first = queue_first(s)) && seq_after(first->seq, seq) < 0)
		queue_remove(s, first);
}

/* Without a SYN: whether what waits is the beginning. */
static void maybe_begin(struct stream *s, struct tap_at now)
{
	const struct part *first = queue_first(s);

	if (s->begun || !first)
		return;
	if ((s->acked_known && seq_after(s->acked, first->seq) >= 0) ||
	    s->starting >= STREAM_START_SEGMENTS || past(first->at, now, STREAM_START_NS, 0))
		begin(s, first->seq, false);
}

/* Everything of both directions that may go now. */
static void settle(struct stream *s, struct tap_at now)
{
	bool moved = true;

	while (moved) {
		moved = false;
		while (step(s, now))
			moved = true;
		while (s->pair && step(s->pair, now))
			moved = true;
	}
}

/* Takes note of the time: what was acknowledged long enough ago is settled. */
static void tick(struct stream *s, struct tap_at at)
{
	if (!s->acked_known || !past(s->mark_at, at, STREAM_SETTLE_NS, STREAM_SETTLE_PACKETS))
		return;
	s->settled_known = true;
	s->settled = s->mark;
	s->mark = s->acked;
	s->mark_at = at;
}

static void heard(struct stream *s, const struct stream_segment *in)
{
	int32_t more;

	if (s->ended || (s->begun && seq_after(in->ack, s->next) > AHEAD_MAX))
		return;
	if (in->flags & TCP_SYN && !s->sure && s->offset == 0)
		begin(s, in->ack, true);
	if (!s->acked_known) {
		s->acked_known = true;
		s->acked = s->mark = in->ack;
		s->mark_at = in->at;
	}
	more = seq_after(in->ack, s->acked);
	if (more > 0 && more <= AHEAD_MAX)
		s->acked = in->ack;
	tick(s, in->at);
	maybe_begin(s, in->at);
}

/* Hands out, or declares lost, what is in front, to make room; bytes from until on are not lost. */
static void give_way(struct stream *s, uint32_t until, struct tap_at now)
{
	struct part *first = queue_first(s);

	if (waits_in_order(s, first)) {
		hand_out_first(s, first);
	} else if (first && seq_after(first->seq, until) < 0) {
		declare(s, hole(s, first, true), first, now);
	} else {
		lose(s, until - s->next, false, now);
	}
	settle(s, now);
}

/* Bytes that a part has came again: the first count. Yields how many they are. */
static size_t compare(struct stream *s, const struct part *p, uint32_t seq, struct bytes b,
		      struct tap_at at)
{
	struct bytes old = bytes_slice(part_bytes(p), seq - p->seq, b.n);
	uint64_t offset = s->offset + (seq - s->next);

	if (memcmp(old.p, b.p, old.n) == 0)
		return old.n;
	for (size_t i = 0; i < old.n; i++) {
		if (old.p[i] == b.p[i])
			continue;
		s->hooks->conflict(s->ctx, offset + i, at);
		break;
	}
	return old.n;
}

/* Takes b, or as much of it as is one thing: new, or there already. Yields how many bytes that is; 0
 * when there is no room. */
static size_t take_some(struct stream *s, const struct stream_segment *in, uint32_t seq,
			struct bytes b)
{
	bool go = s->begun && (!(in->flags & TCP_ACK) || may_go(s, in->ack));
	size_t n;
	struct part *p = queue_find(s, seq, b.n, &n);

	if (p && p->cut) {
		size_t left = part_end(p) - seq;

		n = left < b.n ? left : b.n;
		if (!queue_carve(s, p, seq, (uint32_t)n))
			return 0;
	} else if (p) {
		return compare(s, p, seq, b, in->at);
	}
	b.n = n;
	if (go && seq == s->next) {
		hand_out(s, b, in->at);
	} else if (!queue_add(s, in, seq, b, 0)) {
		if (!s->begun || seq != s->next)
			return 0;
		hand_out(s, b, in->at); /* there is no room to wait in */
	}
	return n;
}

/* There is no room for the byte seq. */
static void take_none(struct stream *s, uint32_t seq, struct tap_at at)
{
	const struct part *first = queue_first(s);

	if (!s->begun)
		begin(s, first && seq_after(first->seq, seq) < 0 ? first->seq : seq, false);
	else
		give_way(s, seq, at);
}

/* Bytes that were handed out, or were lost, came again. A probe (keep-alive) is one byte of no meaning. */
static void take_old(struct stream *s, uint32_t seq, struct bytes b, struct tap_at at)
{
	uint32_t where;

	if (b.n > 1 && !past_agrees(s, seq, b, &where))
		s->hooks->conflict(s->ctx, s->offset - (s->next - where), at);
}

static void take(struct stream *s, const struct stream_segment *in, uint32_t seq, struct bytes b)
{
	while (b.n) {
		int32_t old = seq_after(s->next, seq);
		size_t n;

		if (s->begun && old > 0) {
			n = (size_t)old < b.n ? (size_t)old : b.n;
			take_old(s, seq, bytes_slice(b, 0, n), in->at);
		} else {
			n = take_some(s, in, seq, b);
		}
		if (n == 0)
			take_none(s, seq, in->at);
		seq += (uint32_t)n;
		b = bytes_slice(b, n, b.n);
	}
}

/* Bytes that were cut off, where nothing is known of them yet. Without room they are lost like others. */
static void take_cut(struct stream *s, const struct stream_segment *in, uint32_t seq, uint32_t left)
{
	int32_t old = seq_after(s->next, seq);

	if (s->begun && old > 0) {
		if ((uint32_t)old >= left)
			return;
		seq += (uint32_t)old;
		left -= (uint32_t)old;
	}
	while (left) {
		size_t n;
		struct part *p = queue_find(s, seq, left, &n);

		if (p) {
			n = part_end(p) - seq;
			n = n < left ? n : left;
		} else if (!queue_add(s, in, seq, (struct bytes){ 0 }, (uint32_t)n)) {
			return;
		}
		seq += (uint32_t)n;
		left -= (uint32_t)n;
	}
}

/* RFC 9293, 3.10.7.4, and more cautious: a reset counts where the receiver may be, and does not when
 * the sender goes on behind it. */
static void reset(struct stream *s, const struct stream_segment *in)
{
	bool received;
	int32_t ahead;

	if (s->fin_known)
		return;
	if (!s->begun)
		begin(s, queue_first(s) ? queue_first(s)->seq : in->seq, false);
	ahead = seq_after(in->seq, s->next);
	received = ahead <= 0 && s->acked_known && seq_after(in->seq, s->acked) >= 0;
	if (!received && (ahead < 0 || ahead > RESET_AHEAD_MAX))
		return;
	s->fin_known = s->reset = true;
	s->fin = ahead > 0 ? in->seq : s->next;
	s->fin_at = in->at;
}

static void finish(struct stream *s, const struct stream_segment *in, uint32_t at)
{
	if (s->fin_known)
		return;
	if (!s->begun)
		begin(s, queue_first(s) ? queue_first(s)->seq : at, false);
	if (seq_after(at, s->next) < 0)
		return;
	for (struct list *it = s->queue.next; it != &s->queue; it = it->next) {
		if (seq_after(part_end(LIST_OWNER(it, struct part, node)), at) > 0)
			return;
	}
	s->fin_known = true;
	s->fin = at;
	s->fin_acked = in->flags & TCP_ACK;
	s->fin_ack = in->ack;
	s->fin_at = in->at;
}

/* The first bytes of a stream whose SYN was not seen. False when they are not to be taken. */
static bool take_first(struct stream *s, const struct stream_segment *in)
{
	const struct part *first = queue_first(s);
	int32_t before = first ? seq_after(first->seq, in->seq) : 0;

	/* A keep-alive probe may bring one byte that is none (RFC 9293, 3.8.4). */
	if (in->payload.n + in->missing == 1 && !(in->flags & (TCP_PSH | TCP_FIN)))
		return false;
	if (before > START_BEHIND_MAX || before < -AHEAD_MAX)
		return false;
	if (before > 0 || !first)
		s->next = in->seq;
	s->starting++;
	if (s->acked_known && in->seq == s->acked)
		begin(s, in->seq, false);
	return true;
}

/* Whether the segment can be of this stream at all: not further ahead than a window can be. */
static bool is_near(const struct stream *s, uint32_t seq)
{
	uint32_t from = s->next;

	if (s->acked_known && seq_after(s->acked, from) > 0)
		from = s->acked;
	return seq_after(seq, from) <= AHEAD_MAX;
}

static void ordinary(struct stream *s, const struct stream_segment *in, uint32_t seq)
{
	struct bytes b = in->payload;
	uint32_t missing = in->missing <= AHEAD_MAX ? in->missing : 0,
		 last = seq + (uint32_t)b.n + missing;

	if (s->begun ? !is_near(s, seq) : (b.n || missing) && !take_first(s, in))
		return;
	if (s->fin_known && seq_after(last, s->fin) > 0) {
		if (!s->reset)
			return; /* nothing comes after FIN */
		s->fin_known = s->reset = false;
	}
	take(s, in, seq, b);
	take_cut(s, in, seq + (uint32_t)b.n, missing);
	if (in->flags & TCP_FIN)
		finish(s, in, last);
	maybe_begin(s, in->at);
}

static void difficult(struct stream *s, const struct stream_segment *in)
{
	uint32_t seq = in->seq;

	if (s->ended)
		return;
	if (in->flags & TCP_RST) {
		reset(s, in);
		return;
	}
	if (in->flags & TCP_SYN) {
		seq++;
		if (s->offset == 0 && !(s->begun && s->sure && seq_after(seq, s->next) >= 0))
			begin(s, seq, true);
	}
	ordinary(s, in, seq);
}

/* What comes next, and nothing waits: no copy. */
static bool is_plain(const struct stream *s, const struct stream_segment *in)
{
	return in->seq == s->next && s->begun && list_empty(&s->queue) && !s->ended &&
	       !s->fin_known && !in->missing && !(in->flags & (TCP_SYN | TCP_FIN | TCP_RST)) &&
	       (!(in->flags & TCP_ACK) || may_go(s, in->ack));
}

/* Nothing of this direction waits, and nothing is known to be missing. */
static bool is_clear(const struct stream *s)
{
	return list_empty(&s->queue) && !s->fin_known &&
	       (!s->acked_known || seq_after(s->acked, s->next) <= 0);
}

void stream_segment(struct stream *s, const struct stream_segment *in)
{
	if (s->pair && in->flags & TCP_ACK && !(in->flags & TCP_RST))
		heard(s->pair, in);
	if (is_plain(s, in)) {
		if (in->payload.n)
			hand_out(s, in->payload, in->at);
	} else {
		tick(s, in->at);
		difficult(s, in);
	}
	if (!is_clear(s) || (s->pair && !is_clear(s->pair)))
		settle(s, in->at);
}

/* Of two directions that wait, the one with a hole, since the other may wait for it; or the one that
 * waits longer. */
static bool goes_before(const struct stream *a, const struct stream *b)
{
	const struct part *first_a = queue_first(a), *first_b = queue_first(b);
	bool in_order = waits_in_order(a, first_a);

	if (in_order != waits_in_order(b, first_b))
		return !in_order;
	return first_a && (!first_b || first_a->at.packet <= first_b->at.packet);
}

static bool is_waiting(const struct stream *s)
{
	return s && !s->ended && (queue_first(s) || hole(s, NULL, true));
}

static struct stream *first_to_go(struct stream *s)
{
	if (!is_waiting(s))
		return is_waiting(s->pair) ? s->pair : NULL;
	return !is_waiting(s->pair) || goes_before(s, s->pair) ? s : s->pair;
}

static void flush_end(struct stream *s)
{
	if (!s->ended && s->fin_known && s->fin == s->next)
		end(s, s->fin_at);
}

static void flush_begin(struct stream *s)
{
	if (!s->begun && queue_first(s))
		begin(s, queue_first(s)->seq, false);
}

void stream_flush(struct stream *s, struct tap_at at)
{
	struct stream *next;

	flush_begin(s);
	if (s->pair)
		flush_begin(s->pair);
	settle(s, at);
	while ((next = first_to_go(s))) {
		struct part *first = queue_first(next);

		if (waits_in_order(next, first))
			hand_out_first(next, first);
		else
			declare(next, hole(next, first, true), first, at);
		settle(s, at);
	}
	flush_end(s);
	if (s->pair)
		flush_end(s->pair);
}
