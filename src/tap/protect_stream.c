/* RC4 and NULL: the text, then its MAC (RFC 5246, 6.2.3.1). */
#include "tap/protect_part.h"

bool protect_open_stream(struct protect *p, uint64_t seq, const struct record *r, uint8_t *out,
			 struct protect_opened *opened)
{
	size_t n;

	if (r->body.n < p->mac_n)
		return false;
	n = r->body.n - p->mac_n;
	if (!stream_mark(p->cipher) || !stream_decrypt(p->cipher, r->body, out))
		return false;
	if (!protect_mac_fits(p, seq, r, bytes_of(out, n), bytes_of(out + n, p->mac_n))) {
		(void)stream_back(p->cipher);
		return false;
	}
	opened->type = r->type;
	opened->plain = bytes_of(out, n);
	return true;
}
