/* Policies as libssl wants them. Not for other rooms. */
#ifndef TLS_POLICY_H
#define TLS_POLICY_H

#include <openssl/ssl.h>

#include "tls/tls.h"

/* The SSL_CTX of a policy, borrowed. With secrets: one that formats key log lines; it is made when
 * it is first asked for. NULL: out of memory. */
SSL_CTX *policy_ctx(struct tls_policy *p, bool secrets);
enum tls_side policy_side(const struct tls_policy *p);
bool policy_has_cipher(const struct tls_policy *p, const SSL_CIPHER *cipher);

#endif
