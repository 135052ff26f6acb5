/* The keeper's leaf keys: one of each type and size, made beforehand (RSA on a thread), kept in
 * files of mode 0600, replaced when they are a day old. Nobody waits for a key: until a size is
 * ready the nearest that is ready serves. */
#ifndef PROXY_KEY_POOL_H
#define PROXY_KEY_POOL_H

#include "net/loop.h"
#include "pki/mint.h"

struct key_pool;

struct pooled_key {
	uint32_t id; /* never used twice by this process */
	struct key_pair pair;
	int64_t born_s; /* UNIX seconds */
};

/* dir (0700) holds the files; it is made when missing. A P-256 key is ready when this returns; RSA
 * 2048 is on its way. Files that cannot be used are replaced. */
int key_pool_new(struct loop *l, const char *dir, struct key_pool **out, struct err *e) MUST_CHECK;
void key_pool_free(struct key_pool *p); /* waits for a key that is being made */
/* The key of this kind, or the nearest that is ready; then the wanted one is put in hand. Valid
 * until the loop's next turn. */
const struct pooled_key *key_pool_get(struct key_pool *p, enum key_kind kind);

#endif
