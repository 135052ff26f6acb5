/* Minted certificates, kept by what was asked for: shared by all lanes. All of them as DER; those
 * used lately as identities too, which take ten times the memory and 40 us to make. */
#ifndef PROXY_LEAF_STORE_H
#define PROXY_LEAF_STORE_H

#include "crypt/hash.h"
#include "proxy/leaf.h"

/* What a leaf is made of: a KEEPER_LEAF and the key that it names. Borrowed. */
struct leaf_source {
	const struct keeper_message *m;
	struct tls_key *key;
};
int leaf_new(const struct leaf_source *from, struct leaf **out, struct err *e) MUST_CHECK;
/* The leaf (a count for the caller), or NULL. */
struct leaf *leaf_store_find(struct leaf_store *s, const struct sha256 *asked, int64_t now_ns);
/* Keeps l, which was made from that. That it could not be kept is no failure. */
void leaf_store_put(struct leaf_store *s, const struct sha256 *asked, struct leaf *l,
		    const struct leaf_source *from, int64_t now_ns);

#endif
