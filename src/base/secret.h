/* Short secrets (keys, traffic secrets): fixed room, wiped by their owner, compared in constant
 * time. Never printed, logged or put into an err. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/err.h"

#define SECRET_MAX 64

struct secret {
	uint8_t b[SECRET_MAX];
	size_t n;
};

/* Copies. Fails with ERR_LIMIT when from is longer than SECRET_MAX; s is then as it was. */
int secret_set(struct secret *s, struct bytes from, struct err *e) MUST_CHECK;
void secret_wipe(struct secret *s); /* for AUTO(secret_wipe) */
/* In a time that depends on the lengths only. */
bool secret_equal(struct bytes a, struct bytes b);
static inline struct bytes secret_bytes(const struct secret *s)
{
	return bytes_of(s->b, s->n);
}

#endif
