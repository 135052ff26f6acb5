/* http://oriel.internal/: what a person sees whose browser goes through here, the bump root to
 * download, and how to have it trusted on each system. */
#ifndef CMD_INTERNAL_PAGE_H
#define CMD_INTERNAL_PAGE_H

#include "base/buf.h"

/* The page about the root in the PEM text. Fails with ERR_CERT, ERR_DER, ERR_LIMIT, ERR_NOMEM. */
int internal_page_write(struct bytes ca_pem, struct buf *out, struct err *e) MUST_CHECK;
/* The root as DER, which phones and Windows take. */
int internal_page_der(struct bytes ca_pem, struct buf *out, struct err *e) MUST_CHECK;

#endif
