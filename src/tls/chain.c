#include "tls/chain.h"

#include "base/mem.h"

struct chain *chain_new(const STACK_OF(X509) * certs)
{
	int count = sk_X509_num(certs);
	size_t head = sizeof(struct chain) + (size_t)count * sizeof(struct bytes), size = head;
	struct chain *c;
	uint8_t *p;

	for (int i = 0; i < count; i++) {
		int n = i2d_X509(sk_X509_value(certs, i), NULL);

		if (n <= 0)
			return NULL;
		size += (size_t)n;
	}
	c = mem_new(size);
	if (!c)
		return NULL;
	p = (uint8_t *)c + head;
	for (int i = 0; i < count; i++) {
		const uint8_t *start = p;

		if (i2d_X509(sk_X509_value(certs, i), &p) <= 0) {
			mem_free(c);
			return NULL;
		}
		c->der[c->count++] = bytes_of(start, (size_t)(p - start));
	}
	atomic_init(&c->refs, 1);
	return c;
}

struct chain *chain_ref(struct chain *c)
{
	if (c)
		atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void chain_free(struct chain *c)
{
	if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
		mem_free(c);
}
