#include "base/secret.h"

#include "base/mem.h"

int secret_set(struct secret *s, struct bytes from, struct err *e)
{
	if (from.n > sizeof(s->b))
		return FAIL(e, LIMIT, "a secret of %zu bytes (at most %d)", from.n, SECRET_MAX);
	if (from.n)
		memmove(s->b, from.p, from.n); /* from may be a part of s */
	mem_wipe(s->b + from.n, sizeof(s->b) - from.n);
	s->n = from.n;
	return 0;
}

void secret_wipe(struct secret *s)
{
	mem_wipe(s, sizeof(*s));
}

bool secret_equal(struct bytes a, struct bytes b)
{
	volatile uint8_t diff = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		diff = (uint8_t)(diff | (a.p[i] ^ b.p[i]));
	return diff == 0;
}
