#include "tap/session_12.h"

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "crypt/digest.h"
#include "crypt/rsa.h"

#define SESSION_HASH_MAX (DIGEST_MAX * 2)
#define PREMASTER_MAX 1024

/* RFC 7627, 3: the hash of all handshake messages up to ClientKeyExchange. */
static int session_hash(const struct session *s, uint8_t out[SESSION_HASH_MAX], size_t *n)
{
	const struct session_12 *o = s->old;
	const struct bytes parts[] = {
		buf_bytes(&o->hello),
		buf_bytes(&o->said[DIR_DOWN]),
		buf_bytes(&o->said[DIR_UP]),
	};

	if (!o->keeps || !o->exchanged || !o->hello_done)
		return -1;
	if (s->version == 0x0303) {
		*n = digest_size(s->suite->prf);
		return digest_of(s->suite->prf, parts, ARRAY_LEN(parts), out, NULL);
	}
	*n = digest_size(DIGEST_MD5) + digest_size(DIGEST_SHA1);
	if (digest_of(DIGEST_MD5, parts, ARRAY_LEN(parts), out, NULL) < 0)
		return -1;
	return digest_of(DIGEST_SHA1, parts, ARRAY_LEN(parts), out + digest_size(DIGEST_MD5), NULL);
}

/* RFC 5246, 8.1; RFC 7627, 4. */
static bool from_premaster(const struct session *s, struct bytes premaster,
			   uint8_t master[MASTER_SIZE])
{
	struct protect_derived out = { .p = master, .n = MASTER_SIZE };
	struct prf_input in = {
		.secret = premaster,
		.label = "master secret",
		.seed_a = bytes_of(s->client_random, SESSION_RANDOM),
		.seed_b = bytes_of(s->server_random, SESSION_RANDOM),
	};
	uint8_t hash[SESSION_HASH_MAX];
	size_t n;

	if (s->old->extended) {
		if (session_hash(s, hash, &n) < 0)
			return false;
		in.label = "extended master secret";
		in.seed_a = bytes_of(hash, n);
		in.seed_b = (struct bytes){ 0 };
	}
	return protect_prf(s->suite, s->version, &in, &out, NULL) == 0;
}

static bool is_master(struct master_walk *w, const struct keylog_secret *k)
{
	if (k->secret_n != MASTER_SIZE)
		return false;
	memcpy(w->master, k->secret, MASTER_SIZE);
	return true;
}

static bool client_random_line(struct session *s, struct master_walk *w)
{
	while ((w->line = session_secret(s, KEYLOG_CLIENT_RANDOM, KEYLOG_NEXT, w->line)))
		if (is_master(w, w->line))
			return true;
	return false;
}

static bool premaster_line(struct session *s, struct master_walk *w)
{
	while ((w->line = session_secret(s, KEYLOG_PMS_CLIENT_RANDOM, KEYLOG_NEXT, w->line)))
		if (from_premaster(s, bytes_of(w->line->secret, w->line->secret_n), w->master))
			return true;
	return false;
}

/* The pre-master secret as the client encrypted it. SSL 3.0 sends it without a length. */
static struct bytes encrypted_premaster(const struct session *s)
{
	bool bad = false;
	struct bytes body = buf_bytes(&s->old->exchange);
	struct rd r = rd_init(body, &bad);
	struct rd inner = rd_vec16(&r);

	if (s->suite->exchange != EXCHANGE_RSA)
		return (struct bytes){ 0 };
	return bad || r.n || s->version == 0x0300 ? body : rd_rest(&inner);
}

static bool rsa_line(struct session *s, struct master_walk *w)
{
	struct bytes key = bytes_slice(encrypted_premaster(s), 0, 8);

	if (key.n < 8)
		return false;
	while ((w->line = tap_secret_next(s->flow, key, w->line)))
		if (w->line->label == KEYLOG_RSA &&
		    from_premaster(s, bytes_of(w->line->secret, w->line->secret_n), w->master))
			return true;
	return false;
}

static bool session_id_line(struct session *s, struct master_walk *w)
{
	const struct session_12 *o = s->old;
	const struct short_id *id = o->given.n ? &o->given : &o->offered;

	if (id->n == 0)
		return false;
	while ((w->line = tap_secret_next(s->flow, short_id_bytes(id), w->line)))
		if (w->line->label == KEYLOG_RSA_SESSION_ID && is_master(w, w->line))
			return true;
	return false;
}

/* A session of an earlier connection that this one resumes. */
static bool earlier_session(struct session *s, struct master_walk *w)
{
	const struct session_12 *o = s->old;
	const struct short_id *ids[] = { &o->given, &o->ticket };
	const struct tap_sessions *known = s->flow->shared->sessions;

	while (known && w->index < ARRAY_LEN(ids)) {
		const struct short_id *id = ids[w->index++];

		if (id->n && known->find(known->ctx, short_id_bytes(id), s->at, w->master))
			return true;
	}
	return false;
}

static bool rsa_key(struct session *s, struct master_walk *w)
{
	const struct tap_shared *shared = s->flow->shared;
	struct bytes encrypted = encrypted_premaster(s);
	uint8_t premaster[MASTER_SIZE];
	bool good;

	while (encrypted.n && w->index < shared->rsa_key_count) {
		if (!rsa_key_premaster(shared->rsa_keys[w->index++], encrypted, premaster))
			continue;
		good = from_premaster(s, bytes_of(premaster, sizeof(premaster)), w->master);
		mem_wipe(premaster, sizeof(premaster));
		if (good)
			return true;
	}
	return false;
}

/* RFC 4279, 2: as many zeros as the key has bytes, then the key, each with its length. */
static bool pre_shared_key(struct session *s, struct master_walk *w)
{
	AUTO(buf_fini) struct buf premaster = buf_init_secret(PREMASTER_MAX);
	struct bytes psk = s->flow->shared->psk;
	struct wr wr = wr_init(&premaster);

	if (psk.n == 0 || w->index++ || s->suite->exchange != EXCHANGE_PSK)
		return false;
	wr_u16(&wr, (uint16_t)psk.n);
	for (size_t i = 0; i < psk.n; i++)
		wr_u8(&wr, 0);
	wr_u16(&wr, (uint16_t)psk.n);
	wr_bytes(&wr, psk);
	return wr_end(&wr, NULL) == 0 && from_premaster(s, buf_bytes(&premaster), w->master);
}

bool master_next(struct session *s, struct master_walk *w)
{
	static const struct {
		bool (*next)(struct session *s, struct master_walk *w);
		const char *name;
	} sources[] = {
		{ client_random_line, "CLIENT_RANDOM" },
		{ earlier_session, "session that is resumed" },
		{ premaster_line, "PMS_CLIENT_RANDOM" },
		{ rsa_line, "RSA line" },
		{ session_id_line, "RSA Session-ID" },
		{ rsa_key, "RSA key" },
		{ pre_shared_key, "PSK" },
	};

	for (; w->source < ARRAY_LEN(sources); w->source++) {
		w->name = sources[w->source].name;
		if (sources[w->source].next(s, w))
			return true;
		w->line = NULL;
		w->index = 0;
	}
	return false;
}

void master_learned(struct session *s, struct tap_at at)
{
	struct session_12 *o = s->old;
	const struct tap_sessions *known = s->flow->shared->sessions;
	const struct short_id *ids[] = { &o->given, &o->new_ticket };

	if (!o->master_known || !known)
		return;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		if (ids[i]->n)
			known->put(known->ctx, short_id_bytes(ids[i]),
				   bytes_of(o->master, MASTER_SIZE), at);
}
