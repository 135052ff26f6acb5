#include "proxy/session.h"

#include "base/mem.h"
#include "base/wr.h"
#include "proxy/offer.h"

#define PER_SERVER 4
#define KEY_MAX 4096
#define MAX_AGE_NS ((int64_t)7200 * 1000000000)

struct slot {
	struct tls_session *list[PER_SERVER]; /* newest last */
	size_t count;
};

static void slot_free(void *value)
{
	struct slot *s = value;

	for (size_t i = 0; i < s->count; i++)
		tls_session_free(s->list[i]);
	mem_free(s);
}

int session_cache_new(size_t max, struct cache **out, struct err *e)
{
	struct cache_options o = { .max_entries = max,
				   .max_age_ns = MAX_AGE_NS,
				   .free_value = slot_free };

	return cache_new(&o, out, e);
}

int session_key_set(struct flow *f, struct bytes alpn, struct err *e)
{
	AUTO(buf_fini) struct buf key = buf_init(KEY_MAX);
	struct wr w = wr_init(&key);
	struct bytes parts[1];

	wr_u16(&w, f->server.remote.port);
	wr_u8(&w, (uint8_t)f->sni.n);
	wr_bytes(&w, name_bytes(&f->sni));
	wr_u16(&w, (uint16_t)alpn.n);
	wr_bytes(&w, alpn);
	wr_u64(&w, f->setup->generation);
	wr_u32(&w, (uint32_t)(f->listener - f->config->listeners));
	wr_u32(&w, (uint32_t)f->decision.rule);
	wr_bytes(&w, addr_ip(&f->server.remote));
	if (wr_end(&w, e) < 0 || offer_key(f, &key, e) < 0)
		return -1;
	parts[0] = buf_bytes(&key);
	return sha256_of(parts, 1, &f->session_key, e);
}

void session_put(struct flow *f, struct tls_session *s)
{
	int64_t now = loop_mono_ns(f->lane->loop);
	struct slot *slot = cache_find(f->lane->sessions, sha256_bytes(&f->session_key), now);

	if (!slot) {
		slot = mem_new(sizeof(*slot));
		if (!slot || cache_put(f->lane->sessions, sha256_bytes(&f->session_key), slot, now,
				       NULL) < 0) {
			tls_session_free(s);
			return;
		}
	}
	if (slot->count == PER_SERVER) {
		tls_session_free(slot->list[0]);
		memmove(slot->list, slot->list + 1, (PER_SERVER - 1) * sizeof(slot->list[0]));
		slot->count--;
	}
	slot->list[slot->count++] = s;
}

struct tls_session *session_get(struct flow *f)
{
	int64_t now = loop_mono_ns(f->lane->loop);
	struct slot *slot = cache_find(f->lane->sessions, sha256_bytes(&f->session_key), now);
	struct tls_session *newest;

	metric_add(f->lane->o.metrics,
		   slot && slot->count ? METRIC_SESSION_HIT : METRIC_SESSION_MISS, 1);
	if (!slot || !slot->count)
		return NULL;
	newest = slot->list[slot->count - 1];
	if (!tls_session_is_tls13(newest))
		return tls_session_ref(newest);
	slot->count--;
	return newest;
}

void session_forget(struct flow *f)
{
	cache_remove(f->lane->sessions, sha256_bytes(&f->session_key));
}
