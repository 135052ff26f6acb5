/* The server's side of the demonstration: an authority that exists for its duration, and
 * certificates by it. */
#ifndef CMD_DEMO_CERTS_H
#define CMD_DEMO_CERTS_H

#include "base/buf.h"
#include "pki/mint.h"
#include "tls/tls.h"

struct demo_authority {
	struct authority *by;
	struct buf cert_pem;
};
int demo_authority_make(int64_t now_s, struct demo_authority *out, struct err *e) MUST_CHECK;
void demo_authority_fini(struct demo_authority *a);

struct demo_server_certificate {
	const char *name;
	int64_t not_before, not_after; /* UNIX seconds */
};
int demo_identity_make(const struct demo_authority *a, const struct demo_server_certificate *c,
		       struct tls_identity **out, struct err *e) MUST_CHECK;

#endif
