/* TLS 1.3: AEAD (RFC 8446, 5.2), and the suites that only protect integrity (RFC 9150). */
#include "base/mem.h"
#include "crypt/keystream.h"
#include "tap/protect_part.h"

#define KEY_MAX DIGEST_MAX
#define NONCE_MAX 48
#define MISSES_MAX 8 /* records that do not open until numbers are looked at first */

static bool open_aead(struct protect *p, uint64_t seq, const struct record *r, uint8_t *out,
		      size_t *n)
{
	uint8_t nonce[12], head[RECORD_HEADER_SIZE] = { r->type };
	const struct aead_input in = { bytes_of(nonce, sizeof(nonce)), bytes_of(head, sizeof(head)),
				       r->body };

	protect_put_u16(head + 1, r->version);
	protect_put_u16(head + 3, (uint16_t)r->body.n);
	protect_nonce(secret_bytes(&p->iv), seq, nonce);
	return aead_open(p->cipher, &in, out, n);
}

/* HMAC(key, nonce + header + text) behind the text. */
static bool open_integrity(struct protect *p, uint64_t seq, const struct record *r, uint8_t *out,
			   size_t *n)
{
	const struct bytes text = bytes_slice(r->body, 0, r->body.n - p->mac_n);
	uint8_t nonce[NONCE_MAX], head[RECORD_HEADER_SIZE] = { r->type }, mac[DIGEST_MAX];
	const struct bytes parts[] = { bytes_of(nonce, p->iv.n), bytes_of(head, sizeof(head)),
				       text };
	const struct hmac_input in = { secret_bytes(&p->mac_key), parts, ARRAY_LEN(parts) };

	protect_put_u16(head + 1, r->version);
	protect_put_u16(head + 3, (uint16_t)r->body.n);
	protect_nonce(secret_bytes(&p->iv), seq, nonce);
	if (hmac_of(p->suite->mac, &in, mac, NULL) < 0 ||
	    !secret_equal(bytes_of(mac, p->mac_n), bytes_slice(r->body, text.n, p->mac_n)))
		return false;
	memcpy(out, text.p, text.n);
	*n = text.n;
	return true;
}

static bool open_13(struct protect *p, uint64_t seq, const struct record *r, uint8_t *out,
		    struct protect_opened *opened)
{
	bool fits;
	size_t n;

	if (r->type != RECORD_APPLICATION_DATA || r->body.n < protect_overhead(p))
		return false;
	if (p->misses >= MISSES_MAX && !protect_may_fit(p, seq, r))
		return false;
	fits = p->suite->cipher == CIPHER_NULL ? open_integrity(p, seq, r, out, &n)
					       : open_aead(p, seq, r, out, &n);
	p->misses = fits ? 0 : p->misses + 1;
	if (!fits)
		return false;
	while (n && out[n - 1] == 0)
		n--;
	opened->type = n ? out[--n] : 0;
	opened->plain = bytes_of(out, n);
	return true;
}

bool protect_keystream(struct protect *p)
{
	const struct hkdf_label label = { p->info->key_n, "key", { 0 } };
	uint8_t key[KEY_MAX];
	bool ok = hkdf_expand_label(p->suite->prf, secret_bytes(&p->secret), &label, key, NULL) ==
			  0 &&
		  keystream_new(p->suite->cipher, bytes_of(key, label.n), &p->keystream, NULL) == 0;

	mem_wipe(key, sizeof(key));
	return ok;
}

static int make_keys(struct protect *p, struct bytes secret, struct err *e)
{
	const enum digest d = p->suite->prf;
	const bool integrity = p->suite->cipher == CIPHER_NULL;
	const size_t size = digest_size(d);
	const struct hkdf_label labels[] = { { integrity ? size : p->info->key_n, "key", { 0 } },
					     { integrity ? size : p->info->iv_n, "iv", { 0 } } };
	uint8_t key[KEY_MAX];
	const struct bytes key_bytes = bytes_of(key, labels[0].n);
	int done = -1;

	p->iv.n = labels[1].n;
	if (hkdf_expand_label(d, secret, &labels[0], key, e) == 0 &&
	    hkdf_expand_label(d, secret, &labels[1], p->iv.b, e) == 0)
		done = integrity ? secret_set(&p->mac_key, key_bytes, e)
				 : cipher_new(p->suite->cipher, key_bytes, &p->cipher, e);
	mem_wipe(key, sizeof(key));
	return done;
}

static void protect_freep(struct protect **p)
{
	protect_free(*p);
}

int protect_new_13(const struct suite *suite, struct bytes secret, struct protect **out,
		   struct err *e)
{
	AUTO(protect_freep) struct protect *p = NULL;

	if (suite->exchange != EXCHANGE_TLS13)
		return FAIL(e, UNSUPPORTED, "cipher suite 0x%04x is not one of TLS 1.3",
			    suite->code);
	if (secret.n != digest_size(suite->prf))
		return FAIL(e, CRYPTO, "a traffic secret of %zu bytes where %s makes %zu", secret.n,
			    digest_name(suite->prf), digest_size(suite->prf));
	p = mem_new(sizeof(*p));
	if (!p)
		return FAIL(e, NOMEM, "a key of %s", cipher_info(suite->cipher)->name);
	p->suite = suite;
	p->info = cipher_info(suite->cipher);
	p->open = open_13;
	p->version = 0x0304;
	p->mac_n = digest_size(suite->mac);
	if (secret_set(&p->secret, secret, e) < 0 || make_keys(p, secret, e) < 0)
		return -1;
	*out = STEAL(p);
	return 0;
}

int protect_next_13(const struct protect *p, struct protect **out, struct err *e)
{
	const struct hkdf_label label = { p->secret.n, "traffic upd", { 0 } };
	AUTO(secret_wipe) struct secret next = { .n = p->secret.n };

	if (p->secret.n == 0)
		return FAIL(e, UNSUPPORTED, "only keys of TLS 1.3 have a next generation");
	if (hkdf_expand_label(p->suite->prf, secret_bytes(&p->secret), &label, next.b, e) < 0)
		return -1;
	return protect_new_13(p->suite, secret_bytes(&next), out, e);
}
