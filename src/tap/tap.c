#include "tap/tap.h"

#include <stdlib.h>

#include "base/cache.h"
#include "base/mem.h"
#include "tap/conn.h"
#include "tap/sessions.h"
#include "wire/record.h"

#define QUEUE_MAX (32 * 1024 * 1024)
#define HELD_MAX (32 * 1024 * 1024)
#define LATE_MAX (64 * 1024 * 1024) /* secrets that come with the packets */
#define PLAIN_MAX (RECORD_CIPHER_MAX_12 + 1024)
#define PROCESSES_MAX 4096

struct tap {
	struct tap_shared shared;
	struct stream_pool pool;
	struct table flows;
	struct list open[2]; /* of struct conn, in the order of their numbers: TCP, UDP */
	struct sessions *own_sessions;
	struct tap_sessions own;
	struct cache *processes;	   /* name by pid */
	const struct keylog_secret *heard; /* the last of the late ones that flows have heard of */
	struct conn **woken;		   /* by number; up to next_woken they have heard of them */
	size_t woken_count, woken_cap, next_woken;
	struct tap_stats stats;
};

static void own_put(void *ctx, struct bytes key, struct bytes master, struct tap_at at)
{
	sessions_put(ctx, key, master, at.packet);
}

static bool own_find(void *ctx, struct bytes key, struct tap_at at, uint8_t master[MASTER_SIZE])
{
	return sessions_find(ctx, key, at.packet, master);
}

static int sessions_init(struct tap *t, const struct tap_options *o, struct err *e)
{
	t->shared.sessions = o->sessions;
	if (o->sessions)
		return 0;
	if (sessions_new(&t->own_sessions, e) < 0)
		return -1;
	t->own = (struct tap_sessions){ own_put, own_find, t->own_sessions };
	t->shared.sessions = &t->own;
	return 0;
}

static int tap_init(struct tap *t, const struct tap_options *o, struct err *e)
{
	struct cache_options processes = { .max_entries = PROCESSES_MAX, .free_value = mem_free };
	uint8_t *room;

	t->pool.max = o->max_queue ? o->max_queue : QUEUE_MAX;
	t->shared = (struct tap_shared){
		.bus = o->bus,
		.known = o->known,
		.secrets_may_come = o->secrets_may_come,
		.rsa_keys = o->rsa_keys,
		.rsa_key_count = o->rsa_key_count,
		.psk = o->psk,
		.trials_left = o->max_trials ? o->max_trials : TAP_TRIALS_FILE,
		.held_max = o->max_held ? o->max_held : HELD_MAX,
		.plain = buf_init(PLAIN_MAX),
	};
	list_init(&t->shared.waiting);
	list_init(&t->open[0]);
	list_init(&t->open[1]);
	if (table_init(&t->flows, e) < 0 || table_init(&t->shared.wanted, e) < 0 ||
	    keylog_table_new(LATE_MAX, &t->shared.late, e) < 0 ||
	    cache_new(&processes, &t->processes, e) < 0)
		return -1;
	/* All of it at once: whoever decrypts writes there without asking. */
	if (buf_reserve(&t->shared.plain, PLAIN_MAX, &room, e) < 0)
		return -1;
	return sessions_init(t, o, e);
}

int tap_new(const struct tap_options *o, struct tap **out, struct err *e)
{
	struct tap *t = mem_new(sizeof(*t));

	if (!t)
		return FAIL(e, NOMEM, "a decrypt engine");
	if (tap_init(t, o, e) < 0) {
		tap_free(t);
		return -1;
	}
	*out = t;
	return 0;
}

static void drop(struct tap *t, struct conn *c)
{
	table_remove(&t->flows, &c->node);
	conn_free(c);
}

void tap_free(struct tap *t)
{
	if (!t)
		return;
	for (int udp = 0; udp < 2 && t->open[udp].next; udp++) {
		LIST_EACH (it, &t->open[udp])
			drop(t, LIST_OWNER(it, struct conn, all));
	}
	table_fini(&t->flows);
	table_fini(&t->shared.wanted);
	mem_free(t->woken);
	keylog_table_free(t->shared.late);
	cache_free(t->processes);
	sessions_free(t->own_sessions);
	buf_fini(&t->shared.plain);
	mem_free(t);
}

static struct conn *begin(struct tap *t, const struct tap_segment *s)
{
	struct conn *c;

	/* Without memory the flow is left out: its number is missing in what is shown. */
	if (conn_new(&t->shared, &t->pool, s, &c, NULL) < 0)
		return NULL;
	c->node.a = s->flow;
	c->node.b = 0;
	table_add(&t->flows, &c->node);
	list_add(&t->open[c->layer ? 0 : 1], &c->all);
	t->stats.open++;
	return c;
}

static void finish(struct tap *t, struct conn *c, bool open, struct tap_at at)
{
	conn_finish(c, open, at);
	t->stats.open--;
	t->stats.flows++;
	t->stats.encrypted += c->flow.encrypted;
	t->stats.dark += c->flow.dark;
	drop(t, c);
}

/* Says once who is at this end. */
static void tell_process(struct tap *t, struct conn *c, const struct tap_segment *s)
{
	struct event ev = { .type = EV_PROCESS, .dir = s->dir };
	const char *name;

	if (s->pid == 0 || c->side[s->dir].pid == s->pid)
		return;
	c->side[s->dir].pid = s->pid;
	name = cache_find(t->processes, bytes_of(&s->pid, sizeof(s->pid)), 0);
	ev.u.process = (struct ev_process){ .pid = s->pid, .name = bytes_str(name) };
	tap_emit(&c->flow, &ev, s->at);
}

void tap_segment(struct tap *t, const struct tap_segment *s)
{
	struct table_node *node = table_find(&t->flows, s->flow, 0);
	struct conn *c = node ? LIST_OWNER(node, struct conn, node) : NULL;

	if (!c && s->first && !s->over)
		c = begin(t, s);
	if (!c)
		return; /* it ended already */
	if (s->over) {
		finish(t, c, c->layer && !conn_has_ended(c), s->at);
		return;
	}
	tell_process(t, c, s);
	conn_segment(c, s);
	if (conn_is_over(c))
		finish(t, c, false, s->at);
}

static int wake(struct tap *t, struct tap_flow *f, struct err *e)
{
	struct conn *c = LIST_OWNER(f, struct conn, flow);

	if (c->woken)
		return 0;
	if (t->woken_count == t->woken_cap) {
		size_t cap = t->woken_cap ? t->woken_cap * 2 : 64;
		struct conn **more = mem_resize(t->woken, cap * sizeof(struct conn *));

		if (!more)
			return FAIL(e, NOMEM, "%zu flows that wait for secrets", cap);
		t->woken = more;
		t->woken_cap = cap;
	}
	c->woken = true;
	t->woken[t->woken_count++] = c;
	return 0;
}

/* Those that wait for the secrets of this client random alone. */
static int wake_wanting(struct tap *t, const struct keylog_secret *k, struct err *e)
{
	uint64_t key[2];
	struct table_node *n;

	if (k->key_n < sizeof(key))
		return 0;
	memcpy(key, k->key, sizeof(key));
	for (n = table_find(&t->shared.wanted, key[0], key[1]); n; n = n->next) {
		if (n->a == key[0] && n->b == key[1] &&
		    wake(t, LIST_OWNER(n, struct tap_flow, wanted), e) < 0)
			return -1;
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct conn *const *x = a, *const *y = b;
	uint64_t m = (*x)->flow.number, n = (*y)->flow.number;

	return (m > n) - (m < n);
}

int tap_secrets(struct tap *t, struct bytes text, struct err *e)
{
	const struct keylog_secret *k = t->heard;

	if (keylog_table_feed(t->shared.late, text, e) < 0 ||
	    keylog_table_end(t->shared.late, e) < 0)
		return -1;
	t->woken_count = t->next_woken = 0;
	LIST_EACH (it, &t->shared.waiting) {
		if (wake(t, LIST_OWNER(it, struct tap_flow, waiting), e) < 0)
			return -1;
	}
	while ((k = keylog_table_walk(t->shared.late, k))) {
		t->heard = k;
		if (wake_wanting(t, k, e) < 0)
			return -1;
	}
	if (t->woken_count > 1)
		qsort(t->woken, t->woken_count, sizeof(struct conn *), by_number);
	return 0;
}

uint64_t tap_wake(struct tap *t, struct tap_at at)
{
	struct conn *c;
	uint64_t flow;

	if (t->next_woken == t->woken_count)
		return 0;
	c = t->woken[t->next_woken++];
	c->woken = false;
	flow = c->flow.number;
	conn_secrets(c, at);
	if (conn_is_over(c))
		finish(t, c, false, at);
	return flow;
}

int tap_process(struct tap *t, int64_t pid, struct bytes name, struct err *e)
{
	char *copy = mem_dup(name);

	if (!copy)
		return FAIL(e, NOMEM, "the name of process %lld", (long long)pid);
	return cache_put(t->processes, bytes_of(&pid, sizeof(pid)), copy, 0, e);
}

uint64_t tap_finish(struct tap *t, struct tap_at at)
{
	bool udp = list_empty(&t->open[0]);
	struct conn *c;
	uint64_t flow;

	if (list_empty(&t->open[udp]))
		return 0;
	c = LIST_OWNER(t->open[udp].next, struct conn, all);
	flow = c->flow.number;
	/* A UDP flow has no end of its own. */
	finish(t, c, !udp && !conn_has_ended(c), at);
	return flow;
}

void tap_stats(const struct tap *t, struct tap_stats *out)
{
	*out = t->stats;
}
