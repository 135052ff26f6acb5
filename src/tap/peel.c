#include "tap/peel.h"

#include "base/list.h"
#include "base/mem.h"
#include "tap/observe_layer.h"
#include "tap/peel_part.h"
#include "tap/session.h"
#include "wire/proxyproto.h"

/* Headers and tunnels in one another, without TLS between; after that it is bytes. */
#define WRAPS_MAX 8

enum peel_state { PEEL_LOOK, PEEL_SOCKS, PEEL_TALK, PEEL_PASS, PEEL_DEAD };

struct peel {
	struct layer layer;
	struct tap_flow *flow;
	struct layer *above; /* PASS: a session or an observer; else an observer, or NULL */
	enum peel_state state;
	uint8_t depth;
	bool late;
	uint8_t wraps; /* headers, tunnels */
	uint8_t alpn_n, alpn[255];
	uint64_t streams; /* HTTP/1.1 exchanges that were told by observers before this one */
	uint64_t said;	  /* bytes of plaintext */
	struct {
		struct buf held; /* not decided yet */
		uint64_t gap;	 /* lost before anything was held; nobody was there to hear it */
		bool gap_truncated;
		bool ended, end_told;
		enum leg_end how;
	} sides[2];
	/* Of plaintext only: TLS, of which there is more, needs neither. */
	struct starttls *starttls;
	struct socks_talk *socks;
};

static struct bytes held(const struct peel *p, enum flow_dir dir)
{
	return buf_bytes(&p->sides[dir].held);
}

static enum flow_dir other(enum flow_dir dir)
{
	return dir == DIR_UP ? DIR_DOWN : DIR_UP;
}

/* False: there is no room, or it was long enough. */
static bool hold(struct peel *p, enum flow_dir dir, struct bytes in)
{
	struct tap_shared *shared = p->flow->shared;

	if (in.n > shared->held_max - shared->held || buf_add(&p->sides[dir].held, in, NULL) < 0)
		return false;
	shared->held += in.n;
	return true;
}

/* What was held, for the caller to free. */
static struct buf release(struct peel *p, enum flow_dir dir)
{
	struct buf b = p->sides[dir].held;

	p->flow->shared->held -= b.n;
	p->sides[dir].held = buf_init(PEEL_HELD_MAX);
	return b;
}

/* Whoever came to be above hears what happened before it was there. */
static void tell_gaps(struct peel *p, struct tap_at at)
{
	for (int dir = DIR_UP; dir <= DIR_DOWN; dir++) {
		if (p->sides[dir].gap)
			layer_gap(p->above, (enum flow_dir)dir, p->sides[dir].gap,
				  p->sides[dir].gap_truncated, at);
		p->sides[dir].gap = 0;
	}
}

static void tell_ends(struct peel *p, struct tap_at at)
{
	for (int dir = DIR_UP; dir <= DIR_DOWN; dir++) {
		if (!p->above || !p->sides[dir].ended || p->sides[dir].end_told)
			continue;
		p->sides[dir].end_told = true;
		layer_end(p->above, (enum flow_dir)dir, p->sides[dir].how, at);
	}
}

static void die(struct peel *p, struct tap_at at)
{
	layer_free(p->above);
	p->above = NULL;
	p->state = PEEL_DEAD;
	tap_dark(p->flow, DARK_BUDGET, at, "there was no memory for it");
}

static int on_above(void *ctx, struct bytes alpn, bool late, struct layer **out, struct err *e)
{
	const struct peel *p = ctx;
	struct peel_options o = {
		.flow = p->flow,
		.depth = (uint8_t)(p->depth + 1),
		.alpn = alpn,
		.late = late,
	};

	return peel_new(&o, out, e);
}

/* The observer has heard all that it will. */
static void drop_observer(struct peel *p, struct tap_at at)
{
	if (!p->above)
		return;
	p->streams = observe_layer_streams(p->above);
	for (int dir = DIR_UP; dir <= DIR_DOWN; dir++) {
		if (!p->sides[dir].end_told)
			layer_end(p->above, (enum flow_dir)dir, END_CLEAN, at);
		p->sides[dir].end_told = false;
	}
	layer_free(p->above);
	p->above = NULL;
}

static void forget_talk(struct peel *p)
{
	mem_free(p->starttls);
	mem_free(p->socks);
	p->starttls = NULL;
	p->socks = NULL;
}

static void note_begin(const struct peel *p, struct tap_at at)
{
	if (p->starttls && p->starttls->name)
		tap_note(p->flow, at, "TLS begins after STARTTLS (%s)", p->starttls->name);
	else if (p->said)
		tap_note(p->flow, at, "TLS begins after other bytes");
}

static bool begin_session(struct peel *p, struct tap_at at)
{
	struct session_options o = {
		.flow = p->flow,
		.depth = p->depth,
		.above = on_above,
		.ctx = p,
	};

	note_begin(p, at);
	drop_observer(p, at);
	forget_talk(p);
	if (session_new(&o, &p->above, NULL) < 0) {
		die(p, at);
		return false;
	}
	p->state = PEEL_PASS;
	return true;
}

static bool begin_observer(struct peel *p, struct tap_at at)
{
	struct observe_layer_options o = {
		.flow = p->flow,
		.depth = p->depth,
		.alpn = p->wraps < WRAPS_MAX ? bytes_of(p->alpn, p->alpn_n) : bytes_str("?"),
		.late = p->late,
		.streams = p->streams,
	};

	p->state = PEEL_TALK;
	if (!p->starttls)
		p->starttls = mem_new(sizeof(*p->starttls));
	if (p->above && p->starttls)
		return true;
	if (!p->starttls || observe_layer_new(&o, &p->above, NULL) < 0) {
		die(p, at);
		return false;
	}
	return true;
}

static void look(struct peel *p, enum flow_dir dir, struct bytes in, struct tap_at at);

/* What was held of a direction goes where it belongs now. */
static void pass_held(struct peel *p, enum flow_dir dir, struct tap_at at)
{
	struct buf b = release(p, dir);

	if (b.n)
		layer_feed(&p->layer, dir, buf_bytes(&b), at);
	buf_fini(&b);
}

/* in, which is not held, begins TLS. */
static void become_tls(struct peel *p, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	if (!begin_session(p, at))
		return;
	tell_gaps(p, at);
	if (dir == DIR_DOWN)
		pass_held(p, DIR_UP, at);
	layer_feed(p->above, dir, in, at);
	if (dir == DIR_UP)
		pass_held(p, DIR_DOWN, at);
	tell_ends(p, at);
}

/* in, which is not held, is plaintext. */
static void become_plain(struct peel *p, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	if (!begin_observer(p, at))
		return;
	tell_gaps(p, at);
	pass_held(p, other(dir), at);
	layer_feed(&p->layer, dir, in, at);
	tell_ends(p, at);
}

static void note_proxy(struct peel *p, const struct proxyproto *header, struct tap_at at)
{
	char source[ADDR_TEXT_MAX], destination[ADDR_TEXT_MAX];

	if (header->source.family == ADDR_NONE)
		tap_note(p->flow, at, "a PROXY protocol header (version %u) that names nobody",
			 header->version);
	else
		tap_note(p->flow, at, "by the PROXY protocol (version %u) this is %s to %s",
			 header->version, addr_text(&header->source, source),
			 addr_text(&header->destination, destination));
}

/* A header in front; what follows is looked at as if it came first. */
static void take_proxy(struct peel *p, struct bytes all, struct tap_at at)
{
	struct proxyproto header;
	size_t used = 0;

	if (proxyproto_parse(all, &header, &used, NULL) != PROXYPROTO_DONE)
		return;
	p->wraps++;
	note_proxy(p, &header, at);
	if (used < all.n)
		look(p, DIR_UP, bytes_slice(all, used, all.n), at);
}

static void give_up_socks(struct peel *p, struct tap_at at)
{
	if (!begin_observer(p, at))
		return;
	tell_gaps(p, at);
	pass_held(p, DIR_UP, at);
	pass_held(p, DIR_DOWN, at);
	tell_ends(p, at);
}

static void run_socks(struct peel *p, struct tap_at at)
{
	const struct bytes in[2] = { held(p, DIR_UP), held(p, DIR_DOWN) };
	char text[HOST_TEXT_MAX];

	switch (socks_talk_run(p->socks, in)) {
	case SOCKS_TALK_MORE:
		break;
	case SOCKS_TALK_OTHER:
		give_up_socks(p, at);
		break;
	case SOCKS_TALK_DONE:
		tap_note(p->flow, at, "a SOCKS tunnel to %s", host_text(&p->socks->target, text));
		p->state = PEEL_LOOK;
		p->wraps++;
		for (int dir = DIR_UP; dir <= DIR_DOWN; dir++) {
			buf_take(&p->sides[dir].held, p->socks->used[dir]);
			p->flow->shared->held -= p->socks->used[dir];
		}
		pass_held(p, DIR_UP, at);
		pass_held(p, DIR_DOWN, at);
		break;
	}
}

static void socks(struct peel *p, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	if (hold(p, dir, in)) {
		run_socks(p, at);
		return;
	}
	give_up_socks(p, at);
	layer_feed(&p->layer, dir, in, at);
}

static void begin_socks(struct peel *p, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	forget_talk(p);
	p->socks = mem_new(sizeof(*p->socks));
	if (!p->socks) {
		die(p, at);
		return;
	}
	p->state = PEEL_SOCKS;
	socks(p, dir, in, at);
}

/* Acts on what all the bytes of a direction so far are; they are not held. */
static void decide(struct peel *p, enum flow_dir dir, struct bytes all, struct tap_at at)
{
	const struct peel_first first = {
		.dir = dir,
		.late = p->late,
		.tls = p->depth < TAP_DEPTH_MAX,
		.outer = p->depth == 0,
		.wrapped = p->wraps < WRAPS_MAX,
	};
	size_t skip = 0;

	switch (peel_look(&first, all, &skip)) {
	case LOOK_MORE:
		/* The bodies of HTTP need not wait. */
		if ((p->above && observe_layer_proto(p->above) == PROTO_HTTP1) ||
		    !hold(p, dir, all))
			become_plain(p, dir, all, at);
		break;
	case LOOK_TLS:
		become_tls(p, dir, bytes_slice(all, skip, all.n), at);
		break;
	case LOOK_PROXY:
		take_proxy(p, all, at);
		break;
	case LOOK_SOCKS:
		begin_socks(p, dir, all, at);
		break;
	case LOOK_PLAIN:
		become_plain(p, dir, all, at);
		break;
	}
}

static void look(struct peel *p, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	struct buf b;

	if (held(p, dir).n == 0) {
		decide(p, dir, in, at);
		return;
	}
	if (!hold(p, dir, in)) {
		b = release(p, dir);
		become_plain(p, dir, buf_bytes(&b), at);
		buf_fini(&b);
		layer_feed(&p->layer, dir, in, at);
		return;
	}
	b = release(p, dir);
	decide(p, dir, buf_bytes(&b), at);
	buf_fini(&b);
}

/* To the observer; and when that finds that HTTP/1.1 leads to something else, what follows is looked
 * at as if it came first. */
static void say(struct peel *p, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	struct bytes rest;

	starttls_feed(p->starttls, dir, in);
	p->said += in.n;
	layer_feed(p->above, dir, in, at);
	if (!observe_layer_tunnel(p->above, &rest))
		return;
	drop_observer(p, at);
	p->state = PEEL_LOOK;
	p->wraps++;
	p->late = false;
	p->alpn_n = 0;
	p->said = 0;
	forget_talk(p);
	if (rest.n)
		look(p, dir, rest, at);
}

/* Whether TLS can still begin, and where. */
static bool may_become_tls(struct peel *p)
{
	enum flow_proto proto = observe_layer_proto(p->above);

	return p->depth < TAP_DEPTH_MAX && p->said < PEEL_HELD_MAX &&
	       (proto == PROTO_UNKNOWN || proto == PROTO_BYTES);
}

/* in may begin with a ClientHello; nothing is held. */
static void talk_hello(struct peel *p, struct bytes in, struct tap_at at)
{
	switch (peel_look_hello(in)) {
	case LOOK_TLS:
		if (!starttls_waits(p->starttls)) {
			become_tls(p, DIR_UP, in, at);
			return;
		}
		break;
	case LOOK_MORE:
		break;
	default:
		say(p, DIR_UP, in, at);
		return;
	}
	if (!hold(p, DIR_UP, in))
		say(p, DIR_UP, in, at);
}

static void talk_up(struct peel *p, struct bytes in, struct tap_at at)
{
	size_t before = starttls_before(p->starttls, in);

	if (before)
		say(p, DIR_UP, bytes_slice(in, 0, before), at);
	if (before < in.n && p->state == PEEL_TALK)
		talk_hello(p, bytes_slice(in, before, in.n), at);
	else if (before < in.n)
		layer_feed(&p->layer, DIR_UP, bytes_slice(in, before, in.n), at);
}

/* More of what may be a ClientHello. */
static void talk_more(struct peel *p, struct bytes in, struct tap_at at)
{
	bool kept = hold(p, DIR_UP, in);
	struct buf b = release(p, DIR_UP);

	if (kept) {
		talk_hello(p, buf_bytes(&b), at);
	} else {
		say(p, DIR_UP, buf_bytes(&b), at);
		layer_feed(&p->layer, DIR_UP, in, at);
	}
	buf_fini(&b);
}

static void talk(struct peel *p, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	enum flow_proto proto = observe_layer_proto(p->above);

	if (proto == PROTO_HTTP1) {
		say(p, dir, in, at);
	} else if (held(p, DIR_UP).n && dir == DIR_UP) {
		talk_more(p, in, at);
	} else if (held(p, DIR_UP).n) {
		/* The answer for which a hello waits, or a server that speaks out of turn. */
		say(p, dir, in, at);
		if (!starttls_waits(p->starttls))
			pass_held(p, DIR_UP, at);
	} else if (!may_become_tls(p)) {
		p->state = PEEL_PASS;
		layer_feed(p->above, dir, in, at);
	} else if (dir == DIR_UP) {
		talk_up(p, in, at);
	} else {
		say(p, dir, in, at);
	}
}

static void on_feed(struct layer *l, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	struct peel *p = LIST_OWNER(l, struct peel, layer);

	if (in.n == 0)
		return;
	switch (p->state) {
	case PEEL_LOOK:
		look(p, dir, in, at);
		break;
	case PEEL_SOCKS:
		socks(p, dir, in, at);
		break;
	case PEEL_TALK:
		talk(p, dir, in, at);
		break;
	case PEEL_PASS:
		layer_feed(p->above, dir, in, at);
		break;
	case PEEL_DEAD:
		break;
	}
}

/* What is held of a direction can wait no longer. */
static void flush(struct peel *p, enum flow_dir dir, struct tap_at at)
{
	if (p->state == PEEL_SOCKS)
		give_up_socks(p, at);
	/* Once undecided, it may be held a second time, as what could follow plaintext. */
	while (held(p, dir).n) {
		struct buf b = release(p, dir);

		if (p->state == PEEL_TALK)
			say(p, dir, buf_bytes(&b), at);
		else
			become_plain(p, dir, buf_bytes(&b), at);
		buf_fini(&b);
	}
}

static void on_gap(struct layer *l, enum flow_dir dir, uint64_t n, bool truncated, struct tap_at at)
{
	struct peel *p = LIST_OWNER(l, struct peel, layer);

	flush(p, dir, at);
	if (p->above) {
		layer_gap(p->above, dir, n, truncated, at);
	} else {
		p->sides[dir].gap += n;
		p->sides[dir].gap_truncated |= truncated;
	}
	/* TLS may have begun in what is missing. */
	if (p->state == PEEL_TALK && p->said < PEEL_HELD_MAX)
		p->state = PEEL_LOOK;
	p->late = true;
}

static void on_end(struct layer *l, enum flow_dir dir, enum leg_end how, struct tap_at at)
{
	struct peel *p = LIST_OWNER(l, struct peel, layer);

	flush(p, dir, at);
	p->sides[dir].ended = true;
	p->sides[dir].how = how;
	tell_ends(p, at);
}

static void on_secrets(struct layer *l, struct tap_at at)
{
	struct peel *p = LIST_OWNER(l, struct peel, layer);

	if (p->above)
		layer_secrets(p->above, at);
}

static void on_free(struct layer *l)
{
	struct peel *p = LIST_OWNER(l, struct peel, layer);
	struct buf up = release(p, DIR_UP), down = release(p, DIR_DOWN);

	buf_fini(&up);
	buf_fini(&down);
	layer_free(p->above);
	forget_talk(p);
	mem_free(p);
}

static const struct layer_ops ops = {
	.feed = on_feed,
	.gap = on_gap,
	.end = on_end,
	.secrets = on_secrets,
	.free = on_free,
};

int peel_new(const struct peel_options *o, struct layer **out, struct err *e)
{
	struct peel *p = mem_new(sizeof(*p));
	struct bytes alpn = bytes_slice(o->alpn, 0, sizeof(p->alpn));

	if (!p)
		return FAIL(e, NOMEM, "a connection");
	p->layer.ops = &ops;
	p->flow = o->flow;
	p->depth = o->depth;
	p->late = o->late;
	p->alpn_n = (uint8_t)alpn.n;
	if (alpn.n)
		memcpy(p->alpn, alpn.p, alpn.n);
	p->sides[DIR_UP].held = buf_init(PEEL_HELD_MAX);
	p->sides[DIR_DOWN].held = buf_init(PEEL_HELD_MAX);
	*out = &p->layer;
	return 0;
}
