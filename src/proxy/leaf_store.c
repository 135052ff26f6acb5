#include "proxy/leaf_store.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/cache.h"
#include "base/list.h"
#include "base/mem.h"
#include "pki/cert.h"

#define SHARDS 8
#define ISSUER_TEXT_MAX 200
/* Identities that are kept ready. */
#define READY_MAX 1024
/* So that one that is used all the time does not outlive what it was made of by much. */
#define READY_AGE_NS ((int64_t)600 * 1000000000)

struct leaf_entry {
	struct leaf leaf; /* first: a leaf is given out as its entry */
	atomic_uint count;
};

/* What a leaf is made of. */
struct sealed {
	atomic_uint count;
	struct tls_key *key;
	enum key_kind kind;
	size_t der_n, note_n;
	uint8_t p[]; /* the certificate, the note */
};

struct leaf_store {
	struct {
		pthread_mutex_t lock;
		struct cache *sealed, *ready;
	} shards[SHARDS];
};

/* --- leaves --- */

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

/* NULL when it cannot be read, or there is no memory. */
static char *issuer_of(struct bytes der)
{
	char text[ISSUER_TEXT_MAX];
	struct cert c;

	if (cert_parse(der, &c, NULL) < 0)
		return NULL;
	return mem_str(name_text(c.issuer, text, sizeof(text)));
}

int leaf_new(const struct leaf_source *from, struct leaf **out, struct err *e)
{
	const struct keeper_message *m = from->m;
	struct leaf_entry *en = mem_new(sizeof(*en));

	if (!en)
		return FAIL(e, NOMEM, "a minted certificate");
	atomic_init(&en->count, 1);
	en->leaf.kind = m->kind;
	en->leaf.key_note = mem_dup(m->text);
	en->leaf.issuer = issuer_of(m->der);
	if (!en->leaf.key_note ||
	    tls_identity_new(&m->der, 1, from->key, &en->leaf.identity, e) < 0) {
		leaf_free(&en->leaf);
		return err_ctx(e, "a minted certificate");
	}
	*out = &en->leaf;
	return 0;
}

/* --- what they are made of --- */

static struct sealed *sealed_new(const struct leaf_source *from)
{
	const struct keeper_message *m = from->m;
	struct sealed *s = mem_new(sizeof(*s) + m->der.n + m->text.n);

	if (!s)
		return NULL;
	atomic_init(&s->count, 1);
	s->key = tls_key_ref(from->key);
	s->kind = m->kind;
	s->der_n = m->der.n;
	s->note_n = m->text.n;
	memcpy(s->p, m->der.p, m->der.n);
	if (m->text.n)
		memcpy(s->p + m->der.n, m->text.p, m->text.n);
	return s;
}

static void sealed_free(void *value)
{
	struct sealed *s = value;

	if (atomic_fetch_sub_explicit(&s->count, 1, memory_order_acq_rel) != 1)
		return;
	tls_key_free(s->key);
	mem_free(s);
}

static struct leaf *sealed_open(const struct sealed *s)
{
	struct keeper_message m = { .kind = s->kind,
				    .der = bytes_of(s->p, s->der_n),
				    .text = bytes_of(s->p + s->der_n, s->note_n) };
	struct leaf_source from = { &m, s->key };
	struct leaf *l;

	return leaf_new(&from, &l, NULL) < 0 ? NULL : l;
}

/* --- the store --- */

static void ready_free(void *value)
{
	leaf_free(value);
}

static int shard_init(struct leaf_store *s, size_t i, const struct cache_options *sealed,
		      struct err *e)
{
	size_t ready_max =
		sealed->max_entries < READY_MAX / SHARDS ? sealed->max_entries : READY_MAX / SHARDS;
	struct cache_options ready = { .max_entries = ready_max,
				       .max_age_ns = READY_AGE_NS,
				       .free_value = ready_free };

	pthread_mutex_init(&s->shards[i].lock, NULL);
	if (cache_new(sealed, &s->shards[i].sealed, e) < 0)
		return -1;
	return cache_new(&ready, &s->shards[i].ready, e);
}

int leaf_store_new(size_t max_leaves, int64_t max_age_ns, struct leaf_store **out, struct err *e)
{
	struct cache_options o = { .max_entries = max_leaves / SHARDS + 1,
				   .max_age_ns = max_age_ns,
				   .free_value = sealed_free };
	struct leaf_store *s = mem_new(sizeof(*s));

	if (!s)
		return FAIL(e, NOMEM, "the store of minted certificates");
	for (size_t i = 0; i < SHARDS; i++) {
		if (shard_init(s, i, &o, e) < 0) {
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
	for (size_t i = 0; i < SHARDS; i++) {
		cache_free(s->shards[i].ready);
		cache_free(s->shards[i].sealed);
	}
	mem_free(s);
}

size_t leaf_store_count(struct leaf_store *s)
{
	size_t count = 0;

	for (size_t i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&s->shards[i].lock);
		count += cache_count(s->shards[i].sealed);
		pthread_mutex_unlock(&s->shards[i].lock);
	}
	return count;
}

static size_t shard_of(const struct sha256 *asked)
{
	return asked->b[0] % SHARDS;
}

static void put_ready(struct leaf_store *s, const struct sha256 *asked, struct leaf *l,
		      int64_t now_ns)
{
	size_t i = shard_of(asked);
	int kept;

	pthread_mutex_lock(&s->shards[i].lock);
	kept = cache_put(s->shards[i].ready, sha256_bytes(asked), leaf_ref(l), now_ns, NULL);
	pthread_mutex_unlock(&s->shards[i].lock);
	(void)kept;
}

/* An identity is made without the lock, for which others need not wait. Two lanes that need the same
 * one in the same moment both make it. */
struct leaf *leaf_store_find(struct leaf_store *s, const struct sha256 *asked, int64_t now_ns)
{
	size_t i = shard_of(asked);
	struct sealed *sealed = NULL;
	struct leaf *l;

	pthread_mutex_lock(&s->shards[i].lock);
	l = cache_find(s->shards[i].ready, sha256_bytes(asked), now_ns);
	if (l)
		leaf_ref(l);
	else
		sealed = cache_find(s->shards[i].sealed, sha256_bytes(asked), now_ns);
	if (sealed)
		atomic_fetch_add_explicit(&sealed->count, 1, memory_order_relaxed);
	pthread_mutex_unlock(&s->shards[i].lock);
	if (!sealed)
		return l;
	l = sealed_open(sealed);
	sealed_free(sealed);
	if (l)
		put_ready(s, asked, l, now_ns);
	return l;
}

void leaf_store_put(struct leaf_store *s, const struct sha256 *asked, struct leaf *l,
		    const struct leaf_source *from, int64_t now_ns)
{
	struct sealed *sealed = sealed_new(from);
	size_t i = shard_of(asked);
	int kept;

	if (!sealed)
		return;
	pthread_mutex_lock(&s->shards[i].lock);
	kept = cache_put(s->shards[i].sealed, sha256_bytes(asked), sealed, now_ns, NULL);
	pthread_mutex_unlock(&s->shards[i].lock);
	(void)kept;
	put_ready(s, asked, l, now_ns);
}
