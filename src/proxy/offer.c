#include "proxy/offer.h"

#include "base/rd.h"
#include "base/wr.h"

#define CODES_MAX 256
#define POLICY_KEY_MAX 2048

struct codes {
	uint16_t list[CODES_MAX];
	size_t count;
};

static void codes_read(struct bytes b, struct codes *out)
{
	bool bad = false;
	struct rd r = rd_init(b, &bad);

	out->count = 0;
	while (r.n && out->count < CODES_MAX)
		out->list[out->count++] = rd_u16(&r);
}

/* Lowest and highest version that the client offers within the rule's floor. */
static int versions(const struct flow *f, uint16_t *min, uint16_t *max, struct err *e)
{
	const struct client_hello *h = &f->hello->hello;
	uint16_t floor = f->decision.settings->upstream_min_version;
	struct codes offered;

	codes_read(h->supported_versions, &offered);
	*max = h->max_version > 0x0304 ? 0x0304 : h->max_version;
	*min = *max;
	for (size_t i = 0; i < offered.count; i++) {
		if (offered.list[i] >= floor && offered.list[i] < *min)
			*min = offered.list[i];
	}
	if (offered.count == 0 || *min < floor)
		*min = floor;
	if (*max < floor)
		return FAIL(e, UNSUPPORTED,
			    "the client offers at most version 0x%04x, the rule's floor is 0x%04x",
			    *max, floor);
	return 0;
}

bool offer_has_version(const struct flow *f)
{
	uint16_t min, max;

	return versions(f, &min, &max, NULL) == 0;
}

int offer_key(const struct flow *f, struct buf *out, struct err *e)
{
	const struct client_hello *h = &f->hello->hello;
	struct bytes lists[] = { h->cipher_suites, h->supported_groups, h->signature_algorithms };
	struct wr w = wr_init(out);
	uint16_t min, max;

	if (versions(f, &min, &max, e) < 0)
		return -1;
	wr_u16(&w, min);
	wr_u16(&w, max);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct wr_mark m = wr_open(&w, 2);

		wr_bytes(&w, lists[i]);
		wr_close(&w, m);
	}
	return wr_end(&w, e);
}

static int policy_make(const struct flow *f, uint16_t min, uint16_t max, struct tls_policy **out,
		       struct err *e)
{
	const struct client_hello *h = &f->hello->hello;
	struct codes ciphers, groups, sigalgs;
	struct tls_policy_options o = {
		.side = TLS_CLIENT, .min_version = min, .max_version = max, .sessions = true
	};

	codes_read(h->cipher_suites, &ciphers);
	codes_read(h->supported_groups, &groups);
	codes_read(h->signature_algorithms, &sigalgs);
	o.ciphers = ciphers.list;
	o.cipher_count = ciphers.count;
	o.groups = groups.list;
	o.group_count = groups.count;
	o.sigalgs = sigalgs.list;
	o.sigalg_count = sigalgs.count;
	return tls_policy_new(&o, out, e);
}

int offer_policy(struct flow *f, struct tls_policy **out, struct err *e)
{
	AUTO(buf_fini) struct buf key = buf_init(POLICY_KEY_MAX);
	struct tls_policy *p;
	uint16_t min, max;
	int64_t now = loop_mono_ns(f->lane->loop);

	if (versions(f, &min, &max, e) < 0 || offer_key(f, &key, e) < 0)
		return -1;
	p = cache_find(f->lane->policies, buf_bytes(&key), now);
	if (p) {
		*out = tls_policy_ref(p);
		return 0;
	}
	if (policy_make(f, min, max, &p, e) < 0)
		return -1;
	/* The cache takes one count; that it cannot keep it is no failure. */
	*out = tls_policy_ref(p);
	if (cache_put(f->lane->policies, buf_bytes(&key), p, now, NULL) < 0)
		return 0;
	return 0;
}

static bool alpn_allowed(const struct flow *f, struct bytes name)
{
	if (bytes_equal(name, bytes_str("acme-tls/1")))
		return false;
	return !config_rule_rewrites(f->decision.settings) ||
	       bytes_equal(name, bytes_str("http/1.1"));
}

int offer_alpn(const struct flow *f, struct buf *out, struct err *e)
{
	bool bad = false;
	struct rd r = rd_init(f->hello->hello.alpn, &bad);
	struct wr w = wr_init(out);

	while (r.n) {
		struct rd name = rd_vec8(&r);
		struct bytes b = rd_rest(&name);

		if (!alpn_allowed(f, b))
			continue;
		wr_u8(&w, (uint8_t)b.n);
		wr_bytes(&w, b);
	}
	return wr_end(&w, e);
}
