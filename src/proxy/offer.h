/* What is offered to the server: what the client offered, as far as libssl has it and the rules
 * allow. Policies are kept by what they were made of. */
#ifndef PROXY_OFFER_H
#define PROXY_OFFER_H

#include "proxy/flow.h"

#define OFFER_ALPN_MAX 1024

/* Whether the client offers a version that is not below the rule's floor. */
bool offer_has_version(const struct flow *f);
/* The policy for this flow's ClientHello; a count for the caller. Fails with ERR_UNSUPPORTED when
 * client, rule and libssl have nothing in common. */
int offer_policy(struct flow *f, struct tls_policy **out, struct err *e) MUST_CHECK;
/* What the policy is made of, as bytes: equal offers have equal keys. Appends to out. */
int offer_key(const struct flow *f, struct buf *out, struct err *e) MUST_CHECK;
/* The client's list without acme-tls/1 (RFC 8737: only for who answers for the name himself), and
 * only http/1.1 where the rule rewrites. Appends to out. */
int offer_alpn(const struct flow *f, struct buf *out, struct err *e) MUST_CHECK;

#endif
