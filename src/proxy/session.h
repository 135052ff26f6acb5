/* Sessions of servers, for resumption: kept by address, port, SNI, ALPN, versions and rule, so that
 * none is used where another rule, certificate or protocol was agreed. A TLS 1.3 ticket is used
 * once (RFC 8446, C.4). */
#ifndef PROXY_SESSION_H
#define PROXY_SESSION_H

#include "proxy/flow.h"

int session_cache_new(size_t max, struct cache **out, struct err *e) MUST_CHECK;
/* Fills f->session_key; f->server is connected. */
int session_key_set(struct flow *f, struct bytes alpn, struct err *e) MUST_CHECK;
void session_put(struct flow *f, struct tls_session *s); /* takes it */
/* A session to offer (the caller's), or NULL. */
struct tls_session *session_get(struct flow *f);
void session_forget(struct flow *f);

#endif
