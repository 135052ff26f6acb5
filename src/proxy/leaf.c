#include "proxy/leaf.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/cache.h"
#include "base/list.h"
#include "base/mem.h"
#include "crypt/hash.h"
#include "pki/cert.h"

#define SHARDS 8
#define ISSUER_TEXT_MAX 200
#define PENDING_MAX 4096

struct leaf_entry {
	struct leaf leaf; /* first: a leaf is given out as its entry */
	atomic_uint count;
};

struct leaf *leaf_ref(struct leaf *l)
{
	struct leaf_entry *en = LIST_OWNER(l, struct leaf_entry, leaf);

	atomic_fetch_add_explicit(&en->count, 1, memory_order_relaxed);
	return l;
}

void leaf_free(struct leaf *l)
{
	struct leaf_entry *en;

	if (!l)
		return;
	en = LIST_OWNER(l, struct leaf_entry, leaf);
	if (atomic_fetch_sub_explicit(&en->count, 1, memory_order_acq_rel) != 1)
		return;
	tls_identity_free(l->identity);
	mem_free(l->key_note);
	mem_free(l->issuer);
	mem_free(en);
}

static void leaf_free_value(void *value)
{
	leaf_free(value);
}

struct leaf_store {
	struct {
		pthread_mutex_t lock;
		struct cache *cache;
	} shards[SHARDS];
};

int leaf_store_new(size_t max_leaves, int64_t max_age_ns, struct leaf_store **out, struct err *e)
{
	struct cache_options o = { .max_entries = max_leaves / SHARDS + 1,
				   .max_age_ns = max_age_ns,
				   .free_value = leaf_free_value };
	struct leaf_store *s = mem_new(sizeof(*s));

	if (!s)
		return FAIL(e, NOMEM, "the store of minted certificates");
	for (size_t i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&s->shards[i].lock, NULL);
		if (cache_new(&o, &s->shards[i].cache, e) < 0) {
			leaf_store_free(s);
			return err_ctx(e, "the store of minted certificates");
		}
	}
	*out = s;
	return 0;
}

void leaf_store_free(struct leaf_store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < SHARDS; i++)
		cache_free(s->shards[i].cache);
	mem_free(s);
}

size_t leaf_store_count(struct leaf_store *s)
{
	size_t count = 0;

	for (size_t i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&s->shards[i].lock);
		count += cache_count(s->shards[i].cache);
		pthread_mutex_unlock(&s->shards[i].lock);
	}
	return count;
}

static size_t shard_of(const struct sha256 *key)
{
	return key->b[0] % SHARDS;
}

static struct leaf *store_find(struct leaf_store *s, const struct sha256 *key, int64_t now_ns)
{
	size_t i = shard_of(key);
	struct leaf *l;

	pthread_mutex_lock(&s->shards[i].lock);
	l = cache_find(s->shards[i].cache, sha256_bytes(key), now_ns);
	if (l)
		leaf_ref(l);
	pthread_mutex_unlock(&s->shards[i].lock);
	return l;
}

/* The store takes one count. That it could not be kept is no failure for those who wait. */
static void store_put(struct leaf_store *s, const struct sha256 *key, struct leaf *l,
		      int64_t now_ns)
{
	size_t i = shard_of(key);
	int kept;

	pthread_mutex_lock(&s->shards[i].lock);
	kept = cache_put(s->shards[i].cache, sha256_bytes(key), l, now_ns, NULL);
	pthread_mutex_unlock(&s->shards[i].lock);
	(void)kept;
}

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
	*reply = (struct leaf_reply){ .outcome = LEAF_READY,
				      .leaf = store_find(d->options.store, &key, ask->now_ns) };
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

/* NULL when it cannot be read, or there is no memory. */
static char *issuer_of(struct bytes der)
{
	char text[ISSUER_TEXT_MAX];
	struct cert c;

	if (cert_parse(der, &c, NULL) < 0)
		return NULL;
	return mem_str(name_text(c.issuer, text, sizeof(text)));
}

static int leaf_make(const struct keeper_message *m, struct tls_key *key, struct leaf **out,
		     struct err *e)
{
	struct leaf_entry *en = mem_new(sizeof(*en));

	if (!en)
		return FAIL(e, NOMEM, "a minted certificate");
	atomic_init(&en->count, 1);
	en->leaf.kind = m->kind;
	en->leaf.key_note = mem_dup(m->text);
	en->leaf.issuer = issuer_of(m->der);
	if (!en->leaf.key_note || tls_identity_new(&m->der, 1, key, &en->leaf.identity, e) < 0) {
		leaf_free(&en->leaf);
		return err_ctx(e, "a minted certificate");
	}
	*out = &en->leaf;
	return 0;
}

void leaf_desk_answer(struct leaf_desk *d, const struct keeper_message *m, struct tls_key *key,
		      int64_t now_ns)
{
	struct pending *p = pending_find(d, m->id);
	struct leaf *leaf = NULL;
	struct err e = { 0 };

	if (!p)
		return;
	if (d->options.on_minted)
		d->options.on_minted(d->options.ctx, now_ns - p->asked_ns);
	if (leaf_make(m, key, &leaf, &e) < 0) {
		pending_settle(d, p, NULL, &e);
		return;
	}
	if (!m->temporary)
		store_put(d->options.store, &p->key, leaf_ref(leaf), now_ns);
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
