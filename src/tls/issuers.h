/* Issuers' certificates that were decoded before. Identities come by the thousand from few issuers,
 * and decoding is dear. Any thread. Not for other rooms. */
#ifndef TLS_ISSUERS_H
#define TLS_ISSUERS_H

#include <openssl/types.h>

#include "base/bytes.h"

/* The decoded certificate, counted for the caller; NULL when it is none. Trailing bytes are refused. */
X509 *issuers_get(struct bytes der) MUST_CHECK;
/* Without remembering it: for leaves. */
X509 *issuers_decode(struct bytes der) MUST_CHECK;
void issuers_fini(void); /* forgets all */

#endif
