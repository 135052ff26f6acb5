#include "proxy/key_pool.h"

#include <pthread.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "proc/file.h"
#include "proc/paths.h"

#define NS_PER_S ((int64_t)1000000000)
#define DAY_S ((int64_t)24 * 3600)
#define LOOK_EVERY_NS (600 * NS_PER_S)
#define KEY_FILE_MAX ((size_t)16 << 10)

/* In which order kinds stand in for one another: same type first, then the nearest strength. P-256
 * ends every row: it is always ready. */
static const struct {
	const char *file;
	enum key_kind instead[KEY_KIND_COUNT];
} kinds[KEY_KIND_COUNT] = {
	[KEY_P256] = { "p256.der", { KEY_P256 } },
	[KEY_P384] = { "p384.der", { KEY_P384, KEY_P256 } },
	[KEY_RSA2048] = { "rsa2048.der", { KEY_RSA2048, KEY_RSA3072, KEY_RSA4096, KEY_P256 } },
	[KEY_RSA3072] = { "rsa3072.der", { KEY_RSA3072, KEY_RSA4096, KEY_RSA2048, KEY_P256 } },
	[KEY_RSA4096] = { "rsa4096.der", { KEY_RSA4096, KEY_RSA3072, KEY_RSA2048, KEY_P256 } },
};

struct key_pool {
	struct loop *loop;
	struct loop_timer *timer;
	char dir[PATHS_MAX];
	struct pooled_key *ready[KEY_KIND_COUNT];
	uint32_t next_id;
	unsigned wanted; /* 1u << kind: to be made */
	bool making;	 /* the thread is at work */
	pthread_t thread;
	enum key_kind making_kind;
	struct pooled_key *made; /* the thread's result; NULL: it failed */
};

static void pooled_key_free(struct pooled_key *k)
{
	if (!k)
		return;
	key_pair_fini(&k->pair);
	mem_free(k);
}

static struct pooled_key *pooled_key_make(enum key_kind kind)
{
	struct pooled_key *k = mem_new(sizeof(*k));

	if (!k)
		return NULL;
	k->born_s = clock_wall_ns() / NS_PER_S;
	if (key_pair_make(kind, &k->pair, NULL) < 0) {
		mem_free(k);
		return NULL;
	}
	return k;
}

/* From its file; NULL when that is missing, too old, not safe or not a key of this kind. */
static struct pooled_key *pooled_key_load(const struct key_pool *p, enum key_kind kind)
{
	AUTO(buf_fini) struct buf der = buf_init_secret(KEY_FILE_MAX);
	struct pooled_key *k;
	char path[PATHS_MAX];
	struct stat st;

	if (paths_join(path, p->dir, kinds[kind].file, NULL) < 0 || stat(path, &st) < 0 ||
	    file_read_secret(path, &der, NULL) < 0)
		return NULL;
	k = mem_new(sizeof(*k));
	if (!k)
		return NULL;
	k->born_s = st.st_mtim.tv_sec;
	if (key_pair_load(buf_bytes(&der), &k->pair, NULL) < 0) {
		mem_free(k);
		return NULL;
	}
	if (k->pair.kind != kind || clock_wall_ns() / NS_PER_S - k->born_s > DAY_S) {
		pooled_key_free(k);
		return NULL;
	}
	return k;
}

/* A key that cannot be kept still serves: the next start makes another. */
static void pooled_key_save(const struct key_pool *p, const struct pooled_key *k)
{
	char path[PATHS_MAX];
	struct err e;

	if (paths_join(path, p->dir, kinds[k->pair.kind].file, &e) == 0 &&
	    file_write(path, buf_bytes(&k->pair.pkcs8), 0600, &e) < 0)
		return;
}

static void adopt(struct key_pool *p, struct pooled_key *k)
{
	k->id = ++p->next_id;
	pooled_key_free(p->ready[k->pair.kind]);
	p->ready[k->pair.kind] = k;
}

static void make_next(struct key_pool *p);

static void on_made(void *ctx)
{
	struct key_pool *p = ctx;

	pthread_join(p->thread, NULL);
	p->making = false;
	p->wanted &= ~(1u << p->making_kind);
	if (p->made)
		adopt(p, p->made);
	p->made = NULL;
	make_next(p);
}

static void *make_thread(void *ctx)
{
	struct key_pool *p = ctx;

	p->made = pooled_key_make(p->making_kind);
	if (p->made)
		pooled_key_save(p, p->made);
	/* Without memory for the message the pool stays as it is: the nearest ready key serves. */
	if (loop_post(p->loop, on_made, p, NULL) < 0)
		pooled_key_free(STEAL(p->made));
	return NULL;
}

static void make_next(struct key_pool *p)
{
	if (p->making || !p->wanted)
		return;
	for (unsigned kind = 0; kind < KEY_KIND_COUNT; kind++) {
		if (!(p->wanted & 1u << kind))
			continue;
		p->making_kind = (enum key_kind)kind;
		p->making = pthread_create(&p->thread, NULL, make_thread, p) == 0;
		return;
	}
}

static void want(struct key_pool *p, enum key_kind kind)
{
	p->wanted |= 1u << kind;
	make_next(p);
}

static void on_timer(void *ctx)
{
	struct key_pool *p = ctx;
	int64_t now_s = clock_wall_ns() / NS_PER_S;

	for (unsigned kind = 0; kind < KEY_KIND_COUNT; kind++) {
		if (p->ready[kind] && now_s - p->ready[kind]->born_s > DAY_S)
			want(p, (enum key_kind)kind);
	}
	loop_timer_set(p->timer, LOOK_EVERY_NS);
}

static int fill(struct key_pool *p, struct err *e)
{
	struct pooled_key *k;

	for (unsigned kind = 0; kind < KEY_KIND_COUNT; kind++) {
		k = pooled_key_load(p, (enum key_kind)kind);
		if (k)
			adopt(p, k);
	}
	if (!p->ready[KEY_P256]) {
		k = pooled_key_make(KEY_P256);
		if (!k)
			return FAIL(e, CRYPTO, "no P-256 key can be made");
		pooled_key_save(p, k);
		adopt(p, k);
	}
	if (!p->ready[KEY_RSA2048])
		want(p, KEY_RSA2048);
	return 0;
}

int key_pool_new(struct loop *l, const char *dir, struct key_pool **out, struct err *e)
{
	struct key_pool *p = mem_new(sizeof(*p));

	if (!p)
		return FAIL(e, NOMEM, "the pool of leaf keys");
	p->loop = l;
	if (file_make_private_dir(dir, e) < 0 || paths_join(p->dir, dir, "", e) < 0 ||
	    loop_timer_new(l, on_timer, p, &p->timer, e) < 0 || fill(p, e) < 0) {
		key_pool_free(p);
		return err_ctx(e, "the pool of leaf keys");
	}
	loop_timer_set(p->timer, LOOK_EVERY_NS);
	*out = p;
	return 0;
}

void key_pool_free(struct key_pool *p)
{
	if (!p)
		return;
	if (p->making)
		pthread_join(p->thread, NULL);
	pooled_key_free(p->made);
	for (unsigned kind = 0; kind < KEY_KIND_COUNT; kind++)
		pooled_key_free(p->ready[kind]);
	loop_timer_free(p->timer);
	mem_free(p);
}

const struct pooled_key *key_pool_get(struct key_pool *p, enum key_kind kind)
{
	if (!p->ready[kind])
		want(p, kind);
	for (size_t i = 0; i < KEY_KIND_COUNT; i++) {
		struct pooled_key *k = p->ready[kinds[kind].instead[i]];

		if (k)
			return k;
	}
	return p->ready[KEY_P256];
}
