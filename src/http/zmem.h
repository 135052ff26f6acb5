/* zlib on our heap, and its input without casting the const away by hand. */
#ifndef HTTP_ZMEM_H
#define HTTP_ZMEM_H

#include <zlib.h>

#include "base/mem.h"

static inline voidpf zmem_alloc(voidpf opaque, uInt items, uInt size)
{
	(void)opaque;
	return mem_new_array(items, size);
}

static inline void zmem_free(voidpf opaque, voidpf p)
{
	(void)opaque;
	mem_free(p);
}

static inline void zmem_init(z_stream *z)
{
	*z = (z_stream){ .zalloc = zmem_alloc, .zfree = zmem_free };
}

/* At most 4 GiB; zlib does not write to it. */
static inline void zmem_input(z_stream *z, struct bytes in)
{
	z->next_in = (z_const Bytef *)in.p;
	z->avail_in = (uInt)in.n;
}

#endif
