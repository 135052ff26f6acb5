/* AEAD suites of TLS 1.2: the associated data says how long the text is (RFC 5246, 6.2.3.3). */
#include "tap/protect_part.h"

#define EXPLICIT 8

static bool open_with(struct protect *p, uint64_t seq, const struct record *r, struct bytes sealed,
		      struct bytes nonce, uint8_t *out, size_t *n)
{
	uint8_t aad[13];
	const struct aead_input in = { nonce, bytes_of(aad, sizeof(aad)), sealed };

	protect_put_u64(aad, seq);
	aad[8] = r->type;
	protect_put_u16(aad + 9, r->version);
	protect_put_u16(aad + 11, (uint16_t)(sealed.n - p->info->tag_n));
	return aead_open(p->cipher, &in, out, n);
}

/* GCM and CCM: four bytes of the nonce are secret, eight stand before the text (RFC 5288, 3). */
bool protect_open_aead_12(struct protect *p, uint64_t seq, const struct record *r, uint8_t *out,
			  struct protect_opened *opened)
{
	uint8_t nonce[12];
	size_t n;

	if (r->body.n < EXPLICIT + (size_t)p->info->tag_n)
		return false;
	memcpy(nonce, p->iv.b, 4);
	memcpy(nonce + 4, r->body.p, EXPLICIT);
	if (!open_with(p, seq, r, bytes_slice(r->body, EXPLICIT, r->body.n),
		       bytes_of(nonce, sizeof(nonce)), out, &n))
		return false;
	opened->type = r->type;
	opened->plain = bytes_of(out, n);
	return true;
}

/* RFC 7905, 2: as in TLS 1.3 nothing of the nonce is sent. */
bool protect_open_chacha_12(struct protect *p, uint64_t seq, const struct record *r, uint8_t *out,
			    struct protect_opened *opened)
{
	uint8_t nonce[12];
	size_t n;

	if (r->body.n < p->info->tag_n)
		return false;
	protect_nonce(secret_bytes(&p->iv), seq, nonce);
	if (!open_with(p, seq, r, r->body, bytes_of(nonce, sizeof(nonce)), out, &n))
		return false;
	opened->type = r->type;
	opened->plain = bytes_of(out, n);
	return true;
}
