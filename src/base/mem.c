#include "base/mem.h"

#include <stdlib.h>

static _Thread_local size_t fail_at;

static bool may_allocate(void)
{
	if (fail_at == 0)
		return true;
	if (fail_at == 1)
		return false;
	fail_at--;
	return true;
}

void mem_fail_at(size_t n)
{
	fail_at = n;
}

void *mem_new(size_t n)
{
	return may_allocate() ? calloc(1, n ? n : 1) : NULL;
}

void *mem_new_array(size_t count, size_t n)
{
	size_t all;

	return __builtin_mul_overflow(count, n, &all) ? NULL : mem_new(all);
}

void *mem_resize(void *p, size_t n)
{
	return may_allocate() ? realloc(p, n ? n : 1) : NULL;
}

void *mem_dup(struct bytes b)
{
	uint8_t *p = may_allocate() ? malloc(b.n + 1) : NULL;

	if (!p)
		return NULL;
	if (b.n)
		memcpy(p, b.p, b.n);
	p[b.n] = 0;
	return p;
}

char *mem_str(const char *s)
{
	return mem_dup(bytes_str(s));
}

void mem_free(void *p)
{
	free(p);
}

void mem_freep(void *pointer_to_pointer)
{
	void *p;

	memcpy(&p, pointer_to_pointer, sizeof(p));
	free(p);
}

void mem_wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}
