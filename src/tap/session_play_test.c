#include "tap/session_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "wire/handshake.h"
#include "wire/names.h"
#include "wire/record.h"

#define WIRE_MAX (64 * 1024 * 1024)

static struct play *play_of(struct layer *l)
{
	return LIST_OWNER(l, struct play, above);
}

static void above_feed(struct layer *l, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	struct play *p = play_of(l);
	const char turn = dir == DIR_UP ? '>' : '<';

	(void)at;
	if (p->unwatched)
		return;
	if (p->turns.n == 0 || p->turns.p[p->turns.n - 1] != turn)
		assert_int_equal(buf_add(&p->turns, bytes_of(&turn, 1), NULL), 0);
	assert_int_equal(buf_add(&p->plain[dir], in, NULL), 0);
}

static void above_gap(struct layer *l, enum flow_dir dir, uint64_t n, bool truncated,
		      struct tap_at at)
{
	(void)truncated;
	(void)at;
	play_of(l)->gaps[dir] += n;
}

static void above_end(struct layer *l, enum flow_dir dir, enum leg_end how, struct tap_at at)
{
	(void)at;
	assert_false(play_of(l)->ended[dir]);
	play_of(l)->ended[dir] = true;
	play_of(l)->ends[dir] = how;
}

static void above_free(struct layer *l)
{
	play_of(l)->above_made = false;
}

static const struct layer_ops above_ops = {
	.feed = above_feed,
	.gap = above_gap,
	.end = above_end,
	.free = above_free,
};

static int make_above(void *ctx, struct bytes alpn, bool late, struct layer **out, struct err *e)
{
	struct play *p = ctx;

	if (p->nest) {
		const struct session_options o = {
			.flow = &p->flow,
			.depth = 1,
			.above = make_above,
			.ctx = p,
		};

		p->nest--;
		return session_new(&o, out, e);
	}
	assert_false(p->above_made);
	if (buf_add(&p->above_alpn, alpn, e) < 0)
		return -1;
	p->above_made = true;
	p->late = late;
	p->above.ops = &above_ops;
	*out = &p->above;
	return 0;
}

static const char *event_text(const struct event *ev, char *room, size_t size)
{
	switch (ev->type) {
	case EV_CLIENT_HELLO:
		snprintf(room, size, "hello %.*s %s", BYTES_FMT(ev->u.client_hello.sni),
			 version_name(ev->u.client_hello.version));
		break;
	case EV_SERVER_HELLO:
		snprintf(room, size, "answer %s %s%s", version_name(ev->u.server_hello.version),
			 cipher_name(ev->u.server_hello.cipher),
			 ev->u.server_hello.resumed ? " resumed" : "");
		break;
	case EV_HANDSHAKE_DONE: {
		const char *group = group_name(ev->u.handshake_done.group);

		snprintf(room, size, "done %s %s %s %.*s%s",
			 version_name(ev->u.handshake_done.version),
			 cipher_name(ev->u.handshake_done.cipher), group ? group : "-",
			 BYTES_FMT(ev->u.handshake_done.alpn),
			 ev->u.handshake_done.resumed ? " resumed" : "");
		break;
	}
	case EV_CERT_CHAIN:
		snprintf(room, size, "chain %zu", ev->u.cert_chain.count);
		break;
	case EV_SECRET_SEEN:
		snprintf(room, size, "secret %.*s", BYTES_FMT(ev->u.secret_seen.label));
		break;
	case EV_ALERT:
		snprintf(room, size, "alert %s", alert_name(ev->u.alert.description));
		break;
	case EV_GAP:
		snprintf(room, size, "gap %llu", (unsigned long long)ev->u.gap.bytes);
		break;
	case EV_DARK:
		snprintf(room, size, "dark %s: %.*s", dark_why_text(ev->u.dark.why),
			 BYTES_FMT(ev->u.dark.reason));
		break;
	case EV_NOTE:
		snprintf(room, size, "note %.*s", BYTES_FMT(ev->u.note.text));
		break;
	case EV_HANDSHAKE_MESSAGE:
		snprintf(room, size, "%s %s%s",
			 ev->u.handshake_message.content == RECORD_HANDSHAKE
				 ? handshake_type_name(ev->u.handshake_message.type)
				 : "ccs",
			 ev->u.handshake_message.encrypted ? "encrypted" : "plain",
			 ev->u.handshake_message.bad ? " bad" : "");
		break;
	default:
		snprintf(room, size, "event %d", ev->type);
	}
	return room;
}

static void on_event(void *ctx, const struct event *ev)
{
	struct play *p = ctx;
	char text[500];

	if (p->unwatched)
		return;
	assert_int_equal(buf_printf(&p->log, NULL, "%s %s\n", ev->dir == DIR_UP ? ">" : "<",
				    event_text(ev, text, sizeof(text))),
			 0);
	p->notes += ev->type == EV_NOTE;
	p->chains += ev->type == EV_CERT_CHAIN;
	p->done += ev->type == EV_HANDSHAKE_DONE;
	if (ev->type == EV_GAP)
		p->lost += ev->u.gap.bytes;
	if (ev->type != EV_DARK)
		return;
	p->darks++;
	p->why = ev->u.dark.why;
	snprintf(p->reason, sizeof(p->reason), "%.*s", BYTES_FMT(ev->u.dark.reason));
}

static void lore_put(void *ctx, struct bytes key, struct bytes master, struct tap_at at)
{
	sessions_put(ctx, key, master, at.packet);
}

static bool lore_find(void *ctx, struct bytes key, struct tap_at at, uint8_t master[MASTER_SIZE])
{
	return sessions_find(ctx, key, at.packet, master);
}

static void begin(struct play *p)
{
	struct session_options o = { .flow = &p->flow, .above = make_above, .ctx = p };

	assert_int_equal(session_new(&o, &p->session, NULL), 0);
}

static void clear(struct play *p)
{
	layer_free(p->session);
	assert_false(p->above_made);
	assert_int_equal(p->shared.held, 0);
	buf_fini(&p->plain[0]);
	buf_fini(&p->plain[1]);
	buf_fini(&p->above_alpn);
	buf_fini(&p->turns);
	buf_fini(&p->log);
}

void play_nest(struct play *p)
{
	p->nest = 1;
}

void play_again(struct play *p)
{
	clear(p);
	p->ended[0] = p->ended[1] = false;
	p->gaps[0] = p->gaps[1] = 0;
	p->darks = p->notes = p->chains = p->done = 0;
	p->flow = (struct tap_flow){ .shared = &p->shared,
				     .number = p->flow.number + 1,
				     .trials_left = TAP_TRIALS_FLOW };
	list_init(&p->flow.waiting);
	begin(p);
}

void play_init(struct play *p, struct bytes keys)
{
	uint8_t *room;

	*p = (struct play){ .plain = { buf_init(WIRE_MAX), buf_init(WIRE_MAX) },
			    .above_alpn = buf_init(255),
			    .turns = buf_init(10000),
			    .log = buf_init(WIRE_MAX) };
	p->shared = (struct tap_shared){ .bus = &p->bus,
					 .trials_left = TAP_TRIALS_FILE,
					 .held_max = 32 * 1024 * 1024,
					 .plain = buf_init(RECORD_CIPHER_MAX_12 + 1024) };
	list_init(&p->shared.waiting);
	assert_int_equal(buf_reserve(&p->shared.plain, p->shared.plain.max, &room, NULL), 0);
	p->flow = (struct tap_flow){ .shared = &p->shared,
				     .number = 1,
				     .trials_left = TAP_TRIALS_FLOW };
	list_init(&p->flow.waiting);
	assert_int_equal(event_bus_add(&p->bus,
				       (struct event_sink){
					       .mask = EV_ALL, .on_event = on_event, .ctx = p },
				       NULL),
			 0);
	assert_int_equal(keylog_table_new(1 << 22, &p->known, NULL), 0);
	assert_int_equal(keylog_table_new(1 << 22, &p->shared.late, NULL), 0);
	assert_int_equal(keylog_table_feed(p->known, keys, NULL), 0);
	assert_int_equal(keylog_table_end(p->known, NULL), 0);
	p->shared.known = p->known;
	assert_int_equal(sessions_new(&p->sessions, NULL), 0);
	p->lore = (struct tap_sessions){ lore_put, lore_find, p->sessions };
	p->shared.sessions = &p->lore;
	begin(p);
}

void play_fini(struct play *p)
{
	clear(p);
	sessions_free(p->sessions);
	keylog_table_free(p->known);
	keylog_table_free(p->shared.late);
	buf_fini(&p->shared.plain);
}

static struct tap_at now(struct play *p)
{
	return (struct tap_at){ .packet = p->packet, .wall_ns = (int64_t)p->packet * 1000 };
}

void play_feed(struct play *p, enum flow_dir dir, struct bytes b)
{
	p->packet++;
	layer_feed(p->session, dir, b, now(p));
}

void play_gap(struct play *p, enum flow_dir dir, uint64_t n)
{
	p->packet++;
	layer_gap(p->session, dir, n, false, now(p));
}

void play_end(struct play *p)
{
	p->packet++;
	layer_end(p->session, DIR_UP, END_CLEAN, now(p));
	layer_end(p->session, DIR_DOWN, END_CLEAN, now(p));
}

void play_late_secrets(struct play *p, struct bytes keys)
{
	p->packet++;
	assert_int_equal(keylog_table_feed(p->shared.late, keys, NULL), 0);
	assert_int_equal(keylog_table_end(p->shared.late, NULL), 0);
	layer_secrets(p->session, now(p));
}

void play_piece(struct play *p, const struct kit *k, size_t i, size_t size)
{
	struct bytes b = bytes_of(k->wire.p + k->pieces[i].from, k->pieces[i].n);

	for (size_t from = 0; from < b.n; from += size ? size : b.n) {
		struct bytes part = bytes_slice(b, from, size ? size : b.n);
		/* On the heap, so that a read past its end is seen. */
		void *copy = test_malloc(part.n);

		memcpy(copy, part.p, part.n);
		play_feed(p, k->pieces[i].dir, bytes_of(copy, part.n));
		test_free(copy);
	}
}

void play_all(struct play *p, const struct kit *k, size_t size)
{
	for (size_t i = 0; i < k->count; i++)
		play_piece(p, k, i, size);
}

/* One part of a piece that lies at offset at of its direction. */
static void play_part(struct play *p, enum flow_dir dir, struct bytes b, size_t size)
{
	for (size_t from = 0; from < b.n; from += size ? size : b.n) {
		struct bytes part = bytes_slice(b, from, size ? size : b.n);
		void *copy = test_malloc(part.n);

		memcpy(copy, part.p, part.n);
		play_feed(p, dir, bytes_of(copy, part.n));
		test_free(copy);
	}
}

/* The hole that offset at is in, or the next one; NULL: none. */
static const struct play_hole *hole_at(const struct play_hole *holes, size_t count,
				       enum flow_dir dir, size_t at)
{
	for (size_t i = 0; i < count; i++)
		if (holes[i].dir == dir && holes[i].from + holes[i].n > at)
			return &holes[i];
	return NULL;
}

void play_holes(struct play *p, const struct kit *k, const struct play_hole *holes, size_t count,
		size_t size)
{
	size_t offset[2] = { 0 };

	for (size_t i = 0; i < k->count; i++) {
		enum flow_dir dir = k->pieces[i].dir;
		struct bytes left = bytes_of(k->wire.p + k->pieces[i].from, k->pieces[i].n);

		while (left.n) {
			size_t *at = &offset[dir], n = left.n;
			const struct play_hole *h = hole_at(holes, count, dir, *at);

			if (h && *at >= h->from) {
				n = h->from + h->n - *at < n ? h->from + h->n - *at : n;
				if (*at + n == h->from + h->n)
					play_gap(p, dir, h->n);
			} else {
				n = h && h->from - *at < n ? h->from - *at : n;
				play_part(p, dir, bytes_slice(left, 0, n), size);
			}
			*at += n;
			left = bytes_slice(left, n, left.n);
		}
	}
}

static bool touched(const struct kit_record *r, const struct play_hole *holes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (holes[i].dir == r->dir && holes[i].from < r->from + r->n &&
		    r->from < holes[i].from + holes[i].n)
			return true;
	return false;
}

void play_check_holes(const struct play *p, const struct kit *k, const struct play_hole *holes,
		      size_t count)
{
	for (int dir = 0; dir < 2; dir++) {
		AUTO(buf_fini) struct buf want = buf_init(WIRE_MAX);

		for (size_t i = 0; i < k->record_count; i++) {
			const struct kit_record *r = &k->records[i];

			if (r->dir == (enum flow_dir)dir && !touched(r, holes, count))
				assert_int_equal(buf_add(&want,
							 bytes_of(k->sent[dir].p + r->plain_from,
								  r->plain_n),
							 NULL),
						 0);
		}
		if (p->plain[dir].n != want.n || p->darks)
			print_error("%d: %zu of %zu\n%.*s", dir, p->plain[dir].n, want.n,
				    BYTES_FMT(buf_bytes(&p->log)));
		assert_int_equal(p->plain[dir].n, want.n);
		if (want.n)
			assert_memory_equal(p->plain[dir].p, want.p, want.n);
	}
	assert_int_equal(p->darks, 0);
}

void play_check(const struct play *p, const struct kit *k)
{
	if (p->darks)
		print_error("%.*s", BYTES_FMT(buf_bytes(&p->log)));
	assert_int_equal(p->darks, 0);
	for (int dir = 0; dir < 2; dir++) {
		if (p->plain[dir].n != k->sent[dir].n)
			print_error("%.*s", BYTES_FMT(buf_bytes(&p->log)));
		assert_int_equal(p->plain[dir].n, k->sent[dir].n);
		if (k->sent[dir].n)
			assert_memory_equal(p->plain[dir].p, k->sent[dir].p, k->sent[dir].n);
	}
}

bool play_logged(const struct play *p, const char *text)
{
	bool found = p->log.n && memmem(p->log.p, p->log.n, text, strlen(text));

	if (!found)
		print_error("not logged: %s\n%.*s", text, BYTES_FMT(buf_bytes(&p->log)));
	return found;
}

void keys_with(struct bytes keys, const char *label, bool with, struct buf *out)
{
	while (keys.n) {
		size_t n = bytes_index(keys, '\n') + 1;
		struct bytes line = bytes_slice(keys, 0, n);

		if (bytes_starts(line, bytes_str(label)) == with)
			assert_int_equal(buf_add(out, line, NULL), 0);
		keys = bytes_slice(keys, n, keys.n);
	}
}
