/* A record from outside under every suite and version: what opens is a part of the room, what does
 * not changes nothing. Input: suite (2 bytes), version (0 to 4), flags, record type, body. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/rd.h"
#include "tap/protect.h"

enum { OUTSIDE = 1, TRUNCATED = 2, SKIP = 4 };

static void check(struct protect *p, const struct record *r)
{
	uint8_t *out = mem_new(r->body.n ? r->body.n : 1);
	struct protect_opened o = { 0 };

	if (out && protect_open(p, 0, r, out, &o)) {
		if (r->body.n < protect_overhead(p))
			abort();
		if (o.plain.n && (o.plain.p < out || o.plain.p + o.plain.n > out + r->body.n))
			abort();
	}
	mem_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t zeros[48];
	bool bad = false;
	struct rd rd = rd_init(bytes_of(data, size), &bad);
	const struct suite *s = suite_find(rd_u16(&rd));
	struct protect_12 in = { .suite = s,
				 .version = (uint16_t)(0x0300 + rd_u8(&rd)),
				 .master = bytes_of(zeros, 48),
				 .client_random = bytes_of(zeros, 32),
				 .server_random = bytes_of(zeros, 32) };
	const uint8_t flags = rd_u8(&rd);
	struct protect *p[2] = { NULL, NULL };
	struct record r = { .type = rd_u8(&rd), .version = in.version };

	if (r.version > 0x0303)
		r.version = 0x0303;
	r.body = rd_rest(&rd);
	if (bad || !s)
		return 0;
	in.encrypt_then_mac = flags & OUTSIDE;
	in.truncated_hmac = flags & TRUNCATED;
	if (s->exchange == EXCHANGE_TLS13
		    ? protect_new_13(s, bytes_of(zeros, digest_size(s->prf)), &p[0], NULL) < 0
		    : protect_new_12(&in, p, NULL) < 0)
		return 0;
	check(p[0], &r);
	if (flags & SKIP)
		protect_skip(p[0], r.body.n, r.body);
	check(p[0], &r);
	protect_free(p[0]);
	protect_free(p[1]);
	return 0;
}
