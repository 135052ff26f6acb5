/* A peer's certificates as DER, counted: shared by a session and by what resumes it. Not for other
 * rooms. */
#ifndef TLS_CHAIN_H
#define TLS_CHAIN_H

#include <openssl/x509.h>
#include <stdatomic.h>

#include "base/err.h"

struct chain {
	atomic_size_t refs;
	size_t count;
	struct bytes der[]; /* leaf first; the bytes follow */
};

/* A copy of what libssl decoded. NULL: out of memory. */
struct chain *chain_new(const STACK_OF(X509) * certs) MUST_CHECK;
struct chain *chain_ref(struct chain *c);
void chain_free(struct chain *c);

#endif
