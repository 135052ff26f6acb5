#include "proxy/keeper.h"

#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cache.h"
#include "base/mem.h"
#include "crypt/hash.h"
#include "pki/cert.h"
#include "proc/channel.h"
#include "proc/file.h"
#include "proc/paths.h"
#include "proc/sandbox.h"
#include "proxy/key_pool.h"
#include "proxy/keeper_proto.h"
#include "proxy/rate.h"
#include "wire/name.h"

#define NS_PER_S ((int64_t)1000000000)
/* More than any machine's proxies need; a worker that was taken over cannot mint without end. */
#define RATE_PER_S 5000
#define RATE_BURST 50000
#define MINTED_MAX 4096
/* A repaired mimic is valid for a week from when it was made. */
#define MINTED_AGE_NS (24 * 3600 * NS_PER_S)
#define LOG_MAX ((off_t)16 << 20)
#define LOG_BUFFER ((size_t)256 << 10)
#define LOG_LINE_MAX ((size_t)8 << 10)

/* A leaf minted lately, so that two lanes that ask for the same one cost one signature. */
struct minted {
	uint32_t key_id;
	enum key_kind kind, wanted;
	struct buf der;
	struct buf note;
};

struct keeper;

struct lane_link {
	struct keeper *keeper;
	struct channel *channel;
	uint32_t told[KEY_KIND_COUNT]; /* ids of the keys that this lane has */
};

struct keeper {
	struct loop *loop;
	struct authority *root, *twin;
	struct key_pool *pool;
	struct cache *minted;
	struct channel *control;
	struct lane_link lanes[KEEPER_LANES_MAX];
	struct rate rate; /* of minting */
	char log_path[PATHS_MAX], log_old[PATHS_MAX];
	int log_fd;
	struct buf log;
	bool log_due;
};

static void minted_free(void *value)
{
	struct minted *m = value;

	buf_fini(&m->der);
	buf_fini(&m->note);
	mem_free(m);
}

/* --- the issuance log --- */

static void log_rotate(struct keeper *k)
{
	struct stat st;

	if (fstat(k->log_fd, &st) < 0 || st.st_size < LOG_MAX)
		return;
	if (rename(k->log_path, k->log_old) < 0)
		return;
	close(k->log_fd);
	if (file_open_secret_append(k->log_path, &k->log_fd, NULL) < 0)
		k->log_fd = -1;
}

static void log_flush(void *ctx)
{
	struct keeper *k = ctx;

	k->log_due = false;
	while (k->log.n && k->log_fd >= 0) {
		ssize_t n = write(k->log_fd, k->log.p, k->log.n);

		if (n <= 0)
			break;
		buf_take(&k->log, (size_t)n);
	}
	/* What a full disk does not take is given up: minting goes on. */
	buf_clear(&k->log);
	if (k->log_fd >= 0)
		log_rotate(k);
}

/* What the mimic has not got of the origin's. */
static int log_notes(struct buf *out, const struct mint_notes *notes)
{
	const char *before = " dropped=\"";

	for (size_t i = 0; i < notes->count; i++) {
		const struct mint_note *n = &notes->list[i];

		if (strcmp(n->what, "dropped") != 0)
			continue;
		if (buf_printf(out, NULL, "%s%s %s", before, n->oid, n->reason) < 0)
			return -1;
		before = "; ";
	}
	return before[0] == ';' ? buf_add(out, bytes_str("\""), NULL) : 0;
}

static int log_line(struct buf *out, const struct keeper_message *req, const struct minted *m,
		    const struct mint_notes *notes)
{
	static const char *const by[] = {
		[MINT_TRUSTED] = "root", [MINT_ALLOWED] = "root repaired=yes", [MINT_TWIN] = "twin"
	};
	char subject[200];
	struct cert c;

	if (cert_parse(req->der, &c, NULL) < 0 ||
	    buf_printf(out, NULL, " by=%s key=\"%s\"", by[req->mode], key_kind_text(m->kind)) < 0)
		return -1;
	if (m->note.n && buf_printf(out, NULL, " because=\"%.*s\"", BYTES_FMT(m->note)) < 0)
		return -1;
	if (buf_printf(out, NULL, " names=\"%s\"", cert_names_text(&c, subject, sizeof(subject))) <
	    0)
		return -1;
	if (req->name.n && buf_printf(out, NULL, " for=\"%.*s\"", BYTES_FMT(req->name)) < 0)
		return -1;
	return log_notes(out, notes) < 0 ? -1 : buf_add(out, bytes_str("\n"), NULL);
}

static void log_issue(struct keeper *k, const struct keeper_message *req, const struct minted *m,
		      const struct mint_request *mr, const struct mint_notes *notes)
{
	AUTO(buf_fini) struct buf line = buf_init(LOG_LINE_MAX);
	char when[32], hex[33];
	time_t now = (time_t)(loop_wall_ns(k->loop) / NS_PER_S);
	struct tm tm;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	for (size_t i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", mr->serial[i]);
	if (buf_printf(&line, NULL, "%s serial=%s", when, hex) < 0 ||
	    log_line(&line, req, m, notes) < 0)
		return;
	if (buf_room(&k->log) < line.n)
		log_flush(k);
	if (buf_add(&k->log, buf_bytes(&line), NULL) < 0)
		return;
	if (!k->log_due)
		k->log_due = loop_later(k->loop, log_flush, k, NULL) == 0;
}

/* --- minting --- */

/* The worker may only ask for what can be a host. */
static int check_name(struct bytes name, struct err *e)
{
	struct addr a;
	struct name n;

	return name.n == 0 || addr_parse_ip(name, 0, &a) ? 0 : name_parse(name, &n, e);
}

static int mint_now(struct keeper *k, const struct keeper_message *req, struct minted *m,
		    struct err *e)
{
	enum key_kind wanted = mimic_key_kind(req->der, &m->note, e);
	const struct pooled_key *key = key_pool_get(k->pool, wanted);
	uint8_t serial[16];
	struct mint_notes notes = { .count = 0 };
	struct mint_repair repair = { .now_s = loop_wall_ns(k->loop) / NS_PER_S,
				      .name = req->name };
	struct mint_request mr = { .origin_der = req->der,
				   .by = req->mode == MINT_TWIN ? k->twin : k->root,
				   .spki = buf_bytes(&key->pair.spki),
				   .serial = serial,
				   .repair = req->mode == MINT_ALLOWED ? &repair : NULL };

	if (check_name(req->name, e) < 0)
		return -1;
	m->key_id = key->id;
	m->kind = key->pair.kind;
	m->wanted = wanted;
	if (m->kind != wanted &&
	    buf_printf(&m->note, e, "%s%s is not ready yet, %s serves", m->note.n ? "; " : "",
		       key_kind_text(wanted), key_kind_text(m->kind)) < 0)
		return -1;
	if (random_bytes(serial, sizeof(serial), e) < 0)
		return -1;
	serial[0] &= 0x7f; /* as it will be in the certificate, for the log */
	if (mint_leaf(&mr, &m->der, &notes, e) < 0)
		return -1;
	log_issue(k, req, m, &mr, &notes);
	return 0;
}

/* Its key was not rotated away, and no better one has become ready since. */
static bool is_current(struct keeper *k, const struct minted *m)
{
	return key_pool_get(k->pool, m->wanted)->id == m->key_id;
}

/* From the memory of what was minted, or minted now. */
static struct minted *mint(struct keeper *k, const struct keeper_message *req, struct err *e)
{
	uint8_t mode = (uint8_t)req->mode;
	uint8_t name_n = (uint8_t)req->name.n;
	struct bytes parts[] = { bytes_of(&mode, 1), bytes_of(&name_n, 1), req->name, req->der };
	struct sha256 hash;
	struct minted *m;

	if (sha256_of(parts, ARRAY_LEN(parts), &hash, e) < 0)
		return NULL;
	m = cache_find(k->minted, sha256_bytes(&hash), loop_mono_ns(k->loop));
	if (m && is_current(k, m))
		return m;
	if (!rate_take(&k->rate, loop_mono_ns(k->loop))) {
		(void)FAIL(e, LIMIT, "more than %d certificates a second", RATE_PER_S);
		return NULL;
	}
	m = mem_new(sizeof(*m));
	if (!m) {
		(void)FAIL(e, NOMEM, "a certificate");
		return NULL;
	}
	m->der = buf_init(KEEPER_MESSAGE_MAX);
	m->note = buf_init(512);
	if (mint_now(k, req, m, e) < 0) {
		minted_free(m);
		return NULL;
	}
	/* The cache owns it from here, also when it cannot keep it. */
	if (cache_put(k->minted, sha256_bytes(&hash), m, loop_mono_ns(k->loop), e) < 0)
		return NULL;
	return m;
}

/* --- the lanes --- */

static void link_close(struct lane_link *l)
{
	channel_free(l->channel);
	l->channel = NULL;
	memset(l->told, 0, sizeof(l->told));
}

static void link_send(struct lane_link *l, const struct keeper_message *m)
{
	struct buf b = buf_init(KEEPER_MESSAGE_MAX);

	/* A lane that does not take its answers is not kept alive with memory. */
	b.secret = m->type == KEEPER_KEY;
	if (keeper_message_write(m, &b, NULL) < 0 ||
	    channel_send(l->channel, (uint16_t)m->type, buf_bytes(&b), NULL) < 0)
		link_close(l);
	buf_fini(&b);
}

static void tell_key(struct lane_link *l, const struct minted *m)
{
	const struct pooled_key *key = key_pool_get(l->keeper->pool, m->kind);
	struct keeper_message msg = { .type = KEEPER_KEY,
				      .key_id = key->id,
				      .kind = key->pair.kind,
				      .der = buf_bytes(&key->pair.pkcs8) };

	if (l->told[m->kind] == key->id)
		return;
	l->told[m->kind] = key->id;
	link_send(l, &msg);
}

static void answer(struct lane_link *l, const struct keeper_message *req)
{
	struct keeper *k = l->keeper;
	struct keeper_message msg = { .type = KEEPER_REFUSED, .id = req->id };
	struct err e = { 0 };
	struct minted *m = mint(k, req, &e);

	if (!m) {
		msg.text = bytes_str(e.sentence);
		link_send(l, &msg);
		return;
	}
	tell_key(l, m);
	if (!l->channel)
		return;
	msg = (struct keeper_message){ .type = KEEPER_LEAF,
				       .id = req->id,
				       .key_id = m->key_id,
				       .kind = m->kind,
				       .temporary = m->kind != m->wanted,
				       .der = buf_bytes(&m->der),
				       .text = buf_bytes(&m->note) };
	link_send(l, &msg);
}

static void on_lane_message(void *ctx, struct channel_message *cm)
{
	struct lane_link *l = ctx;
	struct keeper_message m;

	if (keeper_message_parse(cm->payload, &m, NULL) < 0 || m.type != KEEPER_MINT) {
		link_close(l);
		return;
	}
	answer(l, &m);
}

static void on_lane_closed(void *ctx, enum channel_result why, const struct err *reason)
{
	(void)why;
	(void)reason;
	link_close(ctx);
}

/* Takes fd. */
static void lane_add(struct keeper *k, int fd)
{
	struct channel_options o = { .queue_max = (size_t)8 << 20 };

	for (size_t i = 0; i < KEEPER_LANES_MAX; i++) {
		struct lane_link *l = &k->lanes[i];
		struct channel_handler h = { .message = on_lane_message,
					     .closed = on_lane_closed,
					     .ctx = l };

		if (l->channel)
			continue;
		l->keeper = k;
		if (channel_new(fd, &o, &l->channel, NULL) < 0)
			return;
		if (channel_watch(l->channel, k->loop, &h, NULL) < 0)
			link_close(l);
		return;
	}
	close(fd);
}

/* --- the supervisor --- */

static void on_control_message(void *ctx, struct channel_message *m)
{
	struct keeper *k = ctx;

	if (m->type != KEEPER_CONTROL_LANES)
		return;
	for (size_t i = 0; i < m->fd_count; i++) {
		lane_add(k, m->fds[i]);
		m->fds[i] = -1;
	}
}

static void on_control_closed(void *ctx, enum channel_result why, const struct err *reason)
{
	struct keeper *k = ctx;

	(void)why;
	(void)reason;
	loop_stop(k->loop);
}

/* Files below its folder are all that is left to it; where the kernel has no Landlock, the filter of
 * system calls alone. */
static int lock_in(const char *dir, struct err *e)
{
	bool confined = false;

	if (sandbox_available() && sandbox_confine(dir, &confined, e) < 0)
		return -1;
	return sandbox_enter(SANDBOX_KEEPER, e);
}

static int keeper_start(struct keeper *k, const struct keeper_options *o, struct err *e)
{
	struct cache_options minted = { .max_entries = MINTED_MAX,
					.max_age_ns = MINTED_AGE_NS,
					.free_value = minted_free };
	struct channel_options control = { .fds_max = CHANNEL_FDS_MAX };
	struct channel_handler h = { .message = on_control_message,
				     .closed = on_control_closed,
				     .ctx = k };
	char pool[PATHS_MAX];

	k->log = buf_init(LOG_BUFFER);
	k->log_fd = -1;
	if (loop_new(&k->loop, e) < 0 || channel_new(o->control, &control, &k->control, e) < 0 ||
	    channel_watch(k->control, k->loop, &h, e) < 0 ||
	    authority_new(o->cert_pem, o->key_pem, &k->root, e) < 0 ||
	    authority_new_twin(k->root, clock_wall_ns() / NS_PER_S, &k->twin, e) < 0 ||
	    cache_new(&minted, &k->minted, e) < 0 || paths_join(pool, o->dir, "pool", e) < 0 ||
	    paths_join(k->log_path, o->dir, "issued.log", e) < 0 ||
	    paths_join(k->log_old, o->dir, "issued.log.1", e) < 0 ||
	    file_open_secret_append(k->log_path, &k->log_fd, e) < 0 || lock_in(o->dir, e) < 0 ||
	    key_pool_new(k->loop, pool, &k->pool, e) < 0)
		return -1;
	for (size_t i = 0; i < o->lane_count; i++)
		lane_add(k, o->lanes[i]);
	return 0;
}

static void keeper_end(struct keeper *k)
{
	log_flush(k);
	for (size_t i = 0; i < KEEPER_LANES_MAX; i++)
		link_close(&k->lanes[i]);
	key_pool_free(k->pool);
	channel_free(k->control);
	cache_free(k->minted);
	authority_free(k->twin);
	authority_free(k->root);
	buf_fini(&k->log);
	if (k->log_fd >= 0)
		close(k->log_fd);
	loop_free(k->loop);
	mem_free(k);
}

/* Requests come in bursts, from a worker that has others to see to: on a processor that they share
 * none of them is to interrupt him. With one of its own the keeper notices no difference. */
static void let_others_finish(void)
{
	struct sched_param none = { 0 };

	(void)sched_setscheduler(0, SCHED_BATCH, &none); /* without it all is slower, no more */
}

int keeper_run(const struct keeper_options *o)
{
	struct keeper *k = mem_new(sizeof(*k));
	struct err e = { 0 };
	int status = EXIT_OK;

	if (!k)
		return EXIT_FAULT;
	let_others_finish();
	k->rate = (struct rate){ .per_s = RATE_PER_S, .burst = RATE_BURST };
	if (keeper_start(k, o, &e) < 0) {
		fprintf(stderr, "oriel: the keeper of the bump root cannot start: %s\n",
			e.sentence);
		status = err_exit_status(&e);
	} else {
		loop_run(k->loop);
	}
	keeper_end(k);
	return status;
}
