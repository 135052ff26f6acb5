/* What libcrypto's errors mean, for paths.h; inside of this room. */
#ifndef PKI_PATH_RULE_H
#define PKI_PATH_RULE_H

#include <openssl/x509.h>

#include "pki/paths.h"

/* Fills word, section, remedy and the sentence from f->error. about may be NULL. */
void path_fault_tell(struct path_fault *f, const X509 *about, const struct path_request *q);
/* Is it only said because no way up was found? */
bool path_error_is_no_issuer(int error);

#endif
