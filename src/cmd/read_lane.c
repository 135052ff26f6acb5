#include "cmd/read_lane.h"

#include "base/mem.h"

#define LANE_OUT_MAX ((size_t)1 << 30)

struct read_lane {
	struct event_bus bus;
	struct tap *tap;
	struct read_view *view;
	struct buf out[READ_OUT_COUNT];
	size_t marked[READ_OUT_COUNT]; /* bytes of out that have their piece */
};

static int lane_init(struct read_lane *l, const struct read_options *o,
		     const struct tap_sessions *sessions, struct err *e)
{
	struct tap_options options = {
		.bus = &l->bus,
		.known = o->known,
		.secrets_may_come = o->secrets_may_come,
		.rsa_keys = o->rsa_keys,
		.rsa_key_count = o->rsa_key_count,
		.psk = buf_bytes(&o->psk),
		.max_trials = TAP_TRIALS_FILE / o->lanes,
		.sessions = sessions,
	};

	for (int i = 0; i < READ_OUT_COUNT; i++)
		l->out[i] = buf_init(LANE_OUT_MAX);
	if (read_view_new(o, &l->bus, l->out, &l->view, e) < 0)
		return -1;
	return tap_new(&options, &l->tap, e);
}

int read_lane_new(const struct read_options *o, const struct tap_sessions *sessions,
		  struct read_lane **out, struct err *e)
{
	struct read_lane *l = mem_new(sizeof(*l));

	if (!l)
		return FAIL(e, NOMEM, "a lane");
	if (lane_init(l, o, sessions, e) < 0) {
		read_lane_free(l);
		return -1;
	}
	*out = l;
	return 0;
}

void read_lane_free(struct read_lane *l)
{
	if (!l)
		return;
	tap_free(l->tap);
	read_view_free(l->view);
	for (int i = 0; i < READ_OUT_COUNT; i++)
		buf_fini(&l->out[i]);
	mem_free(l);
}

/* What was appended since the last mark belongs here. */
static int mark(struct read_lane *l, struct read_batch *b, uint64_t order, uint64_t flow,
		struct err *e)
{
	for (int i = 0; i < READ_OUT_COUNT; i++) {
		struct piece p = { .order = order, .flow = flow, .to = (enum read_out)i };

		p.n = l->out[i].n - l->marked[i];
		if (p.n == 0)
			continue;
		l->marked[i] = l->out[i].n;
		if (read_batch_piece(b, &p, e) < 0)
			return -1;
	}
	return 0;
}

static int finish(struct read_lane *l, struct read_batch *b, const struct unit *u, struct err *e)
{
	uint64_t flow;

	while ((flow = tap_finish(l->tap, u->segment.at)))
		if (mark(l, b, u->order, flow, e) < 0)
			return -1;
	return 0;
}

/* They may be of use to many flows: each says what it has to say in its place. */
static int secrets(struct read_lane *l, struct read_batch *b, const struct unit *u, struct err *e)
{
	uint64_t flow;

	if (tap_secrets(l->tap, u->text, e) < 0)
		return -1;
	while ((flow = tap_wake(l->tap, u->segment.at)))
		if (mark(l, b, u->order, flow, e) < 0)
			return -1;
	return 0;
}

static int run_unit(struct read_lane *l, struct read_batch *b, const struct unit *u, struct err *e)
{
	switch (u->kind) {
	case UNIT_SEGMENT:
		tap_segment(l->tap, &u->segment);
		break;
	case UNIT_SECRETS:
		return secrets(l, b, u, e);
	case UNIT_PROCESS:
		if (tap_process(l->tap, u->pid, u->text, e) < 0)
			return -1;
		break;
	case UNIT_FINISH:
		return finish(l, b, u, e);
	}
	return mark(l, b, u->order, u->segment.flow, e);
}

void read_lane_run(void *lane, struct read_batch *b)
{
	struct read_lane *l = lane;

	for (size_t i = 0; i < b->count && !b->failed; i++)
		b->failed = run_unit(l, b, &b->units[i], &b->e) < 0;
	if (!b->failed)
		b->failed = read_view_check(l->view, &b->e) < 0;
	for (int i = 0; i < READ_OUT_COUNT; i++) {
		struct buf filled = l->out[i];

		l->out[i] = b->out[i];
		b->out[i] = filled;
		l->marked[i] = 0;
	}
}

void read_lane_counts(const struct read_lane *l, struct read_view_counts *out)
{
	read_view_counts(l->view, out);
}
