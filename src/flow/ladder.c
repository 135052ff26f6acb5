#include "flow/ladder.h"

#include "base/list.h"
#include "base/mem.h"
#include "flow/ladder_carry.h"
#include "flow/table.h"
#include "flow/text_part.h"
#include "wire/alert.h"
#include "wire/handshake.h"
#include "wire/packet.h"
#include "wire/record.h"

#define MAX_FLOWS 16384
#define MAX_TEXT ((size_t)64 * 1024)
#define CARRY_MAX 16384
#define DEPTH_MAX 4
#define LANE 38 /* columns between client and server */

struct rungs {
	struct table_node node; /* by flow */
	struct list all;
	struct addr client, server;
	int64_t wall_ns, start_ns, last_ns; /* of the first packet; of the last step */
	uint64_t steps;
	uint64_t last_step[2]; /* by direction, 0: none */
	uint64_t finished[2], first_data[2];
	bool update_asked[2]; /* by the other side's KeyUpdate */
	bool tls, encrypted[2];
	bool data_seen[2][2]; /* by direction; before and after TLS began */
	bool ended, full;
	enum leg_end how;
	struct ladder_known known[DEPTH_MAX]; /* TLS inside TLS agrees on its own */
	struct buf text;
};

struct ladder {
	struct ladder_options o;
	struct text_options text; /* for text_part.h */
	struct table flows;
	struct list all;
	struct buf carry; /* what the step under way carries */
	struct ladder_stats stats;
};

/* Which step leads to another. */
enum because {
	OF_LAST,     /* the other side's last one, if it came after this side's last; else that */
	OF_OWN,	     /* this side's last one */
	OF_FINISHED, /* the other side's Finished */
	OF_DATA,     /* the other side's first data */
};

/* A step to be shown. */
struct rung {
	const char *name;
	const char *purpose;
	bool encrypted, bad;
	enum text_paint paint;
	enum because because;
};

static size_t or_default(size_t value, size_t otherwise)
{
	return value ? value : otherwise;
}

int ladder_new(const struct ladder_options *o, struct ladder **out, struct err *e)
{
	struct ladder *l = mem_new(sizeof(*l));

	if (!l)
		return FAIL(e, NOMEM, "the ladder of handshakes");
	l->o = *o;
	l->o.max_flows = or_default(o->max_flows, MAX_FLOWS);
	l->o.max_text = or_default(o->max_text, MAX_TEXT);
	l->text = (struct text_options){ .colour = o->colour, .utc_offset_s = o->utc_offset_s };
	l->carry = buf_init(CARRY_MAX);
	list_init(&l->all);
	if (table_init(&l->flows, e) < 0) {
		mem_free(l);
		return -1;
	}
	*out = l;
	return 0;
}

static void drop(struct ladder *l, struct rungs *f)
{
	table_remove(&l->flows, &f->node);
	list_remove(&f->all);
	buf_fini(&f->text);
	mem_free(f);
}

void ladder_free(struct ladder *l)
{
	if (!l)
		return;
	LIST_EACH (it, &l->all)
		drop(l, LIST_OWNER(it, struct rungs, all));
	table_fini(&l->flows);
	buf_fini(&l->carry);
	mem_free(l);
}

void ladder_stats(const struct ladder *l, struct ladder_stats *out)
{
	*out = l->stats;
}

static struct rungs *find(const struct ladder *l, uint64_t flow)
{
	struct table_node *n = table_find(&l->flows, flow, 0);

	return n ? LIST_OWNER(n, struct rungs, node) : NULL;
}

static void on_open(struct ladder *l, const struct event *ev)
{
	struct rungs *f;

	if ((ev->flow & FLOW_UDP) || find(l, ev->flow))
		return;
	f = l->flows.count < l->o.max_flows ? mem_new(sizeof(*f)) : NULL;
	if (!f) {
		l->stats.dropped++;
		return;
	}
	f->node.a = ev->flow;
	f->client = ev->u.flow_open.client;
	f->server = ev->u.flow_open.local;
	f->wall_ns = ev->wall_ns;
	f->start_ns = f->last_ns = ev->mono_ns;
	f->text = buf_init(l->o.max_text);
	list_init(&f->all);
	table_add(&l->flows, &f->node);
	list_add(&l->all, &f->all);
}

/* ------------------------------------------------------------------ text */

static void put_fixed_ms(struct put *w, int64_t ns, size_t width, bool plus)
{
	char room[DIGITS_MAX];
	uint64_t ms = ns > 0 ? (uint64_t)ns / 1000000 : 0;
	size_t n = digits_of(ms, room).n + 4 + plus;

	put_fill(w, ' ', n < width ? width - n : 0);
	if (plus)
		put_char(w, '+');
	put_ms(w, ns);
}

static void put_dashes(struct text *t, size_t n)
{
	text_paint(t, PAINT_DIM);
	while (n--)
		put_str(&t->w, "─");
	text_paint(t, PAINT_OFF);
}

static void put_step_name(struct text *t, const struct rung *r)
{
	text_paint(t, r->paint);
	put_str(&t->w, r->encrypted ? "{" : "");
	put_str(&t->w, r->name);
	put_str(&t->w, r->encrypted ? "}" : "");
	text_paint(t, PAINT_OFF);
}

static void put_arrow(struct text *t, const struct rung *r, enum flow_dir dir)
{
	size_t n = strlen(r->name) + 2 * r->encrypted;
	size_t dashes = n + 3 < LANE ? LANE - 2 - n : 1;

	if (dir == DIR_UP) {
		put_step_name(t, r);
		put_char(&t->w, ' ');
		put_dashes(t, dashes);
		put_str(&t->w, "▶");
	} else {
		put_str(&t->w, "◀");
		put_dashes(t, dashes);
		put_char(&t->w, ' ');
		put_step_name(t, r);
	}
}

/* Which step led to this one; 0: none that is known. */
static uint64_t cause(const struct rungs *f, enum flow_dir dir, const struct rung *r, bool *answers)
{
	uint64_t own = f->last_step[dir], other = f->last_step[!dir];

	uint64_t known = 0;

	if (r->because == OF_FINISHED)
		known = f->finished[!dir];
	else if (r->because == OF_DATA)
		known = f->first_data[!dir];
	*answers = known || (other > own && r->because != OF_OWN);
	if (known)
		return known;
	return *answers ? other : own;
}

static void put_cause(struct text *t, const struct rungs *f, enum flow_dir dir,
		      const struct rung *r)
{
	bool answers;
	uint64_t step = cause(f, dir, r, &answers);

	if (!step)
		return;
	text_paint(t, PAINT_DIM);
	put_str(&t->w, answers ? "  answers " : "  after ");
	put_u64(&t->w, step);
	text_paint(t, PAINT_OFF);
}

static void text_step(struct ladder *l, struct rungs *f, const struct event *ev,
		      const struct rung *r)
{
	struct text t = text_begin(&f->text, &l->text, NULL);

	text_right_number(&t, f->steps, 4);
	put_fixed_ms(&t.w, ev->mono_ns - f->start_ns, 10, false);
	text_paint(&t, PAINT_DIM);
	put_fixed_ms(&t.w, ev->mono_ns - f->last_ns, 11, f->steps > 1);
	text_paint(&t, PAINT_OFF);
	put_str(&t.w, "  ");
	put_arrow(&t, r, ev->dir);
	put_cause(&t, f, ev->dir, r);
	if (ev->depth)
		put_str(&t.w, "  (TLS in TLS)");
	if (r->bad)
		put_str(&t.w, "  malformed");
	if (l->carry.n) {
		put_str(&t.w, "  ");
		put_escaped(&t.w, buf_bytes(&l->carry));
	}
	put_char(&t.w, '\n');
	if (l->o.explain && r->purpose && *r->purpose) {
		text_paint(&t, PAINT_DIM);
		put_fill(&t.w, ' ', 28);
		put_str(&t.w, r->purpose);
		text_paint(&t, PAINT_OFF);
		put_char(&t.w, '\n');
	}
	if (put_end(&t.w) < 0) {
		f->full = true;
		l->stats.dropped++;
	}
}

/* A line that is no step. */
static void remark(struct ladder *l, struct rungs *f, enum text_paint paint, struct bytes sentence)
{
	struct text t = text_begin(&f->text, &l->text, NULL);

	if (l->o.json || f->full)
		return;
	put_fill(&t.w, ' ', 28);
	text_paint(&t, paint);
	put_escaped(&t.w, sentence);
	text_paint(&t, PAINT_OFF);
	put_char(&t.w, '\n');
	if (put_end(&t.w) < 0)
		f->full = true;
}

static void show(struct ladder *l, const struct rungs *f, uint64_t flow)
{
	struct text t = text_begin(l->o.out, &l->text, NULL);

	text_paint(&t, PAINT_BOLD);
	put_str(&t.w, "flow ");
	put_flow(&t.w, flow);
	text_paint(&t, PAINT_OFF);
	put_str(&t.w, "  ");
	put_addr(&t.w, &f->client, true);
	put_str(&t.w, " → ");
	put_addr(&t.w, &f->server, true);
	put_str(&t.w, "  ");
	put_clock(&t.w, f->wall_ns, l->o.utc_offset_s);
	put_str(&t.w, "  times in ms; {…} is encrypted\n");
	text_paint(&t, PAINT_DIM);
	put_str(&t.w, "step        at       step  client");
	put_fill(&t.w, ' ', LANE - 12);
	put_str(&t.w, "server");
	text_paint(&t, PAINT_OFF);
	put_char(&t.w, '\n');
	put_bytes(&t.w, buf_bytes(&f->text));
	if (f->full)
		put_str(&t.w, "  … more steps than are kept\n");
	put_char(&t.w, '\n');
	if (put_end(&t.w) < 0)
		l->stats.dropped++;
}

/* ------------------------------------------------------------------ JSON */

static void put_word(struct put *w, const char *name, const char *word)
{
	put_key(w, name);
	put_json(w, bytes_str(word));
}

static void put_number(struct put *w, const char *name, uint64_t n)
{
	put_key(w, name);
	put_u64(w, n);
}

static void put_who(struct put *w, const struct event *ev)
{
	put_str(w, "{\"v\":1,\"type\":\"handshake\",\"time\":\"");
	put_time(w, ev->wall_ns);
	put_str(w, "\",\"flow\":");
	put_flow(w, ev->flow);
	put_number(w, "packet", ev->packet);
}

static void json_step(struct ladder *l, struct rungs *f, const struct event *ev,
		      const struct rung *r)
{
	struct put w = put_init(l->o.out, NULL);
	bool answers;
	uint64_t step = cause(f, ev->dir, r, &answers);

	if (l->o.wanted && !l->o.wanted(l->o.ctx, ev->flow))
		return;
	put_who(&w, ev);
	put_number(&w, "step", f->steps);
	if (step)
		put_number(&w, answers ? "answers" : "after", step);
	put_word(&w, "direction", ev->dir == DIR_UP ? "up" : "down");
	put_word(&w, "message", r->name);
	put_key(&w, "encrypted");
	put_str(&w, r->encrypted ? "true" : "false");
	if (ev->depth)
		put_number(&w, "depth", ev->depth);
	put_key(&w, "at_ms");
	put_ms(&w, ev->mono_ns - f->start_ns);
	put_key(&w, "step_ms");
	put_ms(&w, ev->mono_ns - f->last_ns);
	if (l->carry.n) {
		put_key(&w, "carries");
		put_json(&w, buf_bytes(&l->carry));
	}
	put_str(&w, "}\n");
	if (put_end(&w) < 0)
		l->stats.dropped++;
}

/* ----------------------------------------------------------------- steps */

/* l->carry is what it carries. */
static void step(struct ladder *l, struct rungs *f, const struct event *ev, const struct rung *r)
{
	f->steps++;
	if (l->o.json)
		json_step(l, f, ev, r);
	else if (f->full)
		l->stats.dropped++;
	else
		text_step(l, f, ev, r);
	f->last_step[ev->dir] = f->steps;
	f->last_ns = ev->mono_ns;
	buf_clear(&l->carry);
}

static struct put carry(struct ladder *l)
{
	buf_clear(&l->carry);
	return put_init(&l->carry, NULL);
}

static void on_tcp(struct ladder *l, struct rungs *f, const struct event *ev)
{
	uint8_t flags = ev->u.tcp.flags;
	struct rung r = { .paint = PAINT_OFF };

	if (flags & TCP_RST) {
		r = (struct rung){ "RST", "the connection is broken off", .paint = PAINT_RED };
	} else if (flags & TCP_SYN) {
		r.name = flags & TCP_ACK ? "SYN, ACK" : "SYN";
		r.purpose = flags & TCP_ACK ? "somebody listens there, and agrees"
					    : "asks for a connection of TCP";
	} else if (flags & TCP_FIN) {
		r.name = "FIN";
		r.purpose = "the sender has nothing more to say";
	} else {
		r.name = "ACK";
		r.purpose = "the connection of TCP stands";
	}
	step(l, f, ev, &r);
}

static bool is_handshake(const struct ev_handshake_message *m, uint8_t type)
{
	return m->content == RECORD_HANDSHAKE && m->type == type;
}

/* A ticket of TLS 1.3 comes when the client's Finished was seen, whatever else was said meanwhile;
 * keys are changed when one likes to, or is asked to. */
static enum because because_of(const struct rungs *f, const struct event *ev)
{
	const struct ev_handshake_message *m = &ev->u.handshake_message;

	if (is_handshake(m, HANDSHAKE_NEW_SESSION_TICKET))
		return OF_FINISHED;
	if (is_handshake(m, HANDSHAKE_KEY_UPDATE) && !f->update_asked[ev->dir])
		return OF_OWN;
	return OF_LAST;
}

static void note_message(struct rungs *f, const struct event *ev)
{
	const struct ev_handshake_message *m = &ev->u.handshake_message;

	f->tls = true;
	f->encrypted[ev->dir] |= m->encrypted || m->content == RECORD_CHANGE_CIPHER_SPEC;
	if (is_handshake(m, HANDSHAKE_FINISHED))
		f->finished[ev->dir] = f->steps + 1;
	if (is_handshake(m, HANDSHAKE_KEY_UPDATE)) {
		f->update_asked[!ev->dir] = m->raw.n == HANDSHAKE_HEADER_SIZE + 1 &&
					    m->raw.p[HANDSHAKE_HEADER_SIZE] == 1;
		f->update_asked[ev->dir] = false;
	}
}

static void on_message(struct ladder *l, struct rungs *f, const struct event *ev)
{
	const struct ev_handshake_message *m = &ev->u.handshake_message;
	struct put w = carry(l);
	struct ladder_known *known = &f->known[ev->depth < DEPTH_MAX ? ev->depth : DEPTH_MAX - 1];
	struct rung r = {
		.name = ladder_name(m),
		.encrypted = m->encrypted,
		.bad = m->bad,
		.paint = PAINT_BOLD,
		.because = because_of(f, ev),
	};

	ladder_carries(&w, m, known);
	(void)!put_end(&w);
	r.purpose = ladder_purpose(m, known);
	note_message(f, ev);
	step(l, f, ev, &r);
}

static void on_alert(struct ladder *l, struct rungs *f, const struct event *ev)
{
	uint8_t code = ev->u.alert.description;
	struct put w = carry(l);
	struct rung r = {
		.name = code ? "alert" : "close_notify",
		.purpose = code ? "" : "the sender has nothing more to say, and nobody cut it off",
		.encrypted = f->encrypted[ev->dir],
		.paint = code ? PAINT_RED : PAINT_OFF,
	};

	if (code) {
		put_str(&w, ev->u.alert.level == ALERT_FATAL ? "fatal " : "");
		put_str(&w, alert_name(code));
		put_str(&w, ": ");
		put_str(&w, alert_meaning(code));
	}
	(void)!put_end(&w);
	step(l, f, ev, &r);
}

/* The first of each direction, before and after TLS began. */
static void on_data(struct ladder *l, struct rungs *f, const struct event *ev)
{
	bool *seen = &f->data_seen[ev->dir][f->tls];
	struct rung r = {
		.name = f->tls ? "application data" : "data in plaintext",
		.purpose = f->tls ? "what the connection is for" : "",
		.encrypted = f->tls,
		.paint = PAINT_GREEN,
		.because = OF_DATA,
	};
	struct put w;

	if (*seen)
		return;
	*seen = true;
	if (f->tls)
		f->first_data[ev->dir] = f->steps + 1;
	w = carry(l);
	put_str(&w, "the first ");
	put_u64(&w, ev->u.data.data.n);
	put_str(&w, " bytes");
	(void)!put_end(&w);
	step(l, f, ev, &r);
}

static void on_gap(struct ladder *l, struct rungs *f, const struct event *ev)
{
	struct put w = carry(l);

	put_u64(&w, ev->u.gap.bytes);
	put_str(&w, ev->dir == DIR_UP ? " bytes of the client" : " bytes of the server");
	put_str(&w, " are not in the capture");
	(void)!put_end(&w);
	remark(l, f, PAINT_YELLOW, buf_bytes(&l->carry));
	buf_clear(&l->carry);
}

static void on_dark(struct ladder *l, struct rungs *f, const struct event *ev)
{
	remark(l, f, PAINT_YELLOW, ev->u.dark.reason);
}

static void on_leg_end(struct ladder *l, struct rungs *f, const struct event *ev)
{
	(void)l;
	f->ended = true;
	f->how = ev->u.leg_end.how;
}

static void on_end(struct ladder *l, struct rungs *f, const struct event *ev)
{
	const struct ev_flow_end *end = &ev->u.flow_end;
	bool wanted = f->steps && !l->o.json;

	if (end->open || !f->ended)
		remark(l, f, PAINT_DIM, bytes_str("the capture ends before the connection"));
	else if (f->how == END_CLEAN)
		remark(l, f, PAINT_DIM, bytes_str("the connection ended in order"));
	else
		remark(l, f, PAINT_RED,
		       bytes_str(f->how == END_RESET
					 ? "the connection was reset"
					 : "the connection ended without close_notify"));
	if (end->reason.n)
		remark(l, f, PAINT_RED, end->reason);
	if (wanted && (!l->o.wanted || l->o.wanted(l->o.ctx, ev->flow)))
		show(l, f, ev->flow);
	drop(l, f);
}

static void ladder_on_event(void *ladder, const struct event *ev)
{
	static void (*const on[EV_COUNT])(struct ladder * l, struct rungs * f,
					  const struct event *ev) = {
		[EV_TCP] = on_tcp,	   [EV_HANDSHAKE_MESSAGE] = on_message,
		[EV_ALERT] = on_alert,	   [EV_DATA] = on_data,
		[EV_GAP] = on_gap,	   [EV_DARK] = on_dark,
		[EV_LEG_END] = on_leg_end, [EV_FLOW_END] = on_end,
	};
	struct ladder *l = ladder;
	struct rungs *f;

	if (ev->type == EV_FLOW_OPEN) {
		on_open(l, ev);
		return;
	}
	f = ev->type < EV_COUNT && on[ev->type] ? find(l, ev->flow) : NULL;
	if (f)
		on[ev->type](l, f, ev);
}

struct event_sink ladder_sink(struct ladder *l)
{
	return (struct event_sink){
		.mask = EV_BIT(EV_FLOW_OPEN) | EV_BIT(EV_TCP) | EV_BIT(EV_HANDSHAKE_MESSAGE) |
			EV_BIT(EV_ALERT) | EV_BIT(EV_DATA) | EV_BIT(EV_GAP) | EV_BIT(EV_DARK) |
			EV_BIT(EV_LEG_END) | EV_BIT(EV_FLOW_END),
		.on_event = ladder_on_event,
		.ctx = l,
	};
}
