/* AEAD suites of TLS 1.2: the associated data says how long the text is (RFC 5246, 6.2.3.3). */
#include "tap/protect_part.h"

#define EXPLICIT 8

#define AAD_SIZE 13

static void fill_aad(uint8_t aad[AAD_SIZE], uint64_t seq, const struct record *r, size_t text_n)
{
	protect_put_u64(aad, seq);
	aad[8] = r->type;
	protect_put_u16(aad + 9, r->version);
	protect_put_u16(aad + 11, (uint16_t)text_n);
}

/* GCM and CCM: four bytes of the nonce are secret, eight stand before the text (RFC 5288, 3). */
bool protect_open_aead_12(struct protect *p, uint64_t seq, const struct record *r, uint8_t *out,
			  struct protect_opened *opened)
{
	uint8_t nonce[12], aad[AAD_SIZE];
	const struct aead_input in = { bytes_of(nonce, sizeof(nonce)), bytes_of(aad, sizeof(aad)),
				       bytes_slice(r->body, EXPLICIT, r->body.n) };
	size_t n;

	if (r->body.n < EXPLICIT + (size_t)p->info->tag_n)
		return false;
	memcpy(nonce, p->iv.b, 4);
	memcpy(nonce + 4, r->body.p, EXPLICIT);
	fill_aad(aad, seq, r, in.sealed.n - p->info->tag_n);
	if (!aead_open(p->cipher, &in, out, &n))
		return false;
	opened->type = r->type;
	opened->plain = bytes_of(out, n);
	return true;
}

/* RFC 7905, 2: as in TLS 1.3 nothing of the nonce is sent. */
bool protect_open_chacha_12(struct protect *p, uint64_t seq, const struct record *r, uint8_t *out,
			    struct protect_opened *opened)
{
	uint8_t nonce[12], aad[AAD_SIZE];
	const struct aead_input in = { bytes_of(nonce, sizeof(nonce)), bytes_of(aad, sizeof(aad)),
				       r->body };
	size_t n;

	if (r->body.n < p->info->tag_n)
		return false;
	protect_nonce(secret_bytes(&p->iv), seq, nonce);
	fill_aad(aad, seq, r, r->body.n - p->info->tag_n);
	if (!aead_open(p->cipher, &in, out, &n))
		return false;
	opened->type = r->type;
	opened->plain = bytes_of(out, n);
	return true;
}
