#include "proxy/leaf.h"

#include "base/cache.h"
#include "base/list.h"
#include "base/mem.h"
#include "proxy/leaf_store.h"

#define PENDING_MAX 4096

struct pending {
	struct list node; /* in the desk */
	struct list tickets;
	struct sha256 key;
	uint32_t id;
	int64_t asked_ns;
};

struct leaf_ticket {
	struct list node; /* in its pending */
	leaf_done_fn *done;
	void *ctx;
};

struct leaf_desk {
	struct leaf_desk_options options;
	struct cache *by_key; /* of struct pending, which the list owns */
	struct list pending;
	size_t count;
	uint32_t next_id;
};

int leaf_desk_new(const struct leaf_desk_options *o, struct leaf_desk **out, struct err *e)
{
	struct leaf_desk *d = mem_new(sizeof(*d));
	struct cache_options co = { .max_entries = PENDING_MAX };

	if (!d)
		return FAIL(e, NOMEM, "a desk for minted certificates");
	d->options = *o;
	if (!d->options.max_pending || d->options.max_pending > PENDING_MAX)
		d->options.max_pending = PENDING_MAX;
	list_init(&d->pending);
	if (cache_new(&co, &d->by_key, e) < 0) {
		mem_free(d);
		return -1;
	}
	*out = d;
	return 0;
}

static void pending_free(struct leaf_desk *d, struct pending *p)
{
	list_remove(&p->node);
	cache_remove(d->by_key, sha256_bytes(&p->key));
	d->count--;
	mem_free(p);
}

void leaf_desk_free(struct leaf_desk *d)
{
	if (!d)
		return;
	LIST_EACH (it, &d->pending) {
		struct pending *p = LIST_OWNER(it, struct pending, node);

		LIST_EACH (t, &p->tickets)
			leaf_ticket_cancel(LIST_OWNER(t, struct leaf_ticket, node));
		pending_free(d, p);
	}
	cache_free(d->by_key);
	mem_free(d);
}

static int pending_start(struct leaf_desk *d, const struct leaf_ask *ask, const struct sha256 *key,
			 struct pending **out, struct err *e)
{
	struct pending *p;

	if (d->count >= d->options.max_pending)
		return FAIL(e, LIMIT, "%zu certificates are being minted already", d->count);
	p = mem_new(sizeof(*p));
	if (!p)
		return FAIL(e, NOMEM, "a request for a certificate");
	p->key = *key;
	p->id = ++d->next_id;
	p->asked_ns = ask->now_ns;
	list_init(&p->tickets);
	if (cache_put(d->by_key, sha256_bytes(key), p, ask->now_ns, e) < 0) {
		mem_free(p);
		return -1;
	}
	list_add(&d->pending, &p->node);
	d->count++;
	if (d->options.minter.send(d->options.minter.ctx, p->id, ask, e) < 0) {
		pending_free(d, p);
		return -1;
	}
	*out = p;
	return 0;
}

int leaf_desk_ask(struct leaf_desk *d, const struct leaf_ask *ask, struct leaf_reply *reply,
		  struct err *e)
{
	uint8_t mode = (uint8_t)ask->mode;
	uint8_t name_n = (uint8_t)ask->name.n;
	struct bytes parts[] = { bytes_of(&mode, 1), bytes_of(&name_n, 1), ask->name,
				 ask->origin_der };
	struct leaf_ticket *t;
	struct pending *p;
	struct sha256 key;

	if (sha256_of(parts, ARRAY_LEN(parts), &key, e) < 0)
		return -1;
	*reply =
		(struct leaf_reply){ .outcome = LEAF_READY,
				     .leaf = leaf_store_find(d->options.store, &key, ask->now_ns) };
	if (reply->leaf)
		return 0;
	t = mem_new(sizeof(*t));
	if (!t)
		return FAIL(e, NOMEM, "a request for a certificate");
	p = cache_find(d->by_key, sha256_bytes(&key), ask->now_ns);
	if (!p && pending_start(d, ask, &key, &p, e) < 0) {
		mem_free(t);
		return -1;
	}
	t->done = ask->done;
	t->ctx = ask->ctx;
	list_add(&p->tickets, &t->node);
	*reply = (struct leaf_reply){ .outcome = LEAF_WAIT, .ticket = t };
	return 0;
}

void leaf_ticket_cancel(struct leaf_ticket *t)
{
	if (!t)
		return;
	list_remove(&t->node);
	mem_free(t);
}

static struct pending *pending_find(struct leaf_desk *d, uint32_t id)
{
	LIST_EACH (it, &d->pending) {
		struct pending *p = LIST_OWNER(it, struct pending, node);

		if (p->id == id)
			return p;
	}
	return NULL;
}

/* Tells all that wait for p, each with a count of its own, and forgets p. done may ask again or
 * cancel other tickets, so that p and the ticket are out of the way before it is called. */
static void pending_settle(struct leaf_desk *d, struct pending *p, struct leaf *leaf,
			   const struct err *why)
{
	struct list waiting;

	list_init(&waiting);
	while (!list_empty(&p->tickets)) {
		struct list *first = p->tickets.next;

		list_remove(first);
		list_add(&waiting, first);
	}
	pending_free(d, p);
	while (!list_empty(&waiting)) {
		struct leaf_ticket *t = LIST_OWNER(waiting.next, struct leaf_ticket, node);
		leaf_done_fn *done = t->done;
		void *ctx = t->ctx;

		leaf_ticket_cancel(t);
		done(ctx, leaf ? leaf_ref(leaf) : NULL, why);
	}
}

void leaf_desk_answer(struct leaf_desk *d, const struct keeper_message *m, struct tls_key *key,
		      int64_t now_ns)
{
	struct pending *p = pending_find(d, m->id);
	struct leaf_source from = { m, key };
	struct leaf *leaf = NULL;
	struct err e = { 0 };

	if (!p)
		return;
	if (d->options.on_minted)
		d->options.on_minted(d->options.ctx, now_ns - p->asked_ns);
	if (leaf_new(&from, &leaf, &e) < 0) {
		pending_settle(d, p, NULL, &e);
		return;
	}
	if (!m->temporary)
		leaf_store_put(d->options.store, &p->key, leaf, &from, now_ns);
	pending_settle(d, p, leaf, NULL);
	leaf_free(leaf);
}

void leaf_desk_refuse(struct leaf_desk *d, uint32_t id, const struct err *why)
{
	struct pending *p = pending_find(d, id);

	if (p)
		pending_settle(d, p, NULL, why);
}

void leaf_desk_refuse_all(struct leaf_desk *d, const struct err *why)
{
	/* Only those of now: a flow may ask again from inside done. */
	uint32_t last = d->next_id;

	while (!list_empty(&d->pending)) {
		struct pending *p = LIST_OWNER(d->pending.next, struct pending, node);

		if (p->id > last)
			return;
		pending_settle(d, p, NULL, why);
	}
}
