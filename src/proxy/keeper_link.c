#include "proxy/keeper_link.h"

#include "base/mem.h"
#include "net/loop.h"
#include "proc/channel.h"

/* The keys of the last minutes: a leaf always names one that was told before it. */
#define KEYS_MAX (2 * KEY_KIND_COUNT)
/* Requests of clients that come in the first moments, before there is a line. */
#define EARLY_MAX 64
#define EARLY_BYTES_MAX ((size_t)4 << 20)

struct keeper_link {
	struct loop *loop;
	struct leaf_desk *desk;
	struct channel *channel; /* NULL: the keeper is gone, or not yet there */
	bool joined;		 /* at least once */
	struct {
		uint32_t id;
		struct buf message;
	} early[EARLY_MAX];
	size_t early_count, early_bytes;
	struct {
		uint32_t id;
		struct tls_key *key;
	} keys[KEYS_MAX];
	size_t next_key;
};

int keeper_link_new(struct loop *l, struct keeper_link **out, struct err *e)
{
	struct keeper_link *k = mem_new(sizeof(*k));

	if (!k)
		return FAIL(e, NOMEM, "the line to the keeper");
	k->loop = l;
	*out = k;
	return 0;
}

static void forget_keys(struct keeper_link *k)
{
	for (size_t i = 0; i < KEYS_MAX; i++) {
		tls_key_free(k->keys[i].key);
		k->keys[i].key = NULL;
		k->keys[i].id = 0;
	}
}

static void hang_up(struct keeper_link *k)
{
	struct err why = { 0 };

	channel_free(k->channel);
	k->channel = NULL;
	forget_keys(k);
	(void)FAIL(&why, CLOSED, "no new certificates until it is back");
	if (k->desk)
		leaf_desk_refuse_all(k->desk, &why);
}

static void early_forget(struct keeper_link *k)
{
	for (size_t i = 0; i < k->early_count; i++)
		buf_fini(&k->early[i].message);
	k->early_count = k->early_bytes = 0;
}

void keeper_link_free(struct keeper_link *k)
{
	if (!k)
		return;
	k->desk = NULL;
	hang_up(k);
	early_forget(k);
	mem_free(k);
}

void keeper_link_serve(struct keeper_link *k, struct leaf_desk *desk)
{
	k->desk = desk;
}

/* Takes the message when it is kept. Who waits for it has a time-out of his own. */
static int early_keep(struct keeper_link *k, uint32_t id, struct buf *message, struct err *e)
{
	if (k->early_count == EARLY_MAX || k->early_bytes + message->n > EARLY_BYTES_MAX)
		return FAIL(e, LIMIT, "too many wait for the start of the keeper");
	k->early_bytes += message->n;
	k->early[k->early_count].id = id;
	k->early[k->early_count++].message = *message;
	*message = buf_init(KEEPER_MESSAGE_MAX);
	return 0;
}

static void early_send(struct keeper_link *k)
{
	for (size_t i = 0; i < k->early_count; i++) {
		struct err e = { 0 };

		if (channel_send(k->channel, KEEPER_MINT, buf_bytes(&k->early[i].message), &e) < 0)
			leaf_desk_refuse(k->desk, k->early[i].id, &e);
	}
	early_forget(k);
}

static int send_request(void *ctx, uint32_t id, const struct leaf_ask *ask, struct err *e)
{
	struct keeper_link *k = ctx;
	AUTO(buf_fini) struct buf b = buf_init(KEEPER_MESSAGE_MAX);
	struct keeper_message m = { .type = KEEPER_MINT,
				    .id = id,
				    .mode = ask->mode,
				    .name = ask->name,
				    .der = ask->origin_der };

	if (!k->channel && k->joined)
		return FAIL(e, CLOSED, "no new certificates until it is back");
	if (keeper_message_write(&m, &b, e) < 0)
		return err_ctx(e, "a certificate of %zu bytes", ask->origin_der.n);
	if (!k->channel)
		return early_keep(k, id, &b, e);
	return channel_send(k->channel, KEEPER_MINT, buf_bytes(&b), e);
}

struct leaf_minter keeper_link_minter(struct keeper_link *k)
{
	return (struct leaf_minter){ .send = send_request, .ctx = k };
}

static void take_key(struct keeper_link *k, const struct keeper_message *m)
{
	struct tls_key *key;
	size_t i = k->next_key++ % KEYS_MAX;

	if (tls_key_new(m->der, &key, NULL) < 0)
		return;
	tls_key_free(k->keys[i].key);
	k->keys[i].key = key;
	k->keys[i].id = m->key_id;
}

static void take_leaf(struct keeper_link *k, const struct keeper_message *m)
{
	struct err why = { 0 };

	for (size_t i = 0; i < KEYS_MAX; i++) {
		if (k->keys[i].key && k->keys[i].id == m->key_id) {
			leaf_desk_answer(k->desk, m, k->keys[i].key, loop_mono_ns(k->loop));
			return;
		}
	}
	(void)FAIL(&why, KEY, "the keeper named a key that it never sent");
	leaf_desk_refuse(k->desk, m->id, &why);
}

static void on_message(void *ctx, struct channel_message *cm)
{
	struct keeper_link *k = ctx;
	struct keeper_message m;
	struct err why = { 0 };

	if (keeper_message_parse(cm->payload, &m, &why) < 0 || m.type == KEEPER_MINT) {
		hang_up(k);
		return;
	}
	if (m.type == KEEPER_KEY) {
		take_key(k, &m);
	} else if (m.type == KEEPER_LEAF) {
		take_leaf(k, &m);
	} else {
		(void)FAIL(&why, CERT, "%.*s", BYTES_FMT(m.text));
		leaf_desk_refuse(k->desk, m.id, &why);
	}
}

static void on_closed(void *ctx, enum channel_result result, const struct err *reason)
{
	(void)result;
	(void)reason;
	hang_up(ctx);
}

int keeper_link_join(struct keeper_link *k, int fd, struct err *e)
{
	struct channel_options o = { .queue_max = (size_t)8 << 20 };
	struct channel_handler h = { .message = on_message, .closed = on_closed, .ctx = k };

	if (k->channel)
		hang_up(k);
	if (channel_new(fd, &o, &k->channel, e) < 0)
		return -1;
	if (channel_watch(k->channel, k->loop, &h, e) < 0) {
		channel_free(k->channel);
		k->channel = NULL;
		return -1;
	}
	k->joined = true;
	early_send(k);
	return 0;
}
