/* CBC suites of TLS 1.2 and before (RFC 5246, 6.2.3.2; RFC 2246, 6.2.3.2; RFC 6101, 5.2.3.2), with
 * the MAC inside or outside (RFC 7366). What is read was sent long ago: that a check takes longer
 * for one reason than for another tells nobody anything. */
#include "tap/protect_part.h"

/* A record's body in its parts. */
struct sealed {
	struct bytes iv, text, mac; /* mac: outside */
};

static bool split(const struct protect *p, const struct record *r, struct sealed *s)
{
	const size_t block = p->info->block_n, outside = p->encrypt_then_mac ? p->mac_n : 0;
	const size_t iv_n = p->implicit_iv ? 0 : block;

	if (r->body.n < protect_overhead(p) || (r->body.n - iv_n - outside) % block != 0)
		return false;
	s->iv = p->implicit_iv ? secret_bytes(&p->iv) : bytes_slice(r->body, 0, block);
	s->text = bytes_slice(r->body, iv_n, r->body.n - iv_n - outside);
	s->mac = bytes_slice(r->body, iv_n + s->text.n, outside);
	return true;
}

/* How many bytes at the end of the text are padding, its length included; 0: none that is right. SSL
 * 3.0 says nothing of what it holds, only that it is no longer than a block. */
static size_t padding_of(const struct protect *p, struct bytes text)
{
	const size_t n = (size_t)text.p[text.n - 1] + 1;

	if (n > text.n || (p->version == 0x0300 && n > p->info->block_n))
		return 0;
	if (p->version == 0x0300)
		return n;
	for (size_t i = text.n - n; i < text.n; i++)
		if (text.p[i] != n - 1)
			return 0;
	return n;
}

static bool open_mac_inside(struct protect *p, uint64_t seq, const struct record *r,
			    struct bytes text, size_t *n)
{
	const size_t padding = padding_of(p, text);

	if (padding == 0 || padding + p->mac_n > text.n)
		return false;
	*n = text.n - padding - p->mac_n;
	return protect_mac_fits(p, seq, r, bytes_slice(text, 0, *n),
				bytes_slice(text, *n, p->mac_n));
}

bool protect_open_cbc(struct protect *p, uint64_t seq, const struct record *r, uint8_t *out,
		      struct protect_opened *opened)
{
	struct sealed s;
	struct bytes text;
	size_t n;

	if (!split(p, r, &s))
		return false;
	if (p->implicit_iv && p->encrypt_then_mac && !p->iv_given && p->iv_seq != seq)
		return false;
	if (p->encrypt_then_mac &&
	    !protect_mac_fits(p, seq, r, bytes_slice(r->body, 0, r->body.n - s.mac.n), s.mac))
		return false;
	if (!cbc_decrypt(p->cipher, s.iv, s.text, out))
		return false;
	text = bytes_of(out, s.text.n);
	if (p->encrypt_then_mac) {
		const size_t padding = padding_of(p, text);

		if (padding == 0)
			return false;
		n = text.n - padding;
	} else if (!open_mac_inside(p, seq, r, text, &n)) {
		return false;
	}
	if (p->implicit_iv) {
		memcpy(p->iv.b, s.text.p + s.text.n - p->iv.n, p->iv.n);
		p->iv_seq = seq + 1;
		p->iv_given = false;
	}
	opened->type = r->type;
	opened->plain = bytes_of(out, n);
	return true;
}
