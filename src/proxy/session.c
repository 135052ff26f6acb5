#include "proxy/session.h"

#include "base/mem.h"
#include "base/wr.h"
#include "proxy/offer.h"

/* Sessions of one server: so many at first, doubled each time that they were all taken (connections to
 * it are opened side by side, and a TLS 1.3 ticket is good for one of them). */
#define PER_SERVER_FIRST 2
#define PER_SERVER_MAX 32
#define KEY_MAX 4096
#define MAX_AGE_NS ((int64_t)7200 * 1000000000)

struct slot {
	struct lane *lane;
	struct tls_session **list; /* newest last */
	size_t count, max;
};

static void slot_free(void *value)
{
	struct slot *s = value;

	for (size_t i = 0; i < s->count; i++)
		tls_session_free(s->list[i]);
	s->lane->sessions_more -= s->max - PER_SERVER_FIRST;
	mem_free(s->list);
	mem_free(s);
}

static struct slot *slot_new(struct lane *l)
{
	struct slot *s = mem_new(sizeof(*s));

	if (!s)
		return NULL;
	s->lane = l;
	s->max = PER_SERVER_FIRST;
	s->list = mem_new_array(s->max, sizeof(struct tls_session *));
	if (s->list)
		return s;
	mem_free(s);
	return NULL;
}

/* All lane's servers together may have as many more as there may be servers. */
static void slot_grow(struct slot *s)
{
	struct lane *l = s->lane;
	struct tls_session **list;

	if (s->max == PER_SERVER_MAX ||
	    l->sessions_more + s->max > l->setup->config->limits.sessions)
		return;
	list = mem_resize(s->list, 2 * s->max * sizeof(struct tls_session *));
	if (!list)
		return;
	s->list = list;
	l->sessions_more += s->max;
	s->max *= 2;
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
		slot = slot_new(f->lane);
		if (!slot || cache_put(f->lane->sessions, sha256_bytes(&f->session_key), slot, now,
				       NULL) < 0) {
			tls_session_free(s);
			return;
		}
	}
	if (slot->count == slot->max) {
		tls_session_free(slot->list[0]);
		slot->count--;
		memmove(slot->list, slot->list + 1, slot->count * sizeof(struct tls_session *));
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
	if (!slot)
		return NULL;
	if (!slot->count) {
		slot_grow(slot);
		return NULL;
	}
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
